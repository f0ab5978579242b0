"""My account: everybody's own sessions, ended one by one, and what their sign-in rests on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from engagement.access import Actor, sessions
from engagement.models import Account, AccountIdentity, Body
from engagement.words import words_of

PAGE = Path(__file__).parents[2] / "pages" / "account.py"
TRAP = "![x](https://evil.example/x.png)"


@pytest.fixture
def open_page(database, config, cast, monkeypatch):
    """Open the page as an account, from the browser with the given cookies."""
    from streamlit.testing.v1 import AppTest

    from engagement.ui import frame_tools

    def opened(account_id: int, cookies: dict[str, str]):
        with database.reading() as session:
            account, body = session.get(Account, account_id), session.get(Body, cast.vale)
        actor = Actor(account.name, account_id=account_id)
        here = SimpleNamespace(
            database=database, actor=actor, body=body, words=words_of(body.words), config=config
        )
        monkeypatch.setattr(frame_tools, "current", lambda: here)
        monkeypatch.setattr(frame_tools, "cookies", lambda _config: cookies)
        return AppTest.from_file(str(PAGE), default_timeout=20).run()

    return opened


def texts(at) -> str:
    return "\n".join(element.value for element in (*at.text, *at.markdown))


@pytest.fixture
def browser(database):
    """Sign an account in from a named browser."""

    def sign_in(account_id: int, device: str, way: str = "password") -> dict[str, str]:
        with database.session() as session:
            account = session.get(Account, account_id)
            return {"sid": sessions.sign_in(session, account, device=device, way=way, assured=True)}

    return sign_in


def test_own_sessions_are_ended_one_by_one(open_page, cast, browser, who):
    """Only one's own are listed; this browser has no button; the one that is pressed ends, and no other."""
    here = browser(cast.council, "Firefox on Windows", "link")
    phone = browser(cast.council, "Safari on iPhone")
    desk = browser(cast.council, "Edge on Windows", "provider")
    browser(cast.lead, "Chrome on Mac")
    at = open_page(cast.council, here)
    assert not at.exception
    said = texts(at)
    assert "Firefox on Windows, this one" in said and "with a link by e-mail" in said
    assert "Chrome on Mac" not in said and said.count("Signed in ") == 3
    assert len(at.button) == 2
    place = [element.value for element in at.text if " on " in element.value and len(element.value) < 40]
    others = [name for name in place if not name.endswith("this one")]
    at.button[others.index("Safari on iPhone")].click().run()
    assert "The session was ended" in texts(at) and "Safari" not in texts(at)
    assert who(phone) is None and who(desk) is not None and who(here) is not None


def test_somebody_elses_session_is_not_ended(database, cast, signed_in, who):
    """Naming another account's session, or none, is refused like one that has ended."""
    theirs = signed_in(cast.lead)
    key = sessions.audit.sha256(theirs["sid"])
    for actor, name in (
        (Actor("Carol", account_id=cast.council), key),
        (Actor("worker"), key),
        (Actor("Carol", account_id=cast.council), "0" * 64),
    ):
        with pytest.raises(sessions.NotFound), database.session() as session:
            sessions.end_own(session, actor, name)
    assert who(theirs) is not None


def test_ended_and_old_sessions_are_not_listed(database, cast, signed_in, time):
    """The list holds what still opens something, and nothing else."""
    actor = Actor("Alice", account_id=cast.lead)
    signed_in(cast.lead)
    time.forward(minutes=31)
    live = signed_in(cast.lead)
    with database.session() as session:
        found = sessions.own(session, actor, live["sid"])
        assert [(one.here, one.way) for one in found] == [(True, "password")]
        sessions.end_own(session, actor, found[0].key)
        session.flush()
        assert sessions.own(session, actor) == []


def test_the_ways_in_are_said(open_page, database, cast, browser):
    """The page says whether there is a second factor and a provider, and a demo account is told that it has neither."""
    at = open_page(cast.council, browser(cast.council, "Firefox on Linux"))
    assert "Second factor: none" in texts(at) and "(/sign-in/second-factor)" in texts(at)
    assert "Connected" not in texts(at)
    with database.session() as session:
        account = session.get(Account, cast.council)
        session.add(
            AccountIdentity(
                issuer="https://x", subject="s", account_id=account.id, bound_at=account.created_at
            )
        )
    assert "Connected with the provider since" in texts(open_page(cast.council, {}))
    with database.session() as session:
        account = session.get(Account, cast.council)
        account.is_demo, account.name = True, TRAP
        session.add(account)
    at = open_page(cast.council, {})
    assert "This is a demo account" in texts(at) and "/password" not in texts(at)
    assert not any(TRAP in element.value for element in (*at.markdown, *at.title, *at.subheader))
