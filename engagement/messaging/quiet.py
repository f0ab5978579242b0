"""Days on which nobody is reminded: weekends, bank holidays of England and Wales, and a body's own. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from engagement import clock
from engagement.errors import Invalid
from engagement.roster.text import clean, parse_date

# Bank holidays of England and Wales with their substitute days. Source: GOV.UK, "UK bank holidays", for 2024 to 2028.
FIRST_YEAR, LAST_YEAR = 2024, 2028
BANK_HOLIDAYS = frozenset(
    date.fromisoformat(f"{year}-{day}")
    for year, days in {
        2024: "01-01 03-29 04-01 05-06 05-27 08-26 12-25 12-26",
        2025: "01-01 04-18 04-21 05-05 05-26 08-25 12-25 12-26",
        2026: "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28",
        2027: "01-01 03-26 03-29 05-03 05-31 08-30 12-27 12-28",
        2028: "01-03 04-14 04-17 05-01 05-29 08-28 12-25 12-26",
    }.items()
    for day in days.split()
)
MORNING, EVENING = time(8), time(18)
SEND_AT = time(9, 30)
LONGEST_RANGE = 92


def is_quiet(day: date, own: Iterable[date] = ()) -> bool:
    """Whether nobody is to be reminded on a day. Outside the years of the table only weekends and `own` are known."""
    return day.weekday() >= 5 or day in BANK_HOLIDAYS or day in own


def next_working_day(day: date, own: Iterable[date] = ()) -> date:
    """The day itself if it is not quiet, else the first after it that is not."""
    while is_quiet(day, own):
        day += timedelta(days=1)
    return day


def is_working_time(instant: datetime, own: Iterable[date] = ()) -> bool:
    """Whether an instant lies in the working hours of a day that is not quiet, in London."""
    wall = instant.astimezone(clock.LONDON)
    return not is_quiet(wall.date(), own) and MORNING <= wall.time() < EVENING


def own_days(stored: Iterable[str]) -> frozenset[date]:
    """The days that a body added, from how they are stored: `2026-12-24`, or `2026-12-24/2027-01-02` with both ends."""
    days: set[date] = set()
    for entry in stored:
        first, _, last = entry.partition("/")
        start, end = date.fromisoformat(first), date.fromisoformat(last or first)
        days.update(start + timedelta(days=n) for n in range((end - start).days + 1))
    return frozenset(days)


def parse_days(text: str) -> list[str]:
    """A body's own days as they are stored, from lines such as "2026-12-24" or "2026-12-24 to 2027-01-02".

    Raises `Invalid` with a line for each fault.
    """
    out, problems = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not clean(line):
            continue
        first, _, last = clean(line).partition(" to ")
        try:
            start, end = parse_date(first), parse_date(last or first)
        except ValueError as error:
            problems.append(f"Line {number} of the quiet days {error}")
            continue
        if not 0 <= (end - start).days < LONGEST_RANGE:
            problems.append(
                f"Line {number} of the quiet days must run forwards, over {LONGEST_RANGE} days at most"
            )
            continue
        out.append(start.isoformat() if start == end else f"{start.isoformat()}/{end.isoformat()}")
    if problems:
        raise Invalid("; ".join(problems), problems)
    return out


def show_days(stored: Iterable[str]) -> str:
    """Stored days as `parse_days` takes them, one to a line."""
    return "\n".join(entry.replace("/", " to ") for entry in stored)
