"""Reading a posted form: complete or not, cleaned, and nothing taken that was not offered."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.intake.sheet import CHOICES, clean_text, read_sheet

AGREE = [[5, "Strongly agree"], [4, "Agree"], [3, "Neither"], [2, "Disagree"], [1, "Strongly disagree"]]


def closed(key: str, **changed) -> dict:
    """A closed item."""
    item = {"key": key, "kind": "agree5", "text": f"About {key}.", "labels": AGREE}
    return item | {"dont_know": "I do not know", "not_applicable": None} | changed


OPEN = {"key": "say", "kind": "text", "text": "One thing?", "limit": 1500}


def promise(*items: dict, tier: str = "confidential") -> dict:
    """What of a promise matters here."""
    return {"tier": tier, "items": list(items)}


FIVE = promise(closed("owned"), *(closed(key) for key in "abcde"), OPEN)


def fields(faults) -> list[str]:
    """Which fields are at fault."""
    return [fault.field for fault in faults]


def test_blank_items_are_not_answered():
    """What was left out is stored as not answered, and "I do not know" as such."""
    sheet, faults = read_sheet(FIVE, {"q-owned": "dont_know", "q-a": "1", "q-b": "5", "q-c": "dont_know"})
    assert faults == [] and sheet.comments == {} and sheet.practice_may_use is False
    assert sheet.answers == {
        "owned": "dont_know",
        "a": 1,
        "b": 5,
        "c": "dont_know",
        "d": "not_answered",
        "e": "not_answered",
    }


@pytest.mark.parametrize(
    ("form", "at_fault"),
    [
        ({}, ["q-owned", "q-a"]),
        ({"q-owned": "3"}, ["q-a"]),
        ({"q-owned": "3", "q-a": "1", "q-b": "1"}, ["q-c"]),
        ({"q-a": "1", "q-b": "1", "q-c": "1"}, ["q-owned"]),
        ({"q-owned": "3", "q-a": "1", "q-b": "1", "q-c": "dont_know"}, []),
    ],
)
def test_complete_means_owned_and_half_of_the_rest(form, at_fault):
    """Of five other items three must carry a choice, and `owned` always."""
    sheet, faults = read_sheet(FIVE, form)
    assert fields(faults) == at_fault and (sheet is None) == bool(at_fault)


def test_half_counts_without_owned_where_it_is_not_asked():
    """A round that does not ask `owned` needs half of its closed items."""
    asked = promise(closed("a"), closed("b"))
    assert read_sheet(asked, {"q-b": "2"})[0].answers == {"a": "not_answered", "b": 2}
    assert fields(read_sheet(asked, {})[1]) == ["q-a"]


@pytest.mark.parametrize("value", ["0", "6", "04", "4 ", "not_answered", "not_applicable", "x", "4.0", "٤"])
def test_values_that_were_not_offered_are_refused(value):
    """Only the scores and reasons on the form are taken, in their one spelling."""
    sheet, faults = read_sheet(FIVE, {"q-owned": value, "q-a": "1", "q-b": "1", "q-c": "1"})
    assert sheet is None and fields(faults) == ["q-owned"]


def test_not_applicable_only_where_it_is_offered():
    """An item that offers "not applicable" takes it, and it counts as a choice."""
    asked = promise(closed("a", not_applicable="I have not been in touch"))
    assert read_sheet(asked, {"q-a": "not_applicable"})[0].answers == {"a": "not_applicable"}


@pytest.mark.parametrize("choice", list(CHOICES))
def test_comment_needs_its_authors_choice(choice):
    """Text without a choice is a fault; with one it is kept; a choice without text is nothing."""
    form = {"q-owned": "1", "q-a": "1", "q-b": "1", "q-c": "1", "t-say": " Ring back "}
    sheet, faults = read_sheet(FIVE, form)
    assert sheet is None and fields(faults) == ["c-say"]
    assert read_sheet(FIVE, form | {"c-say": choice})[0].comments == {"say": ("Ring back", choice)}
    assert read_sheet(FIVE, form | {"t-say": " \u200b", "c-say": choice})[0].comments == {}


def test_comment_length_is_counted_after_cleaning():
    """Exactly the limit is taken, one more is not; line ends of the browser count once."""
    form = {"q-owned": "1", "q-a": "1", "q-b": "1", "q-c": "1", "c-say": "hide"}
    assert read_sheet(FIVE, form | {"t-say": "a\r\n" * 749 + "aa"})[0] is not None
    assert read_sheet(FIVE, form | {"t-say": "é" * 1500})[0] is not None
    assert read_sheet(FIVE, form | {"t-say": "e\u0301" * 1500})[0] is not None
    sheet, faults = read_sheet(FIVE, form | {"t-say": "x" * 1501})
    assert sheet is None and fields(faults) == ["t-say"] and "1 character too long" in faults[0].message


@pytest.mark.parametrize("tier", ["practice-view", "anonymous", "confidential"])
def test_the_tick_exists_in_confidential_rounds_only(tier):
    """A tick forged into another tier's form is not taken."""
    sheet, _ = read_sheet(promise(closed("a"), tier=tier), {"q-a": "1", "practice_may_use": "yes"})
    assert sheet.practice_may_use is (tier == "confidential")


def test_faults_come_in_the_order_of_the_form():
    """The summary lists faults from the top of the page to its end."""
    asked = promise(OPEN, closed("a"), closed("owned"))
    _, faults = read_sheet(asked, {"t-say": "x" * 1501})
    assert fields(faults) == ["t-say", "c-say", "q-a", "q-owned"]


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("e\u0301", "é"),
        ("a\x00b\x1b[31m\x7f", "ab[31m"),
        ("a\u202eb\u2066c\u2069", "abc"),
        ("a\u200bb\ufeffc\u2060d", "abcd"),
        ("\U0001f469\u200d\u2695\ufe0f", "\U0001f469\u200d\u2695\ufe0f"),
        ("\U0001f469\U0001f3fd\u200d\U0001f52c", "\U0001f469\U0001f3fd\u200d\U0001f52c"),
        ("a\u200db", "ab"),
        ("one\r\ntwo\rthree\tfour", "one\ntwo\nthree four"),
        ("a\u2028b", "ab"),
        ("\ud800", ""),
    ],
)
def test_text_is_cleaned(raw, kept):
    """Controls, overrides and invisible characters go; accents compose; an emoji's own joiners stay."""
    assert clean_text(raw) == kept


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_cleaning_is_final(text):
    """Clean text is unchanged by cleaning, and holds no control but the line end."""
    once = clean_text(text)
    assert clean_text(once) == once
    assert all(character == "\n" or character >= " " for character in once)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["q-owned", "q-a", "q-b", "q-c", "t-say", "c-say", "practice_may_use", "q-none"]),
        st.sampled_from(["", "1", "5", "9", "dont_know", "quote", "yes", "text\x00"]),
    )
)
def test_any_form_gives_a_sheet_or_its_faults(form):
    """Whatever is posted there is either a complete sheet or at least one fault with a field of the form."""
    sheet, faults = read_sheet(FIVE, form)
    assert (sheet is None) == bool(faults)
    names = {f"q-{key}" for key in ("owned", *"abcde")} | {"t-say", "c-say"}
    assert {fault.field for fault in faults} <= names
    if sheet:
        assert set(sheet.answers) == {"owned", *"abcde"} and sheet.answers["owned"] != "not_answered"
