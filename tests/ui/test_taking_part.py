"""Participation of practices in bands."""

from __future__ import annotations

import pytest

from engagement.ui import taking_part
from engagement.words import words_of

WORDS = words_of({})
NAMES = [
    {"practice_id": "Y1", "name": "Abbey", "locality": "North", "closed": None},
    {"practice_id": "Y2", "name": "Castle", "locality": "South", "closed": None},
    {"practice_id": "Y3", "name": "Bridge", "locality": None, "closed": None},
]


@pytest.fixture
def rounds(release):
    """Two rounds: Y2 is too small in the second, Y3 joins in it."""
    return [
        release(1, practices=[{"practice_id": "Y1", "band": "none"}, {"practice_id": "Y2", "band": "half"}]),
        release(
            2,
            practices=[
                {"practice_id": "Y1", "band": "most"},
                {"practice_id": "Y3", "band": "low"},
                {"practice_id": None, "pooled": 7, "band": None},
            ],
        ),
    ]


def test_each_practice_has_its_bands_newest_round_first(rounds):
    """Names come from the roster, bands from releases, and a round without a band has a dash and no word."""
    table = taking_part.practice_table(rounds, NAMES, WORDS)
    assert list(table.columns) == ["Practice", "Round 2", "Round 1"]
    assert list(table["Practice"]) == ["Bridge", "Abbey", "Castle"]
    assert list(table.index) == ["", "North", "South"]
    assert list(table["Round 2"]) == ["◔\u00a0low", "●\u00a0most", "–"]


def test_a_practice_that_the_roster_no_longer_names_is_shown_by_its_code(rounds):
    """A code without a name still has its row."""
    assert "Y1" in list(taking_part.practice_table(rounds, NAMES[1:], WORDS)["Practice"])


def test_the_table_can_be_narrowed(rounds):
    """One locality, or one band of the newest round; nothing fits gives an empty table."""
    assert list(taking_part.practice_table(rounds, NAMES, WORDS, locality="North")["Practice"]) == ["Abbey"]
    assert list(taking_part.practice_table(rounds, NAMES, WORDS, latest="low")["Practice"]) == ["Bridge"]
    assert taking_part.practice_table(rounds, NAMES, WORDS, latest="half").empty


def test_small_practices_are_spoken_of_together_or_not_at_all(rounds):
    """The pool has one band for all, and none where even together they are too few."""
    assert taking_part.pool_sentence(rounds[0], WORDS) is None
    assert taking_part.pool_sentence(rounds[1], WORDS) == (
        "7 practices with fewer than five people invited are not shown: even together they are too few people."
    )
    rounds[1]["practices"][-1]["band"] = "half"
    assert "taken together: ◐\u00a0half" in taking_part.pool_sentence(rounds[1], WORDS)


def test_bands_are_counted_by_round_and_never_people(rounds):
    """The count is of practices; the pool stands apart from the bands of single practices."""
    table = taking_part.counts_table(rounds).set_index("Round")
    assert dict(table.loc["2"]) == {"Most": "1", "Half": "0", "Low": "1", "None": "0", "Pooled": "7: –"}
    assert table.loc["1", "Pooled"] == "0"
    assert "most people answered in 1, about half in 0, few in 1, nobody in 0" in taking_part.summary(
        rounds[1], WORDS
    )


def test_signs_are_told_without_colour_and_there_is_no_all(rounds):
    """Every band has its own sign and meaning, and none of them means everybody."""
    legend = taking_part.legend(rounds)
    assert len({sign for sign, _ in legend}) == len(legend) == 5
    assert not any("all" in meaning.split() or "everybody" in meaning for _, meaning in legend)


def test_a_practice_view_says_answered_and_not_most(release):
    """One official answer of a practice came or did not; a share of people would be false."""
    view = release(1, tier="practice-view", practices=[{"practice_id": "Y1", "band": "most"}])
    assert list(taking_part.practice_table([view], NAMES, WORDS)["Round 1"]) == ["●\u00a0answered"]
    assert "1 of 1 practices gave their official answer" in taking_part.summary(view, WORDS)
    assert [sign for sign, _ in taking_part.legend([view])][:2] == [
        "●\u00a0answered",
        "○\u00a0no\u00a0answer",
    ]


def test_an_anonymous_round_says_nothing_of_practices(release):
    """Where no practice was kept the page says so in place of zeros."""
    assert "was anonymous" in taking_part.summary(release(1, tier="anonymous"), WORDS)


def test_the_bodys_own_words_are_used(rounds):
    """A body whose members are not practices reads its own word."""
    words = words_of({"practice": "surgery", "practices": "surgeries"})
    assert "surgeries" in taking_part.summary(rounds[1], words)
    assert "Surgery" in taking_part.practice_table(rounds, NAMES, words).columns
