"""The analytic question: has the relationship changed? Answers cluster in practices and practices come back.

`linearised` turns the scored answers of one or more rounds into shares and one covariance matrix; the gap, its
change and trend (`change.py`) and the design effect are read off that `Stack`. A practice keeps its row over
rounds, so the overlap of the panel enters the covariance by itself.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from engagement.estimates.gap import Interval
from engagement.estimates.proportions import Z95, wilson

ONE_PRACTICE = "All answers come from one practice or none: how practices differ cannot be seen."


@dataclass(frozen=True, eq=False)
class Stack:
    """Cells (round, item, arm) of the rounds a figure speaks of, with their joint covariance.

    `shares`: (k,) weighted shares, or means of a score; NaN where nobody answered. `n`: (k,) answers.
    `practices`: (k,) practices with an answer in the cell. `m`: practices with an answer anywhere in the stack;
    `df` is m - 1. `covariance`: (k, k), rows of empty cells 0; all NaN where m < 2. `binary`: every y is 0 or 1.
    `kish`: (k,) Kish's effective answers, (sum w)^2 / sum w^2; n where all weights are equal, 0 for empty cells.
    """

    shares: np.ndarray
    n: np.ndarray
    kish: np.ndarray
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
    practice, cell, y = whole(practice, "practice"), whole(cell, "cell"), np.asarray(y, float)
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
    at, size = g * k + cell, m * k
    n, weight, square, scored = (
        np.bincount(at, values, size).reshape(m, k) for values in (None, w, w * w, w * y)
    )
    scale = max(1.0, float(np.abs(y).max(initial=0)))
    return stacked(n, weight, square, scored, scale=scale, binary=bool(np.all((y == 0) | (y == 1))))


def stacked(
    n: np.ndarray, weight: np.ndarray, square: np.ndarray, scored: np.ndarray, *, scale: float, binary: bool
) -> Stack:
    """The `Stack` of sums already taken: answers, sum w, sum w^2 and sum wy of each practice in each cell.

    All of shape (practices, k). Practices without an answer do not count. `scale`: the largest |y|, at least 1.

    Raises nothing of its own: `linearised` and `national.Sums` check what they take in.

    Source: as `linearised`; sum w(y - p) of a practice is sum wy - p sum w.
    """
    answered = n.sum(axis=1) > 0
    n, weight, square, scored = n[answered], weight[answered], square[answered], scored[answered]
    m, k = n.shape
    total = weight.sum(axis=0)
    with np.errstate(invalid="ignore"):
        shares = scored.sum(axis=0) / total
        kish = np.where(total > 0, total**2 / square.sum(axis=0), 0.0)
    with np.errstate(invalid="ignore"):
        influence = np.where(total > 0, residuals(weight, scored, shares, scale) / total, 0.0)
    covariance = np.full((k, k), np.nan)
    if m >= 2:
        covariance = m / (m - 1) * (influence.T @ influence)
    return Stack(
        shares=frozen(shares),
        n=frozen(n.sum(axis=0)),
        kish=frozen(kish),
        practices=frozen((n > 0).sum(axis=0)),
        m=m,
        df=max(m - 1, 0),
        covariance=frozen(covariance),
        binary=binary,
        explanation=ONE_PRACTICE if m < 2 else None,
    )


def residuals(weight: np.ndarray, scored: np.ndarray, shares: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Weighted residuals of each practice, sum w (y - p) = sum wy - p sum w; 0 where it has no answer.

    `weight`, `scored`: sums of w and wy by practice and cell, any shape; `shares`: p of the cell, of a shape that
    broadcasts; `scale`: the largest |y|, at least 1. Over the cell's weight they are the influences e_gk.

    A practice that is balanced on its cell cancels only up to rounding error. Left in, that error would be a
    variance of 1e-34 and a correlation made of noise, so it is put to 0.

    Source: Binder 1983. Notes, formula 1.
    """
    found = scored - shares * weight
    return np.where(np.abs(found) >= 1e-12 * scale * weight, found, 0.0)


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
    check_cells(stack, a, b)
    if not stack.binary:
        raise ValueError("An analytic gap needs answers scored 0 or 1.")
    p1, p0 = share(stack, a), share(stack, b)
    gap = None if p1 is None or p0 is None else p1 - p0
    reason = "Nobody answered in one of the two arms: there is no gap." if gap is None else stack.explanation
    if reason:
        return AnalyticGap(p1, p0, gap, *[None] * 8, stack.df, reason)
    v1, v0 = stack.covariance[a, a], stack.covariance[b, b]
    v10 = stack.covariance[a, b]
    n_c1, n_c0 = (
        float(effective_n(stack.shares[c], stack.n[c], stack.covariance[c, c], stack.df, stack.kish[c]))
        for c in (a, b)
    )
    ci1, ci0 = tuple(map(float, wilson(p1, n_c1))), tuple(map(float, wilson(p0, n_c0)))
    r = float(correlation(v10, v1, v0))
    low, high = map(float, mover(p1, ci1, p0, ci0, r))
    # Two arms that always move together leave rounding error, not a variance below 0.
    se = math.sqrt(max(v1 + v0 - 2 * v10, 0.0))
    return AnalyticGap(
        p1, p0, gap, low, high, ci1, ci0, se, r, n_c1, n_c0, stack.df, one_practice_warning(stack, a, b)
    )


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


def effective_n(p: ArrayLike, n: ArrayLike, v: ArrayLike, df: ArrayLike, kish: ArrayLike | None = None):
    """Number of independent answers that carry as much as these clustered ones: min(n, p(1-p)/v)(z/t_df)^2.

    Any shapes that broadcast: shares, answers, variances of the shares, degrees of freedom (at least 1). Where
    the variance is 0, or the share is 0 or 1, no variance shows what unequal weights cost: Kish's effective
    answers `kish`, (sum w)^2 / sum w^2, then stand in for p(1-p)/v; n where left out. Never more than n.

    Raises ValueError for fewer than one degree of freedom.

    Source: Korn & Graubard 1998, with z for their t of n-1; Kish 1965, section 11.7. Notes, formula 4.
    """
    p, n, v = np.asarray(p, float), np.asarray(n, float), np.asarray(v, float)
    inside = (p > 0) & (p < 1) & (v > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        carried = np.where(inside, p * (1 - p) / v, n if kish is None else kish)
    return (np.minimum(n, carried) * (Z95 / t_quantile(df)) ** 2)[()]


def mover(d1: ArrayLike, ci1: tuple, d0: ArrayLike, ci0: tuple, r: ArrayLike = 0.0):
    """95% interval of d1 - d0 from their intervals and the correlation `r` of the two estimates, (low, high).

    Any shapes that broadcast, floats for scalars; estimates and intervals in one unit; NaN passes through. With
    r = 0 it is `newcombe`.

    Raises ValueError where r lies outside [-1, 1].

    Source: Zou & Donner 2008, Statistics in Medicine 27, 1693-1702. Notes, formula 5.
    """
    d1, d0, r = np.asarray(d1, float), np.asarray(d0, float), np.asarray(r, float)
    if not np.all((r >= -1) & (r <= 1)):
        raise ValueError("A correlation must lie between -1 and 1.")

    def distance(x, y):
        # At r = 1 the square is (x - y)^2, which rounding error may put a shade under 0.
        return np.sqrt(np.maximum(x * x + y * y - 2 * r * x * y, 0.0))

    (l1, u1), (l0, u0) = ci1, ci0
    gap = d1 - d0
    low, high = gap - distance(d1 - l1, u0 - d0), gap + distance(u1 - d1, d0 - l0)
    return low[()], high[()]


def t_quantile(df: ArrayLike):
    """97.5% point of Student's t, any shape, for `df` of 1 or more; ValueError below."""
    from scipy.special import stdtrit

    if not np.all(np.asarray(df) >= 1):
        raise ValueError("Student's t needs at least one degree of freedom: two practices.")
    # Thousands of cells share a few degrees of freedom, and each costs a search.
    distinct, at = np.unique(df, return_inverse=True)
    return stdtrit(distinct, 0.975)[at].reshape(np.shape(df))[()]


def correlation(covariance: ArrayLike, v1: ArrayLike, v0: ArrayLike):
    """Correlation of two estimates, any shapes that broadcast, within [-1, 1]; 0 where either has no variance."""
    product = np.asarray(v1, float) * np.asarray(v0, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.where(product > 0, np.asarray(covariance, float) / np.sqrt(product), 0.0)
    return np.clip(r, -1, 1)[()]


def one_practice_warning(stack: Stack, *cells: int) -> str | None:
    if any(stack.practices[c] == 1 for c in cells):
        return "One arm's answers come from a single practice: the interval cannot see how practices differ there."
    return None


def share(stack: Stack, cell: int) -> float | None:
    return float(stack.shares[cell]) if stack.n[cell] else None


def check_cells(stack: Stack, *cells: int) -> None:
    if any(not 0 <= c < len(stack.shares) for c in cells):
        raise ValueError(f"Cell codes must lie between 0 and {len(stack.shares) - 1}.")


def whole(codes: ArrayLike, name: str) -> np.ndarray:
    codes = np.asarray(codes)
    if codes.size and not (codes.dtype == bool or np.issubdtype(codes.dtype, np.integer)):
        raise ValueError(f"{name} must hold whole-number codes.")
    return codes.astype(np.int64)


def frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
