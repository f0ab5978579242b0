"""What a body says of its mail: the sender, the plan of reminders, its quiet days, its own words."""

from __future__ import annotations

from datetime import date

from sqlmodel import Session

from engagement.access import Actor, Role, audit
from engagement.config import Config
from engagement.messaging import checks, quiet, templates
from engagement.messaging.templates import Template
from engagement.messaging.transport import Sender
from engagement.models import Body, MailSettings, MessageTemplate

# Where mail goes to files and nobody has named a sender. A name that can never be an address: RFC 2606.
NO_SENDER = "no-sender@engagement.invalid"


def of(session: Session, body_id: int) -> MailSettings:
    """The body's settings, or the usual ones where it has none. For verbs that have checked who asks."""
    return session.get(MailSettings, body_id) or MailSettings(body_id=body_id)


def quiet_days(session: Session, body_id: int) -> frozenset[date]:
    """The days that the body added to weekends and bank holidays."""
    return quiet.own_days(of(session, body_id).quiet_days)


def sender(session: Session, body: Body, config: Config) -> Sender | None:
    """Who the body's mails are from; None where mail goes by SMTP and nobody has said."""
    settings = of(session, body.id)
    address = settings.sender_address or config.mail.sender
    if not address and config.mail.way != "smtp":
        address = NO_SENDER
    if not address:
        return None
    return Sender(settings.sender_name or body.name, address, settings.reply_to)


def template(session: Session, body_id: int, kind: str) -> Template:
    """The body's own words for a kind of mail, or ours."""
    own = session.get(MessageTemplate, (body_id, kind))
    return Template(own.subject, own.text) if own else templates.DEFAULTS[kind]


def read(session: Session, actor: Actor, body_id: int) -> MailSettings:
    """The body's settings. For the engagement lead."""
    actor.require(body_id, Role.LEAD)
    return of(session, body_id)


def save(
    session: Session,
    actor: Actor,
    body_id: int,
    config: Config,
    *,
    sender_name: str = "",
    sender_address: str = "",
    reply_to: str = "",
    reminders: int,
    gap_days: int,
    quiet_days: str = "",
) -> None:
    """Change sender, reminders and quiet days (as `quiet.parse_days` takes them). Raises `Invalid`."""
    actor.require(body_id, Role.LEAD)
    name, address, reply = (text.strip() or None for text in (sender_name, sender_address, reply_to))
    needs = config.mail.way == "smtp" and not config.mail.sender
    faults = checks.sender_faults(name, address, reply, needs_address=needs)
    if not 0 <= reminders <= 7:
        faults.append("Choose between no reminder and 7")
    if not 2 <= gap_days <= 60:
        faults.append("Leave between 2 and 60 days between reminders")
    checks.raise_if(faults)
    row = of(session, body_id)
    row.sender_name, row.sender_address, row.reply_to = name, address, reply
    row.reminders, row.gap_days, row.quiet_days = reminders, gap_days, quiet.parse_days(quiet_days)
    session.add(row)
    session.flush()
    audit.record(session, actor, "mail.settings", body_id, reminders=reminders, gap_days=gap_days)


def save_template(
    session: Session, actor: Actor, body_id: int, kind: str, *, subject: str, text: str
) -> None:
    """Give a kind of mail the body's own words. Raises `Invalid` with all that is wrong with them."""
    actor.require(body_id, Role.LEAD)
    subject, text = subject.strip(), text.replace("\r\n", "\n").strip()
    checks.raise_if(checks.template_faults(kind, subject, text))
    row = session.get(MessageTemplate, (body_id, kind))
    if row is None:
        row = MessageTemplate(body_id=body_id, kind=kind, subject=subject, text=text)
    row.subject, row.text = subject, text
    session.add(row)
    session.flush()
    audit.record(session, actor, "mail.template", body_id, kind=kind)


def reset_template(session: Session, actor: Actor, body_id: int, kind: str) -> None:
    """Go back to our words."""
    actor.require(body_id, Role.LEAD)
    row = session.get(MessageTemplate, (body_id, kind))
    if row is not None:
        session.delete(row)
        session.flush()
        audit.record(session, actor, "mail.template", body_id, kind=kind, own=False)
