"""What a release says of earlier rounds: the change since the one before, and the trend over all of them.

Only within one series (wording and scale), one mapping of roles and one tier, and only between figures that are
printed on both sides: over a break nothing is compared. Verdicts are worked from those printed figures
(`disclosure.verdicts`). The exact answers give one thing, by how much what rounds have in common makes a comparison
more or less certain: one coarse factor for a set of rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from engagement import disclosure, estimates
from engagement.releases import tally

# A trend looks back over this many rounds: further back the people are others.
TREND_ROUNDS = 12
ARMS = ("leader", "grassroots")


@dataclass(frozen=True, eq=False)
class Facts:
    """One round as a release is made of it. `answers`, `roster`: exact, never for print; `content`: the newest release,
    None for the round that has none yet."""

    number: int
    tier: str
    threshold: int
    promise: dict[str, Any]
    answers: tally.Answers
    roster: tally.Invited
    content: dict[str, Any] | None = None

    @cached_property
    def scored(self) -> list[dict[str, Any]]:
        """The items that have scores."""
        return [item for item in self.promise["items"] if item["kind"] != "text"]

    @cached_property
    def printed(self) -> dict[str, dict[str, Any]]:
        """The items of its release by key."""
        return {item["item"]: item for item in self.content["items"]}

    def shows(self, item: Mapping[str, Any]) -> bool:
        """Whether it published the gap of an item in the same series."""
        found = self.printed.get(item["key"])
        return found is not None and found["series"] == item["series"] and found["gap"]["mark"] == "shown"

    def counts(self, key: str) -> list[int]:
        """Answers of leaders and of grassroots members to an item."""
        scored = self.answers.scored(key)
        return [int((scored & (self.answers.arm == arm)).sum()) for arm in (0, 1)]

    def asks(self, items: Sequence[Mapping[str, Any]]) -> bool:
        """Whether it asked all of the items in the same series."""
        asked = {item["series"] for item in self.promise["items"]}
        return all(item["series"] in asked for item in items)


def comparable(history: Sequence[Facts], now: Facts) -> list[Facts]:
    """Of the released rounds before this one, oldest first, those that it may be compared with, newest first: as far
    back as mapping of roles and tier stay the same."""
    out = []
    for earlier in reversed(history[-(TREND_ROUNDS - 1) :]):
        if earlier.promise["standing_map"] != now.promise["standing_map"] or earlier.tier != now.tier:
            break
        out.append(earlier)
    return out


@dataclass(frozen=True)
class Factors:
    """What rounds have in common, as factors on variances (`disclosure.print_factor`): for the change of a gap and of
    a level since the round before, and by item for the trend of its gap. Printed in the release."""

    gap: float
    level: float
    trend: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """{"gap", "level", "trend": {item: factor}}."""
        return {"gap": self.gap, "level": self.level, "trend": dict(self.trend)}


def factors(past: Sequence[Facts], now: Facts) -> Factors | None:
    """The factors for a round's comparisons; None in rounds whose answers carry no practice, or without a round before."""
    if not past or not now.answers.placed:
        return None
    gaps, levels, trend = [], [], {}
    for item in now.scored:
        if not past[0].asks([item]):
            continue
        stack = stacked([past[0].answers, now.answers], item["key"])
        gaps.append(factor(stack, [-1, 1, 1, -1]))
        levels += [factor(stack, [-1, 0, 1, 0]), factor(stack, [0, -1, 0, 1])]
        rounds = [*(earlier for earlier in reversed(past) if earlier.shows(item)), now]
        if item.get("headline") and len(rounds) >= disclosure.TREND_ROUNDS:
            line = stacked([one.answers for one in rounds], item["key"])
            weights = disclosure.slope_weights([one.number for one in rounds])
            c = [sign * weight for weight in weights for sign in (1, -1)]
            trend[item["key"]] = disclosure.print_factor([factor(line, c)])
    return Factors(disclosure.print_factor(gaps), disclosure.print_factor(levels), trend)


def factor(stack: estimates.Stack, coefficients: Sequence[float]) -> float:
    """Variance of a sum of shares of several rounds over what it would be, did the rounds have nothing in common.

    Cells come in pairs, the two arms of a round. NaN where a round of the sum has no variance.
    """
    c = np.asarray(coefficients, dtype=float)
    full = float(c @ stack.covariance @ c)
    apart = 0.0
    for at in range(0, len(c), 2):
        pair = slice(at, at + 2)
        part = float(c[pair] @ stack.covariance[pair, pair] @ c[pair])
        if not part > 0:
            return float("nan")
        apart += part
    return full / apart


def changes(
    past: Sequence[Facts],
    now: Facts,
    printed: dict[str, dict[str, Any]],
    effects: tuple[float | None, int | None],
    found: Factors | None,
) -> dict[str, dict[str, Any]]:
    """By item key: `change` of the gap and `levels` of both arms since the round before, as they may be printed.

    `printed`: this round's tables by item key. `effects`: its design effect and degrees of freedom. Gaps of headline
    items are one family (Holm), those of the others are explored (Benjamini-Hochberg), and so are all levels.
    """
    items = [
        item
        for item in now.scored
        if past and past[0].shows(item) and printed[item["key"]]["gap"]["mark"] == "shown"
    ]
    if not items or found is None:
        return {}
    effect, df = effects
    since, old, earlier = past[0].number, past[0].printed, past[0].content["design_effect"]
    gaps, levels = {}, {}
    for item in items:
        key = item["key"]
        answers = past[0].counts(key), now.counts(key)
        pair = (
            disclosure.read_gap(old[key], answers[0], earlier),
            disclosure.read_gap(printed[key], answers[1], effect),
        )
        gaps[key] = disclosure.moved(pair, (-1, 1), found.gap, df)
        for place, arm in enumerate(ARMS):
            pair = (
                disclosure.read_share(old[key]["groups"][arm], answers[0][place], earlier),
                disclosure.read_share(printed[key]["groups"][arm], answers[1][place], effect),
            )
            levels[key, arm] = disclosure.moved(pair, (-1, 1), found.level, df)
    headline = [item["key"] for item in items if item.get("headline")]
    told = disclosure.say(gaps, headline, disclosure.GAP_WORDS)
    told_levels = disclosure.say(levels, (), disclosure.LEVEL_WORDS)
    return {
        key: {
            "change": {"since": since, **told[key]},
            "levels": {arm: {"since": since, **_without(told_levels[key, arm], "explored")} for arm in ARMS},
        }
        for key in gaps
    }


def trends(
    past: Sequence[Facts],
    now: Facts,
    printed: dict[str, dict[str, Any]],
    effects: tuple[float | None, int | None],
    found: Factors | None,
) -> dict[str, dict[str, Any]]:
    """By key of headline item: the straight line through the gaps of all rounds of the series, this one included.

    `points` is what the line moved over the rounds that it spans, to the nearest 5.
    """
    lines, spans = {}, {}
    for item in now.scored:
        key = item["key"]
        if found is None or key not in found.trend or printed[key]["gap"]["mark"] != "shown":
            continue
        rounds = [p for p in reversed(past) if p.shows(item)]
        readings = [
            disclosure.read_gap(p.printed[key], p.counts(key), p.content["design_effect"]) for p in rounds
        ]
        readings.append(disclosure.read_gap(printed[key], now.counts(key), effects[0]))
        weights = disclosure.slope_weights([*(p.number for p in rounds), now.number])
        lines[key] = disclosure.moved(readings, weights, found.trend[key], effects[1])
        spans[key] = {"since": rounds[0].number, "rounds": len(readings)}
    told = disclosure.say(lines, list(lines), disclosure.TREND_WORDS)
    return {key: {**spans[key], **_without(told[key], "explored")} for key in lines}


def _without(found: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key != name}


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
