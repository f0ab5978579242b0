"""Calendar files of visits. They go to phones and shared calendars, so they say where and when, and never why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from engagement import clock
from engagement.outreach.contacts import ContactRow

VISIT = timedelta(hours=1)


def file(rows: Iterable[ContactRow], *, body: str, address: str) -> bytes:
    """An iCalendar file with an event for every planned contact that has a day and time; the others are left out.

    `address`: of the installation; each event links to where its contact is logged. The same contact keeps its UID, so
    that a file imported again moves an event instead of doubling it.
    """
    from icalendar import Calendar, Event

    calendar = Calendar()
    calendar.add("prodid", "-//Member engagement//Outreach//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for row in rows:
        if row.visit_at is None or row.state != "planned":
            continue
        event = Event()
        event.add("uid", f"contact-{row.id}@{body.casefold()}.engagement")
        event.add("dtstamp", clock.now())
        event.add("dtstart", row.visit_at)
        event.add("dtend", row.visit_at + VISIT)
        event.add("summary", f"{row.action_name}: {row.name}")
        event.add("location", ", ".join(part for part in (row.name, row.postcode) if part))
        event.add("description", f"Log it afterwards: {address}/outreach?contact={row.id}")
        event.add("class", "PRIVATE")
        calendar.add_component(event)
    return calendar.to_ical()


def with_time(rows: Iterable[ContactRow]) -> int:
    """How many of these contacts a file would hold."""
    return sum(row.visit_at is not None and row.state == "planned" for row in rows)
