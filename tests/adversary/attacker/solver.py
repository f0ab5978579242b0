"""Who is solved: a search over the colleagues whose answers, with the published figures, settle a person's.

People who look alike to all figures are of one kind if they also answered alike. A *world* is described by whose
answers it moves away from the true ones, and in which slot. It agrees with the published figures, and with the true answers of the colleagues
that an intruder knows unless it moves one of them. A person is safe where for every choice of colleagues some world
moves that person and none of these colleagues; the search goes through the choices by asking whom a world moves:
colleagues that it leaves alone do not refute it. What it finds is checked by `deduce`, which never sees the truth.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, combinations_with_replacement, product

import numpy as np

from tests.adversary.attacker.reading import Misread, View

ENUMERABLE = 300_000
"""Most worlds that are listed one by one."""


class TimeOut(Exception):
    """The solver could not decide in time, or came back with a world that does not hold."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What an intruder knows of one item, over one or several rounds; no answers in it.

    A slot is a set of rounds over which a person's answer is one unknown: each round its own, and all rounds as one for
    those who are taken not to have changed, rightly or not. People of one type count alike in every view.

    `type_of`: (people,) type of each person, -1 for who answered nothing. `columns`: (types, slots, views) whole
    numbers, what a favourable answer adds to each view. `asked`: (types, slots), whether there is an answer.
    `low`, `high`: (views,). `slots`: the round numbers of each. `names`, `over`: of each view, its name and rounds.
    `answered`: (people,) truth values by round number. `belief`: what is taken for true beside the figures, in words.
    """

    type_of: np.ndarray
    columns: np.ndarray
    asked: np.ndarray
    low: np.ndarray
    high: np.ndarray
    slots: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    over: tuple[tuple[int, ...], ...]
    answered: Mapping[int, np.ndarray]
    belief: str = ""

    @property
    def sizes(self) -> np.ndarray:
        return np.bincount(self.type_of[self.type_of >= 0], minlength=len(self.columns))


def problem(
    views: Sequence[View],
    answered: Mapping[int, np.ndarray],
    *,
    steady: bool | np.ndarray = False,
    belief: str = "",
) -> Problem:
    """Set up what is known of an item. `answered`: (people,) truth values by round number. `steady`: who is taken to have answered alike in all rounds, nobody, everybody
    or (people,) truth values."""
    came = np.array(list(answered.values()))
    kept = np.broadcast_to(steady, came.shape[1:])
    slots = (tuple(answered), *((number,) for number in answered))
    asked = np.column_stack([came.any(axis=0) & kept, *(rows & ~kept for rows in came)])
    used = [slot for slot in range(len(slots)) if asked[:, slot].any()] or [0]
    slots, asked = tuple(slots[slot] for slot in used), asked[:, used]
    rows, low, high = [], [], []
    for view in views:
        weights = np.array([sum(view.weights.get(number, 0 * kept) for number in slot) for slot in slots])
        weights = weights * asked.T
        common = int(np.gcd.reduce(weights, axis=None)) or 1
        rows.append(weights.T // common)
        low.append(-(-view.low // common))
        high.append(view.high // common)
    columns = np.stack(rows, axis=2) if rows else np.zeros((*asked.shape, 0), np.int64)
    signature = np.concatenate([asked, columns.reshape(len(asked), -1)], axis=1)
    some = asked.any(axis=1)
    _, first, kind = np.unique(signature[some], axis=0, return_index=True, return_inverse=True)
    type_of = np.full(len(asked), -1)
    type_of[some] = kind.reshape(-1)
    return Problem(
        type_of,
        columns[some][first],
        asked[some][first],
        np.array(low, dtype=np.int64),
        np.array(high, dtype=np.int64),
        slots,
        tuple(view.name for view in views),
        tuple(tuple(sorted(view.weights)) for view in views),
        answered,
        belief,
    )


@dataclass(frozen=True)
class Claim:
    """What an intruder says of one person: in `rounds` the answer was favourable, or it was not.

    `colleagues`: the people whose answers were known for it.
    """

    person: int
    rounds: tuple[int, ...]
    favourable: bool
    colleagues: tuple[int, ...]


@dataclass(frozen=True)
class Finding:
    """A claim that holds for `people` alike persons, each with colleagues of the same kinds."""

    claim: Claim
    people: tuple[int, ...]


@dataclass(frozen=True)
class Counted:
    """A group of fewer people than the threshold whose favourable answers are known to the one."""

    people: tuple[int, ...]
    rounds: tuple[int, ...]
    favourable: int


@dataclass(frozen=True)
class Attack:
    """What came of one attack: people attacked (a person a slot), who was solved, which groups were counted.

    `timed_out` people and `groups_timed_out` are undecided. `programs`: integer programs that it took.
    """

    attacked: int
    findings: tuple[Finding, ...] = ()
    counted: tuple[Counted, ...] = ()
    timed_out: int = 0
    groups_timed_out: int = 0
    programs: int = 0

    @property
    def solved(self) -> int:
        return sum(len(finding.people) for finding in self.findings)


# What people answered enters below, to choose the colleagues that are worst for somebody. ----------------------------


@dataclass(eq=False)
class _Truth:
    """The problem seen from the true answers: kinds of alike people and what moving one answer of them does to the views.

    People who gave both answers over a slot's rounds are `loose`: whoever takes them for steady may have them at
    either answer. Nothing true can be said of them so, and nobody who knows them would believe it.
    """

    given: Problem
    answers: np.ndarray  # (people, slots) 0 or 1
    loose: np.ndarray  # (people,)
    seconds: float
    kinds: list[tuple[int, tuple[int, ...], bool]] = field(default_factory=list)
    persons: list[np.ndarray] = field(default_factory=list)
    programs: int = 0
    # Worlds found so far, one in each of the first `worlds` rows: the moves, and the movers of each kind.
    worlds: int = 0
    # Choices of colleagues that solved somebody, newest last: they often solve the next one too.
    worst: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self):
        self.deadline = time.monotonic() + self.seconds
        found: dict[tuple, list[int]] = {}
        for person in np.flatnonzero(self.given.type_of >= 0):
            now = tuple(int(a) for a in self.answers[person])
            key = int(self.given.type_of[person]), now, bool(self.loose[person])
            found.setdefault(key, []).append(int(person))
        self.kinds = sorted(found)
        self.persons = [np.array(found[kind]) for kind in self.kinds]
        self.counts = np.array([len(p) for p in self.persons], dtype=np.int64)
        self.hidden = np.array([loose for _, _, loose in self.kinds], bool)
        moves = [
            (number, slot)
            for number, (kind, _, _) in enumerate(self.kinds)
            for slot in np.flatnonzero(self.given.asked[kind])
        ]
        self.of, at = np.array(moves, dtype=np.int64).reshape(-1, 2).T
        now = np.array([kind[1] for kind in self.kinds], dtype=np.int64).reshape(len(self.kinds), -1)
        types = np.array([kind[0] for kind in self.kinds], dtype=np.int64)
        self.change = np.zeros((len(at), len(self.given.slots)), np.int64)  # (moves, slots)
        self.change[np.arange(len(at)), at] = 1 - 2 * now[self.of, at]
        columns = self.given.columns[types[self.of], at]
        self.effect = self.change.sum(axis=1)[:, None] * columns  # (moves, views)
        sums = np.einsum("k,ks,ksv->v", self.counts, now, self.given.columns[types])
        outside = (sums < self.given.low) | (sums > self.given.high)
        if outside.any() and not self.hidden.any():
            wrong = [self.given.names[view] for view in np.flatnonzero(outside)]
            raise Misread(f"The true answers contradict what was read: {', '.join(wrong)}.")
        self.moves = np.zeros((64, len(self.of)), np.int32)
        self.moved = np.zeros((64, len(self.kinds)), np.int32)
        self.low, self.high = self.given.low - sums, self.given.high - sums
        self.alone = np.all((self.effect >= self.low) & (self.effect <= self.high), axis=1)  # (moves,)

    @classmethod
    def seen(cls, given: Problem, favourable: Mapping[int, np.ndarray], seconds: float) -> _Truth:
        """From the favourable answers, (people,) truth values by round number."""
        answers = np.zeros((len(given.type_of), len(given.slots)), np.int64)
        loose = np.zeros(len(given.type_of), bool)
        for place, slot in enumerate(given.slots):
            asked = (given.type_of >= 0) & given.asked[given.type_of, place]
            good = np.logical_or.reduce([given.answered[n] & favourable[n] for n in slot]) & asked
            bad = np.logical_or.reduce([given.answered[n] & ~favourable[n] for n in slot]) & asked
            loose |= good & bad
            answers[:, place] = good & ~bad
        return cls(given, answers, loose, seconds)

    def world(self, wanted: np.ndarray, capacity: np.ndarray, least: int = 1) -> np.ndarray | None:
        """How many make each move in some world with wanted @ moves >= least and at most `capacity` movers a kind.

        The same people move in several slots as far as they can, so that a kind's movers are those of its fullest slot.
        (moves,) whole numbers, or None where there is no such world. Raises `TimeOut`.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp

        known = self.left_by(wanted, capacity, least)
        if len(known):
            return self.moves[known[np.argmin(self.moved[known].sum(axis=1))]].astype(np.int64)
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeOut
        self.programs += 1
        constraints = [LinearConstraint(wanted[None, :].astype(float), least, np.inf)]
        if len(self.low):
            scale = np.maximum(np.abs(self.effect).max(axis=0, initial=1), 1)
            constraints.append(
                LinearConstraint(self.effect.T / scale[:, None], self.low / scale, self.high / scale)
            )
        result = milp(
            # Worlds that move few people of rare kinds: fewer colleagues can refute them, and the search stays short.
            np.where(self.counts[self.of] <= 4, 1.0, 0.2),
            integrality=np.ones(len(self.of)),
            bounds=Bounds(0, capacity[self.of]),
            constraints=constraints,
            options={"time_limit": left, "mip_rel_gap": 0.5},
        )
        if result.status == 2:
            return None
        if result.x is None:
            raise TimeOut
        moves = np.rint(result.x).astype(np.int64)
        sums = moves @ self.effect
        holds = np.all((sums >= self.low) & (sums <= self.high)) and np.all(moves <= capacity[self.of])
        if not holds or wanted @ moves < least:
            raise TimeOut
        if self.worlds == len(self.moves):
            self.moves, self.moved = (
                np.concatenate([has, np.zeros_like(has)]) for has in (self.moves, self.moved)
            )
        self.moves[self.worlds], self.moved[self.worlds] = moves, self.movers(moves)
        self.worlds += 1
        return moves

    def left_by(self, wanted: np.ndarray, capacity: np.ndarray, least: int = 1) -> np.ndarray:
        """Places of the known worlds that `world` may answer with."""
        at = np.flatnonzero(wanted)
        known = np.flatnonzero(self.moves[: self.worlds, at] @ wanted[at] >= least)
        return known[(self.moved[known] <= capacity).all(axis=1)]

    def movers(self, moves: np.ndarray) -> np.ndarray:
        """(kinds,) people of each kind that a world moves."""
        moved = np.zeros(len(self.kinds), np.int64)
        np.maximum.at(moved, self.of, moves)
        return moved

    def consistent(self, capacity: np.ndarray) -> bool:
        """Whether the figures leave any world at all; only beliefs that are wrong can contradict them."""
        return not self.hidden.any() or self.world(np.zeros(len(self.of), np.int64), capacity, 0) is not None

    def partners(self, wanted: np.ndarray) -> np.ndarray:
        """(kinds,) truth values: kinds of whom one, moving beside one `wanted` move, makes a world."""
        found = np.zeros(len(self.kinds), bool)
        for move in np.flatnonzero(wanted):
            both = self.effect + self.effect[move]
            found[self.of[np.all((both >= self.low) & (both <= self.high), axis=1)]] = True
        return found

    def refuted_by(self, target: int, wanted: np.ndarray, budget: int) -> np.ndarray | None:
        """Numbers of colleagues of each kind, `budget` in all or fewer, that settle `target`'s answer; None if safe.

        `target` is a kind; `wanted` (moves,) marks its moves that change the answer in question.
        """
        if np.any(wanted & self.alone):
            return None
        for known in self.worst[-2:]:
            if known[target] < self.counts[target] and self.world(wanted, self.counts - known) is None:
                return known
        seen = set()
        partners = self.partners(wanted)

        def search(known: np.ndarray, left: int) -> np.ndarray | None:
            if known.tobytes() in seen:
                return None
            seen.add(known.tobytes())
            free = self.counts - known
            # Each partner makes a world of two, which only that partner's answer refutes.
            if np.any(partners & self.hidden) or free[partners].sum() - partners[target] > left:
                return None
            # What a world may move at most so that nobody refutes it.
            spare = np.where(self.hidden, free, np.maximum(free - left, 0))
            spare[target] = max(spare[target], 1)
            apart = np.ones(len(self.counts), bool)
            for _ in range(left + 2):
                if self.world(wanted, np.where(apart, spare, free)) is None and not apart.all():
                    break
                moved = self.moved[self.left_by(wanted, free)]
                # Kinds of whom so many are left that who knows all the rest of them refutes the world.
                refute = moved > spare
                apart = _apart(refute, left)
                if apart is None:
                    return None
            if not len(moved):
                if not self.consistent(free):
                    return None
                self.worst.append(known)
                return known
            hardest = int(np.argmin(refute.sum(axis=1)))
            for kind in np.flatnonzero(refute[hardest]):
                more = int(free[kind] - moved[hardest, kind]) + 1
                further = known.copy()
                further[kind] += more
                found = search(further, left - more)
                if found is not None:
                    return found
            return None

        return search(np.zeros_like(self.counts), budget)

    def claim(self, target: int, slot: int, known: np.ndarray) -> Finding:
        """A claim with names: the last of each kind serve as the colleagues, the first of the target's is claimed."""
        colleagues = [int(p) for kind, n in enumerate(known) for p in self.persons[kind][::-1][:n]]
        claim = Claim(
            int(self.persons[target][0]),
            self.given.slots[slot],
            bool(self.kinds[target][1][slot]),
            tuple(colleagues),
        )
        return Finding(claim, tuple(int(p) for p in self.persons[target]))


def _apart(refute: np.ndarray, left: int) -> np.ndarray | None:
    """None where so many worlds are refuted by different kinds that `left` people cannot refute them all; else (kinds,)
    truth values, who refutes some that have no kind in common. `refute`: (worlds, kinds) truth values."""
    taken, count = np.zeros(refute.shape[1], bool), refute.sum(axis=1)
    for _ in range(left + 1):
        rest = np.flatnonzero(~refute[:, taken].any(axis=1))
        if not len(rest):
            return taken
        chosen = rest[np.argmin(count[rest])]
        if not count[chosen]:
            return None
        taken |= refute[chosen]
    return None


def attack(
    given: Problem,
    favourable: Mapping[int, np.ndarray],
    *,
    colleagues: int = 3,
    threshold: int = 10,
    seconds: float = 60.0,
) -> Attack:
    """Try to solve everybody, and every group under the threshold that the views cut out, with the worst colleagues.

    `favourable`: (people,) truth values by round number. Whoever is undecided after `seconds` counts as timed out.
    """
    truth = _Truth.seen(given, favourable, seconds)
    findings, timed_out, attacked = [], 0, 0
    for kind, (of_type, _, loose) in enumerate(truth.kinds):
        for slot in () if loose else np.flatnonzero(given.asked[of_type]):
            attacked += int(truth.counts[kind])
            wanted = (truth.of == kind) & (truth.change[:, slot] != 0)
            try:
                known = truth.refuted_by(kind, wanted, colleagues)
            except TimeOut:
                timed_out += int(truth.counts[kind])
                continue
            if known is not None:
                findings.append(truth.claim(kind, int(slot), known))
    counted, late = ([], 0) if given.belief else _counted(truth, threshold)
    return Attack(attacked, tuple(findings), tuple(counted), timed_out, late, truth.programs)


def settled(given: Problem, favourable: Mapping[int, np.ndarray], colleagues: Sequence[int]) -> bool:
    """Whether these colleagues, and no others, settle anybody's answer. For publishers that try a few of them."""
    truth = _Truth.seen(given, favourable, seconds=60.0)
    free = np.array([len(np.setdiff1d(persons, colleagues)) for persons in truth.persons])
    for kind, slot in product(np.flatnonzero(free), range(len(given.slots))):
        wanted = (truth.of == kind) & (truth.change[:, slot] != 0)
        if wanted.any() and not np.any(wanted & truth.alone) and truth.world(wanted, free) is None:
            return True
    return False


def _counted(truth: _Truth, threshold: int) -> tuple[list[Counted], int]:
    """Groups of two up to the threshold whose count is settled by the figures alone, and how many were undecided.

    Groups that two views cut out between them: what they share, and what one has beyond the other.
    """
    given, found, late = truth.given, [], 0
    for slot in range(len(given.slots)):
        for inside in _cut_out(given, slot):
            kinds = np.array([inside[of_type] for of_type, *_ in truth.kinds])
            people = np.concatenate([p for p, yes in zip(truth.persons, kinds, strict=True) if yes])
            if not 2 <= len(people) < threshold:
                continue
            net = np.where(kinds[truth.of], truth.change[:, slot], 0)
            if np.any((net != 0) & truth.alone):
                continue
            try:
                free = any(truth.world(sign * net, truth.counts) is not None for sign in (1, -1))
            except TimeOut:
                late += 1
                continue
            if not free:
                total = sum(
                    int(c) * now[slot]
                    for c, (_, now, _), yes in zip(truth.counts, truth.kinds, kinds, strict=True)
                    if yes
                )
                found.append(Counted(tuple(sorted(map(int, people))), given.slots[slot], total))
    return found, late


def _cut_out(given: Problem, slot: int) -> Iterator[np.ndarray]:
    """Distinct non-empty sets of types, (types,) truth values, that one view or two cut out of those asked.

    Two views of one round, or of one name in two rounds.
    """
    asked = given.asked[:, slot]
    groups = [(None, None, asked)]
    for view, (name, rounds) in enumerate(zip(given.names, given.over, strict=True)):
        groups.append((name, rounds, (given.columns[:, slot, view] != 0) & asked))
    seen = set()
    for (name, rounds, one), (other_name, other_rounds, other) in combinations(groups, 2):
        if name is not None and name != other_name and rounds != other_rounds:
            continue
        for part in (one & other, one & ~other, other & ~one):
            if part.any() and part.tobytes() not in seen:
                seen.add(part.tobytes())
                yield part


# Below, nothing knows the truth. --------------------------------------------------------------------------------------


def deduce(given: Problem, known: Mapping[int, Sequence[int]], person: int, slot: int) -> bool | None:
    """What the views and the answers of `known` people (person to 0 or 1 by slot) say of a person's answer; None: open.

    Raises `Unsatisfiable` where no answers at all agree with the views.
    """
    can = {value: _possible(given, known, person, slot, value) for value in (0, 1)}
    if not any(can.values()):
        raise Unsatisfiable("No answers agree with the views.")
    return None if all(can.values()) else can[1]


class Unsatisfiable(Exception):
    """No answers at all agree with what was published and what is known."""


def _possible(given: Problem, known: Mapping[int, Sequence[int]], person: int, slot: int, value: int) -> bool:
    """Whether some world holds in which `person` answered `value`: favourable answers of the others by type and slot."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    at = [(kind, slot) for kind, slot in np.argwhere(given.asked).tolist()]
    columns = np.array([given.columns[kind, slot] for kind, slot in at])
    free, told = given.sizes, np.zeros(len(given.low), np.int64)
    for colleague, answers in known.items():
        kind = given.type_of[colleague]
        free[kind] -= 1
        told += np.array(answers) @ given.columns[kind]
    most = np.array([free[kind] for kind, _ in at])
    mine = at.index((int(given.type_of[person]), slot))
    least = np.zeros(len(at), np.int64)
    # One of the people that nobody has told the intruder about.
    least[mine], most[mine] = value, most[mine] - 1 + value
    scale = np.maximum(np.abs(columns).max(axis=0, initial=1), 1)
    constraints = (
        [
            LinearConstraint(
                columns.T / scale[:, None], (given.low - told) / scale, (given.high - told) / scale
            )
        ]
        if len(scale)
        else []
    )
    result = milp(
        np.zeros(len(at)), integrality=np.ones(len(at)), bounds=Bounds(least, most), constraints=constraints
    )
    if result.status not in (0, 2):
        raise TimeOut
    return result.status == 0


def worlds(given: Problem) -> np.ndarray:
    """All worlds, (worlds, types) favourable answers of each type, for one slot. Raises ValueError beyond `ENUMERABLE`."""
    sizes = given.sizes
    if len(given.slots) != 1 or np.prod(sizes + 1.0) > ENUMERABLE:
        raise ValueError("Too many worlds to list.")
    grid = np.stack(np.meshgrid(*(np.arange(n + 1) for n in sizes), indexing="ij"), axis=-1).reshape(
        -1, len(sizes)
    )
    sums = grid @ given.columns[:, 0, :]
    return grid[np.all((sums >= given.low) & (sums <= given.high), axis=1)]


def solved_among(
    listed: np.ndarray, sizes: np.ndarray, truth: np.ndarray, colleagues: int = 3
) -> set[tuple[int, int]]:
    """Types and answers (0 or 1) that some colleagues settle, by trying every choice of them on every listed world.

    `listed`: (worlds, types) favourable answers; `truth`: (types,). Slow, plain, and the judge of `attack`.
    """
    kinds = [(kind, answer) for kind in range(len(sizes)) for answer in (0, 1)]
    found = set()
    for chosen in (c for size in range(colleagues + 1) for c in combinations_with_replacement(kinds, size)):
        for_it, against = np.zeros(len(sizes), int), np.zeros(len(sizes), int)
        for kind, answer in chosen:
            (for_it if answer else against)[kind] += 1
        if np.any(for_it > truth) or np.any(against > sizes - truth):
            continue
        agree = listed[np.all((listed >= for_it) & (sizes - listed >= against), axis=1)]
        for kind in range(len(sizes)):
            if truth[kind] > for_it[kind] and np.all(agree[:, kind] == sizes[kind] - against[kind]):
                found.add((kind, 1))
            if sizes[kind] - truth[kind] > against[kind] and np.all(agree[:, kind] == for_it[kind]):
                found.add((kind, 0))
    return found
