"""Buddies and peer groups: who could help whom, by complementary needs, distance and size. Pure.

Distances come from coordinates where both practices have them, else from whether they share a locality; each pair says
which. Nothing here is a judgement of care: "strong" and "struggling" are segments of engagement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Kilometres beyond which a pair is not closer to being good for being nearer.
FAR_KM = 20.0
# The same locality counts as near, another as rather far, in the measure of distance from 0 to 1.
SAME, OTHER, UNKNOWN = 0.15, 0.6, 0.4
# Costs: distance from 0 to 1, size as the absolute log ratio of lists, complement from 0 to 1 taken off.
PER_SIZE = 0.3
PER_COMPLEMENT = 1.0
# A large finite cost stands for a pair that may not be.
FORBIDDEN = 1e6
# Exchanges of two members in an area; each brings its groups closer, the first ones most.
EXCHANGES = 40
KM, LOCALITY, NOT_KNOWN = "km", "locality", "not known"


@dataclass(frozen=True)
class Practices:
    """P practices: `place` (P, 2) in metres, NaN where not known; `locality` (P,) codes, -1 where none; `size` (P,) of the
    list, NaN where not known; `strength` (P, K) on K axes, centred so that 0 is the body's middle."""

    place: np.ndarray
    locality: np.ndarray
    size: np.ndarray
    strength: np.ndarray


@dataclass(frozen=True)
class Fit:
    """How well a strong practice fits a struggling one. `apart`: kilometres, or 0 and 1 for the same and another
    locality, by `measured`; `ratio`: the larger list over the smaller, NaN where not known."""

    strong: int
    cost: float
    apart: float
    measured: str
    ratio: float
    complement: float


@dataclass(frozen=True)
class Pair:
    """A struggling practice, the strong one chosen for it, and the runner-up; None where there is no other."""

    struggling: int
    chosen: Fit
    runner_up: Fit | None


def buddies(
    practices: Practices,
    strong: np.ndarray,
    struggling: np.ndarray,
    *,
    each: int = 1,
    forbidden: np.ndarray | None = None,
) -> tuple[Pair, ...]:
    """Pairs with the least cost in all: every struggling practice has one buddy at most, every strong one `each` at most.

    `strong`, `struggling`: places of practices. `forbidden`: (strong, struggling) of bool, pairs that may not be, such as
    one that declined. The runner-up is the best of the other strong ones, taken or not.
    """
    from scipy.optimize import linear_sum_assignment

    strong, struggling = np.asarray(strong, np.int64), np.asarray(struggling, np.int64)
    if not len(strong) or not len(struggling):
        return ()
    cost, parts = _costs(practices, strong, struggling)
    if forbidden is not None:
        cost = np.where(forbidden, FORBIDDEN, cost)
    rows, columns = linear_sum_assignment(np.tile(cost, (each, 1)))
    chosen = {
        int(column): int(row) % len(strong)
        for row, column in zip(rows, columns, strict=True)
        if cost[int(row) % len(strong), column] < FORBIDDEN
    }
    found = []
    for column in sorted(chosen):
        others = [
            row
            for row in np.argsort(cost[:, column], kind="stable").tolist()
            if row != chosen[column] and cost[row, column] < FORBIDDEN
        ]
        found.append(
            Pair(
                int(struggling[column]),
                _fit(strong, cost, parts, chosen[column], column),
                _fit(strong, cost, parts, others[0], column) if others else None,
            )
        )
    return tuple(found)


def _fit(strong: np.ndarray, cost: np.ndarray, parts: tuple, row: int, column: int) -> Fit:
    apart, measured, ratio, complement = (part[row, column] for part in parts)
    return Fit(
        int(strong[row]),
        float(cost[row, column]),
        float(apart),
        (KM, LOCALITY, NOT_KNOWN)[int(measured)],
        float(ratio),
        float(complement),
    )


def _costs(practices: Practices, strong: np.ndarray, struggling: np.ndarray) -> tuple[np.ndarray, tuple]:
    """The cost of each pair, (strong, struggling), and its parts: apart, how measured, ratio of sizes, complement."""
    gap = practices.place[strong][:, None] - practices.place[struggling][None]
    km = np.sqrt((gap**2).sum(axis=2)) / 1000
    here, there = practices.locality[strong][:, None], practices.locality[struggling][None]
    named = (here >= 0) & (there >= 0)
    by_locality = np.where(named, np.where(here == there, SAME, OTHER), UNKNOWN)
    known = np.isfinite(km)
    distance = np.where(known, np.minimum(np.nan_to_num(km) / FAR_KM, 1), by_locality)
    apart = np.where(known, km, np.where(named, (here != there).astype(float), np.nan))
    measured = np.where(known, 0, np.where(named, 1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.abs(np.log(practices.size[strong][:, None] / practices.size[struggling][None]))
    size = np.where(np.isfinite(size), size, np.nan)
    complement = _complement(practices.strength[strong], practices.strength[struggling])
    cost = distance + PER_SIZE * np.nan_to_num(size, nan=0.5) - PER_COMPLEMENT * complement
    return cost, (apart, measured, np.exp(size), complement)


def _complement(strong: np.ndarray, struggling: np.ndarray) -> np.ndarray:
    """How far the strong are strong where the struggling are weak, from 0 to 1, (strong, struggling).

    On each axis the weakness of one times the strength of the other, as a share of what the strongest would bring.
    """
    need, offer = np.maximum(-struggling, 0), np.maximum(strong, 0)
    best = need @ offer.max(axis=0, initial=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num((offer @ need.T) / best[None])


@dataclass(frozen=True)
class PeerGroups:
    """`group`: (P,) the number of each practice's group, from 0. `joined`: localities too small for a group of their own,
    each with the one that it was put together with. `spread`: the largest difference between the mean engagement of
    the groups of one area, and `unbalanced`: what it would be were they formed by rank."""

    group: np.ndarray
    joined: tuple[tuple[int, int], ...]
    spread: float
    unbalanced: float


def peer_groups(practices: Practices, engagement: np.ndarray, *, size: int = 6, least: int = 4) -> PeerGroups:
    """Groups of about `size` within each locality, each with the engaged and the less engaged, large and small.

    Practices are dealt out in turn by engagement, forwards and then backwards; then members of groups of one area are
    exchanged while that brings the means of engagement and of list size closer. A locality with fewer than `least`
    joins the nearest one by coordinates, else the smallest.
    """
    area, joined = _areas(practices, least)
    log_size = np.log(np.where(practices.size > 0, practices.size, np.nan))
    middle = np.nanmean(log_size) if np.isfinite(log_size).any() else 0.0
    features = np.column_stack([engagement, np.nan_to_num(log_size, nan=middle)]).astype(float)
    spread = features.std(axis=0)
    features = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    # Engagement matters twice as much as size.
    features *= (2.0, 1.0)
    group = np.full(len(engagement), -1)
    number, widest, ranked = 0, 0.0, 0.0
    for each in np.unique(area):
        members = np.flatnonzero(area == each)
        count = max(1, round(len(members) / size))
        order = members[np.argsort(engagement[members], kind="stable")]
        turn = np.arange(len(order)) % (2 * count)
        dealt = np.where(turn < count, turn, 2 * count - 1 - turn)
        own = _exchanged(features[order], dealt, count)
        group[order] = number + own
        number += count
        means = [engagement[order][own == at].mean() for at in range(count)]
        by_rank = [part.mean() for part in np.array_split(engagement[order], count)]
        widest, ranked = max(widest, np.ptp(means)), max(ranked, np.ptp(by_rank))
    return PeerGroups(group, joined, float(widest), float(ranked))


def _areas(practices: Practices, least: int) -> tuple[np.ndarray, tuple[tuple[int, int], ...]]:
    """The locality of each practice after the small ones have joined others."""
    area = practices.locality.copy()
    joined = []
    while True:
        names, counts = np.unique(area, return_counts=True)
        if len(names) < 2 or counts.min() >= least:
            return area, tuple(joined)
        small = names[counts.argmin()]
        others = names[names != small]
        centre = [practices.place[area == name].mean(axis=0) for name in others]
        away = np.sqrt(((np.array(centre) - practices.place[area == small].mean(axis=0)) ** 2).sum(axis=1))
        nearest = np.isfinite(away).all()
        to = others[away.argmin()] if nearest else others[counts[names != small].argmin()]
        area[area == small] = to
        joined.append((int(small), int(to)))


def _exchanged(features: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """The groups after exchanges of two members, each the one that brings the groups' means closest together."""
    group = group.copy()
    sizes = np.bincount(group, minlength=count)
    sums = np.zeros((count, features.shape[1]))
    np.add.at(sums, group, features)
    sums -= sizes[:, None] * features.mean(axis=0)
    for _ in range(EXCHANGES):
        # What a move of (one, other) does to the squared distance of both groups' means from the area's.
        move = features[None] - features[:, None]
        here = sums[group][:, None]
        after = ((here + move) ** 2).sum(axis=2) / sizes[group][:, None] ** 2
        before = ((here**2).sum(axis=2) / sizes[group][:, None] ** 2) + np.zeros_like(after)
        gain = before + before.T - after - after.T
        gain[group[:, None] == group[None]] = 0
        one, other = np.unravel_index(gain.argmax(), gain.shape)
        if gain[one, other] < 1e-9:
            break
        sums[group[one]] += move[one, other]
        sums[group[other]] -= move[one, other]
        group[one], group[other] = group[other], group[one]
    return group
