"""Printed intervals: never narrower than the exact, and functions of what is printed beside them."""

import itertools
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest

from engagement.disclosure import (
    PrintedShare,
    analytic_gap_interval,
    analytic_interval,
    descriptive_gap_interval,
    descriptive_interval,
    df_floor,
    gap_roster_bounds,
    print_share,
    roster_interval,
    share_cell,
)
from engagement.estimates import Z95, finite_n, gap_bounds, newcombe, roster_bounds, t_quantile, wilson

COUNTS = [(y, n) for n in range(10, 61) for y in range(n + 1)]
ROSTERS = (None, 60, 61, 75, 176, 1000)  # None: everybody answered
DESIGN_EFFECT, DF = 1.7, 33


def clustered_n(n):
    return n / DESIGN_EFFECT * (Z95 / t_quantile(DF)) ** 2


def contains(printed, low, high):
    return printed[0] / 100 <= low + 1e-12 and high - 1e-12 <= printed[1] / 100


@pytest.mark.parametrize("roster", ROSTERS)
def test_arm_intervals_contain_the_exact_ones_of_every_count(roster):
    """For every count of 10 to 60 answers, all three printed intervals contain the exact ones."""
    for y, n in COUNTS:
        N = roster or n
        share = PrintedShare.of(y, n, N)
        assert contains(descriptive_interval(share), *wilson(y / n, finite_n(n, N)))
        assert contains(analytic_interval(share, DESIGN_EFFECT, DF), *wilson(y / n, clustered_n(n)))
        low, high = roster_interval(share)
        assert Fraction(low, 100) <= Fraction(y, N) and Fraction(y + N - n, N) <= Fraction(high, 100)
        for low, high in (descriptive_interval(share), roster_interval(share)):
            assert 0 <= low <= high <= 100 and low % 5 == high % 5 == 0


@pytest.mark.parametrize("N1, N0", [(60, 60), (24, 176), (75, 61), (40, 1000)])
def test_gap_intervals_contain_the_exact_ones_of_every_pair_of_counts(N1, N0):
    """For every pair of counts of 10 to 60 answers, all three printed gap intervals contain the exact ones."""
    arms = []
    for N in (N1, N0):
        counts = [(y, n) for y, n in COUNTS if n <= N]
        printed = [PrintedShare.of(y, n, N) for y, n in counts]
        kinds = list(dict.fromkeys(printed))
        arms.append((np.array(counts).T, kinds, np.array([kinds.index(share) for share in printed])))
    ((y1, n1), kinds1, at1), ((y0, n0), kinds0, at0) = arms
    y1, n1, y0, n0 = y1[:, None], n1[:, None], y0[None, :], n0[None, :]
    p1, p0 = y1 / n1, y0 / n0

    def check(printed, low, high):
        ends = np.array([[printed(a, b) for b in kinds0] for a in kinds1]) / 100
        ends = ends[at1[:, None], at0[None, :]]
        assert np.all(ends[..., 0] <= low + 1e-12) and np.all(high - 1e-12 <= ends[..., 1])
        assert np.all(ends >= -1) and np.all(ends <= 1)

    exact = newcombe(p1, wilson(p1, finite_n(n1, N1)), p0, wilson(p0, finite_n(n0, N0)))
    check(descriptive_gap_interval, *exact)
    exact = newcombe(p1, wilson(p1, clustered_n(n1)), p0, wilson(p0, clustered_n(n0)))
    check(lambda a, b: analytic_gap_interval(a, b, DESIGN_EFFECT, DF), *exact)
    check(gap_roster_bounds, *gap_bounds(y1, n1, N1, y0, n0, N0))


def test_gap_ends_are_the_extremes_over_the_whole_cells():
    """A fine grid over both cells finds nothing beyond the corners used, and the printed ends are the tightest."""
    shares = [
        PrintedShare.of(y, n, N)
        for y, n, N in ((12, 12, 12), (7, 16, 24), (0, 10, 40), (22, 33, 35), (2, 16, 99))
    ]
    for first, second in itertools.product(shares, shares):
        p1, p0 = (np.linspace(*map(float, share_cell(s.value, s.cap)), 201) for s in (first, second))
        p1, p0 = p1[:, None], p0[None, :]
        n1, n0 = (finite_n(s.answers, s.invited) for s in (first, second))
        low, high = newcombe(p1, wilson(p1, n1), p0, wilson(p0, n0))
        tightest = (5 * np.floor(20 * low.min()), 5 * np.ceil(20 * high.max()))
        assert descriptive_gap_interval(first, second) == tightest


def test_intervals_tell_nothing_that_is_not_printed():
    """Counts alike in printed share and band print one interval; exact ends rounded outwards tell them apart."""
    ours, naive, counts = defaultdict(set), defaultdict(set), defaultdict(list)
    N = 60
    for y, n in COUNTS:
        share = PrintedShare.of(y, n, N)
        seen = (*print_share(y, n), share.answers)
        ours[seen].add(
            (descriptive_interval(share), analytic_interval(share, 1.7, 33), roster_interval(share))
        )
        ends = (roster_bounds(y, n, N), wilson(y / n, finite_n(n, N)))
        outwards = tuple((5 * np.floor(20 * low + 1e-9), 5 * np.ceil(20 * high - 1e-9)) for low, high in ends)
        naive[seen].add(outwards)
        counts[seen, outwards].append((y, n))
    assert all(len(intervals) == 1 for intervals in ours.values())
    assert sum(len(intervals) > 1 for intervals in naive.values()) > 50
    assert any(len(found) == 1 for found in counts.values()), "the naive ends pin one count down"


def test_naive_bounds_reveal_a_unanimous_group():
    """With whole-percent exact bounds a reader sees that all 10 of 11 agreed; the printed bounds hide it."""
    naive = {
        (y, n): tuple(round(100 * end) for end in roster_bounds(y, n, 11))
        for n in (10, 11)
        for y in (n - 1, n)
    }
    assert len(set(naive.values())) == 4
    assert len({roster_interval(PrintedShare.of(y, n, 11)) for y, n in naive}) == 1


def test_an_exact_number_of_answers_is_refused():
    """A printed share holds the floor of a band; an exact number would leave through the interval."""
    with pytest.raises(ValueError, match="floor of the band"):
        PrintedShare(65, None, 12, 30)
    with pytest.raises(ValueError, match="More people"):
        PrintedShare(65, None, 10, 9)
    with pytest.raises(ValueError, match="never printed"):
        PrintedShare.of(3, 4, 30)


def test_degrees_of_freedom_go_down_the_ladder():
    """Degrees of freedom between two rungs print one interval, the wider; none is an error."""
    share = PrintedShare.of(20, 40, 90)
    assert df_floor(33) == 30 and df_floor(10**6) == 1000
    for n, df in itertools.product((10, 40), range(1, 61)):
        arms = [PrintedShare.of(y, n, 90) for y in range(n + 1)]
        floored = [analytic_interval(arm, 1.5, df_floor(df)) for arm in arms]
        assert [analytic_interval(arm, 1.5, df) for arm in arms] == floored
        assert analytic_gap_interval(arms[0], share, 1.5, df) == analytic_gap_interval(
            arms[0], share, 1.5, df_floor(df)
        )
    for effect, df in ((0.9, 30), (float("nan"), 30), (float("inf"), 30), (1.5, 0)):
        with pytest.raises(ValueError, match=r"design effect|two practices"):
            analytic_interval(share, effect, df)
