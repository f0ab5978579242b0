"""Verdicts from printed figures: sure where the figures are, and never against a cap."""

from __future__ import annotations

import pytest

from engagement.disclosure import (
    GAP_WORDS,
    Count,
    moved,
    print_factor,
    publish_item,
    read_gap,
    say,
    slope_weights,
)

N = 100, 300


def an_item(leader: int, grassroots: int, **options) -> dict:
    """A printed item with so many favourable answers of 100 leaders and 300 others."""
    counts = {"leader": Count(leader, N[0], 120), "grassroots": Count(grassroots, N[1], 500)}
    return publish_item(counts, threshold=10, design_effect=1.2, df=60, **options).as_json()


def verdict(before: dict, now: dict, factor: float = 1.0) -> dict:
    """The verdict on the change between two printed items."""
    found = moved((read_gap(before, N, 1.2), read_gap(now, N, 1.2)), (-1, 1), factor, 60)
    return say({"owned": found}, ["owned"], GAP_WORDS)["owned"]


def test_a_large_change_is_told_with_its_points():
    """A gap that grows by 40 points is wider by 40, one that shrinks as much is narrower."""
    small, large = an_item(60, 150), an_item(80, 90)
    assert verdict(small, large) == {"verdict": "wider", "points": 40, "explored": False}
    assert verdict(large, small) == {"verdict": "narrower", "points": -40, "explored": False}
    assert verdict(small, small)["verdict"] == "no clear change"


def test_sharing_practices_makes_a_change_surer():
    """A change that is not clear between strangers is clear where the same practices answered alike twice."""
    before, now = an_item(60, 150), an_item(69, 132)
    assert verdict(before, now)["verdict"] == "no clear change"
    assert verdict(before, now, 0.2)["verdict"] == "wider"


def test_nothing_is_told_against_a_cap():
    """A gap that falls to "at least 35" may be larger than before, so it is not told as narrower; a rise to it is told,
    without points."""
    capped = an_item(95, 6, show="capped gap", ends=True)
    assert (capped["gap"]["points"], capped["gap"]["cap"]) == (35, "at_least")
    assert verdict(an_item(88, 30), capped)["verdict"] == "no clear change"
    assert verdict(an_item(30, 150), capped) == {"verdict": "wider", "points": None, "explored": False}


def test_what_is_hidden_cannot_be_compared():
    """Without a gap, a design effect or degrees of freedom there is no verdict."""
    hidden, shown = an_item(60, 150, show="nothing"), an_item(60, 150)
    assert verdict(hidden, shown)["verdict"] == "cannot say"
    pair = read_gap(shown, N, None), read_gap(shown, N, 1.2)
    assert moved(pair, (-1, 1), 1.0, 60) is None
    assert moved((pair[1], pair[1]), (-1, 1), 1.0, None) is None


def test_wide_steps_carry_their_own_uncertainty():
    """The wider a figure was rounded, the larger its variance."""
    fine = read_gap(an_item(60, 150), N, 1.2)
    alone = read_gap(an_item(60, 150, show="gap", ends=True), N, 1.2)
    wide = read_gap(an_item(60, 150, show="wide gap", ends=True), N, 1.2)
    assert fine.variance < alone.variance < wide.variance


def test_a_line_through_three_rounds_weighs_the_ends():
    """Weights of a trend give what the line moves from first to last, and fewer than three rounds have none."""
    assert slope_weights([1, 2, 3]) == pytest.approx([-1, 0, 1])
    assert sum(w * v for w, v in zip(slope_weights([1, 2, 4]), (10, 20, 40), strict=True)) == pytest.approx(
        30
    )
    with pytest.raises(ValueError, match="3 rounds"):
        slope_weights([1, 2])


def test_factors_are_coarse_and_never_nought():
    """A factor is the median upwards to a tenth, at least .1, and 1 where nothing is known."""
    assert print_factor([0.61, 0.75, float("nan")]) == 0.7
    assert print_factor([0.001]) == 0.1 and print_factor([float("nan")]) == 1.0
