"""When rounds open and close: months, weekdays, days to avoid, dates moved, and what the clocks do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement import clock
from engagement.errors import Invalid
from engagement.messaging import quiet
from engagement.rounds import cadence
from engagement.rounds.cadence import DAY, WEEKDAY, Rule, next_dates

RULE = Rule(6, date(2026, 8, 6), 28)


def opens(found) -> list[str]:
    """The London days on which rounds open."""
    return [clock.london_date(dates.opens_at).isoformat() for dates in found]


def wall(instant: datetime) -> str:
    """An instant by the clock on a London wall."""
    return f"{instant.astimezone(clock.LONDON):%Y-%m-%d %H:%M}"


def test_the_day_of_the_month_comes_again():
    """Every six months on the 6th: opening and closing by the wall clock, in summer and in winter time."""
    found = next_dates(RULE, 0)
    assert opens(found) == ["2026-08-06", "2027-02-08", "2027-08-06", "2028-02-07"]
    assert found[0].opens_at == datetime(2026, 8, 6, 8, tzinfo=UTC)
    assert found[0].closes_at == datetime(2026, 9, 3, 16, tzinfo=UTC)
    assert found[1].opens_at == datetime(2027, 2, 8, 9, tzinfo=UTC)
    assert found[1].opening_shifted == "a weekend" and found[1].wanted == date(2027, 2, 6)
    assert [dates.turn for dates in next_dates(RULE, 7, count=2)] == [8, 9]


def test_the_31st_falls_back_and_comes_back():
    """A day that a month lacks is the month's last day, also in a leap year, and later months have it again."""
    found = [cadence.occurrence(Rule(1, date(2027, 12, 31), 20), n) for n in range(5)]
    assert [day.isoformat() for day in found] == [
        "2027-12-31",
        "2028-01-31",
        "2028-02-29",
        "2028-03-31",
        "2028-04-30",
    ]
    assert cadence.occurrence(Rule(12, date(2028, 2, 29), 20), 1) == date(2029, 2, 28)


@pytest.mark.parametrize(
    "first, third",
    [
        (date(2026, 9, 8), date(2026, 11, 10)),  # the second Tuesday
        (date(2026, 9, 30), date(2026, 11, 25)),  # a fifth Wednesday is the last
        (date(2026, 9, 1), date(2026, 11, 3)),  # the first Tuesday
    ],
)
def test_the_weekday_comes_again(first, third):
    """Every month on the k-th weekday, a fifth meaning the last."""
    rule = Rule(1, first, 20, by=WEEKDAY)
    assert cadence.occurrence(rule, 0) == first and cadence.occurrence(rule, 2) == third


def test_days_without_work_are_left_for_the_next_with_the_reason():
    """Weekends, bank holidays and the body's quiet days move an opening or a close on, and say why."""
    found = next_dates(Rule(12, date(2026, 8, 30), 37), 0, count=1)[0]
    assert wall(found.opens_at) == "2026-09-01 09:00"
    assert found.opening_shifted == "a weekend and a bank holiday"
    own = quiet.own_days(["2026-12-21/2027-01-04"])
    found = next_dates(Rule(12, date(2026, 12, 22), 28), 0, own, count=1)[0]
    assert wall(found.opens_at) == "2027-01-05 09:00"
    assert found.opening_shifted == "a quiet day, a bank holiday and a weekend"
    found = next_dates(Rule(12, date(2026, 11, 27), 28), 0, own, count=1)[0]
    assert wall(found.closes_at) == "2027-01-05 17:00" and found.closing_shifted
    assert found.opening_shifted is None


def test_a_moved_date_takes_the_rest_with_it():
    """The rule goes on from the day chosen; taking the move back puts all of them where they were."""
    moved = {2: date(2027, 3, 17)}
    found = next_dates(RULE, 0, moved=moved)
    assert opens(found) == ["2026-08-06", "2027-03-17", "2027-09-17", "2028-03-17"]
    assert [dates.moved for dates in found] == [False, True, False, False]
    assert next_dates(RULE, 2, moved=moved) == next_dates(RULE, 0, moved=moved, count=6)[2:]
    weekly = Rule(2, date(2026, 9, 8), 20, by=WEEKDAY)
    assert opens(next_dates(weekly, 1, moved={2: date(2026, 11, 26)}, count=2)) == [
        "2026-11-26",
        "2027-01-28",
    ]
    assert opens(next_dates(RULE, 0, moved={})) == opens(next_dates(RULE, 0))


def test_times_that_the_clocks_skip_or_repeat():
    """01:30 on 29 March is half an hour into summer time; on 25 October the first opens and the last closes."""
    assert cadence.instant(date(2026, 3, 29), time(1, 30)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    twice = date(2026, 10, 25), time(1, 30)
    assert cadence.instant(*twice) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert cadence.instant(*twice, last=True) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert cadence.instant(date(2026, 3, 29), time(1, 30), last=True) == datetime(
        2026, 3, 29, 1, 30, tzinfo=UTC
    )


def test_a_late_round_keeps_its_length_in_days():
    """Missed by days, it opens in working hours and closes as many days later; past half its length, never."""
    planned = next_dates(RULE, 0)[0]
    assert cadence.late(planned, planned.opens_at + timedelta(minutes=5)) == planned
    evening = datetime(2026, 8, 8, 20, tzinfo=UTC)  # a Saturday
    found = cadence.late(planned, evening)
    assert (wall(found.opens_at), wall(found.closes_at)) == ("2026-08-10 09:00", "2026-09-07 17:00")
    now = datetime(2026, 8, 18, 13, tzinfo=UTC)
    found = cadence.late(planned, now)
    assert found.opens_at == now and wall(found.closes_at) == "2026-09-15 17:00"
    assert cadence.late(planned, datetime(2026, 8, 20, 12, tzinfo=UTC))
    assert wall(planned.latest) == "2026-08-20 13:00"
    assert cadence.late(planned, planned.latest + timedelta(minutes=1)) is None
    early = replace(planned, opens_at=datetime(2026, 8, 6, 5, tzinfo=UTC))
    assert wall(cadence.late(early, evening).opens_at) == "2026-08-10 08:00"
    # What begins on Friday evening could only open on Monday, which is too late.
    week = next_dates(Rule(6, date(2026, 8, 3), 8), 0)[0]
    assert cadence.late(week, datetime(2026, 8, 7, 20, tzinfo=UTC)) is None


@given(
    every=st.integers(1, 24),
    first=st.dates(date(2025, 1, 1), date(2027, 12, 31)),
    days=st.integers(7, 27),
    by=st.sampled_from((DAY, WEEKDAY)),
    opening=st.times(),
    moves=st.dictionaries(st.integers(1, 6), st.integers(0, 20), max_size=2),
    closed=st.lists(st.dates(date(2025, 1, 1), date(2029, 1, 1)), max_size=3),
    lateness=st.timedeltas(timedelta(0), timedelta(days=20)),
)
@settings(max_examples=150, deadline=None)
def test_any_rule_holds(every, first, days, by, opening, moves, closed, lateness):
    """Whatever the rule: turns count up, dates rise, nothing opens or closes on a day without work or shorter than its
    length, wall-clock hours stand, and storing a rule changes nothing."""
    rule = Rule(every, first, days, by=by, opens=opening)
    own = {day + timedelta(days=n) for day in closed for n in range(7)}
    plain = next_dates(rule, 0, count=6)
    moved = {turn: plain[turn - 1].wanted + timedelta(days=on) for turn, on in moves.items()}
    found = next_dates(rule, 0, own, moved, 6)
    assert [dates.turn for dates in found] == list(range(1, 7))
    assert all(a.wanted < b.wanted and a.opens_at <= b.opens_at for a, b in pairwise(found))
    for dates in found:
        for at in (dates.opens_at, dates.closes_at):
            assert not quiet.is_quiet(clock.london_date(at), own)
        assert dates.opens_at.astimezone(clock.LONDON).time() == opening
        assert dates.closes_at.astimezone(clock.LONDON).time() == time(17)
        assert (clock.london_date(dates.closes_at) - clock.london_date(dates.opens_at)).days >= days
        assert (dates.opening_shifted is None) == (clock.london_date(dates.opens_at) == dates.wanted)
    assert Rule.from_json(rule.as_json()) == Rule(
        every, first, days, by, opening.replace(second=0, microsecond=0)
    )
    late = cadence.late(found[0], found[0].opens_at + lateness, own)
    if late is not None:
        assert found[0].opens_at <= late.opens_at <= found[0].latest
        assert (clock.london_date(late.closes_at) - clock.london_date(late.opens_at)).days >= days


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"every": 0}, "between 1 and 24 months"),
        ({"days": 6}, "between 7 and 92 days"),
        ({"by": "moon"}, "day of the month or the weekday"),
        ({"opens": time(1, 30)}, "between 8am and 6pm"),
        ({"closes": time(23)}, "between 8am and 6pm"),
        ({"every": 1, "days": 30}, "still be open"),
    ],
)
def test_rules_that_cannot_run_are_refused(changed, words):
    """Each fault of a rule is told in words."""
    cadence.check(RULE)
    with pytest.raises(Invalid, match=words):
        cadence.check(replace(RULE, **changed))


def test_a_rule_in_words():
    """The rule reads as a sentence, its day named as people say it."""
    assert cadence.sentence(RULE) == "Every 6 months on the 6th, open for 28 days, from 9am to 5pm"
    said = {
        Rule(1, date(2026, 8, 31), 20): "Every month on the 31st or the month's last day",
        Rule(12, date(2026, 9, 22), 20): "Every year on the 22nd",
        Rule(3, date(2026, 9, 11), 20): "Every 3 months on the 11th",
        Rule(3, date(2026, 9, 30), 20, by=WEEKDAY): "Every 3 months on the last Wednesday",
    }
    for rule, words in said.items():
        assert cadence.sentence(rule).startswith(words + ",")
    assert cadence.sentence(Rule(1, date(2026, 9, 1), 20, opens=time(8, 30), closes=time(12))).endswith(
        "from 8:30am to midday"
    )
