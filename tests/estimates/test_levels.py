"""One item's level, its base, and the difference between any two groups."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.estimates import coded, difference, level, margin, rake, wilson

FOLDER = Path(__file__).parents[1] / "fixtures" / "r"
GOLDEN = json.loads((FOLDER / "weights.json").read_text(encoding="utf-8"))
MISSING = (-1, -2, -3, -4)


@pytest.fixture(scope="module")
def first():
    """Answers, practices and roles of the fixture's first round, and its raked weights."""
    tables = {}
    for name in ("roster", "answers"):
        with (FOLDER / f"weights_{name}.csv").open(newline="", encoding="utf-8") as file:
            tables[name] = [row for row in csv.DictReader(file) if row.get("round", "1") == "1"]
    rows = tables["answers"]
    weights = rake(
        [
            margin(v, [row[v] for row in rows], [row[v] for row in tables["roster"]])
            for v in ("role", "locality", "size")
        ]
    )
    answers = coded([int(row["score"]) if row["score"] else None for row in rows])
    practice = np.array([int(row["practice"]) for row in rows])
    leader = np.array([row["role"] == "leader" for row in rows])
    return answers, practice, leader, weights


@st.composite
def rounds(draw):
    """Answers of a five-point item with every reason for none, and practices of which at least two scored."""
    more = draw(
        st.lists(st.tuples(st.sampled_from([*MISSING, 1, 2, 3, 4, 5]), st.integers(0, 5)), max_size=30)
    )
    answers, practice = zip(*[(draw(st.integers(1, 5)), 0), (draw(st.integers(1, 5)), 1), *more], strict=True)
    return np.array(answers), np.array(practice)


def test_levels_equal_survey(first):
    """Share, net, mean and distribution with their standard errors equal R survey's, unweighted and raked."""
    answers, practice, _, weights = first
    for found, golden, distribution, tolerance in (
        (level(answers, practice), GOLDEN["scores_unweighted"], GOLDEN["distribution"], 1e-9),
        (
            level(answers, practice, weights=weights),
            GOLDEN["scores_raked"],
            GOLDEN["distribution_raked"],
            1e-6,
        ),
    ):
        for name in ("favourable", "net", "mean"):
            ours = (getattr(found, name), getattr(found, f"{name}_se"))
            np.testing.assert_allclose(ours, (golden[name]["estimate"], golden[name]["se"]), rtol=tolerance)
        np.testing.assert_allclose(found.distribution, distribution, rtol=tolerance)


def test_mean_differences_equal_survey(first):
    """The difference of means, its standard error and interval equal R's svyglm; g equals the formula in base R."""
    answers, practice, leader, weights = first
    plain = difference(answers, practice, leader, ~leader)
    for found, golden, tolerance in (
        (plain, GOLDEN["scores_unweighted"], 1e-9),
        (difference(answers, practice, leader, ~leader, weights=weights), GOLDEN["scores_raked"], 1e-6),
    ):
        ours = (found.mean.estimate, found.mean.se, found.mean.low, found.mean.high)
        theirs = (golden["difference"]["estimate"], golden["difference"]["se"], golden["low"], golden["high"])
        np.testing.assert_allclose(ours, theirs, rtol=tolerance)
    assert plain.hedges_g == pytest.approx(GOLDEN["hedges_g"], rel=1e-9)


def test_every_reason_has_its_own_count():
    """Do not know, not applicable, not answered and not asked are apart, and none is in the shares' base."""
    answers = coded(
        [1, 2, 3, 4, 5, 5, "dont_know", "dont_know", "not_applicable", None, "not_answered", "not_asked"]
    )
    found = level(answers, np.arange(12))
    base = found.base
    assert (base.asked, base.scored, base.dont_know, base.not_applicable, base.not_answered) == (
        11,
        6,
        2,
        1,
        2,
    )
    assert base.dont_know_share == 2 / 8
    assert found.counts == (1, 1, 1, 1, 2)
    assert (found.favourable, found.unfavourable) == (0.5, pytest.approx(1 / 3))
    assert (found.net, found.mean) == (pytest.approx(1 / 6), pytest.approx(20 / 6))


def test_a_scale_of_four_has_no_middle():
    """On four points the two highest are favourable, the two lowest not, and the net is their difference."""
    found = level(coded([1, 2, 3, 4, 4]), [1, 2, 3, 4, 5], points=4)
    assert (found.favourable, found.unfavourable, found.net) == (0.6, 0.4, pytest.approx(0.2))
    with pytest.raises(ValueError, match="from 1 to 4"):
        level(coded([5]), [1], points=4)


@given(rounds())
@settings(deadline=None)
def test_intervals_contain_their_level(rows):
    """Shares stay in 0 to 1, net in -1 to 1, the mean on the scale, and every interval holds its own figure."""
    found = level(*rows, members=200)
    assert sum(found.counts) == found.base.scored and sum(found.distribution) == pytest.approx(1)
    for name, low, high in (("favourable", 0, 1), ("net", -1, 1), ("mean", 1, 5)):
        figure, interval = getattr(found, name), getattr(found, f"{name}_interval")
        assert low <= figure <= high
        if interval is not None:
            slack = 1e-12
            assert (
                low - slack <= interval[0] <= figure + slack and figure - slack <= interval[1] <= high + slack
            )
    assert found.roster_interval[0] <= found.favourable <= found.roster_interval[1]
    assert found.mean_interval is not None or found.explanation is not None


@given(rounds(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_order_names_scale_of_weights_and_outsiders_change_nothing(rows, random):
    """Permuting, renumbering practices, doubling weights and adding people outside the group leave the level."""
    answers, practice = rows
    weights = np.array([random.choice([0.5, 1.0, 2.0]) for _ in answers])
    before = level(answers, practice, weights=weights)
    order = random.sample(range(len(answers)), len(answers))
    inside = np.r_[np.ones(len(answers), bool), np.zeros(3, bool)]
    for after in (
        level(answers[order], 50 - practice[order], weights=2 * weights[order]),
        level(
            np.r_[answers, 5, 5, -1],
            np.r_[practice, 70, 0, 71],
            weights=np.r_[weights, 9, 9, 9],
            within=inside,
        ),
    ):
        assert (after.base, after.counts, after.df) == (before.base, before.counts, before.df)
        for name in ("favourable", "net", "mean", "favourable_interval", "net_interval", "mean_se"):
            np.testing.assert_allclose(getattr(after, name), getattr(before, name), atol=1e-9)


def test_nobody_has_no_level():
    """A group in which nobody gave a score has counts, no figure, and a reason; it is never 0%."""
    for answers in (np.array([], int), coded(["dont_know", None])):
        found = level(answers, np.arange(len(answers)))
        assert (found.favourable, found.net, found.mean, found.distribution) == (None,) * 4
        assert (found.favourable_interval, found.roster_interval, found.mean_se) == (None,) * 3
        assert "Nobody" in found.explanation and found.base.asked == len(answers)


def test_one_person_and_one_practice_have_a_level_and_no_interval_on_practices():
    """One person, or one practice, has a level and a roster interval; how practices differ cannot be seen."""
    for answers, practice in (([5], [3]), ([5, 2], [3, 3])):
        found = level(coded(answers), practice, members=9)
        assert found.mean == np.mean(answers) and found.roster_interval[0] < found.favourable
        assert (found.favourable_interval, found.net_interval, found.mean_interval, found.df) == (
            None,
            None,
            None,
            0,
        )
        assert (found.favourable_se, found.mean_se) == (None, None) and "one practice" in found.explanation


@pytest.mark.parametrize("score, share", [(5, 1.0), (1, 0.0)])
def test_everybody_alike_is_not_taken_for_certain(score, share):
    """At 0% and 100% shares have an interval from the number of answers, and a constant mean has none."""
    found = level(coded([score] * 8), np.arange(8) // 2)
    assert (found.favourable, found.favourable_se, found.mean_interval) == (share, 0, None)
    low, high = found.favourable_interval
    assert high - low > 0.4 and share in (low, high)
    assert abs(found.net) == 1 and found.net_interval[1] - found.net_interval[0] > 0.4
    assert "do not differ" in found.explanation


def test_a_full_roster_is_a_point():
    """Where every member gave a score the roster interval is the share; otherwise Wilson on the finite roster."""
    answers, practice = coded([5, 4, 1, 1]), [1, 2, 3, 4]
    assert level(answers, practice, members=4).roster_interval == (0.5, 0.5)
    assert level(answers, practice, members=10).roster_interval == pytest.approx(wilson(0.5, 4 * 9 / 6))
    assert level(answers, practice).roster_interval is None


def test_the_share_of_the_difference_is_the_gap():
    """Any two groups: shares and gap, means and difference, counted on those who scored and are in a group."""
    answers, practice = coded([5, 4, 2, 1, "dont_know", 5, 3]), [1, 2, 3, 4, 5, 6, 7]
    partners = np.array([True, True, True, False, True, False, False])
    salaried = np.array([False, False, False, True, False, True, False])
    found = difference(answers, practice, partners, salaried)
    assert (found.n1, found.n0, found.explanation) == (3, 2, None)
    assert (found.favourable.p1, found.favourable.p0) == (pytest.approx(2 / 3), 0.5)
    assert (found.mean1, found.mean0, found.mean.estimate) == (pytest.approx(11 / 3), 3, pytest.approx(2 / 3))
    # Pooled by hand: squares 14/3 and 8 on 3 degrees of freedom, J = 1 - 3/11.
    assert found.hedges_g == pytest.approx((8 / 11) * (2 / 3) / np.sqrt((14 / 3 + 8) / 3))
    reverse = difference(answers, practice, salaried, partners)
    assert reverse.mean.estimate == pytest.approx(-found.mean.estimate)
    assert reverse.hedges_g == pytest.approx(-found.hedges_g)
    assert reverse.favourable.low == pytest.approx(-found.favourable.high)


def test_weighted_effect_size_equals_repeated_answers():
    """Answers weighted 2 spread as answers given twice do, but for the degrees of freedom; the scale is irrelevant."""
    answers, practice = coded([5, 4, 2, 1, 3, 3]), np.arange(6)
    half = np.array([True, True, True, False, False, False])
    weights = np.array([2, 1, 1, 1, 2, 1])
    found = difference(answers, practice, half, ~half, weights=weights)
    # Means 16/4 and 10/4; sums of squares on three answers each, 3 x 6/4 and 3 x 3/4; 4 degrees of freedom.
    assert (found.mean1, found.mean0) == (4, 2.5)
    assert found.hedges_g == pytest.approx((1 - 3 / 15) * 1.5 / np.sqrt((3 * 6 / 4 + 3 * 3 / 4) / 4))
    assert difference(answers, practice, half, ~half, weights=7 * weights).hedges_g == pytest.approx(
        found.hedges_g
    )


def test_differences_that_cannot_be_are_explained():
    """An empty group, one practice, one person on each side and no spread are each defined and explained."""
    everyone, none = np.ones(4, bool), np.zeros(4, bool)
    half = np.array([True, True, False, False])
    answers = coded([5, 4, 2, 1])
    empty = difference(answers, [1, 2, 3, 4], everyone, none)
    assert (empty.mean1, empty.mean0, empty.mean.estimate, empty.hedges_g) == (3, None, None, None)
    assert "Nobody" in empty.explanation and "Nobody" in empty.mean.explanation
    alone = difference(answers, [1, 1, 1, 1], half, ~half)
    assert (alone.mean.estimate, alone.mean.low) == (3, None) and "one practice" in alone.explanation
    assert alone.hedges_g is not None, "the effect size needs no practices"
    pair = difference(coded([5, 1]), [1, 2], np.array([True, False]), np.array([False, True]))
    assert pair.hedges_g is None and pair.mean.estimate == 4
    constant = difference(coded([4, 4, 2, 2]), [1, 2, 3, 4], half, ~half)
    assert (constant.mean.estimate, constant.mean.low, constant.hedges_g) == (2, None, None)
    assert constant.favourable.low < 1 == constant.favourable.gap


def test_bad_answers_and_groups_are_refused():
    """Unknown words, scores off the scale, overlapping groups and too small a roster raise ValueError."""
    answers, practice = coded([1, 5]), [1, 2]
    both = np.array([True, True])
    for call in (
        lambda: coded(["perhaps"]),
        lambda: coded([0]),
        lambda: coded([2.5]),
        lambda: coded([True]),
        lambda: level(np.array([6]), [1]),
        lambda: level(np.array([0]), [1]),
        lambda: level(np.array([-9]), [1]),
        lambda: level(answers, practice, points=3),
        lambda: level(answers, practice, members=1),
        lambda: level(answers, practice, members=9, weights=[1, 1]),
        lambda: level(answers, practice, weights=[1]),
        lambda: level(answers, practice, weights=[1, -1]),
        lambda: level(answers, practice, within=[0, 1]),
        lambda: level(answers, [1]),
        lambda: difference(answers, practice, both, both),
    ):
        with pytest.raises(ValueError):
            call()
