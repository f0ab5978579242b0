"""Wilson, the finite roster, Newcombe and the worst-case bounds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.estimates import descriptive_gap, finite_n, gap_bounds, newcombe, roster_bounds, wilson


@st.composite
def roster_counts(draw):
    N = draw(st.integers(1, 400))
    n = draw(st.integers(0, N))
    return draw(st.integers(0, n)), n, N


def test_worked_check_of_the_notes():
    """12 of 17 (24 invited) against 25 of 70 (176 invited) gives the figures worked in the notes."""
    gap = descriptive_gap(12, 17, 24, 25, 70, 176)
    assert (round(gap.n_eff1, 3), round(gap.n_eff0, 3)) == (55.857, 115.566)
    assert [round(100 * x, 2) for x in (gap.gap, gap.low, gap.high)] == [34.87, 19.06, 48.01]
    uncorrected = newcombe(12 / 17, wilson(12 / 17, 17), 25 / 70, wilson(25 / 70, 70))
    assert [round(100 * x, 2) for x in uncorrected] == [8.43, 53.97]
    bounds = gap_bounds(12, 17, 24, 25, 70, 176)
    assert [round(100 * x, 1) for x in bounds] == [-24.4, 65.0]


def test_published_anchor():
    """31 of 47 against 9 of 26, and 38 against 10, give the intervals the notes infer for the published gap."""
    for y1, y0, expected in ((31, 9, [7.4, 50.6]), (38, 10, [19.1, 60.6])):
        interval = newcombe(y1 / 47, wilson(y1 / 47, 47), y0 / 26, wilson(y0 / 26, 26))
        assert [round(100 * x, 1) for x in interval] == expected


def test_wilson_is_a_point_when_everybody_answered_and_undefined_when_nobody_did():
    """An infinite number of answers gives the share itself; none gives NaN and never 0%."""
    low, high = wilson([0.0, 0.4, 1.0, 0.4, np.nan], [np.inf, np.inf, np.inf, 0, 10])
    np.testing.assert_array_equal(low, [0, 0.4, 1, np.nan, np.nan])
    np.testing.assert_array_equal(high, [0, 0.4, 1, np.nan, np.nan])


def test_wilson_of_scalars_gives_floats_and_broadcasts():
    """Scalars give floats, and a column of shares meets a row of numbers of answers."""
    assert all(isinstance(end, float) for end in wilson(0.5, 10))
    assert wilson(np.full((3, 1), 0.5), np.ones(4))[0].shape == (3, 4)


@pytest.mark.parametrize("p, n", [(1.2, 10), (-0.1, 10), (0.5, -1), (0.5, np.nan)])
def test_wilson_refuses_what_is_no_share(p, n):
    """Percentages, negative and unknown numbers of answers are refused."""
    with pytest.raises(ValueError, match="must"):
        wilson(p, n)


@given(st.floats(0, 1), st.floats(0.1, 1e6))
def test_wilson_contains_its_share(p, n):
    """The interval lies within 0 to 1, contains the share, and touches 0 and 1 exactly at 0% and 100%."""
    low, high = wilson(p, n)
    assert 0 <= low <= p <= high <= 1
    assert (p > 0 or low == 0) and (p < 1 or high == 1)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.5, 1e5), st.floats(0.5, 1e5))
def test_wilson_ends_rise_with_the_share_and_close_in_with_answers(p, q, n, k):
    """What printed intervals rest on: each end rises with the share and closes in as answers are added."""
    (p, q), (n, k) = sorted((p, q)), sorted((n, k))
    assert all(a <= b + 1e-12 for a, b in zip(wilson(p, n), wilson(q, n), strict=True))
    assert wilson(p, n)[0] <= wilson(p, k)[0] + 1e-12
    assert wilson(p, n)[1] >= wilson(p, k)[1] - 1e-12


def test_finite_n_at_its_ends():
    """A full roster is infinite, an empty answer is 0, and a roster of one is one or the other."""
    np.testing.assert_array_equal(finite_n([0, 5, 1, 0, 0], [10, 5, 1, 1, 0]), [0, np.inf, np.inf, 0, 0])
    assert finite_n(17, 24) == pytest.approx(17 * 23 / 7)
    with pytest.raises(ValueError, match="between 0 and the number invited"):
        finite_n(11, 10)


def test_gap_without_answers_is_explained():
    """An arm in which nobody answered has no share, and the gap says so instead of showing NaN."""
    gap = descriptive_gap(0, 0, 8, 3, 10, 20)
    assert (gap.p1, gap.ci1, gap.gap, gap.low, gap.high) == (None,) * 5
    assert gap.p0 == 0.3 and "first arm" in gap.explanation
    assert "second arm" in descriptive_gap(3, 10, 20, 0, 0, 8).explanation
    assert "either arm" in descriptive_gap(0, 0, 0, 0, 0, 0).explanation


def test_gap_when_everybody_answered_is_a_point():
    """Two full rosters leave nothing to estimate."""
    gap = descriptive_gap(3, 4, 4, 5, 10, 10)
    assert gap.low == gap.gap == gap.high == 0.25 and "known" in gap.explanation


def test_gap_of_one_leader_and_of_unanimous_arms_is_defined():
    """One leader, and 100% against 0%, give finite intervals that contain the gap."""
    for counts in ((1, 1, 5, 5, 10, 40), (10, 10, 12, 0, 20, 90), (1, 1, 1, 0, 1, 1)):
        gap = descriptive_gap(*counts)
        assert -1 <= gap.low <= gap.gap <= gap.high <= 1


@given(roster_counts(), roster_counts())
def test_every_interval_contains_its_gap(first, second):
    """Descriptive interval and worst-case bounds contain the gap and stay between -1 and 1."""
    gap = descriptive_gap(*first, *second)
    low, high = gap_bounds(*first, *second)
    assert -1 <= low <= high <= 1
    if gap.gap is not None:
        assert -1 - 1e-12 <= gap.low <= gap.gap <= gap.high <= 1 + 1e-12
        assert low - 1e-12 <= gap.gap <= high + 1e-12


@given(roster_counts(), st.data())
def test_bounds_hold_whatever_the_silent_say(counts, data):
    """Any answer of the silent leaves the roster's share within the bounds, and both ends can be reached."""
    y, n, N = counts
    low, high = roster_bounds(y, n, N)
    silent = data.draw(st.integers(0, N - n))
    assert low <= (y + silent) / N <= high
    assert (low, high) == (y / N, (y + N - n) / N)


def test_bounds_refuse_an_empty_roster_and_impossible_counts():
    """A roster of nobody has no share, and more answers than members are refused."""
    for counts in ((0, 0, 0), (1, 5, 4), (6, 5, 9), (-1, 5, 9)):
        with pytest.raises(ValueError, match=r"roster|Counts"):
            roster_bounds(*counts)
    with pytest.raises(ValueError, match="Counts"):
        descriptive_gap(1, 5, 4, 0, 0, 0)
    assert roster_bounds(0, 0, 7) == (0, 1)
    assert not math.isnan(roster_bounds(0, 0, 7)[0])
