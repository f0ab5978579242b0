"""The second factor on its pages: before anything else for whoever needs it, and never around it."""

from __future__ import annotations

import re
from datetime import timedelta

import pyotp
import pytest
from sqlmodel import select

from engagement import clock
from engagement.access import sessions, totp
from engagement.models import SecondFactor, StaffSession
from engagement.web.door import CODE_DAY, device_of

PASSWORD = "correct horse battery"
US = {"origin": "http://localhost:8501"}
PAGE, CODE = "/sign-in/second-factor", "/sign-in/code"


class Hands:
    """The clock in the test's hands, and the phone that goes by it."""

    def __init__(self):
        self.at = clock.now()
        self.secret = ""

    def code(self) -> str:
        """A code that was not used before."""
        self.at += timedelta(seconds=90)
        return pyotp.TOTP(self.secret).at(self.at)


@pytest.fixture
def phone(monkeypatch) -> Hands:
    """A phone, and a clock that stands still between codes."""
    hands = Hands()
    monkeypatch.setattr(clock, "now", lambda: hands.at)
    return hands


def sign_in(client, **more):
    """Post the right password of alice."""
    form = {"email": "alice@example.org", "password": PASSWORD, **more}
    return client.post("/sign-in", data=form, headers=US)


def read(client, phone, address: str = PAGE, **form):
    """Read secret and ticket off a set-up page."""
    page = client.post(address, data=form, headers=US).text if form else client.get(address).text
    phone.secret = re.search(r'Type this key.*?class="code">([A-Z2-7 ]+)<', page, re.DOTALL).group(1)
    phone.secret = phone.secret.replace(" ", "")
    return re.search(r'name="ticket" value="([^"]+)"', page).group(1)


def set_up(client, phone, address: str = PAGE):
    """Set the second factor up and return the page with the recovery codes."""
    form = {"action": "confirm", "ticket": read(client, phone, address), "code": phone.code()}
    return client.post(address, data=form, headers=US)


def is_in(client, database) -> bool:
    """Whether the client's cookie is worth anything to pages and verbs."""
    with database.reading() as session:
        return sessions.who(session, dict(client.cookies), secure=False) is not None


def test_a_lead_sets_it_up_before_anything_else(client, lead, database, phone):
    """The password leads to the set-up and nowhere else; a code opens the rest, under another cookie, with ten codes once."""
    assert sign_in(client, next="/gap").headers["location"] == f"{PAGE}?next=%2Fgap"
    halfway = client.cookies["sid"]
    assert not is_in(client, database)
    assert client.get("/sign-in", params={"next": "/gap"}).headers["location"] == f"{PAGE}?next=%2Fgap"
    assert client.get("/password").headers["location"] == "/sign-in"
    assert client.get("/export/release/1.json").status_code in (303, 401)
    shown = client.get(PAGE)
    assert (
        "<svg" in shown.text and "style=" not in shown.text and shown.headers["cache-control"] == "no-store"
    )
    page = set_up(client, phone, f"{PAGE}?next=%2Fgap")
    codes = re.findall(r"<li>([a-z2-7]{4}(?:-[a-z2-7]{4}){3})</li>", page.text)
    assert page.status_code == 200 and len(codes) == 10 and 'href="/gap"' in page.text
    assert is_in(client, database) and client.cookies["sid"] != halfway
    with database.reading() as session:
        assert {row.cookie_hash: row.ended for row in session.exec(select(StaffSession))}[
            sessions.audit.sha256(halfway)
        ]
    assert codes[0] not in client.get(PAGE).text


def test_the_next_sign_in_asks_for_a_code(site, lead, database, phone):
    """Password, then code, or a recovery code once; the password alone stays worth nothing."""
    first = site()
    sign_in(first)
    codes = re.findall(r"<li>([a-z2-7-]{19})</li>", set_up(first, phone).text)
    for code in (phone.code(), codes[0]):
        client = site()
        assert sign_in(client, next="/gap").headers["location"] == f"{CODE}?next=%2Fgap"
        wrong = client.post(CODE, data={"code": "000000"}, headers=US)
        assert wrong.status_code == 422 and "The code is not right" in wrong.text
        assert not is_in(client, database) and client.get(PAGE).status_code == 200
        assert "<svg" not in client.get(PAGE).text
        reply = client.post(f"{CODE}?next=%2Fgap", data={"code": code}, headers=US)
        assert reply.status_code == 303 and reply.headers["location"] == "/gap"
        assert is_in(client, database)
        replay = site()
        sign_in(replay)
        assert replay.post(CODE, data={"code": code}, headers=US).status_code == 422


def test_guessing_codes_is_stopped_over_restarts(site, lead, database, phone):
    """Five wrong codes in 15 minutes, in whatever browser or process, and even the right one waits."""
    set_up_in = site()
    sign_in(set_up_in)
    set_up(set_up_in, phone)
    statuses = []
    for _ in range(3):
        client = site()
        sign_in(client)
        statuses += [client.post(CODE, data={"code": "000000"}, headers=US).status_code for _ in range(2)]
    assert statuses == [422] * 5 + [429]
    assert client.post(CODE, data={"code": phone.code()}, headers=US).status_code == 429
    phone.at += timedelta(minutes=15)
    sign_in(client)
    assert client.post(CODE, data={"code": phone.code()}, headers=US).status_code == 303
    assert CODE_DAY.most == 20 and CODE_DAY.window == timedelta(days=1)


def test_halfway_ends_after_ten_minutes(client, lead, phone):
    """A password that was given ten minutes ago must be given again."""
    sign_in(client)
    ticket = read(client, phone)
    phone.at += timedelta(minutes=10)
    reply = client.post(PAGE, data={"action": "confirm", "ticket": ticket, "code": phone.code()}, headers=US)
    assert reply.status_code == 303 and reply.headers["location"] == "/sign-in"


def test_a_wrong_code_keeps_the_picture(client, lead, phone, database):
    """Who mistypes while setting up need not scan again, and nothing is stored."""
    sign_in(client)
    ticket = read(client, phone)
    page = client.post(PAGE, data={"action": "confirm", "ticket": ticket, "code": "000000"}, headers=US)
    assert page.status_code == 422 and f'value="{ticket}"' in page.text and page.text.startswith("<!DOCTYPE")
    assert "<title>Error: " in page.text
    with database.reading() as session:
        assert not session.exec(select(SecondFactor)).all()
    done = client.post(PAGE, data={"action": "confirm", "ticket": ticket, "code": phone.code()}, headers=US)
    assert "Your recovery codes" in done.text


def test_moving_to_another_phone(client, lead, phone, database):
    """It takes a code of the old phone; until the new one shows its own, the old one works, and then no more."""
    sign_in(client)
    set_up(client, phone)
    old = phone.secret
    refused = client.post(PAGE, data={"action": "move", "code": "000000"}, headers=US)
    assert refused.status_code == 422 and "<svg" not in refused.text
    ticket = read(client, phone, action="move", code=phone.code())
    new, phone.secret = phone.secret, old
    assert client.post(PAGE, data={"action": "codes", "code": phone.code()}, headers=US).status_code == 200
    phone.secret = new
    form = {"action": "confirm", "ticket": ticket, "code": phone.code()}
    assert "Your recovery codes" in client.post(PAGE, data=form, headers=US).text
    phone.secret = old
    assert client.post(PAGE, data={"action": "codes", "code": phone.code()}, headers=US).status_code == 422


def test_only_who_need_not_have_one_removes_it(site, lead, demo, database, phone):
    """A lead is not offered to remove it and cannot; a demo account, which all share, has none."""
    client = site()
    sign_in(client)
    set_up(client, phone)
    assert 'value="remove"' not in client.get(PAGE).text
    page = client.post(PAGE, data={"action": "remove", "code": phone.code()}, headers=US)
    assert page.status_code == 422
    with database.reading() as session:
        assert totp.is_set_up(session, lead)
    shared = site()
    shared.post("/sign-in/demo", data={"account": str(next(iter(demo.values())))}, headers=US)
    assert is_in(shared, database)
    assert "This is a demo account" in shared.get(PAGE).text
    assert "demo" in shared.post(PAGE, data={"action": "confirm"}, headers=US).text


def test_whoever_wants_one_sets_it_up_freely(site, alice, database, phone):
    """Somebody who needs none sets one up while signed in, stays in, and can remove it against a code."""
    client, other = site(), site()
    assert sign_in(client).headers["location"] == sign_in(other).headers["location"] == "/"
    assert "Your recovery codes" in set_up(client, phone).text
    assert is_in(client, database) and not is_in(other, database)
    assert 'value="remove"' in client.get(PAGE).text
    reply = client.post(PAGE, data={"action": "remove", "code": phone.code()}, headers=US)
    assert reply.headers["location"] == "/account"
    assert sign_in(site()).headers["location"] == "/"


def test_a_lost_key_is_told(site, config, lead, phone):
    """With another key than the secrets were sealed with, the page says what the operator can do, and lets nobody in."""
    client = site()
    sign_in(client)
    set_up(client, phone)
    (config.app_keys / "second-factor.key").unlink()
    client = site()
    sign_in(client)
    page = client.post(CODE, data={"code": phone.code()}, headers=US)
    assert page.status_code == 503 and "Restore the folder app-keys" in page.text


@pytest.mark.parametrize("path", [CODE, PAGE])
def test_strangers_are_sent_to_sign_in(client, lead, path):
    """Without a password given there is nothing here, and posts must come from our own pages."""
    assert client.get(path).headers["location"] == "/sign-in"
    assert client.post(path, data={}, headers=US).headers["location"] == "/sign-in"
    assert client.post(path, data={}, headers={"origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("curl/8", ""),
        (None, ""),
        ("<script>" * 1000, ""),
    ],
    ids=lambda value: str(value)[-20:],
)  # fmt: skip
def test_a_browser_is_named_in_few_words(agent, words):
    """What a browser says of itself becomes one of a few names, and nothing else of it is kept."""
    assert device_of(agent) == words
