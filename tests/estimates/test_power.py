"""What a roster could show, against simulation and exact sums."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.estimates import (
    ExpectedArm,
    chance_seen,
    chance_shown,
    change_in_gap,
    change_in_level,
    detectable,
    linearised,
    overlap,
)

LEADERS = ExpectedArm(60, 0.75, 0.6)
GRASSROOTS = ExpectedArm(400, 0.5, 0.4)


def simulated(first, second, moved, practices, runs, seed):
    """Share of simulated pairs of rounds in which the change of the gap, and of the second arm's level, is found.

    The product's own test on practices. Each practice has one lasting leaning an arm, which makes answers alike
    within it and the rounds correlated; `moved` is added to the second arm's share in the later round.
    """
    rng = np.random.default_rng(seed)
    gaps = levels = 0
    for _ in range(runs):
        practice, cell, y = [], [], []
        for arm, (plan, sd) in enumerate((second, first)):
            leaning = sd * rng.choice([-1.0, 1.0], practices)
            for wave in (0, 1):
                p = plan.share + (moved if wave and not arm else 0)
                home = np.arange(plan.members) % practices
                answers = rng.random(plan.members) < plan.response
                practice.append(home[answers])
                cell.append(np.full(answers.sum(), 2 * wave + arm))
                y.append(rng.random(answers.sum()) < p + leaning[home[answers]])
        stack = linearised(
            *(np.concatenate(part) for part in (practice, cell)), np.concatenate(y).astype(float)
        )
        gaps += change_in_gap(stack, 1, 0, 3, 2).p_value < 0.05
        levels += change_in_level(stack, 0, 2).p_value < 0.05
    return gaps / runs, levels / runs


def planned(plan, sd, practices):
    """The arm with the design effect and overlap that leanings of `sd` bring about, in practices of random size."""
    binomial = plan.share * (1 - plan.share)
    n = plan.members * plan.response
    home = np.bincount(np.arange(plan.members) % practices, minlength=practices)
    lasting = sd**2 * np.sum((home * plan.response) ** 2) / n**2
    chance = sd**2 * np.sum(home * plan.response * (1 - plan.response)) / n**2
    variance = lasting + chance + (binomial - sd**2) / n
    return dataclasses.replace(plan, design_effect=variance * n / binomial, overlap=lasting / variance)


def test_the_detectable_change_is_found_four_times_in_five():
    """Simulated rounds in which the gap moves by the planned amount show it in about 80%, practices clustered."""
    practices, sd = 40, 0.2
    first, second = (planned(plan, sd, practices) for plan in (LEADERS, GRASSROOTS))
    assert second.design_effect > 1.3 and second.overlap > 0.2
    plan = detectable(first, second, threshold=10, practices=practices)
    gaps, _ = simulated((first, sd), (second, sd), plan.gap, practices, 500, 11)
    # Monte Carlo error 1.8 points; the plan takes the share as it stands before the change.
    assert gaps == pytest.approx(0.8, abs=0.06)
    _, levels = simulated((first, sd), (second, sd), plan.second, practices, 500, 12)
    assert levels == pytest.approx(0.8, abs=0.06)


def test_the_chance_of_seeing_a_gap_agrees_with_simulation():
    """How often a planned gap is published and found, by simulation of answering and of answers."""
    first, second = ExpectedArm(16, 0.7, 0.7), ExpectedArm(120, 0.4, 0.35)
    rng = np.random.default_rng(3)
    runs = 40_000
    n1, n0 = (rng.binomial(arm.members, arm.response, runs) for arm in (first, second))
    y1, y0 = rng.binomial(n1, first.share), rng.binomial(n0, second.share)
    shown = (n1 >= 10) & (n0 >= 10)
    assert chance_shown(first, second, 10) == pytest.approx(shown.mean(), abs=0.01)
    m1, m0 = ((n * arm.share + 1.92) / (n + 3.84) for n, arm in ((n1, first), (n0, second)))
    with np.errstate(divide="ignore", invalid="ignore"):
        gap, se = y1 / n1 - y0 / n0, np.sqrt(m1 * (1 - m1) / n1 + m0 * (1 - m0) / n0)
        seen = shown & (gap / se > 1.959964)
    assert chance_seen(first, second, threshold=10) == pytest.approx(seen.mean(), abs=0.03)
    assert chance_seen(first, second, threshold=10) < chance_shown(first, second, 10)


def test_a_plan_by_hand():
    """Normal quantiles, three items: (2.3940 + 0.8416) times the standard error of the change."""
    first, second = ExpectedArm(100, 0.5, 0.5, 1.2, 0.25), ExpectedArm(400, 0.5, 0.5, 1.5, 0.5)
    plan = detectable(first, second, threshold=10, items=3)
    v1, v0 = 2 * 1.2 * 0.25 / 50 * 0.75, 2 * 1.5 * 0.25 / 200 * 0.5
    multiplier = 2.3939798 + 0.8416212
    expected = [multiplier * math.sqrt(v) for v in (v1 + v0, v1, v0)]
    assert [plan.gap, plan.first, plan.second] == pytest.approx(expected, rel=1e-6)
    assert (plan.answers1, plan.answers0, plan.level, plan.df) == (50, 200, pytest.approx(0.05 / 3), None)


def test_few_practices_cost_power_by_student_t():
    """With six practices the quantiles are those of t on 5 degrees of freedom: 2.5706 and 0.9195."""
    plan = detectable(LEADERS, GRASSROOTS, threshold=10, practices=6)
    normal = detectable(LEADERS, GRASSROOTS, threshold=10)
    assert plan.df == 5
    assert plan.gap / normal.gap == pytest.approx((2.570582 + 0.919544) / (1.959964 + 0.841621), rel=1e-5)
    first, second = ExpectedArm(40, 1, 0.7), ExpectedArm(100, 1, 0.45)
    reach = 0.25 / math.sqrt(first.variance(40) + second.variance(100))
    found = chance_seen(first, second, threshold=10, practices=6)
    # Everybody answers, so only one pair of numbers is possible; t on 5 degrees of freedom by its closed form.
    x = reach - 2.570582
    theta = math.atan(x / math.sqrt(5))
    t5 = 0.5 + (theta + math.sin(theta) * (math.cos(theta) + 2 / 3 * math.cos(theta) ** 3)) / math.pi
    assert found == pytest.approx(t5, abs=1e-6)


def test_overlap_is_read_off_an_earlier_pair_of_rounds():
    """Practices that answer the same way twice overlap wholly; fresh ones, or one practice, do not or give None."""
    practice, y = np.tile(np.arange(8), 2), np.tile([1, 0, 0, 1, 1, 0, 1, 0], 2)
    cell = np.repeat([0, 1], 8)
    assert overlap(linearised(practice, cell, y), 0, 1) == pytest.approx(1)
    assert overlap(linearised(practice + 8 * cell, cell, y), 0, 1) == 0
    assert overlap(linearised(0 * practice, cell, y), 0, 1) is None
    assert overlap(linearised(practice, cell, np.ones(16)), 0, 1) is None
    assert overlap(linearised(practice, cell, y, cells=3), 0, 2) is None


arms = st.builds(
    ExpectedArm,
    members=st.integers(0, 300),
    response=st.floats(0, 1),
    share=st.floats(0, 1),
    design_effect=st.floats(0.5, 4),
    overlap=st.floats(0, 0.9),
)


@given(arms, arms, st.integers(5, 20), st.integers(2, 60))
def test_more_never_shows_less(first, second, threshold, practices):
    """More members, practices or fewer items never make the detectable change larger, and figures are possible."""
    plan = detectable(first, second, threshold=threshold, items=2, practices=practices)
    more = dataclasses.replace(first, members=first.members * 2)
    for better in (
        detectable(more, second, threshold=threshold, items=2, practices=practices),
        detectable(first, second, threshold=threshold, items=1, practices=practices),
        detectable(first, second, threshold=threshold, items=2),
    ):
        for name in ("gap", "first", "second"):
            before, after = getattr(plan, name), getattr(better, name)
            assert before is None or after <= before * (1 + 1e-9)
    assert plan.gap is None or 0 < plan.gap <= 2
    assert 0 <= chance_seen(first, second, threshold=threshold) <= plan.chance_shown + 1e-12 <= 1 + 1e-12


def test_chance_shown_is_the_exact_binomial():
    """Two members of whom each answers with probability one half: both with 1/4, and the other arm for sure."""
    assert chance_shown(ExpectedArm(2, 0.5, 0.5), ExpectedArm(5, 1, 0.5), 2) == pytest.approx(0.25)
    both = chance_shown(ExpectedArm(30, 0.4, 0.5), ExpectedArm(30, 0.4, 0.5), 10)
    assert both == pytest.approx(sum(math.comb(30, k) * 0.4**k * 0.6 ** (30 - k) for k in range(10, 31)) ** 2)
    assert chance_shown(ExpectedArm(4, 0.9, 0.5), ExpectedArm(50, 0.9, 0.5), 5) == 0
    assert chance_shown(ExpectedArm(5, 1, 0.5), ExpectedArm(5, 1, 0.5), 5) == 1


def test_what_cannot_be_shown_is_none():
    """Nobody expected to answer, or an arm too small for any change, gives no figure; the other arm keeps its own."""
    nobody = detectable(ExpectedArm(20, 0, 0.6), GRASSROOTS, threshold=10)
    assert (nobody.gap, nobody.first, nobody.chance_shown) == (None, None, 0) and nobody.second is not None
    tiny = detectable(ExpectedArm(3, 1, 0.5), GRASSROOTS, threshold=10)
    assert tiny.first is None and tiny.gap is None and tiny.second is not None
    unanimous = detectable(ExpectedArm(12, 1, 1.0), GRASSROOTS, threshold=10)
    assert unanimous.first > 0.1, "an arm expected at 100% is not taken for certain"
    assert chance_seen(LEADERS, dataclasses.replace(GRASSROOTS, share=0.6), threshold=10) == 0


def test_bad_plans_are_refused():
    """Percentages for shares, no threshold, one practice and impossible levels raise ValueError."""
    for call in (
        lambda: ExpectedArm(20, 60, 0.5),
        lambda: ExpectedArm(20, 0.6, -0.5),
        lambda: ExpectedArm(2.5, 0.6, 0.5),
        lambda: ExpectedArm(20, 0.6, 0.5, design_effect=0),
        lambda: ExpectedArm(20, 0.6, 0.5, overlap=2),
        lambda: detectable(LEADERS, GRASSROOTS, threshold=0),
        lambda: detectable(LEADERS, GRASSROOTS, threshold=10, items=0),
        lambda: detectable(LEADERS, GRASSROOTS, threshold=10, practices=1),
        lambda: detectable(LEADERS, GRASSROOTS, threshold=10, power=0.01),
        lambda: chance_seen(LEADERS, GRASSROOTS, threshold=10, alpha=1),
        lambda: chance_shown(LEADERS, GRASSROOTS, 0),
    ):
        with pytest.raises(ValueError):
            call()
