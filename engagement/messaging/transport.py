"""A mail that is ready to leave, the ways in which it can, and what can go wrong, told apart by what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Protocol

from engagement import clock
from engagement.config import Config
from engagement.messaging.templates import Words, one_line


@dataclass(frozen=True)
class Sender:
    """Who a mail is from. `address` is also where it comes back to."""

    name: str
    address: str
    reply_to: str | None = None


@dataclass(frozen=True)
class Mail:
    """One mail to one address. `key` is its Message-ID before the @; `stop` the page for getting fewer."""

    to: str
    sender: Sender
    words: Words
    key: str
    stop: str | None = None
    tried_before: bool = False

    @property
    def message_id(self) -> str:
        """The whole Message-ID, the same each time the mail is tried."""
        return f"<{self.key}@{self.sender.address.rpartition('@')[2]}>"

    @property
    def stop_token(self) -> str:
        """What opens the page for fewer messages."""
        return (self.stop or "").rpartition("/")[2]


class NotSent(Exception):
    """A mail did not leave. The text is fit for a list of undelivered mail; it never holds a link."""


class TryLater(NotSent):
    """It may leave later. `rest`: how long nothing at all should be tried, where the fault is not this mail's."""

    def __init__(self, reason: str, rest: timedelta | None = None):
        super().__init__(reason)
        self.rest = rest


class Refused(NotSent):
    """It will never leave. `bad_address`: because there is no such address."""

    def __init__(self, reason: str, *, bad_address: bool = False):
        super().__init__(reason)
        self.bad_address = bad_address


class Transport(Protocol):
    """A way for mail to leave. `real` ones reach people's mailboxes."""

    real: bool
    # Whether the sender is ours to name.
    names_sender: bool

    def send(self, mail: Mail) -> None:
        """Hand a mail over; returning means that the other side has taken it on. Raises `NotSent`."""

    def close(self) -> None:
        """End the connection, if there is one; the next mail opens another."""


def make(config: Config) -> Transport | None:
    """The way that the settings name, None where mail is off."""
    match config.mail.way:
        case "smtp":
            from engagement.messaging.smtp import Smtp

            return Smtp(config.mail)
        case "notify":
            from engagement.messaging.notify import Notify

            return Notify(config.mail)
        case "files":
            from engagement.messaging.files import Files

            return Files(config.outbox)
    return None


def reason_of(text: object) -> str:
    """Somebody else's error text, on one line and short."""
    return one_line(str(text))[:300]


def mime(mail: Mail) -> EmailMessage:
    """A mail as plain text and HTML, without images, and with nothing in its headers that can answer for a member."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(one_line(mail.sender.name), addr_spec=mail.sender.address)
    message["To"] = Address(addr_spec=mail.to)
    if mail.sender.reply_to:
        message["Reply-To"] = Address(addr_spec=mail.sender.reply_to)
    message["Subject"] = one_line(mail.words.subject)
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = mail.message_id
    # So that nobody's holiday notice comes back, nor an answer by another machine.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if mail.stop:
        # Not List-Unsubscribe-Post: with that, one request would do, and mail scanners make it.
        message["List-Unsubscribe"] = f"<{mail.stop}>"
    message.set_content(mail.words.text, cte="quoted-printable")
    message.add_alternative(mail.words.html, subtype="html", cte="quoted-printable")
    return message
