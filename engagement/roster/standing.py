"""Who is on the roster, and how they stand, at a date and a round number.

A spell's bounds may be dates, round numbers, or both; each that is given must hold. The start is included and the
end is not. People follow their practice when it is merged into another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date

from sqlmodel import Session, select

from engagement import clock
from engagement.errors import NotFound
from engagement.models import Body, Locality, Member, Practice, Round, Spell
from engagement.words import STANDING_MAP

# Tertiles of the list sizes of 1 January 2021 (patients registered at a GP practice, 6,658 practices).
SMALL_TO = 6_025
MEDIUM_TO = 10_217


@dataclass(frozen=True, slots=True)
class Standing:
    """One person on the roster at a date: their role, the arm that it puts them in, and where they belong.

    `practice_id` is the practice that is open that day: the successor where their own has been merged into it.
    It is None for the body's own people.
    """

    member_id: int
    ref: str
    name: str | None
    practice_id: int | None
    practice_code: str | None
    practice_name: str | None
    role: str
    standing: str
    representative: bool
    strata: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class PracticeRow:
    """A practice as it is stored."""

    id: int
    code: str
    name: str
    locality: str | None
    list_size: int | None
    opened: date | None
    closed: date | None
    successor_id: int | None

    def open_on(self, day: date) -> bool:
        """Whether it is a member practice on that day: the closing day itself is the first that is not."""
        return (self.opened is None or self.opened <= day) and (self.closed is None or day < self.closed)


@dataclass(frozen=True, slots=True)
class SpellRow:
    """A spell as it is stored, with its member's number."""

    id: int
    member_id: int
    practice_id: int | None
    role: str
    standing: str | None
    representative: bool
    starts: date | None
    ends: date | None
    joined_wave: int | None
    left_wave: int | None

    def holds(self, day: date, wave: int) -> bool:
        """Whether every bound that is given holds on that day and in that round."""
        return (
            (self.starts is None or self.starts <= day)
            and (self.ends is None or day < self.ends)
            and (not self.joined_wave or self.joined_wave <= wave)
            and (not self.left_wave or wave < self.left_wave)
        )


def size_band(list_size: int | None) -> str | None:
    """ "small", "medium" or "large" by the tertiles of list size in England on 1 January 2021."""
    if list_size is None:
        return None
    return "small" if list_size <= SMALL_TO else "medium" if list_size <= MEDIUM_TO else "large"


def standing_of(role: str, override: str | None, mapping: Mapping[str, str]) -> str:
    """The arm of a role: the spell's own override, else the mapping, else "none"."""
    return override or mapping.get(role) or "none"


def body_mapping(body: Body) -> dict[str, str]:
    """The body's own map of roles to standings, laid over the product's."""
    return STANDING_MAP | dict(body.standing_map or {})


@dataclass(frozen=True)
class Roster:
    """A body's whole roster in memory, read once, to be asked at as many dates and rounds as are wanted."""

    mapping: dict[str, str]
    practices: dict[int, PracticeRow]
    members: dict[int, tuple[str, str | None]]
    spells: tuple[SpellRow, ...]

    def open_practice(self, practice_id: int, day: date) -> PracticeRow | None:
        """The practice if it is open that day, else the open one that it was merged into, else None."""
        seen = set()
        practice = self.practices.get(practice_id)
        while practice is not None and practice.id not in seen:
            if practice.open_on(day):
                return practice
            if practice.closed is None or day < practice.closed:
                return None  # not open yet: nobody has taken it over
            seen.add(practice.id)
            practice = self.practices.get(practice.successor_id)
        return None

    def practices_at(self, day: date) -> list[PracticeRow]:
        """The practices that are open that day, by code."""
        return sorted((p for p in self.practices.values() if p.open_on(day)), key=lambda p: p.code)

    def current(self, day: date, wave: int) -> dict[int, SpellRow]:
        """The spell that holds for each member at that date and round.

        Spells may not overlap; should two hold all the same, a formal role wins over any other, then the later one.
        """
        found: dict[int, SpellRow] = {}
        for spell in self.spells:
            if not spell.holds(day, wave):
                continue
            before = found.get(spell.member_id)
            if before is None or self._rank(spell) > self._rank(before):
                found[spell.member_id] = spell
        return found

    def _rank(self, spell: SpellRow) -> tuple:
        leads = standing_of(spell.role, spell.standing, self.mapping) == "leader"
        return leads, spell.starts or date.min, spell.joined_wave or 0, spell.id

    def at(self, day: date, wave: int, mapping: Mapping[str, str] | None = None) -> list[Standing]:
        """Everybody on the roster at that date and round, in the order of their ids."""
        mapping = self.mapping if mapping is None else mapping
        opened: dict[int, PracticeRow | None] = {}
        people = []
        for member_id, spell in sorted(self.current(day, wave).items()):
            practice = None
            if spell.practice_id is not None:
                if spell.practice_id not in opened:
                    opened[spell.practice_id] = self.open_practice(spell.practice_id, day)
                practice = opened[spell.practice_id]
                if practice is None:
                    continue
            ref, name = self.members[member_id]
            people.append(
                Standing(
                    member_id=member_id,
                    ref=ref,
                    name=name,
                    practice_id=practice.id if practice else None,
                    practice_code=practice.code if practice else None,
                    practice_name=practice.name if practice else None,
                    role=spell.role,
                    standing=standing_of(spell.role, spell.standing, mapping),
                    representative=spell.representative,
                    strata={
                        "role": spell.role,
                        "locality": practice.locality if practice else None,
                        "size": size_band(practice.list_size) if practice else None,
                    },
                )
            )
        return people


def read_practices(session: Session, body_id: int) -> dict[int, PracticeRow]:
    """Every practice of the body, open or not, by id."""
    query = (
        select(
            Practice.id,
            Practice.code,
            Practice.name,
            Locality.code,
            Practice.list_size,
            Practice.opened,
            Practice.closed,
            Practice.successor_id,
        )
        .outerjoin(Locality, Locality.id == Practice.locality_id)
        .where(Practice.body_id == body_id)
    )
    return {row[0]: PracticeRow(*row) for row in session.exec(query)}


def read_spells(session: Session, which) -> tuple[SpellRow, ...]:
    """The spells that meet a condition."""
    columns = [getattr(Spell, column.name) for column in fields(SpellRow)]
    return tuple(SpellRow(*row) for row in session.exec(select(*columns).where(which)))


def read(session: Session, body_id: int) -> Roster:
    """The body's whole roster, with one query a table. Raises `NotFound` if there is no such body.

    A verb that calls this on somebody's behalf checks the actor first: the roster holds names.
    """
    body = session.get(Body, body_id)
    if body is None:
        raise NotFound("There is no such body.")
    members = select(Member.id, Member.ref, Member.name).where(Member.body_id == body_id)
    return Roster(
        mapping=body_mapping(body),
        practices=read_practices(session, body_id),
        members={row[0]: (row[1], row[2]) for row in session.exec(members)},
        spells=read_spells(session, Spell.body_id == body_id),
    )


def at(
    session: Session, body_id: int, day: date, wave: int, mapping: Mapping[str, str] | None = None
) -> list[Standing]:
    """Everybody who is on the roster at a date and in a round, with the standing that they have there.

    People of a closed practice are those of the open one that it was merged into; where there is none they are
    not invited, and not in the list. `mapping` (role to standing) takes the place of the body's own; a spell's
    override wins over both, and a role that neither knows is "none". Raises `NotFound` if there is no such body.
    """
    return read(session, body_id).at(day, wave, mapping)


def practices_at(session: Session, body_id: int, day: date) -> list[PracticeRow]:
    """The practices that are open on a day, by code."""
    return sorted(
        (p for p in read_practices(session, body_id).values() if p.open_on(day)), key=lambda p: p.code
    )


def wave_at(session: Session, body_id: int, day: date) -> int:
    """The number of the newest round that had begun by a day, for rosters that count in rounds.

    Before the first round it is that round's number; a body without rounds is read as at the last round in
    which somebody joined, or 1.
    """
    rounds = session.exec(
        select(Round.number, Round.launched_at, Round.opens_at)
        .where(Round.body_id == body_id)
        .order_by(Round.number)
    ).all()
    begun = [
        number
        for number, launched, opens in rounds
        if (opens or launched) and clock.london_date(opens or launched) <= day
    ]
    if begun:
        return max(begun)
    if rounds:
        return rounds[0][0]
    waves = session.exec(
        select(Spell.joined_wave).where(Spell.body_id == body_id, Spell.joined_wave.is_not(None)).distinct()
    ).all()
    return max(waves, default=1) or 1


def for_wave(
    session: Session, body_id: int, wave: int, mapping: Mapping[str, str] | None = None
) -> list[Standing]:
    """Everybody on the roster in a round by its number, at the day it opened (today if it has not).

    Raises `NotFound` if there is no such body.
    """
    opens, launched = session.exec(
        select(Round.opens_at, Round.launched_at).where(Round.body_id == body_id, Round.number == wave)
    ).first() or (None, None)
    instant = opens or launched
    return at(session, body_id, clock.london_date(instant) if instant else clock.today(), wave, mapping)
