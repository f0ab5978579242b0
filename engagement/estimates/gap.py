"""The gap between two arms on their rosters: what it would have been had every member answered."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from engagement.estimates.proportions import Z95, finite_n, wilson

Interval = tuple[float, float]


def newcombe(p1: ArrayLike, ci1: tuple, p0: ArrayLike, ci0: tuple):
    """95% interval of the difference p1 - p0 from the two arms' own intervals, as the pair (low, high).

    `p1`, `p0`: shares (fractions) of any shapes that broadcast. `ci1`, `ci0`: pairs (low, high) that contain
    them, as `wilson` gives. Returns fractions between -1 and 1, floats for scalars; NaN passes through.

    Raises nothing of its own.

    Source: Newcombe 1998, Statistics in Medicine 17, 873-890, method 10.
    """
    p1, p0 = np.asarray(p1, float), np.asarray(p0, float)
    (l1, u1), (l0, u0) = ci1, ci0
    gap = p1 - p0
    low = gap - np.hypot(p1 - l1, np.asarray(u0) - p0)
    high = gap + np.hypot(np.asarray(u1) - p1, p0 - l0)
    return low[()], high[()]


def agresti_caffo(y1: ArrayLike, n1: ArrayLike, y0: ArrayLike, n0: ArrayLike):
    """95% interval of the difference of two shares of independent answers, as the pair (low, high).

    `y` favourable of `n` answers in each arm, any shapes that broadcast. Returns fractions between -1 and 1, floats
    for scalars. One answer of each kind is added to each arm: a plain second line beside `newcombe` for readers
    who know it; it knows neither roster nor practices. An arm without answers gives NaN.

    Raises ValueError unless 0 <= y <= n.

    Source: Agresti & Caffo 2000, The American Statistician 54, 280-288.
    """
    y1, n1, y0, n0 = (np.asarray(each, float) for each in (y1, n1, y0, n0))
    _check_counts(y1, n1, n1)
    _check_counts(y0, n0, n0)
    p1, p0 = (y1 + 1) / (n1 + 2), (y0 + 1) / (n0 + 2)
    half = Z95 * np.sqrt(p1 * (1 - p1) / (n1 + 2) + p0 * (1 - p0) / (n0 + 2))
    silent = (n1 == 0) | (n0 == 0)
    low, high = (np.where(silent, np.nan, np.clip(p1 - p0 + side * half, -1, 1)) for side in (-1, 1))
    return low[()], high[()]


@dataclass(frozen=True)
class DescriptiveGap:
    """The gap had every member on the roster answered. Fractions; None where nothing can be said, and
    `explanation` then says why. An effective number is infinite where a whole arm answered."""

    p1: float | None
    p0: float | None
    gap: float | None
    low: float | None
    high: float | None
    ci1: Interval | None
    ci0: Interval | None
    n_eff1: float
    n_eff0: float
    explanation: str | None = None


def descriptive_gap(y1: int, n1: int, N1: int, y0: int, n0: int, N0: int) -> DescriptiveGap:
    """Gap (arm 1 minus arm 0) and its 95% interval on two finite rosters.

    Scalars: `y` favourable of `n` answers of `N` members on the roster, for each arm. An arm in which nobody
    answered has no share, so there is no gap; the result says so. Where both arms answered in full the interval
    is the gap itself.

    Unweighted. It assumes that the silent resemble the answering of the same arm: print it beside `gap_bounds`.

    Raises ValueError unless 0 <= y <= n <= N in each arm.

    Source: Newcombe 1998, method 10, on Wilson intervals with the finite-roster n; notes, "Gap, descriptive".
    """
    arms = []
    for y, n, N in ((y1, n1, N1), (y0, n0, N0)):
        _check_counts(y, n, N)
        n_eff = float(finite_n(n, N))
        p = y / n if n else None
        arms.append((p, tuple(map(float, wilson(p, n_eff))) if n else None, n_eff))
    (p1, ci1, n_eff1), (p0, ci0, n_eff0) = arms
    if p1 is None or p0 is None:
        silent = (
            "either arm" if p1 is None and p0 is None else "the first arm" if p1 is None else "the second arm"
        )
        return DescriptiveGap(
            p1,
            p0,
            None,
            None,
            None,
            ci1,
            ci0,
            n_eff1,
            n_eff0,
            f"Nobody in {silent} answered: there is no gap.",
        )
    low, high = newcombe(p1, ci1, p0, ci0)
    explanation = None
    if np.isinf(n_eff1) and np.isinf(n_eff0):
        explanation = "Everybody on both rosters answered: the gap is known, not estimated."
    return DescriptiveGap(p1, p0, p1 - p0, float(low), float(high), ci1, ci0, n_eff1, n_eff0, explanation)


def roster_bounds(y: ArrayLike, n: ArrayLike, N: ArrayLike):
    """Worst case of one arm's share over everything the silent might have said, as the pair (low, high).

    `y` favourable of `n` answers of `N` on the roster, any shapes that broadcast; fractions, floats for scalars.
    Nobody answered gives [0, 1]; everybody answered gives the share twice. Exact, with no assumption.

    Raises ValueError unless 0 <= y <= n <= N and N > 0.

    Source: Manski 1989, Journal of Human Resources 24; exact on a finite roster.
    """
    y, n, N = np.broadcast_arrays(np.asarray(y, float), np.asarray(n, float), np.asarray(N, float))
    _check_counts(y, n, N)
    if np.any(N == 0):
        raise ValueError("Nobody is on the roster: there is no share to bound.")
    return (y / N)[()], ((y + N - n) / N)[()]


def gap_bounds(y1: ArrayLike, n1: ArrayLike, N1: ArrayLike, y0: ArrayLike, n0: ArrayLike, N0: ArrayLike):
    """Worst case of the gap (arm 1 minus arm 0) over everything the silent might have said, (low, high).

    Arguments, shapes and errors as `roster_bounds`, once an arm. Fractions between -1 and 1.

    Source: Manski 1989; [low1 - high0, high1 - low0].
    """
    low1, high1 = roster_bounds(y1, n1, N1)
    low0, high0 = roster_bounds(y0, n0, N0)
    return low1 - high0, high1 - low0


def _check_counts(y, n, N) -> None:
    y, n, N = np.asarray(y), np.asarray(n), np.asarray(N)
    if not np.all((y >= 0) & (y <= n) & (n <= N)):
        raise ValueError("Counts must satisfy 0 <= favourable <= answered <= invited.")
