"""Answers of past rounds, from a long file: read whole, checked line by line, stored all or nothing.

They take the door that every answer takes: a promise, a roster as it stood, the mix's own way of storing, and a
release by the worker. Member ids become panel codes; the file is not kept.
"""

from __future__ import annotations

import calendar
import itertools
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, BinaryIO

from sqlmodel import Session, select

from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.db import Database
from engagement.errors import Conflict, Invalid, NotFound
from engagement.instrument import bank
from engagement.instrument import verbs as instruments
from engagement.intake import links, mix, sealing
from engagement.intake.keys import Keys
from engagement.models import Body, Item, ItemVersion, Round
from engagement.roster import standing as roster
from engagement.roster.columns import Header
from engagement.roster.table_file import COMMAND_LINE, Fault, Limits, inspect, opened
from engagement.roster.text import parse_date, parse_whole, parse_yes, shown
from engagement.rounds import plans, promise, verbs

REQUIRED = ("wave", "member_id", "item", "value")
MOST_FAULTS = 100
MONTHS_BETWEEN = 6
OPEN_FOR = clock.days(21)
CLOSING_TIME = time(17)


@dataclass
class Sheet:
    """One member's answers in one past round."""

    line: int
    answers: dict[str, int] = field(default_factory=dict)
    may_use: bool = False


@dataclass(frozen=True)
class Wave:
    """One past round of the file. `closed` is None where the file gives no date."""

    number: int
    closed: datetime | None
    sheets: dict[str, Sheet] = field(repr=False)

    @property
    def items(self) -> set[str]:
        """Every item that somebody answered."""
        return {key for sheet in self.sheets.values() for key in sheet.answers}


@dataclass(frozen=True)
class Summary:
    """What an import stored."""

    rounds: tuple[int, ...]
    people: int
    answers: int

    @property
    def sentence(self) -> str:
        """ "8 rounds with 980 people's answers, 7,400 answers in all." """
        noun = "round" if len(self.rounds) == 1 else "rounds"
        return f"{len(self.rounds)} {noun} with {self.people:,} filled-in forms, {self.answers:,} answers in all."


def months_before(day: date, months: int) -> date:
    """The same day of the month so many months earlier, or that month's last day."""
    place = day.year * 12 + day.month - 1 - months
    year, month = divmod(place, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def import_answers(
    database: Database,
    keys: Keys,
    actor: Actor,
    body_id: int,
    file: BinaryIO | bytes | str | Path,
    *,
    name: str,
    tier: str = "confidential",
    practice_may_use: bool = False,
    first_date: date | None = None,
    every: int = MONTHS_BETWEEN,
    limits: Limits = COMMAND_LINE,
) -> Summary:
    """Turn a file of past answers into closed rounds; the worker releases them, in round order.

    `first_date`: when the first round of the file closed, with `every` months from one to the next; without it the
    last closed today. Dates in the file win over both. `practice_may_use`: everybody who answered agreed that
    their answers count towards their practice's position.

    Opens its own transaction, for a key must reach the disk in step with it. Raises `Invalid` with one line for
    each fault, and `Conflict` for rounds that exist; nothing is changed in either case.
    """
    actor.require(body_id, Role.LEAD)
    if tier == "anonymous":
        raise Invalid("Past answers that name members cannot be imported as anonymous: choose another tier.")
    waves = _dated(_read(file, name, limits), name, first_date, every)
    with database.session() as session:
        summary = _store(session, keys, actor, body_id, waves, name, tier, practice_may_use)
    if tier == "confidential":
        keys.destroy_panels_before(body_id, waves[-1].number)
    return summary


def _read(file, name: str, limits: Limits) -> list[Wave]:
    """The file's rounds in order, by member. Raises `Invalid`."""
    faults: list[str] = []
    waves: dict[int, dict[str, Sheet]] = {}
    dates: dict[int, date] = {}
    try:
        with opened(file) as stream:
            for line, problems in _rows(inspect(stream, limits), limits, waves, dates):
                faults += [f"{name}, line {line}: {problem}" for problem in problems]
                if len(faults) >= MOST_FAULTS:
                    faults.append(f"{name}: reading stopped here; put these right first")
                    break
    except Fault as fault:
        place = f"{name}, line {fault.line}" if fault.line else name
        faults.append(f"{place}: {fault.detail}")
    if not faults and not waves:
        faults.append(f"{name}: there are no answers in the file; it needs the columns {', '.join(REQUIRED)}")
    if faults:
        raise Invalid(f"{name} was not imported: {faults[0]}", faults)
    return [
        Wave(
            number, clock.from_london(dates[number], CLOSING_TIME) if number in dates else None, waves[number]
        )
        for number in sorted(waves)
    ]


def _rows(source, limits, waves, dates) -> Iterator[tuple[int, list[str]]]:
    """Reads the rows into `waves` and `dates`; yields lines that have faults."""
    rows = source.rows(limits)
    line, cells = next(rows, (1, [""]))
    header = Header(cells)
    if problems := header.faults(REQUIRED):
        yield line, problems
        return
    place = {column: at for at, column in enumerate(header.names)}
    wave_at, member_at, item_at, value_at = (place[column] for column in REQUIRED)
    use_at, date_at = place.get("practice_may_use"), place.get("date")
    width = len(header.names)
    known_waves: dict[str, int] = {}
    known_items: dict[str, str] = {}
    for line, row in rows:
        if len(row) != width:
            yield (
                line,
                [f"the line has {len(row)} fields and the first line {width}; check its commas and quotes"],
            )
            continue
        problems = []
        wave, item, member = row[wave_at], row[item_at].strip(), row[member_at].strip()
        number = known_waves.get(wave)
        if number is None:
            number = _parsed(problems, "wave", wave.strip(), lambda text: parse_whole(text, 1, 9_999))
            if number is not None:
                known_waves[wave] = number
        if item not in known_items:
            if bank.KEY.fullmatch(item):
                known_items[item] = item
            else:
                problems.append(
                    f'item "{shown(item)}" is not a key; use letters, digits, _ . - and at most 40'
                )
        value = row[value_at].strip()
        if not member:
            problems.append("member_id is empty; every answer needs the member's number")
        if value not in ("1", "2", "3", "4", "5"):
            problems.append(
                f'value "{shown(value)}" is not 1 to 5; leave the line out where nothing was answered'
            )
        use = bool(
            use_at is not None and _parsed(problems, "practice_may_use", row[use_at].strip(), parse_yes)
        )
        if date_at is not None and (text := row[date_at].strip()):
            day = _parsed(problems, "date", text, parse_date)
            if day is not None and number is not None:
                dates[number] = max(day, dates.get(number, day))
        if problems:
            yield line, problems
            continue
        sheet = waves.setdefault(number, {}).setdefault(member, Sheet(line))
        if item in sheet.answers:
            yield (
                line,
                [f'{member} answered "{item}" in round {number} on an earlier line too; keep one of them'],
            )
            continue
        sheet.answers[known_items[item]] = int(value)
        sheet.may_use = sheet.may_use or use


def _parsed(problems: list[str], column: str, text: str, parse):
    try:
        return parse(text)
    except ValueError as error:
        problems.append(f'{column} "{shown(text)}" {error}')
        return None


def _dated(waves: list[Wave], name: str, first_date: date | None, every: int) -> list[Wave]:
    """Give each round a closing instant and check that they follow each other and are past."""
    now = clock.now()
    out = []
    for wave in waves:
        closed = wave.closed
        if closed is None and first_date is not None:
            after = (wave.number - waves[0].number) * every
            closed = clock.from_london(months_before(first_date, -after), CLOSING_TIME)
        elif closed is None:
            before = (waves[-1].number - wave.number) * every
            closed = clock.from_london(months_before(clock.today(), before), CLOSING_TIME)
        # Today is past for a round without a time of day.
        if clock.london_date(closed) == clock.today():
            closed = min(closed, now)
        out.append(Wave(wave.number, closed, wave.sheets))
    problems = [
        f"{name}: round {wave.number} would close on {clock.show_date(wave.closed)}, which is not past; correct its date"
        for wave in out
        if wave.closed > now
    ]
    problems += [
        f"{name}: round {later.number} closed on {clock.show_date(later.closed)}, not after round {earlier.number} "
        f"({clock.show_date(earlier.closed)}); correct the dates"
        for earlier, later in itertools.pairwise(out)
        if later.closed <= earlier.closed
    ]
    if problems:
        raise Invalid(problems[0], problems)
    return out


def _store(
    session: Session,
    keys: Keys,
    actor: Actor,
    body_id: int,
    waves: list[Wave],
    name: str,
    tier: str,
    may_use: bool,
) -> Summary:
    body = session.get(Body, body_id, with_for_update=True)
    if body is None:
        raise NotFound("There is no such body.")
    taken = set(session.exec(select(Round.number).where(Round.body_id == body_id)))
    again = sorted(taken & {wave.number for wave in waves})
    if again:
        raise Conflict(
            f"{name}: round {again[0]} exists already. Remove its lines, or number the rounds anew."
        )
    instruments.seed(session, actor, body_id)
    kinds = _kinds(session, actor, body_id, waves, name)
    people = roster.read(session, body_id)
    programme = verbs.programme(session, body_id)
    before = keys.panel_before(body_id, waves[0].number) if tier == "confidential" else None
    count = answers = 0
    problems: list[str] = []
    for wave in waves:
        standing = _invited(
            people.at(clock.london_date(wave.closed), wave.number), wave, tier, name, problems
        )
        for sheet in wave.sheets.values():
            problems += [
                f'{name}, line {sheet.line}: value 5 of "{key}" is off its scale, which ends at 4'
                for key, value in sheet.answers.items()
                if value > len(bank.SCALES[kinds[key]])
            ]
        if problems:
            continue
        now = None
        if tier == "confidential":
            # Only the last key is kept: the next round joins on it.
            now = keys.make_panel(body_id, wave.number) if wave is waves[-1] else secrets.token_bytes(32)
        round_ = _closed_round(session, body, programme.id, wave, tier, standing)
        facts = {ref: _facts(person, tier, before, now) for ref, person in standing.items()}
        count += mix.store(session, round_, _opened(wave, facts, tier, may_use))
        silent = [one for ref, one in facts.items() if ref not in wave.sheets]
        if now is not None:
            silent += mix.not_invited(session, round_, before, now)
        mix.store_skips(session, round_, silent)
        answers += sum(len(sheet.answers) for sheet in wave.sheets.values())
        before = now
    if problems:
        raise Invalid(f"{name} was not imported: {problems[0]}", problems[:MOST_FAULTS])
    numbers = tuple(wave.number for wave in waves)
    audit.record(session, actor, "answers.import", body_id, rounds=list(numbers), tier=tier)
    return Summary(numbers, count, answers)


def _kinds(session, actor, body_id, waves, name) -> dict[str, str]:
    """The scale of every item of the file; items that the bank lacks become items of this body."""
    newest: dict[str, tuple[int, str]] = {}
    for key, version, kind in session.exec(
        select(Item.key, ItemVersion.version, ItemVersion.kind)
        .join(ItemVersion, ItemVersion.item_id == Item.id)
        .where(Item.body_id == body_id)
    ):
        newest[key] = max(newest.get(key, (0, "")), (version, kind))
    kinds = {}
    for key in sorted(set().union(*(wave.items for wave in waves))):
        if key not in newest:
            instruments.ensure_item(session, actor, body_id, key)
        kinds[key] = newest.get(key, (1, "agree5"))[1]
        if kinds[key] not in bank.SCALES:
            raise Invalid(
                f'{name}: "{key}" is an open question here and cannot take the values 1 to 5; rename it.'
            )
    return kinds


def _invited(
    people: list[roster.Standing], wave: Wave, tier: str, name: str, problems: list[str]
) -> dict[str, roster.Standing]:
    """Who was invited, by reference. Adds a problem for each who answered and was not on the roster."""
    by_ref = {person.ref: person for person in people}
    when = f"round {wave.number} ({clock.show_date(wave.closed)})"
    for ref, sheet in wave.sheets.items():
        if ref not in by_ref:
            problems.append(
                f"{name}, line {sheet.line}: member {shown(ref)} is not on the roster in {when}; import the member, or "
                "correct from when to when they and their practice belong"
            )
    if tier != "practice-view":
        return by_ref
    chosen: dict[int, roster.Standing] = {}
    for ref, sheet in wave.sheets.items():
        person = by_ref.get(ref)
        if person is None:
            continue
        if person.practice_id is None or person.practice_id in chosen:
            what = (
                "belongs to no practice"
                if person.practice_id is None
                else "is the second from their practice"
            )
            problems.append(
                f"{name}, line {sheet.line}: member {shown(ref)} {what} in {when}; a practice view has one answer a "
                "practice"
            )
        else:
            chosen[person.practice_id] = person
    for person in sorted(people, key=lambda p: (not p.representative, p.ref)):
        if person.practice_id is not None:
            chosen.setdefault(person.practice_id, person)
    return {person.ref: person for person in chosen.values()}


def _closed_round(session, body: Body, programme_id: int, wave: Wave, tier: str, standing) -> Round:
    """A round that has closed, with its promise and roster. It never had links, boxes or keys to destroy."""
    now = clock.now()
    round_ = Round(
        body_id=body.id,
        programme_id=programme_id,
        public_id=links.public_id(),
        number=wave.number,
        title=f"{wave.closed.astimezone(clock.LONDON):%B %Y}",
        tier=tier,
        threshold=body.threshold,
        state="mixed",
        imported=True,
        plan=list(plans.SMALL),
        opens_at=wave.closed - OPEN_FOR,
        closes_at=wave.closed,
        launched_at=now,
        closed_at=wave.closed,
        mixed_at=now,
        keys_destroyed_at=now,
        links_deleted_at=now,
    )
    items = instruments.rendered_keys(session, body.id, sorted(wave.items))
    promise.freeze(round_, promise.build(round_, body, items, roster.body_mapping(body)))
    session.add(round_)
    session.flush()
    verbs.snapshot(session, round_, sorted(standing.values(), key=lambda person: person.member_id))
    return round_


def _facts(person: roster.Standing, tier: str, before: bytes | None, now: bytes | None) -> dict[str, Any]:
    """What a link of the round would have carried of a person."""
    facts: dict[str, Any] = {"standing": person.standing, "practice_id": person.practice_id}
    if tier == "confidential":
        facts["strata"] = person.strata
    if before is not None:
        facts["before"] = links.panel_code(before, person.member_id)
    if now is not None:
        facts["now"] = links.panel_code(now, person.member_id)
    return facts


def _opened(wave: Wave, facts: Mapping[str, dict], tier: str, may_use: bool) -> Iterator[sealing.Opened]:
    items = sorted(wave.items)
    for ref, sheet in wave.sheets.items():
        yield sealing.Opened(
            standing=facts[ref],
            answers={key: sheet.answers.get(key, "not_answered") for key in items},
            comments={},
            practice_may_use=tier == "confidential" and (may_use or sheet.may_use),
            tag="",
        )
