"""What an ask may be about, and the help to put it."""

from __future__ import annotations

from engagement.asks import topics
from engagement.words import words_of

WORDS = words_of({"body": "sub-ICB", "practices": "surgeries"})


def test_the_topics_are_the_ten_of_the_study_and_one_for_all_else():
    """Seven asks for help, three of business, one free; each with an example beside every field, in the body's words."""
    found = topics.topics()
    groups = [topic.group for topic in found.values()]
    assert [groups.count(group) for group in topics.GROUPS] == [7, 3, 1]
    for topic in found.values():
        shown = topic.in_words(WORDS)
        assert shown.label and shown.need and shown.effect and shown.improvement
        assert "{" not in shown.label + shown.need + shown.effect + shown.improvement
    assert "sub-ICB" in found["qp"].in_words(WORDS).need
    assert topics.label("gone", WORDS) == "gone"


def test_a_draft_says_all_that_is_wrong_at_once():
    """Missing, over-long and unknown values each get a line at their field; what is well written becomes a draft."""
    draft, faults = topics.draft(
        {"topic": "joint", "need": " \u200b ", "effect": "x" * 601, "goal": "profit"}
    )
    assert draft is None and set(faults) == {"need", "effect", "goal", "interest"}
    draft, faults = topics.draft(
        {
            "topic": "les",
            "need": "One\nform",
            "effect": "2 days",
            "interest": "None",
            "named": "yes",
            "private": "yes",
        }
    )
    assert not faults and draft.need == "One form" and draft.named and not draft.public and draft.goal is None


def test_advice_asks_for_a_number_and_a_goal_and_then_is_silent():
    """What would help an ask is said as long as it is missing, in the body's words."""
    bare = topics.Draft("community", "A nurse", "It is bad")
    assert len(topics.advice(bare, WORDS)) == 2 and "sub-ICB" in topics.advice(bare, WORDS)[1]
    goal = topics.Draft("community", "A nurse", "30 visits a week", goal="referrals")
    assert topics.advice(goal, WORDS) == ["Say how it would lead to fewer referrals to hospital."]
    full = topics.Draft("community", "A nurse", "30 visits", improvement="Fewer", goal="referrals")
    assert topics.advice(full, WORDS) == []
    assert topics.in_terms_of_goals(full) == "Serves: fewer referrals to hospital."
