"""Members from a CSV file: people, and the dated roles that say how they belong."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

from sqlmodel import Session, select

from engagement import clock
from engagement.access.actor import Actor, Role
from engagement.clock import show_date
from engagement.errors import NotFound
from engagement.models import STANDINGS, Body, Member, Spell
from engagement.roster.columns import Header, Row, records, start
from engagement.roster.preview import Line, Lines, Plan, Preview, TooManyRefusals, digest, preview_of
from engagement.roster.spells import Bounds, describe, overlap, reconcile
from engagement.roster.standing import PracticeRow, Roster, body_mapping, read_practices
from engagement.roster.table_file import COMMAND_LINE, Fault, Limits, Source, inspect, opened
from engagement.roster.text import clean, formula_start, parse_email, parse_yes, shown, slug
from engagement.words import role_label

COLUMNS = (
    "member_id",
    "practice_id",
    "role",
    "group",
    "representative",
    "name",
    "email",
    "joined_wave",
    "left_wave",
    "from",
    "to",
)
REQUIRED = ("member_id", "practice_id", "role")
# What each column is called in a spell.
FIELDS = {
    "group": "standing",
    "representative": "representative",
    "joined_wave": "joined_wave",
    "left_wave": "left_wave",
    "from": "starts",
    "to": "ends",
}
HIGHEST_WAVE = 10_000


@dataclass(frozen=True, slots=True)
class HeldMember:
    """A person as the roster holds them."""

    id: int
    ref: str
    name: str | None
    email: str | None
    attributes: dict[str, Any]


@dataclass(slots=True)
class Person:
    """A person as a file describes them, from all of their lines."""

    number: int
    ref: str
    name: str | None = None
    email: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    spells: list[Bounds] = field(default_factory=list)


def held_members(session: Session, body_id: int) -> dict[str, HeldMember]:
    """Every person of the body by their number."""
    rows = session.exec(
        select(Member.id, Member.ref, Member.name, Member.email, Member.attributes).where(
            Member.body_id == body_id
        )
    )
    return {row[1]: HeldMember(*row) for row in rows}


def held_spells(session: Session, body_id: int) -> dict[int, list[Bounds]]:
    """Every spell of the body by member."""
    rows = session.exec(
        select(
            Spell.member_id,
            Spell.practice_id,
            Spell.role,
            Spell.standing,
            Spell.representative,
            Spell.starts,
            Spell.ends,
            Spell.joined_wave,
            Spell.left_wave,
            Spell.id,
        ).where(Spell.body_id == body_id)
    )
    found: dict[int, list[Bounds]] = defaultdict(list)
    for member_id, *rest in rows:
        found[member_id].append(Bounds(*rest))
    return found


def fingerprint(session: Session, body_id: int) -> str:
    """What the members and practices are now, in one line."""
    return _fingerprint(
        read_practices(session, body_id), held_members(session, body_id), held_spells(session, body_id)
    )


def _fingerprint(practices, members, spells) -> str:
    return digest(
        practices.values(),
        [(m.id, m.ref, m.name, m.email, sorted(m.attributes.items())) for m in members.values()],
        [(member_id, spell) for member_id, held in spells.items() for spell in held],
    )


def preview_members(
    session: Session,
    actor: Actor,
    body_id: int,
    file: BinaryIO | bytes | str | Path,
    *,
    name: str,
    on: date | None = None,
    end_absent: date | None = None,
    limits: Limits = COMMAND_LINE,
) -> Preview:
    """Read a members file against the roster, changing nothing.

    Parameters
    ----------
    on : the day from which somebody whose role or practice differs, in a file that does not say since when, has the
        new one; today by default.
    end_absent : end the membership of people that the file does not name, from this day; by default they stay.

    Everything wrong with the file is a refused line of the preview, not an exception.
    Raises `NotFound` if there is no such body.
    """
    actor.require(body_id, Role.LEAD)
    body = session.get(Body, body_id)
    if body is None:
        raise NotFound("There is no such body.")
    lines = Lines()
    reading = _Reading(session, body, lines, on or clock.today(), end_absent)
    source = None
    try:
        with opened(file) as stream:
            source = inspect(stream, limits)
            if source.note:
                lines.add(source.note[0], "note", detail=source.note[1])
            reading.read(source, limits)
    except Fault as fault:
        lines.all.append(Line(fault.line, "refuse", "", "", fault.detail))
        lines.refusals += 1
    except TooManyRefusals:
        pass
    return preview_of(
        "members",
        clean(name) or "the file",
        (body_id, body.code),
        lines,
        _fingerprint(reading.practices, reading.members, reading.spells),
        source,
        reading.plan(),
    )


class _Reading:
    """One pass over a members file."""

    def __init__(self, session: Session, body: Body, lines: Lines, on: date, end_absent: date | None):
        self.body_code = body.code
        self.lines = lines
        self.on = on
        self.end_absent = end_absent
        self.mapping = body_mapping(body)
        self.practices = read_practices(session, body.id)
        self.members = held_members(session, body.id)
        self.spells = held_spells(session, body.id)
        self.by_code: dict[str, PracticeRow] = {p.code: p for p in self.practices.values()}
        self.nearly = {code.casefold(): code for code in self.by_code}
        self.roster = Roster(self.mapping, self.practices, {}, ())
        self.members_add: list[dict[str, Any]] = []
        self.members_change: list[tuple[int, dict[str, Any]]] = []
        self.spells_add: list[tuple[str, dict[str, Any]]] = []
        self.spells_change: list[tuple[int, dict[str, Any]]] = []

    def plan(self) -> Plan:
        return Plan(
            members_add=tuple(self.members_add),
            members_change=tuple(self.members_change),
            spells_add=tuple(self.spells_add),
            spells_change=tuple(self.spells_change),
        )

    def read(self, source: Source, limits: Limits) -> None:
        first, number, rows = start(source, limits)
        header = Header(first)
        faults = header.faults(REQUIRED)
        for fault in faults:
            self.lines.refuse(number, fault)
        if faults:
            return
        columns = frozenset(FIELDS[c] for c in header.names if c in FIELDS)
        people: dict[str, Person] = {}
        unmapped: Counter[str] = Counter()
        others = 0
        for row in records(rows, header, self.lines):
            if clean(row.cells.get("body_id", "")) not in ("", self.body_code):
                others += 1
                continue
            self._take(row, people, unmapped)
        if not people and not self.lines.refusals:
            what = (
                f"no line has body_id {self.body_code}; choose the file of this body"
                if others
                else "there are no rows under the column titles; choose the file that holds the rows"
            )
            self.lines.refuse(0, what)
            return
        if others:
            self.lines.add(0, "note", detail=f"{others:,} rows of other bodies left out")
        for role, n in sorted(unmapped.items()):
            self.lines.add(
                0,
                "note",
                detail=f'the role "{role_label(role)}" ({n:,} {"row" if n == 1 else "rows"}) has no standing and '
                'counts as "none"; give it one in the table of roles on the Roster page, or a group in the file',
            )
        self._shared_addresses(people)
        for person in people.values():
            self._compare(person, columns)
        if not self.lines.refusals:
            self._absent(people)

    def _take(self, row: Row, people: dict[str, Person], unmapped: Counter[str]) -> None:
        """Take one line into account, or refuse it."""
        ref = row.text("member_id", 60)
        name = row.text("name", 200)
        code = row.text("practice_id", 20)
        role_text = row.text("role", 60)
        role = slug(role_text) if role_text else ""
        group = row.parsed("group", _standing)
        email = row.parsed("email", parse_email)
        attributes = row.others((*COLUMNS, "body_id"))
        if email:
            row.text("email", 254)
        if ref is None:
            row.faults.append("member_id is empty; give each person a number of your own that stays theirs")
        if not role:
            row.faults.append("role is empty; give one such as GP partner or practice manager")
        practice = self.by_code.get(code) if code else None
        if code and practice is None and formula_start(code) is None:
            hint = self.nearly.get(code.casefold())
            row.faults.append(
                f"practice_id {shown(code)} is no practice of this body; "
                + (f"write it as {hint}" if hint else "import the practices first, or correct the code")
            )
        spell = Bounds(
            practice_id=practice.id if practice else None,
            role=role,
            standing=group,
            representative=bool(row.parsed("representative", parse_yes)),
            starts=row.day("from"),
            ends=row.day("to"),
            joined_wave=row.whole("joined_wave", 0, HIGHEST_WAVE) or None,
            left_wave=row.whole("left_wave", 0, HIGHEST_WAVE) or None,
            number=row.number,
        )
        if spell.starts and spell.ends and spell.ends < spell.starts:
            row.faults.append(
                f"to {show_date(spell.ends)} is before from {show_date(spell.starts)}; correct one of the dates"
            )
        if spell.joined_wave and spell.left_wave and spell.left_wave < spell.joined_wave:
            row.faults.append(
                f"left_wave {spell.left_wave} is before joined_wave {spell.joined_wave}; correct one of the two"
            )
        person = people.get(ref) if ref else None
        if person is not None and not row.faults:
            if name and person.name and name != person.name:
                row.faults.append(
                    f"has the name {shown(name)}, and line {person.number} has {shown(person.name)} under the same "
                    "member_id; give each person a number of their own, or write one name"
                )
            for other in person.spells:
                if other.values() == spell.values():
                    row.faults.append(f"says the same as line {other.number}; keep one of the two lines")
                elif overlap(other, spell):
                    row.faults.append(
                        f"overlaps line {other.number} ({self._describe(other)}); end one spell before the other "
                        "starts, in dates or in round numbers"
                    )
        for fault in row.faults:
            self.lines.refuse(row.number, fault, ref or "", name or "")
        if row.faults:
            return
        if person is None:
            person = people[ref] = Person(row.number, ref)
        person.name = name or person.name
        person.email = email or person.email
        person.attributes |= attributes
        person.spells.append(spell)
        if group is None and role not in self.mapping:
            unmapped[role] += 1
        if row.hidden:
            self.lines.add(
                row.number, "note", ref, name or "", "hidden characters were taken out of its text"
            )
        if spell.empty:
            self.lines.add(
                row.number, "note", ref, name or "", "ends where it starts, so this spell invites nobody"
            )
        elif practice and spell.ends is None and not spell.left_wave and not self._reachable(practice):
            self.lines.add(
                row.number,
                "note",
                ref,
                name or "",
                f"{practice.code} is closed and was not merged into an open practice, so this person is not invited",
            )

    def _reachable(self, practice: PracticeRow) -> bool:
        return (
            practice.closed is None
            or self.on < practice.closed
            or self.roster.open_practice(practice.id, self.on) is not None
        )

    def _describe(self, spell: Bounds) -> str:
        practice = self.practices.get(spell.practice_id)
        return describe(spell, practice.code if practice else None)

    def _shared_addresses(self, people: dict[str, Person]) -> None:
        by_email: dict[str, list[str]] = defaultdict(list)
        for ref, held in self.members.items():
            email = people[ref].email or held.email if ref in people else held.email
            if email:
                by_email[email.casefold()].append(ref)
        for ref, person in people.items():
            if person.email and ref not in self.members:
                by_email[person.email.casefold()].append(ref)
        for person in people.values():
            sharers = by_email.get(person.email.casefold(), []) if person.email else []
            if len(sharers) > 1 and person.ref != sharers[0]:
                self.lines.add(
                    person.number,
                    "note",
                    person.ref,
                    person.name or "",
                    f"has the same e-mail address as {shown(sharers[0])}; if they are one person, give both the same "
                    "member_id, or they are asked twice",
                )

    def _compare(self, person: Person, columns: frozenset[str]) -> None:
        held = self.members.get(person.ref)
        if held is None:
            self.members_add.append(
                {
                    "ref": person.ref,
                    "name": person.name,
                    "email": person.email,
                    "attributes": person.attributes,
                }
            )
            self.spells_add += [(person.ref, spell.values()) for spell in person.spells]
            detail = "; ".join(map(self._describe, person.spells))
            self.lines.add(person.number, "add", person.ref, person.name or "", detail)
            return
        label = person.name or held.name or ""
        outcome = reconcile(self.spells.get(held.id, []), person.spells, self.on, columns)
        for number, other in outcome.faults:
            self.lines.refuse(
                number,
                f"overlaps what is held here ({self._describe(other)}); give the dates from which and until which "
                "each holds, or correct the person on the Roster page",
                person.ref,
                label,
            )
        if outcome.faults:
            return
        said = []
        fields: dict[str, Any] = {}
        for name in ("name", "email"):
            old, new = getattr(held, name), getattr(person, name)
            if new is not None and new != old:
                fields[name] = new
                said.append(f"{name}: {shown(old) if old else 'nothing'} → {shown(new)}")
        attributes = held.attributes | person.attributes
        if attributes != held.attributes:
            fields["attributes"] = attributes
            said += [f"{k}: {shown(v)}" for k, v in person.attributes.items() if held.attributes.get(k) != v]
        if fields:
            self.members_change.append((held.id, fields))
        only_ends = not fields and not outcome.add
        for old, new in outcome.change:
            values = new.values()
            changed = {key: value for key, value in values.items() if value != getattr(old, key)}
            self.spells_change.append((old.id, changed))
            ended = set(changed) <= {"ends", "left_wave"} and all(changed.values())
            only_ends = only_ends and ended
            said.append(f"{self._describe(old)} → {self._changes(old, changed)}")
        for spell in outcome.add:
            self.spells_add.append((person.ref, spell.values()))
            said.append(f"new: {self._describe(spell)}")
        what = "same" if not said else "end" if only_ends else "change"
        self.lines.add(person.number, what, person.ref, label, "; ".join(said))

    @staticmethod
    def _changes(old: Bounds, changed: dict[str, Any]) -> str:
        parts = []
        for key, value in changed.items():
            if key == "standing":
                parts.append(f"counts as {value}" if value else "counts as its role does")
            elif key == "representative":
                parts.append("represents the practice" if value else "no longer represents the practice")
            elif value is None:
                parts.append("no end" if key in ("ends", "left_wave") else "no start")
            else:
                word = {
                    "starts": "from",
                    "ends": "until",
                    "joined_wave": "from round",
                    "left_wave": "until round",
                }[key]
                parts.append(f"{word} {show_date(value) if isinstance(value, date) else value}")
        return ", ".join(parts)

    def _absent(self, people: dict[str, Person]) -> None:
        day = self.end_absent or self.on
        for ref, held in sorted(self.members.items()):
            if ref in people:
                continue
            current = [
                s
                for s in self.spells.get(held.id, [])
                if not s.left_wave
                and (s.ends is None or s.ends > day)
                and (s.starts is None or s.starts <= day)
            ]
            if not current:
                continue
            if self.end_absent is None:
                self.lines.add(0, "note", ref, held.name or "", "not in this file, left as they are")
                continue
            self.spells_change += [(s.id, {"ends": self.end_absent}) for s in current]
            self.lines.add(
                0,
                "end",
                ref,
                held.name or "",
                f"not in this file, membership ends on {show_date(self.end_absent)}",
            )


def _standing(text: str) -> str:
    word = text.casefold()
    if word not in STANDINGS:
        raise ValueError(f"is no standing; write one of {', '.join(STANDINGS)}, or leave it empty")
    return word
