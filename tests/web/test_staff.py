"""Signing in and out: one reply for every failure, only from our own pages, and one cookie that says nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sqlalchemy import event
from sqlmodel import select

from engagement.access import Actor, Role, accounts, sessions
from engagement.models import Account, AccountRole, StaffSession
from engagement.web.staff import safe_next

PASSWORD = "correct horse battery"
US = {"origin": "http://localhost:8501"}


def sign_in(client, email="alice@example.org", password=PASSWORD, headers=US, **more):
    """Post the sign-in form."""
    return client.post("/sign-in", data={"email": email, "password": password, **more}, headers=headers)


def test_the_right_password_starts_a_session(client, alice, database):
    """Signing in sets the one cookie, HttpOnly and Lax on every path for eight hours, and goes to the first page."""
    reply = sign_in(client, email=" ALICE@example.org")
    assert reply.status_code == 303 and reply.headers["location"] == "/"
    cookie = reply.headers["set-cookie"].lower()
    for part in ("sid=", "httponly", "samesite=lax", "path=/", "max-age=28800"):
        assert part in cookie
    assert "; secure" not in cookie and "domain" not in cookie
    with database.reading() as session:
        assert sessions.who(session, dict(client.cookies), secure=False).account_id == alice


def test_on_https_the_cookie_is_bound_to_the_host(site, config, alice):
    """Where the public address is https, the cookie is Secure and carries the __Host- prefix."""
    secure = replace(config, public_url="https://ccg.example.org")
    client = site(base_url="https://ccg.example.org", settings=secure)
    cookie = sign_in(client, headers={"origin": "https://ccg.example.org"}).headers["set-cookie"]
    assert cookie.startswith("__Host-sid=") and "Secure" in cookie and "Path=/" in cookie
    assert "max-age=31536000" in client.get("/sign-in").headers["strict-transport-security"]


def test_every_failure_reads_the_same(client, alice, database):
    """A wrong password, an unknown address and a disabled account get the same page, after the same statements."""
    done: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *about: done.append(about[2]))
    sign_in(client, password="the first of all")
    pages, work = [], set()

    def fail(**form) -> None:
        done.clear()
        pages.append(sign_in(client, **form))
        work.add(tuple(done))

    fail(password="wrong horse battery")
    fail(email="nobody@example.org")
    with database.session() as session:
        account = session.get(Account, alice)
        account.disabled = True
        session.add(account)
    fail()
    said = {re.sub(r'value="[^"]*@[^"]*"', "", page.text) for page in pages}
    assert len(said) == 1 and {page.status_code for page in pages} == {422}
    assert len(work) == 1 and len(done) > 3
    assert "The e-mail address or the password is not right" in said.pop()
    assert all("set-cookie" not in page.headers for page in pages)


def test_an_error_keeps_the_address_and_never_the_password(client, alice):
    """After a failure the address is still in the form, the password nowhere."""
    page = sign_in(client, email='a"><b@example.org', password="hunter2 hunter2").text
    assert 'value="a&#34;&gt;&lt;b@example.org"' in page and "hunter2" not in page


def test_guessing_passwords_is_slowed_down(site, alice):
    """After eight failures for an address even the right password waits, for an unknown address and in a new process too."""
    for email in ("alice@example.org", "nobody@example.org"):
        client = site()
        statuses = [sign_in(client, email=email, password="x" * 12).status_code for _ in range(9)]
        assert statuses == [422] * 8 + [429]
        waiting = sign_in(site(), email=email)
        assert waiting.status_code == 429 and "Wait 15 minutes" in waiting.text


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"origin": "http://localhost:8501"}, True),
        ({"origin": "http://localhost:8501", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://localhost:9999"}, False),
        ({"origin": "http://127.0.0.1:8501"}, False),
        ({"origin": "http://localhost:8501.evil.example"}, False),
        ({"origin": "http://localhost:8501@evil.example"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://localhost:8501", "sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "none"}, False),
    ],
)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/password", "/sign-in/demo"])
def test_posts_must_come_from_our_own_pages(client, alice, path, headers, passes):
    """Every POST that reads or sets the cookie is refused unless a page of ours sent it."""
    refused = client.post(path, data={}, headers=headers).status_code == 403 and path != "/sign-in/demo"
    if path == "/sign-in/demo":
        page = client.post(path, data={}, headers=headers)
        assert page.status_code == 403
        assert ("did not come from our page" in page.text) is not passes
    else:
        assert refused is not passes


def test_signing_out_ends_the_session_everywhere(client, alice, database, site):
    """The page has a button, the button ends the session, and another tab with the same cookie is out too."""
    sign_in(client)
    other = site(cookies=dict(client.cookies))
    assert client.get("/sign-out").status_code == 200
    with database.reading() as session:
        assert sessions.who(session, dict(other.cookies), secure=False)
    reply = client.post("/sign-out", headers=US)
    assert reply.headers["location"] == "/sign-in" and 'sid=""' in reply.headers["set-cookie"]
    with database.reading() as session:
        assert sessions.who(session, dict(other.cookies), secure=False) is None
    assert other.get("/password").headers["location"] == "/sign-in"


def test_a_planted_session_ends_when_its_owner_signs_in(client, alice, database):
    """Signing in with a session already there ends that one and makes another."""
    sign_in(client)
    before = client.cookies["sid"]
    sign_in(client)
    assert client.cookies["sid"] != before
    with database.reading() as session:
        assert sorted(row.ended for row in session.exec(select(StaffSession))) == [False, True]


def test_a_password_that_somebody_else_made_must_be_changed(client, alice, database):
    """After a reset, signing in leads to the password page, and on only from there."""
    with database.session() as session:
        body_id = session.exec(select(AccountRole.body_id)).first()
        made = accounts.reset_password(session, Actor.operator(), body_id, alice)
    assert sign_in(client, password=made, next="/gap").headers["location"] == "/password"
    assert client.get("/sign-in").headers["location"] == "/password"
    assert client.get("/export/release/1.json").headers["location"] == "/password"
    assert "Somebody else made your password" in client.get("/password").text
    short = client.post("/password", data={"old": made, "new": "short"}, headers=US)
    assert short.status_code == 422 and "at least 12 characters" in short.text
    wrong = client.post("/password", data={"old": "x", "new": "long enough for this"}, headers=US)
    assert wrong.status_code == 422 and "The current password is not right" in wrong.text
    done = client.post("/password", data={"old": made, "new": "long enough for this"}, headers=US)
    assert done.status_code == 303 and done.headers["location"] == "/"
    assert client.get("/sign-in").headers["location"] == "/"


def test_a_new_password_signs_other_browsers_out(site, alice):
    """Whoever was signed in elsewhere with the old password is out at once; the browser at hand stays in."""
    here, elsewhere = site(), site()
    sign_in(here), sign_in(elsewhere)
    here.post("/password", data={"old": PASSWORD, "new": "long enough for this"}, headers=US)
    assert here.get("/sign-in").headers["location"] == "/"
    assert elsewhere.get("/sign-in").status_code == 200


def test_strangers_cannot_reach_the_password_page(client, alice):
    """Without a session the password page leads to sign-in, whether read or posted."""
    assert client.get("/password").headers["location"] == "/sign-in"
    assert client.post("/password", data={}, headers=US).headers["location"] == "/sign-in"


def test_the_demo_offers_its_accounts_without_a_password(client, demo, alice):
    """A demo shows its banner and a button for each account, in the order of the roles; real accounts have none."""
    page = client.get("/sign-in").text
    assert "This is a demo" in page
    offered = re.findall(r'name="account" value="(\d+)"', page)
    assert offered == [str(demo[role]) for role in Role] and str(alice) not in offered
    assert "&lt;b&gt;council&lt;/b&gt;" in page
    reply = client.post("/sign-in/demo", data={"account": offered[1]}, headers=US)
    assert reply.status_code == 303 and reply.headers["location"] == "/"


def test_without_a_demo_there_is_no_button(client, alice):
    """A real installation shows no way in but the password."""
    page = client.get("/sign-in").text
    assert "demo" not in page


@pytest.mark.parametrize("account", ["real", "999", "", "x", "1 OR 1=1"])
def test_only_demo_accounts_go_without_a_password(client, demo, alice, account):
    """A real account, an unknown one and nonsense are refused, and no session starts."""
    number = str(alice) if account == "real" else account
    reply = client.post("/sign-in/demo", data={"account": number}, headers=US)
    assert reply.status_code == 403 and "set-cookie" not in reply.headers


def test_a_disabled_demo_account_is_not_offered(client, demo, database):
    """A demo account that was disabled has no button and no way in."""
    number = demo[Role.COUNCIL]
    with database.session() as session:
        account = session.get(Account, number)
        account.disabled = True
        session.add(account)
    assert f'value="{number}"' not in client.get("/sign-in").text
    assert client.post("/sign-in/demo", data={"account": str(number)}, headers=US).status_code == 403


@pytest.mark.parametrize(
    ("wanted", "goes"),
    [
        ("/gap?item=owned", "/gap?item=owned"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\r\nset-cookie: x", "/"),
        ("", "/"),
    ],
)
def test_after_signing_in_people_land_on_our_own_pages(client, alice, wanted, goes):
    """A deep link is kept through sign-in; an address elsewhere is not."""
    assert safe_next(wanted) == goes
    assert sign_in(client, next=wanted).headers["location"] == goes


def test_a_huge_sign_in_is_refused(client, alice):
    """The limit on bodies holds for the staff's forms too."""
    assert sign_in(client, password="x" * 70_000).status_code == 413
