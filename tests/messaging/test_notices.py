"""Auditors are mailed the head of the log once a day, and what they must hear of; each once, whatever crashes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.access import notices as told
from engagement.messaging import notices
from engagement.messaging.transport import Refused, TryLater
from engagement.models import Account, AccountRole, AuditEntry, AuditNotice, Body


class Way:
    """A way for mail to leave that keeps what it is given, or fails as it is told to."""

    names_sender = True

    def __init__(self, *, real: bool = True):
        self.real, self.sent, self.fault = real, [], None

    def send(self, mail):
        if self.fault is not None:
            raise self.fault
        self.sent.append(mail)

    def close(self):
        pass


@pytest.fixture
def at(monkeypatch):
    """The product's clock, in the test's hands; it starts at nine in London."""
    now = [datetime(2026, 11, 20, 9, tzinfo=UTC)]
    monkeypatch.setattr(clock, "now", lambda: now[0])

    def move(**length):
        now[0] += timedelta(**length)

    return move


@pytest.fixture
def office(database, config, at):
    """A body with two auditors, one of them disabled, and a lead."""
    with database.session() as session:
        body = Body(code="VALE", name="Vale CCG", created_at=clock.now())
        session.add(body)
        session.flush()
        for name, role, disabled in (
            ("aud", Role.AUDITOR, False),
            ("gone", Role.AUDITOR, True),
            ("lead", Role.LEAD, False),
        ):
            account = Account(
                email=f"{name}@example.org",
                name=name.title(),
                password_hash="x",
                disabled=disabled,
                created_at=clock.now(),
            )
            session.add(account)
            session.flush()
            session.add(AccountRole(account_id=account.id, body_id=body.id, role=role.value))
        audit.record(session, Actor("Ann"), "round.close", body.id, round=1)
    return replace(config, mail=replace(config.mail, way="smtp", sender="survey@example.org"))


def test_the_head_is_mailed_once_a_day(database, office, at):
    """Each auditor who can sign in gets today's newest line once, with how to check it, and the next day's anew."""
    way = Way()
    for _ in range(3):
        notices.run(database, office, way)
    assert [mail.to for mail in way.sent] == ["aud@example.org"]
    with database.reading() as session:
        noted = audit.Head(*audit.head(session))
    mail = way.sent[0]
    assert mail.words.subject == "Vale CCG: the audit log on 20 November 2026"
    assert str(noted) in mail.words.text and "is whole" in mail.words.text and "Dear Aud" in mail.words.text
    at(days=1)
    notices.run(database, office, way)
    assert len(way.sent) == 2 and way.sent[1].message_id != way.sent[0].message_id


def test_a_broken_log_is_said_in_the_subject(database, office):
    """When the chain breaks the daily mail says so where it is seen first."""
    with database.session() as session:
        session.add(AuditEntry(at=clock.now(), actor="Eve", action="x", previous="0" * 64, hash="1" * 64))
    way = Way()
    notices.run(database, office, way)
    assert "BROKEN" in way.sent[0].words.subject and "breaks at line 2" in way.sent[0].words.text


def test_nothing_leaves_before_morning(database, office, at):
    """The head of a day is not taken at midnight."""
    way = Way()
    at(hours=-4)
    notices.run(database, office, way)
    assert way.sent == []


def test_a_notice_that_did_not_leave_is_tried_again_with_the_same_words(database, office, at):
    """A full or absent mail server costs nothing but time; the same mail leaves later under the same Message-ID."""
    way = Way()
    way.fault = TryLater("The mail server does not answer.")
    notices.run(database, office, way)
    with database.session() as session:
        audit.record(session, Actor("Ann"), "round.open", None)
        waiting = session.exec(select(AuditNotice)).one()
        assert not waiting.done and waiting.attempts == 1
        written = waiting.text
    way.fault = None
    notices.run(database, office, way)
    assert way.sent == []
    at(minutes=11)
    notices.run(database, office, way)
    assert len(way.sent) == 1 and written in way.sent[0].words.text and way.sent[0].tried_before


def test_two_senders_send_one(database, office, at):
    """A notice that one sender has taken is no other's, until it has had time to fail."""
    first, second = Way(), Way()
    sent = first.send

    def while_sending(mail):
        notices.run(database, office, second)
        sent(mail)

    first.send = while_sending
    notices.run(database, office, first)
    assert len(first.sent) == 1 and second.sent == []


def test_refused_mail_is_not_tried_for_ever(database, office):
    """An address that does not exist ends the notice; the log and the page have it all the same."""
    way = Way()
    way.fault = Refused("There is no such mailbox.", bad_address=True)
    notices.run(database, office, way)
    with database.reading() as session:
        assert session.exec(select(AuditNotice)).one().done


def test_a_demo_mails_nobody_for_real(database, office):
    """Invented auditors of a demo get no real mail."""
    with database.session() as session:
        session.exec(select(Body)).one().is_demo = True
    real, files = Way(), Way(real=False)
    notices.run(database, office, real)
    assert real.sent == []
    with database.session() as session:
        body = session.exec(select(Body.id)).one()
        assert told.tell(session, body, "linking", "1 asked", "A code", "Somebody asks.") == 1
        told.tell(session, body, "linking", "1 asked", "A code", "Somebody asks.")
    notices.run(database, office, files)
    assert [mail.words.subject for mail in files.sent] == ["A code"]
