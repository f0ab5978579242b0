"""Cluster audit: would free clustering find groups of practices? Shown beside the segments, never instead.

Segments are published rules. This module clusters the same two axes freely, measures how far the result could be
trusted, and ends in one of two sentences. Neither claims that groups exist: no index can, and in simulations
without any groups most indices find some. The result never depends on the order of the practices.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

K_MAX = 5
"""Most groups looked for."""
FEWEST = 10
"""Practices below which nothing is audited."""
MANY = 400
"""Practices from which the verdict no longer says that groups could hardly have been seen."""
MIN_SIZE, MIN_SHARE = 3, 0.05
"""A group has at least three practices and a twentieth of them all: one odd practice is not a group."""
STABLE = 0.75
"""Mean Jaccard similarity from which Hennig calls a group stable."""
WINS = 4
"""Audits running that another number of groups must win before the number shown changes."""
MOST = 500
"""Practices that the figures are computed on; of more, a random sample of this size."""
REPLICATES = 50

KMEANS, MIXTURE, WARD = "k-means", "Gaussian mixture", "Ward"

Partitions = dict[int, np.ndarray]


@dataclass(frozen=True)
class MethodFigures:
    """One method at one number of groups, on standardised axes. None where a figure does not apply.

    `sizes`: practices in each group, largest first; `admissible`: none below the minimum size. `gap`, `gap_se`:
    gap statistic and its simulation error (k-means, Ward). `bic`: lower is better (mixture). `jaccard`: bootstrap
    stability of the least stable group; for the mixture only at the k it chose, because it costs most.
    `chosen`: the k this method would choose, by the gap's 1-SE rule or the lowest BIC.
    """

    method: str
    k: int
    sizes: tuple[int, ...]
    admissible: bool
    gap: float | None
    gap_se: float | None
    bic: float | None
    jaccard: float | None
    chosen: bool


@dataclass(frozen=True)
class Carried:
    """What one audit hands to the next; plain numbers, fit for JSON.

    `k`: groups shown. `candidate` has won the last `wins` audits instead; None and 0 where `k` won. `centres`:
    (attitude, participation) in the units of the points; `labels`: the number each centre's group goes by.
    """

    k: int
    candidate: int | None
    wins: int
    labels: tuple[int, ...]
    centres: tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class ClusterAudit:
    """Result of `audit`. `labels`: (n,) group of each practice in the k-means shown; `centres` as in `Carried`,
    with their numbers in `centre_labels`. `winner`: the k that this round's data are compatible with, 1 for none.
    `figures`: the per-method table, empty where nothing was audited. `explanation`: what else must be said."""

    n: int
    winner: int
    labels: np.ndarray
    centre_labels: tuple[int, ...]
    centres: tuple[tuple[float, float], ...]
    figures: tuple[MethodFigures, ...]
    verdict: str
    explanation: str | None
    carried: Carried | None


def audit(
    points: ArrayLike,
    *,
    carried: Carried | None = None,
    previous: ArrayLike | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> ClusterAudit:
    """Cluster the practices' posterior means freely and say what that is worth.

    `points`: (n, 2), attitude and participation of each practice in any units; the axes are standardised here.
    `carried`: from the audit of the round before; its centres start the k-means that is shown. `previous`: (n,)
    labels of the round before, -1 where a practice had none; without it, labels follow the nearest old centre.
    `replicates`: bootstrap samples and reference sets.

    The data are compatible with k > 1 groups where all of this holds: of the mixtures, that of k normals has the
    lowest BIC; and k-means with k groups has a gap more than one simulation error above that of one group, none
    below the minimum size, and none with a bootstrap Jaccard under 0.75. The k shown starts at the first winner
    and changes only after another has won four audits running.

    Fewer than ten practices, or practices that all stand at one point, are not audited; the result says so and
    hands `carried` on untouched.

    Raises ValueError for points that are not (n, 2) and finite, and for `previous` of another length.

    Source: gap statistic, Tibshirani, Walther & Hastie 2001, JRSS B 63; stability, Hennig 2007, CSDA 52.
    """
    points = np.asarray(points, float)
    if points.ndim != 2 or points.shape[1] != 2 or not np.all(np.isfinite(points)):
        raise ValueError("Give one row for each practice: attitude and participation, both finite numbers.")
    n = len(points)
    if previous is not None:
        previous = np.asarray(previous)
        if previous.shape != (n,):
            raise ValueError("Give one previous label for each practice, -1 where it had none.")
    # Sorting the points makes every draw, and so every figure, independent of the order they came in.
    order = np.lexsort(points.T[::-1])
    points, previous = points[order], None if previous is None else previous[order]
    if reason := _not_auditable(points):
        centres = tuple(map(tuple, points.mean(axis=0, keepdims=True).tolist())) if n else ()
        zeros, names = _frozen(np.zeros(n, int)), (0,) * len(centres)
        return ClusterAudit(n, 1, zeros, names, centres, (), verdict(n, 1), reason, carried)

    mean, scale = points.mean(axis=0), points.std(axis=0)
    scale[scale <= 1e-12 * np.abs(points).max(axis=0)] = 1.0
    z = (points - mean) / scale
    rng = np.random.default_rng(seed)
    sample = z if n <= MOST else z[np.sort(rng.choice(n, MOST, replace=False))]

    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # on so few points threads cost four times what they save
        figures = _figures(sample, rng, replicates)
        winner = compatible_k(figures)
        k, candidate, wins = next_k(carried, winner)
        most = min(k, _distinct(sample))
        if carried and carried.k == most == len(carried.centres):
            start = (np.array(carried.centres) - mean) / scale
        else:
            start = _means(sample, _kmeans(sample, [most])[most])
        clusters, centres = _without_small(z, start)

    centres = centres * scale + mean
    if previous is None and carried:
        old = np.array(carried.centres)
        previous = np.array(carried.labels)[_nearest(points / scale, old / scale)]
    if previous is None:
        rank = np.empty(len(centres), int)
        rank[np.lexsort(centres.T[::-1])] = np.arange(len(centres))
        named = rank[clusters]
    else:
        named = align(previous, clusters)
    names = tuple(int(named[clusters == c][0]) for c in range(len(centres)))
    labels = np.empty(n, int)
    labels[order] = named

    centres = tuple(map(tuple, centres.tolist()))
    return ClusterAudit(
        n=n,
        winner=winner,
        labels=_frozen(labels),
        centre_labels=names,
        centres=centres,
        figures=figures,
        verdict=verdict(n, winner),
        explanation=_explanation(k, len(centres), candidate, wins),
        carried=Carried(k, candidate, wins, names, centres),
    )


def verdict(n: int, k: int) -> str:
    """The sentence for `n` practices whose data are compatible with `k` groups, 1 for none. Never a claim."""
    if k > 1:
        return f"The data are compatible with {k} groups; segments stay rule-based."
    if n >= MANY:
        return "The data show no natural groups."
    return "The data show no natural groups; with this many practices they hardly could."


def next_k(carried: Carried | None, winner: int) -> tuple[int, int | None, int]:
    """Number of groups to show, the candidate to replace it, and how many audits running that one has won.

    The first audit takes its winner; later the number changes only when another has won four running.

    Source: the open-source Polis smooths its number of opinion groups in the same way.
    """
    if carried is None:
        return winner, None, 0
    if winner == carried.k:
        return carried.k, None, 0
    wins = carried.wins + 1 if winner == carried.candidate else 1
    return (winner, None, 0) if wins >= WINS else (carried.k, winner, wins)


def align(reference: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """`labels` renumbered so that as many practices as possible keep their number of `reference`.

    Both (n,), whole numbers of 0 or more; a `reference` of -1 says nothing. A group that shares no practice with
    any old one takes the lowest number that no old one had. Returns (n,).

    Raises ValueError for arrays of different lengths.

    Source: assignment by Kuhn 1955, Naval Research Logistics Quarterly 2.
    """
    from scipy.optimize import linear_sum_assignment

    reference, labels = np.asarray(reference), np.asarray(labels)
    if reference.shape != labels.shape or labels.ndim != 1:
        raise ValueError("Both sets of labels must speak of the same practices.")
    known = reference >= 0
    old, old_code = np.unique(reference[known], return_inverse=True)
    new, new_code = np.unique(labels, return_inverse=True)
    shared = _contingency(new_code[known], old_code, len(new), len(old))
    rows, columns = linear_sum_assignment(shared, maximize=True)
    names = {int(r): int(old[c]) for r, c in zip(rows, columns, strict=True) if shared[r, c] > 0}
    free = (number for number in range(len(old) + len(new)) if number not in old)
    for group in range(len(new)):
        names.setdefault(group, -1)
        if names[group] < 0:
            names[group] = next(free)
    return np.array([names[g] for g in range(len(new))], int)[new_code]


def _figures(z: np.ndarray, rng: np.random.Generator, replicates: int) -> tuple[MethodFigures, ...]:
    """The table: each method at each k on `z`, (n, 2) standardised."""
    n = len(z)
    ks = list(range(1, min(K_MAX, _distinct(z)) + 1))
    seed = int(rng.integers(2**31))
    models = {k: _fit_mixture(z, k, seed, starts=3) for k in ks}
    bic = {k: float(model.bic(z)) for k, model in models.items()}
    best = min(ks, key=bic.get)
    partitions = {
        KMEANS: _kmeans(z, ks),
        MIXTURE: {k: model.predict(z) for k, model in models.items()},
        WARD: _ward(z, ks),
    }
    fits: dict[str, Callable] = {KMEANS: _kmeans, WARD: _ward}
    gaps = {m: _gap(z, partitions[m], fit, rng, replicates) for m, fit in fits.items()}
    chosen = {m: one_se(*gaps[m]) for m in fits} | {MIXTURE: best}
    stability = {m: _jaccard(z, partitions[m], fit, rng, replicates) for m, fit in fits.items()}
    stability[MIXTURE] = _jaccard(
        z,
        {best: partitions[MIXTURE][best]},
        lambda x, wanted: {k: _fit_mixture(x, k, seed).predict(x) for k in wanted},
        rng,
        replicates,
    )
    rows = []
    for method in (KMEANS, MIXTURE, WARD):
        for at, k in enumerate(ks):
            sizes = np.bincount(partitions[method][k], minlength=k)
            gap, gap_se = (float(g[at]) for g in gaps[method]) if method in gaps else (None, None)
            rows.append(
                MethodFigures(
                    method=method,
                    k=k,
                    sizes=tuple(sorted(map(int, sizes), reverse=True)),
                    admissible=bool(sizes.min() >= _smallest_allowed(n)) or k == 1,
                    gap=gap,
                    gap_se=gap_se,
                    bic=bic[k] if method == MIXTURE else None,
                    jaccard=stability[method].get(k),
                    chosen=chosen[method] == k,
                )
            )
    return tuple(rows)


def compatible_k(figures: tuple[MethodFigures, ...]) -> int:
    """The k that the data are compatible with by the rules of `audit`; 1 for none."""
    k = next(f.k for f in figures if f.method == MIXTURE and f.chosen)
    one, row = (next(f for f in figures if f.method == KMEANS and f.k == at) for at in (1, k))
    stands_out = k > 1 and row.gap - row.gap_se > one.gap
    return k if stands_out and row.admissible and row.jaccard >= STABLE else 1


def one_se(gap: ArrayLike, se: ArrayLike) -> int:
    """Smallest k, from 1, whose gap is within one simulation error of the largest: Gap(k) >= Gap(k*) - s(k*).

    Comparing each k with the next only, as first published, stops too soon where groups lie in a square or a
    triangle: two halves of four groups look no better than one.

    Source: Dudoit & Fridlyand 2002, Genome Biology 3.
    """
    gap, se = np.asarray(gap, float), np.asarray(se, float)
    best = int(np.argmax(gap))
    return int(np.argmax(gap >= gap[best] - se[best])) + 1


def _gap(
    z: np.ndarray, partitions: Partitions, fit: Callable, rng: np.random.Generator, replicates: int
) -> tuple[np.ndarray, np.ndarray]:
    """Gap statistic and its simulation error, one for each k.

    Reference sets are uniform over the box that holds the points along their principal axes.
    """
    axes = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)[2]
    turned = z @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    expected = np.empty((replicates, len(partitions)))
    for row in expected:
        reference = rng.uniform(low, high, z.shape) @ axes
        row[:] = _log_within(reference, fit(reference, list(partitions)))
    gap = expected.mean(axis=0) - _log_within(z, partitions)
    return gap, expected.std(axis=0) * math.sqrt(1 + 1 / replicates)


def _log_within(z: np.ndarray, partitions: Partitions) -> np.ndarray:
    """Log of the pooled sum of squares within groups, one for each k. Groups of identical points have none; the
    floor, far below what any reference set can reach, keeps the log finite."""
    within = [np.sum((z - _means(z, labels)[labels]) ** 2) for labels in partitions.values()]
    return np.log(np.maximum(within, 1e-9 * len(z)))


def _jaccard(
    z: np.ndarray, partitions: Partitions, fit: Callable, rng: np.random.Generator, replicates: int
) -> dict[int, float]:
    """Bootstrap stability of the least stable group, for each k above 1.

    Each group's best Jaccard similarity with a group of the clustered bootstrap sample, on the points drawn (a
    point drawn twice counts once), averaged over samples; then the lowest over groups. A group of which no point
    was drawn scores 0 in that sample.
    """
    ks = [k for k in partitions if k > 1]
    if not ks:
        return {}
    total = {k: np.zeros(k) for k in ks}
    for _ in range(replicates):
        drawn = np.unique(rng.integers(len(z), size=len(z)))
        most = _distinct(z[drawn])
        again = fit(z[drawn], sorted({min(k, most) for k in ks}))
        for k in ks:
            both = _contingency(partitions[k][drawn], again[min(k, most)], k, k)
            either = both.sum(axis=1, keepdims=True) + both.sum(axis=0) - both
            total[k] += (both / np.maximum(either, 1)).max(axis=1)
    return {k: float(total[k].min() / replicates) for k in ks}


def _ward(z: np.ndarray, ks: list[int]) -> Partitions:
    from scipy.cluster.hierarchy import cut_tree, linkage

    cut = cut_tree(linkage(z, "ward"), n_clusters=ks)
    return {k: cut[:, at] for at, k in enumerate(ks)}


def _kmeans(z: np.ndarray, ks: list[int]) -> Partitions:
    """k-means from the centres of Ward's cut: no random starts, so data and reference sets are treated alike."""
    return {k: _kmeans_from(z, _means(z, labels))[0] for k, labels in _ward(z, ks).items()}


def _kmeans_from(z: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.cluster import KMeans

    model = KMeans(len(centres), init=centres, n_init=1).fit(z)
    return model.labels_, model.cluster_centers_


def _fit_mixture(z: np.ndarray, k: int, seed: int, starts: int = 1):
    from sklearn.mixture import GaussianMixture

    # The floor of a tenth of a standard deviation keeps a component from shrinking onto a few practices.
    return GaussianMixture(k, reg_covar=0.01, n_init=starts, random_state=seed, max_iter=300).fit(z)


def _without_small(z: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """k-means from `start`; while a group is below the minimum size its centre goes and the rest run again."""
    while True:
        labels, centres = _kmeans_from(z, start)
        sizes = np.bincount(labels, minlength=len(centres))
        if len(centres) == 1 or sizes.min() >= _smallest_allowed(len(z)):
            return labels, centres
        start = np.delete(centres, sizes.argmin(), axis=0)


def _means(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Centres (k, 2) of the groups numbered 0 to k-1, none of them empty."""
    sizes = np.bincount(labels)
    return np.column_stack([np.bincount(labels, column) / sizes for column in z.T])


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.argmin(((points[:, None, :] - centres) ** 2).sum(axis=2), axis=1)


def _contingency(rows: np.ndarray, columns: np.ndarray, r: int, c: int) -> np.ndarray:
    return np.bincount(rows * c + columns, minlength=r * c).reshape(r, c)


def _smallest_allowed(n: int) -> int:
    return max(MIN_SIZE, math.ceil(MIN_SHARE * n))


def _distinct(z: np.ndarray) -> int:
    return len(np.unique(z, axis=0))


def _not_auditable(points: np.ndarray) -> str | None:
    if len(points) < FEWEST:
        return f"Fewer than {FEWEST} practices: no clustering was tried."
    if np.all(np.ptp(points, axis=0) <= 1e-12 * np.abs(points).max(axis=0)):
        return "All practices stand at the same point: there is nothing to cluster."
    return None


def _explanation(k: int, shown: int, candidate: int | None, wins: int) -> str | None:
    """What must be said beside the verdict where the picture and this round's winner differ."""
    said = []
    if candidate:
        said.append(
            f"The picture keeps {k} {_groups(k)}: {candidate} won {wins} of the {WINS} audits running that a change takes."
        )
    if shown < k:
        said.append(f"It shows {shown} {_groups(shown)}: a smaller one would have had too few practices.")
    return " ".join(said) or None


def _groups(k: int) -> str:
    return "group" if k == 1 else "groups"


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
