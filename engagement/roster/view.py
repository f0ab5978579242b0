"""The named roster as the Roster page shows it at a date. For the engagement lead only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, select

from engagement.access.actor import Actor, Role
from engagement.models import STANDINGS, Locality, Member, Practice
from engagement.roster import standing
from engagement.roster.standing import SpellRow
from engagement.words import role_label


@dataclass(frozen=True)
class PracticeNow:
    """A practice at the date, with how many people of each standing it has then (merged ones counted in)."""

    id: int
    code: str
    name: str
    locality: str | None
    locality_name: str | None
    list_size: int | None
    postcode: str | None
    opened: date | None
    closed: date | None
    successor: str | None
    open: bool
    counts: dict[str, int]


@dataclass(frozen=True)
class PersonNow:
    """A person, with the role that holds at the date, else the last that held before it or the first after.

    `invited` is False for people whose membership does not hold at the date, and for those of a practice that is
    closed and was not merged into an open one.
    """

    id: int
    ref: str
    name: str | None
    email: str | None
    role: str
    role_label: str
    standing: str
    own_standing: bool
    practice_id: int | None
    practice: str | None
    practice_name: str | None
    representative: bool
    starts: date | None
    ends: date | None
    joined_wave: int | None
    left_wave: int | None
    current: bool
    invited: bool


@dataclass(frozen=True)
class RoleNow:
    """A role of the body, the arm it is in, and how many people on the roster have it at the date."""

    role: str
    label: str
    standing: str
    people: int


@dataclass(frozen=True)
class RosterNow:
    """Everything that the Roster page shows."""

    day: date
    wave: int
    by_waves: bool
    practices: tuple[PracticeNow, ...]
    people: tuple[PersonNow, ...]
    roles: tuple[RoleNow, ...]
    empty: bool

    @property
    def open_practices(self) -> list[PracticeNow]:
        """The practices that are open at the date."""
        return [p for p in self.practices if p.open]

    @property
    def current(self) -> list[PersonNow]:
        """The people whose membership holds at the date."""
        return [p for p in self.people if p.current]

    @property
    def stranded(self) -> list[PersonNow]:
        """Members at the date who would not be invited, for their practice is not open and nothing took it over."""
        return [p for p in self.people if p.current and not p.invited]

    @property
    def counts(self) -> dict[str, int]:
        """How many people of each standing would be invited at the date."""
        found = Counter(p.standing for p in self.people if p.invited)
        return {name: found[name] for name in STANDINGS}


def roster_now(session: Session, actor: Actor, body_id: int, day: date) -> RosterNow:
    """The body's practices, people and roles at a date. Raises `NotAllowed` to all but the engagement lead."""
    actor.require(body_id, Role.LEAD)
    roster = standing.read(session, body_id)
    wave = standing.wave_at(session, body_id, day)
    emails = dict(session.exec(select(Member.id, Member.email).where(Member.body_id == body_id)).all())
    postcodes = dict(
        session.exec(select(Practice.id, Practice.postcode).where(Practice.body_id == body_id)).all()
    )
    localities = dict(
        session.exec(select(Locality.code, Locality.name).where(Locality.body_id == body_id)).all()
    )
    invited = {person.member_id: person for person in roster.at(day, wave)}
    holding = roster.current(day, wave)

    tallies: dict[int, Counter[str]] = {}
    for person in invited.values():
        if person.practice_id is not None:
            tallies.setdefault(person.practice_id, Counter())[person.standing] += 1
    practices = tuple(
        PracticeNow(
            id=p.id,
            code=p.code,
            name=p.name,
            locality=p.locality,
            locality_name=localities.get(p.locality),
            list_size=p.list_size,
            postcode=postcodes[p.id],
            opened=p.opened,
            closed=p.closed,
            successor=roster.practices[p.successor_id].code if p.successor_id in roster.practices else None,
            open=p.open_on(day),
            counts={name: tallies.get(p.id, Counter())[name] for name in STANDINGS},
        )
        for p in sorted(roster.practices.values(), key=lambda p: p.code)
    )

    shown = dict(holding)
    for spell in roster.spells:
        if spell.member_id not in holding:
            before = shown.get(spell.member_id)
            if before is None or _nearness(spell, day) > _nearness(before, day):
                shown[spell.member_id] = spell
    people = []
    for member_id, (ref, name) in roster.members.items():
        spell = shown.get(member_id)
        if spell is None:
            continue
        there = invited.get(member_id)
        practice = roster.practices.get(there.practice_id if there else spell.practice_id)
        people.append(
            PersonNow(
                id=member_id,
                ref=ref,
                name=name,
                email=emails.get(member_id),
                role=spell.role,
                role_label=role_label(spell.role),
                standing=standing.standing_of(spell.role, spell.standing, roster.mapping),
                own_standing=spell.standing is not None,
                practice_id=practice.id if practice else None,
                practice=practice.code if practice else None,
                practice_name=practice.name if practice else None,
                representative=spell.representative,
                starts=spell.starts,
                ends=spell.ends,
                joined_wave=spell.joined_wave,
                left_wave=spell.left_wave,
                current=member_id in holding,
                invited=there is not None,
            )
        )
    people.sort(key=lambda p: ((p.name or "").casefold(), p.ref))
    used = Counter(spell.role for spell in holding.values())
    roles = tuple(
        RoleNow(role, role_label(role), roster.mapping.get(role, "none"), used[role])
        for role in sorted(roster.mapping.keys() | used.keys(), key=lambda r: (-used[r], role_label(r)))
    )
    return RosterNow(
        day=day,
        wave=wave,
        by_waves=any(s.joined_wave or s.left_wave for s in roster.spells),
        practices=practices,
        people=tuple(people),
        roles=roles,
        empty=not roster.practices and not roster.members,
    )


def _nearness(spell: SpellRow, day: date) -> tuple:
    """Orders spells that do not hold: the last that was over by the date, then the first that is to come."""
    to_come = spell.starts is not None and spell.starts > day
    return (0, -spell.starts.toordinal()) if to_come else (1, (spell.ends or date.max).toordinal())
