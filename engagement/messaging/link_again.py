"""Asking for one's link again: the page stores what was typed, and the worker sees whether anybody has that address.

So a known and an unknown address are answered in the same words, after the same work.
"""

from __future__ import annotations

from sqlmodel import Session, func, select

from engagement import clock
from engagement.db import Database
from engagement.errors import Conflict, Invalid
from engagement.models import LinkRequest, Member, Message, Round, RoundRoster
from engagement.roster.text import clean, parse_email

# Of one round, for one member: anybody can type their address.
MOST = 5
MOST_WAITING = 500


def ask(session: Session, address: str) -> None:
    """Keep an address to look at. Raises `Invalid` for what is no address, and `Conflict` when too many wait."""
    try:
        address = parse_email(clean(address)).lower()
    except ValueError:
        raise Invalid("Enter an e-mail address in the correct format, like name@example.org") from None
    waiting = session.exec(select(func.count()).select_from(LinkRequest)).one()
    if waiting >= MOST_WAITING:
        raise Conflict("Too many people ask just now. Try again in ten minutes.")
    session.add(LinkRequest(address=address))


def answer(database: Database) -> int:
    """Queue the link of everybody who asked and is invited to an open round; returns how many asked."""
    with database.reading() as session:
        if session.exec(select(LinkRequest.id).limit(1)).first() is None:
            return 0
    with database.session() as session:
        asked = session.exec(select(LinkRequest).with_for_update()).all()
        for address in {request.address for request in asked}:
            _queue(session, address)
        for request in asked:
            session.delete(request)
        return len(asked)


def _queue(session: Session, address: str) -> None:
    found = session.exec(
        select(Round, RoundRoster.member_id)
        .join(RoundRoster, RoundRoster.round_id == Round.id)
        .join(Member, Member.id == RoundRoster.member_id)
        .where(Round.state == "open", func.lower(Member.email) == address)
    ).all()
    for round_, member_id in found:
        row = session.exec(
            select(Message).where(
                Message.round_id == round_.id, Message.kind == "link", Message.member_id == member_id
            )
        ).first()
        if row is None:
            row = Message(
                body_id=round_.body_id, round_id=round_.id, kind="link", number=0, member_id=member_id
            )
            row.state = "done"
        if row.state == "done" and row.number < MOST:
            # One row, counted up: each asking is another mail, and none of them leaves a time.
            row.state, row.number, row.due_at = "waiting", row.number + 1, clock.now()
            session.add(row)
