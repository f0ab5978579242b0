"""When a programme's rounds open and close: a rule, the days to avoid, and the dates that somebody moved. Pure.

Days and hours are London's wall-clock; instants that come out are UTC. A day on which nobody works (a weekend, a bank
holiday, a quiet day of the body) is left for the next on which people do.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import Any

from engagement import clock
from engagement.errors import Invalid
from engagement.messaging import quiet

DAY, WEEKDAY = "day", "weekday"
# A round that opens later than this after its time on its own day still closes when it was to.
PROMPT = timedelta(hours=1)
# How many rounds to come are looked at when a rule is checked.
LOOKED_AT = 24
_NTH = ("first", "second", "third", "fourth", "last")


@dataclass(frozen=True)
class Rule:
    """Every `every` months from the day `first`, which is turn number `turn` of the programme.

    `by` says what of `first` comes again: its day of the month (in a shorter month the last day), or its weekday, such
    as the second Tuesday (a fifth one means the last). A round lasts `days` days, from `opens` to `closes` o'clock.
    """

    every: int
    first: date
    days: int
    by: str = DAY
    opens: time = time(9)
    closes: time = time(17)
    turn: int = 1

    def as_json(self) -> dict[str, Any]:
        """The rule as it is stored."""
        return {
            "every": self.every,
            "first": self.first.isoformat(),
            "days": self.days,
            "by": self.by,
            "opens": f"{self.opens:%H:%M}",
            "closes": f"{self.closes:%H:%M}",
            "turn": self.turn,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Rule:
        """The rule from how it is stored."""
        return cls(
            **dict(stored)
            | {
                "first": date.fromisoformat(stored["first"]),
                "opens": time.fromisoformat(stored["opens"]),
                "closes": time.fromisoformat(stored["closes"]),
            }
        )


@dataclass(frozen=True)
class Dates:
    """One turn: when its round opens and closes (UTC), and why not on the days that the rule names.

    `wanted` is the day by the rule, or the one it was moved to; `closing_wanted` lies the rule's length after the
    opening. The reasons are such as "a bank holiday", None where a day stands as it was wanted.
    """

    turn: int
    wanted: date
    opens_at: datetime
    closes_at: datetime
    moved: bool = False
    opening_shifted: str | None = None
    closing_shifted: str | None = None
    closing_wanted: date | None = None

    @property
    def latest(self) -> datetime:
        """The last instant at which the round may open: half its length late."""
        return self.opens_at + (self.closes_at - self.opens_at) / 2


def check(
    rule: Rule, own: Collection[date] = (), moved: Mapping[int, date] | None = None, after: int = 0
) -> None:
    """Raise `Invalid`, with one line for each fault, for a rule that cannot be run from the turn after `after` on."""
    faults = []
    if not 1 <= rule.every <= 24:
        faults.append("Choose between 1 and 24 months from one round to the next")
    if not 7 <= rule.days <= 92:
        faults.append("A round must last between 7 and 92 days")
    if rule.by not in (DAY, WEEKDAY):
        faults.append("Choose whether the day of the month or the weekday comes again")
    if not (quiet.MORNING <= rule.opens < quiet.EVENING and quiet.MORNING <= rule.closes <= quiet.EVENING):
        faults.append("Rounds open and close between 8am and 6pm")
    if not faults:
        ahead = next_dates(rule, after, own, moved, LOOKED_AT)
        for one, following in pairwise(ahead):
            if following.opens_at <= one.closes_at:
                faults.append(
                    f"The round that opens on {clock.show_date(one.opens_at)} would still be open on "
                    f"{clock.show_date(following.opens_at)}, when the next one opens. Choose shorter rounds or more "
                    "months between them"
                )
                break
    if faults:
        raise Invalid("; ".join(faults), faults)


def next_dates(
    rule: Rule,
    after: int,
    own: Collection[date] = (),
    moved: Mapping[int, date] | None = None,
    count: int = 4,
) -> list[Dates]:
    """The next `count` turns after turn number `after`, in order.

    `own` are the body's quiet days, `moved` the days that somebody chose, by turn: the rule goes on from the day
    chosen as if it had begun there, so that what follows moves too.
    """
    ahead = (_dates(rule, *wanted, own) for wanted in _wanted(rule, moved or {}) if wanted[0] > after)
    return list(islice(ahead, count))


def _wanted(rule: Rule, moved: Mapping[int, date]) -> Iterator[tuple[int, date, bool]]:
    """Turn by turn: its number, the day wanted, and whether that day was moved."""
    turn = rule.turn
    while True:
        if turn in moved:
            rule = replace(rule, first=moved[turn], turn=turn)
        yield turn, occurrence(rule, turn - rule.turn), turn in moved
        turn += 1


def occurrence(rule: Rule, number: int) -> date:
    """The day by the rule alone, `number` turns after its first."""
    months = rule.first.year * 12 + rule.first.month - 1 + number * rule.every
    year, month = months // 12, months % 12 + 1
    last = calendar.monthrange(year, month)[1]
    if rule.by == DAY:
        return date(year, month, min(rule.first.day, last))
    day = 1 + (rule.first.weekday() - date(year, month, 1).weekday()) % 7 + 7 * _nth(rule.first)
    return date(year, month, day if day <= last else day - 7)


def _nth(day: date) -> int:
    """0 for a month's first such weekday, 4 for its fifth."""
    return (day.day - 1) // 7


def _dates(rule: Rule, turn: int, wanted: date, moved: bool, own: Collection[date]) -> Dates:
    opening, why_opening = working_day(wanted, own)
    closing_wanted = opening + timedelta(days=rule.days)
    closing, why_closing = working_day(closing_wanted, own)
    return Dates(
        turn=turn,
        wanted=wanted,
        opens_at=instant(opening, rule.opens),
        closes_at=instant(closing, rule.closes, last=True),
        moved=moved,
        opening_shifted=why_opening,
        closing_shifted=why_closing,
        closing_wanted=closing_wanted,
    )


def working_day(day: date, own: Collection[date] = ()) -> tuple[date, str | None]:
    """The day itself if people work on it, else the first after it on which they do, with the reasons in words."""
    reasons: list[str] = []
    while reason := not_working(day, own):
        if reason not in reasons:
            reasons.append(reason)
        day += timedelta(days=1)
    *others, final = reasons or [""]
    return day, f"{', '.join(others)} and {final}" if others else final or None


def not_working(day: date, own: Collection[date] = ()) -> str | None:
    """Why nobody works on a day: "a bank holiday", "a weekend", "a quiet day"; None if they do."""
    if not quiet.is_quiet(day, own):
        return None
    if day in quiet.BANK_HOLIDAYS:
        return "a bank holiday"
    return "a weekend" if day.weekday() >= 5 else "a quiet day"


def instant(day: date, at: time, *, last: bool = False) -> datetime:
    """The UTC instant of a London wall-clock time, whatever the clocks do.

    A time that the spring change skips is read with the offset before it, so 01:30 is 02:30 (RFC 5545, 3.3.5). Of one
    that the autumn change repeats it is the first, or the `last`: a round that closes then loses nobody an hour.
    """
    wall = datetime.combine(day, at, tzinfo=clock.LONDON)
    first, second = (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    return max(first, second) if last else first


def late(planned: Dates, now: datetime, own: Collection[date] = ()) -> Dates | None:
    """The dates of a round that opens now or, outside working hours, as soon as they begin; None when that is too late.

    A round that is less than an hour late opens now; any other opens on a working day, and closes as many days later
    than planned as it opens.
    """
    if now < planned.opens_at + PROMPT:
        return planned
    opening = now
    if not quiet.is_working_time(now, own):
        wall = now.astimezone(clock.LONDON)
        begins = wall.date() + timedelta(days=wall.time() >= quiet.MORNING)
        at = planned.opens_at.astimezone(clock.LONDON).time()
        in_hours = quiet.MORNING <= at < quiet.EVENING
        opening = instant(working_day(begins, own)[0], at if in_hours else quiet.MORNING)
    if opening > planned.latest:
        return None
    closes = planned.closes_at.astimezone(clock.LONDON)
    days_late = clock.london_date(opening) - clock.london_date(planned.opens_at)
    closing_wanted = closes.date() + days_late
    closing, why = working_day(closing_wanted, own)
    return replace(
        planned,
        opens_at=opening,
        closes_at=instant(closing, closes.time(), last=True),
        closing_shifted=why,
        closing_wanted=closing_wanted,
    )


def sentence(rule: Rule) -> str:
    """ "Every 6 months on the 6th, open for 28 days, from 9am to 5pm"."""
    every = "Every month" if rule.every == 1 else f"Every {rule.every} months"
    if rule.every == 12:
        every = "Every year"
    return f"{every} on {which_day(rule)}, open for {rule.days} days, from {_hour(rule.opens)} to {_hour(rule.closes)}"


def which_day(rule: Rule) -> str:
    """ "the 6th", "the 31st or the month's last day", "the second Tuesday"."""
    if rule.by == WEEKDAY:
        return f"the {_NTH[_nth(rule.first)]} {rule.first:%A}"
    day = rule.first.day
    ending = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"the {day}{ending}" + (" or the month's last day" if day > 28 else "")


def _hour(at: time) -> str:
    if at == time(12):
        return "midday"
    minutes = f":{at.minute:02d}" if at.minute else ""
    return f"{at.hour % 12 or 12}{minutes}{'am' if at.hour < 12 else 'pm'}"
