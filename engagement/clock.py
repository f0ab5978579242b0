"""The one clock. Stored in UTC, shown and entered in Europe/London."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engagement.errors import Invalid

LONDON = ZoneInfo("Europe/London")


def now() -> datetime:
    """The current instant, aware, in UTC. Tests replace this function."""
    return datetime.now(UTC)


def today() -> date:
    """Today's date in London, where the members are."""
    return now().astimezone(LONDON).date()


def london_date(instant: datetime) -> date:
    """The calendar date in London of an aware instant."""
    return instant.astimezone(LONDON).date()


def from_london(day: date, at: time, *, fold: int | None = None) -> datetime:
    """The UTC instant of a London wall-clock time.

    Raises `Invalid` for a time that the spring change skips, and for one that the autumn change repeats
    unless `fold` (0 for the first, 1 for the second) says which is meant.
    """
    wall = datetime.combine(day, at, tzinfo=LONDON)
    first = wall.replace(fold=0).astimezone(UTC)
    second = wall.replace(fold=1).astimezone(UTC)
    if first.astimezone(LONDON).replace(tzinfo=None) != wall.replace(tzinfo=None):
        raise Invalid(
            f"{show_date(day)} {at:%H:%M} does not exist: the clocks go forward then. Choose 02:00 or later."
        )
    if first != second and fold is None:
        raise Invalid(
            f"{show_date(day)} {at:%H:%M} happens twice: the clocks go back then. Choose a time before 01:00 "
            "or from 02:00."
        )
    return second if fold else first


def show_date(day: date | datetime) -> str:
    """ "6 August 2026"; an instant is first taken to London."""
    if isinstance(day, datetime):
        day = london_date(day)
    return f"{day.day} {day:%B %Y}"


def show_instant(instant: datetime) -> str:
    """ "6 August 2026 at 5pm" in London, minutes only where there are any."""
    wall = instant.astimezone(LONDON)
    hour = wall.hour % 12 or 12
    minutes = f":{wall.minute:02d}" if wall.minute else ""
    if wall.hour == 12 and not wall.minute:
        clock = "midday"
    elif wall.hour == 0 and not wall.minute:
        clock = "midnight"
    else:
        clock = f"{hour}{minutes}{'am' if wall.hour < 12 else 'pm'}"
    return f"{show_date(wall.date())} at {clock}"


def days(number: float) -> timedelta:
    """A length in days."""
    return timedelta(days=number)
