"""The frame: who is let in, what the menu holds, and how it says that something is wrong."""

from __future__ import annotations

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from engagement import clock
from engagement.access import sessions
from engagement.access.actor import Actor, Role
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.models import Account, Body, StaffSession
from engagement.releases import read
from engagement.ui import frame_tools


def test_a_stranger_sees_only_the_way_to_sign_in(released, frame, said):
    """Nobody signed in: a plain page with a link, no menu, and nothing of any body."""
    app = frame(None).run()
    assert not app.exception
    assert [title.value for title in app.title] == ["You are signed out"]
    assert "](/sign-in)" in app.markdown[0].value
    assert "Vale" not in said(app) and not app.button and not app.sidebar.text


def test_the_lead_sees_the_body_the_person_and_the_demo_banner(released, frame, said):
    """The frame says which body, who, as what, and that a demo is a demo; typed names carry no Markdown."""
    app = frame(released.lead).run()
    assert not app.exception
    assert "Alice Moore\nEngagement lead" in app.sidebar.text[0].value
    assert app.sidebar.markdown[0].value == "**Example \\*Vale\\* CCG**"
    assert "This is a demo: invented practices and people." in app.info[0].value


def test_a_body_that_is_not_a_demo_has_no_banner(database, released, frame):
    """The banner belongs to demo bodies."""
    with database.session() as session:
        body = session.get(Body, released.body_id)
        body.is_demo = False
        session.add(body)
    app = frame(released.lead).run()
    assert not app.exception and not app.info


def test_the_running_pages_are_for_the_lead(released, frame):
    """A council representative reaches the results; the pages that run things are not in the menu to be reached."""
    app = frame(released.council).run()
    app.switch_page(str(frame_tools.PAGES / "practices.py")).run()
    assert not app.exception and app.title[0].value == "Practices"
    with pytest.raises(ValueError):
        app.switch_page(str(frame_tools.PAGES / "people.py"))


def test_a_person_of_another_body_gets_a_calm_refusal(released, frame, said):
    """Somebody without a role in the body is told that there is no such page, and sees no figure."""
    app = frame(released.stranger).run()
    assert not app.exception
    assert app.subheader[0].value == "This is not here"
    assert "%" not in said(app)


def test_an_account_without_a_role_is_told_whom_to_ask(stored, frame):
    """An account with no body stops at a page that says what to do."""
    app = frame(Actor("Dana", account_id=stored.account_id)).run()
    assert not app.exception and app.title[0].value == "You have no role yet"
    assert "Ask your engagement lead" in app.text[0].value


def test_a_password_of_somebody_elses_making_comes_first(database, released, frame, said):
    """While the password is one that somebody else made nothing of the body is shown."""
    with database.session() as session:
        account = session.get(Account, released.account_id)
        account.must_change = True
        session.add(account)
    app = frame(released.lead).run()
    assert app.title[0].value == "Choose your own password first"
    assert "](/password)" in app.markdown[0].value and "Vale" not in said(app)


def test_somebody_in_two_bodies_chooses_one(database, released, frame):
    """The chooser lists the person's bodies as they are named, and the pages follow the choice."""
    with database.session() as session:
        other = Body(code="OTHER", name="Other *Body*", created_at=clock.now())
        session.add(other)
    both = Actor(
        "Alice Moore",
        frozenset({(released.body_id, Role.LEAD), (other.id, Role.COUNCIL)}),
        released.account_id,
        bodies=(released.body_id, other.id),
    )
    app = frame(both).run()
    chooser = app.sidebar.selectbox[0]
    assert chooser.options == ["Example *Vale* CCG", "Other *Body*"]
    chooser.select(other.id).run()
    assert not app.exception
    assert "Council representative" in app.sidebar.text[0].value
    assert app.header[0].value == "No results yet"


def test_sign_out_ends_the_session_and_the_next_rerun_of_any_tab(database, stored, monkeypatch, config):
    """The button ends the row behind the cookie, so that another tab with the same cookie is out too."""
    with database.session() as session:
        cookie = sessions.sign_in(session, session.get(Account, stored.account_id), assured=True)
    monkeypatch.setattr(frame_tools, "cookies", lambda config: {sessions.cookie_name(config.secure): cookie})
    script = str(frame_tools.PAGES.parent / "engagement" / "ui" / "frame.py")
    first, second = (AppTest.from_file(script, default_timeout=60).run() for _ in range(2))
    assert first.title[0].value == second.title[0].value == "Overview"
    first.sidebar.button(key="frame_sign_out").click().run()
    assert first.title[0].value == "You are signed out"
    assert second.run().title[0].value == "You are signed out"
    with database.reading() as session:
        assert [row.ended for row in session.exec(select(StaffSession))] == [True]


def test_using_the_app_keeps_the_session_alive(database, stored, monkeypatch, config):
    """A rerun after a while notes that the session is in use, and one after too long finds it over."""
    with database.session() as session:
        cookie = sessions.sign_in(session, session.get(Account, stored.account_id), assured=True)
    monkeypatch.setattr(frame_tools, "cookies", lambda config: {sessions.cookie_name(config.secure): cookie})
    start = clock.now()
    app = AppTest.from_file(
        str(frame_tools.PAGES.parent / "engagement" / "ui" / "frame.py"), default_timeout=60
    )
    for minutes, title in ((20, "Overview"), (40, "Overview"), (75, "You are signed out")):
        monkeypatch.setattr(clock, "now", lambda minutes=minutes: start + clock.days(minutes / 1440))
        assert app.run().title[0].value == title


@pytest.mark.parametrize(
    ("error", "heading"),
    [
        (NotAllowed("Only the engagement lead can do this."), "You do not have access to this"),
        (NotFound("There is no such round."), "This is not here"),
        (Conflict("The round has closed since."), "This has changed in the meantime"),
        (Invalid("Check the dates", ["The first date is *after* the last"]), "There is a problem"),
    ],
)
def test_expected_errors_become_calm_messages(released, frame, monkeypatch, error, heading):
    """An error of a verb is shown by its kind and in its own words, as plain text, without a traceback."""

    def fail(*_):
        raise error

    monkeypatch.setattr(read, "status", fail)
    app = frame(released.lead).run()
    assert not app.exception
    assert app.subheader[0].value == heading
    texts = [text.value for text in app.main.text]
    assert str(error) in texts
    assert [f"• {problem}" for problem in getattr(error, "problems", [])] == texts[1:]


def test_unexpected_errors_are_logged_and_told_without_detail(released, frame, monkeypatch, caplog):
    """A fault of ours reaches the log whole and the reader as a calm sentence that quotes nothing of it."""

    def fail(*_):
        raise ZeroDivisionError("Dr Secret")

    monkeypatch.setattr(read, "status", fail)
    at = frame(released.lead).run()
    assert any("Something went wrong" in heading.value for heading in at.subheader)
    assert "Secret" not in str([element.value for element in at.text])
    assert "Dr Secret" in caplog.text
