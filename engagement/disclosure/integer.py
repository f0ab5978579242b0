"""The integer audit: is anybody's answer certain to an intruder who holds any three other people's?

The intruder solves the views for the numbers of favourable answers in each cell. Somebody is exposed where, with
some three people's answers in hand, every solution gives all others in their cell the same answer. The true answers
are one solution; so it takes, for every cell, either answer and every trio, one more solution that differs there.

Trios are never sampled. Solutions found so far are kept in a pool; a search looks for a trio whose answers refute
all of them. None: the cell is safe, and the pool is the proof. Otherwise a whole-number programme looks for a
solution that this trio leaves: there is none, and the trio is the witness that the cell is exposed; or it joins the
pool and the search goes on. Every solution is checked in whole numbers, so rounding in the solver cannot make an
exposed cell look safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from engagement.disclosure.linear import parts
from engagement.disclosure.views import WHOLE, Cells

_SEEDS = 6  # exchanges kept for each cell and direction
_KEPT = 64  # solutions looked at for each cell and direction: those that are the hardest to refute
_MENDS = 24  # answers changed at most to make a solution of one that breaks some figures


@dataclass(frozen=True)
class Limits:
    """How far an audit goes before it gives up, which counts as unsafe. `intruder`: answers of others in hand.
    `solves`: programmes solved. `steps`: steps of all searches for trios. `nodes`,
    `seconds`: of one programme."""

    intruder: int = 3
    solves: int = 2000
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
    `pool` (solutions, A): the proof."""

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
    Each connected part of the figures is audited on its own. Where people's rounds are unknowns of their own, an
    intruder may hold different people in each round, which is more than so many people's answers.
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
        )
        search = _Search(part, limits, solves)
        start = np.zeros((0, len(cells_in)), dtype=np.int64) if pool is None else pool[:, cells_in]
        try:
            witness = search.run(start)
        except _GaveUp as gave_up:
            return IntegerVerdict(False, str(gave_up), None, search.solves)
        solves = search.solves
        if witness is not None:
            held = tuple((int(cells_in[cell]), f, u) for cell, f, u in witness.held)
            witness = Witness(int(cells_in[witness.cell]), witness.favourable, held)
            return IntegerVerdict(False, "somebody's answer can be worked out", witness, solves)
        refuted = refuted or search.refuted
        proofs.append((cells_in, np.concatenate([search.pool, *search.proof])))
    return IntegerVerdict(True, "", None, solves, refuted, _joined(len(found.size), proofs, found))


def _joined(width: int, proofs: Sequence[tuple[np.ndarray, np.ndarray]], found: Cells) -> np.ndarray:
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
        self.blocks, self.block = np.unique(found.block, return_inverse=True)
        self.rows, self.kept = self.pool, set()
        self.proof: list[np.ndarray] = []
        # Answers held in these cells add up; those of several rounds may be one person's.
        self.adding = int(np.argmax(self.blocks == WHOLE))  # people who are one unknown, or the only block
        self.adds_up = (self.block == self.adding) & ((self.blocks == WHOLE).any() | (len(self.blocks) == 1))
        self._model = self._changes = None

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
        if new:
            self.pool = np.concatenate([self.pool, new])

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
        nothing = np.zeros(len(self.found.size), dtype=np.int64)
        target = nothing.copy()
        target[cell] = 1
        rows = self.pool
        if len(rows):
            ways = sum(way.sum(axis=1) for way in self._ways(rows, target, favourable, nothing, nothing)[:2])
            rows = rows[np.argsort(ways, kind="stable")]
            fits = rows[:, cell] >= 1 if favourable else rows[:, cell] < self.found.size[cell]
            rows = rows[fits][:_KEPT]
        self.rows = rows
        return self._descend(target, favourable, nothing, nothing, set())

    def _ways(self, rows, target, favourable, f, u):
        """What refutes each solution, over (solutions, A): one more favourable (unfavourable) answer of a cell in hand
        than it allows for. Truth values for each, then the number in hand that it takes, for each."""
        found = self.found
        new_f = rows + 1 - (target if favourable else 0)
        new_u = found.size - rows + 1 - (0 if favourable else target)
        left = self._left(f + u)[self.block]
        others = found.size - target  # somebody of the cell stays unknown, or nobody is left to expose
        ways_f = (new_f <= found.favourable) & (new_f - f <= left) & (new_f + u <= others)
        ways_u = (new_u <= found.unfavourable) & (new_u - u <= left) & (new_u + f <= others)
        return ways_f, ways_u, new_f, new_u

    def _left(self, held: np.ndarray) -> np.ndarray:
        """How many more answers of each block the intruder may come to hold. Somebody in hand shows an answer in every
        round: so rounds do not add up among each other, but each adds to the people who are one unknown."""
        used = np.bincount(self.block, weights=held, minlength=len(self.blocks)).astype(np.int64)
        whole = self.blocks == WHOLE
        others = np.where(whole, used[~whole].max(initial=0), used)
        return self.limits.intruder - used[whole].sum() - others

    def _out_of_reach(self, ways: np.ndarray, left: int) -> bool:
        """Whether so many solutions need answers from different cells that `left` more cannot refute them all."""
        if len(self.blocks) > 1:
            ways = ways[~ways[:, ~self.adds_up].any(axis=1)]
        count, taken = ways.sum(axis=1), np.zeros(ways.shape[1], dtype=bool)
        for _ in range(left + 1):
            apart = np.flatnonzero(~ways[:, taken].any(axis=1)) if taken.any() else np.arange(len(ways))
            if not len(apart):
                return False
            row = apart[np.argmin(count[apart])]
            if not count[row]:
                return True
            taken |= ways[row]
        return True

    def _descend(self, target, favourable, f, u, seen):
        """Search on from favourable `f` and unfavourable `u` answers in hand, both (A,)."""
        key = f.tobytes() + u.tobytes()
        if key in seen:
            return None
        seen.add(key)
        self.steps += 1
        if self.steps > self.limits.steps:
            raise _GaveUp("the search for an intruder took too long")
        found = self.found
        need_f = f + target if favourable else f
        need_u = u if favourable else u + target
        asked = np.flatnonzero(need_f | need_u)

        def fitting(rows: np.ndarray) -> np.ndarray:
            held = rows[:, asked]
            fits = (held >= need_f[asked]) & (found.size[asked] - held >= need_u[asked])
            return rows[fits.all(axis=1)][:_KEPT]

        rows = fitting(self.rows)
        if not len(rows):
            row = self._solve(need_f, found.size - need_u)
            if row is None:
                if found.truth is None and self._solve(f, found.size - u) is None:
                    return None  # these answers alone contradict the assumption
                held = np.flatnonzero(f + u)
                return tuple((int(at), int(f[at]), int(u[at])) for at in held)
            rows = row[None]
            self._add(rows)
            more = fitting(self._neighbours(row))
            self._add(more[:_SEEDS])
            self.proof.append(more)
            rows = np.concatenate([rows, more])
            self.rows = np.concatenate([rows, self.rows])
        ways_f, ways_u, new_f, new_u = self._ways(rows, target, favourable, f, u)
        left = int(self._left(f + u)[self.adding])
        if self._out_of_reach(ways_f | ways_u, left):
            return None
        at = int(np.argmin(ways_f.sum(axis=1) + ways_u.sum(axis=1)))
        if left == 1 and not (ways_f | ways_u)[:, ~self.adds_up].any():
            # The last answer has to refute all that is left by itself.
            ways_f, ways_u = ways_f.all(axis=0)[None], ways_u.all(axis=0)[None]
            new_f, new_u, at = new_f[[at]], new_u[[at]], 0
        more = [(_with(f, other, new_f[at]), u) for other in np.flatnonzero(ways_f[at])]
        more += [(f, _with(u, other, new_u[at])) for other in np.flatnonzero(ways_u[at])]
        for in_hand in more:
            held = self._descend(target, favourable, *in_hand, seen)
            if held is not None:
                return held
        return None

    def _solve(self, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
        """A solution with counts from `low` to `high`, None where there is none. Raises `_GaveUp` at the limits."""
        if (low > high).any():
            return None
        mended = self._mended(low, high)
        return self._programme(low, high) if mended is None else mended

    def _mended(self, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
        """A solution near the first of the pool, found by changing one answer at a time for the better; None where that
        leads nowhere, which says nothing. Where it succeeds it saves a programme, which takes a hundred times as long."""
        if not len(self.pool):
            return None
        found, width = self.found, len(self.found.size)
        if self._changes is None:
            scale = np.maximum(np.abs(found.matrix).max(axis=1, initial=1), 1)
            self._changes = np.concatenate([found.matrix, -found.matrix], axis=1) / scale[:, None], scale
        changes, scale = self._changes
        row = np.clip(self.pool[0], low, high)
        least, most = found.low / scale, found.high / scale
        at = changes[:, :width] @ row
        wrong = (np.maximum(at - most, 0) + np.maximum(least - at, 0)).sum()
        for _ in range(_MENDS):
            if found.feasible(row):
                return row
            after = at[:, None] + changes
            left = (np.maximum(after - most[:, None], 0) + np.maximum(least[:, None] - after, 0)).sum(axis=0)
            left[np.concatenate([row >= high, row <= low])] = np.inf
            best = int(np.argmin(left))
            if left[best] >= wrong - 1e-9:
                return None
            row[best % width] += 1 if best < width else -1
            at, wrong = after[:, best], left[best]
        return None

    def _programme(self, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
        """The same by a whole-number programme, which finds one wherever there is one."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array, eye_array, hstack, vstack

        self.solves += 1
        if self.solves > self.limits.solves:
            raise _GaveUp("the audit took too many steps")
        found, width = self.found, len(self.found.size)
        # No trio refutes a solution that leaves each cell as many answers of either kind as it could show. So for each
        # cell a second variable says how far the first falls short of that, and as little of it as can be is wanted;
        # unequal prices vary the cells.
        shown = (
            np.minimum(found.favourable, self.limits.intruder),
            np.minimum(found.unfavourable, self.limits.intruder),
        )
        if self._model is None:
            eye = eye_array(width)
            self._model = vstack(
                [
                    hstack([csr_array(found.matrix), csr_array(found.matrix.shape)]),
                    hstack([eye, eye]),
                    hstack([eye, -eye]),
                ]
            ).tocsr()
        chance = np.random.default_rng(self.solves)
        prices, noise = chance.uniform(1, 2, width), chance.uniform(-0.01, 0.01, width)
        slack = 0.01  # the sums are whole numbers: this keeps the solver's tolerance from losing one
        free = np.full(width, np.inf)
        result = milp(
            np.concatenate([noise, prices]),
            integrality=np.repeat([1, 0], width),
            bounds=Bounds(np.concatenate([low, 0 * low]), np.concatenate([high, free])),
            constraints=LinearConstraint(
                self._model,
                np.concatenate([found.low - slack, shown[0], -free]),
                np.concatenate([found.high + slack, free, found.size - shown[1]]),
            ),
            options={"time_limit": self.limits.seconds, "node_limit": self.limits.nodes, "mip_rel_gap": 0.3},
        )
        if result.x is None:
            if result.status == 2:
                return None
            raise _GaveUp("a programme was not solved in time")
        row = np.rint(result.x[:width]).astype(np.int64)
        if not (found.feasible(row) and (low <= row).all() and (row <= high).all()):
            raise _GaveUp("the solver's answer does not solve the figures")
        return row


def _with(held: np.ndarray, cell: int, needed: np.ndarray) -> np.ndarray:
    """What is held, and in one cell as many as needed."""
    held = held.copy()
    held[cell] = needed[cell]
    return held
