"""Which practices to contact in which month, and who goes: a plan within the hours that people have. Pure.

Hard rules never give: hours a person has in a month, months in which a practice may be seen, who may go there, and
practices that asked not to be visited. Three rules may give, in this order, and the plan says so: fair shares give
first (to floors and random picks), then random picks, and floors last, where there are not hours enough.

It is solved in two steps, both by scipy's HiGHS. First an integer program places what the rules ask for. Then what is
left of the hours goes where need is greatest: a linear program over everything, whose few split contacts a small integer
program makes whole. The first step is exact; `Plan.bound` says how much better any plan's second step could be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

RANDOM, FLOOR, SEGMENT = "random", "floor", "segment"
# No month of this plan.
NEVER = 10_000
# How much a month sooner is worth, as a part of a practice's need: it settles ties and puts the needy first.
SOONER = 0.25
# Up to so many cells (practice, month, person) the integer program takes them all.
EXACT = 1_500
# A count and not a time, so that the same plan comes out on every machine.
NODES = 100
GAP = 1e-3
# Unplaced practices that the last step may still squeeze into what is left.
WAITING = 20
LEAST_NEED = 0.01
# What keeps a strict bound strict: more than the solver's tolerance.
MARGIN = 1e-4
# A large finite worth taken off where a contact may not be.
FORBIDDEN = 1e6


@dataclass(frozen=True)
class Group:
    """A group whose share of contacts is capped. `members`: (practices,) of bool."""

    name: str
    members: np.ndarray


@dataclass(frozen=True)
class Demand:
    """What there is to plan, for P practices, V people and M months; months are counted from 0.

    `need`: (P,) from 0 to 1, how much a contact is wanted. `hours`: (P,) that the contact of a practice takes.
    `can`: (P, V), who may make it. `first`: (P,) the earliest month, `NEVER` for none. `due`: (P,) the month by which
    the floor wants one, `NEVER` where it does not in this plan. `excluded`: (P,) asked not to be visited. `held`: (P,)
    contacts that stand already: they count towards shares and are not planned again. `capacity`: (V, M) hours left.
    """

    need: np.ndarray
    hours: np.ndarray
    can: np.ndarray
    first: np.ndarray
    due: np.ndarray
    excluded: np.ndarray
    held: np.ndarray
    capacity: np.ndarray
    groups: tuple[Group, ...] = ()

    def __post_init__(self) -> None:
        practices, people = self.can.shape
        for name in ("need", "hours", "first", "due", "excluded", "held"):
            if getattr(self, name).shape != (practices,):
                raise ValueError(f"{name} must have one value a practice.")
        if self.capacity.ndim != 2 or len(self.capacity) != people:
            raise ValueError("capacity must have a row a person and a column a month.")
        if any(group.members.shape != (practices,) for group in self.groups):
            raise ValueError("A group must have one value a practice.")

    @property
    def open(self) -> np.ndarray:
        """(P,) practices that may be given a contact in this plan."""
        months = self.capacity.shape[1]
        return ~self.excluded & ~self.held & self.can.any(axis=1) & (self.first < months)

    def share(self, group: Group) -> float:
        """A group's share of the practices that may be visited at all."""
        counted = ~self.excluded
        return float(group.members[counted].mean()) if counted.any() else 0.0


@dataclass(frozen=True)
class Rules:
    """`random_share`: of the contacts that fit, drawn by lot. `slack`: how far a group's share of contacts may lie above its
    share of practices. `seed`: of the lot."""

    random_share: float = 0.1
    slack: float = 0.1
    seed: int = 0


@dataclass(frozen=True)
class Placed:
    """One contact: places of the practice, month and person, and why."""

    practice: int
    month: int
    person: int
    why: str


@dataclass(frozen=True)
class Over:
    """A group with more contacts than its fair share allows."""

    group: str
    count: int
    allowed: int


@dataclass(frozen=True)
class Plan:
    """Contacts in the order of month, person and practice, and which rule gave.

    `drawn`: practices by lot, in the order drawn. `no_floor`: due practices without a contact by their month;
    `no_random`: drawn ones without; `over`: groups above their share. `value`: hours of the second step,
    each by the need that it meets and sooner counted more; `bound`: no plan that keeps the first step has more.
    """

    contacts: tuple[Placed, ...]
    drawn: tuple[int, ...]
    no_floor: tuple[int, ...]
    no_random: tuple[int, ...]
    over: tuple[Over, ...]
    value: float
    bound: float


def propose(demand: Demand, rules: Rules = Rules()) -> Plan:
    """The plan. The same demand and rules give the same plan."""
    drawn = draw(demand, rules)
    months = demand.capacity.shape[1]
    floors = demand.open & (demand.due < months)
    must = np.union1d(np.flatnonzero(floors), drawn).astype(np.int64)
    placed = _place(demand, rules, must, floors, drawn)
    filled, value, bound = _fill(demand, rules, placed, _less(demand, demand.capacity.astype(float), placed))
    contacts = {cell[0]: cell for cell in [*placed, *filled]}
    lot = set(drawn.tolist())
    found = [
        Placed(*cell, RANDOM if at in lot else FLOOR if floors[at] else SEGMENT)
        for at, cell in contacts.items()
    ]
    return Plan(
        contacts=tuple(sorted(found, key=lambda each: (each.month, each.person, each.practice))),
        drawn=tuple(drawn.tolist()),
        no_floor=tuple(
            at
            for at in np.flatnonzero(~demand.excluded & ~demand.held & (demand.due < months)).tolist()
            if at not in contacts or contacts[at][1] > demand.due[at]
        ),
        no_random=tuple(at for at in drawn.tolist() if at not in contacts),
        over=over(demand, rules, list(contacts)),
        value=value,
        bound=bound,
    )


def fits(demand: Demand) -> int:
    """About how many contacts fit: hours by the mean length of a contact, person by person and month by month."""
    if not demand.open.any():
        return 0
    mean = float(demand.hours[demand.open].mean())
    return int(min(np.floor(demand.capacity / mean + 1e-9).clip(0).sum(), demand.open.sum()))


def draw(demand: Demand, rules: Rules) -> np.ndarray:
    """The practices picked by lot, in the order drawn: the stated share of the contacts that fit, rounded up.

    Every practice that may be visited has the same chance, whatever is thought of it.
    """
    number = int(np.ceil(rules.random_share * fits(demand) - 1e-9))
    order = np.random.default_rng(rules.seed).permutation(np.flatnonzero(demand.open))
    return order[:number]


def allowed(share: float, slack: float, contacts: int) -> int:
    """The most contacts of a group with this share of practices among so many contacts, rounded up to a whole one."""
    return int(np.ceil((share + slack) * contacts - 1e-9))


def over(demand: Demand, rules: Rules, chosen: Sequence[int]) -> tuple[Over, ...]:
    """The groups with more than their fair share when these practices are chosen, beside those held."""
    takes = demand.held & ~demand.excluded
    takes[list(chosen)] = True
    total = int(takes.sum())
    found = []
    for group in demand.groups:
        count = int((group.members & takes).sum())
        most = allowed(demand.share(group), rules.slack, total)
        if count > most:
            found.append(Over(group.name, count, most))
    return tuple(found)


class _Cells:
    """The cells (practice, month, person) in which a contact may lie, as three arrays of one length, and rows over them."""

    def __init__(self, demand: Demand, practice: np.ndarray, month: np.ndarray, person: np.ndarray) -> None:
        self.demand, self.practice, self.month, self.person = demand, practice, month, person
        self.rows: list[np.ndarray] = []
        self.columns: list[np.ndarray] = []
        self.values: list[np.ndarray] = []
        self.upper: list[float] = []

    @classmethod
    def of(cls, demand: Demand, practices: np.ndarray, left: np.ndarray) -> _Cells:
        """All cells of some practices: from their first month on, by who can, where the hours left hold the contact."""
        fits_ = demand.hours[practices, None, None] <= left.T[None] + 1e-9
        when = np.arange(left.shape[1])[None, :] >= demand.first[practices, None]
        at, month, person = np.nonzero(when[:, :, None] & demand.can[practices][:, None, :] & fits_)
        return cls(demand, practices[at], month, person)

    def some(self, kept: np.ndarray) -> _Cells:
        """The cells where `kept` is true, without any rows."""
        return _Cells(self.demand, self.practice[kept], self.month[kept], self.person[kept])

    def __len__(self) -> int:
        return len(self.practice)

    def below(self, columns: np.ndarray, values: np.ndarray | float, most: float) -> None:
        """A row: the sum of `values` over `columns` is at most `most`."""
        self.rows.append(np.full(len(columns), len(self.upper)))
        self.columns.append(columns)
        self.values.append(np.broadcast_to(values, len(columns)))
        self.upper.append(most)

    def once_and_within(self, capacity: np.ndarray) -> None:
        """Every practice once at most, every person within these hours of each month."""
        for columns in _same(self.practice):
            self.below(columns, 1.0, 1.0)
        for columns in _same(self.person * capacity.shape[1] + self.month):
            first = columns[0]
            hours = self.demand.hours[self.practice[columns]]
            self.below(columns, hours, float(capacity[self.person[first], self.month[first]]) + 1e-9)

    def sooner(self) -> np.ndarray:
        """The need that each cell meets, a little more the sooner it is met."""
        months = self.demand.capacity.shape[1]
        need = np.maximum(self.demand.need, LEAST_NEED)[self.practice]
        return need * (1 + SOONER * (months - self.month) / months)

    def worth(self) -> np.ndarray:
        """What each cell is worth to the plan: each of its hours counts by the need that it meets, so that hours go to the
        needy and not to what is quickly done."""
        return self.sooner() * self.demand.hours[self.practice]

    def solve(self, gain: np.ndarray, *, whole: bool) -> tuple[np.ndarray, float]:
        """The values from 0 to 1 that gain the most under the rows, and an upper bound of that gain."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array

        places = (np.concatenate(self.rows), np.concatenate(self.columns))
        matrix = csr_array((np.concatenate(self.values), places), shape=(len(self.upper), len(self)))
        found = milp(
            -gain,
            integrality=np.full(len(self), int(whole)),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(matrix, -np.inf, self.upper),
            options={"node_limit": NODES, "mip_rel_gap": GAP} if whole else {},
        )
        if found.x is None:
            raise ArithmeticError(f"The plan could not be solved: {found.message}")
        return found.x, -(found.mip_dual_bound if whole else found.fun)

    def taken(self, values: np.ndarray) -> list[tuple[int, int, int]]:
        """The cells with the value 1."""
        at = values > 0.5
        return list(
            zip(self.practice[at].tolist(), self.month[at].tolist(), self.person[at].tolist(), strict=True)
        )


def _same(keys: np.ndarray) -> list[np.ndarray]:
    """The places of each distinct key."""
    order = np.argsort(keys, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(keys[order])) + 1) if len(keys) else []


def _best(cells: _Cells, rows: Callable[[_Cells], None], gain: Callable[[_Cells], np.ndarray]):
    """The whole contacts that gain the most: the cells, their values, and a bound of the gain.

    Exact where there are few cells. Else what the linear program placed whole keeps its cell or goes, and what it
    split, with the first few that wait, may go anywhere.
    """
    if not len(cells):
        return cells, np.zeros(0), 0.0
    rows(cells)
    if len(cells) <= EXACT:
        return cells, *cells.solve(gain(cells), whole=True)
    split, bound = cells.solve(gain(cells), whole=False)
    sure = split > 1 - 1e-6
    apart = np.unique(cells.practice[(split > 1e-6) & ~sure])
    best = np.zeros(len(cells.demand.need))
    np.maximum.at(best, cells.practice, gain(cells))
    best[cells.practice[split > 1e-6]] = 0
    waiting = np.argsort(-best, kind="stable")[:WAITING]
    few = cells.some(sure | np.isin(cells.practice, np.union1d(apart, waiting[best[waiting] > 0])))
    rows(few)
    return few, few.solve(gain(few), whole=True)[0], bound


def _less(demand: Demand, left: np.ndarray, taken: list[tuple]) -> np.ndarray:
    """The hours left when these contacts take theirs, (V, M)."""
    left = left.copy()
    for practice, month, person in taken:
        left[person, month] -= demand.hours[practice]
    return left


def _place(
    demand: Demand, rules: Rules, must: np.ndarray, floors: np.ndarray, drawn: np.ndarray
) -> list[tuple]:
    """Place as many floors as the hours allow by their months, and then as many random picks."""
    left = demand.capacity.astype(float)
    lot = np.zeros(len(demand.need), bool)
    lot[drawn] = True
    month = np.random.default_rng((rules.seed, 1)).integers(0, left.shape[1], len(lot))

    def gain(cells: _Cells) -> np.ndarray:
        # One floor outweighs all picks, and one pick all that coming sooner can be worth; a pick's month is drawn too,
        # so that picks do not all come first. A contact after its month does not keep the floor, yet a late one is
        # better than none.
        in_time = floors[cells.practice] & (cells.month <= demand.due[cells.practice])
        late = floors[cells.practice] & ~in_time & ~lot[cells.practice]
        when = np.where(lot[cells.practice], cells.month == month[cells.practice], cells.sooner())
        small = 0.45 * when / max(len(must), 1)
        return in_time * (len(drawn) + 1.0) + lot[cells.practice] + 0.5 * late + small

    placed: list[tuple] = []
    while True:
        # A pass over many cells leaves a few hours that another can use.
        cells = _Cells.of(demand, must, left)
        cells, values, _ = _best(cells, lambda cells, left=left: cells.once_and_within(left), gain)
        taken = cells.taken(values)
        if not taken:
            return placed
        placed += taken
        left = _less(demand, left, taken)
        must = np.setdiff1d(must, [practice for practice, *_ in taken])


def _fill(
    demand: Demand, rules: Rules, placed: list[tuple], left: np.ndarray
) -> tuple[list[tuple], float, float]:
    """Fill what is left of the hours by need, within fair shares; the cells, what they are worth and a bound of it."""
    stands = demand.held & ~demand.excluded
    stands[[practice for practice, *_ in placed]] = True

    def room(group: Group) -> tuple[float, float]:
        """The most that may be a group's share, and how many more of it there may be before others join."""
        most = demand.share(group) + rules.slack
        return most, most * int(stands.sum()) + 1 - MARGIN - int((group.members & stands).sum())

    def rows(cells: _Cells, *, blocking: bool = True) -> None:
        cells.once_and_within(left)
        for group in demand.groups:
            most, more = room(group)
            inside = group.members[cells.practice]
            # Its contacts are at most this share of all, rounded up. Where floors and picks went beyond, no more of it
            # until others have caught up.
            if most < 1 and more >= 0:
                cells.below(np.arange(len(cells)), np.where(inside, 1 - most, -most), more)
            elif most < 1 and blocking and inside.any():
                cells.below(np.flatnonzero(inside), 1.0, 0.0)

    def remaining() -> _Cells:
        return _Cells.of(demand, np.flatnonzero(demand.open & ~stands), left)

    bound = None
    if any(room(group)[1] < 0 for group in demand.groups) and len(cells := remaining()):
        # A group that waits for others may have more later, so the bound leaves it free.
        rows(cells, blocking=False)
        bound = cells.solve(cells.worth(), whole=False)[1]
    chosen: list[tuple] = []
    while True:
        cells, values, most = _best(remaining(), rows, _Cells.worth)
        bound = most if bound is None else bound
        taken = cells.taken(values)
        if not taken:
            return *_needy_first(demand, chosen), bound
        chosen += taken
        stands[[practice for practice, *_ in taken]] = True
        left = _less(demand, left, taken)


def _needy_first(demand: Demand, chosen: list[tuple]) -> tuple[list[tuple], float]:
    """The same contacts with months and people exchanged among those of like length, so that the needy come first.

    The integer program stops where less than a thousandth is left to gain, which is where such exchanges lie. Also what
    the contacts are worth.
    """
    from scipy.optimize import linear_sum_assignment

    cells = _Cells(demand, *np.array(chosen, np.int64).reshape(-1, 3).T)
    found, worth = [], 0.0
    for same in _same(np.unique(demand.hours[cells.practice], return_inverse=True)[1]):
        practice, month, person = cells.practice[same], cells.month[same], cells.person[same]
        slots = _Cells(
            demand, np.repeat(practice, len(same)), np.tile(month, len(same)), np.tile(person, len(same))
        )
        value = slots.worth().reshape(len(same), -1)
        may = demand.can[practice][:, person] & (month[None] >= demand.first[practice, None])
        rows, slot = linear_sum_assignment(np.where(may, value, -FORBIDDEN), maximize=True)
        worth += float(value[rows, slot].sum())
        found += zip(practice[rows].tolist(), month[slot].tolist(), person[slot].tolist(), strict=True)
    return found, worth
