"""The item bank: what ships is readable, within limits, in our own words, and renders for any body."""

from __future__ import annotations

import pytest

from engagement.errors import Invalid, NotFound
from engagement.instrument import CLOSED_MAX, HEADLINE_MAX, bank, references
from engagement.models import KINDS
from engagement.words import DEFAULTS, render, words_of

CORE = [
    "owned",
    "decisions_members",
    "influence",
    "informed",
    "understand",
    "responsive",
    "two_way",
    "legitimate",
    "one_thing",
]
OPTIONAL = ["decisions_mine", "contact", "meetings", "engaged", "acted", "challenge", "time"]
# Published wordings that we compare with and may not ship, as their sources print them.
PUBLISHED = [
    "I feel informed about what the CCG is trying to achieve",
    "I understand how my CCG operates",
    "Decisions made by the CCG reflect my views",
    "I know how to contact the CCG",
    "When I contact the CCG they are responsive to my queries or concerns",
    "The CCG is owned by its members and feels like 'our organisation'",
    "My CCG has members' meetings to which I am invited",
    "I can influence the work of the CCG if I choose to",
]
ITEMS = list(bank.bank().values())


def test_bank_holds_the_core_and_the_options_in_order():
    """A body starts with eight closed items and one open; seven more can be chosen."""
    assert [item.key for item in ITEMS if item.core] == CORE
    assert [item.key for item in ITEMS if not item.core] == OPTIONAL
    assert [item.order for item in ITEMS] == list(range(1, 17))
    assert {item.key for item in ITEMS if item.headline} == {"owned", "decisions_members"}


def test_core_keeps_to_the_limits_of_an_instrument():
    """The instrument that every body starts with could be chosen by hand."""
    core = [item for item in ITEMS if item.core]
    assert sum(item.kind != "text" for item in core) == 8 <= CLOSED_MAX
    assert sum(item.headline for item in core) <= HEADLINE_MAX


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.key)
def test_item_fits_the_tables_and_says_where_it_comes_from(item):
    """Every item has a key, a kind and texts that the tables hold, a licence, and one sentence on how it differs."""
    assert bank.KEY.fullmatch(item.key) and item.version == 1 and item.kind in KINDS
    assert (
        0 < len(item.text) <= bank.TEXT_LIMIT and len(item.not_applicable or "") <= bank.NOT_APPLICABLE_LIMIT
    )
    assert len(item.name) <= 30 and item.licence
    assert item.differs.endswith(".") and item.differs.count(". ") == 0 and len(item.differs) < 300


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.key)
def test_item_reads_well_for_bodies_of_any_name(item):
    """An item names the body only through its words, so that it reads right for a network or a federation."""
    words = words_of(
        {"body": "network", "practice": "surgery", "practices": "surgeries", "governing_body": "board"}
    )
    for template in (item.text, item.not_applicable or "", item.hint or ""):
        shown = render(template, words)
        assert not any(word in shown for word in ("CCG", "practice", "governing body")) and "{" not in shown


@pytest.mark.parametrize("item", [item for item in ITEMS if item.kind == "agree5"], ids=lambda item: item.key)
def test_closed_item_is_one_short_statement_of_the_person(item):
    """Statements to agree with are one sentence, in the first person, without a negation, and under 20 words."""
    words = render(item.text, DEFAULTS).split()
    assert item.text.count(".") == 1 and item.text.endswith(".")
    assert {"I", "my"} & set(words) and len(words) < 20
    assert not {"not", "never", "no"} & set(words)


def _shared_run(one: str, other: str) -> int:
    """The longest run of words that two sentences have in common."""
    a, b = ("".join(c for c in s.lower() if c.isalpha() or c == " ").split() for s in (one, other))
    joined = f" {' '.join(b)} "
    return max(
        (j - i for i in range(len(a)) for j in range(i + 1, len(a) + 1) if f" {' '.join(a[i:j])} " in joined),
        default=0,
    )


@pytest.mark.parametrize("published", PUBLISHED)
def test_no_published_wording_is_shipped(published):
    """No item repeats more than five words running of a published statement, which we have no licence to ship."""
    for item in ITEMS:
        assert _shared_run(render(item.text, DEFAULTS), published) <= 5, item.key
    assert _shared_run(published, published) > 5


def test_every_parallel_is_a_published_question():
    """What an item names as its parallel is in the file of published figures."""
    known = {reference.question for reference in references.references().values()}
    assert {name for item in ITEMS for name in item.parallels} <= known


def test_not_applicable_is_offered_where_the_statement_presumes():
    """Only statements that presume contact, a practice or an earlier survey offer a way out of that."""
    assert {item.key for item in ITEMS if item.not_applicable} == {"responsive", "acted", "two_way"}


def test_comment_warns_and_is_bounded():
    """The open comment asks not to name people and takes no more than the table does."""
    item = bank.bank_item("one_thing")
    assert "Do not name people" in item.hint and item.limit == 1500


def test_unknown_key_is_not_found():
    """Asking the bank for an item that it lacks says so."""
    with pytest.raises(NotFound, match="no item nonsense"):
        bank.bank_item("nonsense")


def test_rendered_closed_item_has_exactly_the_promise_fields():
    """A closed item renders to what a promise freezes: labels in order, ways out, and its series."""
    item = bank.bank_item("responsive")
    shown = bank.render_item(
        key=item.key,
        version=2,
        kind=item.kind,
        text=item.text,
        words=words_of({"body": "network"}),
        not_applicable=item.not_applicable,
        core=True,
        origin=item.origin(),
    )
    assert shown == {
        "key": "responsive",
        "version": 2,
        "series": "responsive/2/agree5",
        "kind": "agree5",
        "text": "When I get in touch with the network, I receive a helpful answer.",
        "labels": [
            [5, "Strongly agree"],
            [4, "Agree"],
            [3, "Neither agree nor disagree"],
            [2, "Disagree"],
            [1, "Strongly disagree"],
        ],
        "dont_know": "I do not know",
        "not_applicable": "I have not been in touch with the network",
        "reverse": False,
        "headline": False,
        "core": True,
        "parallels": ["worklife-2015/responsive"],
    }


def test_rendered_comment_has_exactly_the_promise_fields():
    """An open item renders to its wording, hint and limit, and to no scale."""
    item = bank.bank_item("one_thing")
    shown = bank.render_item(
        key=item.key, version=1, kind="text", text=item.text, words=DEFAULTS, origin=item.origin()
    )
    assert set(shown) == {"key", "version", "series", "kind", "text", "hint", "limit"}
    assert shown["text"] == "What one thing should the CCG do for your practice?" and shown["limit"] == 1500


@pytest.mark.parametrize(
    "text", ["I like {nothing}.", "I like {body", "I like {}.", "{body.__class__}", "{body!r}"]
)
def test_odd_placeholders_are_refused(text):
    """Only the body's words may stand in brackets, and nothing can be reached through them."""
    with pytest.raises(Invalid):
        bank.render_item(key="x", version=1, kind="agree5", text=text, words=DEFAULTS)


def test_wording_that_grows_too_long_in_the_bodys_words_is_refused():
    """A text within the limit that passes it once rendered is refused, for forms and tables count what is read."""
    with pytest.raises(Invalid, match="500"):
        bank.render_item(
            key="x", version=1, kind="agree5", text="{body} " * 60, words={"body": "a name of great length"}
        )


@pytest.mark.parametrize(
    ("kind", "reverse", "expected"),
    [
        ("agree5", False, {4, 5}),
        ("agree5", True, {1, 2}),
        ("engage4", False, {3, 4}),
        ("engage4", True, {1, 2}),
    ],
)
def test_favourable_answers(kind, reverse, expected):
    """The two answers at the favourable end count, and reversal turns the scale around."""
    scores = [value for value, _ in bank.SCALES[kind]]
    assert {value for value in scores if bank.favourable(kind, value, reverse=reverse)} == expected


def test_comments_have_no_score():
    """Asking whether a comment is favourable is an error and not a silent no."""
    with pytest.raises(Invalid):
        bank.favourable("text", 1)
