"""What stands beside the table by standing: answers in full, response by group, and the index."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.disclosure import (
    Count,
    Response,
    favourable_range,
    print_distribution,
    print_response,
    publish_index,
    publish_item,
)


def item(leader: Count, grassroots: Count, **options) -> dict:
    return publish_item(
        {"leader": leader, "grassroots": grassroots},
        **{"threshold": 10, "design_effect": 1.2, "df": 20} | options,
    ).as_json()


def test_options_are_in_fives_and_never_nought():
    """Each option prints to the nearest 5, one that nobody chose as "at most 5"."""
    printed = print_distribution({1: 0, 2: 1, 3: 9, 4: 18, 5: 12}, {4, 5}, 4, 60)
    assert printed["n"] == "30–49"
    assert [(o["share"], o["cap"]) for o in printed["options"]] == [
        (5, "at_most"),
        (5, "at_most"),
        (25, None),
        (45, None),
        (30, None),
    ]
    assert printed["dont_know"] == {"share": 10, "cap": None}


def test_under_thirty_answers_no_option_is_printed():
    """29 scored answers print nothing but the number invited, however many do not know."""
    assert print_distribution({3: 29}, {4, 5}, 20, 60) == {"mark": "hidden", "N": 60}


def test_unanimous_answers_print_at_an_end():
    """Where all chose one option it prints "at least 90" and the others "at most 5"."""
    printed = print_distribution({1: 0, 2: 0, 3: 0, 4: 0, 5: 40}, {4, 5}, 0, 40)
    assert {(o["share"], o["cap"]) for o in printed["options"]} == {(5, "at_most"), (90, "at_least")}


def test_more_answers_than_people_are_refused():
    """Counts above the number invited are a fault of the caller."""
    with pytest.raises(ValueError, match="More people"):
        print_distribution({1: 30}, {4, 5}, 1, 30)


@given(st.lists(st.integers(0, 60), min_size=5, max_size=5).filter(lambda counts: sum(counts) >= 30))
def test_the_options_hold_the_favourable_answers(counts):
    """What the options say of the favourable answers, as the audit reads it, is true."""
    printed = print_distribution(dict(enumerate(counts, 1)), {4, 5}, 0, sum(counts))
    low, high = favourable_range(printed["options"], sum(counts))
    assert 0 <= low <= counts[3] + counts[4] <= high <= sum(counts)


def test_small_groups_are_pooled_with_the_smallest_large_one():
    """A lone small group takes the smallest of the others in, or subtraction would give it away."""
    printed = print_response({"north": Response(40, 20), "south": Response(15, 9), "east": Response(4, 4)})
    assert printed == [
        {"groups": ["north"], "N": 40, "percent": 50, "cap": None},
        {"groups": ["east", "south"], "N": 19, "percent": 70, "cap": None},
    ]


def test_full_response_prints_at_its_cap():
    """A group in which everybody answered is not told from one in which nine in ten did."""
    assert print_response({"north": Response(20, 20)})[0]["cap"] == "at_least"


def test_a_body_of_nine_has_no_response_rate():
    """Under 10 people no rate is printed."""
    assert print_response({"north": Response(9, 5)})[0]["percent"] is None


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=2),
        st.integers(0, 60).flatmap(lambda n: st.builds(Response, st.just(n), st.integers(0, n))),
        max_size=8,
    )
)
def test_printed_groups_hold_everybody_once(groups):
    """The printed groups part the people who were invited, and a rate is only printed for ten or more."""
    printed = print_response(groups)
    assert sum(row["N"] for row in printed) == sum(r.invited for r in groups.values())
    names = [name for row in printed for name in row["groups"]]
    assert sorted(names) == sorted(name for name, r in groups.items() if r.invited)
    assert all(row["percent"] is None or row["N"] >= 10 for row in printed)
    if sum(r.invited for r in groups.values()) >= 10:
        assert all(row["percent"] is not None for row in printed)


def test_the_index_is_the_mean_of_printed_shares():
    """Shares, gaps and ends of the intervals are the means over the core items."""
    items = [
        item(Count(12, 20, 24), Count(20, 60, 150)),
        item(Count(15, 20, 24), Count(30, 60, 150)),
    ]
    index = publish_index(items)
    assert index["groups"]["leader"]["share"] == 68
    assert index["groups"]["leader"]["n"] == "20–29"
    assert index["gap"]["points"] == 25
    for kind in ("interval", "analytic", "bounds"):
        lows, highs = zip(*(i["gap"][kind] for i in items), strict=True)
        assert index["gap"][kind] == [sum(lows) // 2, -(-sum(highs) // 2)]


def test_the_index_needs_half_of_its_items():
    """One of three items shown is too little; two of three are enough."""
    shown, hidden = (
        item(Count(12, 20, 24), Count(20, 60, 150)),
        item(Count(5, 9, 24), Count(20, 60, 150)),
    )
    assert publish_index([shown, hidden, hidden]) is None
    assert publish_index([shown, shown, hidden])["gap"]["points"] == shown["gap"]["points"]
    assert publish_index([]) is None


def test_capped_items_mark_the_index():
    """A capped item makes the index "at least"; caps at both ends make it "about"."""
    high = item(Count(20, 20, 24), Count(30, 60, 150))
    low = item(Count(1, 20, 24), Count(30, 60, 150))
    assert publish_index([high, high])["groups"]["leader"]["cap"] == "at_least"
    assert publish_index([high, low])["groups"]["leader"]["cap"] == "about"


def test_without_a_design_effect_the_index_has_no_analytic_interval():
    """Where items lack an interval, so does their mean."""
    index = publish_index([item(Count(12, 20, 24), Count(20, 60, 150), design_effect=None, df=None)])
    assert index["gap"]["analytic"] is None and index["gap"]["interval"] is not None
