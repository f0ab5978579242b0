"""Buddies and peer groups: the least cost in all, what may not be is not, and groups that are balanced."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from engagement.outreach.matching import KM, LOCALITY, NOT_KNOWN, Practices, _costs, buddies, peer_groups


def some(seed: int, count: int, *, places: int = 3, coordinates: bool = True) -> Practices:
    """Practices here and there."""
    rng = np.random.default_rng(seed)
    place = rng.random((count, 2)) * 30_000 if coordinates else np.full((count, 2), np.nan)
    return Practices(
        place, rng.integers(0, places, count), rng.lognormal(9, 0.4, count), rng.normal(size=(count, 2))
    )


@pytest.mark.parametrize("seed", range(8))
def test_pairs_cost_the_least_in_all(seed):
    """No other way of giving each struggling practice one buddy costs less, and nobody is a buddy twice."""
    practices = some(seed, 9, coordinates=seed % 2 == 0)
    strong, struggling = np.arange(5), np.arange(5, 9)
    found = buddies(practices, strong, struggling)
    cost, _ = _costs(practices, strong, struggling)
    best = min(
        sum(cost[row, column] for column, row in enumerate(order))
        for order in itertools.permutations(range(5), 4)
    )
    assert sum(pair.chosen.cost for pair in found) == pytest.approx(best)
    assert len({pair.chosen.strong for pair in found}) == len(found) == 4
    for pair in found:
        others = sorted(cost[row, pair.struggling - 5] for row in range(5) if row != pair.chosen.strong)
        assert pair.runner_up.cost == pytest.approx(others[0]) and pair.runner_up.strong != pair.chosen.strong


def test_a_pair_that_may_not_be_is_not_and_a_buddy_may_have_two():
    """A forbidden pair is left apart though that leaves one without a buddy; with room for two each, it is not."""
    practices = some(1, 4)
    no = np.array([[True, False], [True, False]])
    assert [pair.struggling for pair in buddies(practices, [0, 1], [2, 3], forbidden=no)] == [3]
    assert len(buddies(practices, [0], [2, 3])) == 1 and len(buddies(practices, [0], [2, 3], each=2)) == 2
    assert buddies(practices, [], [2]) == () == buddies(practices, [0], [])
    assert buddies(practices, [0], [2])[0].runner_up is None


def test_nearer_liker_and_complementary_ones_are_chosen():
    """Of two champions alike in all else, the nearer is chosen, the one of like size, and the one strong on the weak side;
    how distance was measured is said."""
    strength = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    size = np.full(3, 8_000.0)
    km = np.array([[0.0, 0.0], [9_000.0, 0.0], [8_000.0, 0.0]])
    none = np.full((3, 2), np.nan)
    same = np.zeros(3, int)

    def chosen(place=none, locality=same, size=size, strength=strength):
        (pair,) = buddies(Practices(place, locality, size, strength), [0, 1], [2])
        return pair.chosen

    assert (chosen(place=km).strong, chosen(place=km).measured) == (1, KM)
    assert chosen(place=km).apart == pytest.approx(1.0)
    assert chosen(locality=np.array([0, 1, 1])).strong == 1
    assert (chosen().measured, chosen(locality=np.full(3, -1)).measured) == (LOCALITY, NOT_KNOWN)
    assert chosen(size=np.array([40_000.0, 8_000.0, 8_100.0])).strong == 1
    assert chosen(strength=np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, 0.0]])).strong == 1


@pytest.mark.parametrize("seed", range(5))
def test_peer_groups_stay_in_their_locality_and_are_balanced(seed):
    """Every practice is in one group of its own locality, of about the size asked for, and group means of engagement lie far
    closer together than groups formed by rank."""
    practices = some(seed, 60)
    engagement = np.random.default_rng(seed).normal(size=60)
    found = peer_groups(practices, engagement, size=6)
    assert (found.group >= 0).all() and not found.joined
    for number in range(found.group.max() + 1):
        members = found.group == number
        assert 4 <= members.sum() <= 9 and len(set(practices.locality[members].tolist())) == 1
    means = [engagement[found.group == number].mean() for number in range(found.group.max() + 1)]
    assert found.spread < 0.25 * found.unbalanced and np.std(means) < 0.5 * engagement.std()


@pytest.mark.parametrize("coordinates", [True, False])
def test_a_locality_that_is_too_small_joins_another(coordinates):
    """Two practices on their own join the nearest locality where coordinates are known, else the smallest."""
    locality = np.array([0] * 6 + [1] * 5 + [2] * 2)
    place = np.full((13, 2), np.nan)
    if coordinates:
        place = np.repeat([[0.0, 0.0], [50_000.0, 0.0], [1_000.0, 0.0]], [6, 5, 2], axis=0)
    practices = Practices(place, locality, np.full(13, np.nan), np.zeros((13, 2)))
    found = peer_groups(practices, np.arange(13.0))
    assert found.joined == ((2, 0 if coordinates else 1),)
    groups = {
        frozenset(np.flatnonzero(found.group == number).tolist()) for number in set(found.group.tolist())
    }
    assert len(groups) == found.group.max() + 1
    assert all(len({0 if at < 6 else 1 for at in group if at < 11}) <= 1 for group in groups)
