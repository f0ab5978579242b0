"""The analytic question: has the relationship changed? Answers cluster in practices and practices come back.

`linearised` turns the scored answers of one or more rounds into shares and one covariance matrix; the gap, its
change and the design effect are read off that `Stack`. A practice keeps its row over rounds, so the overlap of
the panel enters the covariance by itself.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from engagement.estimates.gap import Interval
from engagement.estimates.proportions import Z95, wilson

ONE_PRACTICE = "All answers come from one practice or none: how practices differ cannot be seen."
CONSTANT = "Practices do not differ at all on this score: no interval can be given."


@dataclass(frozen=True, eq=False)
class Stack:
    """Cells (round, item, arm) of the rounds a figure speaks of, with their joint covariance.

    `shares`: (k,) weighted shares, or means of a score; NaN where nobody answered. `n`: (k,) answers.
    `practices`: (k,) practices with an answer in the cell. `m`: practices with an answer anywhere in the stack;
    `df` is m - 1. `covariance`: (k, k), rows of empty cells 0; all NaN where m < 2. `binary`: every y is 0 or 1.
    """

    shares: np.ndarray
    n: np.ndarray
    practices: np.ndarray
    m: int
    df: int
    covariance: np.ndarray
    binary: bool
    explanation: str | None = None


def linearised(
    practice: ArrayLike,
    cell: ArrayLike,
    y: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    cells: int | None = None,
) -> Stack:
    """Shares of all cells and their cluster-robust covariance.

    One row per scored answer, all arrays of shape (rows,): `practice`, any whole numbers; `cell`, 0 to k-1; `y`,
    0 or 1, or a score; `weights`, positive, 1 where left out (their scale is irrelevant). `cells`: k, where the
    last cells may be empty; otherwise one more than the largest code.

    With fewer than two practices the covariance cannot be known; the stack then says so in `explanation`.

    Raises ValueError for arrays of different shapes, codes out of range, a y that is not finite, a weight that
    is not positive and finite.

    Source: Taylor linearisation, Binder 1983, International Statistical Review 51; with e_gk the weighted
    residuals of practice g in cell k over the cell's weight, V = m/(m-1) sum_g e_g e_g'. Notes, formulas 1-3.
    """
    practice, cell, y = _whole(practice, "practice"), _whole(cell, "cell"), np.asarray(y, float)
    w = np.ones(y.shape) if weights is None else np.asarray(weights, float)
    if y.ndim != 1 or not practice.shape == cell.shape == y.shape == w.shape:
        raise ValueError(
            "practice, cell, y and weights must be flat and of one length: one row per scored answer."
        )
    if not np.all(np.isfinite(y)):
        raise ValueError("A scored answer must be a number; leave out items that were not answered.")
    if not np.all(np.isfinite(w) & (w > 0)):
        raise ValueError("A weight must be positive and finite.")
    k = cells if cells is not None else int(cell.max(initial=-1)) + 1
    if np.any((cell < 0) | (cell >= k)):
        raise ValueError(f"Cell codes must lie between 0 and {k - 1}.")

    _, g = np.unique(practice, return_inverse=True)
    m = int(g.max(initial=-1)) + 1
    n = np.bincount(cell, minlength=k)
    total = np.bincount(cell, w, k)
    with np.errstate(invalid="ignore"):
        shares = np.bincount(cell, w * y, k) / total

    at, size = g * k + cell, m * k
    weight_share = np.bincount(at, w / total[cell], size)
    influence = np.bincount(at, w * (y - shares[cell]) / total[cell], size)
    # Residuals of a practice that is balanced on its cell cancel only up to rounding error. Left in, that error
    # would be a variance of 1e-34 and a correlation made of noise.
    scale = max(1.0, float(np.abs(y).max(initial=0)))
    influence[np.abs(influence) < 1e-12 * scale * weight_share] = 0
    influence = influence.reshape(m, k)

    covariance = np.full((k, k), np.nan)
    if m >= 2:
        covariance = m / (m - 1) * (influence.T @ influence)
    return Stack(
        shares=_frozen(shares),
        n=_frozen(n),
        practices=_frozen((weight_share.reshape(m, k) > 0).sum(axis=0)),
        m=m,
        df=max(m - 1, 0),
        covariance=_frozen(covariance),
        binary=bool(np.all((y == 0) | (y == 1))),
        explanation=ONE_PRACTICE if m < 2 else None,
    )


@dataclass(frozen=True)
class AnalyticGap:
    """The gap as a sign of the underlying relationship. Fractions; `se` is the plain linearised standard error,
    `r` the correlation of the two shares, `n_c` the arms' effective numbers of answers. None where it cannot be
    known; `explanation` then says why, and also warns where an interval rests on one practice."""

    p1: float | None
    p0: float | None
    gap: float | None
    low: float | None
    high: float | None
    ci1: Interval | None
    ci0: Interval | None
    se: float | None
    r: float | None
    n_c1: float | None
    n_c0: float | None
    df: int
    explanation: str | None = None


def analytic_gap(stack: Stack, a: int, b: int) -> AnalyticGap:
    """Gap of cell `a` minus cell `b` with its 95% interval, clustered on practices.

    Fractions. Where either cell is empty there is no gap; with fewer than two practices there is a gap but no
    interval; both say so. Shares of 0 and 1 are fine: the interval falls back on the number of answers.

    Raises ValueError where the stack holds scores instead of 0 and 1 (a score has no Wilson interval), and for
    cell codes that the stack does not have.

    Source: MOVER, Zou & Donner 2008, Statistics in Medicine 27, on Wilson intervals with the effective n of
    Korn & Graubard 1998, Survey Methodology 24. Notes, formulas 4-5.
    """
    _check_cells(stack, a, b)
    if not stack.binary:
        raise ValueError("An analytic gap needs answers scored 0 or 1.")
    p1, p0 = _share(stack, a), _share(stack, b)
    gap = None if p1 is None or p0 is None else p1 - p0
    reason = "Nobody answered in one of the two arms: there is no gap." if gap is None else stack.explanation
    if reason:
        return AnalyticGap(p1, p0, gap, *[None] * 8, stack.df, reason)
    v1, v0 = stack.covariance[a, a], stack.covariance[b, b]
    v10 = stack.covariance[a, b]
    n_c1, n_c0 = (
        float(effective_n(stack.shares[c], stack.n[c], stack.covariance[c, c], stack.df)) for c in (a, b)
    )
    ci1, ci0 = tuple(map(float, wilson(p1, n_c1))), tuple(map(float, wilson(p0, n_c0)))
    r = _correlation(v10, v1, v0)
    low, high = mover(p1, ci1, p0, ci0, r)
    # Two arms that always move together leave rounding error, not a variance below 0.
    se = math.sqrt(max(v1 + v0 - 2 * v10, 0.0))
    return AnalyticGap(
        p1, p0, gap, low, high, ci1, ci0, se, r, n_c1, n_c0, stack.df, _one_practice_warning(stack, a, b)
    )


@dataclass(frozen=True)
class ChangeInGap:
    """Change of the gap from the earlier round to the later. Fractions; `method` is "contrast" or "MOVER".
    None where it cannot be known; `explanation` then says why."""

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
    no others, for its practices decide the degrees of freedom. Fractions, or points of the score.

    A linear contrast with Student's t. Where a share is 0 or 1, or the contrast has no variance, its variance
    says too little: the interval then is MOVER over the two gaps, and the p-value takes the standard error
    that the interval implies on its side towards no change, so that p < .05 exactly where the interval leaves 0
    out. A score without variance gets no interval.

    Raises ValueError for cell codes that the stack does not have.

    Source: contrast c'p with variance c'Vc (Binder 1983); MOVER, Zou & Donner 2008. Notes, "Change, trend".
    """
    from scipy.special import stdtr

    cells = (a1, b1, a2, b2)
    _check_cells(stack, *cells)
    shares = [_share(stack, c) for c in cells]
    gap1 = None if shares[0] is None or shares[1] is None else shares[0] - shares[1]
    gap2 = None if shares[2] is None or shares[3] is None else shares[2] - shares[3]
    if gap1 is None or gap2 is None:
        reason = "Nobody answered in one of the arms in one of the rounds: there is no change to measure."
        return ChangeInGap(gap1, gap2, *[None] * 5, stack.df, None, reason)
    change = gap2 - gap1
    if stack.explanation:
        return ChangeInGap(gap1, gap2, change, *[None] * 4, stack.df, None, stack.explanation)

    earlier, later = np.zeros(len(stack.shares)), np.zeros(len(stack.shares))
    np.add.at(earlier, [a1, b1], [1, -1])
    np.add.at(later, [a2, b2], [1, -1])
    contrast = later - earlier
    variance = float(contrast @ stack.covariance @ contrast)
    # A contrast that cancels leaves rounding error of the size of its terms.
    terms = float(np.abs(contrast) @ np.abs(stack.covariance) @ np.abs(contrast))
    se = math.sqrt(variance) if variance > 1e-14 * terms else 0.0
    extreme = stack.binary and any(p in (0.0, 1.0) for p in shares)
    explanation = _one_practice_warning(stack, *cells)
    if se > 0 and not extreme:
        half = t_quantile(stack.df) * se
        p_value = 2 * float(stdtr(stack.df, -abs(change) / se))
        return ChangeInGap(
            gap1, gap2, change, se, change - half, change + half, p_value, stack.df, "contrast", explanation
        )
    if not stack.binary:
        return ChangeInGap(gap1, gap2, change, se, None, None, None, stack.df, None, CONSTANT)

    first, second = analytic_gap(stack, a1, b1), analytic_gap(stack, a2, b2)
    r = _correlation(
        float(later @ stack.covariance @ earlier),
        float(later @ stack.covariance @ later),
        float(earlier @ stack.covariance @ earlier),
    )
    low, high = mover(gap2, (second.low, second.high), gap1, (first.low, first.high), r)
    towards_none = (change - low if change >= 0 else high - change) / t_quantile(stack.df)
    p_value = 1.0
    if change != 0:
        p_value = 2 * float(stdtr(stack.df, -abs(change) / towards_none)) if towards_none > 0 else 0.0
    return ChangeInGap(gap1, gap2, change, se, low, high, p_value, stack.df, "MOVER", explanation)


def design_effect(stack: Stack) -> np.ndarray:
    """How many times larger clustering makes each cell's variance: v_kk / (p(1-p)/n), shape (k,).

    NaN where it cannot be known: a cell with fewer than two answers or with a share of 0 or 1, fewer than two
    practices, or no variance between practices (one practice holds the whole cell, or all are alike).

    Raises ValueError where the stack holds scores instead of 0 and 1.

    Source: Kish 1965, Survey Sampling, section 8.2.
    """
    if not stack.binary:
        raise ValueError("A design effect of shares needs answers scored 0 or 1.")
    p, n, v = stack.shares, stack.n, np.diag(stack.covariance)
    with np.errstate(divide="ignore", invalid="ignore"):
        usable = (n >= 2) & (p > 0) & (p < 1) & (v > 0)
        return np.where(usable, v / (p * (1 - p) / n), np.nan)


def round_design_effect(effects: ArrayLike) -> float | None:
    """One design effect for a whole round: the median over usable cells, at least 1, rounded up to 0.1.

    `effects`: any shape, NaN where a cell is not usable (as `design_effect` gives). None where no cell is. One
    figure a round, so that an interval printed with it says nothing about a single cell.

    Raises ValueError for a negative or infinite effect.
    """
    effects = np.asarray(effects, float).ravel()
    effects = effects[~np.isnan(effects)]
    if not np.all(np.isfinite(effects) & (effects >= 0)):
        raise ValueError("A design effect must be 0 or more, and finite.")
    if effects.size == 0:
        return None
    # The hair's breadth keeps 1.2 from becoming 1.3 when 1.2 * 10 is a shade over 12.
    return max(math.ceil(float(np.median(effects)) * 10 - 1e-9), 10) / 10


def effective_n(p: ArrayLike, n: ArrayLike, v: ArrayLike, df: ArrayLike):
    """Number of independent answers that carry as much as these clustered ones: min(n, p(1-p)/v)(z/t_df)^2.

    Any shapes that broadcast: shares, answers, variances of the shares, degrees of freedom (at least 1). Where
    the variance is 0, or the share is 0 or 1, n stands in for p(1-p)/v. Never more than n.

    Raises ValueError for fewer than one degree of freedom.

    Source: Korn & Graubard 1998, with z for their t of n-1. Notes, formula 4.
    """
    p, n, v = np.asarray(p, float), np.asarray(n, float), np.asarray(v, float)
    inside = (p > 0) & (p < 1) & (v > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        independent = np.where(inside, np.minimum(n, p * (1 - p) / v), n)
    return (independent * (Z95 / t_quantile(df)) ** 2)[()]


def mover(d1: float, ci1: Interval, d0: float, ci0: Interval, r: float = 0.0) -> Interval:
    """95% interval of d1 - d0 from their intervals and the correlation `r` of the two estimates.

    Scalars; estimates and intervals in one unit. With r = 0 it is `newcombe`.

    Raises ValueError where r lies outside [-1, 1].

    Source: Zou & Donner 2008, Statistics in Medicine 27, 1693-1702. Notes, formula 5.
    """
    if not -1 <= r <= 1:
        raise ValueError("A correlation must lie between -1 and 1.")

    def distance(x: float, y: float) -> float:
        # At r = 1 the square is (x - y)^2, which rounding error may put a shade under 0.
        return math.sqrt(max(x * x + y * y - 2 * r * x * y, 0.0))

    (l1, u1), (l0, u0) = ci1, ci0
    gap = d1 - d0
    return gap - distance(d1 - l1, u0 - d0), gap + distance(u1 - d1, d0 - l0)


def t_quantile(df: ArrayLike):
    """97.5% point of Student's t, any shape, for `df` of 1 or more; ValueError below."""
    from scipy.special import stdtrit

    if not np.all(np.asarray(df) >= 1):
        raise ValueError("Student's t needs at least one degree of freedom: two practices.")
    return stdtrit(df, 0.975)


def _correlation(covariance: float, v1: float, v0: float) -> float:
    if v1 <= 0 or v0 <= 0:
        return 0.0
    return min(1.0, max(-1.0, float(covariance / math.sqrt(v1 * v0))))


def _one_practice_warning(stack: Stack, *cells: int) -> str | None:
    if any(stack.practices[c] == 1 for c in cells):
        return "One arm's answers come from a single practice: the interval cannot see how practices differ there."
    return None


def _share(stack: Stack, cell: int) -> float | None:
    return float(stack.shares[cell]) if stack.n[cell] else None


def _check_cells(stack: Stack, *cells: int) -> None:
    if any(not 0 <= c < len(stack.shares) for c in cells):
        raise ValueError(f"Cell codes must lie between 0 and {len(stack.shares) - 1}.")


def _whole(codes: ArrayLike, name: str) -> np.ndarray:
    codes = np.asarray(codes)
    if codes.size and not np.issubdtype(codes.dtype, np.integer):
        raise ValueError(f"{name} must hold whole-number codes.")
    return codes.astype(np.int64)


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
