"""What the Messages page and the command line show of mail, and the test message to oneself.

Counts of reminders are to the nearest 5, and no list says which mail somebody got or did not get.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, func, select

from engagement import clock
from engagement.access import Actor, Role
from engagement.config import Config
from engagement.errors import Conflict, Invalid, NotFound
from engagement.messaging import bounces, checks, planner, settings, templates, transport
from engagement.messaging.compose import shared
from engagement.messaging.keys import MailKeys, message_id
from engagement.messaging.templates import Template, Words
from engagement.messaging.transport import Mail, NotSent
from engagement.models import (
    STAFF_KINDS,
    Account,
    Body,
    MailClock,
    Mailing,
    Member,
    Message,
    Round,
    RoundRoster,
    random_id,
)

WAYS = {
    "smtp": "Mail leaves through a mail server.",
    "notify": "Mail leaves through GOV.UK Notify.",
    "files": "Mail is written to files on the server and reaches nobody: this is for trying things out.",
    "off": "Mail is switched off on this server. The operator hands out the links.",
}


@dataclass(frozen=True)
class Sent:
    """A kind of mail of a round. `people` is to the nearest 5 for reminders; `left` is whether some still wait."""

    round: int
    kind: str
    number: int
    queued_at: datetime
    people: int
    left: bool


@dataclass(frozen=True)
class Desk:
    """How the body's mail stands."""

    way: str
    sender: str | None
    trouble: str | None
    sent: tuple[Sent, ...]
    reminder_at: datetime | None
    without_address: int
    undelivered: int
    undeliverable: int
    paused: bool = False


@dataclass(frozen=True)
class Preview:
    """A mail as somebody would get it, with links that lead nowhere; `words` is None where none can be made."""

    words: Words | None
    faults: tuple[str, ...]


def look(session: Session, actor: Actor, body_id: int, config: Config) -> Desk:
    """How the body's mail stands. For the engagement lead."""
    actor.require(body_id, Role.LEAD)
    body = session.get(Body, body_id)
    sender = settings.sender(session, body, config)
    opened = session.exec(
        select(Round).where(Round.body_id == body_id, Round.state == "open").order_by(Round.number.desc())
    ).first()
    done = planner.mailed(session, opened.id) if opened else {}
    return Desk(
        way=config.mail.way,
        sender=f"{sender.name} <{sender.address}>" if sender else None,
        trouble=session.exec(select(MailClock.trouble)).first(),
        sent=_sent(session, body_id),
        reminder_at=planner.next_reminder(session, opened, done) if done else None,
        without_address=_without_address(session, opened.id) if opened else 0,
        undelivered=len(bounces.dead_letters(session, actor, body_id)),
        undeliverable=len(bounces.undeliverable(session, actor, body_id)),
        paused=opened is not None and opened.paused_at is not None,
    )


def _sent(session: Session, body_id: int) -> tuple[Sent, ...]:
    left = set(
        session.exec(
            select(Message.round_id, Message.kind, Message.number)
            .where(Message.body_id == body_id, Message.state != "done")
            .distinct()
        ).all()
    )
    rows = session.exec(
        select(Mailing, Round.number)
        .join(Round, Round.id == Mailing.round_id)
        .where(Mailing.body_id == body_id)
        .order_by(Mailing.queued_at.desc(), Mailing.kind)
    ).all()
    return tuple(
        Sent(
            number,
            row.kind,
            row.number,
            row.queued_at,
            row.people,
            (row.round_id, row.kind, row.number) in left,
        )
        for row, number in rows
    )


def _without_address(session: Session, round_id: int) -> int:
    return session.exec(
        select(func.count())
        .select_from(RoundRoster)
        .join(Member, Member.id == RoundRoster.member_id)
        .where(RoundRoster.round_id == round_id, Member.email.is_(None))
    ).one()


def template(session: Session, actor: Actor, body_id: int, kind: str) -> Template:
    """The words that the body uses for a kind of mail."""
    actor.require(body_id, Role.LEAD)
    return settings.template(session, body_id, kind)


def preview(
    session: Session, actor: Actor, body_id: int, config: Config, kind: str, *, subject: str, text: str
) -> Preview:
    """The mail that a template makes, with what is wrong with it."""
    actor.require(body_id, Role.LEAD)
    faults = tuple(checks.template_faults(kind, subject, text))
    try:
        words = _example(session, body_id, config, kind, Template(subject, text))
    except (KeyError, Invalid):
        # A placeholder that is none: the faults name it.
        words = None
    return Preview(words, faults)


def _example(session: Session, body_id: int, config: Config, kind: str, chosen: Template) -> Words:
    body = session.get(Body, body_id)
    round_ = session.exec(
        select(Round).where(Round.body_id == body_id).order_by(Round.number.desc()).limit(1)
    ).first()
    round_ = round_ or Round(title="Autumn round", closes_at=clock.now() + clock.days(21))
    if round_.closes_at is None:
        round_ = Round(title=round_.title, closes_at=clock.now() + clock.days(21))
    base = config.public_url
    values = shared(body, round_, base) | {
        "person": "Dr Ann Example",
        "link": f"{base}/a/example/this-is-a-preview",
        "stop": f"{base}/a/stop/this-is-a-preview",
        "page": f"{base}/m/this-is-a-preview",
        "results": f"{base}/r/example/this-is-a-preview" if kind == "published" else f"{base}/",
        "verdict": "Here stands the verdict of the release, in one sentence.",
    }
    return templates.write(chosen, values, footer="staff" if kind in STAFF_KINDS else "member")


def send_test(session: Session, actor: Actor, body_id: int, config: Config, kind: str) -> str:
    """Send the example of a kind of mail to the actor's own address now, past the outbox; returns the address.

    Changes nothing: call it in a session for reading, for a slow mail server must not hold a lock on the database.
    Raises `Conflict` with what the other side said when it does not leave.
    """
    actor.require(body_id, Role.LEAD)
    account = session.get(Account, actor.account_id) if actor.account_id else None
    if account is None:
        raise NotFound("Only somebody who signed in has an address to send a test to.")
    send_example(session, actor, body_id, config, kind, account.email)
    return account.email


def send_example(
    session: Session, actor: Actor, body_id: int, config: Config, kind: str, address: str
) -> None:
    """Send the example of a kind of mail to an address, as `send_test` does. For the operator.

    Raises `Conflict` with what the other side said when it does not leave.
    """
    actor.require(body_id, Role.LEAD)
    body = session.get(Body, body_id)
    way, sender = transport.make(config), settings.sender(session, body, config)
    if way is None:
        raise Conflict("Mail is switched off on this server: set ENGAGEMENT_MAIL.")
    if body.is_demo and way.real:
        raise Conflict("A demo body sends no mail: its people are invented.")
    if sender is None:
        raise Conflict("Name a sender first: without one no mail leaves.")
    words = _example(session, body_id, config, kind, settings.template(session, body_id, kind))
    key = message_id(MailKeys(config.keys).mail(body_id), "test", kind, 1, random_id())
    try:
        way.send(Mail(address, sender, Words(f"Test: {words.subject}", words.text, words.html), key))
    except NotSent as error:
        raise Conflict(f"The test message did not leave. {error}") from error
    finally:
        way.close()
