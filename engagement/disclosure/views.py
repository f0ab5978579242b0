"""Printed figures as an intruder reads them: exact constraints on who was favourable.

The intruder knows the roster and who answered, hence every number of answers, and the rules of rounding. What is
left unknown is each person's answer, 1 (favourable) or 0. A figure then says: so many of these people, weighted
so, lie between two whole numbers. A `Ledger` holds the answers to one item, one row an answer; a figure's `view`
gives its constraint on those rows; `cells` groups rows that no figure tells apart, so that only their number counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Protocol

import numpy as np

from engagement.disclosure.publish import gap_alone_cell
from engagement.disclosure.rules import STEP, count_range, share_cell

STANDING = "standing"
ASSUMED, TRUE = "assumed", "true"
WHOLE = -1
Printed = tuple[int, str | None]
_HALF_STEP = Fraction(5, 200)


@dataclass(frozen=True, eq=False)
class Ledger:
    """Every answer to one item, of one round or several. All arrays (rows,). Never for print.

    `person`: the same number wherever the same person answered. `round`: round numbers. `favourable`: 0 or 1.
    `known`: answers that are open to the intruder (attributed, or ticked to count). `tables`: by name of the
    table, each row's category, None where it is in none.

    Raises ValueError where lengths differ, an answer is not 0 or 1, or a person answers twice in a round.
    """

    person: np.ndarray
    round: np.ndarray
    favourable: np.ndarray
    known: np.ndarray
    tables: Mapping[str, np.ndarray]

    def __post_init__(self):
        rows = len(self.person)
        columns = (self.round, self.favourable, self.known, *self.tables.values())
        if any(len(column) != rows for column in columns):
            raise ValueError("All columns of a ledger must have a row for each answer.")
        if not np.isin(self.favourable, (0, 1)).all():
            raise ValueError("An answer is favourable (1) or not (0).")
        if len(set(zip(self.person.tolist(), self.round.tolist(), strict=True))) != rows:
            raise ValueError("A person answers an item once a round.")

    def members(self, round_: int, table: str, categories: Sequence) -> np.ndarray:
        """Mask (rows,) of the answers of a round by people of these categories; KeyError for an unknown table."""
        column = self.tables[table]
        return (self.round == round_) & np.array([value in categories for value in column], dtype=bool)


@dataclass(frozen=True, eq=False)
class View:
    """`low` <= sum(weights * favourable) <= `high` over the rows of a ledger; whole numbers, exact."""

    name: str
    weights: np.ndarray
    low: int
    high: int

    def holds(self, favourable: np.ndarray) -> bool:
        """Whether these answers (rows,) print so."""
        return self.low <= int(self.weights @ favourable) <= self.high


class Figure(Protocol):
    """Anything printed that limits the answers."""

    def view(self, ledger: Ledger) -> View:
        """The figure's constraint on the ledger's rows."""


@dataclass(frozen=True)
class ShareFigure:
    """A group's printed share, in steps of `step`."""

    round: int
    table: str
    categories: tuple
    value: int
    cap: str | None
    step: int = STEP

    def view(self, ledger: Ledger) -> View:
        """The counts that print as this share."""
        share_cell(self.value, self.cap, self.step)
        members = ledger.members(self.round, self.table, self.categories)
        low, high = count_range(self.value, self.cap, int(members.sum()), self.step)
        return View(_name(self), members.astype(np.int64), low, high)


@dataclass(frozen=True)
class CountFigure:
    """Anything that says that a group has between `low` and `high` favourable answers."""

    round: int
    table: str
    categories: tuple
    low: int
    high: int

    def view(self, ledger: Ledger) -> View:
        """The two limits as they are."""
        members = ledger.members(self.round, self.table, self.categories)
        return View(_name(self), members.astype(np.int64), self.low, self.high)


@dataclass(frozen=True)
class WeightedFigure:
    """A group's weighted share, printed as a share is. Rows carry their weight as the category of `weights`, a table
    of whole numbers or fractions, so that people of two weight classes are told apart."""

    round: int
    table: str
    categories: tuple
    weights: str
    value: int
    cap: str | None

    def view(self, ledger: Ledger) -> View:
        """The weighted counts that print so."""
        members = ledger.members(self.round, self.table, self.categories)
        column = ledger.tables[self.weights]
        weights = {weight: Fraction(weight) for weight in set(column[members].tolist())}
        whole = sum(weights[weight] for weight in column[members].tolist())
        low, high = share_cell(self.value, self.cap)
        parts = [(members & (column == weight), fraction / whole) for weight, fraction in weights.items()]
        return _linear(_name(self), parts, low, None if high == 1 else high, len(members))


@dataclass(frozen=True)
class GapFigure:
    """The printed gap beside its two arms, each as `print_share` gives: what `print_gap_points` printed."""

    round: int
    points: int | None
    cap: str | None
    leader: Printed
    grassroots: Printed

    def view(self, ledger: Ledger) -> View:
        """The exact gap within its step; an arm with a cap stands in it as the inner end of its cell."""
        parts, known = [], Fraction(0)
        for arm, sign, (value, cap) in (("leader", 1, self.leader), ("grassroots", -1, self.grassroots)):
            members = ledger.members(self.round, STANDING, (arm,))
            if cap is None:
                parts.append((members, Fraction(sign, int(members.sum()))))
            else:
                known += sign * share_cell(value, cap)[0 if cap == "at_least" else 1]
        if self.points is None:
            return _linear(_name(self), [], None, None, len(ledger.person))
        at = Fraction(self.points, 100) - known
        return _linear(_name(self), parts, at - _HALF_STEP, at + _HALF_STEP, len(ledger.person))


@dataclass(frozen=True)
class GapAloneFigure:
    """A printed gap without its arms: what `print_gap_alone` printed in steps of `step`."""

    round: int
    points: int
    cap: str | None
    step: int

    def view(self, ledger: Ledger) -> View:
        """The exact gap within its step, open at a capped end."""
        low, high = gap_alone_cell(self.points, self.cap, self.step)
        limits = None if self.cap == "at_most" else low, None if self.cap == "at_least" else high
        return _linear(_name(self), _gap_parts(ledger, self.round, 1), *limits, len(ledger.person))


@dataclass(frozen=True)
class SumFigure:
    """A printed weighted sum of answers of two rounds, in points to the nearest 5, such as a part of what moved a total.

    `weights`: (round, category of `table`, fraction) of each favourable answer; `name` tells the sums apart.
    """

    name: str
    round: int
    since: int
    table: str
    weights: tuple[tuple[int, str, Fraction], ...]
    points: int

    def view(self, ledger: Ledger) -> View:
        """The exact sum within its step; `nearest_5` sends ties upwards."""
        parts = [
            (ledger.members(round_, self.table, (category,)), fraction)
            for round_, category, fraction in self.weights
        ]
        at = Fraction(self.points, 100)
        return _linear(self.name, parts, at - _HALF_STEP, at + _HALF_STEP, len(ledger.person))


@dataclass(frozen=True, eq=False)
class Cells:
    """People whom no figure tells apart, and what is printed of them: the intruder's unknowns. Exact whole numbers.

    Arrays over A cells: `size`, people; `favourable`, `unfavourable`, how many of them gave that answer (and, where
    one unknown stands for all their rounds, never another); `block`, the round (`WHOLE` where one stands for all). `matrix` (views, A), `low`, `high`
    (views,): low <= matrix @ counts <= high. `truth` (A,), None where the true answers contradict the assumption.
    `rows`: of each person of each cell, their rows in the ledger. `unknowns` (U, 3): of each unknown its cell, its person
    and their answer, 1 or 0, or -1 where one unknown stands for both.
    """

    size: np.ndarray
    favourable: np.ndarray
    unfavourable: np.ndarray
    block: np.ndarray
    matrix: np.ndarray
    low: np.ndarray
    high: np.ndarray
    truth: np.ndarray | None
    rows: tuple[tuple[tuple[int, ...], ...], ...]
    unknowns: np.ndarray

    def feasible(self, counts: np.ndarray) -> bool:
        """Whether favourable counts (A,) agree with every view, in whole numbers."""
        at = self.matrix @ counts
        inside = ((counts >= 0) & (counts <= self.size)).all()
        return bool(inside and (self.low <= at).all() and (at <= self.high).all())

    def spread(self, counts: np.ndarray, favourable: np.ndarray) -> np.ndarray:
        """Answers (..., rows) that have these counts (..., A); other rows as in `favourable` (rows,)."""
        rows, places, at = self._places
        out = np.broadcast_to(favourable, (*counts.shape[:-1], len(favourable))).copy()
        out[..., rows] = places < counts[..., at]
        return out

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each answer of each cell: its row, the place of its person in the cell, and the cell."""
        found = [
            (row, place, cell)
            for cell, people in enumerate(self.rows)
            for place, rows in enumerate(people)
            for row in rows
        ]
        return tuple(np.array(found, dtype=np.int64).reshape(-1, 3).T)


def cells(ledger: Ledger, views: Sequence[View], *, steady: str | None = None, known: bool = False) -> Cells:
    """The intruder's unknowns under these views.

    `steady`: None, each answer is an unknown of its own; `ASSUMED`, the intruder takes it that nobody who answered in
    several rounds changed their answer, so each person is one unknown; `TRUE`, the intruder knows who did not
    change, and they are one unknown each. `known`: the ledger's known answers are open to the intruder.

    Raises ValueError where the true answers contradict a view: then it is not what was printed.
    """
    for view in views:
        if not view.holds(ledger.favourable):
            raise ValueError(f"The answers do not print as {view.name}.")
    people = _people(ledger, steady, known)
    weights = np.array([view.weights for view in views], dtype=np.int64).reshape(len(views), -1)
    flat = np.array([row for rows in people for row in rows], dtype=np.int64)
    hidden = np.zeros(len(ledger.person), dtype=bool)
    hidden[flat] = True
    # What the intruder knows moves to the other side of each constraint.
    given = weights[:, ~hidden] @ ledger.favourable[~hidden].astype(np.int64)
    apart = changed(ledger) if steady == TRUE else set()
    starts = np.cumsum([0, *(len(rows) for rows in people)])[:-1]
    if people:
        first = flat[starts]
        sums = np.add.reduceat(weights[:, flat], starts, axis=1).T
        always = np.logical_and.reduceat(ledger.favourable[flat] == 1, starts)
        never = np.logical_and.reduceat(ledger.favourable[flat] == 0, starts)
        whole = (steady is not None) & ~np.isin(ledger.person[first], list(apart))
        keys = np.column_stack([np.where(whole, WHOLE, ledger.round[first]), sums])
        persons = ledger.person[first]
    else:
        persons = np.zeros(0, dtype=np.int64)
        always = never = np.zeros(0, dtype=bool)
        keys = np.zeros((0, 1 + len(views)), dtype=np.int64)
    # Rows as bytes: people whom the figures count alike in every view are one cell.
    cell_of: dict[bytes, int] = {}
    at = np.array([cell_of.setdefault(key.tobytes(), len(cell_of)) for key in keys], dtype=np.int64)
    grouped: list[list[tuple[int, ...]]] = [[] for _ in cell_of]
    for cell, rows in zip(at.tolist(), people, strict=True):
        grouped[cell].append(rows)
    size, favourable, unfavourable = (
        np.bincount(at, weights=what, minlength=len(cell_of)).astype(np.int64)
        for what in (None, always, never)
    )
    unlike = keys[np.unique(at, return_index=True)[1]]
    made = Cells(
        size=size,
        favourable=favourable,
        unfavourable=unfavourable,
        block=unlike[:, 0],
        matrix=unlike[:, 1:].T,
        low=np.array([view.low for view in views], dtype=np.int64) - given,
        high=np.array([view.high for view in views], dtype=np.int64) - given,
        truth=None,
        rows=tuple(map(tuple, grouped)),
        unknowns=np.column_stack([at, persons, np.where(always, 1, np.where(never, 0, -1))]),
    )
    steadfast = (favourable + unfavourable == size).all()
    return Cells(**{**vars(made), "truth": favourable}) if steadfast else made


def _people(ledger: Ledger, steady: str | None, known: bool) -> list[tuple[int, ...]]:
    """Rows of each unknown: an answer, or all answers of a person none of whose answers is known."""
    open_ = ledger.known if known else np.zeros(len(ledger.person), dtype=bool)
    if steady is None:
        return [(row,) for row in np.flatnonzero(~open_).tolist()]
    apart = changed(ledger) if steady == TRUE else set()
    found: dict[tuple, list[int]] = {}
    for row, person in enumerate(ledger.person.tolist()):
        found.setdefault((person, row if person in apart else None), []).append(row)
    return [tuple(rows) for rows in found.values() if not open_[rows].any()]


def changed(ledger: Ledger) -> set[int]:
    """The numbers of people who gave both answers, in one round and another."""
    given: dict[int, set[int]] = {}
    for person, answer in zip(ledger.person.tolist(), ledger.favourable.tolist(), strict=True):
        given.setdefault(person, set()).add(answer)
    return {person for person, answers in given.items() if len(answers) > 1}


def _gap_parts(ledger: Ledger, round_: int, sign: int) -> list[tuple[np.ndarray, Fraction]]:
    arms = [
        (ledger.members(round_, STANDING, (arm,)), way) for arm, way in (("leader", 1), ("grassroots", -1))
    ]
    return [(members, Fraction(sign * way, int(members.sum()))) for members, way in arms]


def _linear(
    name: str,
    parts: Sequence[tuple[np.ndarray, Fraction]],
    low: Fraction | None,
    high: Fraction | None,
    rows: int,
) -> View:
    """The view low <= sum of fraction * members < high in whole numbers; None where there is no limit."""
    limits = [end for end in (low, high) if end is not None]
    scale = math.lcm(*(part.denominator for part in (*(f for _, f in parts), *limits))) if parts else 1
    weights = np.zeros(rows, dtype=np.int64)
    for members, fraction in parts:
        weights += members * int(fraction * scale)
    least, most = int(weights[weights < 0].sum()), int(weights[weights > 0].sum())
    if not parts:
        return View(name, weights, 0, 0)
    return View(
        name,
        weights,
        least if low is None else math.ceil(low * scale),
        most if high is None else math.ceil(high * scale) - 1,
    )


def _name(figure: object) -> str:
    return str(figure)
