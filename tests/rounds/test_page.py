"""The Rounds page: draft, checklist, launch and close with a confirmation, and nothing of the answers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlmodel import select

from engagement import clock
from engagement.access import Actor, Role
from engagement.config import Config
from engagement.models import Body, Round, Spell
from engagement.rounds import autopilot
from engagement.rounds import verbs as rounds
from engagement.words import words_of
from engagement.worker import Worker
from tests import support

PAGE = Path(__file__).parents[2] / "pages" / "rounds.py"


@pytest.fixture
def open_page(database, monkeypatch):
    """Open the page without a browser, as somebody with a role in a body."""
    from streamlit.testing.v1 import AppTest

    from engagement.ui import frame_tools

    body_id = support.small_body(database)

    def opened(role: Role = Role.LEAD):
        actor = Actor("Somebody", frozenset({(body_id, role)}), bodies=(body_id,))

        def current():
            with database.reading() as session:
                body = session.get(Body, body_id)
            return SimpleNamespace(
                database=database, actor=actor, body=body, words=words_of(body.words), config=Config.load()
            )

        monkeypatch.setattr(frame_tools, "current", current)
        return AppTest.from_file(str(PAGE), default_timeout=30).run()

    opened.body_id = body_id
    return opened


def words(at) -> str:
    """Everything that the page says in plain text and notes."""
    return "\n".join(e.value for kind in (at.text, at.markdown, at.success, at.error, at.info) for e in kind)


def button(at, label: str):
    """The button of that label."""
    return next(b for b in at.button if b.label == label)


def drafted(open_page):
    """The page after a draft was saved."""
    at = open_page()
    at.text_input[0].set_value("Autumn *2026*")
    return button(at, "Draft this round").click().run()


def test_a_draft_shows_what_stands_before_its_launch(open_page, database):
    """Saving the form makes a draft, and the page lists the findings; its title is shown as it was typed."""
    at = drafted(open_page)
    assert not at.exception
    assert "60 people at 12 practices will be invited." in words(at)
    assert "Can the gap be published" in words(at)
    with database.reading() as session:
        assert session.exec(select(Round)).one().title == "Autumn *2026*"
    assert any("\\*2026\\*" in heading.value for heading in at.subheader)


def test_a_launch_is_confirmed_first(open_page, database, config):
    """One press asks, the second launches; giving up leaves the draft as it was."""
    at = drafted(open_page)
    button(at, "Launch the round").click().run()
    assert "None of it can be changed afterwards." in words(at)
    button(at, "Cancel").click().run()
    with database.reading() as session:
        assert session.exec(select(Round)).one().state == "draft"
    button(at, "Launch the round").click().run()
    button(at, "Launch now").click().run()
    assert "being opened" in words(at)
    Worker(database, support.keys_of(config)).run_once()
    at = open_page()
    assert "Nobody sees results, or counts by group, while a round is open." in words(at)


def test_findings_that_stop_hide_the_launch(open_page, database):
    """Without anybody on the roster there is nothing to press but saving and deleting."""
    with database.session() as session:
        for spell in session.exec(select(Spell)):
            spell.ends = clock.today()
            session.add(spell)
    at = drafted(open_page)
    assert "Must be put right" in words(at)
    assert "Launch the round" not in [b.label for b in at.button]


def test_a_time_that_the_clocks_skip_is_refused(open_page, monkeypatch):
    """A closing time that does not exist is told in words and nothing typed is lost."""
    import datetime as dt

    at = open_page()
    at.text_input[0].set_value("Spring")
    at.date_input[1].set_value(dt.date(2027, 3, 28))
    at.time_input[1].set_value(dt.time(1, 30))
    button(at, "Draft this round").click().run()
    assert "does not exist" in words(at)
    assert at.text_input[0].value == "Spring"


def test_closing_is_confirmed_and_followed(open_page, database, config):
    """Closing asks first; afterwards the round is listed as being checked, then as published."""
    keys = support.keys_of(config)
    round_id = support.launch(database, keys, open_page.body_id)
    for door in support.doors(database, keys, round_id)[:22]:
        support.answer(database, door, support.sheet())
    at = open_page()
    assert "About 35% of 60 invited" in words(at)
    button(at, "Close the round now").click().run()
    button(at, "Close it now").click().run()
    assert "being checked" in words(at)
    Worker(database, keys).run_once()
    assert not open_page().exception
    with database.reading() as session:
        assert session.get(Round, round_id).state == "released"


@pytest.mark.parametrize("role", [Role.GOVERNING, Role.COUNCIL])
def test_readers_are_turned_away(open_page, role):
    """Whoever is not the engagement lead is told who is, and sees no round."""
    at = open_page(role)
    assert at.exception or "Only the engagement lead" in words(at)
    assert not at.button and not at.text_input


def test_an_open_round_is_watched_and_changed(open_page, database, config):
    """The lead reads what comes next, moves the close, pauses, resumes and cancels, each told back in words; a close that
    is not later and a cancellation without a reason are refused with what to do."""
    round_id = support.launch(database, support.keys_of(config), open_page.body_id)
    at = open_page()
    said = words(at)
    assert "60 people" in said or "60 invited" in said
    assert "Invitations leave" in said and "The round closes." in said and "None has left yet." in said
    button(at, "Close later").click().run()
    at.date_input[0].set_value(clock.today())
    button(at, "Move the closing time").click().run()
    assert "A round can only close later." in words(at)
    at.date_input[0].set_value(clock.today() + clock.days(20))
    at.text_area[0].set_value("Holidays ![x](http://x.example)")
    button(at, "Move the closing time").click().run()
    assert "The round now closes on" in words(at) and "Holidays ![x](http://x.example)" in words(at)
    button(at, "Pause messages").click().run()
    button(at, "Pause them now").click().run()
    assert "no message of this round leaves" in at.warning[0].value and "Invitations leave" not in words(at)
    assert "Close later" not in [b.label for b in at.button]
    button(at, "Resume messages").click().run()
    button(at, "Cancel the round").click().run()
    assert "destroyed unopened" in words(at)
    button(at, "Cancel it and destroy the answers").click().run()
    assert "Say why the round is cancelled" in words(at)
    at.text_area[0].set_value("The wrong list")
    button(at, "Cancel it and destroy the answers").click().run()
    assert not at.exception and "Its answers are destroyed unopened" in words(at)
    with database.reading() as session:
        assert session.get(Round, round_id).state == "cancelled"


@pytest.mark.parametrize(
    ("state", "trouble", "operator"),
    [
        ("draft", "It waits for approval on the Programme page.", False),
        ("draft", autopilot.UNEXPECTED, True),
        ("launching", "The key could not be made.", True),
    ],
)
def test_trouble_names_who_can_do_something(open_page, database, state, trouble, operator):
    """A draft that waits is the lead's to see to, in its own words; the operator is named where only they can help."""
    drafted(open_page)
    with database.session() as session:
        round_ = session.exec(select(Round)).one()
        if state == "launching":
            rounds.launch(session, support.OPERATOR, round_.id)
        round_.trouble = trouble
    at = open_page()
    said = "\n".join(e.value for kind in (at.error, at.warning) for e in kind)
    assert not at.exception and said.replace("\\", "").count(trouble) == 1
    assert ("needs the operator" in said) is operator and ("should be open" in said) is not operator
