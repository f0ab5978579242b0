"""What a release says in words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engagement.ui import sentences


def gap_of(points, cap=None):
    return {
        "mark": "shown",
        "points": points,
        "cap": cap,
        "interval": [25, 55],
        "analytic": [15, 65],
        "bounds": [-15, 75],
    }


def test_the_gap_is_one_sentence_with_its_interval(release, item):
    """A shown gap names both arms' shares, the gap, and what it would be had every member answered."""
    content = release(9, item("owned", (10, 15, 22), (20, 80, 150)))
    shown = content["items"][0]
    shown["gap"] = gap_of(40)
    assert sentences.gap_sentence(content, shown) == (
        "In round 9, 65% of leaders and 25% of grassroots members agreed: a gap of 40 points "
        "(between 25 and 55 points had every member answered)."
    )


def test_the_words_of_the_body_are_used(release, item):
    """A body that calls its groups otherwise reads its own words."""
    content = release(2, item())
    content["body"]["words"] |= {"leaders": "directors", "grassroots": "partners"}
    said = sentences.gap_sentence(content, content["items"][0])
    assert "% of directors and " in said and "% of partners agreed" in said
    assert "leaders" not in said


@pytest.mark.parametrize(
    ("leader", "grassroots", "expected"),
    [
        (
            (15, 15, 22),
            (20, 80, 150),
            "at least 90% of leaders and 25% of grassroots members agreed: a gap of at least",
        ),
        (
            (10, 15, 22),
            (0, 80, 150),
            "65% of leaders and at most 10% of grassroots members agreed: a gap of at least",
        ),
        (
            (0, 15, 22),
            (40, 80, 150),
            "at most 10% of leaders and 50% of grassroots members agreed: grassroots members are at least",
        ),
        (
            (15, 15, 22),
            (80, 80, 150),
            "so near the same end of the scale that the gap cannot be given",
        ),
    ],
)
def test_caps_are_said_as_bounds(release, item, leader, grassroots, expected):
    """A capped share is "at least 90%" or "at most 10%", and its gap is a bound or cannot be given."""
    content = release(3, item("owned", leader, grassroots))
    assert expected in sentences.gap_sentence(content, content["items"][0])
    assert "100%" not in sentences.gap_sentence(content, content["items"][0])


@pytest.mark.parametrize(
    ("points", "cap", "expected"),
    [
        (40, None, "a gap of 40 points"),
        (40, "at_least", "a gap of at least 40 points"),
        (40, "at_most", "a gap of at most 40 points"),
        (-15, None, "grassroots members are 15 points ahead of leaders"),
        (-15, "at_most", "grassroots members are at least 15 points ahead of leaders"),
        (-15, "at_least", "grassroots members are at most 15 points ahead of leaders"),
        (0, None, "no gap, to the nearest 5 points"),
        (0, "at_least", "leaders are level with grassroots members or ahead of them"),
        (0, "at_most", "grassroots members are level with leaders or ahead of them"),
    ],
)
def test_every_direction_and_cap_of_a_gap_has_its_words(release, points, cap, expected):
    """Which side leads, and whether the figure is a floor or a ceiling, is said and not left to a minus sign."""
    assert sentences.gap_meaning(release(1), gap_of(points, cap)) == expected


def test_a_hidden_gap_gives_no_reason_that_points_at_a_group(release, item):
    """Where the arms are hidden the sentence names neither as the small one, and gives the total when there is one."""
    few_leaders = release(4, item("owned", (6, 8, 22), (24, 78, 150)))
    few_members = release(4, item("owned", (12, 16, 22), (4, 8, 150)))
    first, second = (sentences.gap_sentence(c, c["items"][0]) for c in (few_leaders, few_members))
    assert first.startswith("Too few to say: in round 4 ")
    assert "Taken together, 35% of leaders and grassroots members agreed." in first
    assert first.split("Taken together")[0] == second.split("Taken together")[0]


def test_a_hidden_gap_without_total_says_no_figure(release, item):
    """Where even the total is too small no number but the round's is said."""
    content = release(4, item("owned", (2, 3, 22), (2, 4, 150)))
    said = sentences.gap_sentence(content, content["items"][0])
    assert said.startswith("Too few to say") and "%" not in said


def test_an_empty_group_is_missing_and_not_zero(release, item):
    """A group of which nobody was invited has no share, and the sentence says why."""
    content = release(4, item("owned", (0, 0, 0), (24, 78, 150)))
    said = sentences.gap_sentence(content, content["items"][0])
    assert "nobody was invited as one of the leaders" in said
    assert sentences.share(content["items"][0]["groups"]["leader"]) == "nobody invited"
    assert sentences.answers(content["items"][0]["groups"]["leader"]) == "0 invited"


def test_a_round_that_did_not_ask_says_so(release):
    """An item that a round left out is neither hidden nor zero."""
    assert sentences.gap_sentence(release(4), None) == "Round 4 did not ask this question."
    assert sentences.share(None) == sentences.gap_points(None) == "not asked"


def test_the_other_scale_has_its_own_verb(release, item):
    """On the engagement scale members feel engaged; they do not agree."""
    content = release(4, item("engaged", kind="engage4"))
    assert "felt at least somewhat engaged: " in sentences.gap_sentence(content, content["items"][0])


def test_every_range_names_its_question(release, item):
    """The ranges of a gap stand by the question each answers, the worst case last."""
    shown = item()
    shown["gap"] = gap_of(40)
    assert sentences.interval_rows(release(1, shown), shown) == [
        ("Among those who answered", "40 points"),
        (sentences.HAD_ALL, "between 25 and 55 points"),
        (sentences.ROUNDS_COMPARED, "between 15 and 65 points"),
        (sentences.WORST_CASE, "between −15 and 75 points"),
    ]
    shown["gap"]["analytic"] = None
    assert (sentences.ROUNDS_COMPARED, "cannot say") in sentences.interval_rows(release(1, shown), shown)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"since": 8, "verdict": "wider", "points": 10},
            "clearly wider than in round 8, by about 10 points.",
        ),
        (
            {"since": 8, "verdict": "narrower", "points": -10},
            "clearly narrower than in round 8, by about 10 points.",
        ),
        ({"since": 8, "verdict": "wider", "points": None}, "The gap is clearly wider than in round 8."),
        ({"since": 8, "verdict": "no clear change", "points": None}, "No clear change since round 8."),
        (
            {"since": 8, "verdict": "cannot say", "points": None},
            "Cannot say whether the gap has changed since round 8",
        ),
        (None, "Nothing to compare with yet"),
    ],
)
def test_the_verdict_on_change_is_said_in_words(item, change, expected):
    """Each verdict of the gate has its sentence; no change and cannot say are told apart."""
    assert expected in sentences.change_sentence(item("owned", change=change))


def test_other_questions_are_explored(item):
    """A clear change of a question that is no headline is told as something to look into, and a headline's is not."""
    change = {"since": 1, "verdict": "wider", "points": 15}
    explored = item("informed", change=change | {"explored": True})
    assert "something to look into" in sentences.change_sentence(explored)
    assert "look into" not in sentences.change_sentence(item(change=change | {"explored": False}))


def test_a_verdict_in_the_table_names_its_round_only_where_it_is_not_the_one_before(release, item):
    """The table leaves out what its reader knows."""
    near = item("owned", change={"since": 8, "verdict": "wider", "points": 10})
    far = item("owned", change={"since": 6, "verdict": "cannot say", "points": None})
    assert sentences.change_short(release(9, near), near) == "wider by 10"
    assert sentences.change_short(release(9, far), far) == "cannot say since round 6"
    assert sentences.change_short(release(9, item("informed")), item("informed")) == ""


def test_participation_is_one_sentence(release):
    """Taking part is said to the nearest 5, or as too few to say."""
    content = release(9)
    assert (
        sentences.participation_sentence(content)
        == "About 55% took part in round 9. 172 people were invited."
    )
    content["participation"] = {"N": 7, "answered_percent": None}
    assert sentences.participation_sentence(content) == (
        "7 people were invited in round 9: too few to say how many took part."
    )


def test_an_open_round_says_until_when_and_how_far_and_nothing_of_results():
    """While a round is open its closing time in London and the body's total are all that is said."""
    said = sentences.open_sentence(10, datetime(2026, 8, 6, 16, tzinfo=UTC), 184, 40)
    assert said == (
        "Round 10 is open until 6 August 2026 at 5pm. So far about 40% have taken part; 184 people were invited. "
        "Results appear after it has closed and been checked."
    )
    assert "too few to say how many have taken part" in sentences.open_sentence(10, None, 8, None)


def test_headlines_are_the_message_of_the_newest_round_that_has_one(history, release, item):
    """The heading of a chart says how things stand in the newest round with a gap, whichever way it points."""
    assert (
        sentences.headline(history, "owned") == "Leaders are 65 points ahead of grassroots members in round 9"
    )
    hidden_last = [*history, release(10, item("owned", (6, 8, 22), (24, 78, 150)))]
    assert sentences.headline(hidden_last, "owned").endswith("in round 9")
    behind = item("owned", (5, 16, 22), (60, 80, 150))
    assert sentences.headline([release(2, behind)], "owned").startswith(
        "Grassroots members are 45 points ahead of "
    )
    assert sentences.headline([release(1, item("owned", (2, 3, 22), (2, 4, 150)))], "owned") == (
        "No round could publish the gap on this question yet"
    )


def test_headlines_hold_to_caps(release, item):
    """A heading never turns a bound into a figure."""
    content = release(8, item("owned", (16, 16, 22), (20, 80, 150)))
    assert "at least" in sentences.headline([content], "owned")


def test_items_are_listed_newest_round_first_with_headlines_leading(history, release, item):
    """The chooser offers the newest round's items first and keeps those that only older rounds asked."""
    older = [release(0, item("time"), item("owned")), *history]
    assert sentences.item_keys(older) == ["owned", "decisions_members", "informed", "time"]


def test_the_period_and_title_of_rounds_are_plain(history, release):
    """Subtitles name the rounds and months covered; a title that only repeats the number is left out."""
    assert sentences.period(history) == "rounds 1 to 9, closed March 2022 to March 2026"
    assert sentences.period([]) == ""
    assert sentences.round_name(history[-1]) == "Round 9, Spring 2026"
    assert sentences.round_name(release(3, title="Round 3")) == "Round 3"
