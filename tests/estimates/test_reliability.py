"""The ownership index, its reliability against R's psych, and the comparison of leaders with the rest."""

import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.estimates import (
    compare_measurement,
    contrast,
    index_means,
    ownership_index,
    scale_reliability,
)

FOLDER = Path(__file__).parents[1] / "fixtures" / "r"
GOLDEN = json.loads((FOLDER / "reliability.json").read_text(encoding="utf-8"))
SCORES = np.genfromtxt(
    FOLDER / "reliability_input.csv", delimiter=",", skip_header=1, missing_values="NA", filling_values=np.nan
)
COMPLETE = SCORES[np.isfinite(SCORES).all(axis=1)]
NAN = np.nan


def members(seed, leaders=80, others=500, *, gap=0.8, off=0.0, practices=40):
    """Scores of six items, arm and practice; leaders lie `gap` higher on what is measured, and answer the third
    item higher still by `off`."""
    rng = np.random.default_rng(seed)
    arm = np.repeat([1, 0], [leaders, others])
    practice = rng.integers(0, practices, len(arm))
    opinion = np.sqrt(0.1) * rng.normal(size=practices)[practice] + np.sqrt(0.9) * rng.normal(size=len(arm))
    loading = np.array([0.8, 0.7, 0.75, 0.6, 0.65, 0.7])
    latent = loading * (opinion + gap * arm)[:, None]
    latent = latent + np.sqrt(1 - loading**2) * rng.normal(size=(len(arm), 6))
    latent[:, 2] += off * arm
    return np.digitize(latent, [-1.2, -0.4, 0.4, 1.2]) + 1.0, arm, practice


@pytest.mark.parametrize("name, scores", [("all_items", SCORES), ("first_four", COMPLETE[:, :4])])
def test_reliability_equals_psych(name, scores):
    """Alpha, Feldt interval, item-rest and alpha if deleted equal psych's; one factor and omega within 1e-6."""
    golden, found = GOLDEN[name], scale_reliability(scores)
    assert (found.n, found.k) == (golden["n"], len(golden["items"]))
    for figure in ("alpha", "alpha_low", "alpha_high", "item_rest", "alpha_if_deleted"):
        np.testing.assert_allclose(getattr(found, figure), golden[figure], atol=1e-9)
    np.testing.assert_allclose(found.loadings, golden["loadings"], atol=1e-6)
    np.testing.assert_allclose(found.omega, golden["omega"], atol=1e-6)
    assert found.explanation is None


def test_fixture_has_gaps_and_a_weak_item():
    """The fixture leaves answers out, and its sixth item hardly goes along and is flagged."""
    assert len(COMPLETE) < len(SCORES)
    assert scale_reliability(SCORES).weak == (5,)
    assert scale_reliability(COMPLETE[:, :4]).weak == ()


def test_index_by_hand():
    """The mean of the items answered is carried from 1-5 to 0-100, from half of the items on."""
    index = ownership_index(
        [
            [1, 1, 1, 1],
            [5, 5, 5, 5],
            [3, 4, NAN, NAN],
            [5, NAN, NAN, NAN],
            [NAN, NAN, NAN, NAN],
        ]
    )
    np.testing.assert_array_equal(index.value, [0, 100, 62.5, NAN, NAN])
    assert index.answered.tolist() == [4, 4, 2, 1, 0]
    assert (index.items, index.left_out) == (4, 1)


def test_index_of_an_odd_number_of_items():
    """Of three items two must be answered, for one is under half."""
    value = ownership_index([[4, NAN, NAN], [4, 5, NAN]]).value
    np.testing.assert_array_equal(value, [NAN, 87.5])


@given(st.lists(st.lists(st.sampled_from([1, 2, 3, 4, 5, NAN]), min_size=5, max_size=5), min_size=1))
def test_index_stays_in_range_and_does_not_mind_the_order_of_items(scores):
    """An index lies in 0 to 100, exists just from half of the items on, and other item orders leave it as it is."""
    index = ownership_index(scores)
    has = ~np.isnan(index.value)
    assert np.all((index.value[has] >= 0) & (index.value[has] <= 100))
    np.testing.assert_array_equal(has, index.answered >= 2.5)
    np.testing.assert_allclose(ownership_index(np.array(scores)[:, ::-1]).value, index.value)


def test_group_means_by_hand():
    """Means, clustered standard errors and t intervals of two groups equal the formula worked by hand."""
    value = np.array([40.0, 60, 50, 70, NAN, 30, 50, 10])
    practice = np.array([1, 1, 2, 3, 3, 1, 2, 3])
    group = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    (first, second), stack = index_means(value, practice, group, groups=2)
    assert (first.n, first.left_out, first.mean) == (4, 1, 55)
    # Practices 1, 2, 3 lie -10, -5 and +15 from the mean in all: over 4 people, 3/2 times the sum of squares.
    assert first.se == pytest.approx(np.sqrt(1.5 * (10**2 + 5**2 + 15**2)) / 4)
    assert first.high - first.mean == pytest.approx(4.302652729911275 * first.se)
    assert (second.n, second.left_out, second.mean) == (3, 0, 30) and second.low == 0
    gap = contrast(stack, {1: 1, 0: -1})
    assert gap.estimate == -25 and gap.df == 2


def test_group_means_where_little_can_be_said():
    """An empty group, a single practice and practices that agree give a mean or none, no interval, and a reason."""
    (empty, one), _ = index_means([50.0, 60, NAN], [1, 1, 1], [1, 1, 0], groups=2)
    assert (empty.n, empty.left_out, empty.mean) == (0, 1, None) and "Nobody" in empty.explanation
    assert (one.mean, one.se, one.low) == (55, None, None) and "one practice" in one.explanation
    (same,), _ = index_means([50.0, 50], [1, 2], [0, 0], groups=1)
    assert (same.mean, same.se) == (50, None) and "do not differ" in same.explanation


@pytest.mark.parametrize(
    "scores, reason",
    [
        (COMPLETE[:99], "100 people"),
        (np.where(np.arange(6) == 5, NAN, COMPLETE), "there are 0"),
        (COMPLETE[:, :2], "3 items"),
        (np.where(np.arange(6) == 1, 4, COMPLETE), "same answer to item 2"),
        (np.full((200, 4), 3), "same answer to item 1, 2, 3, 4"),
        (COMPLETE[:, [0, 1, 2, 0]], "repeats"),
    ],
)
def test_reliability_is_refused_with_a_reason(scores, reason):
    """Under 100 people, under 3 items, items without variance and repeated items get no figure but a reason."""
    found = scale_reliability(scores)
    assert found.alpha is found.omega is found.item_rest is None and found.weak == ()
    assert reason in found.explanation


def test_one_factor_that_does_not_fit_gives_no_omega():
    """Where one factor would explain an item wholly, alpha stands and omega is withheld with a reason."""
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=(2, 300))
    noise = rng.normal(size=(300, 3))
    # The first item goes along with each of the others much more than they do with one another.
    latent = np.column_stack([a + b, a + 0.3 * noise[:, 0], b + 0.3 * noise[:, 1]])
    found = scale_reliability(np.digitize(latent, [-1.2, -0.4, 0.4, 1.2]) + 1)
    assert found.alpha > 0 and found.omega is found.loadings is None
    assert "One factor" in found.explanation


def test_reversed_item_shows():
    """An item left unturned has a negative item-rest correlation, is flagged, and pulls alpha down."""
    turned = COMPLETE[:, :5].copy()
    turned[:, 2] = 6 - turned[:, 2]
    found, right = scale_reliability(turned), scale_reliability(COMPLETE[:, :5])
    assert found.item_rest[2] < 0 and 2 in found.weak and right.weak == ()
    assert found.alpha < right.alpha < found.alpha_if_deleted[2] + 0.1


def test_reliability_does_not_mind_the_order_of_people_and_items():
    """Other orders of rows and columns carry the figures along."""
    order = np.array([3, 1, 5, 0, 4, 2])
    a, b = scale_reliability(SCORES), scale_reliability(SCORES[::-1][:, order])
    np.testing.assert_allclose([b.alpha, b.omega], [a.alpha, a.omega], atol=1e-6)
    np.testing.assert_allclose(b.item_rest, a.item_rest[order])


def test_reliability_of_a_country_is_quick():
    """A hundred thousand answers take the factor no longer than a thousand: only their correlations count."""
    many = np.tile(COMPLETE, (500, 1))
    scale_reliability(COMPLETE)
    start = time.perf_counter()
    found = scale_reliability(many)
    assert time.perf_counter() - start < 2
    assert found.omega == pytest.approx(scale_reliability(COMPLETE).omega, abs=1e-6)


def test_items_that_behave_alike():
    """A true difference of .8 standard deviations between the arms is no sign of items that behave differently."""
    found = compare_measurement(*members(1, 200, 800))
    assert found.verdict == "alike" and found.different == () and "alike" in found.statement
    assert found.index_gap > 10 and np.all(found.item_gaps > 5)
    assert found.index_gap == pytest.approx(found.item_gaps.mean())
    assert found.spread == pytest.approx(np.std(found.item_gaps, ddof=1))
    assert found.leader.alpha > 0.7 and found.grassroots.alpha > 0.7
    assert np.all((found.low < found.difference) & (found.difference < found.high))
    assert np.all(np.maximum(np.abs(found.low), np.abs(found.high)) < 0.5)


def test_item_that_behaves_differently_is_named():
    """An item that leaders answer higher than their view explains is named, counted from 1, and no other is."""
    found = compare_measurement(*members(2, 200, 800, off=0.6))
    assert found.verdict == "different" and found.different == (2,)
    assert ": 3 (" in found.statement and found.p_value[2] < 0.001
    assert found.difference[2] > 0.3 and np.argmax(found.item_gaps) == 2


def test_one_bad_item_does_not_make_good_ones_look_bad():
    """Over 60 bodies with one item that behaves differently, at least nine in ten have it named alone."""
    named = [compare_measurement(*members(5000 + i, 200, 800, off=0.6)).different for i in range(60)]
    assert sum(items == (2,) for items in named) >= 54 and all(2 in items for items in named)


def test_false_alarms_stay_within_the_family():
    """Over 300 bodies whose items behave alike and whose arms differ, Holm's p is under .05 in about 5%."""
    smallest = np.array([compare_measurement(*members(1000 + i)).p_value.min() for i in range(300)])
    # Three Monte Carlo errors: .013 each.
    assert 0.012 < np.mean(smallest < 0.05) < 0.088


def test_too_few_leaders_to_say():
    """With 29 leaders nothing is tested; the item gaps still stand beside the index gap."""
    found = compare_measurement(*members(3, 29, 400))
    assert found.verdict == "cannot say" and "too few leaders" in found.statement
    assert found.difference is found.p_value is None
    assert found.item_gaps.shape == (6,) and found.index_gap is not None
    assert "100 people" in found.leader.explanation and found.grassroots.alpha is not None


def test_no_evidence_is_not_evidence_of_likeness():
    """Where differences of half a standard deviation cannot be ruled out, items are not said to behave alike."""
    verdicts = {
        (found.verdict, bool(np.abs([found.low, found.high]).max() >= 0.5))
        for found in (compare_measurement(*members(seed, 32, 300)) for seed in range(30))
        if not found.different
    }
    assert verdicts == {("cannot say", True), ("alike", False)}


def test_too_few_grassroots_or_practices():
    """A short arm is named, whichever it is, and so are leaders from a handful of practices."""
    assert "too few grassroots members" in compare_measurement(*members(4, 200, 20)).statement
    assert "too few practices" in compare_measurement(*members(5, practices=5)).statement
    scores, arm, practice = members(6)
    assert "3 items" in compare_measurement(scores[:, :2], arm, practice).statement
    scores[:, 1] = np.where(arm == 1, 4, 3)
    assert "same answer" in compare_measurement(scores, arm, practice).statement


def test_nobody_in_an_arm():
    """Without a complete answer in one arm there is no gap at all, and the result says why."""
    scores, arm, practice = members(7)
    found = compare_measurement(scores, np.zeros_like(arm), practice)
    assert (found.n_leader, found.index_gap, found.item_gaps, found.spread) == (0, None, None, None)
    assert found.verdict == "cannot say" and "leaders" in found.statement


def test_items_that_measure_nothing_together():
    """Items that do not go along with one another cannot be compared by each other."""
    rng = np.random.default_rng(8)
    shared = rng.integers(1, 4, 600)
    scores = np.column_stack([shared, 6 - shared, rng.integers(1, 6, 600)]).astype(float)
    found = compare_measurement(scores, np.arange(600) % 2, np.arange(600) % 40)
    assert found.verdict == "cannot say" and "one thing" in found.statement


def test_comparison_does_not_mind_order_or_names():
    """Other orders of people and other codes of practices change nothing; swapped arms change the sign."""
    scores, arm, practice = members(9)
    order = np.random.default_rng(9).permutation(len(arm))
    a, b = (
        compare_measurement(scores, arm, practice),
        compare_measurement(scores[order], arm[order], 7000 - practice[order]),
    )
    np.testing.assert_allclose(b.difference, a.difference, atol=1e-10)
    np.testing.assert_allclose(b.p_value, a.p_value, atol=1e-10)
    np.testing.assert_allclose(
        compare_measurement(scores, 1 - arm, practice).difference, -a.difference, atol=1e-10
    )


def test_practices_that_speak_with_one_voice_widen_the_interval():
    """Answers that come in copies within practices carry less than as many independent ones."""
    scores, arm, practice = members(10)
    again = np.concatenate([scores] * 3), np.concatenate([arm] * 3)
    copied = compare_measurement(*again, np.concatenate([practice] * 3))
    fresh = compare_measurement(*again, np.concatenate([practice, practice + 100, practice + 200]))
    assert np.all(copied.high - copied.low > 1.3 * (fresh.high - fresh.low))


@pytest.mark.parametrize("scores", [[1, 2, 3], [[]], [[0.0, 3]], [[6.0, 3]]])
def test_bad_scores_are_refused(scores):
    """A flat list, no items and scores outside 1 to 5 raise ValueError."""
    for figure in (ownership_index, scale_reliability):
        with pytest.raises(ValueError, match=r"table|between 1 and 5"):
            figure(scores)


def test_bad_arms_are_refused_and_results_are_frozen():
    """Arms of another length or code raise ValueError, and no result can be changed."""
    scores, arm, practice = members(11)
    with pytest.raises(ValueError, match="one entry a row"):
        compare_measurement(scores, arm[1:], practice)
    with pytest.raises(ValueError, match="1 for a leader"):
        compare_measurement(scores, arm + 1, practice)
    found = scale_reliability(SCORES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.alpha = 1
    with pytest.raises(ValueError, match="read-only"):
        found.item_rest[0] = 1
