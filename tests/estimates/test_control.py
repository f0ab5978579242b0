"""XmR and run charts: short series labelled by hand, one a rule and edge."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.estimates import (
    MAKING_DATA_COUNT,
    RULE_SETS,
    RuleSet,
    RunChart,
    XmR,
    control_chart,
    run_chart,
    xmr,
)

# Mean 10 and moving ranges of 2 throughout: limits 10 ± 5.32, near limits 10 ± 3.5467.
CALM = [9, 11] * 6


def on_calm(*tail, **how):
    """The signals of `tail` against limits fixed on twelve calm points."""
    chart = xmr(CALM + list(tail), fix_after_n=12, **how)
    assert chart.signal[:4] == (None,) * 4, "the calm points carry no signal of their own"
    return chart, list(chart.signal[12:]), chart.side[12:].tolist()


def test_limits_by_hand():
    """Mean, limits at 2.66 mean moving ranges and near limits at two thirds of them, worked by hand."""
    chart = xmr([1, 3, 2, 6])
    assert chart.mean[0] == 3
    average = (2 + 1 + 4) / 3
    np.testing.assert_allclose(chart.upper, 3 + 2.66 * average)
    np.testing.assert_allclose(chart.lower, 3 - 2.66 * average)
    np.testing.assert_allclose(chart.near_upper, 3 + 2.66 * average * 2 / 3)
    np.testing.assert_allclose(chart.near_lower, 3 - 2.66 * average * 2 / 3)


def test_beyond_is_strict():
    """A point past a limit is flagged on its side; a point on the limit is not beyond it, nor near it alone."""
    _, signal, side = on_calm(15.33, 10, 4.67, 10, 15.32)
    assert signal == ["beyond", None, "beyond", None, None]
    assert side == [1, 0, -1, 0, 0]


def test_trend_needs_seven_points_and_flags_all():
    """Six strict rises flag their seven points; five rises flag none."""
    _, signal, side = on_calm(8, 8.5, 9, 9.5, 10.5, 11.5, 12)
    assert signal == ["trend"] * 7 and side == [1] * 7
    # The calm series ends on 11, so that the first point here is a fall.
    _, signal, _ = on_calm(8, 8.5, 9, 9.5, 10.5, 11.5)
    assert signal == [None] * 6


def test_trend_is_broken_by_a_tie():
    """Two equal points in a row are neither a rise nor a fall."""
    _, signal, _ = on_calm(8, 8.5, 9, 9, 9.5, 10.5, 11.5)
    assert signal == [None] * 7


def test_point_in_two_trends_takes_the_later_direction():
    """The top of a rise that turns into a fall counts as falling."""
    _, signal, side = on_calm(8, 8.5, 9, 9.5, 10.5, 11.5, 12, 11.6, 11, 10.4, 9.6, 9, 8.4)
    assert signal == ["trend"] * 13
    assert side == [1] * 6 + [-1] * 7


def test_two_in_three_flags_near_points_only():
    """Two of three near the same limit are flagged; the third, on the same side, is not."""
    chart, signal, side = on_calm(14, 10.5, 14, 9)
    assert signal == ["two in three", None, "two in three", None]
    assert side == [1, 0, 1, 0] and chart.near_upper[0] < 14 < chart.upper[0]
    _, signal, side = on_calm(9, 6, 6, 11)
    assert signal == [None, "two in three", "two in three", None] and side == [0, -1, -1, 0]


def test_two_in_three_needs_one_side():
    """A third point on the other side or on the mean, or near points on both sides, give no signal."""
    for tail in ([9, 14, 9, 14, 9], [14, 10, 14], [14, 6, 14, 6]):
        assert set(on_calm(*tail)[1]) == {None}, tail


def test_point_on_the_near_limit_is_not_near():
    """Near means strictly past two thirds of the limit."""
    near = 10 + 2 * 2.66 * 2 / 3
    assert on_calm(near, 11, near)[1] == [None] * 3
    assert on_calm(near + 1e-6, 11, near + 1e-6)[1] == ["two in three", None, "two in three"]


def test_point_beyond_is_not_near_but_may_be_the_third():
    """A point beyond the limit does not make a pair, yet completes the window of a pair."""
    assert on_calm(14, 20, 10.5)[1] == [None, "beyond", None]
    assert on_calm(14, 20, 14)[1] == ["two in three", "beyond", "two in three"]


def test_shift_needs_seven_points_strictly_on_one_side():
    """Seven points above the mean are a shift, of which six are not; a point on the mean breaks the run."""
    # The run starts at the calm series' last point, 11.
    chart = xmr([*CALM, 10.5, 11, 10.5, 11, 10.5, 10.7], fix_after_n=12)
    assert chart.signal == (None,) * 11 + ("shift",) * 7 and set(chart.side[11:]) == {1}
    assert set(xmr([*CALM, 10.5, 11, 10.5, 11, 10.5], fix_after_n=12).signal) == {None}
    assert set(xmr([*CALM, 10.5, 11, 10, 11, 10.5, 10.7, 11], fix_after_n=12).signal) == {None}


def test_beyond_comes_first_and_still_counts_in_runs():
    """A point beyond a limit keeps that label, and completes the trend or the shift of its neighbours."""
    _, signal, _ = on_calm(8, 8.5, 9, 9.5, 10.5, 11.5, 16)
    assert signal == ["trend"] * 6 + ["beyond"]
    _, signal, _ = on_calm(10.5, 11, 10.5, 16, 10.5, 10.7)
    assert signal == ["shift"] * 3 + ["beyond"] + ["shift"] * 2


def test_precedence_of_trend_two_in_three_and_shift():
    """A point that meets several rules takes the trend before two in three, and that before the shift."""
    _, signal, _ = on_calm(8, 8.5, 9, 9.5, 10.5, 13.7, 14)
    assert signal == ["trend"] * 7
    _, signal, _ = on_calm(10.5, 11, 10.5, 14, 14, 10.7)
    assert signal == ["shift"] * 3 + ["two in three"] * 2 + ["shift"]


def test_direction_makes_improvement_concern_or_neutral():
    """A high signal is an improvement where up is better, a concern where down is, neutral where neither is."""
    series = [*CALM, 16, 10, 4]
    for better, expected in (
        ("up", ("improvement", None, "concern")),
        ("down", ("concern", None, "improvement")),
        ("neutral", ("neutral", None, "neutral")),
    ):
        assert xmr(series, fix_after_n=12, better=better).meaning[12:] == expected


@pytest.mark.parametrize(
    "better, target, expected",
    [
        ("up", 15.33, "will fail"),
        ("up", 4.67, "will pass"),
        ("up", 15.31, "hit and miss"),
        ("down", 15.33, "will pass"),
        ("down", 4.67, "will fail"),
        ("down", 10, "hit and miss"),
        ("neutral", 15.33, None),
        ("up", None, None),
    ],
)
def test_assurance_against_a_target(better, target, expected):
    """A target outside the last limits will always or never be met; inside them it is hit and miss."""
    assert xmr(CALM, better=better, target=target).assurance == expected


def test_assurance_takes_the_last_group():
    """After a rebase only the newest limits speak of a target."""
    chart = xmr(CALM + [x + 20 for x in CALM], rebase_at=[12], target=20)
    assert chart.assurance == "will pass"


def test_screen_drops_large_moving_ranges_once():
    """Screening leaves a moving range of 3.267 times the mean out of the limits and keeps the mean of values."""
    series = [9, 11, 9, 11, 9, 11, 30, 11, 9, 11, 9, 11, 9]
    ranges = np.abs(np.diff(series))
    assert (ranges >= 3.267 * ranges.mean()).sum() == 2
    plain, screened = xmr(series), xmr(series, screen=True)
    assert plain.mean[0] == screened.mean[0] == np.mean(series)
    assert plain.upper[0] == pytest.approx(np.mean(series) + 2.66 * ranges.mean())
    assert screened.upper[0] == pytest.approx(np.mean(series) + 2.66 * 2)


def test_screen_is_off_unless_asked_for():
    """The chart says whether it was screened, and by default it was not."""
    assert not xmr(CALM).screened and xmr(CALM, screen=True).screened


def test_fixed_limits_do_not_move():
    """Limits fixed after twelve points stay as they were whatever follows; unfixed ones move."""
    assert xmr([*CALM, 14, 15], fix_after_n=12).upper[-1] == pytest.approx(15.32)
    assert xmr([*CALM, 14, 15]).upper[-1] != pytest.approx(15.32)
    with pytest.raises(ValueError, match="12 points"):
        xmr(CALM, fix_after_n=11)


def test_rebase_starts_afresh():
    """Limits, runs and trends stop at a rebase: a jump at it is no signal, and a run over it is none."""
    chart = xmr(CALM + [x + 20 for x in CALM], rebase_at=[12])
    assert set(chart.signal) == {None}
    assert (chart.mean[11], chart.mean[12]) == (10, 30)
    assert chart.group.tolist() == [0] * 12 + [1] * 12
    rise = list(range(12))
    assert "trend" in xmr(rise).signal
    assert "trend" not in xmr(rise, rebase_at=[6]).signal


def test_trial_limits_under_thirteen_points():
    """Limits of a group with twelve points are on trial, with thirteen no more."""
    assert xmr(CALM).trial.all()
    assert not xmr([*CALM, 9]).trial.any()
    assert xmr([*CALM, 9, *CALM], rebase_at=[13]).trial.tolist() == [False] * 13 + [True] * 12


@pytest.mark.parametrize("screen", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, -7.3])
def test_equal_values_give_no_signal_and_no_nan(value, screen):
    """A series that never moves has its limits on the mean, screened or not, and no rounding error makes a signal."""
    chart = xmr([value] * 14, screen=screen)
    assert set(chart.signal) == {None} and not chart.side.any()
    np.testing.assert_allclose([chart.lower, chart.upper, chart.mean], value, atol=1e-15)


def test_rounding_error_is_neither_a_rise_nor_a_side():
    """0.1 + 0.2 counts as 0.3: equal on paper is equal on the chart."""
    series = [0.1 + 0.2, 0.3] * 7
    assert set(xmr(series).signal) == {None}
    assert run_chart(series).useful == 0


def test_other_rule_sets_by_name():
    """Six points make a trend and eight a shift where that rule set is named; 5 or 10 points never do."""
    assert (MAKING_DATA_COUNT.trend, MAKING_DATA_COUNT.shift) == (7, 7)
    assert {(r.trend, r.shift) for r in RULE_SETS.values()} == {(7, 7), (6, 8), (6, 9)}
    six = RuleSet("six", trend=6, shift=6)
    assert on_calm(8, 8.5, 9, 9.5, 10.5, 11.5, rules=six)[1] == ["trend"] * 6
    nine = RuleSet("nine", trend=9, shift=9)
    assert set(on_calm(10.5, 11, 10.5, 11, 10.5, 10.7, rules=nine)[1]) == {None}
    for length in (5, 10):
        with pytest.raises(ValueError, match="6 to 9"):
            RuleSet("odd", trend=length, shift=7)


def test_under_twelve_points_a_run_chart():
    """Eleven rounds get a run chart, twelve get limits, and after a rebase the newest group decides."""
    assert isinstance(control_chart(CALM[:11]), RunChart)
    assert isinstance(control_chart(CALM), XmR)
    after = control_chart([*CALM, 20, 21, 22], rebase_at=[12])
    assert isinstance(after, RunChart) and after.first == 12 and after.median == 21
    passed_on = control_chart(CALM, better="down", target=20, screen=True)
    assert passed_on.assurance == "will pass" and passed_on.screened


def test_run_chart_leaves_points_on_the_median_out():
    """Runs go on over a point on the median, which counts neither in their length nor in n."""
    chart = run_chart([1, 2, 5, 1, 9, 5, 8, 9, 5])
    assert (chart.median, chart.useful) == (5, 6)
    assert (chart.longest_run, chart.crossings) == (3, 1)


def test_run_chart_shift():
    """A longest run over round(log2 n) + 3 is a shift: with 14 and 16 points 7 are allowed, and 8 are too many."""
    seven = run_chart([1] * 7 + [5] + [9] * 7)
    assert (seven.useful, seven.longest_run, seven.longest_allowed, seven.shift) == (14, 7, 7, False)
    eight = run_chart([1] * 8 + [9] * 8)
    assert (eight.longest_run, eight.longest_allowed, eight.shift) == (8, 7, True)
    assert "something changed" in eight.explanation


def test_run_chart_crossings():
    """Too few crossings are those below the 5% point of the binomial: 2 of 9 for ten points, 3 of 11 for twelve."""
    # R: qbinom(.05, 9, .5) = 2, qbinom(.05, 11, .5) = 3, qbinom(.05, 15, .5) = 4.
    expected = {10: 2, 12: 3, 16: 4}
    for n, fewest in expected.items():
        chart = run_chart([1] * (n // 2) + [9] * (n // 2))
        assert (chart.crossings, chart.fewest_crossings, chart.too_few_crossings) == (1, fewest, True)
    two = run_chart([1] * 3 + [9] * 5 + [1] * 2)
    assert two.crossings == 2 and not two.too_few_crossings


def test_run_chart_of_few_or_equal_points():
    """One round, or rounds that never moved, give no signal and a reason in words."""
    for series in ([0.4], [0.1] * 9):
        chart = run_chart(series)
        assert (chart.useful, chart.shift, chart.too_few_crossings) == (0, False, False)
        assert "same value" in chart.explanation
    assert "large and lasting" in run_chart([1, 2, 3]).explanation


@pytest.mark.parametrize(
    "values, how", [([], {}), ([1, math.nan], {}), ([[1, 2]], {}), ([1, 2], {"rebase_at": [2]})]
)
def test_bad_series_are_refused(values, how):
    """An empty series, a missing value, a table and a rebase past the end raise ValueError."""
    with pytest.raises(ValueError, match=r"value|rebase"):
        control_chart(values, **how)
    with pytest.raises(ValueError, match="better"):
        xmr([1, 2], better="sideways")
    with pytest.raises(ValueError, match="rising order"):
        xmr([1, 2, 3], rebase_at=[2, 1])


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=40))
def test_chart_does_not_depend_on_unit_or_sign(values):
    """Another unit moves no signal, and the mirrored series has every signal on the other side."""
    chart = xmr(values)
    scaled = xmr([8.0 * x + 64 for x in values])
    mirrored = xmr([-x for x in values], better="down")
    assert chart.signal == scaled.signal == mirrored.signal
    assert chart.meaning == mirrored.meaning
    np.testing.assert_array_equal(chart.side, -mirrored.side)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40))
def test_signals_follow_the_rules_written_out(values):
    """Every label equals the rules applied point by point, in exact arithmetic."""
    n = len(values)
    total, moved = sum(values), sum(abs(b - a) for a, b in itertools.pairwise(values))

    def away(i):
        return n * values[i] - total

    def past(i, hundredths, thirds=3):
        # |x - mean| > 2.66 amr · thirds/3, both sides times 300 n (n - 1), whole numbers.
        return abs(away(i)) * (n - 1) * 300 > hundredths * thirds * moved * n if n > 1 else False

    beyond = [past(i, 266) for i in range(n)]
    near = [past(i, 266, 2) and not beyond[i] for i in range(n)]
    side = [(away(i) > 0) - (away(i) < 0) for i in range(n)]
    label = []
    for i in range(n):
        sevens = [range(s, s + 7) for s in range(max(0, i - 6), min(i, n - 7) + 1)]
        threes = [range(s, s + 3) for s in range(max(0, i - 2), min(i, n - 3) + 1)]
        rises = [{(values[j + 1] > values[j]) - (values[j + 1] < values[j]) for j in w[:-1]} for w in sevens]
        if beyond[i]:
            label.append("beyond")
        elif {1} in rises or {-1} in rises:
            label.append("trend")
        elif near[i] and any(
            sum(near[j] for j in w) >= 2 and {side[j] for j in w} in ({1}, {-1}) for w in threes
        ):
            label.append("two in three")
        elif any({side[j] for j in w} in ({1}, {-1}) for w in sevens):
            label.append("shift")
        else:
            label.append(None)
    assert list(xmr(values).signal) == label


def test_results_cannot_be_changed():
    """A chart is read-only through and through."""
    chart = xmr(CALM)
    with pytest.raises(dataclasses.FrozenInstanceError):
        chart.assurance = "will pass"
    with pytest.raises(ValueError, match="read-only"):
        chart.values[0] = 1
