"""Spells side by side: whether two overlap, and how those in a file meet those that are held.

A spell covers a range of dates and a range of round numbers, and holds where both do; a missing bound has no end.
Two overlap if some date and round number lie in both. Nothing here reads a database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations
from typing import Any

from engagement.clock import show_date
from engagement.words import role_label


@dataclass(frozen=True, slots=True)
class Bounds:
    """What somebody was, where, from when until when; `id` is None for a spell that is not stored yet.

    `number` is the line of a file, 0 where there is none.
    """

    practice_id: int | None
    role: str
    standing: str | None = None
    representative: bool = False
    starts: date | None = None
    ends: date | None = None
    joined_wave: int | None = None
    left_wave: int | None = None
    id: int | None = None
    number: int = 0

    @property
    def empty(self) -> bool:
        """Whether it ends where it starts, and so never holds."""
        return _empty(self.starts, self.ends) or _empty(self.joined_wave, self.left_wave)

    def values(self) -> dict[str, Any]:
        """The columns to store."""
        return {name: getattr(self, name) for name in STORED}


STORED = ("practice_id", "role", "standing", "representative", "starts", "ends", "joined_wave", "left_wave")


def _empty(start, end) -> bool:
    return start is not None and end is not None and end <= start


def _meet(start, end, other_start, other_end) -> bool:
    return (end is None or other_start is None or other_start < end) and (
        other_end is None or start is None or start < other_end
    )


def overlap(one: Bounds, two: Bounds) -> bool:
    """Whether both hold on some date in some round."""
    if one.empty or two.empty:
        return False
    return _meet(one.starts, one.ends, two.starts, two.ends) and _meet(
        one.joined_wave, one.left_wave, two.joined_wave, two.left_wave
    )


def describe(spell: Bounds, practice: str | None) -> str:
    """ "GP partner at A81001 from 1 April 2015 until 1 May 2020 (that day not included)"."""
    text = role_label(spell.role) + (f" at {practice}" if practice else "")
    if spell.starts:
        text += f" from {show_date(spell.starts)}"
    if spell.joined_wave:
        text += f" from round {spell.joined_wave}"
    if spell.ends:
        text += f" until {show_date(spell.ends)}"
    if spell.left_wave:
        text += f" until round {spell.left_wave}"
    return text


@dataclass(frozen=True)
class Outcome:
    """What has to be written so that a person's spells are what a file says."""

    add: tuple[Bounds, ...] = ()
    change: tuple[tuple[Bounds, Bounds], ...] = ()
    faults: tuple[tuple[int, Bounds], ...] = ()


def reconcile(held: Sequence[Bounds], wanted: Sequence[Bounds], on: date, columns: frozenset[str]) -> Outcome:
    """Match a person's spells in a file with those that are held.

    `columns` are the fields that the file has. A field that it lacks leaves what is held; an empty start is unknown
    and leaves what is held too; an empty end means "still there". A spell in a new practice or role ends the one
    that is held: from the start that the file gives, else from `on`. What still overlaps is a fault, with the held
    spell that stands in the way. Nothing is ever removed.
    """
    left = list(held)
    pairs: list[tuple[Bounds, Bounds]] = []
    unmatched = list(wanted)
    for test in (_identical, _same_start, _compatible):
        rest = []
        for want in unmatched:
            found = [h for h in left if test(h, want, columns, on)]
            if found:
                best = max(found, key=lambda h: (h.starts or date.min, h.joined_wave or 0, h.id or 0))
                left.remove(best)
                pairs.append((best, _filled(best, want, columns)))
            else:
                rest.append(want)
        unmatched = rest

    after = {h.id: h for h in left} | {h.id: new for h, new in pairs}
    untouched = {h.id for h in left}
    added: list[Bounds] = []
    for want in sorted(unmatched, key=lambda w: (w.starts or date.min, w.joined_wave or 0)):
        new = want
        in_the_way = [h for h in after.values() if overlap(h, new)]
        unknown_start = new.starts is None and new.joined_wave is None
        if in_the_way and unknown_start and (new.ends is None or new.ends > on):
            new = replace(new, starts=on)
        for other in in_the_way:
            if other.id in untouched and overlap(other, new):
                after[other.id] = ended_by(other, new) or other
        added.append(new)
    change = tuple((h, after[h.id]) for h in held if after[h.id].values() != h.values())
    faults = tuple(
        (one.number, two) if one.number else (two.number, one)
        for one, two in combinations([*after.values(), *added], 2)
        if (one.number or two.number) and overlap(one, two)
    )
    return Outcome(tuple(added), change, faults)


def _filled(held: Bounds, want: Bounds, columns: frozenset[str]) -> Bounds:
    """The held spell with what the file says laid over it."""
    return replace(
        held,
        standing=want.standing if "standing" in columns else held.standing,
        representative=want.representative if "representative" in columns else held.representative,
        starts=want.starts if want.starts is not None else held.starts,
        joined_wave=want.joined_wave if want.joined_wave is not None else held.joined_wave,
        ends=want.ends if "ends" in columns else held.ends,
        left_wave=want.left_wave if "left_wave" in columns else held.left_wave,
        number=want.number,
    )


def _same_place(held: Bounds, want: Bounds) -> bool:
    return (held.practice_id, held.role) == (want.practice_id, want.role)


def _identical(held: Bounds, want: Bounds, columns: frozenset[str], on: date) -> bool:
    return held.values() == want.values()


def _same_start(held: Bounds, want: Bounds, columns: frozenset[str], on: date) -> bool:
    return (
        _same_place(held, want)
        and (want.starts is not None or want.joined_wave is not None)
        and (held.starts, held.joined_wave) == (want.starts, want.joined_wave)
    )


def _compatible(held: Bounds, want: Bounds, columns: frozenset[str], on: date) -> bool:
    """Whether the file may mean this spell: the same place and role, and no start that contradicts."""
    if not _same_place(held, want):
        return False
    if want.starts is not None and held.starts is not None and want.starts != held.starts:
        return False
    if want.joined_wave is not None and held.joined_wave is not None and want.joined_wave != held.joined_wave:
        return False
    if "ends" not in columns and "left_wave" not in columns:
        # The file shows who is there now: somebody who had left is back, and that is a new spell.
        return held.ends is None or held.ends > on
    filled = _filled(held, want, columns)
    return not _empty(filled.starts, filled.ends) and not _empty(filled.joined_wave, filled.left_wave)


def ended_by(held: Bounds, new: Bounds) -> Bounds | None:
    """The held spell ended where the new one starts, None if that would leave nothing of it."""
    if new.starts is not None and (held.starts is None or held.starts < new.starts):
        return replace(held, ends=new.starts)
    if new.joined_wave is not None and (held.joined_wave is None or held.joined_wave < new.joined_wave):
        return replace(held, left_wave=new.joined_wave)
    return None
