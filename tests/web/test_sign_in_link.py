"""Links to sign in on their pages: one reply for every address, GET shows and POST uses, one browser."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sqlalchemy import event
from sqlmodel import select

from engagement.access import Actor, Role, accounts, sessions
from engagement.config import MailConfig
from engagement.messaging import sign_in_mail
from engagement.models import AccountRole, SignInLink, SignInMail

US = {"origin": "http://localhost:8501"}


class Tray:
    """A way for mail that keeps what it gets."""

    real = True
    names_sender = False

    def __init__(self):
        self.mails = []

    def send(self, mail) -> None:
        self.mails.append(mail)


@pytest.fixture
def carol(database, lead) -> int:
    """Carol, council representative of the body of the lead."""
    with database.session() as session:
        body_id = session.exec(select(AccountRole.body_id).where(AccountRole.account_id == lead)).one()
        account, _ = accounts.create(
            session,
            Actor.operator(),
            body_id,
            email="carol@example.org",
            name="<b>Carol</b>",
            role=Role.COUNCIL,
        )
        return account.id


@pytest.fixture
def mailed(database, config):
    """Let the worker answer, and return the paths of the links that left."""

    def answer() -> list[str]:
        tray = Tray()
        sign_in_mail.answer(database, replace(config, mail=MailConfig(way="files")), tray)
        return [re.search(r"http://\S+?(/sign-in/link/\S+)", mail.words.text).group(1) for mail in tray.mails]

    return answer


def ask(client, email: str = "carol@example.org"):
    """Ask for a link."""
    return client.post("/sign-in/link", data={"email": email}, headers=US)


def is_in(client, database) -> int | None:
    """The account behind the client's cookie."""
    with database.reading() as session:
        actor = sessions.who(session, dict(client.cookies), secure=False)
    return actor.account_id if actor else None


def test_the_whole_way(client, carol, database, mailed):
    """Asked for, mailed, shown by GET, used by POST, once; a password that the lead made is then dead."""
    assert 'href="/sign-in/link"' in client.get("/sign-in").text
    page = ask(client)
    assert page.status_code == 200 and "Look into your mailbox" in page.text
    cookie = page.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("link=", "httponly", "samesite=lax", "max-age=600", "path=/"))
    (path,) = mailed()
    for _ in range(3):
        assert client.head(path).status_code == 200
        shown = client.get(path)
        assert shown.status_code == 200 and "Sign in as &lt;b&gt;Carol&lt;/b&gt;" in shown.text
    assert is_in(client, database) is None
    reply = client.post(path, headers=US)
    assert reply.status_code == 303 and reply.headers["location"] == "/"
    assert is_in(client, database) == carol
    again = client.post(path, headers=US)
    assert again.status_code == 404 and "set-cookie" not in again.headers


def test_a_read_mailbox_is_no_way_in(client, site, carol, database, mailed):
    """In another browser, even one that asked for a link of its own, the link shows and does nothing; the first still can."""
    ask(client)
    (path,) = mailed()
    thief = site()
    ask(thief, "nobody@example.org")
    for other in (thief, site()):
        assert other.get(path).status_code == other.post(path, headers=US).status_code == 404
        assert is_in(other, database) is None
    assert client.post(path, headers={"origin": "https://evil.example"}).status_code == 403
    assert client.post(path, headers=US).status_code == 303


def test_bad_links_all_read_the_same(client, site, carol, mailed):
    """Used, of another browser, invented, and long: the same page, which names no reason of theirs."""
    ask(client)
    (path,) = mailed()
    client.post(path, headers=US)
    pages = [
        client.get(path),
        site().get(path),
        client.get("/sign-in/link/x"),
        client.get(f"/sign-in/link/{'x' * 500}"),
    ]
    assert {page.status_code for page in pages} == {404} and len({page.text for page in pages}) == 1


def test_known_and_unknown_addresses_are_alike(site, carol, database, mailed):
    """The same words and cookie for an address that somebody has and one that nobody has, after the same statements."""
    done: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *about: done.append(about[2]))
    client, seen = site(), set()
    ask(client, "first@example.org")
    for email in ("carol@example.org", "nobody@example.org", "alice@example.org"):
        done.clear()
        reply = ask(client, email)
        seen.add((reply.status_code, reply.text, reply.headers["set-cookie"], tuple(done)))
    assert len(seen) == 1 and len(done) > 3 and seen.pop()[0] == 200
    assert not any("account" in statement for statement in done)
    with database.reading() as session:
        assert len(session.exec(select(SignInMail)).all()) == 4
        assert not session.exec(select(SignInLink)).all()
    assert len(mailed()) == 1


def test_five_an_hour_over_restarts(site, carol, database):
    """The sixth link in an hour is refused for known and unknown addresses alike, in a new process too."""
    for email in ("carol@example.org", "nobody@example.org"):
        pages = [ask(site(), email) for _ in range(6)]
        assert [page.status_code for page in pages] == [200] * 5 + [429]
        assert "At most five links in an hour" in pages[-1].text and "set-cookie" not in pages[-1].headers
    with database.reading() as session:
        assert len(session.exec(select(SignInMail)).all()) == 10


def test_what_is_no_address_is_said(client, carol):
    """A typing error is told, with what was typed kept and escaped."""
    page = ask(client, '<"carol')
    assert page.status_code == 422 and 'value="&lt;&#34;carol"' in page.text
    assert "correct format" in page.text and "<title>Error: " in page.text


def test_without_mail_the_page_says_so(site, config, carol, database):
    """Where no mail leaves, nothing is offered or queued."""
    client = site(settings=replace(config, mail=MailConfig(way="off")))
    assert "/sign-in/link" not in client.get("/sign-in").text
    for page in (client.get("/sign-in/link"), ask(client)):
        assert page.status_code == 404 and "This installation sends no mail" in page.text
    with database.reading() as session:
        assert not session.exec(select(SignInMail)).all()


def test_on_https_the_nonce_is_bound_to_the_host(site, config, carol):
    """Under a public address the cookie that ties the link to the browser is Secure with the __Host- prefix."""
    settings = replace(config, public_url="https://ccg.example.org")
    client = site(base_url="https://ccg.example.org", settings=settings)
    reply = client.post(
        "/sign-in/link", data={"email": "x@example.org"}, headers={"origin": "https://ccg.example.org"}
    )
    assert reply.headers["set-cookie"].startswith("__Host-link=") and "Secure" in reply.headers["set-cookie"]
