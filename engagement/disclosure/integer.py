"""The integer audit: is anybody's answer certain to an intruder who holds any three other people's?

The intruder solves the views for the numbers of favourable answers in each cell. Somebody is exposed where, with
some three people's answers in hand, every solution gives all others in their cell the same answer. The true answers
are one solution; so it takes, for every cell, either answer and every trio, one more solution that differs there.

Trios are never sampled. Solutions found so far are kept in a pool; a search looks for a trio whose answers refute
all of them. None: the cell is safe, and the pool is the proof. Otherwise we look for a solution that this trio leaves,
by changing answers of one at hand and then by a whole-number programme: there is none, and the trio is the witness
that the cell is exposed; or it joins the pool and the search goes on. Every solution is checked in whole numbers, so rounding in the solver cannot make an
exposed cell look safe.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from engagement.disclosure.linear import parts
from engagement.disclosure.views import Cells

_SEEDS = 6  # exchanges with the first solution kept for each cell and direction
_KEPT = 32  # solutions looked at for each cell and direction: those that are the hardest to refute
_MENDS = 300  # answers changed at most to make a solution of one that breaks some figures
_NEAR = 40  # the same where the search can go on without
_STARTS = 8  # solutions of the pool tried so, one after the other, before a programme is solved
_NOTHING = 1e-4  # a figure broken by less is not
_RESTS = 8  # changes of others before an answer may change once more
_FADES = 0.85  # what each change leaves of a figure's weight, to which 1 is added where it leaves the figure broken
_FURTHER, _NOISE = 0.1, 0.01  # what a change away from the true answers costs, and chance among equals


@dataclass(frozen=True)
class Limits:
    """How far an audit goes before it gives up, which counts as unsafe. `intruder`: others whose answers are in hand.
    `solves`: programmes solved. `steps`: steps of all searches for trios. `nodes`,
    `seconds`: of one programme."""

    intruder: int = 3
    solves: int = 60
    steps: int = 200_000
    nodes: int = 20_000
    seconds: float = 20.0


@dataclass(frozen=True)
class Witness:
    """Why a table is unsafe: in cell `cell` all others are `favourable`, for who holds `held`, triples
    (cell, favourable answers held, unfavourable answers held)."""

    cell: int
    favourable: bool
    held: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, eq=False)
class IntegerVerdict:
    """`safe`, or why not. `witness`: None where safe or where the audit gave up. `solves`: programmes solved.
    `refuted`: the figures contradict the assumption under which they were read, so that it shows nothing.
    `pool` (solutions, A): the proof where safe, else what was found of one; the last found were the hardest to find."""

    safe: bool
    why: str = ""
    witness: Witness | None = None
    solves: int = 0
    refuted: bool = False
    pool: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))


class _GaveUp(Exception):
    """The audit is at its limits."""


def audit_integer(
    found: Cells, limits: Limits = Limits(), *, pool: np.ndarray | None = None
) -> IntegerVerdict:
    """Whether nobody's answer is certain under `found`, whichever `limits.intruder` answers the intruder holds.

    `pool` (solutions, A): solutions of an earlier audit; those that do not solve this one are dropped.
    Each connected part of the figures is audited on its own. Whoever is in hand shows all their answers.
    """
    solves, proofs = 0, []
    refuted = False
    for cells_in, views_in in parts(found.matrix):
        part = replace(
            found,
            size=found.size[cells_in],
            favourable=found.favourable[cells_in],
            unfavourable=found.unfavourable[cells_in],
            block=found.block[cells_in],
            matrix=found.matrix[np.ix_(views_in, cells_in)],
            low=found.low[views_in],
            high=found.high[views_in],
            truth=None if found.truth is None else found.truth[cells_in],
            rows=tuple(found.rows[cell] for cell in cells_in),
            unknowns=_within(found.unknowns, cells_in),
        )
        search = _Search(part, limits, solves)
        start = np.zeros((0, len(cells_in)), dtype=np.int64) if pool is None else pool[:, cells_in]
        why, witness = "", None
        try:
            witness = search.run(start)
        except _GaveUp as gave_up:
            why = str(gave_up)
        solves, refuted = search.solves, refuted or search.refuted
        proofs.append((cells_in, search.pool))
        if witness is not None:
            held = tuple((int(cells_in[cell]), f, u) for cell, f, u in witness.held)
            why = "somebody's answer can be worked out"
            witness = Witness(int(cells_in[witness.cell]), witness.favourable, held)
        if why:
            return IntegerVerdict(False, why, witness, solves, False, _joined(len(found.size), proofs))
    return IntegerVerdict(True, "", None, solves, refuted, _joined(len(found.size), proofs))


def _within(unknowns: np.ndarray, cells_in: np.ndarray) -> np.ndarray:
    """The unknowns of these cells, which are numbered anew."""
    inside = unknowns[np.isin(unknowns[:, 0], cells_in)]
    return np.column_stack([np.searchsorted(cells_in, inside[:, 0]), inside[:, 1:]])


def _joined(width: int, proofs: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The parts' solutions side by side; a part that has fewer repeats its first one."""
    most = max((len(pool) for _, pool in proofs), default=0)
    if any(len(pool) == 0 for _, pool in proofs):
        most = 0
    out = np.zeros((most, width), dtype=np.int64)
    for cells_in, pool in proofs:
        if most:
            out[:, cells_in] = pool[np.minimum(np.arange(most), len(pool) - 1)]
    return out


class _Search:
    """One connected part: its pool of solutions, and the search for a trio that leaves none."""

    def __init__(self, found: Cells, limits: Limits, solves: int):
        self.found, self.limits = found, limits
        self.solves, self.steps, self.refuted = solves, 0, False
        self.pool = np.zeros((0, len(found.size)), dtype=np.int64)
        self.shown, self.starts, self.people = _kinds(found)
        self.rows, self.kept = self.pool, set()
        self.refuted_by = np.zeros(0, dtype=np.int64)  # by how many kinds of people, of each in the pool
        # People in hand, (choices, kinds), with whom the figures contradict the assumption.
        self.contradicted = np.zeros((0, len(self.people)), dtype=np.int64)
        self.patience = _MENDS
        self._model = self._steps = None
        self.chance = np.random.default_rng(len(found.size))

    def run(self, start: np.ndarray) -> Witness | None:
        """The first witness found, None where everybody is safe. Raises `_GaveUp` at the limits."""
        found = self.found
        if found.truth is not None:
            self._add(found.truth[None])
        for row in start:
            if found.feasible(row):
                self._add(row[None])
        if not len(self.pool):
            first = self._solve(np.zeros_like(found.size), found.size)
            if first is None:
                # Under the assumption nothing prints so: the intruder learns that it is wrong, and no more.
                self.refuted = True
                return None
            self._add(first[None])
        self._add(self._neighbours(self.pool[0]))
        for cell in np.argsort(found.size, kind="stable").tolist():
            for favourable in (True, False):
                held = self._refute(cell, favourable)
                if held is not None:
                    return Witness(cell, not favourable, held)
        return None

    def _add(self, rows: np.ndarray) -> None:
        new = [row for row in rows if row.tobytes() not in self.kept]
        self.kept.update(row.tobytes() for row in new)
        if not new:
            return
        self.pool = np.concatenate([self.pool, new])
        nothing = np.zeros(len(self.found.size), dtype=np.int64)
        ways = self._ways(np.array(new), nothing, True, np.zeros_like(self.people))
        self.refuted_by = np.append(self.refuted_by, ways.sum(axis=1))

    def _neighbours(self, base: np.ndarray) -> np.ndarray:
        """Solutions one answer or one exchange of answers away from `base`, a few for each cell and direction."""
        found, width = self.found, len(base)
        at = found.matrix @ base
        down, up = found.low - at, found.high - at
        # Over pairs of cells: one more favourable answer in the first and one fewer in the second, or in none.
        fits = np.ones((width, width + 1), dtype=bool)
        for column, least, most in zip(found.matrix, down, up, strict=True):
            moved = column[:, None] - np.append(column, 0)[None, :]
            fits &= (least <= moved) & (moved <= most)
        fits &= (base < found.size)[:, None] & np.append(base > 0, True)[None, :]
        np.fill_diagonal(fits[:, :width], False)
        # Exchanges with cells that hold many such answers are the hardest to refute; draw among equals.
        chance = np.random.default_rng(width)
        room_down = np.append(base, width + found.size.sum()) + chance.random(width + 1)
        room_up = found.size - base + chance.random(width)
        chosen = np.zeros_like(fits)
        best = np.argsort(-np.where(fits, room_down[None, :], -1), axis=1)[:, :_SEEDS]
        np.put_along_axis(chosen, best, True, axis=1)
        best = np.argsort(-np.where(fits, room_up[:, None], -1), axis=0)[:_SEEDS]
        np.put_along_axis(chosen, best, True, axis=0)
        more, fewer = np.nonzero(fits & chosen)
        rows = np.tile(base, (len(more), 1))
        rows[np.arange(len(more)), more] += 1
        inner = fewer < width
        rows[np.flatnonzero(inner), fewer[inner]] -= 1
        # And one favourable answer fewer, for nothing.
        alone = ((down[:, None] <= -found.matrix) & (-found.matrix <= up[:, None])).all(axis=0) & (base > 0)
        return np.concatenate([rows, base - np.eye(width, dtype=np.int64)[alone]])

    def _refute(self, cell: int, favourable: bool) -> tuple[tuple[int, int, int], ...] | None:
        """A trio that rules out every solution in which somebody else of `cell` is `favourable`, None if there is none."""
        target = np.zeros(len(self.found.size), dtype=np.int64)
        target[cell] = 1
        here = self.pool[:, cell]
        fits = np.flatnonzero(here >= 1 if favourable else here < self.found.size[cell])
        self.rows = self.pool[fits[np.argsort(self.refuted_by[fits], kind="stable")[:_KEPT]]]
        return self._descend(target, favourable, np.zeros_like(self.people), set())

    def _ways(self, rows: np.ndarray, target: np.ndarray, favourable: bool, held: np.ndarray) -> np.ndarray:
        """Whose answers help to refute each solution, (solutions, kinds) truth values: those that show one more answer of a
        cell than it allows for, with whatever else may still come into hand."""
        found, left = self.found, self.limits.intruder - held.sum()
        f, u = self._in_hand(held)
        new_f = rows + 1 - (target if favourable else 0)
        new_u = found.size - rows + 1 - (0 if favourable else target)
        others = found.size - target  # somebody of the cell stays unknown, or nobody is left to expose
        ways_f = (new_f <= np.minimum(found.favourable, f + left)) & (new_f + u <= others)
        ways_u = (new_u <= np.minimum(found.unfavourable, u + left)) & (new_u + f <= others)
        if not len(self.people):
            return np.zeros((len(rows), 0), dtype=bool)
        ways = np.concatenate([ways_f, ways_u], axis=1)[:, self.shown]
        return np.logical_or.reduceat(ways, self.starts[:-1], axis=1) & (held < self.people)

    def _in_hand(self, held: np.ndarray) -> np.ndarray:
        """Favourable and unfavourable answers (2, A) that the people `held` show."""
        out = np.zeros((2, len(self.found.size)), dtype=np.int64)
        for kind in np.flatnonzero(held):
            out.reshape(-1)[self.shown[self.starts[kind] : self.starts[kind + 1]]] += held[kind]
        return out

    def _in_reach(self, ways: np.ndarray, left: int) -> np.ndarray | None:
        """None where so many solutions need different people that `left` more cannot refute them all; else (kinds,) truth
        values, the people who help to refute solutions that have no such people in common, or who refute all."""
        if left == 1:
            alone = ways.all(axis=0)
            return alone if alone.any() else None
        taken, count = np.zeros(ways.shape[1], dtype=bool), ways.sum(axis=1)
        for _ in range(left + 1):
            apart = np.flatnonzero(~ways[:, taken].any(axis=1)) if taken.any() else np.arange(len(ways))
            if not len(apart):
                return taken
            row = apart[np.argmin(count[apart])]
            if not count[row]:
                return None
            taken |= ways[row]
        return None

    def _elsewhere(self, taken, target, favourable, held) -> np.ndarray | None:
        """A solution that nobody of the `taken` kinds helps to refute; None if none is near."""
        found, left = self.found, self.limits.intruder - held.sum()
        f, u = self._in_hand(held)
        more_f, more_u = left * np.minimum(self._in_hand(taken.astype(np.int64)), 1)
        low = np.minimum(found.favourable, f + more_f) + (target if favourable else 0)
        high = found.size - np.minimum(found.unfavourable, u + more_u) - (0 if favourable else target)
        return None if (low > high).any() else self._mended(low, high, _NEAR, self.pool[0])

    def _descend(self, target, favourable, held, seen):
        """Search on from the people `held`, (kinds,) numbers. Whoever refutes all that is left refutes the hardest of it,
        so one of those who help to do that is the next in hand."""
        key = held.tobytes()
        if key in seen:
            return None
        seen.add(key)
        self.steps += 1
        if self.steps > self.limits.steps:
            raise _GaveUp("the search for an intruder took too long")
        found = self.found
        f, u = self._in_hand(held)
        if (f + u + target > found.size).any() or (self.contradicted <= held).all(axis=1).any():
            return None  # nobody is left to expose, or nobody who holds these believes the assumption
        need_f = f + target if favourable else f
        need_u = u if favourable else u + target
        asked = np.flatnonzero(need_f + need_u)

        def fitting(rows: np.ndarray) -> np.ndarray:
            here = rows[:, asked]
            fits = (here >= need_f[asked]) & (found.size[asked] - here >= need_u[asked])
            return rows[fits.all(axis=1)][:_KEPT]

        rows = fitting(self.rows)
        if not len(rows):
            row = self._solve(need_f, found.size - need_u)
            if row is None:
                if found.truth is None and self._solve(f, found.size - u) is None:
                    self.contradicted = np.concatenate([self.contradicted, held[None]])
                    return None
                return tuple((int(at), int(f[at]), int(u[at])) for at in np.flatnonzero(f + u))
            rows = row[None]
            self._add(rows)
            self.rows = np.concatenate([rows, self.rows])
        left = int(self.limits.intruder - held.sum())
        ways = self._ways(rows, target, favourable, held)
        for _ in range(left + 1):
            taken = self._in_reach(ways, left)
            row = None if taken is None else self._elsewhere(taken, target, favourable, held)
            if row is None:
                break
            self._add(row[None])
            self.rows = np.concatenate([row[None], self.rows])
            ways = np.concatenate([ways, self._ways(row[None], target, favourable, held)])
        taken = self._in_reach(ways, left)
        if taken is None:
            return None
        # The last one has to refute all that is left by themselves.
        one_by_one = taken if left == 1 else ways[np.argmin(ways.sum(axis=1))]
        for kind in np.flatnonzero(one_by_one):
            with_them = held.copy()
            with_them[kind] += 1
            witness = self._descend(target, favourable, with_them, seen)
            if witness is not None:
                return witness
        return None

    def _solve(self, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
        """A solution with counts from `low` to `high`, None where there is none. Raises `_GaveUp` at the limits."""
        if (low > high).any():
            return None
        for base in self._nearest(low, high)[:_STARTS]:
            mended = self._mended(low, high, self.patience, base)
            if mended is not None:
                return mended
        solved = self._programme(low, high)
        # A long search is worth while only where there is mostly something to find.
        self.patience = max(self.patience // 2, _NEAR) if solved is None else min(2 * self.patience, _MENDS)
        return solved

    def _nearest(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """The pool, its first and then those that are least beyond these counts."""
        beyond = (np.maximum(low - self.pool, 0) + np.maximum(self.pool - high, 0)).sum(axis=1)
        beyond[:1] = 0
        return self.pool[np.argsort(beyond, kind="stable")]

    def _mended(self, low: np.ndarray, high: np.ndarray, changes: int, base: np.ndarray) -> np.ndarray | None:
        """A solution near `base`, found by changing one answer at a time for the better; None where so many
        changes do not suffice, which says nothing. It saves a programme, which takes some fifty times as long.

        Tabu search (Glover 1989): who has just changed stays so for a while, and a figure that stays broken weighs more.
        """
        found, width = self.found, len(self.found.size)
        if self._steps is None:
            self._steps = _Steps(found)
        steps = self._steps
        row = np.clip(base, low, high)
        at, weight = steps.at(row), np.ones(len(found.low), np.float32)
        # What a change costs beside the figures, one favourable answer more and one fewer; for some it cannot be made.
        away = np.where([row >= base, row <= base], _FURTHER, 0)
        toll = np.where([row >= high, row <= low], np.inf, away).astype(np.float32)
        resting: deque[int] = deque()
        chance = self.chance.random((changes, 2, width), dtype=np.float32) * _NOISE
        for step in range(changes):
            broken = steps.broken(at)
            if not (broken > _NOTHING).any() and found.feasible(row):
                return row
            if step:
                weight = _FADES * weight + (broken > _NOTHING)
            worse = steps.worse(at, broken, weight)
            worse += chance[step]
            worse += toll
            fewer, cell = divmod(int(worse.argmin()), width)
            if np.isinf(worse[fewer, cell]):
                return None
            change = -1 if fewer else 1
            row[cell] += change
            at += change * steps.of_one[:, cell]
            toll[:, cell] = np.inf
            resting.append(cell)
            if len(resting) == _RESTS:
                cell = resting.popleft()
                toll[0, cell] = np.inf if row[cell] >= high[cell] else _FURTHER * (row[cell] >= base[cell])
                toll[1, cell] = np.inf if row[cell] <= low[cell] else _FURTHER * (row[cell] <= base[cell])
        return None

    def _programme(self, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
        """The same by a whole-number programme, which finds one wherever there is one."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array, eye_array, hstack, vstack

        self.solves += 1
        if self.solves > self.limits.solves:
            raise _GaveUp("the audit took too many steps")
        found, width = self.found, len(self.found.size)
        # No trio refutes a solution that leaves each cell as many answers of either kind as it could show. So a second
        # variable says how far a cell falls short of that, and as little of it as can be is wanted; unequal prices vary
        # the cells. Small cells of one mind need none: counted from their own answer, the first says it by itself.
        shown = (
            np.minimum(found.favourable, self.limits.intruder),
            np.minimum(found.unfavourable, self.limits.intruder),
        )
        of_one_mind = (shown[0] == found.size) | (shown[1] == found.size)
        short = np.flatnonzero(~of_one_mind)
        turned = of_one_mind & (shown[0] > 0)
        base, sign = np.where(turned, found.size, 0), np.where(turned, -1, 1)
        if self._model is None:
            eye, falls = eye_array(width).tocsr()[short], eye_array(len(short))
            figures = csr_array(found.matrix * sign)
            self._model = vstack(
                [
                    hstack([figures, csr_array((len(found.low), len(short)))]),
                    hstack([eye, falls]),
                    hstack([eye, -falls]),
                ]
            ).tocsr()
        chance = np.random.default_rng(self.solves)
        prices, noise = chance.uniform(1, 2, width), chance.uniform(-0.01, 0.01, width)
        slack = 0.01  # the sums are whole numbers: this keeps the solver's tolerance from losing one
        at, free = found.matrix @ base, np.full(len(short), np.inf)
        ends = np.where(turned, base - high, low), np.where(turned, base - low, high)
        result = milp(
            np.concatenate([np.where(of_one_mind, prices, noise), prices[short]]),
            integrality=np.repeat([1, 0], [width, len(short)]),
            bounds=Bounds(np.concatenate([ends[0], 0 * short]), np.concatenate([ends[1], free])),
            constraints=LinearConstraint(
                self._model,
                np.concatenate([found.low - at - slack, shown[0][short], -free]),
                np.concatenate([found.high - at + slack, free, (found.size - shown[1])[short]]),
            ),
            options={"time_limit": self.limits.seconds, "node_limit": self.limits.nodes, "mip_rel_gap": 0.3},
        )
        if result.x is None:
            if result.status == 2:
                return None
            raise _GaveUp("a programme was not solved in time")
        row = base + sign * np.rint(result.x[:width]).astype(np.int64)
        if not (found.feasible(row) and (low <= row).all() and (row <= high).all()):
            raise _GaveUp("the solver's answer does not solve the figures")
        return row


class _Steps:
    """What one answer more or fewer does to the figures. Single precision, for only the order of changes hangs on it."""

    def __init__(self, found: Cells):
        scale = np.maximum(np.abs(found.matrix).max(axis=1, initial=1), 1)
        self.of_one = (found.matrix / scale[:, None]).astype(np.float32)
        self.low, self.high = (found.low / scale).astype(np.float32), (found.high / scale).astype(np.float32)
        # A figure counts most people alike: what one of them does to it is worked out once for all of them.
        alike = [
            (view, amount)
            for view, row in enumerate(self.of_one)
            for amount in np.unique(row[row != 0]).tolist()
        ]
        self.view = np.array([view for view, _ in alike], dtype=np.int64)
        amounts = np.array([amount for _, amount in alike], np.float32)
        self.amounts = np.stack([amounts, -amounts])
        self.whose = (self.of_one[self.view] == amounts[:, None]).astype(np.float32)
        self.lows, self.highs = self.low[self.view], self.high[self.view]

    def at(self, row: np.ndarray) -> np.ndarray:
        """The figures (views,) of favourable counts (A,)."""
        return self.of_one @ row.astype(np.float32)

    def broken(self, at: np.ndarray) -> np.ndarray:
        """How far figures (views,) are beyond their limits."""
        return np.maximum(at - self.high, 0) + np.maximum(self.low - at, 0)

    def worse(self, at: np.ndarray, broken: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """What one favourable answer more, and one fewer, (2, A) adds to the broken figures by their weight."""
        after = at[self.view] + self.amounts
        change = np.maximum(after - self.highs, 0) + np.maximum(self.lows - after, 0) - broken[self.view]
        return (weight[self.view] * change) @ self.whose


def _kinds(found: Cells) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """People who show the same, whoever holds them: the places of what they show, kind after kind, in favourable and then
    unfavourable answers of the cells (2 A); where each kind's begin; and how many people are of it. Whoever changed
    their answer though it is taken for one is none of them: nobody who knows them believes it."""
    cell, person, answer = found.unknowns.T
    _, first, who = np.unique(person, return_index=True, return_inverse=True)
    who = np.argsort(np.argsort(first))[who]
    changed = np.isin(who, who[answer < 0])
    place, who = (cell + (1 - answer) * len(found.size))[~changed], who[~changed]
    # As bytes: to compare lists of numbers took most of the time of an audit of 60,000 people.
    shown, width = place[np.lexsort((place, who))].tobytes(), place.itemsize
    ends = np.cumsum(np.unique(who, return_counts=True)[1]) * width
    kinds = Counter(shown[start:end] for start, end in pairwise([0, *ends.tolist()]))
    places = np.frombuffer(b"".join(kinds), dtype=place.dtype)
    starts = np.cumsum([0, *(len(kind) // width for kind in kinds)])
    return places, starts, np.array(list(kinds.values()), dtype=np.int64)
