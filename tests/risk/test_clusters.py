"""The cluster audit: known blobs, none at all, stability, carried centres, labels over rounds, odd inputs."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.risk.clusters import (
    FEWEST,
    KMEANS,
    MIXTURE,
    WARD,
    WINS,
    Carried,
    MethodFigures,
    align,
    audit,
    compatible_k,
    next_k,
    one_se,
    verdict,
)

NONE_HARDLY = "The data show no natural groups; with this many practices they hardly could."
CORNERS = np.array([(0.0, 0.2), (2.0, 0.3), (0.5, 0.9)])


def blobs(seed=0, each=14, centres=CORNERS, spread=(0.15, 0.03)):
    """Practices in tight groups around `centres`, group by group."""
    rng = np.random.default_rng(seed)
    return np.concatenate([c + rng.normal(size=(each, 2)) * spread for c in centres])


def one_cloud(seed=0, n=40):
    """Practices from one normal, attitude and participation going together."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) @ np.linalg.cholesky([[0.3, 0.06], [0.06, 0.05]]).T


def row(result, method, k):
    return next(f for f in result.figures if (f.method, f.k) == (method, k))


def carried_on(result, **changes):
    return dataclasses.replace(result.carried, **changes)


def test_three_clear_blobs_are_compatible_with_three_groups():
    """Every method chooses three, the groups are perfectly stable, and the verdict still claims no groups."""
    result = audit(blobs(), replicates=20)
    assert [f.k for f in result.figures if f.chosen] == [3, 3, 3]
    assert [row(result, m, 3).jaccard for m in (KMEANS, MIXTURE, WARD)] == [1, 1, 1]
    assert row(result, KMEANS, 3).sizes == (14, 14, 14)
    assert result.winner == result.carried.k == 3
    assert result.verdict == "The data are compatible with 3 groups; segments stay rule-based."
    assert result.explanation is None
    # Numbered by attitude, lowest first.
    assert result.labels.tolist() == [0] * 14 + [2] * 14 + [1] * 14
    np.testing.assert_allclose(result.centres, CORNERS[[0, 2, 1]], atol=0.15)


def test_one_cloud_shows_no_groups():
    """Of ten bodies drawn from one normal, none is called compatible with groups, and the gap mostly chooses one."""
    results = [audit(one_cloud(seed), replicates=20) for seed in range(10)]
    assert {r.verdict for r in results} == {NONE_HARDLY}
    assert sum(row(r, KMEANS, 1).chosen for r in results) >= 8
    assert all(set(r.labels.tolist()) == {0} for r in results)


def test_gap_statistic_of_blobs_and_cloud():
    """The gap is largest at three for three blobs, and nowhere more than one error above that of one for one cloud."""
    gaps = [row(audit(blobs(), replicates=20), KMEANS, k).gap for k in range(1, 6)]
    assert int(np.argmax(gaps)) == 2
    cloud = audit(one_cloud(), replicates=20)
    first = row(cloud, KMEANS, 1).gap
    assert all(row(cloud, KMEANS, k).gap - row(cloud, KMEANS, k).gap_se <= first for k in range(2, 6))


def test_four_groups_in_a_square_are_found():
    """Four blobs at the corners of a square, where cutting them in two gains nothing, are still seen as four."""
    square = np.array([(0, 0), (1, 0), (0, 1), (1, 1)]) * 1.0
    assert audit(blobs(centres=square, each=12, spread=0.08), replicates=20).winner == 4


@pytest.mark.parametrize(
    "gap, se, k",
    [
        ([0.9, 0.5, 0.4], [0.1, 0.1, 0.1], 1),
        ([0.5, 0.55, 0.6], [0.1, 0.1, 0.2], 1),
        ([0.1, 0.55, 0.6], [0.1, 0.1, 0.1], 2),
        ([0.5, 0.4, 0.9], [0.1, 0.1, 0.1], 3),
        ([0.5], [0.0], 1),
    ],
)
def test_one_standard_error_rule(gap, se, k):
    """The smallest k within one error of the largest gap is chosen."""
    assert one_se(gap, se) == k


def test_stability_tells_real_cuts_from_arbitrary_ones():
    """Cutting one cloud in three is far less stable than cutting where the blobs part; all lie between 0 and 1."""
    cloud, parted = audit(one_cloud(3, 60), replicates=20), audit(blobs(), replicates=20)
    assert row(cloud, KMEANS, 3).jaccard < 0.75 < row(parted, KMEANS, 3).jaccard
    # One blob too many has to be cut anew each time.
    assert row(parted, KMEANS, 4).jaccard < 0.8
    stabilities = [f.jaccard for f in cloud.figures + parted.figures if f.jaccard is not None]
    assert all(0 <= j <= 1 for j in stabilities)


def test_mixture_criterion_by_hand():
    """With one normal, BIC is -2 log-likelihood plus 5 ln n, on axes standardised and floored at a tenth."""
    points = one_cloud(1)
    z = (points - points.mean(axis=0)) / points.std(axis=0)
    covariance = np.cov(z.T, bias=True) + 0.01 * np.eye(2)
    distance = np.einsum("ni,ij,nj->n", z, np.linalg.inv(covariance), z)
    log_likelihood = -0.5 * np.sum(distance + np.log(np.linalg.det(2 * np.pi * covariance)))
    bic = -2 * log_likelihood + 5 * np.log(40)
    assert row(audit(points, replicates=2), MIXTURE, 1).bic == pytest.approx(bic)


def test_the_table_has_every_method_and_k():
    """Three methods by five k; sizes add up to the practices; each method has one choice; figures stand where they apply."""
    result = audit(one_cloud(2), replicates=5)
    assert [(f.method, f.k) for f in result.figures] == [
        (m, k) for m in (KMEANS, MIXTURE, WARD) for k in range(1, 6)
    ]
    for figures in result.figures:
        assert sum(figures.sizes) == 40
        assert (figures.bic is None) == (figures.method != MIXTURE)
        assert (figures.gap is None) == (figures.gap_se is None) == (figures.method == MIXTURE)
        assert figures.admissible == (figures.k == 1 or min(figures.sizes) >= 3)


def test_one_odd_practice_is_no_group():
    """A practice far from all others neither makes a group in the verdict nor in the picture."""
    points = np.concatenate([blobs(centres=CORNERS[:1], each=30), [(3.0, 1.5)]])
    result = audit(points, replicates=20)
    assert not row(result, KMEANS, 2).admissible
    assert result.winner == 1
    shown = audit(points, carried=Carried(2, None, 0, (0, 1), ((0.0, 0.2), (3.0, 1.5))), replicates=5)
    assert set(shown.labels.tolist()) == {0}
    assert "It shows 1 group: a smaller one would have had too few practices." in shown.explanation


@given(st.integers(0, 5), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=8)
def test_order_of_practices_changes_nothing(seed, random):
    """Shuffled practices keep their labels, and every figure is the same to the last digit."""
    points = one_cloud(seed, 20) if seed % 2 else blobs(seed, each=7)
    order = random.sample(range(len(points)), len(points))
    before, after = audit(points, replicates=5), audit(points[order], replicates=5)
    assert before.figures == after.figures
    assert before.carried == after.carried
    np.testing.assert_array_equal(before.labels[order], after.labels)


def test_the_same_seed_gives_the_same_audit():
    """One seed, one result; another seed moves simulated figures only."""
    points = blobs()
    first, again, other = (
        audit(points, replicates=20),
        audit(points, replicates=20),
        audit(points, seed=1, replicates=20),
    )
    assert (first.figures, first.carried) == (again.figures, again.carried)
    assert row(first, KMEANS, 2).gap != row(other, KMEANS, 2).gap
    assert row(first, KMEANS, 2).sizes == row(other, KMEANS, 2).sizes


def test_units_do_not_matter():
    """Attitude in other units gives the same figures, and centres in those units."""
    points = blobs()
    result, scaled = audit(points, replicates=5), audit(points * [10, 1] + [3, 0], replicates=5)
    assert result.labels.tolist() == scaled.labels.tolist()
    np.testing.assert_allclose(np.array(result.centres) * [10, 1] + [3, 0], scaled.centres)
    for ours, theirs in zip(result.figures, scaled.figures, strict=True):
        assert ours.gap == (None if theirs.gap is None else pytest.approx(theirs.gap, abs=1e-6))


def test_carried_centres_keep_labels():
    """Groups keep their numbers while the whole cloud drifts, even when their order by attitude turns round."""
    first = audit(blobs(), replicates=20)
    assert first.labels.tolist() == [0] * 14 + [2] * 14 + [1] * 14
    moved = blobs(1, centres=CORNERS + np.array([(0.6, 0), (0.1, 0), (-0.3, 0)]))
    second = audit(moved, carried=first.carried, replicates=20)
    assert second.labels.tolist() == first.labels.tolist()
    assert audit(moved, replicates=20).labels.tolist() != first.labels.tolist()


def test_previous_labels_outweigh_positions():
    """Where last round's labels are given, most practices keep theirs, wherever the groups have gone."""
    first = audit(blobs(), replicates=5)
    previous = np.array([5] * 14 + [0] * 14 + [2] * 14)
    previous[::5] = -1
    second = audit(blobs(1), carried=first.carried, previous=previous, replicates=5)
    assert second.labels.tolist() == [5] * 14 + [0] * 14 + [2] * 14
    assert sorted(second.centre_labels) == [0, 2, 5]
    place = dict(zip(second.centre_labels, second.centres, strict=True))
    np.testing.assert_allclose([place[5], place[0], place[2]], CORNERS, atol=0.15)


def test_labels_agree_with_their_centres():
    """Each group's centre is the mean of the practices that bear its number."""
    points = blobs()
    result = audit(points, replicates=5)
    for name, centre in zip(result.centre_labels, result.centres, strict=True):
        np.testing.assert_allclose(points[result.labels == name].mean(axis=0), centre)


def test_alignment_by_hand():
    """Numbers go where most practices keep theirs; a group without any old practice takes a number not used before."""
    assert align([0, 0, 1, 1, 2], [2, 2, 0, 0, 1]).tolist() == [0, 0, 1, 1, 2]
    # 3 + 2 practices keep their number; giving 0 to the larger share of each would keep only one pair.
    assert align([0, 0, 0, 0, 0, 1, 1], [7, 7, 7, 9, 9, 9, 9]).tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert align([0, 0, 2, 2, -1, -1], [0, 0, 1, 1, 2, 2]).tolist() == [0, 0, 2, 2, 1, 1]
    assert align([-1, -1], [4, 2]).tolist() == [1, 0]
    assert align([], []).tolist() == []
    with pytest.raises(ValueError, match="same practices"):
        align([0, 1], [0])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.permutations(range(4)))
def test_alignment_undoes_renumbering(labels, names):
    """Renumbering groups and aligning them again gives the labels back."""
    renumbered = np.array(names)[labels]
    assert align(labels, renumbered).tolist() == labels


def test_four_wins_running_change_the_number():
    """Another k must win four audits running; the old one winning, or a third, starts the count again."""
    kept = Carried(2, None, 0, (), ())

    def after(winners, state=kept):
        for winner in winners:
            k, candidate, wins = next_k(state, winner)
            state = Carried(k, candidate, wins, (), ())
        return state.k, state.candidate, state.wins

    assert WINS == 4
    assert next_k(None, 3) == (3, None, 0)
    assert after([3, 3, 3]) == (2, 3, 3)
    assert after([3, 3, 3, 3]) == (3, None, 0)
    assert after([3, 3, 3, 2, 3]) == (2, 3, 1)
    assert after([3, 3, 3, 1, 3, 3, 3]) == (2, 3, 3)
    assert after([3, 3, 3, 3, 1]) == (3, 1, 1)


def test_the_picture_waits_for_four_wins():
    """Audits that find three groups keep showing two until the fourth; the verdict speaks of this round's data."""
    pair = audit(blobs(centres=CORNERS[:2], each=20), replicates=20)
    assert pair.carried.k == 2
    state, shown = pair.carried, []
    for seed in range(4):
        result = audit(blobs(seed), carried=state, replicates=20)
        assert "compatible with 3 groups" in result.verdict
        state = Carried(**json.loads(json.dumps(dataclasses.asdict(result.carried))))
        shown.append((len(set(result.labels.tolist())), result.explanation))
    assert [k for k, _ in shown] == [2, 2, 2, 3]
    assert shown[1][1] == "The picture keeps 2 groups: 3 won 2 of the 4 audits running that a change takes."
    assert shown[3][1] is None


@pytest.mark.parametrize(
    "change, k",
    [
        ({}, 2),
        ({"jaccard": 0.74}, 1),
        ({"jaccard": 0.75}, 2),
        ({"admissible": False}, 1),
        ({"gap": 0.59}, 1),
        ({"gap_se": 0.4}, 1),
    ],
)
def test_each_rule_alone_can_refuse_groups(change, k):
    """The lowest BIC at two is not enough: gap, stability and size must each allow two groups."""
    one = MethodFigures(KMEANS, 1, (40,), True, 0.5, 0.1, None, None, True)
    two = MethodFigures(KMEANS, 2, (20, 20), True, 0.8, 0.1, None, 0.9, False)
    mixtures = [
        MethodFigures(MIXTURE, at, (40,), True, None, None, bic, None, at == 2)
        for at, bic in ((1, 9.0), (2, 5.0))
    ]
    assert compatible_k((one, dataclasses.replace(two, **change), *mixtures)) == k


def test_the_verdict_speaks_of_numbers_only_where_they_are_few():
    """The excuse that practices are few is not made for a body with hundreds."""
    assert verdict(40, 1) == NONE_HARDLY
    assert verdict(399, 1) == NONE_HARDLY
    assert verdict(400, 1) == "The data show no natural groups."
    assert verdict(8000, 4) == "The data are compatible with 4 groups; segments stay rule-based."


@pytest.mark.parametrize("n", [0, 1, FEWEST - 1])
def test_few_practices_are_not_audited(n):
    """Under ten practices there is no table, one group, an explanation, and the state is handed on untouched."""
    state = Carried(2, 3, 2, (0, 1), ((0.0, 0.2), (2.0, 0.3)))
    result = audit(one_cloud(n=n), carried=state)
    assert (result.n, result.winner, result.figures, result.carried) == (n, 1, (), state)
    assert result.labels.tolist() == [0] * n
    assert result.verdict == NONE_HARDLY
    assert result.explanation == "Fewer than 10 practices: no clustering was tried."


def test_practices_at_one_point_are_not_audited():
    """Identical practices give no clusters and say why."""
    for point in ((0.0, 0.0), (0.1 + 0.2, 1e6)):
        result = audit(np.tile(point, (30, 1)))
        assert result.explanation == "All practices stand at the same point: there is nothing to cluster."
        assert (result.winner, result.figures, result.carried) == (1, (), None)


@pytest.mark.filterwarnings("error")
def test_few_distinct_points_and_flat_axes_are_audited():
    """Three heaps of identical practices are three groups without a warning, and an axis without spread does no harm."""
    heaps = np.repeat(CORNERS, 8, axis=0)
    result = audit(heaps, replicates=10)
    assert result.winner == 3
    assert {f.k for f in result.figures} == {1, 2, 3}
    held = audit(heaps[:16], carried=carried_on(result, k=3), replicates=10)
    assert len(set(held.labels.tolist())) == 2
    flat = np.column_stack([one_cloud(4, 20)[:, 0], np.full(20, 0.4)])
    assert audit(flat, replicates=10).n == 20
    numbers = [v for f in audit(flat, replicates=10).figures for v in (f.gap, f.bic) if v is not None]
    assert np.isfinite(numbers).all()


def test_many_practices_are_sampled_for_figures_only():
    """Of two thousand practices the figures rest on five hundred, but each practice has its label."""
    result = audit(blobs(each=700), replicates=3)
    assert sum(row(result, KMEANS, 3).sizes) == 500
    assert result.labels.shape == (2100,)
    assert result.labels.tolist() == [0] * 700 + [2] * 700 + [1] * 700


@pytest.mark.parametrize("points", [[1.0, 2.0], [[1.0, 2.0, 3.0]], [[1.0, np.nan]], [[1.0, np.inf]]])
def test_faulty_points_are_refused(points):
    """Anything but two finite numbers a practice raises an error that says what to give."""
    with pytest.raises(ValueError, match="attitude and participation"):
        audit(points, replicates=20)
    with pytest.raises(ValueError, match="-1 where it had none"):
        audit(one_cloud(), previous=[0])
