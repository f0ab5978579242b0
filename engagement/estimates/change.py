"""What moved between rounds: the change in a level or a gap, the trend over many, and the verdict in words.

Every figure is a contrast of the cells of one `Stack`, so that practices which answered in several rounds count
once, whatever their answers have in common.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engagement.estimates.clustered import (
    Stack,
    analytic_gap,
    check_cells,
    correlation,
    effective_n,
    mover,
    one_practice_warning,
    share,
    t_quantile,
)
from engagement.estimates.multiplicity import benjamini_hochberg, holm
from engagement.estimates.proportions import wilson

CONSTANT = "Practices do not differ at all on this score: no interval can be given."
NOBODY = "Nobody answered in one of the arms in one of the rounds: there is no change to measure."
TREND_ROUNDS = 3
ALPHA = 0.05


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of shares with its 95% interval. Fractions, or points of the score; `method` is "contrast"
    or "MOVER", `se` always the linearised standard error. None where it cannot be known; `explanation` then
    says why, and also warns where an interval rests on one practice."""

    estimate: float | None
    se: float | None
    low: float | None
    high: float | None
    p_value: float | None
    df: int
    method: str | None
    explanation: str | None = None


def contrast(stack: Stack, coefficients: Mapping[int, float]) -> Contrast:
    """The sum of coefficient times share over the cells named, with 95% interval and two-sided p-value.

    `coefficients`: cell code to coefficient; those that are 0 drop out. The stack holds the rounds that the
    figure speaks of and no others, for its practices decide the degrees of freedom.

    A linear contrast with Student's t. Where a cell that it uses, or the contrast itself, has no variance (a
    share of 0 or 1, answers of a single practice), the variance says too little: the interval of 0 and 1
    answers then is MOVER over the cells, and the p-value takes the standard error that the interval implies on
    its side towards 0, so that p < .05 exactly where the interval leaves 0 out. A score gets no interval there.

    Raises ValueError for cell codes that the stack does not have, and for a coefficient that is not finite.

    Source: contrast c'p with variance c'Vc (Binder 1983); MOVER for linear sums, Zou, Huang & Zhang 2009,
    Computational Statistics and Data Analysis 53. Notes, "Change, trend".
    """
    cells, c = _given(stack, coefficients)
    shares = [share(stack, cell) for cell in cells]
    if any(p is None for p in shares):
        return Contrast(*[None] * 5, stack.df, None, NOBODY)
    estimate = float(c @ np.array(shares))
    if stack.explanation:
        return Contrast(estimate, *[None] * 4, stack.df, None, stack.explanation)
    se, spread = _spread(stack, cells, c)
    warning = one_practice_warning(stack, *cells)
    if spread:
        return _student(estimate, se, stack.df, "contrast", warning)
    if not stack.binary:
        return Contrast(estimate, se, None, None, None, stack.df, None, CONSTANT)
    low, high = _mover_of_cells(stack, cells, c)
    p_value = _implied_p(estimate, low, high, stack.df)
    return Contrast(estimate, se, low, high, p_value, stack.df, "MOVER", warning)


@dataclass(frozen=True)
class ChangeInLevel:
    """Change of one share from the earlier round to the later; fields as `ChangeInGap`."""

    level1: float | None
    level2: float | None
    change: float | None
    se: float | None
    low: float | None
    high: float | None
    p_value: float | None
    df: int
    method: str | None
    explanation: str | None = None


def change_in_level(stack: Stack, earlier: int, later: int) -> ChangeInLevel:
    """Change of a level: share of cell `later` minus share of cell `earlier`, with interval and p-value.

    The stack holds the two rounds and no others. Fractions, or points of the score. Method, warnings, errors and
    source as `contrast`; ValueError also for one cell given twice.
    """
    if earlier == later:
        raise ValueError("A change needs two rounds: give two different cells.")
    found = contrast(stack, {earlier: -1, later: 1})
    return ChangeInLevel(
        share(stack, earlier),
        share(stack, later),
        found.estimate,
        found.se,
        found.low,
        found.high,
        found.p_value,
        found.df,
        found.method,
        found.explanation,
    )


@dataclass(frozen=True)
class ChangeInGap:
    """Change of the gap from the earlier round to the later. Fractions; `method` is "contrast" or "MOVER".
    None where it cannot be known; `explanation` then says why, and also warns where an arm rests on one
    practice."""

    gap1: float | None
    gap2: float | None
    change: float | None
    se: float | None
    low: float | None
    high: float | None
    p_value: float | None
    df: int
    method: str | None
    explanation: str | None = None


def change_in_gap(stack: Stack, a1: int, b1: int, a2: int, b2: int) -> ChangeInGap:
    """Change of the gap: (share a2 - share b2) - (share a1 - share b1), with 95% interval and two-sided p-value.

    `a1`, `b1`: the two arms in the earlier round; `a2`, `b2`: in the later. The stack holds the two rounds and
    no others. Method, warnings and errors as `contrast`, save that MOVER here combines the two gaps, each with
    its own interval, by the correlation of the gaps.

    Source: contrast c'p with variance c'Vc (Binder 1983); MOVER, Zou & Donner 2008. Notes, "Change, trend".
    """
    check_cells(stack, a1, b1, a2, b2)
    gap1, gap2 = _difference(stack, a1, b1), _difference(stack, a2, b2)
    earlier, later = _signs(stack, a1, b1), _signs(stack, a2, b2)
    found = contrast(stack, dict(enumerate(later - earlier)))
    if gap1 is None or gap2 is None:
        return ChangeInGap(gap1, gap2, *[None] * 5, stack.df, None, NOBODY)
    low, high, p_value = found.low, found.high, found.p_value
    if found.method == "MOVER":
        first, second = analytic_gap(stack, a1, b1), analytic_gap(stack, a2, b2)
        V = stack.covariance
        r = correlation(later @ V @ earlier, later @ V @ later, earlier @ V @ earlier)
        low, high = map(float, mover(gap2, (second.low, second.high), gap1, (first.low, first.high), r))
        p_value = _implied_p(gap2 - gap1, low, high, stack.df)
    return ChangeInGap(
        gap1, gap2, gap2 - gap1, found.se, low, high, p_value, stack.df, found.method, found.explanation
    )


@dataclass(frozen=True)
class Trend:
    """Straight line through a level or a gap over rounds.

    `slope`: fraction (or points of the score) a unit of time, with `se`, interval and p-value as `Contrast`.
    `log_odds`: the slope of the log-odds, or for a gap of the difference in log-odds between the arms; None
    where a share is 0 or 1 or the answers are scores. `near_edge`: a share lies under 10% or over 90%, where
    points squeeze and the log-odds is the better scale. `disagree`: the two lines lead to different verdicts
    (up, down, no clear trend), which must be said. `rounds`: rounds used; those without answers drop out."""

    slope: float | None
    se: float | None
    low: float | None
    high: float | None
    p_value: float | None
    df: int
    method: str | None
    log_odds: Contrast | None
    near_edge: bool
    disagree: bool
    rounds: int
    explanation: str | None = None


def trend_in_level(stack: Stack, cells: Sequence[int], times: Sequence[float] | None = None) -> Trend:
    """Trend of one share over rounds: `cells` in the order of their rounds, `times` 0, 1, 2 ... where left out.

    Weights (t - t_bar) / sum (t - t_bar)^2 with variance from the one V of the stack, which holds these rounds
    and no others. Rounds without answers drop out; with fewer than three left the result says so.

    Raises ValueError for cell codes that the stack does not have, cells and times of different lengths, and
    times that are not finite or not all different.

    Source: least squares as a contrast, variance as Binder 1983; log-odds by the delta method on the same V.
    Notes, "Change, trend".
    """
    return _trend(stack, [(cell,) for cell in cells], (1.0,), times)


def trend_in_gap(
    stack: Stack, first: Sequence[int], second: Sequence[int], times: Sequence[float] | None = None
) -> Trend:
    """Trend of the gap, cells `first` minus cells `second`, each in the order of the rounds.

    Rounds in which either arm has no answer drop out. Method, errors and source as `trend_in_level`.
    """
    if len(first) != len(second):
        raise ValueError("A gap needs both arms in every round: give as many first cells as second.")
    return _trend(stack, list(zip(first, second, strict=True)), (1.0, -1.0), times)


@dataclass(frozen=True)
class Verdict:
    """One change in words, within its family.

    `word`: for a gap "wider" or "narrower", for a level "up" or "down", else "no clear change" or "cannot say".
    Gaps are signed, first arm minus second: "wider" means that leaders moved up against grassroots, also where
    the gap is negative. `crossed`: the gap changed sign. `apart`: how much further the arms stand from each
    other, |gap now| - |gap before|; negative where they came closer. Both None for a level.

    `adjusted`: the p-value that decided, by `method`: "Holm" for headline items, "Benjamini–Hochberg" for those
    that are only `explored`. `note` says why nothing can be said, or why an interval that leaves 0 out is still
    no clear change."""

    word: str
    adjusted: float | None
    method: str | None
    explored: bool
    crossed: bool | None
    apart: float | None
    note: str | None = None


def verdicts(
    changes: Mapping[Hashable, ChangeInGap | ChangeInLevel], headline: Collection[Hashable]
) -> dict[Hashable, Verdict]:
    """The verdict on each item's change; `headline` names the items declared at launch, the others are explored.

    Headline items are one family and keep the chance of any false verdict at 5% (Holm); of the explored, at most
    5% of the verdicts given are expected to be false (Benjamini–Hochberg). A change that has no p-value, or an
    arm that rests on one practice, cannot be judged and is in no family. A direction is given only where the
    adjusted p-value is under .05; as adjusting only raises p-values, the interval then leaves 0 out too.

    Raises ValueError where `headline` names an item without a change.

    Source: Holm 1979; Benjamini & Hochberg 1995. Notes, "Change, trend, means, many comparisons".
    """
    unknown = [item for item in headline if item not in changes]
    if unknown:
        raise ValueError(f"There is no change for headline item {unknown[0]!r}.")
    judged = [
        item for item, change in changes.items() if change.p_value is not None and not change.explanation
    ]
    adjusted: dict[Hashable, float] = {}
    for adjust, family in (
        (holm, [item for item in judged if item in headline]),
        (benjamini_hochberg, [item for item in judged if item not in headline]),
    ):
        p_values = adjust([changes[item].p_value for item in family])
        adjusted.update(zip(family, map(float, p_values), strict=True))
    return {
        item: _verdict(change, adjusted.get(item), item not in headline) for item, change in changes.items()
    }


def _verdict(change: ChangeInGap | ChangeInLevel, adjusted: float | None, explored: bool) -> Verdict:
    of_gap = isinstance(change, ChangeInGap)
    crossed = apart = None
    if of_gap and change.gap1 is not None and change.gap2 is not None:
        crossed = change.gap1 * change.gap2 < 0
        apart = abs(change.gap2) - abs(change.gap1)
    if adjusted is None:
        return Verdict("cannot say", None, None, explored, crossed, apart, change.explanation)
    word, note = "no clear change", None
    if adjusted < ALPHA and not change.low <= 0 <= change.high:
        up = change.change > 0
        word = ("wider" if up else "narrower") if of_gap else ("up" if up else "down")
    elif change.p_value < ALPHA:
        note = "Alone this change would pass for clear; among so many looked at together, chance alone brings such."
    method = "Benjamini–Hochberg" if explored else "Holm"
    return Verdict(word, adjusted, method, explored, crossed, apart, note)


def _trend(
    stack: Stack, cells: list[tuple[int, ...]], signs: tuple[float, ...], times: Sequence[float] | None
) -> Trend:
    check_cells(stack, *(cell for one in cells for cell in one))
    t = np.arange(len(cells), dtype=float) if times is None else np.asarray(times, float)
    if t.shape != (len(cells),):
        raise ValueError("Give one time for each round.")
    if not np.all(np.isfinite(t)) or len(np.unique(t)) != len(t):
        raise ValueError("The times of rounds must be finite and all different.")
    used = [i for i, one in enumerate(cells) if all(stack.n[cell] for cell in one)]
    if len(used) < TREND_ROUNDS:
        reason = f"A trend needs at least {TREND_ROUNDS} rounds in which everyone it compares has answers."
        return Trend(*[None] * 5, stack.df, None, None, False, False, len(used), reason)
    t = t[used] - t[used].mean()
    slopes = t / (t @ t)
    flat = [cell for i in used for cell in cells[i]]
    if len(set(flat)) != len(flat):
        raise ValueError("Every round of a trend needs cells of its own.")
    coefficients = dict(zip(flat, np.outer(slopes, signs).ravel(), strict=True))
    line = contrast(stack, coefficients)
    log_odds = _log_odds(stack, coefficients)
    shares = stack.shares[flat]
    disagree = log_odds is not None and _direction(line) != _direction(log_odds)
    return Trend(
        line.estimate,
        line.se,
        line.low,
        line.high,
        line.p_value,
        line.df,
        line.method,
        log_odds,
        bool(stack.binary and np.any((shares < 0.1) | (shares > 0.9))),
        disagree,
        len(used),
        line.explanation,
    )


def _log_odds(stack: Stack, coefficients: Mapping[int, float]) -> Contrast | None:
    """The same contrast of the log-odds: delta method, gradient 1 / (p(1-p)). None where it does not exist."""
    cells, c = _given(stack, coefficients)
    p = stack.shares[cells]
    if stack.explanation or not stack.binary or np.any((p <= 0) | (p >= 1)):
        return None
    se, spread = _spread(stack, cells, c / (p * (1 - p)))
    if not spread:
        return None
    return _student(float(c @ np.log(p / (1 - p))), se, stack.df, "log-odds")


def _direction(line: Contrast) -> int:
    return 0 if line.p_value is None or line.p_value >= ALPHA else int(math.copysign(1, line.estimate))


def _given(stack: Stack, coefficients: Mapping[int, float]) -> tuple[list[int], np.ndarray]:
    check_cells(stack, *coefficients)
    if not all(math.isfinite(c) for c in coefficients.values()):
        raise ValueError("A coefficient must be finite.")
    # A cell with coefficient 0 says nothing, and need not have answers.
    cells = [cell for cell, c in coefficients.items() if c != 0]
    return cells, np.array([coefficients[cell] for cell in cells], float)


def _spread(stack: Stack, cells: list[int], c: np.ndarray) -> tuple[float, bool]:
    """Standard error of the contrast, and whether it can be trusted: every cell and the sum have a variance."""
    V = stack.covariance[np.ix_(cells, cells)]
    variance, terms = float(c @ V @ c), float(np.abs(c) @ np.abs(V) @ np.abs(c))
    # A contrast that cancels leaves rounding error of the size of its terms.
    se = math.sqrt(variance) if variance > 1e-14 * terms else 0.0
    return se, se > 0 and bool(np.all(np.diag(V) > 0))


def _mover_of_cells(stack: Stack, cells: list[int], c: np.ndarray) -> tuple[float, float]:
    """95% interval of c'p from the Wilson intervals of the cells and their correlations."""
    p, V = stack.shares[cells], stack.covariance[np.ix_(cells, cells)]
    v = np.diag(V)
    n_c = effective_n(p, stack.n[cells], v, stack.df, stack.kish[cells])
    ends = c * np.array(wilson(p, n_c))
    R = correlation(V, v[:, None], v[None, :])
    np.fill_diagonal(R, 1.0)
    estimate = float(c @ p)
    below, above = c * p - ends.min(axis=0), ends.max(axis=0) - c * p
    # Correlations of the terms c p: two cells that are subtracted from each other turn the sign.
    R = R * np.outer(np.sign(c), np.sign(c))
    return (
        estimate - math.sqrt(max(float(below @ R @ below), 0.0)),
        estimate + math.sqrt(max(float(above @ R @ above), 0.0)),
    )


def _student(estimate: float, se: float, df: int, method: str, warning: str | None = None) -> Contrast:
    half = float(t_quantile(df)) * se
    return Contrast(
        estimate, se, estimate - half, estimate + half, _two_sided(estimate, se, df), df, method, warning
    )


def _two_sided(estimate: float, se: float, df: int) -> float:
    from scipy.special import stdtr

    return 2 * float(stdtr(df, -abs(estimate) / se))


def _implied_p(estimate: float, low: float, high: float, df: int) -> float:
    """The p-value that the interval implies on its side towards 0."""
    if estimate == 0:
        return 1.0
    towards = (estimate - low if estimate > 0 else high - estimate) / float(t_quantile(df))
    return _two_sided(estimate, towards, df) if towards > 0 else 0.0


def _difference(stack: Stack, a: int, b: int) -> float | None:
    first, second = share(stack, a), share(stack, b)
    return None if first is None or second is None else first - second


def _signs(stack: Stack, a: int, b: int) -> np.ndarray:
    signs = np.zeros(len(stack.shares))
    np.add.at(signs, [a, b], [1, -1])
    return signs
