"""Linearised covariance, the analytic gap, its change, design effects."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.estimates import (
    analytic_gap,
    change_in_gap,
    descriptive_gap,
    design_effect,
    effective_n,
    linearised,
    mover,
    newcombe,
    round_design_effect,
    wilson,
)


def digits(text):
    return [int(c) for c in text]


@st.composite
def answers(draw, cells=4):
    """Rows in which every cell has an answer and at least two practices took part."""
    row = st.tuples(
        st.integers(0, 6), st.integers(0, cells - 1), st.integers(0, 1), st.sampled_from([0.5, 1.0, 3.0])
    )
    first = [(c % 2, c, draw(st.integers(0, 1)), 1.0) for c in range(cells)]
    rows = first + draw(st.lists(row, max_size=40))
    return [np.array(column) for column in zip(*rows, strict=True)]


def figures(stack):
    gap, change = analytic_gap(stack, 1, 0), change_in_gap(stack, 1, 0, 3, 2)
    numbers = [
        *(stack.shares, stack.covariance.ravel(), design_effect(stack)),
        [gap.low, gap.high, gap.se, gap.r],
        [change.change, change.low, change.high, change.p_value],
    ]
    return np.concatenate(numbers)


def test_worked_check_of_the_notes():
    """The twelve answers worked in the notes give their covariance, effective numbers and interval."""
    stack = linearised(digits("001122333445"), digits("100010001001"), digits("100110101010"))
    assert (stack.m, stack.df, stack.binary) == (6, 5, True)
    np.testing.assert_allclose(
        stack.covariance, [[0.0087890625, -0.0046875], [-0.0046875, 0.05625]], rtol=1e-12
    )
    gap = analytic_gap(stack, 1, 0)
    assert round(gap.se, 6) == 0.272789
    assert (round(gap.n_c1, 5), round(gap.n_c0, 5)) == (1.93781, 4.65075)
    assert (round(gap.low, 5), round(gap.high, 5)) == (-0.36669, 0.76371)


@given(answers(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_order_names_and_scale_change_nothing(rows, random):
    """Permuting rows, relabelling practices and doubling weights leave every figure as it was."""
    practice, cell, y, weight = rows
    before = figures(linearised(practice, cell, y, weight))
    order = random.sample(range(len(y)), len(y))
    names = np.array(random.sample(range(-1000, 1000), 7))
    for changed in (
        linearised(practice[order], cell[order], y[order], weight[order]),
        linearised(names[practice], cell, y, weight),
        linearised(practice, cell, y, 2 * weight),
    ):
        np.testing.assert_allclose(figures(changed), before, atol=1e-9)


@given(answers())
@settings(deadline=None)
def test_intervals_contain_their_estimate(rows):
    """The gap and its change lie within their intervals, and p is below .05 just where 0 is outside."""
    stack = linearised(*rows)
    gap, change = analytic_gap(stack, 1, 0), change_in_gap(stack, 1, 0, 3, 2)
    assert gap.low <= gap.gap <= gap.high
    assert change.low <= change.change <= change.high
    assert 0 <= change.p_value <= 1
    if abs(change.p_value - 0.05) > 1e-9:
        assert (change.p_value < 0.05) == (not change.low <= 0 <= change.high)


@given(answers())
@settings(deadline=None)
def test_covariance_is_the_sum_over_practices_of_the_formula(rows):
    """The vectorised covariance equals formula 1-3 written out practice by practice."""
    practice, cell, y, w = rows
    stack = linearised(*rows)
    groups = np.unique(practice)
    e = np.zeros((len(groups), 4))
    for i, g in enumerate(groups):
        for k in range(4):
            inside = (practice == g) & (cell == k)
            e[i, k] = np.sum(w[inside] * (y[inside] - stack.shares[k])) / w[cell == k].sum()
    m = len(groups)
    np.testing.assert_allclose(stack.covariance, m / (m - 1) * e.T @ e, atol=1e-12)


def test_one_practice_has_a_gap_but_no_interval():
    """With answers from one practice only, the gap stands, the interval does not, and the result says why."""
    stack = linearised([7, 7, 7], [0, 1, 1], [0, 1, 0])
    gap = analytic_gap(stack, 1, 0)
    assert (stack.m, stack.df, gap.gap, gap.low, gap.high) == (1, 0, 0.5, None, None)
    assert "one practice" in gap.explanation
    change = change_in_gap(stack, 1, 0, 1, 0)
    assert (change.change, change.low, change.p_value) == (
        0,
        None,
        None,
    ) and "one practice" in change.explanation
    assert np.isnan(design_effect(stack)).all()


def test_arm_within_a_single_practice_is_warned_of():
    """An interval for an arm whose answers all come from one practice carries a warning."""
    stack = linearised([1, 1, 1, 2, 3], [1, 1, 0, 0, 0], [1, 0, 0, 1, 0])
    gap = analytic_gap(stack, 1, 0)
    assert gap.low < gap.gap < gap.high and "single practice" in gap.explanation


def test_empty_cells_are_explained():
    """Nobody answering at all, or in one arm, gives no gap and no change, with a reason."""
    nobody = linearised(np.array([], int), np.array([], int), [], cells=2)
    gap = analytic_gap(nobody, 1, 0)
    assert (gap.p1, gap.gap, gap.low) == (None, None, None) and "Nobody" in gap.explanation
    half = linearised([1, 2], [0, 0], [1, 0], cells=4)
    assert analytic_gap(half, 1, 0).p0 == 0.5
    change = change_in_gap(half, 1, 0, 3, 2)
    assert (change.gap1, change.gap2, change.change) == (None, None, None) and "Nobody" in change.explanation


def test_one_leader_and_unanimous_arms_get_wide_finite_intervals():
    """One leader, and 100% against 0%, fall back on the number of answers instead of a variance of 0."""
    stack = linearised([1, 1, 2, 3, 4], [1, 0, 0, 0, 0], [1, 0, 0, 0, 0])
    gap = analytic_gap(stack, 1, 0)
    assert gap.gap == 1 and gap.low < 0.35 and gap.high == 1
    assert (gap.se, gap.r) == (0, 0)
    change = change_in_gap(stack, 1, 0, 1, 0)
    assert change.method == "MOVER" and change.low < 0 < change.high and change.p_value == 1


def test_rounding_error_is_no_variance():
    """A practice balanced on its cell leaves no variance and no correlation made of noise."""
    practice = np.repeat([1, 2, 3], 10)
    y = np.tile([1, 0, 0, 0, 0, 0, 0, 1, 0, 1], 3)
    stack = linearised(practice, np.tile([0, 1], 15), y, np.full(30, 0.1))
    np.testing.assert_array_equal(stack.covariance, 0)
    assert analytic_gap(stack, 1, 0).r == 0


def test_score_without_variance_gets_no_interval():
    """Mean scores that no practice differs on have no standard error, and the change says so."""
    stack = linearised([1, 1, 2, 2], [0, 1, 0, 1], [3, 4, 3, 4])
    change = change_in_gap(stack, 1, 0, 1, 0)
    assert (change.low, change.p_value) == (None, None) and "do not differ" in change.explanation
    with pytest.raises(ValueError, match="0 or 1"):
        analytic_gap(stack, 1, 0)
    with pytest.raises(ValueError, match="0 or 1"):
        design_effect(stack)


def test_overlap_of_the_panel_enters_the_change():
    """Practices that come back with the same leaning make the change more certain than fresh ones would."""
    rng = np.random.default_rng(5)
    practice = np.repeat(np.arange(30), 8)
    cell = np.tile([0, 1, 2, 3] * 2, 30)
    leaning = rng.normal(0, 0.3, 30)
    arm_leaning = np.where(cell % 2 == 1, leaning[practice], 0)
    y = (rng.random(240) < np.clip(0.5 + arm_leaning, 0, 1)).astype(int)
    panel = change_in_gap(linearised(practice, cell, y), 1, 0, 3, 2)
    fresh = change_in_gap(linearised(practice + 100 * (cell >= 2), cell, y), 1, 0, 3, 2)
    assert panel.change == pytest.approx(fresh.change)
    assert panel.se < fresh.se


def test_mover_without_correlation_is_newcombe():
    """With r = 0 the two methods are one, and r = 1 between equal arms leaves no distance."""
    ci1, ci0 = wilson(0.7, 20), wilson(0.3, 50)
    assert mover(0.7, ci1, 0.3, ci0) == pytest.approx(newcombe(0.7, ci1, 0.3, ci0))
    assert mover(0.5, (0.4, 0.6), 0.5, (0.4, 0.6), 1) == (0, 0)
    with pytest.raises(ValueError, match="correlation"):
        mover(0.7, ci1, 0.3, ci0, 1.1)


def test_effective_n_never_exceeds_the_answers():
    """A variance below that of independent answers earns nothing beyond them."""
    n = effective_n([0.5, 0.5, 0.0, 0.5], [20, 20, 20, 20], [0.0001, 0.05, 0.01, 0.0], 39)
    assert np.all(n <= 20) and n[0] == n[2] == n[3] and n[1] < 5
    with pytest.raises(ValueError, match="two practices"):
        effective_n(0.5, 20, 0.01, 0)


def test_design_effect_of_a_round():
    """Cells that cannot be used drop out; the median is at least 1 and rounded up to a tenth."""
    stack = linearised(digits("001122333445"), digits("100010001001"), digits("100110101010"))
    np.testing.assert_allclose(design_effect(stack), [0.3, 1.2])
    assert round_design_effect([0.3, 1.2]) == 1.0
    assert round_design_effect([np.nan, 1.2]) == 1.2
    assert round_design_effect([1.21]) == 1.3
    assert round_design_effect([np.nan]) is round_design_effect([]) is None
    with pytest.raises(ValueError, match="0 or more"):
        round_design_effect([-1.0])
    unanimous = linearised([1, 2, 3, 3], [0, 0, 1, 1], [1, 1, 0, 1])
    assert np.isnan(design_effect(unanimous)).all()


@pytest.mark.parametrize(
    "rows",
    [
        ([1, 2], [0, 0], [1]),
        ([1, 2], [0, -1], [1, 0]),
        ([1, 2], [0, 0], [1, np.nan]),
        ([1, 2], [0, 0], [1, 0], [1, 0]),
        ([1, 2], [0, 0], [1, 0], [1, np.inf]),
        ([1.5, 2.0], [0, 0], [1, 0]),
    ],
)
def test_bad_rows_are_refused(rows):
    """Ragged rows, codes out of range, answers and weights that are no numbers raise ValueError."""
    with pytest.raises(ValueError, match=r"must|Cell"):
        linearised(*rows)


def test_results_cannot_be_changed():
    """A stack is read-only through and through, and an unknown cell is refused."""
    stack = linearised([1, 2], [0, 1], [1, 0])
    with pytest.raises(dataclasses.FrozenInstanceError):
        stack.m = 3
    with pytest.raises(ValueError, match="read-only"):
        stack.covariance[0, 0] = 1
    with pytest.raises(ValueError, match="Cell codes"):
        analytic_gap(stack, 2, 0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        descriptive_gap(1, 2, 3, 1, 2, 3).gap = 0
