"""What stands between a draft and its launch. Pure: facts in, findings out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

STOP, WARN, OK = "stop", "warn", "ok"
SHORTEST = timedelta(minutes=5)
USUAL_RESPONSE = 0.6


@dataclass(frozen=True)
class Check:
    """One finding: `level` is "stop" (blocks the launch), "warn" or "ok"."""

    level: str
    title: str
    text: str


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
) -> list[Check]:
    """All findings on a draft.

    `standings`: the standing of each person who would be invited. `without_voice`: open practices from which
    nobody would be. `response`: the share (0 to 1) that answered last time, None in a first round.
    """
    return [
        _roster(standings, practices, without_voice, words),
        _questions(items, box_problem),
        *(Check(WARN, "Questions", text) for text in item_warnings),
        _dates(now, opens_at, closes_at),
        _arms(Counter(standings), tier, threshold, words, response),
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


def _remedy(threshold: int) -> str:
    if threshold > 5:
        return (
            "You can count more roles as leaders on the Roster page, or lower the threshold (never below 5) "
            "while the round is a draft; neither can be changed after launch."
        )
    return "You can count more roles as leaders on the Roster page while the round is a draft."
