"""Many bodies, rounds and items at once: the same figures as `linearised` and `analytic_gap`, for all domains.

A domain is one round of one body. `partial_sums` reads the answers once and keeps, for every practice in every
domain, what the estimates need of it; `national_gaps` turns the sums into shares, gaps and intervals, and `Sums.stack`
into the `Stack` of one item over several rounds. A new round is summed alone: `national_gaps` of its sums gives its
figures, and `Sums.plus` files it with the earlier ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from engagement.estimates.clustered import (
    Stack,
    correlation,
    effective_n,
    frozen,
    mover,
    residuals,
    stacked,
    whole,
)
from engagement.estimates.gap import newcombe
from engagement.estimates.proportions import finite_n, wilson


@dataclass(frozen=True, eq=False)
class Sums:
    """Partial sums by item, arm and practice in a domain: all that shares and their covariance need.

    `domain`, `practice`: (pairs,) codes, sorted by domain and then by practice, each pair once. `n` answers, `w`
    sum of w, `square` sum of w^2, `wy` sum of w y: (items, 2, pairs); arm 1 is the one whose gap over arm 0 is
    measured. Unweighted sums hold the same array as `n`, `w` and `square`.
    """

    domain: np.ndarray
    practice: np.ndarray
    n: np.ndarray
    w: np.ndarray
    square: np.ndarray
    wy: np.ndarray
    weighted: bool

    @property
    def domains(self) -> np.ndarray:
        """The distinct domains in ascending order, shape (D,)."""
        return self.domain[self._starts()]

    def plus(self, other: Sums) -> Sums:
        """These sums and another's, added where they speak of the same practice in the same domain.

        Raises ValueError where the two have different numbers of items.
        """
        if len(self.n) != len(other.n):
            raise ValueError("Sums can be added only where they hold the same items, in the same order.")
        domain = np.concatenate([self.domain, other.domain])
        practice = np.concatenate([self.practice, other.practice])
        order = np.lexsort((practice, domain))
        domain, practice = domain[order], practice[order]
        new = (np.diff(domain, prepend=0) != 0) | (np.diff(practice, prepend=0) != 0)
        new[:1] = True
        at = np.flatnonzero(new)

        def added(name: str) -> np.ndarray:
            both = np.concatenate([getattr(self, name), getattr(other, name)], axis=2)[:, :, order]
            return both if len(at) == len(order) else np.add.reduceat(both, at, axis=2)

        n, wy, weighted = added("n"), added("wy"), self.weighted or other.weighted
        w, square = (added("w"), added("square")) if weighted else (n, n)
        return Sums(*map(frozen, (domain[at], practice[at], n, w, square, wy)), weighted)

    def stack(self, item: int, domains: Sequence[int]) -> Stack:
        """The `Stack` of one item over some domains, as `linearised` would give from the answers.

        Cell 2i + arm is that arm in the i-th domain named; a domain without answers gives empty cells.

        Raises ValueError where a domain is named twice, IndexError for an item that the sums do not have.
        """
        if len(set(domains)) != len(domains):
            raise ValueError("Name every domain once.")
        at = [slice(*np.searchsorted(self.domain, [code, code + 1])) for code in domains]
        practices, row = np.unique(
            np.concatenate([self.practice[span] for span in at] or [np.array([], int)]), return_inverse=True
        )
        column = np.repeat(np.arange(len(at)), [span.stop - span.start for span in at])

        def cells(sums: np.ndarray) -> np.ndarray:
            filled = np.zeros((len(practices), len(at), 2))
            if at:
                filled[row, column] = np.concatenate([sums[item][:, span] for span in at], axis=1).T
            return filled.reshape(len(practices), 2 * len(at))

        n, w, square, wy = (cells(each) for each in (self.n, self.w, self.square, self.wy))
        return stacked(n.astype(int), w, square, wy, scale=1.0, binary=True)

    def _starts(self) -> np.ndarray:
        return np.flatnonzero(np.diff(self.domain, prepend=self.domain[:1] - 1))


def partial_sums(
    domain: ArrayLike,
    practice: ArrayLike,
    arm: ArrayLike,
    y: ArrayLike,
    weights: ArrayLike | None = None,
) -> Sums:
    """Read the answers of many domains once.

    One row per response. `domain`, `practice`: (rows,) whole-number codes; a domain names the body and the round.
    `arm`: (rows,) 1 or 0; leave out responses of neither arm. `y`: (rows, items), 1 favourable and 0 not; missing
    is a negative number in an array of whole numbers, NaN in one of floats. `weights`: (rows,), positive, 1
    where left out.

    Raises ValueError for arrays that do not match, codes that are not whole numbers, an arm or answer that is
    not 0 or 1, a weight that is not positive and finite.

    Source: sums of the linearisation of Binder 1983. Notes, formula 1.
    """
    domain, practice, arm = whole(domain, "domain"), whole(practice, "practice"), whole(arm, "arm")
    y = np.asarray(y)
    w = None if weights is None else np.asarray(weights, float)
    if y.ndim != 2 or not y.shape[1] or not domain.shape == practice.shape == arm.shape == y.shape[:1]:
        raise ValueError(
            "domain, practice and arm must be flat, with one row of y for each, and an item or more."
        )
    if np.any((arm != 0) & (arm != 1)):
        raise ValueError("An arm must be 0 or 1; leave out responses of neither.")
    if w is not None and not (w.shape == domain.shape and np.all(np.isfinite(w) & (w > 0))):
        raise ValueError("Weights must be positive and finite, one a row.")
    order, pair, domains, practices = _pairs(domain, practice)
    size, at = 2 * len(domains), arm[order] * len(domains) + pair
    w = None if w is None else w[order]

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(at, values, size).reshape(2, -1)

    shape = (y.shape[1], 2, len(domains))
    n, wy = np.empty(shape), np.empty(shape)
    weight, square = (n, n) if w is None else (np.empty(shape), np.empty(shape))
    for j, column in enumerate(np.ascontiguousarray(y.T)):
        # In the order of the sums, adding up walks through memory once.
        answered, favourable = _read(column[order])
        n[j], wy[j] = summed(answered), summed(favourable if w is None else w * favourable)
        if w is not None:
            weight[j], square[j] = summed(w * answered), summed(w * w * answered)
    return Sums(*map(frozen, (domains, practices, n, weight, square, wy)), w is not None)


@dataclass(frozen=True, eq=False)
class National:
    """Figures of every domain, arm and item. Fractions; NaN where a figure cannot be known: nobody answered, or
    fewer than two practices did.

    `domain`: (D,). By item, arm and domain, (items, 2, D): `shares`, `n`, `practices` with an answer, `variance`,
    `n_c` effective answers, `arm_low` and `arm_high`. By item and domain, (items, D): `m` practices with an answer
    in either arm, `covariance` of the arms, `gap` (arm 1 minus arm 0), its `se`, `r`, and the analytic interval
    `low`, `high`; `roster_low`, `roster_high` are the descriptive interval, None without a roster.
    """

    domain: np.ndarray
    shares: np.ndarray
    n: np.ndarray
    practices: np.ndarray
    variance: np.ndarray
    n_c: np.ndarray
    arm_low: np.ndarray
    arm_high: np.ndarray
    m: np.ndarray
    covariance: np.ndarray
    gap: np.ndarray
    se: np.ndarray
    r: np.ndarray
    low: np.ndarray
    high: np.ndarray
    roster_low: np.ndarray | None = None
    roster_high: np.ndarray | None = None

    def __post_init__(self):
        for field in fields(self):
            if (values := getattr(self, field.name)) is not None:
                frozen(values)


def national_gaps(sums: Sums, roster: ArrayLike | None = None) -> National:
    """Shares, gaps, cluster-robust errors and 95% intervals of all domains and items.

    `roster`: members on the roster by arm and domain, (2, D) in the order of `sums.domains`; with it, the
    descriptive interval of each gap is given too.

    Raises ValueError for a roster of another shape, one smaller than the answers, or one beside weighted sums:
    the descriptive interval is for unweighted answers.

    Source: as `linearised` and `analytic_gap` with the stack of one domain; as `descriptive_gap` with a roster.
    """
    by_item = [_cells(sums, item) for item in range(len(sums.n))]
    shares, n, practices, kish, m, variance, covariance = map(np.stack, zip(*by_item, strict=True))
    known, df = m >= 2, np.maximum(m - 1, 1)
    n_c = effective_n(shares, n, variance, df[:, None], kish) * known[:, None]
    arm_low, arm_high = wilson(shares, n_c)
    gap, r = shares[:, 1] - shares[:, 0], correlation(covariance, variance[:, 1], variance[:, 0])
    low, high = mover(
        shares[:, 1], (arm_low[:, 1], arm_high[:, 1]), shares[:, 0], (arm_low[:, 0], arm_high[:, 0]), r
    )
    se = np.sqrt(np.maximum(variance[:, 1] + variance[:, 0] - 2 * covariance, 0.0))
    unknown = np.isnan(gap) | ~known
    return National(
        domain=sums.domains,
        shares=shares,
        n=n.astype(int),
        practices=practices.astype(int),
        variance=variance,
        n_c=n_c,
        arm_low=arm_low,
        arm_high=arm_high,
        m=m.astype(int),
        covariance=covariance,
        gap=gap,
        se=np.where(unknown, np.nan, se),
        r=np.where(unknown, np.nan, r),
        low=low,
        high=high,
        **({} if roster is None else _descriptive(sums, shares, n, roster)),
    )


def _cells(sums: Sums, item: int) -> tuple[np.ndarray, ...]:
    """Shares, answers, practices, Kish's answers (2, D), practices in either arm (D,), variances (2, D) and the
    covariance of the arms (D,) of one item in every domain."""
    starts = sums._starts()
    of_pair = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(sums.domain)))

    def by_domain(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, starts, axis=-1, dtype=float)

    n, w, wy = sums.n[item], sums.w[item], sums.wy[item]
    here = n > 0
    total = by_domain(w)
    answered, square = (by_domain(n), by_domain(sums.square[item])) if sums.weighted else (total, total)
    m = by_domain(here[0] | here[1])
    # An empty cell has no share and no variance; one practice has a variance that cannot be known.
    with np.errstate(invalid="ignore", divide="ignore"):
        shares, kish = by_domain(wy) / total, np.where(total > 0, total**2 / square, 0.0)
        factor = np.where(m >= 2, m / (m - 1), np.nan)
    residual, weight = residuals(w, wy, shares.take(of_pair, axis=1)), np.where(total > 0, total, 1.0)
    variance = factor * by_domain(residual * residual) / weight**2
    covariance = factor * by_domain(residual[0] * residual[1]) / (weight[0] * weight[1])
    return shares, answered, by_domain(here), kish, m, variance, covariance


def _descriptive(sums: Sums, shares: np.ndarray, n: np.ndarray, roster: ArrayLike) -> dict[str, np.ndarray]:
    N = np.asarray(roster, float)
    if N.shape != n.shape[1:]:
        raise ValueError("Give the roster by arm and domain, in the order of the domains of the sums.")
    if sums.weighted:
        raise ValueError("The descriptive interval is for unweighted answers: give no roster with weights.")
    ends = wilson(shares, finite_n(n, N))
    (low0, low1), (high0, high1) = (np.moveaxis(end, 1, 0) for end in ends)
    low, high = newcombe(shares[:, 1], (low1, high1), shares[:, 0], (low0, high0))
    return {"roster_low": low, "roster_high": high}


def _pairs(domain: np.ndarray, practice: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """An order of the rows by domain and practice, the number of each ordered row's pair, and the pairs' codes."""
    order = _order(practice, np.arange(len(practice)))
    order = _order(domain, order)
    domain, practice = domain[order], practice[order]
    new = np.ones(len(order), bool)
    new[1:] = (domain[1:] != domain[:-1]) | (practice[1:] != practice[:-1])
    return order, np.cumsum(new) - 1, domain[new], practice[new]


def _order(codes: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The order given, stably sorted by codes: sixteen bits at a time, which numpy sorts without comparing."""
    if not codes.size:
        return order
    # The distance from the smallest code wraps as a signed number and is right as an unsigned one.
    rank = (codes - codes.min()).view(np.uint64)
    for shift in range(0, int(rank.max()).bit_length(), 16):
        digit = ((rank >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.uint16)
        order = order[np.argsort(digit[order], kind="stable")]
    return order


def _read(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows answered an item, and which of them favourably."""
    if np.issubdtype(column.dtype, np.floating):
        answered = ~np.isnan(column)
    elif column.dtype == bool:
        answered = np.ones(len(column), bool)
    else:
        answered = column >= 0
    favourable = column == 1
    if not np.all(favourable | (column == 0) | ~answered):
        raise ValueError("An answer must be 1, 0 or missing: score it first.")
    return answered, favourable
