"""Change in a level and in a gap, trends, contrasts in general, and verdicts in words; golden figures from R."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.estimates import (
    ChangeInGap,
    ChangeInLevel,
    analytic_gap,
    change_in_gap,
    change_in_level,
    contrast,
    linearised,
    t_quantile,
    trend_in_gap,
    trend_in_level,
    verdicts,
)
from tests.estimates.golden_change import GOLDEN, answers, close

GRASSROOTS, LEADERS = [0, 2, 4, 6], [1, 3, 5, 7]


def stacked(rows, cell, weighted, outcome="y"):
    return linearised(
        [row["practice"] for row in rows],
        [cell(row) for row in rows],
        [row[outcome] for row in rows],
        [row["weight"] for row in rows] if weighted else None,
    )


def figures(ours):
    estimate = next(getattr(ours, name) for name in ("estimate", "change", "slope") if hasattr(ours, name))
    return estimate, ours.se, ours.low, ours.high, ours.p_value


def equal(ours, theirs):
    close(figures(ours), [theirs[name] for name in ("estimate", "se", "low", "high", "p_value")])


@pytest.fixture(params=GOLDEN["rounds"], ids=lambda case: f"{case['outcome']}-{case['weighted']}")
def case(request):
    golden = request.param
    full = stacked(
        answers(body=[1]),
        lambda row: 2 * (row["round"] - 1) + row["leader"],
        golden["weighted"],
        golden["outcome"],
    )
    pair = stacked(
        answers(body=[1], round=[1, 3]),
        lambda row: row["round"] - 1 + row["leader"],
        golden["weighted"],
        golden["outcome"],
    )
    return golden, full, pair


def test_four_rounds_equal_survey(case):
    """Shares or means, degrees of freedom and the joint covariance of eight cells equal R survey's."""
    golden, full, pair = case
    assert (full.df, pair.df) == (golden["df"], golden["pair_df"])
    close(full.shares, golden["shares"])
    close(full.covariance, golden["covariance"])


def test_changes_equal_survey(case):
    """The change of each level and of the gap, with interval and p-value, equals R's svycontrast."""
    golden, _, pair = case
    equal(change_in_level(pair, 0, 2), golden["change_grassroots"])
    equal(change_in_level(pair, 1, 3), golden["change_leaders"])
    equal(change_in_gap(pair, 1, 0, 3, 2), golden["change_gap"])


def test_trends_equal_survey(case):
    """The slope of levels and gap over four rounds, in points and in log-odds, equals R's svycontrast."""
    golden, full, _ = case
    equal(trend_in_level(full, GRASSROOTS), golden["trend_grassroots"])
    leaders, gap = trend_in_level(full, LEADERS), trend_in_gap(full, LEADERS, GRASSROOTS)
    equal(leaders, golden["trend_leaders"])
    equal(gap, golden["trend_gap"])
    if golden["outcome"] == "y":
        equal(leaders.log_odds, golden["log_odds_leaders"])
        equal(gap.log_odds, golden["log_odds_gap"])
    else:
        assert leaders.log_odds is None, "scores have no odds"


@pytest.mark.parametrize("golden", GOLDEN["difference_in_differences"], ids=lambda g: str(g["weighted"]))
def test_difference_in_differences_equals_survey(golden):
    """Any contrast of cells will do: visited practices against the others, before and after, as R has it."""
    stack = stacked(
        answers(leader=[0]), lambda row: 2 * (row["round"] >= 3) + row["visited"], golden["weighted"]
    )
    assert stack.df == golden["df"]
    equal(contrast(stack, {0: 1, 1: -1, 2: -1, 3: 1}), golden)


def test_change_over_two_rounds_is_the_contrast_of_its_cells():
    """The change of the gap and the general contrast agree, and cells that weigh 0 need no answers."""
    stack = stacked(answers(body=[1], round=[1, 3]), lambda row: row["round"] - 1 + row["leader"], False)
    gap = change_in_gap(stack, 1, 0, 3, 2)
    assert figures(contrast(stack, {0: 1, 1: -1, 2: -1, 3: 1})) == pytest.approx(figures(gap))
    assert gap.gap1 == analytic_gap(stack, 1, 0).gap and gap.change == gap.gap2 - gap.gap1
    half = linearised([1, 2, 3], [0, 0, 1], [1, 0, 1], cells=3)
    assert contrast(half, {0: 1.0, 2: 0.0}).estimate == 0.5
    assert "Nobody" in contrast(half, {0: 1.0, 2: -1.0}).explanation


def test_an_arm_without_variance_takes_mover():
    """An arm at 100%, or held by one practice, has no variance of its own: the interval falls back on MOVER."""
    practice = np.arange(40) % 10
    y = (np.arange(40) // 2 % 2).astype(int)
    cell = np.repeat([0, 1, 2, 3], 10)
    unanimous = linearised(practice, cell, np.where(cell == 3, 1, y))
    change = change_in_level(unanimous, 1, 3)
    assert change.method == "MOVER" and change.low < change.change < change.high
    assert (change.p_value < 0.05) == (not change.low <= 0 <= change.high)
    # Four leaders of one practice before, each of his own after; grassroots as they were.
    leaders = linearised(
        np.concatenate([practice, practice, [3] * 4, [1, 2, 5, 6]]),
        np.repeat([0, 2, 1, 3], [40, 40, 4, 4]),
        np.concatenate([y, y, [1, 0, 1, 0], [1, 1, 1, 0]]),
    )
    found = change_in_gap(leaders, 1, 0, 3, 2)
    assert found.method == "MOVER" and "single practice" in found.explanation
    assert found.high - found.low > 2 * t_quantile(leaders.df) * found.se, "one practice is not no variance"


def test_mover_over_two_cells_is_that_of_the_analytic_gap():
    """For two cells the general sum is the interval of the gap itself."""
    stack = linearised([1, 1, 2, 3, 4, 4], [1, 0, 0, 1, 0, 1], [1, 0, 1, 1, 0, 1])
    gap, found = analytic_gap(stack, 1, 0), contrast(stack, {1: 1, 0: -1})
    assert found.method == "MOVER"
    assert (found.estimate, found.low, found.high) == pytest.approx((gap.gap, gap.low, gap.high))
    turned = contrast(stack, {0: 1, 1: -1})
    assert (turned.low, turned.high) == pytest.approx((-gap.high, -gap.low))


def test_what_cannot_be_known_is_explained():
    """One practice, empty arms and too few rounds give no interval and a reason."""
    one = linearised([5, 5, 5, 5], [0, 1, 2, 3], [1, 0, 1, 1])
    assert change_in_level(one, 0, 2).change == 0 and "one practice" in change_in_level(one, 0, 2).explanation
    short = linearised([1, 2, 1, 2], [0, 0, 1, 1], [1, 0, 1, 1], cells=3)
    assert "at least 3 rounds" in trend_in_level(short, [0, 1, 2]).explanation
    assert trend_in_level(short, [0, 1, 2]).rounds == 2
    alone = linearised([7] * 6, [0, 0, 1, 1, 2, 2], [0, 1, 1, 0, 1, 1])
    assert trend_in_level(alone, [0, 1, 2]).slope == 0.25
    assert "one practice" in trend_in_level(alone, [0, 1, 2]).explanation
    score = linearised([1, 1, 2, 2], [0, 1, 0, 1], [3, 4, 3, 4])
    assert "do not differ" in change_in_level(score, 0, 1).explanation


def test_a_round_without_answers_drops_out_of_the_trend():
    """The line goes through the rounds that have answers, at their own times."""
    practice, cell = np.tile(np.arange(8), 4), np.repeat([0, 2, 4, 6], 8)
    y = np.concatenate([np.arange(8) < held for held in (2, 3, 4, 6)]).astype(int)
    stack = linearised(practice, cell, y, cells=8)
    found = trend_in_level(stack, [0, 1, 2, 4, 6], times=[0, 1, 2, 3, 6])
    shares, times = np.array([2, 3, 4, 6]) / 8, np.array([0, 2, 3, 6])
    assert found.rounds == 4 and found.slope == pytest.approx(np.polyfit(times, shares, 1)[0])
    assert not found.near_edge


def test_points_and_log_odds_that_disagree_are_flagged():
    """Near 100% a gap can close in points while the odds do not move together: the two verdicts then differ."""
    # Leaders 95, 97, 99% and grassroots 45, 53, 61%: the arms close in by 6 points a round, in log-odds they part.
    chance, practice, cell, y = np.random.default_rng(4), [], [], []
    for wave, shares in enumerate(((0.45, 0.95), (0.53, 0.97), (0.61, 0.99))):
        for arm, share in enumerate(shares):
            practice.append(np.arange(1000) % 200)
            cell.append(np.full(1000, 2 * wave + arm))
            y.append(chance.permutation((np.arange(1000) < 1000 * share).astype(int)))
    stack = linearised(*(np.concatenate(each) for each in (practice, cell, y)))
    found = trend_in_gap(stack, [1, 3, 5], [0, 2, 4])
    assert found.near_edge and found.disagree
    assert found.slope == pytest.approx(-0.06) and found.p_value < 0.05
    assert found.log_odds.estimate > 0 > found.slope, "in odds leaders pull away"


def test_log_odds_do_not_exist_at_the_edge():
    """With a share of 100% there is no log-odds line, and points take MOVER."""
    practice, cell = np.tile(np.arange(9), 3), np.repeat([0, 1, 2], 9)
    y = np.concatenate([np.arange(9) < held for held in (5, 7, 9)]).astype(int)
    found = trend_in_level(linearised(practice, cell, y), [0, 1, 2])
    assert found.log_odds is None and found.near_edge and not found.disagree
    assert found.method == "MOVER" and found.low < found.slope < found.high


@pytest.mark.parametrize(
    "call",
    [
        lambda stack: contrast(stack, {9: 1}),
        lambda stack: contrast(stack, {0: math.inf}),
        lambda stack: change_in_level(stack, 1, 1),
        lambda stack: trend_in_level(stack, [0, 1, 2], times=[0, 1]),
        lambda stack: trend_in_level(stack, [0, 1, 2], times=[0, 1, 1]),
        lambda stack: trend_in_level(stack, [0, 1, 1]),
        lambda stack: trend_in_gap(stack, [0, 1], [2]),
    ],
)
def test_impossible_questions_are_refused(call):
    """Unknown cells, the same round twice, and times that do not order the rounds raise ValueError."""
    with pytest.raises(ValueError, match=r"Cell|finite|cell|time|arms"):
        call(linearised([1, 2, 3, 4], [0, 1, 2, 3], [1, 0, 1, 0]))


def gap_change(change, p, gap1=0.2, **other):
    half = abs(change) * (0.5 if p is not None and p < 0.05 else 2)
    given = {"low": change - half, "high": change + half, "p_value": p, "explanation": None, **other}
    return ChangeInGap(gap1, gap1 + change, change, 0.1, df=20, method="contrast", **given)


def test_verdicts_in_words():
    """Headline items are one Holm family, the others are explored by Benjamini-Hochberg; each gets its word."""
    found = verdicts(
        {
            "owned": gap_change(0.3, 0.001),
            "informed": gap_change(-0.3, 0.02),
            "influence": gap_change(0.1, 0.4),
            "meetings": gap_change(0.2, 0.04),
            "contact": ChangeInLevel(0.5, 0.2, -0.3, 0.1, -0.5, -0.1, 0.03, 20, "contrast"),
            "acted": ChangeInLevel(0.2, 0.5, 0.3, 0.1, 0.1, 0.5, 0.03, 20, "contrast"),
            "silent": gap_change(0.3, None, low=None, high=None, explanation="One practice."),
        },
        headline=["owned", "informed", "influence"],
    )
    assert {item: verdict.word for item, verdict in found.items()} == {
        "owned": "wider",
        "informed": "narrower",
        "influence": "no clear change",
        "meetings": "wider",
        "contact": "down",
        "acted": "up",
        "silent": "cannot say",
    }
    assert found["owned"].adjusted == pytest.approx(0.003) and found["owned"].method == "Holm"
    assert found["informed"].adjusted == pytest.approx(0.04)
    assert found["contact"].adjusted == pytest.approx(0.04) and found["contact"].explored
    assert found["silent"].note == "One practice." and found["silent"].adjusted is None
    assert (found["contact"].crossed, found["contact"].apart) == (None, None)


def test_an_interval_that_adjustment_overrules_is_explained():
    """Where 0 lies outside the interval but the family says no, the verdict is no clear change, with the reason."""
    family = {item: gap_change(0.2, 0.03) for item in "abc"}
    verdict = verdicts(family, headline=list("abc"))["a"]
    assert verdict.word == "no clear change" and verdict.adjusted == pytest.approx(0.09)
    assert "many looked at together" in verdict.note


def test_wider_is_signed_and_a_crossing_is_said():
    """From -20 to +5 points leaders moved up against grassroots: wider, although the arms are closer, and crossed."""
    verdict = verdicts({"owned": gap_change(0.25, 0.001, gap1=-0.2)}, ["owned"])["owned"]
    assert verdict.word == "wider" and verdict.crossed and verdict.apart == pytest.approx(-0.15)
    assert verdicts({"owned": gap_change(0.1, 0.001)}, [])["owned"].crossed is False


def test_an_arm_of_one_practice_cannot_be_judged_and_costs_the_others_nothing():
    """A change that rests on one practice gets no verdict and is in no family."""
    warned = gap_change(0.4, 0.0001, explanation="One arm's answers come from a single practice.")
    found = verdicts({"a": gap_change(0.2, 0.04), "b": warned}, ["a", "b"])
    assert (found["a"].word, found["b"].word) == ("wider", "cannot say")


def test_an_unknown_headline_is_refused():
    """A headline item without a change raises ValueError."""
    with pytest.raises(ValueError, match="'owned'"):
        verdicts({}, ["owned"])


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1), st.booleans()), max_size=12))
def test_no_verdict_contradicts_its_figures(items):
    """A direction is given only with adjusted p under .05 and an interval on that side of 0; else there is none."""
    changes = {i: gap_change(change, p) for i, (change, p, _) in enumerate(items)}
    found = verdicts(changes, [i for i, item in enumerate(items) if item[2]])
    for i, verdict in found.items():
        assert verdict.adjusted >= changes[i].p_value
        if verdict.word == "wider":
            assert changes[i].low > 0 and verdict.adjusted < 0.05
        elif verdict.word == "narrower":
            assert changes[i].high < 0 and verdict.adjusted < 0.05
        else:
            assert verdict.word == "no clear change"
            assert verdict.adjusted >= 0.05 or changes[i].low <= 0 <= changes[i].high
