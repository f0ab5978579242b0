"""The Programme page: set up once, the next rounds in words, moving, approving, pausing, and nothing to read for others."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlmodel import select

from engagement import clock
from engagement.access import Actor, Role
from engagement.intake.keys import Keys
from engagement.models import Body, Programme, Round
from engagement.rounds import programme, verbs
from engagement.words import words_of
from engagement.worker import Worker
from tests import support

PAGE = Path(__file__).parents[2] / "pages" / "programme.py"
NOW = dt.datetime(2026, 7, 1, 9, tzinfo=dt.UTC)


@pytest.fixture
def world(database, config, monkeypatch):
    """Opens the page without a browser, as somebody with a role in a small body, on 1 July 2026 or another day."""
    from streamlit.testing.v1 import AppTest

    from engagement.ui import frame_tools

    here = SimpleNamespace(now=NOW, body_id=support.small_body(database, practices=3, leaders=4))
    monkeypatch.setattr(clock, "now", lambda: here.now)
    worker = Worker(database, Keys(config.keys))

    def opened(role: Role = Role.LEAD):
        actor = Actor("Somebody", frozenset({(here.body_id, role)}), bodies=(here.body_id,))

        def current():
            with database.reading() as session:
                body = session.get(Body, here.body_id)
            return SimpleNamespace(database=database, actor=actor, body=body, words=words_of(body.words))

        monkeypatch.setattr(frame_tools, "current", current)
        return AppTest.from_file(str(PAGE), default_timeout=30).run()

    def on(at: dt.datetime):
        """Let the worker do what is due at an instant, and open the page then."""
        here.now = at
        worker.run_once()
        return opened()

    here.opened, here.on, here.database = opened, on, database
    return here


def words(at) -> str:
    """Everything that the page says in plain text and notes."""
    kinds = (at.title, at.header, at.subheader, at.text, at.markdown, at.success, at.error, at.warning)
    return "\n".join(element.value for kind in kinds for element in kind)


def press(at, label: str):
    """Press the first button of that label."""
    return next(button for button in at.button if button.label == label).click().run()


def set_up(world, **changed):
    """A programme from 31 August 2026, every six months."""
    with world.database.session() as session:
        chosen = {"every": 6, "first": dt.date(2026, 8, 31), "by": "day", "days": 28}
        chosen |= {"opens": dt.time(9), "closes": dt.time(17)}
        programme.save(session, support.OPERATOR, world.body_id, **chosen | changed)


def test_set_up_once_and_read_the_next_four(world):
    """A body without a programme is told what one does; saving the form shows the rule in a sentence and the next four
    rounds with their dates in words and why one was shifted."""
    at = world.opened()
    assert not at.exception
    assert "No programme is set up yet. Set it up once" in words(at)
    at.date_input[0].set_value(dt.date(2026, 8, 31))
    at = press(at, "Save the programme")
    said = words(at)
    assert "Every 6 months on the 31st or the month's last day, open for 28 days, from 9am to 5pm." in said
    assert "Opens 1 September 2026, closes 29 September 2026" in said
    assert "Opening moved from Monday 31 August 2026: a bank holiday." in said
    assert "Opens 29 February 2028, closes 28 March 2028" in said and "Round 4" in said
    assert "Reminders to those who have not answered: 7 September 2026, 14 September 2026 and" in said
    assert "It is drafted on 18 August 2026." in said
    assert "a group is shown from 10 answers" in said


def test_a_date_is_moved_and_put_back(world):
    """Moving a round says that the others follow; undoing puts it back; a day without work is refused in words."""
    set_up(world)
    at = world.opened()
    at.date_input(key="programme_day_2").set_value(dt.date(2027, 3, 13))
    at = at.button(key="programme_move_2").click().run()
    assert "13 March 2027 is a weekend: choose a working day." in words(at)
    at.date_input(key="programme_day_2").set_value(dt.date(2027, 3, 15))
    at = at.button(key="programme_move_2").click().run()
    assert (
        "Opens 15 March 2027, closes 12 April 2027\nIts date was moved by hand, and the rounds after it follow: they open on the 15th."
        in words(at)
    )
    assert "Opens 15 September 2027" in words(at)
    at = press(at, "Undo the move of round 2")
    assert "Opens 1 March 2027" in words(at) and "moved by hand" not in words(at)


def test_a_draft_is_approved_or_left_out(world):
    """The first round waits for approval, says until when, and launches once approved; the next, left out after a
    question, is listed as left out; what somebody typed as a title is shown as it is."""
    set_up(world)
    at = world.on(dt.datetime(2026, 8, 20, 9, tzinfo=dt.UTC))
    assert "It waits for approval." in words(at)
    assert "Opening moved from Monday 31 August 2026: a bank holiday." in words(at)
    at = world.on(dt.datetime(2026, 9, 1, 9, tzinfo=dt.UTC))
    assert "It waits for approval on the Programme page." in words(at)
    assert "If nothing is done by 15 September 2026 at 1pm, this round is left out." in words(at)
    at = press(at, "Approve round 1")
    at = world.on(dt.datetime(2026, 9, 1, 10, tzinfo=dt.UTC))
    with world.database.session() as session:
        round_ = session.exec(select(Round)).one()
        assert round_.state == "open"
    world.on(round_.closes_at)
    at = world.on(dt.datetime(2027, 2, 20, 9, tzinfo=dt.UTC))
    assert "Drafted as “March 2027”. It launches by itself when its time comes." in words(at)
    with world.database.session() as session:
        draft = session.exec(select(Round).where(Round.state == "draft")).one()
        verbs.edit(
            session,
            support.OPERATOR,
            draft.id,
            title="![x](//h/x)",
            opens_at=draft.opens_at,
            closes_at=draft.closes_at,
            tier=draft.tier,
            threshold=draft.threshold,
        )
    at = world.opened()
    assert "Drafted as “![x](//h/x)”" in "\n".join(text.value for text in at.text)
    at = press(at, "Leave this round out")
    assert "nobody will be asked" in words(at)
    at = press(at, "Leave it out")
    assert "1 March 2027 to 30 March 2027: Left out by Somebody." in words(at)


def test_pause_resume_same_again_and_trouble(world):
    """Pausing asks first and says what it means; what holds the programme up is told; a round like the last is drafted."""
    set_up(world)
    at = press(world.opened(), "Pause the programme")
    at = press(at, "Pause it")
    assert "Paused since 1 July 2026" in words(at)
    at = press(at, "Resume the programme")
    assert "Paused" not in words(at)
    with world.database.session() as session:
        session.exec(select(Programme)).one().trouble = "Round 9 is still a draft."
    at = world.opened()
    assert "The programme is held up" in words(at) and "Round 9 is still a draft." in words(at)
    at = press(at, "Draft it")
    assert "The round is drafted" in words(at)
    at = press(at, "Draft it")
    assert "Round 1 is still a draft." in words(at)


@pytest.mark.parametrize("role", [Role.GOVERNING, Role.COUNCIL])
def test_readers_are_turned_away(world, role):
    """Whoever is not the engagement lead is told who is, and sees no programme."""
    set_up(world)
    at = world.opened(role)
    assert at.exception or "Only the engagement lead" in words(at)
    assert not at.button and not at.text
