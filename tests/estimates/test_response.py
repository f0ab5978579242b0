"""Response rates, tipping points and the R-indicator."""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.estimates import (
    Dispositions,
    dispositions,
    gap_bounds,
    representativeness,
    response_rates,
    tipping_point,
)

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "r" / "weights.json").read_text(encoding="utf-8")
)["response"]


def test_every_rate_of_a_worked_example():
    """I 400, P 50, R 100, NC 150, O 25, unknown 300 of which 60% eligible: each rate by its written formula."""
    cases = Dispositions(400, 50, 100, 150, 25, unknown_household=200, unknown_other=100)
    rates = response_rates(cases, e=0.6)
    assert (rates.eligible, rates.unknown) == (725, 300)
    expected = {
        "rr1": 400 / 1025,
        "rr2": 450 / 1025,
        "rr3": 400 / (725 + 180),
        "rr4": 450 / (725 + 180),
        "rr5": 400 / 725,
        "rr6": 450 / 725,
        "coop1": 400 / (400 + 50 + 100 + 25),
        "coop2": 450 / (400 + 50 + 100 + 25),
        "coop3": 400 / (400 + 50 + 100),
        "coop4": 450 / (400 + 50 + 100),
        "ref1": 100 / 1025,
        "ref2": 100 / (725 + 180),
        "ref3": 100 / 725,
        "con1": 575 / 1025,
        "con2": 575 / (725 + 180),
        "con3": 575 / 725,
    }
    found = dataclasses.asdict(rates)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


counts = st.integers(0, 300)


@given(st.lists(counts, min_size=7, max_size=7), st.floats(0, 1))
def test_rates_are_ordered_shares(cases, e):
    """Rates lie in 0 to 1, partial interviews only add, and fewer unknown cases only raise; no case gives None."""
    rates = response_rates(Dispositions(*cases), e)
    known = {name: v for name, v in dataclasses.asdict(rates).items() if name[:2] in ("rr", "co", "re")}
    assert all(v is None or 0 <= v <= 1 + 1e-12 for v in known.values())
    if rates.rr5 is not None:
        assert rates.rr1 <= rates.rr3 + 1e-12 <= rates.rr5 + 2e-12 and rates.rr1 <= rates.rr2
    assert (rates.rr1 is None) == (sum(cases) == 0)


def test_a_kept_roster_has_one_response_rate():
    """Without cases of unknown eligibility RR1, RR3 and RR5 are one figure; nobody invited gives no figure."""
    rates = response_rates(Dispositions(30, 6, 4, 20), e=0.3)
    assert rates.rr1 == rates.rr3 == rates.rr5 == 0.5 and rates.rr2 == rates.rr6 == 0.6
    empty = response_rates(Dispositions(removed=(("left", 3),)))
    assert (empty.rr1, empty.coop1, empty.con3, empty.eligible) == (None, None, None, 0)


def test_a_roster_is_cleared_before_any_rate():
    """Left, retired and duplicate entries are counted and leave the rates; outcomes fall where the terms put them."""
    outcome = ["answered"] * 4 + [
        "declined",
        "bounced",
        "silent",
        "other",
        "left",
        "left",
        "retired",
        "duplicate",
    ]
    share = [1, 0.8, 0.5, 0.49] + [np.nan] * 8
    cases = dispositions(outcome, share)[""]
    assert cases == Dispositions(2, 1, 2, 2, 1, removed=(("left", 2), ("retired", 1), ("duplicate", 1)))
    rates = response_rates(cases)
    assert rates.eligible == 8 and rates.rr1 == 2 / 8 and rates.rr2 == 3 / 8


def test_what_counts_as_complete_is_a_stated_share():
    """Another share of the core items makes more or fewer interviews complete."""
    share = [1, 0.8, 0.6]
    assert dispositions(["answered"] * 3, share, complete_at=0.6)[""].interview == 3
    assert dispositions(["answered"] * 3, share, complete_at=1, partial_at=0.7)[""] == Dispositions(1, 1, 1)


def test_groups_add_up_and_rows_need_no_link():
    """Groups' dispositions add up to the whole, and shuffling answers among people of a group changes nothing."""
    outcome = ["answered", "silent", "answered", "left", "answered", "declined"]
    share, group = [1, np.nan, 0.6, np.nan, 0.9, np.nan], ["gp", "gp", "gp", "gp", "manager", "manager"]
    by_group = dispositions(outcome, share, group)
    assert by_group["gp"] == Dispositions(1, 1, 0, 1, removed=(("left", 1),))
    assert by_group["manager"] == Dispositions(1, 0, 1)
    assert by_group["gp"] + by_group["manager"] == dispositions(outcome, share)[""]
    order = [3, 2, 1, 0, 5, 4]
    shuffled = dispositions([outcome[i] for i in order], [share[i] for i in order], [group[i] for i in order])
    assert shuffled == by_group


def test_bad_dispositions_are_refused():
    """Unknown outcomes, missing shares, ragged columns and counts that are none raise ValueError."""
    for call in (
        lambda: dispositions(["gone"], [np.nan]),
        lambda: dispositions(["answered"], [np.nan]),
        lambda: dispositions(["answered"], [80]),
        lambda: dispositions(["answered"], [1, 1]),
        lambda: dispositions(["answered"], [1], ["a", "b"]),
        lambda: dispositions(["answered"], [1], complete_at=0.4, partial_at=0.5),
        lambda: Dispositions(-1),
        lambda: Dispositions(1.5),
        lambda: Dispositions(removed=(("left", -2),)),
        lambda: response_rates(Dispositions(1), e=1.5),
    ):
        with pytest.raises(ValueError):
            call()


def test_tipping_points_of_the_worked_check():
    """12 of 17 (24 invited) against 25 of 70 (176): 57.9 points for the grassroots alone, 39.0 for both."""
    found = tipping_point(12, 17, 24, 25, 70, 176)
    assert round(100 * found.grassroots, 1) == 57.9 and round(100 * found.shared, 1) == 39.0
    assert found.grassroots_possible and found.shared_possible and found.any_silence


@st.composite
def arms(draw):
    N = draw(st.integers(1, 200))
    n = draw(st.integers(1, N))
    return draw(st.integers(0, n)), n, N


@given(arms(), arms())
def test_at_the_tipping_point_the_gap_is_gone(first, second):
    """Giving the silent the shares that the tipping point names makes both rosters' shares equal."""
    found = tipping_point(*first, *second)
    (y1, n1, N1), (y0, n0, N0) = first, second
    p1, p0, sign = y1 / n1, y0 / n0, np.sign(y1 / n1 - y0 / n0)
    for delta, leaders in ((found.grassroots, 0), (found.shared, 1)):
        if delta is not None:
            whole1 = p1 * n1 / N1 + (p1 - leaders * sign * delta) * (1 - n1 / N1)
            whole0 = p0 * n0 / N0 + (p0 + sign * delta) * (1 - n0 / N0)
            assert whole1 == pytest.approx(whole0, abs=1e-9)
    low, high = gap_bounds(*first, *second)
    assert found.any_silence == (low <= 0 <= high)
    if found.grassroots_possible or found.shared_possible:
        assert low <= 1e-9 and high >= -1e-9, "what is possible lies within the worst case"
    mirrored = tipping_point(n1 - y1, n1, N1, n0 - y0, n0, N0)
    assert mirrored.gap == pytest.approx(-found.gap)
    assert (mirrored.grassroots, mirrored.shared) == pytest.approx((found.grassroots, found.shared))
    assert (mirrored.grassroots_possible, mirrored.shared_possible) == (
        found.grassroots_possible,
        found.shared_possible,
    )


def test_a_gap_that_no_silence_removes():
    """Where the silent would have to be more than all, or less than none, in favour, it is said to be impossible."""
    few_silent = tipping_point(9, 10, 10, 20, 100, 120)
    assert few_silent.grassroots > 1 and not few_silent.grassroots_possible and not few_silent.any_silence
    # The grassroots' silent could not do it alone, those of both arms together could.
    together = tipping_point(8, 10, 40, 10, 40, 50)
    assert not together.grassroots_possible and together.shared_possible and together.any_silence
    # A common shift stops short, but silent grassroots all in favour and silent leaders all against would do.
    unlike = tipping_point(3, 10, 20, 0, 40, 50)
    assert not unlike.grassroots_possible and not unlike.shared_possible and unlike.any_silence


def test_degenerate_tipping_points_are_explained():
    """Nobody answered, nobody silent, and no gap at all each have a defined result."""
    silent = tipping_point(0, 0, 5, 3, 6, 9)
    assert (silent.gap, silent.grassroots, silent.shared) == (
        None,
        None,
        None,
    ) and "Nobody" in silent.explanation
    assert silent.any_silence
    full = tipping_point(4, 5, 5, 3, 6, 6)
    assert (full.grassroots, full.shared, full.any_silence) == (None, None, False)
    assert "Everybody" in full.explanation
    leaders_silent = tipping_point(4, 5, 9, 3, 6, 6)
    assert leaders_silent.grassroots is None and leaders_silent.shared == pytest.approx(0.3 / (4 / 9))
    # All leaders answered: that a share of silent ones would fall below 0 is no obstacle.
    assert tipping_point(1, 10, 10, 0, 5, 10).shared_possible
    level = tipping_point(3, 6, 10, 1, 2, 4)
    assert (level.gap, level.grassroots, level.shared) == (0, 0, 0) and level.grassroots_possible
    with pytest.raises(ValueError, match="roster"):
        tipping_point(0, 0, 0, 1, 2, 3)


def test_r_indicator_equals_glm():
    """The R-indicator and its adjustment equal those from R's glm, fitted values and delta method."""
    cells = GOLDEN["cells"]
    variables = {name: [cell[name] for cell in cells] for name in ("role", "locality", "size")}
    found = representativeness(variables, [c["Freq"] for c in cells], [c["answered"] for c in cells])
    assert (found.r, found.r_adjusted) == pytest.approx((GOLDEN["r"], GOLDEN["r_adjusted"]), abs=1e-9)
    partial = dict(found.partial)
    assert partial["role"] == max(partial.values())
    over = dict(dict(found.categories)["role"])
    assert over["leader"] > 0 > over["salaried"]


def test_one_variable_by_hand():
    """Response of 80% of 10 leaders and 40% of 30 others: spread, partial and categories written out."""
    found = representativeness({"role": ["leader", "other"]}, [10, 30], [8, 12])
    spread = (10 * 0.3**2 + 30 * 0.1**2) / 39
    assert found.response == 0.5 and found.r == pytest.approx(1 - 2 * np.sqrt(spread))
    # A saturated fit: each propensity has variance rho (1 - rho) / N, their mean .4 (1 - .4) 30 / 40^2 + ...
    own = (0.8 * 0.2 + 0.4 * 0.6) / 40
    mean = (10 * 0.8 * 0.2 + 30 * 0.4 * 0.6) / 40**2
    assert found.r_adjusted == pytest.approx(1 - 2 * np.sqrt(spread - own + mean))
    assert dict(found.categories)["role"] == (
        ("leader", pytest.approx(0.5 * 0.3)),
        ("other", pytest.approx(-np.sqrt(0.75) * 0.1)),
    )
    assert found.partial[0][1] == pytest.approx(np.sqrt(0.25 * 0.09 + 0.75 * 0.01))


def test_adjustment_takes_chance_out():
    """Where everybody answers with one probability, r is pulled down by chance; the adjusted spread averages to 0."""
    rng = np.random.default_rng(4)
    cells = list(itertools.product("ab", "cde", "fgh"))
    variables = {str(i): [cell[i] for cell in cells] for i in range(3)}
    invited = rng.integers(4, 20, len(cells))
    spreads, adjusted = [], []
    for _ in range(400):
        found = representativeness(variables, invited, rng.binomial(invited, 0.5))
        spreads.append(((1 - found.r) / 2) ** 2)
        adjusted.append(((1 - found.r_adjusted) / 2) ** 2)
    # Five free effects over some 200 people: 5 x .25 / 200 by chance alone.
    assert np.mean(spreads) == pytest.approx(5 * 0.25 / invited.sum(), rel=0.15)
    assert np.mean(adjusted) < 0.5 * np.mean(spreads), "cut off at 0, so it does not quite average out"


def test_degenerate_response_is_defined():
    """Nobody, everybody, whole categories of either, one cell and empty cells all have an indicator or a reason."""
    variables = {"role": ["a", "a", "b"], "size": ["s", "l", "s"]}
    for answered in ([0, 0, 0], [5, 5, 5]):
        found = representativeness(variables, [5, 5, 5], answered)
        assert found.r == pytest.approx(1) and "cannot be uneven" in found.explanation
    split = representativeness(variables, [5, 5, 10], [5, 5, 0])
    # Shares of 1 and 0, half each: the spread is as large as it gets, but for N - 1.
    assert split.r == pytest.approx(1 - 2 * np.sqrt(20 * 0.25 / 19), abs=1e-6)
    assert representativeness({"role": ["a"]}, [9], [4]).r == pytest.approx(1)
    assert representativeness(variables, [5, 5, 0], [2, 3, 0]).response == 0.5
    assert representativeness(variables, [0, 0, 0], [0, 0, 0]).r is None
    for call in (
        lambda: representativeness({}, [5], [4]),
        lambda: representativeness(variables, [5, 5], [4, 4]),
        lambda: representativeness(variables, [5, 5, 5], [6, 5, 5]),
    ):
        with pytest.raises(ValueError):
            call()
