"""Verdicts on change and trend, worked from printed figures alone, so that they tell an intruder nothing new.

A verdict from exact answers would be one more thing printed of the answers of several rounds at once, which no audit
could follow at a bearable price. The price of this way is power: numbers of answers enter as the floors of their
bands, and rounding adds a variance of its own. It errs on the side of "no clear change".
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from engagement.disclosure.rules import AT_LEAST, AT_MOST, STEP, band_floor
from engagement.estimates import Z95, benjamini_hochberg, holm

GAP_WORDS = ("wider", "narrower", "no clear change")
LEVEL_WORDS = ("up", "down", "no clear change")
TREND_WORDS = ("widening", "narrowing", "no clear trend")
CANNOT_SAY = "cannot say"
TREND_ROUNDS = 3
ALPHA = 0.05


@dataclass(frozen=True)
class Reading:
    """A printed figure as a reader may use it: `points`, the `variance` of its error in squared points, and its `cap`."""

    points: float
    variance: float
    cap: str | None


@dataclass(frozen=True)
class Moved:
    """A weighted sum of printed figures: `points`, its standard error, the two-sided p-value, and whether caps leave
    it possible that it `rises` or `falls` so surely; `sized`: the points may be printed, for no capped figure is in them."""

    points: float
    se: float
    p_value: float
    rises: bool
    falls: bool
    sized: bool


def read_share(group: Mapping | None, n: int, design_effect: float | None) -> Reading | None:
    """A group's printed share (JSON of `GroupPrint`); None where it is not shown or the round has no design effect.

    `n`: its answers, of which only `band_floor` is used. The variance is the binomial's at Wilson's centre, on that
    floor, times the round's design effect, and that of rounding. Source: generalised variance functions, Wolter 2007, chapter 7.
    """
    if group is None or group["mark"] != "shown" or design_effect is None:
        return None
    variance = _binomial(group["share"] / 100, band_floor(n), design_effect)
    return Reading(float(group["share"]), variance + _rounding(group.get("step", STEP)), group["cap"])


def read_gap(item: Mapping, n: Sequence[int], design_effect: float | None) -> Reading | None:
    """An item's printed gap (JSON of `ItemPrint`), with or without its arms beside it; None where it cannot be used.

    `n`: answers of leaders and of grassroots members, as in `read_share`. Without its arms, they are taken to be as far
    apart as the gap and around a half, which is the least favourable case.
    """
    gap = item["gap"]
    if gap["mark"] != "shown" or gap["points"] is None or design_effect is None:
        return None
    arms = [item["groups"][arm] for arm in ("leader", "grassroots")]
    if all(arm["mark"] == "shown" for arm in arms):
        read = [read_share(arm, count, design_effect) for arm, count in zip(arms, n, strict=True)]
        return Reading(float(gap["points"]), sum(arm.variance for arm in read), gap["cap"])
    shares = [0.5 + gap["points"] / 200, 0.5 - gap["points"] / 200]
    variance = sum(_binomial(p, band_floor(count), design_effect) for p, count in zip(shares, n, strict=True))
    return Reading(float(gap["points"]), variance + _rounding(2 * gap.get("within", 10)), gap["cap"])


def moved(
    readings: Sequence[Reading | None], weights: Sequence[float], factor: float, df: int | None
) -> Moved | None:
    """The sum of weight times figure; None where a figure cannot be used.

    `factor`: what rounds share changes the variance of the sum by, as `print_factor` gives it for these rounds.
    `df`: degrees of freedom of Student's t, public. A figure with a cap lies anywhere beyond its points, so it
    lets the sum be sure in one direction at most.
    """
    if not df or any(reading is None for reading in readings):
        return None
    pairs = list(zip(readings, weights, strict=True))
    points = sum(weight * reading.points for reading, weight in pairs)
    se = math.sqrt(factor * sum(weight**2 * reading.variance for reading, weight in pairs))
    opens = {_towards(reading.cap, weight) for reading, weight in pairs} - {0}
    return Moved(points, se, _p_value(points / se, df), -1 not in opens, 1 not in opens, not opens)


def _towards(cap: str | None, weight: float) -> int:
    """Which way the truth may lie beyond a capped figure of this weight: 1 up, -1 down, 0 neither."""
    way = {AT_LEAST: 1, AT_MOST: -1}.get(cap, 0)
    return way if weight > 0 else -way if weight < 0 else 0


def slope_weights(numbers: Sequence[int]) -> list[float]:
    """Weights by which figures of these rounds give what a straight line through them moves from first to last.

    Least squares. Raises ValueError for fewer than three rounds, or all the same.
    """
    if len(numbers) < TREND_ROUNDS or len(set(numbers)) < 2:
        raise ValueError(f"A trend needs {TREND_ROUNDS} rounds.")
    centre = sum(numbers) / len(numbers)
    spread = sum((number - centre) ** 2 for number in numbers)
    return [(numbers[-1] - numbers[0]) * (number - centre) / spread for number in numbers]


def say(
    found: Mapping[Hashable, Moved | None], headline: Collection[Hashable], words: tuple[str, str, str]
) -> dict[Hashable, dict]:
    """Each verdict as JSON: {"verdict", "points", "explored"}, points to the nearest 5 and only with a direction.

    Those in `headline` are one family after Holm, the others after Benjamini-Hochberg.
    """
    adjusted: dict[Hashable, float] = {}
    judged = [key for key, one in found.items() if one is not None]
    for adjust, family in (
        (holm, [key for key in judged if key in headline]),
        (benjamini_hochberg, [key for key in judged if key not in headline]),
    ):
        p_values = adjust([found[key].p_value for key in family])
        adjusted.update(zip(family, map(float, p_values), strict=True))
    out = {}
    for key, one in found.items():
        verdict, points = CANNOT_SAY, None
        if one is not None:
            sure = one.rises if one.points > 0 else one.falls
            clear = adjusted[key] < ALPHA and sure
            verdict = (words[0] if one.points > 0 else words[1]) if clear else words[2]
            nearest = 5 * math.floor(one.points / 5 + 0.5)
            points = nearest if clear and one.sized and nearest else None
        out[key] = {"verdict": verdict, "points": points, "explored": key not in headline}
    return out


def print_factor(factors: Sequence[float]) -> float:
    """One factor for a set of rounds: the median over items, upwards to .1, at least .1; 1 without any that is known.

    A factor is the variance of a sum over rounds as their answers hang together, over what it would be if they did
    not: below 1 for a change where the same practices answer alike twice.
    """
    known = [factor for factor in factors if math.isfinite(factor)]
    if not known:
        return 1.0
    return max(math.ceil(median(known) * 10 - 1e-9), 1) / 10


def _rounding(step: float) -> float:
    return step**2 / 12


def _binomial(p: float, n: int, design_effect: float) -> float:
    centre = (n * p + Z95**2 / 2) / (n + Z95**2)
    return 10_000 * design_effect * centre * (1 - centre) / n


def _p_value(statistic: float, df: int) -> float:
    from scipy.special import stdtr

    return 2 * float(stdtr(df, -abs(statistic)))
