"""Small groups in wider steps, the gap that their shares make, and the ranges of a gap that stands alone."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest

from engagement.disclosure import Count, PrintedShare, gap_of_shares, print_share, publish_item, share_cell
from engagement.disclosure.publish import GAP_STEPS
from engagement.disclosure.rules import COARSENESS, count_range, step_of
from engagement.estimates import finite_n, newcombe, wilson

NUMBERS = (10, 12, 14, 15, 19, 20, 29, 33, 49)


@pytest.mark.parametrize("coarse", COARSENESS)
@pytest.mark.parametrize("n", NUMBERS)
def test_every_count_lies_in_the_cell_that_it_prints(n, coarse):
    """Cells part the counts: each count prints as one share, whose cell and range of counts hold it and no other's."""
    step = step_of(n, coarse)
    seen = []
    for y in range(n + 1):
        printed = print_share(y, n, ends=True, coarse=coarse)
        low, high = count_range(*printed, n, step)
        smallest, largest = share_cell(*printed, step)
        assert low <= y <= high and smallest <= Fraction(y, n) <= largest
        assert all(print_share(z, n, ends=True, coarse=coarse) == printed for z in range(low, high + 1))
        seen.append(printed)
    assert [key for key, _ in itertools.groupby(seen)] == list(dict.fromkeys(seen))


def test_from_fifty_answers_on_steps_stay_fine():
    """Large groups print in fives whatever is asked for, for five points hold several people there."""
    assert {step_of(n, coarse) for n in (50, 300) for coarse in COARSENESS} == {5}
    assert print_share(20, 60, ends=True, coarse="broad") == (35, None)
    with pytest.raises(ValueError, match="tens"):
        print_share(5, 20, ends=True, coarse="twelves")


def test_the_gap_of_two_printed_shares_holds_every_gap_that_they_could_have():
    """With or without caps, the exact gap lies where the printed one says, and it tells nothing but the shares."""
    for y1, y0, coarse in itertools.product(range(0, 19), range(0, 61, 3), COARSENESS):
        shares = (
            PrintedShare.of(y1, 18, 30, ends=True, coarse=coarse),
            PrintedShare.of(y0, 60, 90, ends=True, coarse=coarse),
        )
        points, cap, within = gap_of_shares(*shares)
        gap = 100 * (Fraction(y1, 18) - Fraction(y0, 60))
        if cap == "at_least":
            assert gap >= points
        elif cap == "at_most":
            assert gap <= points
        elif cap is None:
            assert abs(gap - points) <= within
        else:
            assert points is None


def test_a_gap_alone_has_ranges_that_hold_those_of_its_counts():
    """The interval of a gap without its arms holds the exact interval of every pair of counts that prints so."""
    for show in GAP_STEPS:
        for y1, y0 in itertools.product(range(0, 16, 3), range(0, 41, 5)):
            counts = Count(y1, 15, 22), Count(y0, 40, 90)
            gap = publish_item(
                dict(zip(("leader", "grassroots"), counts, strict=True)),
                threshold=10,
                design_effect=1.4,
                df=20,
                ends=True,
                show=show,
            ).gap
            parts = [
                (c.favourable / c.n, wilson(c.favourable / c.n, finite_n(c.n, c.invited))) for c in counts
            ]
            low, high = newcombe(*parts[0], *parts[1])
            assert gap.interval[0] <= 100 * low + 1e-9 and 100 * high - 1e-9 <= gap.interval[1]
            assert gap.analytic[0] <= gap.interval[0] and gap.interval[1] <= gap.analytic[1]
