"""Printed figures read as constraints: each holds of exactly the answers that print so."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.disclosure import Count, print_gap_alone, print_gap_points, print_share
from engagement.disclosure.publish import GAP_STEPS
from engagement.disclosure.rules import nearest_5
from engagement.disclosure.views import (
    ASSUMED,
    TRUE,
    WHOLE,
    CountFigure,
    GapAloneFigure,
    GapFigure,
    Ledger,
    ShareFigure,
    SumFigure,
    WeightedFigure,
    cells,
)


def ledger(leaders, grassroots, favourable, *, rounds=1, known=()):
    """Leaders first, then grassroots, the same people in every round; `favourable` over all rows."""
    people = leaders + grassroots
    standing = np.array((["leader"] * leaders + ["grassroots"] * grassroots) * rounds, dtype=object)
    open_ = np.zeros(people * rounds, dtype=bool)
    open_[list(known)] = True
    return Ledger(
        np.tile(np.arange(people), rounds),
        np.repeat(np.arange(rounds), people),
        np.array(favourable),
        open_,
        {"standing": standing},
    )


def with_counts(leaders, grassroots, y1, y0):
    return ledger(leaders, grassroots, [1] * y1 + [0] * (leaders - y1) + [1] * y0 + [0] * (grassroots - y0))


@settings(max_examples=40, deadline=None)
@given(st.integers(10, 16), st.integers(10, 24), st.booleans(), st.data())
def test_views_of_a_table_hold_of_exactly_the_counts_that_print_so(n1, n0, ends, data):
    """Shares, the gap beside them and the gap alone: every pair of counts satisfies the views if and only if it prints alike."""

    def printed(y1, y0):
        first, second = Count(y1, n1, n1), Count(y0, n0, n0)
        arms = print_share(y1, n1, ends=ends), print_share(y0, n0, ends=ends)
        alone = tuple((*print_gap_alone(first, second, *of), of[0]) for of in GAP_STEPS.values())
        return arms, print_gap_points(first, second, ends=ends), alone

    y1, y0 = data.draw(st.integers(0, n1)), data.draw(st.integers(0, n0))
    arms, gap, alone = printed(y1, y0)
    base = with_counts(n1, n0, y1, y0)
    beside = [
        ShareFigure(0, "standing", (a,), *s) for a, s in zip(("leader", "grassroots"), arms, strict=True)
    ]
    beside.append(GapFigure(0, *gap, *arms))
    beside = [figure.view(base) for figure in beside]
    without = [GapAloneFigure(0, *figure).view(base) for figure in alone]
    for z1 in range(n1 + 1):
        for z0 in range(n0 + 1):
            answers = with_counts(n1, n0, z1, z0).favourable
            other_arms, other_gap, other_alone = printed(z1, z0)
            assert all(view.holds(answers) for view in beside) == ((other_arms, other_gap) == (arms, gap))
            assert [view.holds(answers) for view in without] == [
                a == b for a, b in zip(alone, other_alone, strict=True)
            ]


def test_weighted_shares_tell_weight_classes_apart():
    """A weighted share holds of exactly the counts by weight class that print so, and splits the cells by class."""
    weights = np.array([Fraction(3, 2)] * 4 + [1] * 6, dtype=object)
    group = np.array(["a"] * 10, dtype=object)

    def made(heavy, light):
        y = [1] * heavy + [0] * (4 - heavy) + [1] * light + [0] * (6 - light)
        return Ledger(
            np.arange(10), np.zeros(10, int), np.array(y), np.zeros(10, bool), {"g": group, "w": weights}
        )

    def share(heavy, light):
        return nearest_5((heavy * Fraction(3, 2) + light) / 12)

    base = made(2, 3)
    view = WeightedFigure(0, "g", ("a",), "w", share(2, 3), None).view(base)
    for heavy in range(5):
        for light in range(7):
            assert view.holds(made(heavy, light).favourable) == (share(heavy, light) == share(2, 3))
    assert sorted(cells(base, [view]).size.tolist()) == [4, 6]


def test_a_printed_sum_ties_two_rounds_together():
    """A sum over two rounds holds of exactly the answers whose exact sum rounds to it."""
    rng = np.random.default_rng(1)
    weights = (
        (1, "leader", Fraction(1, 8)),
        (0, "leader", Fraction(-1, 4)),
        (1, "grassroots", Fraction(1, 12)),
    )

    def points(y):
        was, _, leaders, others = np.split(y, [4, 10, 14])
        exact = (
            Fraction(int(leaders.sum()), 8) - Fraction(int(was.sum()), 4) + Fraction(int(others.sum()), 12)
        )
        return nearest_5(exact)

    base = ledger(4, 6, rng.integers(0, 2, 20), rounds=2)
    view = SumFigure("part", 1, 0, "standing", weights, points(base.favourable)).view(base)
    alike = 0
    for _ in range(400):
        other = rng.integers(0, 2, 20)
        assert view.holds(other) == (points(other) == points(base.favourable))
        alike += view.holds(other)
    assert 10 < alike < 390
    assert set(cells(base, [view]).block.tolist()) == {0, 1}


def test_people_whom_no_figure_tells_apart_are_one_cell():
    """Cells count people by the figures that they are in; known answers leave the unknowns and move the limits."""
    base = ledger(3, 5, [1, 1, 0, 1, 0, 0, 0, 0], known=(0, 3))
    views = [
        CountFigure(0, "standing", (arm,), 0, high).view(base)
        for arm, high in (("leader", 3), ("grassroots", 2))
    ]
    plain = cells(base, views)
    assert plain.size.tolist() == [3, 5] and plain.truth.tolist() == [2, 1]
    knowing = cells(base, views, known=True)
    assert knowing.size.tolist() == [2, 4] and knowing.high.tolist() == [2, 1]
    assert knowing.favourable.tolist() == [1, 0] and knowing.unfavourable.tolist() == [1, 4]


def test_who_is_taken_not_to_change_is_one_unknown():
    """With nobody changing, a person's rounds are one unknown, and somebody who did change has no answer to show."""
    base = ledger(2, 2, [1, 0, 1, 0, 1, 0, 1, 1], rounds=2)
    views = [CountFigure(r, "standing", ("leader", "grassroots"), 0, 4).view(base) for r in (0, 1)]
    assert cells(base, views).size.tolist() == [4, 4]
    steady = cells(base, views, steady=ASSUMED)
    assert steady.size.tolist() == [4] and steady.matrix.tolist() == [[1], [1]]
    assert (steady.favourable.tolist(), steady.unfavourable.tolist(), steady.truth) == ([2], [1], None)
    knowing = cells(base, views, steady=TRUE)
    assert sorted(zip(knowing.block.tolist(), knowing.size.tolist(), strict=True)) == [
        (WHOLE, 3),
        (0, 1),
        (1, 1),
    ]
    assert knowing.truth.sum() == 3


def test_spreading_counts_over_people_gives_them_back():
    """Answers spread from counts have these counts, and leave the others' answers as they are."""
    base = ledger(3, 5, [1, 1, 0, 1, 0, 0, 0, 0], known=(0,))
    found = cells(base, [CountFigure(0, "standing", ("leader",), 0, 3).view(base)], known=True)
    answers = found.spread(np.array([1, 4]), base.favourable)
    assert [int(answers[[row for rows in cell for row in rows]].sum()) for cell in found.rows] == [1, 4]
    assert answers[0] == 1


def test_what_was_not_printed_is_refused():
    """A figure that the true answers contradict, a ledger of unequal columns and a second answer are errors."""
    base = ledger(2, 2, [1, 0, 1, 0])
    with pytest.raises(ValueError, match="do not print"):
        cells(base, [CountFigure(0, "standing", ("leader",), 2, 2).view(base)])
    with pytest.raises(ValueError, match="once a round"):
        Ledger(np.array([1, 1]), np.zeros(2, int), np.ones(2, int), np.zeros(2, bool), {})
    with pytest.raises(ValueError, match="row for each"):
        Ledger(np.array([1, 2]), np.zeros(2, int), np.ones(1, int), np.zeros(2, bool), {})
    with pytest.raises(KeyError):
        base.members(0, "locality", ("north",))
    with pytest.raises(ValueError, match="prints as"):
        ShareFigure(0, "standing", ("leader",), 63, None).view(base)
