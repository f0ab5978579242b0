"""Links that let somebody in once: for whom, in which browser, how long; and invitations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email import message_from_bytes, policy

import pytest
from sqlmodel import select

from engagement.access import Actor, Role, accounts, audit, oidc, sign_in_links
from engagement.access.oidc import Identity
from engagement.config import MailConfig, ProviderConfig
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.messaging import sign_in_mail
from engagement.messaging.transport import Refused, TryLater, mime
from engagement.models import Account, Body, SignInLink, SignInMail

BROWSER, OTHER = "b" * 43, "o" * 43
HIM = Identity("https://id.example.org", "nhs-1")


class Tray:
    """A way for mail that keeps what it gets."""

    real = True
    names_sender = False

    def __init__(self, error: Exception | None = None):
        self.error = error
        self.mails = []

    def send(self, mail) -> None:
        if self.error:
            raise self.error
        self.mails.append(mail)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def settings(config):
    """The settings of an installation that mails and has a provider."""
    return replace(
        config, mail=MailConfig(way="files"), provider=ProviderConfig(HIM.issuer, "x", label="NHSmail")
    )


@pytest.fixture
def asked(database, settings):
    """Ask for a link and let the worker answer; returns what was mailed."""

    def ask(address: str, tray: Tray | None = None) -> list:
        tray = tray or Tray()
        with database.session() as session:
            sign_in_links.ask(session, address, BROWSER)
        assert sign_in_mail.answer(database, settings, tray) == (tray.error is None)
        return tray.mails

    return ask


def token_in(mail) -> str:
    """The token in a mail's text."""
    return mail.words.text.split("/sign-in/", 1)[1].split("/", 1)[1].split()[0]


def used(database, token: str, browser: str | None = BROWSER) -> int | None:
    with database.session() as session:
        account = sign_in_links.use(session, token, browser)
        return account.id if account else None


def test_a_council_representative_gets_a_link_that_works_once(database, cast, asked):
    """The mail holds a link of 256 bits, of which only the hash is stored; it lets its owner in once."""
    mail = asked(" Carol@Example.org ")[0]
    assert mail.to == "carol@example.org" and mail.words.subject == "VALE: your link to sign in"
    parsed = message_from_bytes(mime(mail).as_bytes(), policy=policy.default)
    assert "works once, for 10 minutes" in parsed.get_body(("plain",)).get_content().replace("\n", " ")
    token = token_in(mail)
    assert len(token) == 43
    with database.reading() as session:
        row = session.exec(select(SignInLink)).one()
        assert row.token_hash == audit.sha256(token) and row.browser_hash == audit.sha256(BROWSER)
        assert token not in row.model_dump_json() and BROWSER not in row.model_dump_json()
        assert not session.exec(select(SignInMail)).all()
        assert sign_in_links.look(session, token, BROWSER).id == cast.council
    assert used(database, token) == cast.council
    assert used(database, token) is None


@pytest.mark.parametrize(
    "address",
    ["nobody@example.org", "alice@example.org", "bob@example.org", "off@example.org", "both@example.org"],
)
def test_nobody_else_gets_one(database, cast, asked, address):
    """Unknown addresses, leads, the governing body, disabled accounts and whoever has another role too get no mail."""
    with database.session() as session:
        for name, role in (("off", Role.COUNCIL), ("both", Role.COUNCIL)):
            account, _ = accounts.create(
                session, Actor.operator(), cast.vale, email=f"{name}@example.org", name=name, role=role
            )
            account.disabled = name == "off"
        accounts.create(
            session, Actor.operator(), cast.hill, email="both@example.org", name="both", role=Role.GOVERNING
        )
    assert asked(address) == []
    with database.reading() as session:
        assert not session.exec(select(SignInMail)).all() and not session.exec(select(SignInLink)).all()


def test_a_link_works_in_its_own_browser_for_ten_minutes(database, cast, asked, time):
    """Another browser, no cookie, ten minutes later, a disabled account or another role since: it opens nothing."""
    token = token_in(asked("carol@example.org")[0])
    assert used(database, token, OTHER) is None and used(database, token, None) is None
    assert used(database, "x" * 43) is None
    with database.session() as session:
        accounts.set_roles(session, Actor.operator(), cast.vale, cast.council, {Role.GOVERNING})
    assert used(database, token) is None
    with database.session() as session:
        accounts.set_roles(session, Actor.operator(), cast.vale, cast.council, {Role.COUNCIL})
    time.forward(minutes=9, seconds=59)
    with database.reading() as session:
        assert sign_in_links.look(session, token, BROWSER)
    time.forward(seconds=1)
    assert used(database, token) is None


def test_of_many_presses_one_counts(database, cast, asked):
    """A link pressed in several tabs at once lets in once."""
    token = token_in(asked("carol@example.org")[0])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: used(database, token), range(4)))
    assert sorted(found, key=bool) == [None, None, None, cast.council]


def test_trouble_with_mail(database, cast, settings, asked, time, caplog):
    """A mail that must wait is tried again until nobody waits for it; a refused one is dropped; neither is in the log."""
    assert asked("carol@example.org", Tray(TryLater("busy"))) == []
    tray = Tray()
    assert sign_in_mail.answer(database, settings, tray) == 0
    time.forward(seconds=21)
    assert sign_in_mail.answer(database, settings, tray) == 1
    assert used(database, token_in(tray.mails[0])) == cast.council
    asked("carol@example.org", Tray(TryLater("busy")))
    time.forward(minutes=10)
    tray = Tray()
    assert sign_in_mail.answer(database, settings, tray) == 1 and not tray.mails
    with database.session() as session:
        sign_in_links.ask(session, "carol@example.org", BROWSER)
    assert sign_in_mail.answer(database, settings, Tray(Refused("no such box carol@example.org"))) == 1
    with database.reading() as session:
        assert not session.exec(select(SignInMail)).all()
    assert "carol" not in caplog.text


def test_asking_is_bounded(database, cast, monkeypatch):
    """What is no address is refused, and so is one more than may wait."""
    with pytest.raises(Invalid, match="correct format"), database.session() as session:
        sign_in_links.ask(session, "carol", BROWSER)
    monkeypatch.setattr(sign_in_links, "MOST_WAITING", 1)
    with pytest.raises(Conflict, match="ten minutes"), database.session() as session:
        for _ in range(2):
            sign_in_links.ask(session, "x@example.org", BROWSER)


def test_an_invitation_is_made_by_the_lead_for_a_week(database, cast, actor, time):
    """Its lead makes it, nobody else; a newer one replaces it; after seven days, or once used, it is over."""
    for who, error in ((cast.governing, NotAllowed), (cast.other_lead, NotFound)):
        with pytest.raises(error), database.session() as session:
            sign_in_links.invite(session, actor(who), cast.vale, cast.governing)
    lead = actor(cast.lead)
    with database.session() as session:
        old = sign_in_links.invite(session, lead, cast.vale, cast.governing)
        new = sign_in_links.invite(session, lead, cast.vale, cast.governing)
        assert sign_in_links.invited(session, old) is None
        assert sign_in_links.invited(session, new).id == cast.governing
        assert sign_in_links.use(session, new, BROWSER) is None
    time.forward(days=7)
    with database.reading() as session:
        assert sign_in_links.invited(session, new) is None
    with pytest.raises(NotFound, match="too old"), database.session() as session:
        oidc.bind(session, HIM, audit.sha256(new))


def test_invitations_by_mail(database, cast, actor, settings):
    """An invitation by mail goes to the account's own address with a link that binds, and not to who has left since."""
    lead, tray = actor(cast.lead), Tray()
    with database.session() as session:
        sign_in_links.mail_invitation(session, lead, cast.vale, cast.governing)
    assert sign_in_mail.answer(database, settings, tray) == 1
    mail = tray.mails[0]
    assert mail.to == "bob@example.org" and "NHSmail" in mail.words.text
    with database.session() as session:
        assert oidc.bind(session, HIM, audit.sha256(token_in(mail))).id == cast.governing
        assert oidc.find(session, HIM).id == cast.governing
        sign_in_links.mail_invitation(session, lead, cast.vale, cast.council)
        session.get(Account, cast.council).disabled = True
    assert sign_in_mail.answer(database, settings, tray) == 1 and len(tray.mails) == 1


def test_who_watches_over_the_lead_is_not_invited_by_a_link_in_the_leads_hands(database, cast, actor):
    """A lead cannot hold an auditor's invitation, disconnect them, or invite people of a demo; the operator can."""
    with database.session() as session:
        auditor, _ = accounts.create(
            session, Actor.operator(), cast.vale, email="a@example.org", name="A", role=Role.AUDITOR
        )
    lead = actor(cast.lead)
    for verb in (sign_in_links.invite, oidc.disconnect):
        with pytest.raises(NotAllowed, match="operator"), database.session() as session:
            verb(session, lead, cast.vale, auditor.id)
    with database.session() as session:
        assert sign_in_links.invite(session, Actor.operator(), cast.vale, auditor.id)
        session.get(Body, cast.vale).is_demo = True
        session.get(Account, cast.council).is_demo = True
    with pytest.raises(Invalid, match="demo"), database.session() as session:
        sign_in_links.invite(session, lead, cast.vale, cast.council)


def test_a_person_added_with_an_invitation_has_no_password(database, cast, actor):
    """Nobody knows a password of an account made for the provider; a known address gets the role and no invitation."""
    lead = actor(cast.lead)
    with database.session() as session:
        account, token = sign_in_links.create_invited(
            session, lead, cast.vale, email="dora@example.org", name="Dora", role=Role.COUNCIL
        )
        assert sign_in_links.invited(session, token).id == account.id and not account.must_change
        again, none = sign_in_links.create_invited(
            session, lead, cast.vale, email="Dora@example.org", name="Dora", role=Role.GOVERNING
        )
    assert (again.id, none) == (account.id, "")
