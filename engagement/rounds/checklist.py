"""What stands between a draft and its launch. Pure: facts in, findings out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

STOP, WARN, OK = "stop", "warn", "ok"
SHORTEST = timedelta(minutes=5)
USUAL_RESPONSE = 0.6
# Until a first round says otherwise: how much alike people of one practice answer, how much two rounds' shares have in
# common because people come back, and the shares published for CCGs in 2013.
USUAL_EFFECT = 1.3
USUAL_OVERLAP = 0.3
PUBLISHED_LEADERS, PUBLISHED_MEMBERS = 0.66, 0.35
FEWEST_PRACTICES = 2


@dataclass(frozen=True)
class Check:
    """One finding: `level` is "stop" (blocks the launch), "warn" or "ok"."""

    level: str
    title: str
    text: str


@dataclass(frozen=True)
class Last:
    """Printed figures of the newest release: shares of both arms on the first headline item (0 to 1), the round's
    design effect (at least 1), None where there was none."""

    leaders: float
    grassroots: float
    design_effect: float | None


def people(count: int) -> str:
    """ "1 person", "2 people"."""
    return f"{count:,} {'person' if count == 1 else 'people'}"


def check(
    *,
    now: datetime,
    opens_at: datetime | None,
    closes_at: datetime | None,
    tier: str,
    threshold: int,
    standings: Sequence[str],
    practices: int,
    without_voice: int,
    items: Sequence[dict[str, Any]],
    item_warnings: Sequence[str],
    words: dict[str, str],
    box_problem: str | None,
    response: float | None,
    last: Last | None = None,
) -> list[Check]:
    """All findings on a draft.

    `standings`: the standing of each person who would be invited. `without_voice`: open practices from which
    nobody would be. `response`: the share (0 to 1) that answered last time, None in a first round. `last`: what
    was published of the round before, to reckon from what this one could show.
    """
    return [
        _roster(standings, practices, without_voice, words),
        _questions(items, box_problem),
        *(Check(WARN, "Questions", text) for text in item_warnings),
        _dates(now, opens_at, closes_at),
        _arms(Counter(standings), tier, threshold, words, response),
        *_power(Counter(standings), practices, tier, threshold, items, words, response, last),
    ]


def _roster(standings, practices, without_voice, words) -> Check:
    title = "Roster"
    if not standings:
        return Check(
            STOP, title, "Nobody is on the roster on the day the round opens. Import or add people first."
        )
    invited = f"{people(len(standings))} at {practices:,} {words['practices']} will be invited."
    if without_voice:
        noun = words["practice"] if without_voice == 1 else words["practices"]
        return Check(
            WARN, title, f"{invited} {without_voice} {noun} have nobody on the roster who can be asked."
        )
    return Check(OK, title, invited)


def _questions(items, box_problem) -> Check:
    title = "Questions"
    closed = [item for item in items if item["kind"] != "text"]
    if not any(item["key"] == "owned" for item in closed):
        return Check(STOP, title, "The questions must include “owned”, which the gap is measured on.")
    if box_problem:
        return Check(STOP, title, box_problem)
    if not any(item.get("headline") for item in items):
        return Check(STOP, title, "Mark at least one question as headline on the Instrument page.")
    texts = len(items) - len(closed)
    open_ones = f" and {texts} open {'question' if texts == 1 else 'questions'}" if texts else ""
    return Check(OK, title, f"{len(closed)} {'statement' if len(closed) == 1 else 'statements'}{open_ones}.")


def _dates(now, opens_at, closes_at) -> Check:
    title = "Dates"
    if opens_at is None or closes_at is None:
        return Check(STOP, title, "Choose when the round opens and closes.")
    if closes_at <= now + SHORTEST:
        return Check(STOP, title, "The round would close at once. Choose a later closing time.")
    if closes_at <= opens_at:
        return Check(STOP, title, "The round must close after it opens.")
    length = (closes_at - max(opens_at, now)).days
    if length < 7:
        return Check(
            WARN, title, f"Members will have {length} full days to answer. Two to three weeks is usual."
        )
    return Check(OK, title, f"Members will have {length} days to answer.")


def _arms(counts: Counter, tier: str, threshold: int, words: dict[str, str], response: float | None) -> Check:
    title = "Can the gap be published?"
    rate = USUAL_RESPONSE if response is None else response
    source = "if 6 in 10 answer" if response is None else "if as many answer as last time"
    small, slim = [], []
    for arm, noun in (("leader", words["leaders"]), ("grassroots", words["grassroots"])):
        invited = counts[arm]
        if invited < threshold:
            small.append(f"only {people(invited)} among the {noun}")
        elif invited * rate < threshold:
            slim.append(
                f"{people(invited)} among the {noun}, of whom about {round(invited * rate)} would answer"
            )
    if small:
        return Check(
            WARN,
            title,
            f"No: {' and '.join(small)} can be invited, and a group needs {threshold} answers to be shown. "
            f"The gap will not be published. {_remedy(threshold)}",
        )
    if slim:
        return Check(
            WARN,
            title,
            f"Probably not: {' and '.join(slim)} {source}; a group needs {threshold}. {_remedy(threshold)}",
        )
    arms = f"{counts['leader']} {words['leaders']} and {counts['grassroots']} {words['grassroots']}"
    return Check(
        OK, title, f"Yes, {source}: {arms} will be invited, and each group needs {threshold} answers."
    )


def _power(counts: Counter, practices, tier, threshold, items, words, response, last) -> list[Check]:
    """The smallest change that this roster could show at this response, and the chance that a gap is shown."""
    from engagement.estimates import ExpectedArm, detectable

    title = "What could it show?"
    if tier == "anonymous":
        return [
            Check(OK, title, "A level, not a change: anonymous answers cannot be compared between rounds.")
        ]
    if not (counts["leader"] and counts["grassroots"]) or practices < FEWEST_PRACTICES:
        return []
    rate = USUAL_RESPONSE if response is None else response
    effect = USUAL_EFFECT if last is None or last.design_effect is None else last.design_effect
    shares = (last.leaders, last.grassroots) if last else (PUBLISHED_LEADERS, PUBLISHED_MEMBERS)
    arms = [
        ExpectedArm(counts[arm], rate, share, effect, USUAL_OVERLAP)
        for arm, share in zip(("leader", "grassroots"), shares, strict=True)
    ]
    headline = max(1, sum(bool(item.get("headline")) for item in items))
    found = detectable(*arms, threshold=threshold, items=headline, practices=practices)
    basis = "this roster and last round's response and shares" if last else "this roster and usual figures"
    chance = _in_ten(found.chance_shown)
    if found.gap is None:
        text = f"From {basis}: no change between two rounds, however large, could be told from chance."
    else:
        text = (
            f"From {basis}: a change in the gap between two rounds would have to be at least {_points(found.gap)} to "
            f"be told from chance (4 times in 5)"
        )
        if found.second is not None:
            text += f"; in the {words['grassroots']}' share alone, {_points(found.second)}"
        text += ". A trend over several rounds shows less."
    return [
        Check(
            OK,
            title,
            f"{text} The chance that enough of both groups answer to show a gap at all is {chance}.",
        )
    ]


def _points(share: float) -> str:
    return f"{math.ceil(100 * share)} points"


def _in_ten(chance: float) -> str:
    if chance >= 0.95:
        return "over 9 in 10"
    return "under 1 in 10" if chance < 0.05 else f"about {max(1, round(10 * chance))} in 10"


def _remedy(threshold: int) -> str:
    if threshold > 5:
        return (
            "You can count more roles as leaders on the Roster page, or lower the threshold (never below 5) "
            "while the round is a draft; neither can be changed after launch."
        )
    return "You can count more roles as leaders on the Roster page while the round is a draft."
