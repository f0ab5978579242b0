"""Bands, rounding, taking part and the verdict on change."""

from fractions import Fraction

import numpy as np
import pytest

from engagement.disclosure import (
    band,
    band_floor,
    participation_band,
    participation_percent,
    print_share,
    share_cell,
)


def test_bands_and_their_floors():
    """Each band starts where it says, 4 has none, and large numbers fall on the coarse ladder."""
    edges = [4, 5, 9, 10, 14, 15, 19, 20, 29, 30, 49, 50, 999]
    names = [
        None,
        "5–9",
        "5–9",
        "10–14",
        "10–14",
        "15–19",
        "15–19",
        "20–29",
        "20–29",
        "30–49",
        "30–49",
        "50+",
        "50+",
    ]
    assert [band(n) for n in edges] == names
    floors = [None, 5, 5, 10, 10, 15, 15, 20, 20, 30, 30, 50, 750]
    assert [band_floor(n) for n in edges] == floors
    rungs = [50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10000]
    assert sorted({band_floor(n) for n in range(50, 10001)}) == rungs


def test_floors_never_exceed_the_number_and_are_their_own_floor():
    """A floor is at most the number it stands for, rises with it, and is a fixed point."""
    floors = [band_floor(n) for n in range(5, 5000)]
    assert all(floor <= n for n, floor in zip(range(5, 5000), floors, strict=True))
    assert floors == sorted(floors) and floors == [band_floor(floor) for floor in floors]


@pytest.mark.parametrize("n", [-1, 9.0, True, "10"])
def test_a_band_needs_a_count(n):
    """Negative, fractional, true and written numbers are refused; numpy's whole numbers are not."""
    with pytest.raises(ValueError, match="count"):
        band(n)
    assert band(np.int64(10)) == "10–14"


def test_shares_round_to_the_nearest_five_with_ties_upwards():
    """62.5% prints as 65 where rounding to even would print 60, and 17.5% as 20 on every machine."""
    assert print_share(5, 8) == (65, None)
    assert 5 * round(20 * 5 / 8) == 60, "the naive variant"
    assert print_share(7, 40) == (20, None)
    assert print_share(67, 200) == (35, None)


def test_ends_are_capped():
    """87.5% and above print as at least 90, below 12.5% as at most 10: no true 0% or 100% is seen."""
    assert {print_share(y, 16) for y in (14, 15, 16)} == {(90, "at_least")}
    assert {print_share(y, 16) for y in (0, 1)} == {(10, "at_most")}
    assert print_share(2, 16) == (15, None) and print_share(13, 16) == (80, None)
    assert print_share(859, 1000) == (85, None)


def test_cells_are_exactly_the_shares_that_print_so():
    """Every share lies in the cell of its printed value, and each next share outside prints otherwise."""
    printed = {print_share(y, n) for n in range(1, 120) for y in range(n + 1)}
    assert len(printed) == 17
    for value, cap in printed:
        low, high = share_cell(value, cap)
        for n in range(1, 120):
            for y in range(n + 1):
                inside = low <= Fraction(y, n) < high or (cap == "at_least" and y == n)
                assert inside == (print_share(y, n) == (value, cap))


@pytest.mark.parametrize(
    "pair", [(90, None), (10, None), (100, None), (95, "at_least"), (63, None), (50, "at_most")]
)
def test_a_cell_needs_a_printed_share(pair):
    """Pairs that are never printed have no cell."""
    with pytest.raises(ValueError, match="prints as"):
        share_cell(*pair)


def test_a_share_needs_answers():
    """Nobody answering is no share, and more favourable than answers is refused."""
    for y, n in ((0, 0), (5, 4), (-1, 4)):
        with pytest.raises(ValueError, match=r"favourable|negative"):
            print_share(y, n)


def test_participation_of_a_body():
    """Printed to the nearest 5 from 10 invited; 9 invited print nothing."""
    assert participation_percent(5, 9) is None
    assert participation_percent(5, 10) == 50
    assert participation_percent(137, 200) == 70
    assert participation_percent(0, 200) == 0
    with pytest.raises(ValueError, match="More people"):
        participation_percent(11, 10)


def test_participation_of_a_practice():
    """Thirds belong to the middle, everybody answering reads as most, and 4 invited are pooled."""
    assert [participation_band(a, 6) for a in range(7)] == [
        "none",
        "low",
        "half",
        "half",
        "half",
        "most",
        "most",
    ]
    assert participation_band(4, 4) is None and participation_band(5, 5) == "most"
