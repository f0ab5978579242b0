"""Reminders keep their distance, their cap and the days off, and catch up without crowding."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement import clock
from engagement.errors import Invalid
from engagement.messaging import quiet, reminders, settings
from engagement.models import Mailing
from tests import support
from tests.messaging.conftest import Office


def easter(year: int) -> date:
    """Easter Sunday. Source: the anonymous Gregorian algorithm (Meeus, Jones and Butcher)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def by_rule(year: int) -> set[date]:
    """The bank holidays of England and Wales by the rules that make them, substitutes included."""

    def monday(month: int, last: bool = False) -> date:
        day = date(year, month, 31 if last else 7)
        return day - timedelta(days=day.weekday())

    found = {easter(year) - timedelta(days=2), easter(year) + timedelta(days=1)}
    found |= {monday(5), monday(5, last=True), monday(8, last=True)}
    for fixed in (date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)):
        while fixed.weekday() >= 5 or fixed in found:
            fixed += timedelta(days=1)
        found.add(fixed)
    return found


def test_the_table_of_bank_holidays_follows_the_rules():
    """Every year of the table holds the days that the rules give, and no other."""
    for year in range(quiet.FIRST_YEAR, quiet.LAST_YEAR + 1):
        assert {day for day in quiet.BANK_HOLIDAYS if day.year == year} == by_rule(year), year
    assert {day.year for day in quiet.BANK_HOLIDAYS} == set(range(quiet.FIRST_YEAR, quiet.LAST_YEAR + 1))


@given(
    opens=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1)).map(lambda d: d.replace(tzinfo=UTC)),
    length=st.integers(1, 90),
    most=st.integers(0, 7),
    gap=st.integers(2, 30),
    own=st.frozensets(st.dates(date(2026, 1, 1), date(2028, 3, 1)), max_size=30),
)
def test_a_plan_keeps_all_its_rules(opens, length, most, gap, own):
    """At most the cap, never nearer than the gap, on working days at half past nine, and in time before the close."""
    closes = opens + timedelta(days=length)
    plan = reminders.plan(opens_at=opens, closes_at=closes, most=most, gap_days=gap, own=own)
    assert len(plan) <= most
    before = opens
    for due in plan:
        wall = due.astimezone(clock.LONDON)
        assert (wall.hour, wall.minute) == (9, 30) and not quiet.is_quiet(wall.date(), own)
        assert (wall.date() - clock.london_date(before)).days >= gap
        assert due < closes - reminders.LAST_CALL
        before = due


def test_reminders_over_the_clock_change_stay_at_half_past_nine():
    """A plan over 29 March and 25 October 2026 keeps London's time of day."""
    for opens in (datetime(2026, 3, 20, 9, tzinfo=UTC), datetime(2026, 10, 16, 9, tzinfo=UTC)):
        plan = reminders.plan(opens_at=opens, closes_at=opens + timedelta(days=30), most=3, gap_days=7)
        assert {due.astimezone(clock.LONDON).strftime("%H:%M") for due in plan} == {"09:30"}
        assert len({due.utcoffset() for due in plan}) == 1 and len({due.hour for due in plan}) == 2


def reminded(office: Office) -> list[tuple[int, str]]:
    """The reminders that were queued, with their days in London."""
    with office.database.reading() as session:
        rows = session.exec(
            support.select(Mailing).where(Mailing.kind == "reminder").order_by(Mailing.number)
        )
        return [(row.number, clock.london_date(row.queued_at).isoformat()) for row in rows.all()]


def test_a_round_reminds_by_itself(office: Office):
    """From Tuesday to Tuesday week, checked every three hours: at most three reminders, five days apart, on working days."""
    while office.time.now < datetime(2026, 9, 22, 12, tzinfo=UTC):
        office.post()
        office.time.on(hours=3)
    # Five days after the 8th is a Sunday; five after the 14th a Saturday, and then the close is a day away.
    assert reminded(office) == [(1, "2026-09-14"), (2, "2026-09-21")]


def test_after_a_standstill_reminders_do_not_crowd(office: Office):
    """A week without a worker is caught up by one reminder, and the next keeps its distance from that one."""
    office.post()
    office.time.on(days=10)
    office.post()
    office.post()
    assert reminded(office) == [(1, "2026-09-18")]
    office.time.on(days=3)
    office.post()
    assert reminded(office) == [(1, "2026-09-18")]


def test_reminders_wait_over_night_and_weekend(office: Office):
    """What was queued and not sent by the evening waits until the next working morning; invitations do not wait."""
    office.post()
    office.way.mails.clear()
    # The rate is low, and so most of them are still there on Friday evening.
    from dataclasses import replace

    quick, office.config = (
        office.config,
        replace(office.config, mail=replace(office.config.mail, per_minute=5)),
    )
    office.time.now = datetime(2026, 9, 18, 16, 59, tzinfo=UTC)
    office.post()
    early = len(office.way.mails)
    assert 0 < early < 60
    office.config = quick
    for weekend in ((18, 18), (19, 10), (20, 10), (21, 6)):
        office.time.now = datetime(2026, 9, *weekend, 1, tzinfo=UTC)
        office.post()
        assert len(office.way.mails) == early
    office.time.now = datetime(2026, 9, 21, 8, 30, tzinfo=UTC)
    office.post()
    assert len(office.way.mails) == 60


def test_a_body_has_its_own_quiet_days_and_plan(office: Office):
    """Quiet days and the cap of one body hold for its own reminders."""
    with office.database.session() as session:
        settings.save(
            session,
            support.OPERATOR,
            office.body_id,
            office.config,
            reminders=1,
            gap_days=3,
            quiet_days="11/9/2026 to 2026-09-14\n2026-09-15",
        )
    while office.time.now < datetime(2026, 9, 22, 9, tzinfo=UTC):
        office.post()
        office.time.on(hours=3)
    assert reminded(office) == [(1, "2026-09-16")]


@pytest.mark.parametrize("text", ["tomorrow", "2026-09-14 to 2026-09-11", "2026-01-01 to 2026-12-31"])
def test_days_that_cannot_be_read_are_refused(text: str):
    """A line that is no date, runs backwards or is too long is named by its number."""
    with pytest.raises(Invalid, match="Line 2"):
        quiet.parse_days(f"2026-09-11\n{text}")


def test_quiet_days_come_back_as_they_were_typed():
    """Stored days are shown in the form in which they can be typed again."""
    stored = quiet.parse_days("24/12/2026 to 2.1.2027\n\n2026-05-01")
    assert quiet.parse_days(quiet.show_days(stored)) == stored
    assert len(quiet.own_days(stored)) == 11


def test_settings_that_cannot_be_kept_are_refused_together(office: Office):
    """All that is wrong with the settings is said at once, and nothing is kept."""
    with pytest.raises(Invalid) as caught, office.database.session() as session:
        settings.save(
            session,
            support.OPERATOR,
            office.body_id,
            office.config,
            sender_name="A\r\nBcc: all@example.org",
            sender_address="not an address",
            reply_to="x@example.org\r\nBcc: y@example.org",
            reminders=9,
            gap_days=1,
        )
    assert len(caught.value.problems) == 5
    with office.database.reading() as session:
        assert settings.of(session, office.body_id).reminders == 3
