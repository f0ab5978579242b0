"""Did views move, or the people behind the figures? Panels of the same people, and a moved total taken apart.

A pooled share, leaders and grassroots together, moves when leaders make up more of the answers although nobody
changed their mind. The pooled share is never shown for itself; its change is taken apart to say so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from engagement.estimates.change import ChangeInGap, ChangeInLevel, change_in_gap, change_in_level
from engagement.estimates.clustered import AnalyticGap, analytic_gap, linearised, whole

NO_STAYERS = "Nobody answered in both rounds: who changed their mind cannot be told from who came and went."


@dataclass(frozen=True, eq=False)
class Wave:
    """The scored answers to one item in one round, all arrays of shape (rows,).

    `person`: panel codes that join a person to the next round, numbers or texts, each once. `practice`: whole
    numbers. `arm`: 1 or 0, as held at this round. `y`: 1 favourable, 0 not.

    Raises ValueError where these do not hold.
    """

    person: np.ndarray
    practice: np.ndarray
    arm: np.ndarray
    y: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "person", np.asarray(self.person))
        for name in ("practice", "arm", "y"):
            object.__setattr__(self, name, whole(getattr(self, name), name))
        if (
            self.person.ndim != 1
            or not self.person.shape == self.practice.shape == self.arm.shape == self.y.shape
        ):
            raise ValueError(
                "person, practice, arm and y must be flat and of one length: one row per answer."
            )
        if len(np.unique(self.person)) != len(self.person):
            raise ValueError("A person may answer an item once in a round.")
        if not np.isin(self.arm, (0, 1)).all() or not np.isin(self.y, (0, 1)).all():
            raise ValueError("Arms and answers must be 0 or 1; leave out the others.")


@dataclass(frozen=True)
class Panel:
    """Gap and change among people who answered in both rounds. `people` are in the panel; `moved` of those who
    answered in both rounds changed arm in between; `left` answered only in the earlier round and `joined` only in
    the later. A panel shows how the same people changed, not where the body stands: who stays is no sample."""

    people: int
    moved: int
    left: int
    joined: int
    earlier: AnalyticGap
    later: AnalyticGap
    gap: ChangeInGap
    arm1: ChangeInLevel
    arm0: ChangeInLevel


def constant_roster(earlier: Wave, later: Wave) -> Panel:
    """The panel of people who answered in both of two adjacent rounds, each in the arm held at that round.

    Source: linearisation of `linearised` on the rows of the panel; people come back within their practices.
    """
    return _panel(earlier, later, same_arm=False)


def constant_role(earlier: Wave, later: Wave) -> Panel:
    """The panel of people who answered in both of two adjacent rounds and kept their arm.

    Source: as `constant_roster`. Notes, "Composition traps".
    """
    return _panel(earlier, later, same_arm=True)


@dataclass(frozen=True)
class MixAndRates:
    """A moved total as two parts: the groups' shares of the whole moved, and the groups themselves moved.
    Fractions; `mix` + `rates` = `change`."""

    before: float
    after: float
    change: float
    mix: float
    rates: float


def mix_and_rates(shares1: ArrayLike, mix1: ArrayLike, shares2: ArrayLike, mix2: ArrayLike) -> MixAndRates:
    """Take the change of a pooled share apart without joining people: for anonymous rounds, or any groups.

    All of shape (groups,): favourable `shares` of the groups in the earlier and the later round, and their `mix`,
    answers or members in any unit, positive in all. A group that is empty in one round has no share there (NaN)
    and takes that of the other: its coming or going then counts as mix.

    Each part is weighted by the average of the two rounds, so the order of the rounds does not matter.

    Raises ValueError for arrays that do not match, a mix that is negative or all 0, a share outside 0 to 1, and a
    missing share of a group that is not empty.

    Source: Kitagawa 1955, Journal of the American Statistical Association 50, 1168-1194.
    """
    p1, p2, m1, m2 = (np.asarray(each, float) for each in (shares1, shares2, mix1, mix2))
    if p1.ndim != 1 or not p1.shape == p2.shape == m1.shape == m2.shape:
        raise ValueError("Shares and mix must be flat and of one length: one entry per group.")
    for p, m in ((p1, m1), (p2, m2)):
        if not np.all(np.isfinite(m) & (m >= 0)) or not m.sum() > 0:
            raise ValueError("A mix must be 0 or more, and not 0 in every group.")
        if not np.all(((p >= 0) & (p <= 1)) | (m == 0)):
            raise ValueError("Every group that is not empty needs a share between 0 and 1.")
    p1, p2 = np.where(m1 == 0, p2, p1), np.where(m2 == 0, p1, p2)
    # Groups that are empty in both rounds take no part.
    p1, p2 = (np.where((m1 == 0) & (m2 == 0), 0.0, p) for p in (p1, p2))
    m1, m2 = m1 / m1.sum(), m2 / m2.sum()
    before, after = float(m1 @ p1), float(m2 @ p2)
    mix, rates = float((m2 - m1) @ (p1 + p2) / 2), float((p2 - p1) @ (m1 + m2) / 2)
    return MixAndRates(before, after, after - before, mix, rates)


@dataclass(frozen=True)
class Decomposition:
    """The change of the pooled favourable share between two rounds, taken apart. Fractions.

    `mix`: leaders' share of the answers moved because people came and went. `turnover`: those who came and went
    answered differently from those who stayed, within the same arm. `roles`: people who changed arm also changed
    their answer. `minds`: people who kept their arm changed their answer. `mix` + `turnover` + `roles` + `minds` =
    `change`, save where `explanation` says that `roles` and `minds` cannot be known; `turnover` then takes all
    that is not mix. The parts describe those who answered, and carry no interval."""

    before: float
    after: float
    change: float
    mix: float
    turnover: float
    roles: float | None
    minds: float | None
    stayed: int
    moved: int
    left: int
    joined: int
    explanation: str | None = None


def decompose(earlier: Wave, later: Wave) -> Decomposition:
    """Take the change of the pooled share between two adjacent rounds apart, exactly.

    The order is the one in which things can be seen: everybody of the earlier round; those of them who stayed;
    the same people at the later round; everybody of the later round. The middle step has the same people on both
    sides, so it is their changed answers, split by whether they changed arm. The outer steps are taken apart by
    Kitagawa's averages into mix and turnover. Exchanging the rounds turns every part's sign and nothing else.

    A change of role by itself moves no total: the same person answers the same. What it does to the two arms'
    own shares shows in `constant_role` against `constant_roster`.

    Raises ValueError where a round has no answers.

    Source: Kitagawa 1955; Oaxaca 1973, International Economic Review 14, for mix against rate. Notes,
    "Composition traps".
    """
    if not len(earlier.y) or not len(later.y):
        raise ValueError("Both rounds need answers: there is no change to take apart.")
    at1, at2 = _stayers(earlier, later)
    stayed, moved = len(at1), int(np.sum(earlier.arm[at1] != later.arm[at2]))
    people = {
        "stayed": stayed,
        "moved": moved,
        "left": len(earlier.y) - stayed,
        "joined": len(later.y) - stayed,
    }
    before, after = float(earlier.y.mean()), float(later.y.mean())
    if not stayed:
        direct = _step(earlier.arm, earlier.y, later.arm, later.y)
        return Decomposition(
            before,
            after,
            after - before,
            direct.mix,
            direct.rates,
            None,
            None,
            **people,
            explanation=NO_STAYERS,
        )
    leaving = _step(earlier.arm, earlier.y, earlier.arm[at1], earlier.y[at1])
    joining = _step(later.arm[at2], later.y[at2], later.arm, later.y)
    changed, kept = later.y[at2] - earlier.y[at1], earlier.arm[at1] == later.arm[at2]
    return Decomposition(
        before,
        after,
        after - before,
        mix=leaving.mix + joining.mix,
        turnover=leaving.rates + joining.rates,
        roles=float(changed[~kept].sum() / stayed),
        minds=float(changed[kept].sum() / stayed),
        **people,
    )


def _panel(earlier: Wave, later: Wave, *, same_arm: bool) -> Panel:
    at1, at2 = _stayers(earlier, later)
    moved = earlier.arm[at1] != later.arm[at2]
    stayed = len(at1)
    if same_arm:
        at1, at2 = at1[~moved], at2[~moved]
    stack = linearised(
        np.concatenate([earlier.practice[at1], later.practice[at2]]),
        np.concatenate([earlier.arm[at1], 2 + later.arm[at2]]),
        np.concatenate([earlier.y[at1], later.y[at2]]),
        cells=4,
    )
    return Panel(
        people=len(at1),
        moved=int(moved.sum()),
        left=len(earlier.y) - stayed,
        joined=len(later.y) - stayed,
        earlier=analytic_gap(stack, 1, 0),
        later=analytic_gap(stack, 3, 2),
        gap=change_in_gap(stack, 1, 0, 3, 2),
        arm1=change_in_level(stack, 1, 3),
        arm0=change_in_level(stack, 0, 2),
    )


def _stayers(earlier: Wave, later: Wave) -> tuple[np.ndarray, np.ndarray]:
    """Where the people of both rounds stand in each, in the order of their codes."""
    _, at1, at2 = np.intersect1d(earlier.person, later.person, assume_unique=True, return_indices=True)
    return at1, at2


def _step(arm1: np.ndarray, y1: np.ndarray, arm2: np.ndarray, y2: np.ndarray) -> MixAndRates:
    n1, n2 = np.bincount(arm1, minlength=2), np.bincount(arm2, minlength=2)
    with np.errstate(invalid="ignore"):
        p1, p2 = np.bincount(arm1, y1, 2) / n1, np.bincount(arm2, y2, 2) / n2
    return mix_and_rates(p1, n1, p2, n2)
