"""The ownership index: how it is made, how well it measures, and whether it measures leaders as it does the rest.

Scores are 1 to 5 in the favourable direction (5 says the most for the body; reverse-coded items already turned),
NaN where an item was not answered, one row a person and one column a core item. The index runs from 0 to 100.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from engagement.estimates.clustered import Stack, linearised, t_quantile
from engagement.estimates.gap import Interval
from engagement.estimates.multiplicity import holm

COVERAGE = 0.5
"""An index needs answers to at least this share of the core items."""
FEWEST_PEOPLE = 100
FEWEST_ITEMS = 3
WEAK_ITEM = 0.3
"""An item that goes along with the others less than this is flagged (Nunnally & Bernstein 1994)."""
HEYWOOD = 0.005
"""Own variance, as a share of the item's, below which one factor would have it measured without error."""

FEWEST_IN_AN_ARM = 30
FEWEST_PRACTICES = 10
DIFFERENT = 0.17
"""Least difference, in standard deviations of the item, that counts (Zwick, Thayer & Mazzeo 1997)."""
MARGIN = 0.5
"""Items are said to behave alike only where differences of half a standard deviation are ruled out."""


@dataclass(frozen=True, eq=False)
class Index:
    """The index of each person, 0 to 100, shape (people,); NaN where under half of the core items were answered.

    `answered`: core items answered, shape (people,). `items`: core items asked. `left_out`: people with some
    answers and no index.
    """

    value: np.ndarray
    answered: np.ndarray
    items: int
    left_out: int


@dataclass(frozen=True)
class IndexMean:
    """Mean index of one group, 0 to 100, with its clustered standard error and 95% interval; None where it
    cannot be known, and `explanation` then says why. `n` people with an index, `left_out` people without."""

    n: int
    left_out: int
    mean: float | None
    se: float | None
    low: float | None
    high: float | None
    explanation: str | None = None


@dataclass(frozen=True, eq=False)
class Reliability:
    """How consistently the items measure one thing, from `n` complete answers to `k` items.

    `alpha` with its 95% Feldt interval; `omega` and `loadings` of one factor; `item_rest` correlations; `weak`,
    positions of items under .3; `alpha_if_deleted`. Arrays have shape (k,). All None where refused, omega and
    loadings also where one factor does not fit; `explanation` then says why.
    """

    n: int
    k: int
    alpha: float | None
    alpha_low: float | None
    alpha_high: float | None
    omega: float | None
    loadings: np.ndarray | None
    item_rest: np.ndarray | None
    weak: tuple[int, ...]
    alpha_if_deleted: np.ndarray | None
    explanation: str | None = None


@dataclass(frozen=True, eq=False)
class MeasurementComparison:
    """Whether the index gap between leaders and grassroots members may be read as one gap.

    `index_gap` and `item_gaps` (leader minus grassroots, on the scale 0 to 100, complete answers), `spread` the
    standard deviation of the item gaps. `leader`, `grassroots`: the reliability in each arm, refused under 100.
    `difference`: each item's gap that the other items do not explain, in standard deviations of the item, with
    its 95% interval and `p_value` adjusted after Holm. `different`: positions of the items that behave
    differently. `verdict`: "alike", "different" or "cannot say", with `statement` in words. Arrays have shape
    (k,), None where they cannot be known.
    """

    n_leader: int
    n_grassroots: int
    index_gap: float | None
    item_gaps: np.ndarray | None
    spread: float | None
    leader: Reliability
    grassroots: Reliability
    difference: np.ndarray | None
    low: np.ndarray | None
    high: np.ndarray | None
    p_value: np.ndarray | None
    different: tuple[int, ...]
    verdict: str
    statement: str


def ownership_index(scores: ArrayLike) -> Index:
    """Index of each person: the mean of the core items they answered, carried from 1-5 to 0-100.

    `scores`: shape (people, items). A person with answers to under half of the items gets no index; for the
    others the items that they left out are taken to be like those that they answered.

    Raises ValueError for another shape, no items, and scores outside 1 to 5.
    """
    x = _scores(scores)
    answered = np.isfinite(x).sum(axis=1)
    enough = answered >= COVERAGE * x.shape[1]
    with np.errstate(invalid="ignore"):
        mean = np.nansum(x, axis=1) / np.where(enough, answered, np.nan)
    return Index(
        _frozen((mean - 1) * 25), _frozen(answered), x.shape[1], int(((answered > 0) & ~enough).sum())
    )


def index_means(
    value: ArrayLike, practice: ArrayLike, group: ArrayLike, *, groups: int, weights: ArrayLike | None = None
) -> tuple[tuple[IndexMean, ...], Stack]:
    """Mean index of each group with practices as clusters, and the stack from which their differences come.

    `value`: shape (people,), NaN without index; `practice`, any whole numbers; `group`, 0 to groups-1; `weights`,
    positive, 1 where left out. The interval is mean ± t se, held within 0 to 100. Differences between groups are
    correlated through their practices: take them from the stack, never from the intervals.

    Raises ValueError as `linearised` does.

    Source: Binder 1983; Student's t with practices less one degrees of freedom.
    """
    value, practice, group = np.asarray(value, float), np.asarray(practice), np.asarray(group)
    has = ~np.isnan(value)
    w = None if weights is None else np.asarray(weights, float)[has]
    stack = linearised(practice[has], group[has], value[has], w, cells=groups)
    missing = np.bincount(group[~has], minlength=groups)
    return tuple(_index_mean(stack, g, int(missing[g])) for g in range(groups)), stack


def scale_reliability(scores: ArrayLike) -> Reliability:
    """Alpha, omega and item-rest correlations of the people who answered every item.

    `scores`: shape (people, items). Refused, with the reason, under 100 complete answers, under 3 items, and where
    everybody gave one answer to an item. Pool rounds or bodies rather than use one small body.

    Raises ValueError for another shape, no items, and scores outside 1 to 5.

    Source: Cronbach 1951, Psychometrika 16; interval: Feldt 1965, Psychometrika 30; omega total of one factor:
    McDonald 1999, Test Theory, by maximum likelihood on z-scores.
    """
    x = _complete(_scores(scores))
    n, k = x.shape
    reason = _why_not(x)
    if reason:
        return Reliability(n, k, *[None] * 6, (), None, reason)
    covariance = np.cov(x, rowvar=False)
    alpha = float(_alpha(covariance))
    low, high = _feldt(alpha, n, k)
    rest = covariance.sum(axis=0) - np.diag(covariance)
    total = covariance.sum()
    rest_variance = total - 2 * rest - np.diag(covariance)
    with np.errstate(divide="ignore", invalid="ignore"):
        item_rest = rest / np.sqrt(np.diag(covariance) * rest_variance)
    deleted = [_alpha(np.delete(np.delete(covariance, i, 0), i, 1)) for i in range(k)]
    loadings, omega, reason = _one_factor(np.corrcoef(x, rowvar=False))
    return Reliability(
        n=n,
        k=k,
        alpha=alpha,
        alpha_low=low,
        alpha_high=high,
        omega=omega,
        loadings=loadings,
        item_rest=_frozen(item_rest),
        weak=tuple(int(i) for i in np.flatnonzero(~(item_rest >= WEAK_ITEM))),
        alpha_if_deleted=_frozen(np.array(deleted)),
        explanation=reason,
    )


def compare_measurement(scores: ArrayLike, leader: ArrayLike, practice: ArrayLike) -> MeasurementComparison:
    """Do the items behave alike for leaders and grassroots members? To be asked before their index gap is read.

    `scores`: shape (people, items); `leader`: shape (people,), 1 or 0; `practice`: shape (people,), any whole
    numbers. Complete answers only.

    Each item is regressed on the other items' mean and the arm; the arm's coefficient, in standard deviations of
    the item within arms, is what the item's gap has that the others do not explain. The others' mean measures with
    error, which would leave a part of any true gap in every coefficient: its slope is divided by the
    reliability (alpha within arms) of that mean. Standard errors leave out one practice at a time. While an item
    behaves differently, the most different one leaves the mean that the others are compared by, as long as three
    stay in it: otherwise it would make good items look bad in the other direction.

    An item behaves differently where Holm's p is under .05 and the difference at least .17. Items behave alike
    where none does and no interval reaches half a standard deviation. Otherwise, and with under 30 complete answers
    in an arm or under 10 practices, the verdict is "cannot say".

    Raises ValueError for other shapes and for scores outside 1 to 5.

    Source: differential item functioning by regression, Zumbo 1999; correction of the matching score after
    Shealy & Stout 1993, Psychometrika 58, and its purification after Holland & Thayer 1988; .17: Zwick, Thayer &
    Mazzeo 1997, Applied Measurement in Education 10; jackknife over clusters: Efron 1982. Measured: where arms differ
    by .8 and items behave alike, some adjusted p is under .05 in 5% of bodies, without the correction in 26 to 79%.
    """
    x, leader, practice = _scores(scores), np.asarray(leader), np.asarray(practice)
    if not leader.shape == practice.shape == x.shape[:1]:
        raise ValueError("leader and practice must be flat, with one entry a row of scores.")
    if not np.all((leader == 0) | (leader == 1)):
        raise ValueError("leader must be 1 for a leader and 0 for a grassroots member.")
    whole = np.isfinite(x).all(axis=1)
    x, arm, practice = x[whole], leader[whole].astype(int), practice[whole]
    ours, theirs = scale_reliability(x[arm == 1]), scale_reliability(x[arm == 0])
    n1, n0 = ours.n, theirs.n
    gaps = (x[arm == 1].mean(axis=0) - x[arm == 0].mean(axis=0)) * 25 if n1 and n0 else None
    summary = (
        n1,
        n0,
        None if gaps is None else float(gaps.mean()),
        None if gaps is None else _frozen(gaps),
        None if gaps is None or x.shape[1] < 2 else float(gaps.std(ddof=1)),
        ours,
        theirs,
    )
    reason = _why_not_compared(x, arm, practice)
    if reason:
        return MeasurementComparison(*summary, *[None] * 4, (), "cannot say", f"Cannot say: {reason}")

    difference, se, p_value, different, df = _tested(x, arm, practice)
    if difference is None:
        reason = "the other items do not measure one thing well enough to compare by."
        return MeasurementComparison(*summary, *[None] * 4, (), "cannot say", f"Cannot say: {reason}")
    half = t_quantile(df) * se
    verdict, statement = _verdict(different, np.abs(difference) + half, n1, n0)
    return MeasurementComparison(
        *summary,
        _frozen(difference),
        _frozen(difference - half),
        _frozen(difference + half),
        _frozen(p_value),
        different,
        verdict,
        statement,
    )


def _index_mean(stack: Stack, g: int, left_out: int) -> IndexMean:
    n = int(stack.n[g])
    if n == 0:
        return IndexMean(n, left_out, *[None] * 4, "Nobody in this group answered half of the core items.")
    mean = float(stack.shares[g])
    if stack.explanation or stack.covariance[g, g] <= 0:
        reason = stack.explanation or "Practices do not differ on the index: no interval can be given."
        return IndexMean(n, left_out, mean, *[None] * 3, reason)
    se = math.sqrt(stack.covariance[g, g])
    half = float(t_quantile(stack.df)) * se
    return IndexMean(n, left_out, mean, se, max(mean - half, 0.0), min(mean + half, 100.0))


def _alpha(covariance: np.ndarray) -> np.ndarray:
    """Alpha of the items of each covariance matrix, shape (..., k, k) to (...)."""
    k = covariance.shape[-1]
    own = np.trace(covariance, axis1=-2, axis2=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return k / (k - 1) * (1 - own / covariance.sum(axis=(-2, -1)))


def _feldt(alpha: float, n: int, k: int) -> Interval:
    from scipy.special import fdtri

    upper, lower = fdtri(n - 1, (n - 1) * (k - 1), [0.975, 0.025])
    return float(1 - (1 - alpha) * upper), float(1 - (1 - alpha) * lower)


def _one_factor(correlation: np.ndarray):
    """Loadings and omega of one factor, or None twice and the reason."""
    from sklearn.decomposition import FactorAnalysis
    from sklearn.exceptions import ConvergenceWarning

    k = len(correlation)
    # The likelihood knows the z-scores by their correlations only, so 2k rows with the same correlations stand in
    # for any number of people. It is a sum over rows: tol is 1e-10 for about a hundred times as many.
    fit = FactorAnalysis(n_components=1, svd_method="lapack", tol=1e-12, max_iter=5_000)
    rows = np.linalg.cholesky(correlation).T * math.sqrt(k)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(np.vstack([rows, -rows]))
    loadings, own = fit.components_[0], fit.noise_variance_
    # An item without variance of its own is approached for ever, so the fit then ends by its number of steps.
    if own.min() < HEYWOOD or fit.n_iter_ == fit.max_iter:
        return None, None, "One factor does not describe these items: omega is not given."
    loadings = loadings * (1 if loadings.sum() >= 0 else -1)
    common = loadings.sum() ** 2
    return _frozen(loadings), float(common / (common + own.sum())), None


def _tested(x: np.ndarray, arm: np.ndarray, practice: np.ndarray):
    """Difference, standard error, adjusted p-value, positions that differ, degrees of freedom; None five times
    where the items do not go along with one another."""
    sums = _sums(x, arm, practice)
    matching = np.arange(x.shape[1])
    while True:
        difference, se = _jackknifed_difference(sums, matching)
        if not np.all(np.isfinite(se)):
            return (None,) * 5
        df = len(sums) - 1
        p_value = holm(_two_sided(difference, se, df))
        different = np.flatnonzero((p_value < 0.05) & (np.abs(difference) >= DIFFERENT))
        suspects = np.intersect1d(different, matching)
        if suspects.size == 0 or matching.size <= FEWEST_ITEMS:
            return difference, se, p_value, tuple(map(int, different)), df
        matching = matching[matching != suspects[np.argmax(np.abs(difference[suspects]))]]


def _sums(x: np.ndarray, arm: np.ndarray, practice: np.ndarray) -> np.ndarray:
    """Sums of 1, x and xx' by practice and arm, (m, 2, 1+k, 1+k): leaving a practice out is then one subtraction."""
    names, g = np.unique(practice, return_inverse=True)
    z = np.column_stack([np.ones(len(x)), x - x.mean(axis=0)])
    sums = np.zeros((len(names), 2, z.shape[1], z.shape[1]))
    np.add.at(sums, (g, arm), z[:, :, None] * z[:, None, :])
    return sums


def _jackknifed_difference(sums: np.ndarray, matching: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Difference of each item and its standard error over practices left out one at a time, shape (k,)."""
    m, total = len(sums), sums.sum(axis=0)
    full, without = _difference(total, matching), _difference(total - sums, matching)
    return full, np.sqrt((m - 1) / m * ((without - full) ** 2).sum(axis=0))


def _difference(sums: np.ndarray, matching: np.ndarray) -> np.ndarray:
    """Each item's gap beyond what the other matching items explain, in its standard deviations within arms.

    `sums`: (..., 2, 1+k, 1+k), as `_sums` gives, of centred scores; returns (..., k).
    """
    n = sums[..., 0, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums[..., 0, 1:] / n[..., None]
        within = sums[..., 1:, 1:] - n[..., None, None] * mean[..., :, None] * mean[..., None, :]
        covariance = within.sum(axis=-3) / (n.sum(axis=-1) - 2)[..., None, None]
        gap = mean[..., 1, :] - mean[..., 0, :]
        columns = []
        for i in range(sums.shape[-1] - 1):
            others = matching[matching != i]
            block = covariance[..., others[:, None], others]
            rest_variance = block.mean(axis=(-2, -1))
            with_rest = covariance[..., i, others].mean(axis=-1)
            reliable = _alpha(block)
            slope = with_rest / rest_variance / np.where(reliable > 0, reliable, np.nan)
            unexplained = gap[..., i] - slope * gap[..., others].mean(axis=-1)
            columns.append(unexplained / np.sqrt(covariance[..., i, i]))
    return np.stack(columns, axis=-1)


def _two_sided(estimate: np.ndarray, se: np.ndarray, df: int) -> np.ndarray:
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(se > 0, np.abs(estimate) / se, np.where(estimate == 0, 0.0, np.inf))
    return 2 * stdtr(df, -t)


def _verdict(different: tuple[int, ...], reach: np.ndarray, n1: int, n0: int) -> tuple[str, str]:
    if different:
        items = ", ".join(str(i + 1) for i in different)
        return (
            "different",
            f"These items behave differently for leaders and grassroots members: {items} (in the order given). "
            "Show the gaps of the items beside the gap of the index.",
        )
    if reach.max() >= MARGIN:
        few = "leaders" if n1 <= n0 else "grassroots members"
        return (
            "cannot say",
            f"Cannot say: too few {few} answered to rule out that an item behaves differently by half a "
            "standard deviation.",
        )
    return "alike", "The items behave alike for leaders and grassroots members."


def _why_not(x: np.ndarray) -> str | None:
    n, k = x.shape
    if k < FEWEST_ITEMS:
        return f"Reliability needs at least {FEWEST_ITEMS} items; there are {k}."
    if n < FEWEST_PEOPLE:
        return f"Reliability needs at least {FEWEST_PEOPLE} people who answered every item; there are {n}."
    constant = [str(i + 1) for i in np.flatnonzero(x.min(axis=0) == x.max(axis=0))]
    if constant:
        return f"Everybody gave the same answer to item {', '.join(constant)}: leave it out."
    if np.linalg.eigvalsh(np.corrcoef(x, rowvar=False))[0] < 1e-10:
        return "An item repeats the others exactly: leave it out."
    return None


def _why_not_compared(x: np.ndarray, arm: np.ndarray, practice: np.ndarray) -> str | None:
    if x.shape[1] < FEWEST_ITEMS:
        return f"a comparison needs at least {FEWEST_ITEMS} items."
    for code, name in ((1, "leaders"), (0, "grassroots members")):
        n, m = int((arm == code).sum()), len(np.unique(practice[arm == code]))
        if n < FEWEST_IN_AN_ARM:
            return f"too few {name} answered every item ({n}; at least {FEWEST_IN_AN_ARM} are needed)."
        if m < FEWEST_PRACTICES:
            return f"the {name} come from too few practices ({m}; at least {FEWEST_PRACTICES} are needed)."
    within = x - np.array([x[arm == code].mean(axis=0) for code in (0, 1)])[arm]
    if np.any(np.abs(within).max(axis=0) < 1e-9):
        return "everybody in each arm gave the same answer to an item."
    return None


def _scores(scores: ArrayLike) -> np.ndarray:
    x = np.asarray(scores, float)
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError("Give scores as a table: one row a person, one column an item.")
    if np.any((x < 1) | (x > 5)):
        raise ValueError("Scores must lie between 1 and 5, with NaN where an item was not answered.")
    return x


def _complete(x: np.ndarray) -> np.ndarray:
    return x[np.isfinite(x).all(axis=1)]


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
