"""Items of a body: seeded once, chosen, ordered, reworded as new versions, and rendered for a round."""

from __future__ import annotations

import json

import pytest
from sqlmodel import select

from engagement import instrument
from engagement.access import Actor
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.instrument import bank
from engagement.models import AuditEntry, Body, Instrument, Item, ItemVersion
from tests.instrument.test_bank import CORE

WRITES = {
    "seed": lambda s, who, at: instrument.seed(s, who, at.body),
    "ensure_item": lambda s, who, at: instrument.ensure_item(s, who, at.body, "q1"),
    "add_own_item": lambda s, who, at: instrument.add_own_item(s, who, at.body, key="q1", text="I think so."),
    "new_wording": lambda s, who, at: instrument.new_wording(s, who, at.body, "owned", "I own it."),
    "propose_wording": lambda s, who, at: instrument.propose_wording(s, who, at.body, "owned", "I own it."),
    "set_items": lambda s, who, at: instrument.set_items(
        s, who, at.body, at.instrument, ["owned"], ["owned"]
    ),
}
READS = {
    "items": lambda s, who, at: instrument.items(s, who, at.body),
    "instrument_of": lambda s, who, at: instrument.instrument_of(s, who, at.body),
}


@pytest.mark.parametrize("verb", WRITES)
def test_only_the_lead_changes_the_instrument(database, setting, verb):
    """Readers are refused with the role that may, strangers learn nothing, the lead gets through."""
    for actor, error in (
        (setting.governing, NotAllowed),
        (setting.council, NotAllowed),
        (setting.stranger, NotFound),
        (Actor("nobody"), NotFound),
    ):
        with pytest.raises(error), database.session() as session:
            WRITES[verb](session, actor, setting)
    with database.session() as session:
        WRITES[verb](session, setting.lead, setting)


@pytest.mark.parametrize("verb", READS)
def test_every_role_reads_the_instrument(database, setting, verb):
    """Lead, governing body and council see the items; strangers do not."""
    with database.reading() as session:
        for actor in (setting.lead, setting.governing, setting.council):
            assert READS[verb](session, actor, setting)
        with pytest.raises(NotFound):
            READS[verb](session, setting.stranger, setting)


def test_seed_puts_the_bank_into_the_tables_once(database, setting):
    """Seeding gives version 1 of every bank item and the core in order; again, it changes nothing."""
    with database.session() as session:
        before = [(v.id, v.item_id, v.version, v.text) for v in session.exec(select(ItemVersion))]
        lines = len(session.exec(select(AuditEntry)).all())
        again = instrument.seed(session, setting.lead, setting.body)
    with database.reading() as session:
        assert [(v.id, v.item_id, v.version, v.text) for v in session.exec(select(ItemVersion))] == before
        assert len(session.exec(select(AuditEntry)).all()) == lines
        assert len(session.exec(select(Instrument)).all()) == 1
    assert len(before) == len(bank.bank()) and {version for _, _, version, _ in before} == {1}
    assert list(again.keys) == CORE and again.headline == ("owned", "decisions_members")


def test_seed_keeps_what_the_body_chose(database, setting):
    """Seeding again after the body reworded and chose keeps its wording and its choice."""
    with database.session() as session:
        instrument.new_wording(session, setting.lead, setting.body, "owned", "I own the {body}.")
        instrument.set_items(session, setting.lead, setting.body, setting.instrument, ["owned"], ["owned"])
        assert instrument.seed(session, setting.lead, setting.body).keys == ("owned",)
        found = {item.key: item for item in instrument.items(session, setting.lead, setting.body)}
    assert (found["owned"].version, found["owned"].rendered) == (2, "I own the CCG.")


def test_seed_adds_what_the_bank_gained(database, setting):
    """An item that a later bank brings is added, to the items and not to the choice."""
    with database.session() as session:
        gone = session.exec(select(Item).where(Item.key == "time")).one()
        for version in session.exec(select(ItemVersion).where(ItemVersion.item_id == gone.id)).all():
            session.delete(version)
        session.flush()
        session.delete(gone)
    with database.session() as session:
        assert list(instrument.seed(session, setting.lead, setting.body).keys) == CORE
        assert "time" in {item.key for item in instrument.items(session, setting.lead, setting.body)}


def test_rendered_is_the_core_in_the_bodys_words(database, setting):
    """A round takes the chosen items, in order, in the body's words, with headlines marked."""
    with database.session() as session:
        session.get(Body, setting.body).words = {"body": "network"}
    with database.reading() as session:
        shown = instrument.rendered(session, setting.body, setting.instrument)
    assert [item["key"] for item in shown] == CORE
    assert shown[0]["text"] == "I feel that the network belongs to its member practices."
    assert [item["key"] for item in shown if item.get("headline")] == ["owned", "decisions_members"]
    assert shown[0]["parallels"][0] == "worklife-2015/owned" and shown[-1]["kind"] == "text"
    assert json.loads(json.dumps(shown)) == shown


def test_rendered_needs_an_instrument_of_the_body(database, setting):
    """The instrument of another body cannot be reached by its number."""
    with database.session() as session:
        other = session.exec(select(Body).where(Body.code == "HILL")).one()
        with pytest.raises(NotFound):
            instrument.rendered(session, other.id, setting.instrument)
        with pytest.raises(NotFound):
            instrument.set_items(
                session, setting.stranger, other.id, setting.instrument, ["owned"], ["owned"]
            )


def test_set_items_chooses_orders_and_marks(database, setting):
    """The order and headline marks given are those stored, also when places swap, and the log says so."""
    keys = ["one_thing", "time", "owned", "influence"]
    with database.session() as session:
        view = instrument.set_items(
            session, setting.lead, setting.body, setting.instrument, keys, ["time", "owned"]
        )
        assert view.keys == tuple(keys) and view.headline == ("time", "owned")
        view = instrument.set_items(
            session, setting.lead, setting.body, setting.instrument, keys[::-1], ["owned"]
        )
    with database.reading() as session:
        stored = instrument.instrument_of(session, setting.council, setting.body)
        assert stored == view and stored.keys == tuple(keys[::-1]) and stored.headline == ("owned",)
        shown = instrument.items(session, setting.council, setting.body)
        assert [item.key for item in shown if item.position] == keys[::-1] and len(shown) == len(bank.bank())
        line = session.exec(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
        assert line.action == "instrument.items" and line.detail["items"] == keys[::-1]


@pytest.mark.parametrize(
    ("keys", "headline", "message"),
    [
        (["influence"], ["influence"], "owned must stay"),
        (["owned", "nonsense"], ["owned"], "no item nonsense"),
        (["owned", "owned"], ["owned"], "owned is chosen twice"),
        (["owned"], [], "at least one headline"),
        (["owned"], ["influence"], "influence cannot be a headline"),
        (["owned", "one_thing"], ["one_thing"], "one_thing cannot be a headline"),
        (CORE, CORE[:4], "at most 3 headline items; there are 4"),
        (
            [key for key in bank.bank() if key != "one_thing"],
            ["owned"],
            "at most 12 closed items; there are 15",
        ),
    ],
)
def test_choice_that_cannot_be_asked_is_refused(database, setting, keys, headline, message):
    """Each fault of a choice gets its own line, and the stored choice stays."""
    with pytest.raises(Invalid) as caught, database.session() as session:
        instrument.set_items(session, setting.lead, setting.body, setting.instrument, keys, headline)
    assert message in "\n".join([str(caught.value), *caught.value.problems])
    with database.reading() as session:
        assert list(instrument.instrument_of(session, setting.lead, setting.body).keys) == CORE


def test_second_comment_is_refused_and_every_fault_is_named(database, setting):
    """A choice with several faults names them all at once."""
    with database.session() as session:
        instrument.add_own_item(
            session, setting.lead, setting.body, key="more", text="What else?", kind="text"
        )
        with pytest.raises(Invalid) as caught:
            instrument.set_items(
                session, setting.lead, setting.body, setting.instrument, ["one_thing", "more"], []
            )
    assert len(caught.value.problems) == 3
    assert any("one open comment" in problem for problem in caught.value.problems)


def test_new_wording_is_a_new_version_and_says_that_the_trend_breaks(database, setting):
    """The old version stays, the new one is asked under another series, and the break is put in words."""
    with database.session() as session:
        version, message = instrument.new_wording(
            session, setting.lead, setting.body, "owned", "  I own\n the {body}. ", expected_version=1
        )
        assert (version.version, version.text) == (2, "I own the {body}.")
        assert "trend line of this item breaks" in message
    with database.reading() as session:
        shown = instrument.rendered(session, setting.body, setting.instrument)[0]
        assert (shown["series"], shown["text"]) == ("owned/2/agree5", "I own the CCG.")
        found = instrument.items(session, setting.council, setting.body)[0]
    assert [wording.version for wording in found.versions] == [1, 2] and found.reworded
    assert found.versions[0].rendered == "I feel that the CCG belongs to its member practices."


def test_proposal_shows_both_wordings_and_writes_nothing(database, setting):
    """A proposed wording is rendered beside the present one, and no version is made."""
    with database.session() as session:
        old, new = instrument.propose_wording(
            session, setting.lead, setting.body, "owned", "I own the {body}."
        )
    assert (old.version, new.version, new.rendered) == (1, 2, "I own the CCG.")
    with database.reading() as session:
        assert instrument.items(session, setting.lead, setting.body)[0].version == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Enter the wording"),
        ("   \n", "Enter the wording"),
        ("I like {nothing}.", "not one of the words"),
        ("I like {body", "Curly brackets"),
        ("x" * 501, "500"),
        ("I feel that the  {body} belongs to its member {practices}.", "has not changed"),
    ],
)
def test_wording_that_cannot_be_asked_is_refused(database, setting, text, message):
    """Empty, unchanged, too long and wrongly bracketed wordings are refused before anything is stored."""
    for verb in (instrument.new_wording, instrument.propose_wording):
        with pytest.raises(Invalid, match=message), database.session() as session:
            verb(session, setting.lead, setting.body, "owned", text)
    with database.reading() as session:
        assert instrument.items(session, setting.lead, setting.body)[0].version == 1


def test_not_applicable_choice_is_part_of_the_wording(database, setting):
    """Changing or withdrawing the choice makes a version too; leaving it out of the call keeps it."""
    text = bank.bank_item("responsive").text
    with database.session() as session:
        kept, _ = instrument.new_wording(session, setting.lead, setting.body, "responsive", "I get answers.")
        assert kept.not_applicable == bank.bank_item("responsive").not_applicable
        changed, _ = instrument.new_wording(
            session,
            setting.lead,
            setting.body,
            "responsive",
            "I get answers.",
            not_applicable="I never asked",
        )
        assert (changed.version, changed.not_applicable) == (3, "I never asked")
        gone, _ = instrument.new_wording(
            session, setting.lead, setting.body, "responsive", text, not_applicable=None
        )
        assert (gone.version, gone.not_applicable) == (4, None)
        with pytest.raises(Invalid, match="120"):
            instrument.new_wording(
                session, setting.lead, setting.body, "responsive", text, not_applicable="x" * 121
            )
        with pytest.raises(Invalid, match="open comment"):
            instrument.new_wording(
                session, setting.lead, setting.body, "one_thing", "What?", not_applicable="x"
            )


def test_wording_of_another_idea_loses_its_parallels(database, setting):
    """A lead who says that a new wording asks something else takes the published figures away from it."""
    with database.session() as session:
        instrument.new_wording(
            session, setting.lead, setting.body, "owned", "I own it.", differs="It is shorter."
        )
        instrument.new_wording(
            session, setting.lead, setting.body, "influence", "I could lead it.", still_parallel=False
        )
        shown = {item["key"]: item for item in instrument.rendered(session, setting.body, setting.instrument)}
        views = {item.key: item for item in instrument.items(session, setting.lead, setting.body)}
    assert shown["owned"]["parallels"] and shown["influence"]["parallels"] == []
    assert views["owned"].differs == "It is shorter." and views["influence"].differs == ""


def test_wording_changed_by_another_meanwhile_is_a_conflict(database, setting):
    """Of two leads who reword the same version, the second is told."""
    with database.session() as session:
        instrument.new_wording(session, setting.lead, setting.body, "owned", "I own it.", expected_version=1)
    with pytest.raises(Conflict, match="version 2"), database.session() as session:
        instrument.new_wording(
            session, setting.lead, setting.body, "owned", "It is mine.", expected_version=1
        )


def test_wording_of_an_unknown_item_is_not_found(database, setting):
    """There is nothing to reword under a key that the body lacks."""
    with pytest.raises(NotFound, match="nonsense"), database.session() as session:
        instrument.new_wording(session, setting.lead, setting.body, "nonsense", "I own it.")


def test_import_finds_known_items_and_makes_unknown_ones(database, setting):
    """A key of the body is taken as it is, any other becomes an item of this body, twice to the same."""
    with database.session() as session:
        known = instrument.ensure_item(session, setting.lead, setting.body, "owned")
        made = instrument.ensure_item(session, setting.lead, setting.body, "Q7.b")
        again = instrument.ensure_item(session, setting.lead, setting.body, "Q7.b", text="Ignored now.")
        assert known.core and not made.core and made.id == again.id
        views = {item.key: item for item in instrument.items(session, setting.lead, setting.body)}
    assert views["owned"].version == 1 and len(views["owned"].versions) == 1
    assert (views["Q7.b"].source, views["Q7.b"].kind, views["Q7.b"].position) == ("import", "agree5", None)
    assert "not imported" in views["Q7.b"].rendered


def test_import_into_an_empty_body_takes_bank_wordings(database, setting):
    """A bank key in the answers of a body that was never set up gets the bank's item, and seeding then adds the rest."""
    with database.session() as session:
        hill = session.exec(select(Body).where(Body.code == "HILL")).one().id
        made = instrument.ensure_item(session, setting.stranger, hill, "owned")
        assert made.core
        assert list(instrument.seed(session, setting.stranger, hill).keys) == CORE
        found = {item.key: item for item in instrument.items(session, setting.stranger, hill)}
    assert found["owned"].text == bank.bank_item("owned").text and len(found) == len(bank.bank())


@pytest.mark.parametrize("key", ["", "a/b", "a b", "=cmd()", "x" * 41, "é", "_x"])
def test_key_that_files_cannot_carry_is_refused(database, setting, key):
    """A key that would break a series id, a file or a formula guard is refused with the rule."""
    with pytest.raises(Invalid, match="key"), database.session() as session:
        instrument.ensure_item(session, setting.lead, setting.body, key)


def test_item_of_another_kind_is_a_conflict(database, setting):
    """Scores cannot be imported into a comment."""
    with pytest.raises(Conflict, match="kind text"), database.session() as session:
        instrument.ensure_item(session, setting.lead, setting.body, "one_thing")


def test_own_item_can_be_asked_but_takes_no_key_of_the_bank(database, setting):
    """A body's own question renders like any other, without parallels; taken keys are refused."""
    with database.session() as session:
        instrument.add_own_item(
            session,
            setting.lead,
            setting.body,
            key="burden",
            text="I find the {body} a burden.",
            not_applicable="I am new",
            reverse=True,
        )
        keys = ["owned", "burden"]
        instrument.set_items(session, setting.lead, setting.body, setting.instrument, keys, ["owned"])
        shown = instrument.rendered(session, setting.body, setting.instrument)[1]
        for taken in ("burden", "owned"):
            with pytest.raises(Conflict, match="already"):
                instrument.add_own_item(session, setting.lead, setting.body, key=taken, text="I think so.")
    assert (shown["text"], shown["reverse"], shown["core"]) == ("I find the CCG a burden.", True, False)
    assert shown["parallels"] == [] and shown["not_applicable"] == "I am new"


def test_first_round_is_warned_of_questions_about_an_earlier_one(database, setting):
    """Asking in round one whether the last survey was acted on is warned of, and not from round two on."""
    keys = ["owned", "acted"]
    with database.session() as session:
        instrument.set_items(session, setting.lead, setting.body, setting.instrument, keys, ["owned"])
        (warning,) = instrument.warnings(session, setting.body, setting.instrument, 1)
        assert "until round 2" in warning
        assert instrument.warnings(session, setting.body, setting.instrument) == [warning]
        assert instrument.warnings(session, setting.body, setting.instrument, 2) == []


def test_unchanged_instrument_warns_of_nothing(database, setting, launched):
    """Asking the same again needs no warning."""
    launched(1)
    with database.reading() as session:
        assert instrument.warnings(session, setting.body, setting.instrument) == []


def test_changes_since_the_last_round_are_warned_of(database, setting, launched):
    """New wordings, body words, left-out items, other headlines and another order are each named beforehand."""
    launched(3)
    with database.session() as session:
        instrument.new_wording(session, setting.lead, setting.body, "owned", "I own the area's health body.")
        session.get(Body, setting.body).words = {"body": "network"}
        keys = ["influence", "owned", *CORE[3:]]
        instrument.set_items(session, setting.lead, setting.body, setting.instrument, keys, ["owned"])
    with database.reading() as session:
        found = "\n".join(instrument.warnings(session, setting.body, setting.instrument))
    assert "trend of owned breaks: round 3 asked “I feel that the CCG belongs" in found
    assert "trend of influence continues and is marked" in found
    assert "Round 3 asked decisions_members and this round does not" in found
    assert "headline items differ from round 3: then decisions_members, owned, now owned" in found
    assert "order of the items differs" in found


def test_more_than_eight_closed_items_are_warned_of(database, setting):
    """A longer form than the core is allowed, with a word on the three minutes."""
    keys = [*CORE, "time"]
    with database.session() as session:
        instrument.set_items(session, setting.lead, setting.body, setting.instrument, keys, ["owned"])
        (warning,) = instrument.warnings(session, setting.body, setting.instrument)
    assert "three minutes" in warning
