"""Meetings, and which practices came: an open log kept by the engagement lead, shown beside the assessment.

The assessment itself does not read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date as Date
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import delete, insert
from sqlmodel import Session, select

from engagement import clock
from engagement.access import READERS, Actor, Role, audit
from engagement.errors import Conflict, Invalid, NotFound
from engagement.models import Attendance, Meeting, Practice
from engagement.roster.bodies import own_body
from engagement.roster.columns import Header, Row, records, start
from engagement.roster.preview import Line, Lines, TooManyRefusals, digest, sentence
from engagement.roster.table_file import COMMAND_LINE, Fault, Limits, inspect, opened
from engagement.roster.text import clean, formula_start

COLUMNS = ("date", "title", "practice_id", "people")
TITLE_LIMIT = 120
MOST_PEOPLE = 1_000


@dataclass(frozen=True)
class MeetingRow:
    """A meeting as it is stored. `people`: how many came, by practice code; a practice that is not there is not known."""

    id: int
    date: Date
    title: str
    people: dict[str, int]

    @property
    def practices(self) -> int:
        """How many practices came."""
        return sum(number > 0 for number in self.people.values())


def all(session: Session, actor: Actor, body_id: int) -> list[MeetingRow]:
    """The body's meetings, newest first."""
    actor.require(body_id, *READERS)
    people: dict[int, dict[str, int]] = {}
    for meeting_id, code, number in session.exec(
        select(Attendance.meeting_id, Practice.code, Attendance.people)
        .join(Practice, Practice.id == Attendance.practice_id)
        .where(Attendance.body_id == body_id)
        .order_by(Practice.code)
    ):
        people.setdefault(meeting_id, {})[code] = number
    found = session.exec(
        select(Meeting).where(Meeting.body_id == body_id).order_by(Meeting.held_on.desc(), Meeting.title)
    )
    return [MeetingRow(row.id, row.held_on, row.title, people.get(row.id, {})) for row in found]


def add(session: Session, actor: Actor, body_id: int, *, date: Date, title: str) -> Meeting:
    """Log a meeting. Raises `Invalid` for a day to come or a title that cannot be used, `Conflict` for one logged already."""
    own_body(session, actor, body_id)
    title = clean(title)
    if problems := _faults(date, title):
        raise Invalid(f"The meeting was not saved: {problems[0]}.", problems)
    if _find(session, body_id, date, title):
        raise Conflict(
            f"“{title}” on {clock.show_date(date)} is logged already. Open it, or give this one another title."
        )
    meeting = Meeting(body_id=body_id, held_on=date, title=title)
    session.add(meeting)
    session.flush()
    audit.record(session, actor, "meeting.add", body_id, meeting=meeting.id, on=date.isoformat())
    return meeting


def record(session: Session, actor: Actor, meeting_id: int, people: Mapping[str, int | None]) -> None:
    """Note how many people came, by practice code; 0 says that nobody did, None that it is not known.

    Practices that are not named stay as they were. Raises `Invalid` with a line for each unknown code and each
    number below 0, and changes nothing then; `NotFound`.
    """
    meeting = _own(session, actor, meeting_id)
    ids = _practices(session, meeting.body_id)
    problems = [f"there is no practice {code}; correct the code" for code in people if code not in ids]
    problems += [
        f"{code}: the number of people must be between 0 and {MOST_PEOPLE:,}; correct it"
        for code, number in people.items()
        if number is not None and not 0 <= number <= MOST_PEOPLE
    ]
    if problems:
        raise Invalid(f"The attendance was not saved: {problems[0]}.", problems)
    _write(session, meeting, {ids[code]: number for code, number in people.items()})
    audit.record(session, actor, "meeting.record", meeting.body_id, meeting=meeting.id, practices=len(people))


def remove(session: Session, actor: Actor, meeting_id: int) -> None:
    """Take a meeting out of the log with its attendance. Raises `NotFound`."""
    meeting = _own(session, actor, meeting_id)
    session.execute(delete(Attendance).where(Attendance.meeting_id == meeting.id))
    session.delete(meeting)
    session.flush()
    audit.record(
        session,
        actor,
        "meeting.remove",
        meeting.body_id,
        meeting=meeting_id,
        on=meeting.held_on.isoformat(),
    )


# --- from a file ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Preview:
    """An attendance file read against the log, changing nothing. `apply` does what it says, or nothing.

    `lines`: what would happen, a line of the file each, as in a roster's preview ("refuse", "note", "change", "add",
    "same"). `meetings`: people by practice id, by (date, title).
    """

    name: str
    body_id: int
    lines: tuple[Line, ...]
    fingerprint: str
    sha256: str
    meetings: Mapping[tuple[Date, str], Mapping[int, int]] = field(repr=False)
    new: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """How many lines of each kind."""
        kinds = ("refuse", "note", "change", "add", "same")
        return {kind: sum(line.what == kind for line in self.lines) for kind in kinds}

    @property
    def changes(self) -> int:
        """How many lines would be added or changed."""
        return self.counts["add"] + self.counts["change"]

    @property
    def refused(self) -> list[str]:
        """One sentence for each refused line, naming the file, the line and the remedy."""
        return [sentence(self.name, line) for line in self.lines if line.what == "refuse"]

    @property
    def notes(self) -> list[str]:
        """One sentence for each thing to know."""
        return [sentence(self.name, line) for line in self.lines if line.what == "note"]

    @property
    def summary(self) -> str:
        """ "2 new meetings. Attendance: 60 added, 3 changed, 5 as they are." """
        counts = self.counts
        if refused := counts["refuse"]:
            noun = "line is" if refused == 1 else "lines are"
            return f"{refused:,} {noun} refused, so nothing can be imported yet."
        if not self.changes:
            return "Nothing would change."
        return (
            f"{self.new:,} new {'meeting' if self.new == 1 else 'meetings'}. Attendance: "
            f"{counts['add']:,} added, {counts['change']:,} changed, {counts['same']:,} as they are."
        )


def preview(
    session: Session,
    actor: Actor,
    body_id: int,
    file: BinaryIO | bytes | str | Path,
    *,
    name: str,
    limits: Limits = COMMAND_LINE,
) -> Preview:
    """Read a file with the columns `date`, `title`, `practice_id` and `people` against the log, changing nothing.

    A meeting that has the date and the title of one in the log is that one. Everything wrong with the file is a
    refused line of the preview, not an exception.
    """
    own_body(session, actor, body_id)
    held = _held(session, body_id)
    reading = _Reading(_practices(session, body_id), held)
    source = None
    try:
        with opened(file) as stream:
            source = inspect(stream, limits)
            if source.note:
                reading.lines.add(source.note[0], "note", detail=source.note[1])
            reading.read(source, limits)
    except Fault as fault:
        reading.lines.all.append(Line(fault.line, "refuse", "", "", fault.detail))
        reading.lines.refusals += 1
    except TooManyRefusals:
        pass
    meetings = {} if reading.lines.refusals else reading.meetings
    return Preview(
        name=clean(name) or "the file",
        body_id=body_id,
        lines=tuple(reading.lines.all),
        fingerprint=_fingerprint(held),
        sha256=source.sha256 if source else "",
        meetings=meetings,
        new=len(meetings.keys() - held.keys()),
    )


def apply(session: Session, actor: Actor, preview: Preview) -> str:
    """Write what the preview showed, all of it, and say so in a sentence.

    Raises `Invalid` (with a line for each) while any line is refused, and `Conflict` when the log changed after the
    preview was made; nothing is written in either case.
    """
    own_body(session, actor, preview.body_id)
    if refused := preview.refused:
        noun = "line is" if len(refused) == 1 else "lines are"
        raise Invalid(f"{preview.name} was not imported: {len(refused):,} {noun} refused.", refused)
    if _fingerprint(_held(session, preview.body_id)) != preview.fingerprint:
        raise Conflict("The log of meetings changed after this preview was made. Run the preview again.")
    for (day, title), people in preview.meetings.items():
        meeting = _find(session, preview.body_id, day, title)
        if meeting is None:
            meeting = Meeting(body_id=preview.body_id, held_on=day, title=title)
            session.add(meeting)
            session.flush()
        _write(session, meeting, people)
    counts = preview.counts
    # The log says what was done and from which file, and names nobody.
    audit.record(
        session,
        actor,
        "meeting.import",
        preview.body_id,
        file=preview.name[:200],
        sha256=preview.sha256,
        **{what: counts[what] for what in ("add", "change", "same")},
    )
    number = len(preview.meetings)
    return f"{number:,} {'meeting' if number == 1 else 'meetings'} imported: {preview.summary}"


class _Reading:
    """One pass over an attendance file."""

    def __init__(self, practices: dict[str, int], held: dict[tuple[Date, str], dict[int, int]]):
        self.practices = practices
        self.held = held
        self.lines = Lines()
        self.meetings: dict[tuple[Date, str], dict[int, int]] = {}

    def read(self, source, limits: Limits) -> None:
        cells, line, rows = start(source, limits)
        header = Header(cells)
        if problems := header.faults(COLUMNS):
            for problem in problems:
                self.lines.refuse(line, problem)
            return
        for row in records(rows, header, self.lines):
            self.take(row)

    def take(self, row: Row) -> None:
        day, code = row.day("date"), row.text("practice_id", 20)
        title = row.text("title", TITLE_LIMIT)
        people = row.whole("people", 0, MOST_PEOPLE)
        missing = [
            name
            for name, value in zip(COLUMNS, (day, title, code, people), strict=True)
            if value is None and not clean(row.cells[name])
        ]
        row.faults += [f"{name} is empty; fill it in" for name in missing]
        if day and day > clock.today():
            row.faults.append(f"date {clock.show_date(day)} is still to come; correct the date")
        practice = self.practices.get(code)
        if code and practice is None:
            row.faults.append("there is no such practice; correct the code, or import the practice first")
        if row.faults:
            self.lines.refuse(row.number, "; ".join(row.faults), code or "")
            return
        meeting = self.meetings.setdefault((day, title), {})
        if practice in meeting:
            self.lines.refuse(row.number, "is in this meeting on an earlier line too; keep one of them", code)
            return
        meeting[practice] = people
        before = self.held.get((day, title), {}).get(practice)
        what = "add" if before is None else "same" if before == people else "change"
        self.lines.add(row.number, what, code, title, f"{clock.show_date(day)}, {title}: {people}")


def _held(session: Session, body_id: int) -> dict[tuple[Date, str], dict[int, int]]:
    """The whole log: people by practice id, by (date, title)."""
    found: dict[tuple[Date, str], dict[int, int]] = {}
    for held_on, title, practice_id, people in session.exec(
        select(Meeting.held_on, Meeting.title, Attendance.practice_id, Attendance.people)
        .outerjoin(Attendance, Attendance.meeting_id == Meeting.id)
        .where(Meeting.body_id == body_id)
    ):
        meeting = found.setdefault((held_on, title), {})
        if practice_id is not None:
            meeting[practice_id] = people
    return found


def _fingerprint(held: Mapping[tuple[Date, str], Mapping[int, int]]) -> str:
    return digest((meeting, sorted(people.items())) for meeting, people in held.items())


def _faults(day: Date, title: str) -> list[str]:
    problems = []
    if day > clock.today():
        problems.append(f"{clock.show_date(day)} is still to come; choose the day on which it was held")
    if not 1 <= len(title) <= TITLE_LIMIT:
        problems.append(f"give the meeting a title of at most {TITLE_LIMIT} characters")
    if (sign := formula_start(title)) is not None:
        problems.append(
            f'the title starts with "{sign}", which spreadsheets run as a formula; take the sign away'
        )
    return problems


def _find(session: Session, body_id: int, day: Date, title: str) -> Meeting | None:
    return session.exec(
        select(Meeting).where(Meeting.body_id == body_id, Meeting.held_on == day, Meeting.title == title)
    ).first()


def _own(session: Session, actor: Actor, meeting_id: int) -> Meeting:
    meeting = session.get(Meeting, meeting_id)
    if meeting is None:
        raise NotFound("There is no such meeting.")
    actor.require(meeting.body_id, Role.LEAD)
    return meeting


def _practices(session: Session, body_id: int) -> dict[str, int]:
    """Ids of the body's practices by code, closed ones too: a meeting lies in the past."""
    return dict(session.exec(select(Practice.code, Practice.id).where(Practice.body_id == body_id)).all())


def _write(session: Session, meeting: Meeting, people: Mapping[int, int | None]) -> None:
    if not people:
        return
    session.execute(
        delete(Attendance).where(
            Attendance.meeting_id == meeting.id, Attendance.practice_id.in_(list(people))
        )
    )
    rows = [
        {
            "meeting_id": meeting.id,
            "practice_id": practice_id,
            "body_id": meeting.body_id,
            "people": number,
        }
        for practice_id, number in people.items()
        if number is not None
    ]
    if rows:
        session.execute(insert(Attendance), rows)
