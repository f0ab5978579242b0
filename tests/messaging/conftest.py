"""A small body with an open round, a way to send that remembers, and a clock that can be set."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from aiosmtpd.controller import Controller
from sqlmodel import select

from engagement import clock
from engagement.access import Role, accounts
from engagement.messaging.post import Post
from engagement.messaging.transport import Mail
from engagement.models import Message
from tests import support

# A Tuesday that is no bank holiday, at ten in the morning in London.
TUESDAY = datetime(2026, 9, 8, 9, 0, tzinfo=UTC)


@dataclass
class Kept:
    """A way for mail to leave that keeps it, and fails as it is told to."""

    real: bool = True
    names_sender: bool = True
    mails: list[Mail] = field(default_factory=list)
    fails: dict[str, list[Exception]] = field(default_factory=dict)
    before: object = None

    def send(self, mail: Mail) -> None:
        """Keep a mail, or raise what was set for its address."""
        if self.before is not None:
            self.before(mail)
        if self.fails.get(mail.to):
            raise self.fails[mail.to].pop(0)
        self.mails.append(mail)

    def close(self) -> None:
        """Nothing is open."""

    @property
    def to(self) -> list[str]:
        """Whom mail went to, sorted."""
        return sorted(mail.to for mail in self.mails)


class Time:
    """The clock of a test."""

    def __init__(self, now: datetime):
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def on(self, **length: float) -> None:
        """Let time pass."""
        from datetime import timedelta

        self.now += timedelta(**length)


@pytest.fixture
def time(monkeypatch) -> Time:
    """The clock, which stands at ten on a Tuesday until it is moved."""
    stopped = Time(TUESDAY)
    monkeypatch.setattr(clock, "now", stopped)
    return stopped


@pytest.fixture
def mail_config(config):
    """Settings with a sender and a rate that no test meets."""
    return replace(
        config, mail=replace(config.mail, way="smtp", sender="survey@ccg.example", per_minute=1_000_000)
    )


@dataclass
class Office:
    """A body of sixty people with an open round, and what sends its mail."""

    database: object
    keys: object
    config: object
    body_id: int
    round_id: int
    way: Kept
    time: Time

    def post(self, **options) -> int:
        """One pass of the sender, with as many batches as there are mails."""
        return Post(self.database, self.config, way=self.way, **options).run_once()

    def doors(self):
        """Every member's link."""
        return support.doors(self.database, self.keys, self.round_id)

    def answer(self, *places: int) -> None:
        """Members answer."""
        doors = self.doors()
        for place in places:
            support.answer(self.database, doors[place], support.sheet(), key=f"k{place}")

    def messages(self, **values) -> list[Message]:
        """The rows of the outbox with these values."""
        with self.database.reading() as session:
            query = select(Message).order_by(Message.kind, Message.number, Message.member_id)
            for name, value in values.items():
                query = query.where(getattr(Message, name) == value)
            return list(session.exec(query).all())


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def smtp_server(handler, *, make=Controller, **options):
    """A real SMTP server on loopback; yields its port."""
    port = free_port()
    controller = make(handler, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
def office(database, mail_config, time) -> Office:
    """The body with its open round; nothing is mailed yet."""
    keys = support.keys_of(mail_config)
    body_id = support.small_body(database)
    round_id = support.launch(database, keys, body_id)
    return Office(database, keys, mail_config, body_id, round_id, Kept(), time)


@pytest.fixture
def staff(office) -> dict[Role, int]:
    """One account a role in the body, ids by role; no auditor, who is mailed every day whatever a round does."""
    with office.database.session() as session:
        return {
            role: accounts.create(
                session,
                support.OPERATOR,
                office.body_id,
                email=f"{role.value}@example.org",
                name=role.value,
                role=role,
                password="correct horse battery",
            )[0].id
            for role in Role
            if role is not Role.AUDITOR
        }
