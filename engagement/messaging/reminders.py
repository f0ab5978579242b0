"""When reminders are due: a cap, a smallest gap, and only on working days. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from engagement import clock
from engagement.messaging import quiet

# A reminder that leaves later than this before the close helps nobody.
LAST_CALL = timedelta(hours=4)


def next_due(
    *,
    sent: int,
    most: int,
    gap_days: int,
    last: datetime,
    closes_at: datetime,
    own: Iterable[date] = (),
) -> datetime | None:
    """When the next reminder may leave, None when there is none to come.

    Parameters
    ----------
    sent : reminders so far.
    most : the cap.
    gap_days : days between one mail of the round and the next reminder, at least.
    last : when the invitation or the last reminder was put in the outbox. Counting from that, and not from the
        opening, keeps the gap also when the system was down for a while and has to catch up.
    closes_at : the round's close.
    own : the body's own quiet days.
    """
    if sent >= most:
        return None
    day = quiet.next_working_day(clock.london_date(last) + timedelta(days=gap_days), own)
    due = clock.from_london(day, quiet.SEND_AT)
    return due if due < closes_at - LAST_CALL else None


def plan(
    *, opens_at: datetime, closes_at: datetime, most: int, gap_days: int, own: Iterable[date] = ()
) -> list[datetime]:
    """All reminders of a round, as they will leave if nothing is held up."""
    out: list[datetime] = []
    last = opens_at
    while due := next_due(
        sent=len(out), most=most, gap_days=gap_days, last=last, closes_at=closes_at, own=own
    ):
        out.append(due)
        last = due
    return out
