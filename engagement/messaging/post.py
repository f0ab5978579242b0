"""The part of the worker that mails. Any number of processes may run it at once: each mail is taken by one.

For each mail: lease it, see that it is wanted, write it, see again that it is wanted, hand it over, mark it.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from datetime import timedelta

from sqlmodel import Session

from engagement import clock
from engagement.access import Actor
from engagement.config import Config
from engagement.db import Database
from engagement.errors import EngagementError
from engagement.messaging import (
    bounces,
    letters,
    link_again,
    my_page,
    notices,
    opt_out,
    outbox,
    page_again,
    planner,
    recipients,
    settings,
    sign_in_mail,
    transport,
)
from engagement.messaging.compose import compose
from engagement.messaging.keys import MailKeys
from engagement.messaging.transport import Mail, Refused, Transport, TryLater
from engagement.models import LETTER, Member, Message

log = logging.getLogger("engagement.post")
LEASE_LENGTH = timedelta(minutes=5)
BATCH = 20
NO_SENDER = "Name a sender on the Messages page, or in ENGAGEMENT_MAIL_FROM: without one no mail leaves."
STOPPED = "The worker stopped each time that it tried this mail."
UNEXPECTED = "An unexpected error; the worker's log says more."


class Post:
    """One sender over one database and one key folder.

    Parameters
    ----------
    database, config : where the data is, and how mail leaves.
    way : what hands mail over, where it is not what the settings name.
    lease_length : how long a mail is this sender's alone. Nothing is handed over in its last half.
    """

    def __init__(
        self,
        database: Database,
        config: Config,
        *,
        way: Transport | None = None,
        lease_length: timedelta = LEASE_LENGTH,
    ):
        self.database = database
        self.config = config
        self.keys = MailKeys(config.keys)
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self.stop = threading.Event()
        self._way = way if way is not None else transport.make(config)
        self._length = lease_length

    def run_once(self) -> int:
        """Queue what is due and send what the rate allows now; returns how many mails were settled."""
        planner.tidy(self.database)
        letters.tidy(self.database)
        if self._way is None:
            return 0
        # First, for somebody sits in front of the page that said so.
        sign_in_mail.answer(self.database, self.config, self._way)
        link_again.answer(self.database)
        page_again.answer(self.database, self.keys, self.config, self._way)
        planner.plan(self.database, self.keys, real=self._way.real)
        done = 0
        while not self.stop.is_set() and (batch := self._lease()):
            done += self._send_all(batch)
        done += notices.run(self.database, self.config, self._way)
        if not done:
            # While there is mail the connection is kept between passes, for the rate makes each of them short.
            self._way.close()
        return done

    def _lease(self) -> list[Message]:
        now = clock.now()
        with self.database.reading() as session:
            quiet = planner.quiet_bodies(session, now)
            if not session.exec(outbox.any_due(now, quiet)).first():
                return []
        return outbox.lease(
            self.database,
            self.name,
            length=self._length,
            most=BATCH,
            per_minute=self.config.mail.per_minute,
            quiet_bodies=quiet,
        )

    def _send_all(self, batch: list[Message]) -> int:
        """Handle leased messages in turn; what is left when all must rest, or the lease runs down, is given back."""
        done = 0
        for place, message in enumerate(batch):
            rested = self.stop.is_set() or clock.now() > message.until - self._length / 2
            if rested or not self._handle(message):
                for left in batch[place if rested else place + 1 :]:
                    with self.database.session() as session:
                        outbox.put_back(session, left, clock.now(), tried=False)
                return done
            done += 1
        return done

    def _handle(self, message: Message) -> bool:
        """Send a message or leave it out, and mark it; False when nothing else is to be tried for a while."""
        address = ""
        try:
            mail = self._write(message)
            if mail is not None:
                address = mail.to
                # Between writing and now they may have answered: this is the last moment to look.
                if self._wanted(message) is not None:
                    self._way.send(mail)
            with self.database.session() as session:
                outbox.settle(session, message)
                if mail is not None:
                    outbox.all_is_well(session)
            return True
        except recipients.Held:
            # Paused since it was leased: it waits, at no cost, for the round to be resumed.
            with self.database.session() as session:
                outbox.put_back(session, message, clock.now(), tried=False)
            return True
        except TryLater as error:
            return self._later(message, address, str(error), error.rest)
        except Refused as error:
            self._refused(message, address, error)
            return True
        except EngagementError as error:
            return self._later(message, address, str(error), None)
        except Exception as error:
            # An error's own text may hold an address or a link; its kind and the message's number tell enough.
            log.error("mail %s: %s", message.id, type(error).__name__)
            return self._later(message, address, UNEXPECTED, None)

    def _wanted(self, message: Message) -> recipients.Recipient | None:
        with self.database.reading() as session:
            return self._find(session, message)

    def _find(self, session: Session, message: Message) -> recipients.Recipient | None:
        if message.letter_id is not None:
            return letters.find(session, message, real=self._way.real)
        return recipients.find(session, self.keys, message, real=self._way.real)

    def _write(self, message: Message) -> Mail | None:
        """The mail, None when it is not wanted."""
        if message.letter_id is not None:
            with self.database.session() as session:
                if not letters.set_out(session, message, real=self._way.real):
                    return None
        if message.kind in ("published", LETTER):
            self._open_page(message.member_id)
        with self.database.reading() as session:
            recipient = self._find(session, message)
            if recipient is None:
                return None
            if message.attempts > outbox.ATTEMPTS:
                raise Refused(STOPPED)
            sender = settings.sender(session, recipient.body, self.config)
            if sender is None:
                raise TryLater(NO_SENDER, timedelta(minutes=1))
            mail = compose(session, self.keys, self.config, message, recipient, sender)
            known = mail.stop is None or opt_out.is_known(session, mail.stop_token)
        if not known:
            # The mail key is another than before: without this, the page for fewer messages would not open.
            with self.database.session() as session:
                opt_out.make_known(session, mail.stop_token, message)
        return mail

    def _open_page(self, member_id: int) -> None:
        """Let a member's own page open for the link that the mail will hold."""
        with self.database.reading() as session:
            member = session.get(Member, member_id)
            if my_page.current(session, self.keys, member) is not None:
                return
        with self.database.session() as session:
            my_page.ensure(session, self.keys, member)

    def _later(self, message: Message, address: str, reason: str, rest: timedelta | None) -> bool:
        """Put a message back; after the last attempt give it up. A fault that concerns all mail costs it no attempt."""
        now = clock.now()
        with self.database.session() as session:
            if rest is not None:
                outbox.rest_all(session, now + rest, reason)
                outbox.put_back(session, message, now + rest, tried=False)
            elif message.attempts >= outbox.ATTEMPTS:
                outbox.give_up(session, message, address, reason)
            else:
                outbox.put_back(session, message, now + outbox.wait(message.attempts), tried=True)
        return rest is None

    def _refused(self, message: Message, address: str, error: Refused) -> None:
        with self.database.session() as session:
            if error.bad_address:
                outbox.settle(session, message)
                bounces.bounced(session, Actor.worker(), address, hard=True)
            else:
                outbox.give_up(session, message, address, str(error))
