"""What must hold for any answers at all: of the analytic gap, changes, trends, the national job, panels."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement.estimates import (
    agresti_caffo,
    analytic_gap,
    change_in_gap,
    change_in_level,
    effective_n,
    linearised,
    national_gaps,
    partial_sums,
    trend_in_gap,
    trend_in_level,
)

ROUNDS = 4
CELLS = 2 * ROUNDS
GRASSROOTS, LEADERS = list(range(0, CELLS, 2)), list(range(1, CELLS, 2))
ANY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def answers(draw):
    """Rows of four rounds; every cell has an answer and at least two practices took part."""
    row = st.tuples(
        st.integers(0, 6), st.integers(0, CELLS - 1), st.integers(0, 1), st.sampled_from([0.5, 1.0, 3.0])
    )
    first = [(c % 3, c, draw(st.integers(0, 1)), 1.0) for c in range(CELLS)]
    rows = first + draw(st.lists(row, max_size=60))
    return [np.array(column) for column in zip(*rows, strict=True)]


def by_formula(rows):
    """Every result that reads the stack of all rounds, by name."""
    stack = linearised(*rows)
    return {
        "gap": analytic_gap(stack, 1, 0),
        "change in gap": change_in_gap(stack, 1, 0, 3, 2),
        "change in level": change_in_level(stack, 0, 2),
        "trend in gap": trend_in_gap(stack, LEADERS, GRASSROOTS),
        "trend in level": trend_in_level(stack, LEADERS),
    }


def nationally(practice, cell, y, weights):
    return national_gaps(partial_sums(cell // 2, practice, cell % 2, y[:, None], weights))


def numbers(result):
    """All numbers of a result; what is not known counts as NaN."""
    found = []
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if dataclasses.is_dataclass(value):
            found += numbers(value)
        elif value is None or isinstance(value, (int, float, tuple, np.ndarray)):
            found += np.asarray(np.nan if value is None else value, float).ravel().tolist()
    return found


def all_numbers(rows):
    return [n for result in (*by_formula(rows).values(), nationally(*rows)) for n in numbers(result)]


@given(answers(), st.randoms(use_true_random=False))
@ANY
def test_order_names_and_scale_of_weights_change_nothing(rows, random):
    """Permuting rows, relabelling practices and doubling every weight leave every figure as it was."""
    practice, cell, y, weights = rows
    before = all_numbers(rows)
    order = random.sample(range(len(y)), len(y))
    names = np.array(random.sample(range(-1000, 1000), 7))
    for changed in (
        [column[order] for column in rows],
        [names[practice], cell, y, weights],
        [practice, cell, y, 2 * weights],
    ):
        np.testing.assert_allclose(all_numbers(changed), before, atol=1e-9)


@given(answers())
@ANY
def test_shares_stay_within_0_and_1_and_intervals_hold_their_estimate(rows):
    """No share leaves 0 to 1, no interval leaves out its estimate, and p is under .05 just where 0 is outside."""
    found = by_formula(rows)
    gap = found.pop("gap")
    assert 0 <= gap.ci0[0] <= gap.p0 <= gap.ci0[1] <= 1 and 0 <= gap.ci1[0] <= gap.p1 <= gap.ci1[1] <= 1
    assert gap.low <= gap.gap <= gap.high
    for result in found.values():
        estimate = result.slope if hasattr(result, "slope") else result.change
        assert result.low <= estimate <= result.high
        assert 0 <= result.p_value <= 1 and result.se >= 0
        if abs(result.p_value - 0.05) > 1e-9:
            assert (result.p_value < 0.05) == (not result.low <= 0 <= result.high)
    job = nationally(*rows)
    assert np.all((job.shares >= 0) & (job.shares <= 1))
    assert np.all((job.arm_low >= 0) & (job.arm_low <= job.shares) & (job.shares <= job.arm_high))
    assert np.all((job.arm_high <= 1) & (job.n_c <= job.n))
    assert np.all((job.low <= job.gap) & (job.gap <= job.high) & (job.m >= job.practices.max(axis=1)))


@given(answers())
@ANY
def test_identical_rounds_show_no_change_and_no_trend(rows):
    """A round stacked on itself has change and slope 0, no standard error, and an interval around 0."""
    practice, cell, y, weights = (column[rows[1] < 2] for column in rows)
    if len(set(practice.tolist())) < 2:
        return
    copies = [np.tile(practice, ROUNDS), np.concatenate([cell + 2 * t for t in range(ROUNDS)])]
    same = [*copies, np.tile(y, ROUNDS), np.tile(weights, ROUNDS)]
    found = by_formula(same)
    del found["gap"]
    for result in found.values():
        estimate = result.slope if hasattr(result, "slope") else result.change
        assert estimate == pytest.approx(0, abs=1e-12) and result.se == pytest.approx(0, abs=1e-7)
        assert result.low <= 1e-12 and result.high >= -1e-12
    job = nationally(*same)
    np.testing.assert_array_equal(job.gap, np.tile(job.gap[:, :1], ROUNDS))


@given(answers())
@ANY
def test_exchanging_the_arms_turns_every_sign(rows):
    """Grassroots minus leaders is leaders minus grassroots turned round, interval and all."""
    stack = linearised(*rows)
    for one, other in (
        (analytic_gap(stack, 1, 0), analytic_gap(stack, 0, 1)),
        (change_in_gap(stack, 1, 0, 3, 2), change_in_gap(stack, 0, 1, 2, 3)),
        (trend_in_gap(stack, LEADERS, GRASSROOTS), trend_in_gap(stack, GRASSROOTS, LEADERS)),
    ):
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)


@given(st.integers(1, 60), st.data())
def test_agresti_caffo_stays_within_a_difference_of_shares(n1, data):
    """The interval is ordered, lies within -1 to 1, and turns round with the arms."""
    n0 = data.draw(st.integers(1, 60))
    y1, y0 = data.draw(st.integers(0, n1)), data.draw(st.integers(0, n0))
    low, high = agresti_caffo(y1, n1, y0, n0)
    assert -1 <= low < high <= 1
    assert agresti_caffo(y0, n0, y1, n1) == pytest.approx((-high, -low))


def test_unequal_weights_cost_answers_where_no_variance_shows():
    """At 100% the answers that count are Kish's, not all: one heavy answer among ten is little more than one."""
    practice, cell = np.arange(20) % 10, np.repeat([0, 1], 10)
    y = np.where(cell == 1, 1, np.arange(20) % 2)
    weights = np.where(np.arange(20) == 15, 50.0, 1.0)
    equal, heavy = linearised(practice, cell, y), linearised(practice, cell, y, weights)
    assert equal.kish.tolist() == [10, 10]
    assert heavy.kish[1] == pytest.approx(59**2 / (50**2 + 9)) and heavy.kish[0] == 10
    loose, tight = analytic_gap(heavy, 1, 0), analytic_gap(equal, 1, 0)
    assert loose.n_c1 < tight.n_c1 / 5 and loose.ci1[0] < tight.ci1[0]
    assert effective_n(1.0, 10, 0.0, 9, 4) == pytest.approx(effective_n(1.0, 10, 0.0, 9) * 0.4)
    assert effective_n(0.5, 10, 0.1, 9, 4) == effective_n(0.5, 10, 0.1, 9), "a variance already has it"
