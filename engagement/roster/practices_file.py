"""Practices from a file: our CSV with a header, or the ODS practice file as published.

The ODS practice file (`epraccur`) has 27 quoted fields and no header. Its rows are prescribing cost centres: GP
practices are those with setting 4. A close date there is the last day on which the practice was open (commissioners
close on 31 March and their successors open on 1 April), so the first day without it, which is what we store, is the
next. Practices are matched on code alone: names and postcodes are shared by practices that have nothing in common.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from sqlmodel import Session, select

from engagement import clock
from engagement.access.actor import Actor, Role
from engagement.clock import show_date
from engagement.errors import NotAllowed, NotFound
from engagement.models import Body, Locality, Practice
from engagement.roster.columns import Header, Row, records, start
from engagement.roster.preview import Lines, Plan, Preview, TooManyRefusals, digest, preview_of
from engagement.roster.table_file import COMMAND_LINE, Fault, Limits, Source, inspect, opened
from engagement.roster.text import clean, shown

COLUMNS = (
    "practice_id",
    "name",
    "body_id",
    "locality_id",
    "locality_name",
    "list_size",
    "postcode",
    "easting",
    "northing",
    "opened",
    "closed",
    "successor_id",
)
REQUIRED = ("practice_id", "name")
DEFAULT_CODE = "BODY"
FIELDS = ("name", "locality", "list_size", "postcode", "easting", "northing", "opened", "closed", "successor")
LABELS = {"list_size": "list size", "successor": "merged into"}

# Fields of the ODS practice file, counted from 0 (Organisation Data Service specification of epraccur).
ODS_FIELDS = 27
CODE, NAME, ADDRESS, POSTCODE, OPENED, CLOSED, STATUS = 0, 1, slice(4, 9), 9, 10, 11, 12
COMMISSIONER, JOINED, LEFT, SETTING = 14, 15, 16, 25
GP_PRACTICE = "4"


@dataclass(slots=True)
class Wanted:
    """A practice as a file describes it; None where the file does not say."""

    number: int
    code: str
    name: str | None = None
    locality: str | None = None
    list_size: int | None = None
    postcode: str | None = None
    easting: int | None = None
    northing: int | None = None
    opened: date | None = None
    closed: date | None = None
    successor: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """A practice as the roster holds it, with the codes of its locality and successor."""

    id: int
    code: str
    name: str
    locality: str | None
    list_size: int | None
    postcode: str | None
    easting: int | None
    northing: int | None
    opened: date | None
    closed: date | None
    successor: str | None
    attributes: dict[str, Any]

    def open_on(self, day: date) -> bool:
        """Whether it is a member practice on that day."""
        return (self.opened is None or self.opened <= day) and (self.closed is None or day < self.closed)


def held_practices(session: Session, body_id: int | None) -> dict[str, Held]:
    """Every practice of the body by code."""
    if body_id is None:
        return {}
    rows = session.exec(
        select(
            Practice.id,
            Practice.code,
            Practice.name,
            Locality.code,
            Practice.list_size,
            Practice.postcode,
            Practice.easting,
            Practice.northing,
            Practice.opened,
            Practice.closed,
            Practice.successor_id,
            Practice.attributes,
        )
        .outerjoin(Locality, Locality.id == Practice.locality_id)
        .where(Practice.body_id == body_id)
    ).all()
    codes = {row[0]: row[1] for row in rows}
    return {row[1]: Held(*row[:10], codes.get(row[10]), row[11]) for row in rows}


def fingerprint(held: dict[str, Held]) -> str:
    """What the practices are now, in one line."""
    return digest(
        [
            (h.id, h.code, *(getattr(h, f) for f in FIELDS), sorted(h.attributes.items()))
            for h in held.values()
        ]
    )


def bodies_in(file: BinaryIO | bytes | str | Path, *, limits: Limits = COMMAND_LINE) -> dict[str, int]:
    """The codes of the bodies that a practice file names, with how many practices each has in it.

    In the ODS file these are the commissioners of active GP practices. Empty for a file that names none and for
    one that cannot be read: the preview says why.
    """
    with opened(file) as stream:
        try:
            first, _, rows = start(inspect(stream, limits), limits)
            if is_ods(first):
                found = Counter(r[COMMISSIONER] for r in (first, *(cells for _, cells in rows)) if _active(r))
            else:
                header = Header(first)
                if "body_id" not in header.names:
                    return {}
                at = header.names.index("body_id")
                found = Counter(clean(cells[at]) for _, cells in rows if len(cells) > at)
        except Fault:
            return {}
    return {code: n for code, n in sorted(found.items()) if code}


def is_ods(first: list[str]) -> bool:
    """Whether a file's first record is one of the ODS practice file and not a header."""
    return (
        len(first) == ODS_FIELDS
        and first[STATUS] in ("A", "C", "D", "P")
        and (first[OPENED].isdigit() or not first[OPENED])
    )


def _active(cells: list[str]) -> bool:
    return len(cells) == ODS_FIELDS and cells[STATUS] == "A" and cells[SETTING] == GP_PRACTICE


def preview_practices(
    session: Session,
    actor: Actor,
    body_id: int | None,
    file: BinaryIO | bytes | str | Path,
    *,
    name: str,
    commissioner: str | None = None,
    on: date | None = None,
    close_absent: date | None = None,
    body_code: str | None = None,
    limits: Limits = COMMAND_LINE,
) -> Preview:
    """Read a practice file against the roster, changing nothing.

    Parameters
    ----------
    body_id : the body; None (the operator only) for the body that the file or `body_code` names, which `apply`
        makes if there is none.
    commissioner : which body's rows to take: the commissioner code in the ODS file, `body_id` in a CSV file.
        By default the body's own code.
    on : the day that the ODS file is asked about; today by default.
    close_absent : close the open practices that the file does not name, from this day; by default they stay.

    Everything wrong with the file is a refused line of the preview, not an exception.
    """
    if body_id is None and not actor.everything:
        raise NotAllowed("Only the operator of the server can add a body.")
    if body_id is not None:
        actor.require(body_id, Role.LEAD)
        if session.get(Body, body_id) is None:
            raise NotFound("There is no such body.")
    lines = Lines()
    reading = _Reading(
        session, body_id, lines, clean(commissioner or ""), on or clock.today(), body_code, close_absent
    )
    source = None
    try:
        with opened(file) as stream:
            source = inspect(stream, limits)
            if source.note:
                lines.add(source.note[0], "note", detail=source.note[1])
            reading.read(source, limits)
    except Fault as fault:
        lines.all.append(_fault_line(fault))
        lines.refusals += 1
    except TooManyRefusals:
        pass
    return preview_of(
        "practices",
        clean(name) or "the file",
        (reading.body_id, reading.code),
        lines,
        fingerprint(reading.held),
        source,
        reading.plan(),
    )


def _fault_line(fault: Fault):
    from engagement.roster.preview import Line

    return Line(fault.line, "refuse", "", "", fault.detail)


class _Reading:
    """One pass over a practice file."""

    def __init__(self, session, body_id, lines: Lines, commissioner: str, on: date, body_code, close_absent):
        self.session = session
        self.lines = lines
        self.commissioner = commissioner
        self.on = on
        self.close_absent = close_absent
        self.body_id = body_id
        self.code = session.get(Body, body_id).code if body_id is not None else clean(body_code or "")
        self.held = held_practices(session, body_id)
        self.additions: list[dict[str, Any]] = []
        self.changes: list[tuple[int, dict[str, Any]]] = []
        self.localities: dict[str, str] = {}

    def plan(self) -> Plan:
        return Plan(
            practices_add=tuple(self.additions),
            practices_change=tuple(self.changes),
            localities=self.localities,
        )

    def read(self, source: Source, limits: Limits) -> None:
        first, number, rows = start(source, limits)
        if is_ods(first):
            self._ods(number, first, rows)
        else:
            self._csv(number, first, rows)

    def _choose_body(self, code: str) -> None:
        """The file says whose practices these are: take that body, if it is there already."""
        if self.body_id is not None:
            return
        self.code = self.code or code
        body = self.session.exec(select(Body.id).where(Body.code == self.code)).first()
        if body is not None:
            self.body_id = body
            self.held = held_practices(self.session, body)

    # Our CSV

    def _csv(self, number: int, first: list[str], rows: Iterator[tuple[int, list[str]]]) -> None:
        header = Header(first)
        faults = header.faults(REQUIRED)
        for fault in faults:
            self.lines.refuse(number, fault)
        if faults:
            return
        found = list(records(rows, header, self.lines))
        if not found and not self.lines.refusals:
            self.lines.refuse(
                number, "there are no rows under the column titles; choose the file that holds the rows"
            )
            return
        found = self._of_one_body(found)
        if found is None:
            return
        wanted: dict[str, Wanted] = {}
        for row in found:
            practice = self._wanted(row)
            if practice is None:
                continue
            if practice.code in wanted:
                self.lines.refuse(
                    row.number,
                    f"is also on line {wanted[practice.code].number}; keep one of the two lines",
                    practice.code,
                )
                continue
            wanted[practice.code] = practice
        self._successors(wanted)
        refused = {line.number for line in self.lines.all if line.what == "refuse"}
        for practice in wanted.values():
            if practice.number not in refused:
                self._compare(practice)
        if not refused:
            self._absent(set(wanted))

    def _of_one_body(self, found: list[Row]) -> list[Row] | None:
        codes = Counter(clean(row.cells.get("body_id", "")) for row in found)
        codes.pop("", None)
        chosen = self.commissioner or self.code
        if not codes:
            self._choose_body(chosen or DEFAULT_CODE)
            return found
        if not chosen and len(codes) == 1:
            chosen = next(iter(codes))
        if chosen not in codes:
            some = ", ".join(shown(code) for code in sorted(codes)[:5]) + (", …" if len(codes) > 5 else "")
            what = f"no line has body_id {shown(chosen)}" if chosen else f"the file holds {len(codes)} bodies"
            self.lines.refuse(0, f"{what}; choose the one to import: the file has {some}")
            return None
        self._choose_body(chosen)
        mine = [row for row in found if clean(row.cells["body_id"]) in ("", chosen)]
        if others := len(found) - len(mine):
            self.lines.add(0, "note", detail=f"{_rows(others)} of other bodies left out; {chosen} was taken")
        return mine

    def _wanted(self, row: Row) -> Wanted | None:
        code = row.text("practice_id", 20)
        practice = Wanted(
            number=row.number,
            code=code or "",
            name=row.text("name", 200),
            locality=row.text("locality_id", 40),
            list_size=row.whole("list_size", 0, 10_000_000),
            postcode=row.text("postcode", 10),
            easting=row.parsed("easting", _metres),
            northing=row.parsed("northing", _metres),
            opened=row.day("opened"),
            closed=row.day("closed"),
            successor=row.text("successor_id", 20),
            attributes=row.others(COLUMNS),
        )
        locality_name = row.text("locality_name", 200)
        held = self.held.get(practice.code)
        if code is None:
            row.faults.append("practice_id is empty; give the practice's ODS code")
        if practice.name is None and held is None:
            row.faults.append("name is empty; give the practice's name")
        opened_on = practice.opened or (held.opened if held else None)
        closed_on = practice.closed or (held.closed if held else None)
        if opened_on and closed_on and closed_on < opened_on:
            row.faults.append(
                f"closed {show_date(closed_on)} is before opened {show_date(opened_on)}; correct one of the dates"
            )
        if practice.successor and practice.successor == practice.code:
            row.faults.append(
                "successor_id is the practice itself; give the code of the practice that took it over"
            )
        for fault in row.faults:
            self.lines.refuse(row.number, fault, practice.code, practice.name or "")
        if row.faults:
            return None
        if practice.locality:
            self.localities[practice.locality] = (
                locality_name or self.localities.get(practice.locality) or practice.locality
            )
        if practice.successor and closed_on is None:
            self._note(practice, "has a successor and no closing date; it stays open until closed is given")
        if row.hidden:
            self.lines.add(
                row.number,
                "note",
                practice.code,
                practice.name or "",
                "hidden characters were taken out of its text",
            )
        return practice

    def _successors(self, wanted: dict[str, Wanted]) -> None:
        after = {code: held.successor for code, held in self.held.items()}
        after |= {code: p.successor for code, p in wanted.items() if p.successor or code not in after}
        for practice in wanted.values():
            if not practice.successor:
                continue
            if practice.successor not in after:
                self.lines.refuse(
                    practice.number,
                    f"successor_id {shown(practice.successor)} is no practice of this file or roster; add it, "
                    "or correct the code",
                    practice.code,
                    practice.name or "",
                )
                continue
            seen, code = {practice.code}, practice.successor
            while code and code not in seen:
                seen.add(code)
                code = after.get(code)
            if code:
                self.lines.refuse(
                    practice.number,
                    f"successor_id leads round in a circle back to {shown(code)}; correct one of the successors",
                    practice.code,
                    practice.name or "",
                )

    # The ODS practice file

    def _ods(self, number: int, first: list[str], rest: Iterator[tuple[int, list[str]]]) -> None:
        if not self.commissioner and self.code:
            self.commissioner = self.code
        rows, commissioners = [], Counter()
        for line, cells in self._all(number, first, rest):
            if len(cells) != ODS_FIELDS:
                self.lines.refuse(
                    line,
                    f"has {len(cells)} fields where the ODS practice file has {ODS_FIELDS}; download the file again",
                )
                continue
            if _active(cells):
                commissioners[cells[COMMISSIONER]] += 1
            rows.append((line, cells))
        if self.lines.refusals:
            return
        if not self.commissioner and len(commissioners) == 1:
            self.commissioner = next(iter(commissioners))
        if self.commissioner not in commissioners:
            what = (
                f"no active GP practice has the commissioner {shown(self.commissioner)}"
                if self.commissioner
                else "the commissioner is not chosen"
            )
            some = ", ".join(sorted(commissioners)[:5])
            self.lines.refuse(
                0, f"{what}; choose one of the {len(commissioners)} codes in the file, such as {some}"
            )
            return
        self._choose_body(self.commissioner)
        seen: dict[str, int] = {}
        left_out = 0
        for line, cells in rows:
            ours = cells[COMMISSIONER] == self.commissioner
            held = self.held.get(clean(cells[CODE]))
            if not ours and held is None:
                continue
            taken = self._ods_row(line, cells, held, ours, seen)
            left_out += ours and not taken
        if left_out:
            self.lines.add(
                0,
                "note",
                detail=f"{_rows(left_out)} of {self.commissioner} left out: not active GP practices on "
                f"{show_date(self.on)}",
            )
        self._absent(set(seen))

    @staticmethod
    def _all(number, first, rest):
        yield number, first
        yield from rest

    def _ods_row(
        self, line: int, cells: list[str], held: Held | None, ours: bool, seen: dict[str, int]
    ) -> bool:
        """Take one row into account; whether it said something of a practice of ours."""
        row = Row(
            line,
            {
                "code": cells[CODE],
                "name": cells[NAME],
                "postcode": cells[POSTCODE],
                "opened": cells[OPENED],
                "closed": cells[CLOSED],
                "left": cells[LEFT],
                "address": ", ".join(filter(None, map(clean, cells[ADDRESS]))),
            },
        )
        practice = Wanted(
            number=line,
            code=row.text("code", 20) or "",
            name=row.text("name", 200),
            postcode=row.text("postcode", 10),
            opened=row.day("opened"),
        )
        if address := row.text("address", 300):
            practice.attributes = {"address": address}
        last_day, left = row.day("closed"), row.day("left")
        if not practice.code or not practice.name:
            row.faults.append("the code or the name is empty; download the file again")
        if row.faults:
            for fault in row.faults:
                self.lines.refuse(line, fault, practice.code, practice.name or "")
            return True
        if practice.code in seen:
            self.lines.refuse(
                line, f"is also on line {seen[practice.code]}; keep one of the two lines", practice.code
            )
            return True
        status, gp = cells[STATUS], cells[SETTING] == GP_PRACTICE
        closed = last_day + timedelta(days=1) if last_day else None
        if held is not None:
            seen[practice.code] = line
        if not ours:
            if held.open_on(self.on):
                since = f" since {show_date(row.day('joined'))}" if row.day("joined") else ""
                self._note(
                    practice,
                    f"the file has it under {shown(cells[COMMISSIONER])}{since}, and here it is "
                    "open; close it on the Roster page if it has left",
                )
            return True
        if not gp:
            if held is not None:
                self._note(
                    practice,
                    "the file no longer has it as a GP practice; left as it is here. Close it on the "
                    "Roster page if it is none",
                )
            return held is not None
        if status == "C" and closed:
            return self._ods_closed(practice, held, closed, seen)
        if status in ("C", "D"):
            if held is not None and held.open_on(self.on):
                word = "dormant" if status == "D" else "closed"
                self._note(
                    practice,
                    f"{word} in the file, with no closing date; left open here. Ask the practice, and "
                    "close it on the Roster page if it has closed",
                )
            return held is not None
        started = practice.opened is None or practice.opened <= self.on
        over = (closed and closed <= self.on) or (left and left < self.on)
        if status != "A" or not started or over:
            return held is not None
        practice.closed = closed
        if held is not None and held.closed and held.closed <= self.on:
            self._note(
                practice,
                f"active in the file, and closed here since {show_date(held.closed)}; left closed. "
                "Reopen it on the Roster page if that is wrong",
            )
            return True
        seen[practice.code] = line
        self._compare(practice)
        return True

    def _ods_closed(self, practice: Wanted, held: Held | None, closed: date, seen: dict[str, int]) -> bool:
        if held is None:
            if closed <= self.on or (practice.opened and practice.opened > self.on):
                return False
            seen[practice.code] = practice.number
            practice.closed = closed
            self._compare(practice)
        elif held.closed is None:
            practice.closed = closed
            if held.opened and closed < held.opened:
                self._note(
                    practice,
                    f"closed on {show_date(closed)} in the file, before it opened here; left as it is",
                )
            else:
                self._compare(practice)
        elif held.closed != closed:
            self._note(
                practice,
                f"closed {show_date(held.closed)} here and {show_date(closed)} in the file; left as it is",
            )
        else:
            self.lines.add(practice.number, "same", practice.code, practice.name or "")
        return True

    # Both

    def _note(self, practice: Wanted, detail: str) -> None:
        self.lines.add(practice.number, "note", practice.code, practice.name or "", detail)

    def _compare(self, practice: Wanted) -> None:
        held = self.held.get(practice.code)
        label = practice.name or (held.name if held else "")
        if held is None:
            values = {name: getattr(practice, name) for name in FIELDS}
            self.additions.append({"code": practice.code, **values, "attributes": practice.attributes})
            details = []
            if practice.opened:
                details.append(f"opened {show_date(practice.opened)}")
            if practice.closed:
                details.append(f"closed {show_date(practice.closed)}{_into(practice.successor)}")
            self.lines.add(practice.number, "add", practice.code, label, ", ".join(details))
            return
        # An empty cell never takes away what is held: files are often partial.
        new = {
            name: value
            for name in FIELDS
            if (value := getattr(practice, name)) is not None and value != getattr(held, name)
        }
        attributes = held.attributes | practice.attributes
        if not new and attributes == held.attributes:
            self.lines.add(practice.number, "same", practice.code, label)
            return
        said = [
            f"{LABELS.get(f, f)}: {_show(getattr(held, f))} → {_show(v)}"
            for f, v in new.items()
            if f != "closed"
        ]
        said += [
            f"{key}: {_show(held.attributes.get(key))} → {_show(value)}"
            for key, value in practice.attributes.items()
            if held.attributes.get(key) != value
        ]
        if "closed" in new:
            merged = _into(practice.successor or held.successor)
            said.insert(0, f"closed from {show_date(practice.closed)}{merged}")
            if not merged:
                said.append(
                    "its people are no longer invited from then; give the practice it was merged into if there is one"
                )
        what = "close" if "closed" in new and held.closed is None else "change"
        if attributes != held.attributes:
            new["attributes"] = attributes
        self.changes.append((held.id, new))
        self.lines.add(practice.number, what, practice.code, label, "; ".join(said))

    def _absent(self, named: set[str]) -> None:
        for code, held in sorted(self.held.items()):
            if code in named or not held.open_on(self.close_absent or self.on):
                continue
            if self.close_absent is None:
                self.lines.add(0, "note", code, held.name, "not in this file, left as it is")
            elif held.closed is None or self.close_absent < held.closed:
                self.changes.append((held.id, {"closed": self.close_absent}))
                self.lines.add(
                    0,
                    "close",
                    code,
                    held.name,
                    f"not in this file, closed from {show_date(self.close_absent)}",
                )


def _metres(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("is not a number; write metres of the national grid") from None
    if not -10_000_000 <= value <= 10_000_000:
        raise ValueError("is not in Great Britain; write metres of the national grid")
    return round(value)


def _into(successor: str | None) -> str:
    return f", merged into {successor}" if successor else ""


def _rows(n: int) -> str:
    return f"{n:,} {'row' if n == 1 else 'rows'}"


def _show(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, date):
        return show_date(value)
    return f"{value:,}" if isinstance(value, int) else shown(str(value))
