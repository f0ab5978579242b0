"""The launch checklist says what must be put right, and warns in plain words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engagement.rounds.checklist import OK, STOP, WARN, Last, check
from engagement.words import DEFAULTS

NOW = datetime(2026, 9, 1, 9, tzinfo=UTC)
ITEMS = [{"key": "owned", "kind": "agree5", "headline": True}, {"key": "one_thing", "kind": "text"}]


def levels(**changed):
    """The level of each finding by title, on a draft that is fit for launch but for `changed`."""
    facts = {
        "now": NOW,
        "opens_at": NOW,
        "closes_at": NOW + timedelta(days=21),
        "tier": "confidential",
        "threshold": 10,
        "standings": ["leader"] * 20 + ["grassroots"] * 100,
        "practices": 40,
        "without_voice": 0,
        "items": ITEMS,
        "item_warnings": [],
        "words": DEFAULTS,
        "box_problem": None,
        "response": None,
    }
    found = check(**facts | changed)
    return {finding.title: (finding.level, finding.text) for finding in found}


def test_a_good_draft_has_no_findings():
    """A complete roster, questions and dates leave nothing to put right."""
    assert {level for level, _ in levels().values()} == {OK}


@pytest.mark.parametrize(
    "changed, title, level, words",
    [
        ({"standings": []}, "Roster", STOP, "Nobody"),
        ({"without_voice": 2}, "Roster", WARN, "2 practices have nobody"),
        ({"items": ITEMS[1:]}, "Questions", STOP, "owned"),
        ({"items": [{"key": "owned", "kind": "agree5"}]}, "Questions", STOP, "headline"),
        ({"box_problem": "too much text"}, "Questions", STOP, "too much"),
        ({"item_warnings": ["the wording changed"]}, "Questions", WARN, "changed"),
        ({"opens_at": None}, "Dates", STOP, "Choose"),
        ({"closes_at": NOW + timedelta(minutes=1)}, "Dates", STOP, "at once"),
        ({"opens_at": NOW + timedelta(days=22)}, "Dates", STOP, "after it opens"),
        ({"closes_at": NOW + timedelta(days=3)}, "Dates", WARN, "3 full days"),
        (
            {"standings": ["leader"] * 9 + ["grassroots"] * 90},
            "Can the gap be published?",
            WARN,
            "only 9 people",
        ),
        (
            {"standings": ["leader"] * 12 + ["grassroots"] * 90},
            "Can the gap be published?",
            WARN,
            "Probably not",
        ),
        ({"response": 0.4}, "Can the gap be published?", WARN, "as many answer as last time"),
        (
            {"threshold": 5, "standings": ["leader"] * 9 + ["grassroots"] * 90},
            "Can the gap be published?",
            OK,
            "Yes",
        ),
    ],
)
def test_findings(changed, title, level, words):
    """Each thing that can be wrong with a draft has its level and its words."""
    found = levels(**changed)[title]
    assert found[0] == level and words in found[1]


def test_before_launch_it_says_what_the_round_could_show():
    """The smallest change that could be told from chance grows as the roster shrinks, and the basis is named."""

    def smallest(**changed):
        text = levels(**changed)["What could it show?"][1]
        return int(text.split("at least ")[1].split(" points")[0]), text

    few, first = smallest()
    many, later = smallest(
        standings=["leader"] * 80 + ["grassroots"] * 400, last=Last(0.7, 0.3, 1.2), response=0.7
    )
    assert many < few and "usual figures" in first and "last round" in later
    assert "over 9 in 10" in later
    assert "no change between two rounds" in levels(response=0.05)["What could it show?"][1]
    assert "A level" in levels(tier="anonymous")["What could it show?"][1]
    assert "What could it show?" not in levels(standings=["grassroots"] * 50)
