"""Sending their own page's link to members who ask for it: one request at a time, whoever the address belongs to."""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import delete
from sqlmodel import func, or_, select

from engagement import clock
from engagement.access import Actor
from engagement.config import Config
from engagement.db import Database
from engagement.messaging import bounces, my_page, opt_out, outbox, settings, templates
from engagement.messaging.compose import stop_url
from engagement.messaging.keys import MailKeys, message_id, opt_out_token
from engagement.messaging.templates import Template
from engagement.messaging.transport import Mail, Refused, Transport, TryLater
from engagement.models import Body, Bounce, MailClock, Member, OptOut, PageRequest, random_id
from engagement.words import words_of

log = logging.getLogger("engagement.post")
ATTEMPTS = 5
LEASE = timedelta(minutes=5)
MAIL = Template(
    "{organisation}: your own page",
    """Dear {person},

Here is the link to your own page at {organisation}, as it was asked for with this address. There you can put an ask on behalf of your {practice}, stand behind another one, and see what was answered and done:

{page}

The link is yours and stays the same: please do not pass it on. It is another than the ones by which you answer surveys.

If you did not ask for it, there is nothing to do.""",
)


def answer(database: Database, keys: MailKeys, config: Config, way: Transport) -> int:
    """Send their link to those who asked and are on a roster; returns how many requests were settled.

    One request at a time, within the rate of all mail; known and unknown addresses cost the same of it.
    """
    settled = 0
    while (request := _take(database, config)) is not None:
        if not _send(database, keys, config, way, request) and request.attempts < ATTEMPTS:
            return settled
        with database.session() as session:
            session.execute(delete(PageRequest.__table__).where(PageRequest.__table__.c.id == request.id))
        settled += 1
    return settled


def _send(database: Database, keys: MailKeys, config: Config, way: Transport, request: PageRequest) -> bool:
    """Send what a request asks for; False when it may be tried again. Nobody is told of a refusal: nothing comes."""
    try:
        for mail in _mails(database, keys, config, request.address, real=way.real):
            way.send(mail)
        return True
    except TryLater as error:
        if error.rest is not None:
            with database.session() as session:
                outbox.rest_all(session, clock.now() + error.rest, str(error))
        return False
    except Refused as error:
        if error.bad_address:
            with database.session() as session:
                bounces.bounced(session, Actor.worker(), request.address, hard=True)
        return True
    except Exception as error:
        # An error's own text may hold an address or a link.
        log.error("a link to a page: %s", type(error).__name__)
        return False


def _take(database: Database, config: Config) -> PageRequest | None:
    """A request that is this process's alone for a while, None where there is none or the rate is used up."""
    now = clock.now()
    waiting = select(PageRequest).where(PageRequest.until <= now).limit(1)
    with database.reading() as session:
        if session.exec(waiting).first() is None:
            return None
    with database.session() as session:
        clock_row = session.exec(select(MailClock).with_for_update()).one()
        number, next_at = outbox.allowed(clock_row, now, config.mail.per_minute, 1)
        found = session.exec(waiting.with_for_update(skip_locked=True)).first()
        if number == 0 or found is None:
            return None
        clock_row.next_at = next_at
        found.until, found.attempts = now + LEASE, found.attempts + 1
        session.add(clock_row)
        session.add(found)
        session.flush()
        session.expunge_all()
        return found


def _mails(database: Database, keys: MailKeys, config: Config, address: str, *, real: bool) -> list[Mail]:
    """The mails that an address gets: one a member that has it, none for those who want or get no mail."""
    with database.reading() as session:
        found = session.exec(
            select(Member.id)
            .outerjoin(OptOut, OptOut.member_id == Member.id)
            .outerjoin(Bounce, Bounce.address == func.lower(Member.email))
            .where(
                func.lower(Member.email) == address,
                or_(OptOut.scope.is_(None), OptOut.scope != "all"),
                or_(Bounce.hard.is_(None), Bounce.hard == False),  # noqa: E712
            )
        ).all()
    mails = []
    for member_id in found:
        with database.session() as session:
            member = session.get(Member, member_id)
            body = session.get(Body, member.body_id)
            sender = settings.sender(session, body, config)
            if sender is None or (real and body.is_demo):
                continue
            mail_key = keys.mail(body.id)
            stop, page = opt_out_token(mail_key, member.id), my_page.ensure(session, keys, member)
            opt_out.make_known(session, stop, my_page.owner(session, page))
            values = words_of(body.words) | {
                "organisation": body.name,
                "person": member.name or "colleague",
                "page": my_page.url(config.public_url, page),
                "stop": stop_url(config.public_url, stop),
            }
            mails.append(
                Mail(
                    to=member.email,
                    sender=sender,
                    words=templates.write(MAIL, values, footer="member"),
                    key=message_id(mail_key, "page", "page", 1, random_id()),
                    stop=values["stop"],
                )
            )
    return mails
