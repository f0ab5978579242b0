"""Mails that let somebody sign in: links that were asked for, and invitations. Not for a round, and not of the outbox.

Whether anybody has an address is looked up here and nowhere else, after the page has answered. A token is made as its
mail leaves and stored by its hash, so neither the queue nor the database ever holds one that works.
"""

from __future__ import annotations

import logging
import secrets
from datetime import timedelta

from sqlalchemy import or_, update
from sqlmodel import Session, select

from engagement import clock
from engagement.access import sign_in_links
from engagement.config import Config
from engagement.db import Database
from engagement.errors import EngagementError
from engagement.messaging import settings
from engagement.messaging.templates import Template, write
from engagement.messaging.transport import Mail, Refused, Transport, TryLater
from engagement.models import Body, SignInMail

log = logging.getLogger("engagement.post")
HELD = timedelta(minutes=2)
REST = timedelta(seconds=20)
# After this nobody waits for it any more.
TRIED_FOR = {"link": timedelta(minutes=10), "invitation": timedelta(days=1)}
_queue = SignInMail.__table__

TEMPLATES = {
    "link": Template(
        "{organisation}: your link to sign in",
        """Dear {person},

Here is the link to sign in, as it was asked for with this address. It works once, for 10 minutes, in the browser in which it was asked for:

{link}

If you did not ask for it, there is nothing to do: nobody else can use it.""",
    ),
    "invitation": Template(
        "{organisation}: an invitation to sign in",
        """Dear {person},

You are invited to sign in at {organisation} with {provider}. Open this link once, within a week, to connect the two:

{link}

The link is yours alone: whoever opens it first is connected with your account. Please do not pass it on.""",
    ),
}


def answer(database: Database, config: Config, way: Transport) -> int:
    """Send what waits; returns how many requests were dealt with, those for unknown addresses included."""
    with database.reading() as session:
        waiting = session.exec(select(SignInMail.id)).all()
    return sum(_handle(database, config, way, number) for number in waiting)


def _handle(database: Database, config: Config, way: Transport, number: str) -> bool:
    with database.session() as session:
        request = _take(session, number)
        if request is None:
            return False
        mail = None
        if clock.now() - request.asked_at < TRIED_FOR[request.kind]:
            mail = _write(session, config, request)
        if mail is None:
            session.delete(session.get(SignInMail, number))
            return True
    try:
        way.send(mail)
    except TryLater as error:
        return _later(database, number, error)
    except (Refused, EngagementError) as error:
        log.warning("a mail to sign in was refused: %s", type(error).__name__)
    except Exception as error:
        # Its text may hold the address or the link.
        return _later(database, number, error)
    with database.session() as session:
        session.execute(_queue.delete().where(_queue.c.id == number))
    return True


def _take(session: Session, number: str) -> SignInMail | None:
    """Hold a request for a while, against other senders; None where one has it."""
    now = clock.now()
    held = session.execute(
        update(_queue)
        .where(_queue.c.id == number, or_(_queue.c.held_until.is_(None), _queue.c.held_until < now))
        .values(held_until=now + HELD)
    )
    return session.get(SignInMail, number) if held.rowcount == 1 else None


def _later(database: Database, number: str, error: Exception) -> bool:
    log.warning("a mail to sign in waits: %s", type(error).__name__)
    with database.session() as session:
        session.execute(update(_queue).where(_queue.c.id == number).values(held_until=clock.now() + REST))
    return False


def _write(session: Session, config: Config, request: SignInMail) -> Mail | None:
    """The mail with a new token, None where nobody gets one."""
    if request.kind == "link":
        found = sign_in_links.by_link(session, request.address)
        if found is None:
            return None
        account, body = found
        token = sign_in_links.make(session, account.id, request.browser_hash)
    else:
        made = sign_in_links.make_invitation(session, request.address, request.body_id)
        if made is None or config.provider is None:
            return None
        account, token = made
        body = session.get(Body, request.body_id)
    sender = settings.sender(session, body, config)
    if sender is None:
        log.error("a mail to sign in has no sender: name one on the Messages page")
        return None
    values = {
        "person": account.name,
        "organisation": body.name,
        "link": f"{config.public_url}/sign-in/{request.kind}/{token}",
        "provider": config.provider.label if config.provider else "",
    }
    words = write(TEMPLATES[request.kind], values, footer="staff")
    return Mail(to=account.email, sender=sender, words=words, key=secrets.token_hex(20))
