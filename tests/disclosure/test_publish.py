"""The gate of one item's table by standing."""

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.disclosure import Count, PrintedShare, print_gap_points, print_share, publish_item
from engagement.disclosure.rules import nearest_5

WORDS = {"shown", "hidden", "missing", "at_least", "at_most", "unclear"}
WORDS |= {"5–9", "10–14", "15–19", "20–29", "30–49", "50+"}


@st.composite
def counts(draw, most=80):
    n = draw(st.integers(0, most))
    return Count(draw(st.integers(0, n)), n, n + draw(st.integers(0, 200)))


def publish(leader, grassroots, staff=None, threshold=10, design_effect=1.6, df=33):
    groups = {"leader": leader, "grassroots": grassroots} | ({"staff": staff} if staff else {})
    return publish_item(groups, threshold=threshold, design_effect=design_effect, df=df).as_json()


def test_the_published_shape():
    """A full table has exactly the published keys, with bands for n and numbers for N."""
    table = publish(Count(12, 17, 24), Count(25, 70, 176), Count(3, 9, 12))
    assert table == {
        "groups": {
            "leader": {
                "mark": "shown",
                "N": 24,
                "n": "15–19",
                "share": 70,
                "cap": None,
                "interval": [50, 85],
                "analytic": [35, 95],
                "bounds": [40, 85],
            },
            "grassroots": {
                "mark": "shown",
                "N": 176,
                "n": "50+",
                "share": 35,
                "cap": None,
                "interval": [20, 50],
                "analytic": [15, 60],
                "bounds": [5, 85],
            },
            "staff": {"mark": "hidden", "N": 12},
        },
        "total": None,
        "gap": {
            "mark": "shown",
            "points": 35,
            "cap": None,
            "interval": [10, 60],
            "analytic": [-10, 65],
            "bounds": [-45, 75],
        },
    }
    assert json.loads(json.dumps(table)) == table


def test_nine_and_ten_leaders():
    """With 10 leaders both arms and the gap are shown; with 9 neither arm is, and the total takes their place."""
    ten = publish(Count(6, 10, 20), Count(30, 60, 100))
    assert [g["mark"] for g in ten["groups"].values()] == ["shown", "shown"] and ten["total"] is None
    nine = publish(Count(6, 9, 20), Count(30, 60, 100))
    assert [g["mark"] for g in nine["groups"].values()] == ["hidden", "hidden"]
    assert nine["gap"] == {"mark": "hidden"}
    assert (nine["total"]["mark"], nine["total"]["N"], nine["total"]["n"]) == ("shown", 120, "50+")


def test_a_round_may_promise_fewer_but_never_below_five():
    """A threshold of 5 shows 5 leaders in the lowest band; 4 is refused."""
    assert publish(Count(3, 5, 9), Count(30, 60, 100), threshold=5)["groups"]["leader"]["n"] == "5–9"
    assert publish(Count(3, 4, 9), Count(30, 60, 100), threshold=5)["groups"]["leader"]["mark"] == "hidden"
    for threshold in (4, 0, -1, 9.5):
        with pytest.raises(ValueError, match=r"threshold|count"):
            publish(Count(3, 5, 9), Count(30, 60, 100), threshold=threshold)


def test_too_few_in_all_hides_the_total_too():
    """Where even the total is under the threshold everything is hidden, with no reason given."""
    table = publish(Count(3, 3, 9), Count(6, 6, 8))
    assert table["total"] == {"mark": "hidden", "N": 17}


def test_missing_is_told_apart_from_hidden():
    """A group of which nobody was invited is missing, and so is the gap; an arm that kept silent is hidden."""
    table = publish(Count(0, 0, 0), Count(30, 60, 100), Count(0, 0, 0))
    assert table["groups"]["leader"] == table["groups"]["staff"] == {"mark": "missing", "N": 0}
    assert table["gap"] == {"mark": "missing"} and table["total"]["mark"] == "shown"
    assert table["groups"]["grassroots"] == {"mark": "hidden", "N": 100}
    silent = publish(Count(0, 0, 12), Count(30, 60, 100))
    assert silent["groups"]["leader"] == {"mark": "hidden", "N": 12} and silent["gap"] == {"mark": "hidden"}
    assert publish(Count(0, 0, 0), Count(0, 0, 0))["total"] == {"mark": "missing", "N": 0}


def test_without_a_design_effect_there_is_no_analytic_interval():
    """Where practices are unknown or fewer than two, the analytic interval is null and the rest stands."""
    for effect, df in ((None, 33), (1.6, None), (1.6, 0)):
        table = publish(Count(6, 10, 20), Count(30, 60, 100), design_effect=effect, df=df)
        assert table["gap"]["analytic"] is table["groups"]["leader"]["analytic"] is None
        assert table["gap"]["interval"] and table["groups"]["leader"]["bounds"]


@given(counts(), counts(), counts(), st.integers(5, 20))
def test_never_one_arm_and_never_a_total_beside_the_arms(leader, grassroots, staff, threshold):
    """Arms stand or fall together, a total only without them, and nothing under the threshold is shown."""
    table = publish(leader, grassroots, staff, threshold)
    shown = {name for name, group in table["groups"].items() if group["mark"] == "shown"}
    assert len(shown & {"leader", "grassroots"}) in (0, 2)
    assert (table["total"] is None) == ("leader" in shown) == (table["gap"]["mark"] == "shown")
    exact = {"leader": leader, "grassroots": grassroots, "staff": staff}
    assert all(exact[name].n >= threshold for name in shown)
    if table["total"] and table["total"]["mark"] == "shown":
        assert leader.n + grassroots.n >= threshold


def test_a_naive_total_gives_the_hidden_arm_away():
    """Total minus grassroots is the leaders: what the naive table would print, and this one does not."""
    leader, grassroots = Count(8, 8, 12), Count(30, 60, 100)
    total = leader + grassroots
    assert (total.favourable - grassroots.favourable, total.n - grassroots.n) == (8, 8)
    table = publish(leader, grassroots)
    assert table["total"]["mark"] == "shown" and table["groups"]["grassroots"]["mark"] == "hidden"


@given(counts(), counts(), counts(), counts())
def test_a_printed_staff_group_says_nothing_of_the_total(leader, grassroots, staff, other_staff):
    """Total and staff share nobody: changing the staff leaves every other figure as it was."""
    table, other = publish(leader, grassroots, staff), publish(leader, grassroots, other_staff)
    del table["groups"]["staff"], other["groups"]["staff"]
    assert table == other


def leaves(value, key=None):
    if isinstance(value, dict):
        for inner, item in value.items():
            yield from leaves(item, inner)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, key)
    else:
        yield key, value


@given(counts(400), counts(400), counts(400), st.integers(5, 12))
def test_no_exact_count_is_printed(leader, grassroots, staff, threshold):
    """Apart from N every number printed is a whole multiple of 5, and every text one of a few fixed words."""
    for key, value in leaves(publish(leader, grassroots, staff, threshold)):
        if key == "N" or value is None:
            continue
        assert value in WORDS if isinstance(value, str) else type(value) is int and value % 5 == 0


@given(counts(), counts())
def test_printed_intervals_contain_printed_points(leader, grassroots):
    """The printed gap and shares lie within every interval printed beside them, and the bounds hold them too."""
    table = publish(leader, grassroots, threshold=5)
    figures = [(g.get("share"), g) for g in (*table["groups"].values(), table["total"] or {})]
    for value, figure in [*figures, (table["gap"].get("points"), table["gap"])]:
        for name in ("interval", "analytic", "bounds"):
            if value is not None:
                assert figure[name][0] <= value <= figure[name][1]


CAPPED = [(y, n) for n in range(10, 61) for y in range(n + 1) if print_share(y, n)[1]]


def exact_gap(leader, grassroots):
    return nearest_5(Fraction(leader.favourable, leader.n) - Fraction(grassroots.favourable, grassroots.n))


def clipped_gap(leader, grassroots):
    first, second = (
        min(max(Fraction(c.favourable, c.n), Fraction(1, 10)), Fraction(9, 10)) for c in (leader, grassroots)
    )
    return nearest_5(first - second)


def capped_counts_told_apart(gap, other):
    """Pairs of a printed capped share and a gap that single out some of the counts that print that share."""
    seen = {}
    for y, n in CAPPED:
        share = PrintedShare.of(y, n, 60)
        seen.setdefault(share, set()).add(gap(Count(y, n, 60), other))
    return [share for share, gaps in seen.items() if len(gaps) > 1]


OTHERS = [Count(y, n, 60) for n in (10, 13, 16, 40) for y in range(n + 1)]


def test_a_gap_tells_nothing_of_a_capped_arm():
    """Whoever knows every grassroots answer learns nothing of capped leaders from the table, nor the reverse."""
    for other in OTHERS:
        assert capped_counts_told_apart(print_gap_points, other) == []
        assert capped_counts_told_apart(lambda capped, known: print_gap_points(known, capped), other) == []
    tables = {
        json.dumps(publish(Count(y, n, 60), Count(19, 40, 90)))
        for n in (15, 16, 17, 18, 19)
        for y in (n - 1, n)
    }
    assert len(tables) == 1


def test_naive_gaps_reveal_a_capped_arm():
    """An exact gap gives unanimous leaders away, and one clipped at 90% still sets 14 of 16 apart from 15 of 16."""
    known = Count(5, 10, 60)
    assert exact_gap(Count(16, 16, 60), known) != exact_gap(Count(14, 16, 60), known)
    assert any(capped_counts_told_apart(exact_gap, other) for other in OTHERS)
    assert any(capped_counts_told_apart(clipped_gap, other) for other in OTHERS)


def test_the_cap_of_a_gap_is_always_true():
    """ "At least" and "at most" hold for the exact gap of every pair, and without a cap the two are equal."""
    for y, n in CAPPED:
        for other in OTHERS:
            for leader, grassroots in ((Count(y, n, 60), other), (other, Count(y, n, 60))):
                points, cap = print_gap_points(leader, grassroots)
                exact = exact_gap(leader, grassroots)
                assert cap in ("at_least", "at_most", "unclear")
                assert (points is None) == (cap == "unclear")
                assert cap != "at_least" or exact >= points
                assert cap != "at_most" or exact <= points
    assert print_gap_points(Count(12, 17, 24), Count(25, 70, 176)) == (35, None)


@pytest.mark.parametrize(
    "leader, grassroots, expected",
    [
        ((16, 16), (8, 16), (40, "at_least")),
        ((0, 16), (8, 16), (-35, "at_most")),
        ((8, 16), (16, 16), (-35, "at_most")),
        ((8, 16), (0, 16), (40, "at_least")),
        ((16, 16), (0, 16), (75, "at_least")),
        ((0, 16), (16, 16), (-75, "at_most")),
        ((16, 16), (15, 16), (None, "unclear")),
        ((0, 16), (1, 16), (None, "unclear")),
    ],
)
def test_direction_of_a_capped_gap(leader, grassroots, expected):
    """Each arm and end gives its direction; two arms capped at the same end give none."""
    assert print_gap_points(Count(*leader, 30), Count(*grassroots, 30)) == expected


def test_counts_must_be_possible_and_groups_known():
    """Impossible and fractional counts, unknown groups and a lacking arm are refused."""
    for bad in ((5, 4, 9), (1, 10, 9), (-1, 4, 9), (1.0, 4, 9)):
        with pytest.raises(ValueError, match=r"[Cc]ount"):
            Count(*bad)
    assert publish(Count(*np.array([6, 10, 20])), Count(30, 60, 100))["gap"]["points"] == 10
    for groups in (
        {"leader": Count(0, 0, 0)},
        dict.fromkeys(("leader", "grassroots", "other"), Count(0, 0, 0)),
    ):
        with pytest.raises(ValueError, match="no others"):
            publish_item(groups, threshold=10, design_effect=None, df=None)
