"""Mails to auditors: the head of the audit log once a day, and what they must hear of at once.

A notice is taken by one sender at a time and marked when it has left; one that dies in between sends it again, with
the same Message-ID. Only a few leave a day, so the outbox's rate does not count them.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import delete, update
from sqlmodel import Session, select

from engagement import clock
from engagement.access import notices
from engagement.config import Config
from engagement.db import Database
from engagement.messaging import settings, templates
from engagement.messaging.keys import MailKeys, message_id
from engagement.messaging.templates import Template
from engagement.messaging.transport import Mail, NotSent, Refused, Transport
from engagement.models import Account, AuditNotice, Body

log = logging.getLogger("engagement.post")
# Of the day, in London: the head of the day is taken then, or by the first pass after it.
HOUR = 7
LEASE = timedelta(minutes=10)
ATTEMPTS = 20
KEPT = timedelta(days=30)
_notices = AuditNotice.__table__
WORDS = Template("{subject}", "Dear {person},\n\n{text}")


def run(database: Database, config: Config, way: Transport) -> int:
    """Put in what is due and send what waits; returns how many notices were settled."""
    _put_heads(database)
    done = 0
    for notice_id in _waiting(database):
        done += _send(database, config, way, notice_id)
    return done


def _put_heads(database: Database) -> None:
    if clock.now().astimezone(clock.LONDON).hour < HOUR:
        return
    with database.reading() as session:
        due = bool(notices.heads_due(session))
    if due:
        with database.session() as session:
            notices.put_heads(session)
            session.execute(delete(_notices).where(_notices.c.done, _notices.c.due_at < clock.now() - KEPT))


def _waiting(database: Database) -> list[int]:
    with database.reading() as session:
        return list(
            session.exec(
                select(AuditNotice.id)
                .where(AuditNotice.done == False, AuditNotice.due_at <= clock.now())  # noqa: E712
                .order_by(AuditNotice.id)
            )
        )


def _send(database: Database, config: Config, way: Transport, notice_id: int) -> bool:
    """Take a notice, send it and mark it. False when another sender has it, or it is to be tried again."""
    now = clock.now()
    with database.session() as session:
        taken = session.execute(
            update(_notices)
            .where(_notices.c.id == notice_id, _notices.c.done.is_(False), _notices.c.due_at <= now)
            .values(due_at=now + LEASE, attempts=_notices.c.attempts + 1)
        ).rowcount
        if not taken:
            return False
    with database.reading() as session:
        mail, tries = _write(session, config, session.get(AuditNotice, notice_id), real=way.real)
    try:
        if mail is not None:
            way.send(mail)
    except Refused as error:
        # The log and the Audit page have it all the same.
        log.error("notice %s to an auditor was refused: %s", notice_id, error)
    except NotSent:
        if tries < ATTEMPTS:
            return False
        log.error("notice %s to an auditor was given up", notice_id)
    with database.session() as session:
        session.execute(update(_notices).where(_notices.c.id == notice_id).values(done=True))
    return True


def _write(session: Session, config: Config, notice: AuditNotice, *, real: bool) -> tuple[Mail | None, int]:
    """The mail, None where none is to leave: invented people of a demo are never mailed for real."""
    body, account = session.get(Body, notice.body_id), session.get(Account, notice.account_id)
    sender = settings.sender(session, body, config)
    if account.disabled or sender is None or (real and (body.is_demo or account.is_demo)):
        return None, notice.attempts
    values = {
        "organisation": body.name,
        "person": account.name,
        "subject": notice.subject,
        "text": notice.text,
    }
    key = message_id(MailKeys(config.keys).mail(body.id), "audit", notice.kind, notice.id, f"a{account.id}")
    words = templates.write(WORDS, values, footer="staff")
    return Mail(account.email, sender, words, key, tried_before=notice.attempts > 1), notice.attempts
