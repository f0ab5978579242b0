"""What a release says of earlier rounds: the change since the one before, and the trend over all of them.

Only within one series (wording and scale), one mapping of roles and one tier, and only between figures that are
printed on both sides: over a break nothing is compared. The verdicts come from the exact answers of the rounds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlmodel import Session, select

from engagement import disclosure, estimates
from engagement.models import Release, Round
from engagement.releases import tally

# A trend looks back over this many rounds: further back the people are others.
TREND_ROUNDS = 12
TREND_WORDS = ("widening", "narrowing", "no clear trend")
LEVEL_WORDS = ("up", "down", "no clear change")
ARMS = ("leader", "grassroots")


@dataclass(frozen=True)
class Past:
    """An earlier round that this one may be compared with, and what was published of it."""

    round: Round
    promise: dict[str, Any]
    items: dict[str, dict[str, Any]]

    def shows(self, item: dict[str, Any]) -> bool:
        """Whether it published the gap of an item in the same series."""
        found = self.items.get(item["key"])
        return found is not None and found["series"] == item["series"] and found["gap"]["mark"] == "shown"

    def asks(self, items: Sequence[dict[str, Any]]) -> bool:
        """Whether it asked all of the items in the same series."""
        asked = {item["series"] for item in self.promise["items"]}
        return all(item["series"] in asked for item in items)


def before(session: Session, past: Sequence[Past]) -> tally.Answers | None:
    """The answers of the round before, None where there is none to compare with."""
    return tally.read(session, past[0].round) if past else None


def past_rounds(session: Session, round_: Round, promise: dict[str, Any]) -> list[Past]:
    """Released rounds before this one, newest first, as far back as mapping of roles and tier stay the same."""
    before = session.exec(
        select(Round)
        .where(Round.body_id == round_.body_id, Round.number < round_.number, Round.state == "released")
        .order_by(Round.number.desc())
        .limit(TREND_ROUNDS - 1)
    ).all()
    out = []
    for earlier in before:
        promised = json.loads(earlier.promise)
        if promised["standing_map"] != promise["standing_map"] or earlier.tier != round_.tier:
            break
        content = session.exec(
            select(Release.content)
            .where(Release.round_id == earlier.id)
            .order_by(Release.revision.desc())
            .limit(1)
        ).first()
        items = {item["item"]: item for item in json.loads(content)["items"]}
        out.append(Past(earlier, promised, items))
    return out


def changes(
    past: Sequence[Past], old: tally.Answers | None, answers: tally.Answers, items: Sequence[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """By item key: `change` of the gap and `levels` of both arms since the round before, as they may be printed.

    `old`: the answers of the round before. `items`: those of the promise whose gap this round prints. Gaps of headline items are one family (Holm), those
    of the others are explored (Benjamini-Hochberg), and so are all levels.
    """
    items = [item for item in items if past and past[0].shows(item)]
    if not items or old is None or not answers.placed:
        return {}
    since = past[0].round.number
    keys = [item["key"] for item in items]
    gaps, levels = {}, {}
    for key in keys:
        stack = stacked([old, answers], key)
        gaps[key] = estimates.change_in_gap(stack, 0, 1, 2, 3)
        levels |= {(key, arm): estimates.change_in_level(stack, arm, 2 + arm) for arm in (0, 1)}
    told = estimates.verdicts(gaps, [item["key"] for item in items if item.get("headline")])
    told_levels = estimates.verdicts(levels, ())
    out = {}
    for key in keys:
        caps = [is_capped(part, key, arm) for arm in (0, 1) for part in (old, answers)]
        out[key] = {
            "change": {
                "since": since,
                "explored": told[key].explored,
                **disclosure.print_change(*_figures(gaps[key], told[key]), any(caps)),
            },
            "levels": {
                name: {
                    "since": since,
                    **disclosure.print_change(
                        *_figures(levels[key, arm], told_levels[key, arm]),
                        any(caps[2 * arm : 2 * arm + 2]),
                        LEVEL_WORDS,
                    ),
                }
                for arm, name in enumerate(ARMS)
            },
        }
    return out


def _figures(found, verdict) -> tuple[float | None, ...]:
    return found.change, found.low, found.high, verdict.adjusted


def trends(
    session: Session,
    round_: Round,
    past: Sequence[Past],
    answers: tally.Answers,
    items: Sequence[dict[str, Any]],
) -> dict[str, dict[str, Any]]:
    """By key of headline item: the straight line through the gaps of all rounds of the series, this one included.

    `points` is what the line moved over the rounds that it spans, to the nearest 5.
    """
    headline = [item for item in items if item.get("headline")]
    wanted = {item["key"]: [p for p in reversed(past) if p.shows(item)] for item in headline}
    wanted = {key: rounds for key, rounds in wanted.items() if len(rounds) >= 2}
    if not wanted or not answers.placed:
        return {}
    read = {
        p.round.number: tally.read(session, p.round, list(wanted))
        for p in past
        if any(p in rounds for rounds in wanted.values())
    }
    lines = {}
    for key, rounds in wanted.items():
        numbers = [p.round.number for p in rounds]
        parts = [*(read[number] for number in numbers), answers]
        lines[key] = estimates.trend_in_gap(
            stacked(parts, key),
            range(0, 2 * len(parts), 2),
            range(1, 2 * len(parts), 2),
            [*numbers, round_.number],
        )
    judged = [key for key, line in lines.items() if line.p_value is not None]
    adjusted = dict(zip(judged, estimates.holm([lines[key].p_value for key in judged]), strict=True))
    out = {}
    for key, line in lines.items():
        first = wanted[key][0].round.number
        span = round_.number - first
        moved = [None if end is None else end * span for end in (line.slope, line.low, line.high)]
        out[key] = {
            "since": first,
            "rounds": line.rounds,
            **disclosure.print_change(*moved, adjusted.get(key), line.disagree, TREND_WORDS),
        }
    return out


def stacked(parts: Sequence[tally.Answers], key: str) -> estimates.Stack:
    """Both arms of an item over rounds, leaders of the first round in cell 0, grassroots members in 1, and so on.

    People without a practice are clusters of their own in each round: nothing says who of them answered in two.
    """
    found = []
    for place, answers in enumerate(parts):
        rows = answers.scored(key) & (answers.arm < 2)
        practice = np.where(answers.practice < 0, len(parts) * answers.practice - place, answers.practice)
        found.append((practice[rows], answers.arm[rows] + 2 * place, answers.favourable[key][rows]))
    return estimates.linearised(
        *(np.concatenate(column) for column in zip(*found, strict=True)), cells=2 * len(parts)
    )


def is_capped(answers: tally.Answers, key: str, arm: int) -> bool:
    """Whether the arm's share prints at an end of the scale."""
    rows = answers.scored(key) & (answers.arm == arm)
    n = int(rows.sum())
    return bool(n) and disclosure.print_share(int(answers.favourable[key][rows].sum()), n)[1] is not None
