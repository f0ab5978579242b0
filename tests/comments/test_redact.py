"""Redaction: everybody on the roster is taken out, however they are written, and ordinary words stay."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.comments.redact import REMOVED, Redactor, cut, distance, fold, slips

PEOPLE = (
    "Dr Mary O'Neill-Smith",
    "Prof. Anil Patel",
    "John Baker",
    "Will Young",
    "Zoë Müller",
    "Dr Henrietta Featherstonehaugh",
    "Li Wu",
)
PRACTICES = (
    "The Alder Surgery",
    "Riverside Medical Centre",
    "High Street Practice",
    "Park Surgery",
    "Practice 3",
)


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    """A redactor of a small invented roster."""
    return Redactor(PEOPLE, PRACTICES, ["Y00123"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr Patel never replies", "[name] never replies"),
        ("dr patel's forms", "dr [name]'s forms"),
        ("ask anil", "ask [name]"),
        ("Patell and Pattel and Paetl", "[name] and [name] and [name]"),
        ("O'Neill or ONeill or O’Neill-Smith or Smith-led", "[name] or [name] or [name] or [name]"),
        ("Zoe Muller and Mueller", "[name] and [name]"),
        ("featherstonhaugh said so", "[name] said so"),
        ("Mary S. said so", "[name] said so"),
        ("MOS and M.O.S. and AP", "[name] and [name] and [name]"),
        ("Dr W or Dr Unknown Person", "[name] or [name]"),
        ("DrPatel did", "[name] did"),
        ("the Patels", "the [name]"),
        ("I asked Will about it", "I asked [name] about it"),
        ("Ask Mr Young", "Ask [name]"),
        ("Riverside says no", "[practice] says no"),
        ("riverside medical center", "[practice]"),
        ("The Alder Surgery", "[practice]"),
        ("alder is full", "[practice] is full"),
        ("Aldar surgery", "[practice]"),
        ("at the Park surgery", "at the [practice]"),
        ("RMC is full", "[practice] is full"),
        ("High Street practice", "[practice]"),
        ("we at practice 3", "we at [practice]"),
        ("code y00123", "code [practice]"),
    ],
)
def test_people_and_practices_go_however_they_are_written(redactor, text, expected):
    """Titles, possessives, accents, slips of the pen, initials, short forms and codes are all recognised."""
    assert redactor.redact(text) == expected


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("01632 960123", "[phone]"),
        ("(01632) 960 123", "[phone]"),
        ("+44 7700 900123", "[phone]"),
        ("0044 7700-900-123", "[phone]"),
        ("ext. 4412", "[phone]"),
        ("SW1A 1AA", "[postcode]"),
        ("m13 9pl", "[postcode]"),
        ("a.b@nhs.net", "[e-mail]"),
        ("a.b @ nhs.net", "[e-mail]"),
        ("943 476 5919", "[NHS number]"),
        ("9434765919", "[NHS number]"),
        ("https://example.org/x?y", "[web address]"),
        ("www.example.org", "[web address]"),
    ],
)
def test_contact_details_go(redactor, text, mark):
    """Phones, postcodes, addresses and NHS numbers are marked wherever they stand."""
    assert redactor.redact(f"Write to {text} please") == f"Write to {mark} please"


@pytest.mark.parametrize(
    "text",
    [
        "Will you listen? We bake bread. Young doctors need help. The park is green.",
        "The leaders decide; we are told by email about patients' appointments.",
        "GP and IT and NHS and PCN money: 10% of £2,000 in 2024, 15 minutes a week.",
        "Practices near a high street have it harder.",
        "I may come on 3 May at 10.30",
    ],
)
def test_ordinary_words_stay(redactor, text):
    """Words that are names elsewhere stay where nothing says that they are one here."""
    assert redactor.redact(text) == text


def test_shouting_is_not_taken_for_initials(redactor):
    """A comment in capitals loses its names, not every short word."""
    assert (
        redactor.redact("WE NEED MORE TIME AND PATEL MUST LISTEN AP")
        == "WE NEED MORE TIME AND [name] MUST LISTEN AP"
    )


FIRST = (
    "Alison",
    "Bernard",
    "Caroline",
    "Deepak",
    "Eleanor",
    "Farouk",
    "Gillian",
    "Hassan",
    "Imogen",
    "Joyce",
)
LAST = (
    "Abernathy",
    "Bhattacharya",
    "Cholmondeley",
    "Donnelly",
    "Eastwood",
    "Fitzgerald",
    "Gallagher",
    "Hutchinson",
)
FRAMES = (
    "{} never answers",
    "I wrote to {} twice",
    "why does {} decide",
    "{}'s way or no way",
    "ask ({}) first",
)


def _slip(word: str, chance: random.Random) -> str:
    """A word with one letter changed, dropped, doubled or swapped, never the first."""
    at = chance.randrange(1, len(word) - 1)
    kind = chance.randrange(4)
    if kind == 0:
        return word[:at] + chance.choice("aeinorst") + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def test_planted_names_do_not_leak():
    """Of names planted in ten ways none leaks as written, and none of eight letters or more with one slip."""
    redactor = Redactor([f"Dr {first} {last}" for first in FIRST for last in LAST], [])
    chance = random.Random(7)
    exact, slipped = [], []
    for first in FIRST:
        for last in LAST:
            frame = chance.choice(FRAMES)
            forms = (
                last,
                last.lower(),
                last.upper(),
                first,
                f"{first} {last}",
                f"Dr {last}",
                f"dr {last.lower()}",
                f"{first[0]}. {last}",
                f"{first} {last[0]}.",
                f"{last}, {first}",
            )
            for form in forms:
                out = redactor.redact(frame.format(form)).lower()
                exact += [
                    form for part in (first, last) if part.lower() in form.lower() and part.lower() in out
                ]
            wrong = _slip(last, chance)
            if len(last) > 7 and wrong.lower() in redactor.redact(frame.format(wrong)).lower():
                slipped.append((last, wrong))
    assert exact == [] and slipped == []


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_redaction_takes_any_text_and_leaves_no_exact_name(before, after):
    """Whatever surrounds a surname, it does not survive between spaces, and nothing fails."""
    redactor = Redactor(PEOPLE, PRACTICES)
    out = redactor.redact(f"{before} Featherstonehaugh {after}")
    assert " Featherstonehaugh " not in out


def test_a_slip_is_what_a_hand_does():
    """One letter added, dropped, changed or swapped is one slip; short names allow none."""
    assert distance("patel", "paetl") == distance("patel", "patell") == distance("patel", "potel") == 1
    assert distance("abc", "xyz") == 3 and distance("", "ab") == 2
    assert [slips("lee"), slips("patel"), slips("donnelly"), slips("featherstonehaugh")] == [0, 1, 2, 3]
    assert fold("O’Neill's") == "o'neill" and fold("Müller") == "muller"


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("I am not happy with it.", "I am happy with it.", "I am [removed] happy with it."),
        ("a b c d", "d", "[removed] d"),
        ("x [name] y", "x y", "x [removed] y"),
        ("one two", "one two", "one two"),
        ("We told [name] twice. It failed.", "We told [name] twice.", "We told [name] twice. [removed]"),
        ("all of it", "", "[removed]"),
        ("a [removed] b c", "a [removed] c", "a [removed] c"),
    ],
)
def test_a_cut_leaves_a_mark(before, after, kept):
    """Taking "not" out cannot turn a comment round unseen: every gap is marked."""
    assert cut(before, after) == kept


@pytest.mark.parametrize("after", ["b a", "a b c", "a bb", "not a b", "A b"])
def test_nothing_can_be_added_or_moved(after):
    """An edit that adds, changes, moves or capitalises a word is refused."""
    with pytest.raises(ValueError):
        cut("a b", after)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["we", "told", "not", "[name]", "it", ".", "them"]), max_size=12), st.data())
def test_any_selection_of_words_is_a_cut(words, data):
    """Whatever words are kept, they stand there in their order, and nothing else but marks does."""
    keep = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    after = [word for word, stays in zip(words, keep, strict=True) if stays]
    out = cut(" ".join(words), " ".join(after))
    assert out.replace(REMOVED, " ").split() == after
