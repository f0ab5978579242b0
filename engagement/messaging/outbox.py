"""The outbox: put in with the change that it tells of, leased, sent, marked. Each step is one compare-and-set.

A worker that dies after the lease loses nothing: the lease runs out. One that dies between the server's "250" and
the mark sends that one mail twice, with the same Message-ID. A mail ends in `done`, whether it was sent, left out or
given up: the row of somebody who was reminded and of somebody who had answered are the same.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, insert, or_, update
from sqlmodel import Session, func, select

from engagement import clock
from engagement.access import Actor, audit
from engagement.db import Database
from engagement.errors import Conflict
from engagement.messaging.recipients import ROLES
from engagement.models import (
    STAFF_KINDS,
    Account,
    AccountRole,
    DeadLetter,
    MailClock,
    Mailing,
    Message,
    Participation,
    Round,
    RoundRoster,
    random_id,
)

ATTEMPTS = 10
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=4)
# How much of the rate may be used at once after a quiet time; the rest is spread, so that no minute has more.
BURST = 10.0
PAGE = 2_000
_messages = Message.__table__
# What `done` looks like, however it came about.
END = {"state": "done", "due_at": None, "holder": None, "until": None, "attempts": 0}


def nearest_5(number: int) -> int:
    """A count of people to the nearest 5, as it may be shown and kept."""
    return 5 * round(number / 5)


def queue(session: Session, round_: Round, kind: str, number: int = 1) -> bool:
    """Put a kind of mail into the outbox for all whom it concerns, in the caller's transaction; False if it is there.

    Everybody who was invited gets a row, also for reminders: who has answered is looked up as each one leaves.
    """
    session.exec(select(Round.id).where(Round.id == round_.id).with_for_update()).one()
    if session.get(Mailing, (round_.id, kind, number)) is not None:
        return False
    people = _staff(session, round_, kind) if kind in STAFF_KINDS else _members(session, round_)
    count = len(people)
    if kind == "reminder":
        count = nearest_5(
            session.exec(
                select(func.count())
                .select_from(Participation)
                .where(Participation.round_id == round_.id, Participation.used == False)  # noqa: E712
            ).one()
        )
    now = clock.now()
    session.add(
        Mailing(
            round_id=round_.id,
            kind=kind,
            number=number,
            body_id=round_.body_id,
            queued_at=now,
            people=count,
        )
    )
    rows = [
        {
            "id": random_id(),
            "body_id": round_.body_id,
            "round_id": round_.id,
            "kind": kind,
            "number": number,
            "member_id": None,
            "account_id": None,
            "state": "waiting",
            "due_at": now,
            "attempts": 0,
        }
        | person
        for person in people
    ]
    # In the order of random ids, which says nothing of the roster.
    rows.sort(key=lambda row: row["id"])
    for start in range(0, len(rows), PAGE):
        session.execute(insert(_messages), rows[start : start + PAGE])
    session.flush()
    audit.record(
        session, Actor.worker(), "mail.queue", round_.body_id, round=round_.number, kind=kind, number=number
    )
    return True


def _members(session: Session, round_: Round) -> list[dict[str, int]]:
    found = session.exec(select(RoundRoster.member_id).where(RoundRoster.round_id == round_.id)).all()
    return [{"member_id": member_id} for member_id in found]


def _staff(session: Session, round_: Round, kind: str) -> list[dict[str, int]]:
    found = session.exec(
        select(Account.id)
        .join(AccountRole, AccountRole.account_id == Account.id)
        .where(
            AccountRole.body_id == round_.body_id,
            AccountRole.role.in_([role.value for role in ROLES[kind]]),
            Account.disabled == False,  # noqa: E712
        )
        .distinct()
    ).all()
    return [{"account_id": account_id} for account_id in found]


def due(now: datetime, quiet_bodies: list[int]):
    """The condition of a message that may be taken up: due, or held under a lease that has run out.

    Reminders of `quiet_bodies` stay where they are, and so does all mail of a round that is paused.
    """
    ready = and_(
        or_(
            and_(_messages.c.state == "waiting", _messages.c.due_at <= now),
            and_(_messages.c.state == "leased", _messages.c.until < now),
        ),
        _not_paused(),
    )
    if quiet_bodies:
        ready &= or_(_messages.c.kind != "reminder", _messages.c.body_id.not_in(quiet_bodies))
    return ready


def _not_paused():
    """The condition of a message of no round, or of one that is not paused."""
    paused = select(Round.id).where(Round.state == "open", Round.paused_at.is_not(None))
    return or_(_messages.c.round_id.is_(None), _messages.c.round_id.not_in(paused))


def any_due(now: datetime, quiet_bodies: list[int]):
    """A query that finds a message that may be taken up, if there is one."""
    return select(Message.id).where(due(now, quiet_bodies)).limit(1)


def oldest(session: Session) -> datetime | None:
    """Since when the mail that was due first has waited, None when none is due. For the operator's checks.

    Reminders wait over quiet days, and all mail of a round while it is paused; neither counts.
    """
    return session.exec(
        select(func.min(Message.due_at)).where(
            Message.state != "done",
            Message.kind != "reminder",
            Message.due_at <= clock.now(),
            _not_paused(),
        )
    ).one()


def allowed(clock_row: MailClock, now: datetime, per_minute: int, most: int) -> tuple[int, datetime]:
    """How many mails may leave now, at most `most`, and what the clock says after that many.

    The clock holds when the next mail may leave. It never lags more than the burst, and mails are spaced so that
    burst and spacing together give no more than `per_minute` in any minute. Source: the generic cell rate algorithm.
    """
    space = timedelta(seconds=(60 + BURST) / per_minute)
    start = max(clock_row.next_at, now - max(timedelta(seconds=BURST), space))
    number = max(0, min(most, int((now - start) / space)))
    return number, start + number * space


def lease(
    database: Database,
    holder: str,
    *,
    length: timedelta,
    most: int,
    per_minute: int,
    quiet_bodies: list[int] | None = None,
) -> list[Message]:
    """Take up to `most` due messages for a while, no more than the rate allows; empty when there are none to take."""
    now = clock.now()
    ready = due(now, quiet_bodies or [])
    with database.session() as session:
        clock_row = session.exec(select(MailClock).with_for_update()).one()
        number, _ = allowed(clock_row, now, per_minute, most)
        if number == 0:
            return []
        found = session.exec(
            select(Message)
            .where(ready)
            .order_by(Message.due_at, Message.id)
            .limit(number)
            .with_for_update(skip_locked=True)
        ).all()
        if not found:
            return []
        _, clock_row.next_at = allowed(clock_row, now, per_minute, len(found))
        session.add(clock_row)
        for message in found:
            message.state, message.holder, message.until = "leased", holder, now + length
            message.attempts += 1
            session.add(message)
        session.flush()
        session.expunge_all()
    return list(found)


def _mine(message: Message):
    return and_(
        _messages.c.id == message.id,
        _messages.c.state == "leased",
        _messages.c.holder == message.holder,
        _messages.c.attempts == message.attempts,
    )


def settle(session: Session, message: Message) -> bool:
    """Mark a leased message as done: sent, or left out; nothing will tell which. False when the lease was lost."""
    return session.execute(update(_messages).where(_mine(message)).values(**END)).rowcount == 1


def put_back(session: Session, message: Message, at: datetime, *, tried: bool) -> bool:
    """Give a leased message back for later. `tried`: it was handed to the other side, which counts as an attempt."""
    values: dict[str, Any] = {"state": "waiting", "due_at": at, "holder": None, "until": None}
    if not tried:
        values["attempts"] = message.attempts - 1
    return session.execute(update(_messages).where(_mine(message)).values(**values)).rowcount == 1


def give_up(session: Session, message: Message, address: str, reason: str) -> bool:
    """Mark a leased message as done and put its person on the list of those who got no mail."""
    if not settle(session, message):
        return False
    person = {"member_id": message.member_id, "account_id": message.account_id}
    session.execute(
        delete(DeadLetter.__table__).where(
            *(DeadLetter.__table__.c[name] == value for name, value in person.items() if value is not None),
            DeadLetter.__table__.c.round_id == message.round_id,
            DeadLetter.__table__.c.letter_id == message.letter_id,
        )
    )
    session.add(
        DeadLetter(
            body_id=message.body_id,
            round_id=message.round_id,
            letter_id=message.letter_id,
            address=address or "unknown",
            reason=reason[:300],
            **person,
        )
    )
    session.flush()
    return True


def wait(attempts: int) -> timedelta:
    """How long to wait after a failed attempt: twice as long each time, and spread, so that many do not come at once."""
    length = min(FIRST_WAIT * 2 ** (attempts - 1), LONGEST_WAIT)
    return length * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, keeps no secret


def rest_all(session: Session, until: datetime, reason: str) -> None:
    """Let nothing leave before an instant, in any process, and say why."""
    row = session.exec(select(MailClock).with_for_update()).one()
    row.next_at = max(row.next_at, until)
    row.trouble = reason[:300]
    session.add(row)


def all_is_well(session: Session) -> None:
    """Take the note of trouble off, after a mail has left."""
    session.execute(
        update(MailClock.__table__).where(MailClock.__table__.c.trouble.is_not(None)).values(trouble=None)
    )


def send_again(
    session: Session, round_id: int, *, member_id: int | None = None, account_id: int | None = None
) -> None:
    """Put a person's newest mail of a round back into the outbox. Raises `Conflict` when none is left to send."""
    who = (
        _messages.c.member_id == member_id if member_id is not None else _messages.c.account_id == account_id
    )
    newest = session.execute(
        select(_messages.c.id)
        .join(
            Mailing,
            and_(
                Mailing.round_id == _messages.c.round_id,
                Mailing.kind == _messages.c.kind,
                Mailing.number == _messages.c.number,
            ),
        )
        .where(who, _messages.c.round_id == round_id, _messages.c.state == "done")
        .order_by(Mailing.queued_at.desc(), Mailing.kind, Mailing.number.desc())
        .limit(1)
    ).scalar()
    if newest is None:
        raise Conflict(
            "There is no mail of this round left to send: it has closed, or is on its way already."
        )
    session.execute(
        update(_messages)
        .where(_messages.c.id == newest, _messages.c.state == "done")
        .values(state="waiting", due_at=clock.now())
    )


def send_letter_again(session: Session, letter_id: int, member_id: int) -> None:
    """Put a person's letter back into the outbox. Raises `Conflict` when it is not kept any more, or on its way."""
    found = session.execute(
        update(_messages)
        .where(
            _messages.c.letter_id == letter_id,
            _messages.c.member_id == member_id,
            _messages.c.state == "done",
        )
        .values(state="waiting", due_at=clock.now())
    )
    if found.rowcount == 0:
        raise Conflict("This message is not left to send: it is on its way already, or too old.")
