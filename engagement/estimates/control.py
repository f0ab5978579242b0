"""Control charts for a series of rounds: is it changing, or does it only wobble?

`control_chart` gives an XmR chart, or a run chart where there are too few rounds for limits. The rules and their
order are those of NHS England's "Making Data Count"; other run lengths can be named. A chart of gaps knows
nothing of how many answered in each round: draw each gap's own interval beside it.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

FEWEST_FOR_LIMITS = 12
"""Below this many rounds limits say too little, and a run chart is drawn."""
FEWEST_FOR_SETTLED_LIMITS = 13
LIMIT = 2.66
"""3/d2 for moving ranges of two points (d2 = 1.128)."""
SCREEN = 3.267
"""D4 for moving ranges of two points: the upper limit of the moving ranges."""

BEYOND, TREND, TWO_IN_THREE, SHIFT = "beyond", "trend", "two in three", "shift"
UP, DOWN, NEUTRAL = "up", "down", "neutral"
IMPROVEMENT, CONCERN = "improvement", "concern"
WILL_PASS, WILL_FAIL, HIT_AND_MISS = "will pass", "will fail", "hit and miss"


@dataclass(frozen=True)
class RuleSet:
    """How many points in a row make a trend and a shift; between 6 and 9, or ValueError."""

    name: str
    trend: int
    shift: int

    def __post_init__(self):
        if not (6 <= self.trend <= 9 and 6 <= self.shift <= 9):
            raise ValueError("A trend and a shift take 6 to 9 points.")


MAKING_DATA_COUNT = RuleSet("Making Data Count (7 and 7)", trend=7, shift=7)
PROVOST_MURRAY = RuleSet("Provost and Murray (6 and 8)", trend=6, shift=8)
NELSON = RuleSet("Nelson (6 and 9)", trend=6, shift=9)
RULE_SETS = {rules.name: rules for rules in (MAKING_DATA_COUNT, PROVOST_MURRAY, NELSON)}


@dataclass(frozen=True, eq=False)
class XmR:
    """An XmR chart, in the unit of the series. Every array has shape (n,), one entry a point.

    `signal`: the first rule that a point meets, or None. `side`: 1 where that signal is high or rising, -1 low or
    falling, 0 without signal. `meaning`: "improvement", "concern" or "neutral" for a signal, None without.
    `trial`: the point's group has under 13 points, so that its limits still move with each round. `assurance`:
    "will pass", "will fail" or "hit and miss" against the last point's limits; None without target or direction.
    """

    values: np.ndarray
    group: np.ndarray
    mean: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    near_lower: np.ndarray
    near_upper: np.ndarray
    trial: np.ndarray
    signal: tuple[str | None, ...]
    side: np.ndarray
    meaning: tuple[str | None, ...]
    assurance: str | None
    rules: RuleSet
    screened: bool
    fix_after_n: int | None


@dataclass(frozen=True, eq=False)
class RunChart:
    """A run chart of the rounds since the last rebase, in the unit of the series.

    `first`: position of its first point in the whole series. `useful`: points that are not on the median.
    `shift`: the longest run on one side of the median exceeds `longest_allowed`; `too_few_crossings`: the series
    crosses the median fewer times than `fewest_crossings`. Either is a sign of change that chance seldom gives.
    """

    values: np.ndarray
    first: int
    median: float
    useful: int
    longest_run: int
    longest_allowed: int
    crossings: int
    fewest_crossings: int
    shift: bool
    too_few_crossings: bool
    explanation: str


def control_chart(
    values: ArrayLike,
    *,
    rebase_at: Sequence[int] = (),
    rules: RuleSet = MAKING_DATA_COUNT,
    screen: bool = False,
    fix_after_n: int | None = None,
    better: str = UP,
    target: float | None = None,
) -> XmR | RunChart:
    """The chart that a series can carry: a run chart while its newest group has under 12 points, else `xmr`.

    After a rebase the newest group decides, for what went before it is another series. Arguments and errors are
    those of `xmr`; a run chart takes the values and `rebase_at` only.

    Source: NHS England, Making Data Count; Anhøj & Olesen 2014, PLoS ONE 9, e113825.
    """
    x = _series(values)
    starts = _starts(x, rebase_at)
    if len(x) - starts[-1] < FEWEST_FOR_LIMITS:
        return run_chart(x[starts[-1] :], first=starts[-1])
    return xmr(
        x,
        rebase_at=rebase_at,
        rules=rules,
        screen=screen,
        fix_after_n=fix_after_n,
        better=better,
        target=target,
    )


def xmr(
    values: ArrayLike,
    *,
    rebase_at: Sequence[int] = (),
    rules: RuleSet = MAKING_DATA_COUNT,
    screen: bool = False,
    fix_after_n: int | None = None,
    better: str = UP,
    target: float | None = None,
) -> XmR:
    """XmR chart of a series in round order, any unit; `values` of shape (n,), n at least 1.

    `rebase_at`: positions at which a new group begins (a new wording, a new roster); limits and runs never reach
    over them. `screen`: leave moving ranges of at least 3.267 times their mean out, once, and compute their mean
    anew; the mean of the values keeps all points. `fix_after_n`: limits from the first n points of each group, at
    least 12. `better`: "up", "down" or "neutral". `target`: in the unit of the series, for `assurance`.

    One signal a point, the first that fits: beyond a limit; trend; two in three near one limit; shift.

    Raises ValueError for an empty series, a value that is not finite (leave a suppressed round out), positions
    of a rebase that do not rise within the series, fix_after_n under 12, and an unknown direction.

    Source: NHS England, Making Data Count, as in its R package NHSRplotthedots 0.2.2; 2.66 and 3.267 from
    Wheeler 1993, Understanding Variation.
    """
    x = _series(values)
    starts = _starts(x, rebase_at)
    if fix_after_n is not None and fix_after_n < FEWEST_FOR_LIMITS:
        raise ValueError("Limits can be fixed after 12 points or more.")
    if better not in (UP, DOWN, NEUTRAL):
        raise ValueError('Say whether "up" or "down" is better, or "neutral".')
    size = np.diff([*starts, len(x)])
    group = np.repeat(np.arange(len(starts)), size)
    # Values that are equal on paper may differ by rounding, which must make neither a rise nor a side.
    noise = 1e-12 * float(np.abs(x).max())
    mean, reach, signal, side = np.empty(len(x)), np.empty(len(x)), [], np.zeros(len(x), int)
    for start, length in zip(starts, size, strict=True):
        part = slice(start, start + length)
        mean[part], reach[part] = _limits(x[part][:fix_after_n], screen)
        found, side[part] = _signals(x[part], mean[start], reach[start], rules, noise)
        signal += found
    lower, upper = mean - reach, mean + reach
    return XmR(
        values=_frozen(x),
        group=_frozen(group),
        mean=_frozen(mean),
        lower=_frozen(lower),
        upper=_frozen(upper),
        near_lower=_frozen(mean - reach * 2 / 3),
        near_upper=_frozen(mean + reach * 2 / 3),
        trial=_frozen((size < FEWEST_FOR_SETTLED_LIMITS)[group]),
        signal=tuple(signal),
        side=_frozen(side),
        meaning=tuple(
            _meaning(int(s), better) if rule else None for rule, s in zip(signal, side, strict=True)
        ),
        assurance=_assurance(float(lower[-1]), float(upper[-1]), better, target),
        rules=rules,
        screened=screen,
        fix_after_n=fix_after_n,
    )


def run_chart(values: ArrayLike, *, first: int = 0) -> RunChart:
    """Run chart of a series in round order, any unit; `values` of shape (n,), n at least 1.

    Points on the median are left out before runs and crossings are counted. A shift is a longest run over
    round(log2 n) + 3; crossings are too few below the 5% point of the binomial (n - 1, 1/2); n counts the
    useful points. `first` only says where in a longer series the values begin.

    Raises ValueError for an empty series and for a value that is not finite.

    Source: Anhøj & Olesen 2014, PLoS ONE 9, e113825; Anhøj 2015, PLoS ONE 10, e0121349.
    """
    x = _series(values)
    median = float(np.median(x))
    away = x - median
    above = away[np.abs(away) > 1e-12 * float(np.abs(x).max())] > 0
    n = len(above)
    changes = np.flatnonzero(above[1:] != above[:-1]) + 1
    longest = int(np.diff([0, *changes, n]).max()) if n else 0
    allowed = round(math.log2(n)) + 3 if n else 0
    fewest = _binomial_5_percent(n - 1) if n else 0
    shift, few = longest > allowed, len(changes) < fewest
    return RunChart(
        values=_frozen(x),
        first=first,
        median=median,
        useful=n,
        longest_run=longest,
        longest_allowed=allowed,
        crossings=len(changes),
        fewest_crossings=fewest,
        shift=shift,
        too_few_crossings=few,
        explanation=_run_chart_in_words(len(x), n, shift, few),
    )


def _limits(x: np.ndarray, screen: bool) -> tuple[float, float]:
    ranges = np.abs(np.diff(x))
    average = float(ranges.mean()) if ranges.size else 0.0
    if screen:
        kept = ranges[ranges < SCREEN * average]
        average = float(kept.mean()) if kept.size else 0.0
    return float(x.mean()), LIMIT * average


def _signals(x: np.ndarray, mean: float, reach: float, rules: RuleSet, noise: float):
    """One rule (or None) and its side for each point of one group."""
    away = x - mean
    side = np.where(np.abs(away) <= noise, 0, np.sign(away)).astype(int)
    beyond = np.abs(away) > reach + noise
    near = (np.abs(away) > reach * 2 / 3 + noise) & ~beyond
    trend = _trend(x, rules.trend, noise)
    pair = _two_in_three(near, side)
    shift = _shift(side, rules.shift)

    met = [beyond, trend != 0, pair, shift]
    signal = np.select(met, [BEYOND, TREND, TWO_IN_THREE, SHIFT], default="")
    direction = np.select(met, [side, trend, side, side], default=0)
    return [str(rule) or None for rule in signal], direction


def _trend(x: np.ndarray, length: int, noise: float) -> np.ndarray:
    """1 in a rise of `length` points, -1 in a fall, else 0; the later of two wins the point that they share."""
    trend = np.zeros(len(x), int)
    step = np.diff(x)
    step = np.where(np.abs(step) <= noise, 0, np.sign(step))
    for start in range(len(x) - length + 1):
        total = step[start : start + length - 1].sum()
        if abs(total) == length - 1:
            trend[start : start + length] = np.sign(total)
    return trend


def _two_in_three(near: np.ndarray, side: np.ndarray) -> np.ndarray:
    flagged = np.zeros(len(near), bool)
    for start in range(len(near) - 2):
        window = slice(start, start + 3)
        if near[window].sum() >= 2 and abs(side[window].sum()) == 3:
            flagged[window] |= near[window]
    return flagged


def _shift(side: np.ndarray, length: int) -> np.ndarray:
    flagged = np.zeros(len(side), bool)
    for start in range(len(side) - length + 1):
        window = slice(start, start + length)
        if abs(side[window].sum()) == length:
            flagged[window] = True
    return flagged


def _meaning(side: int, better: str) -> str:
    if better == NEUTRAL:
        return NEUTRAL
    return IMPROVEMENT if (side > 0) == (better == UP) else CONCERN


def _assurance(lower: float, upper: float, better: str, target: float | None) -> str | None:
    if target is None or better == NEUTRAL:
        return None
    if lower <= target <= upper:
        return HIT_AND_MISS
    return WILL_FAIL if (target > upper) == (better == UP) else WILL_PASS


def _binomial_5_percent(trials: int) -> int:
    """Smallest k with P(binomial(trials, 1/2) <= k) of at least 5%, in whole numbers and therefore exact."""
    total = 0
    for k in range(trials + 1):
        total += math.comb(trials, k)
        if 20 * total >= 2**trials:
            return k
    raise ValueError("A binomial needs 0 or more trials.")


def _run_chart_in_words(points: int, useful: int, shift: bool, few: bool) -> str:
    if useful == 0:
        return "Every round has the same value: there is nothing to see but that."
    if shift or few:
        return "The series moved in a way that chance seldom gives: something changed."
    if useful < 10:
        return f"No sign of change, but with {points} rounds only a large and lasting change would show."
    return "No sign of change: the rounds vary around the median as chance would have it."


def _series(values: ArrayLike) -> np.ndarray:
    x = np.array(values, float)
    if x.ndim != 1 or x.size == 0:
        raise ValueError("Give one value for each round, at least one.")
    if not np.all(np.isfinite(x)):
        raise ValueError("Every value must be a number: leave out rounds without a published figure.")
    return x


def _starts(x: np.ndarray, rebase_at: Sequence[int]) -> list[int]:
    starts = [0, *rebase_at]
    if any(b <= a for a, b in itertools.pairwise(starts)) or starts[-1] >= len(x):
        raise ValueError("A rebase must begin at a later point of the series, in rising order.")
    return starts


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
