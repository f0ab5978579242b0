"""Mail that came back: addresses that get no more, people whose address needs correcting, and whom a round reached.

A contact that failed says nothing of a member's mind, and is kept apart from not answering.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from email import message_from_bytes, policy

from sqlalchemy import insert
from sqlmodel import Session, func, select

from engagement.access import Actor, Role, audit
from engagement.errors import NotAllowed, NotFound
from engagement.messaging import outbox
from engagement.messaging.smtp import NO_SUCH_ADDRESS
from engagement.models import (
    Account,
    Bounce,
    Contact,
    DeadLetter,
    Mailing,
    Member,
    Round,
    RoundRoster,
)

# A full mailbox or a busy server this often in a row is as good as no mailbox.
SOFT_MOST = 5
_PARTS = 200


@dataclass(frozen=True)
class Bounced:
    """What a notice of non-delivery says of one address. `hard`: there is no such mailbox."""

    address: str
    hard: bool


@dataclass(frozen=True)
class Reached:
    """Of those invited from a practice, how many mail could reach. Who asked for no mail counts as reached."""

    invited: int
    reached: int

    @property
    def failed(self) -> int:
        """Contacts that failed: no address, one that bounces, or mail that could not be sent."""
        return self.invited - self.reached


@dataclass(frozen=True)
class Undeliverable:
    """A person on the roster whose address gets no mail."""

    member_id: int
    ref: str
    name: str | None
    address: str


def bounced(session: Session, actor: Actor, address: str, *, hard: bool) -> bool:
    """Note that mail to an address came back; False, and nothing noted, for an address that nobody here has.

    Hard: no mail goes there any more. Soft ones count as hard from the fifth on. For the operator and the worker.
    """
    if not actor.everything:
        raise NotAllowed("Bounces are taken at the command line only.")
    address = address.strip().lower()
    people = session.exec(
        select(func.count()).select_from(Member).where(func.lower(Member.email) == address)
    ).one()
    if not people and session.exec(select(Account.id).where(Account.email == address)).first() is None:
        return False
    row = session.get(Bounce, address) or Bounce(address=address)
    row.soft = 0 if hard else row.soft + 1
    row.hard = row.hard or hard or row.soft >= SOFT_MOST
    session.add(row)
    session.flush()
    # Who it is stays out of the log, which is kept for longer than the address.
    audit.record(session, actor, "mail.bounce", None, hard=row.hard, people=people)
    return True


def undeliverable(session: Session, actor: Actor, body_id: int) -> list[Undeliverable]:
    """The people of a body whose address gets no mail, in the order of the roster: for correcting it there."""
    actor.require(body_id, Role.LEAD)
    rows = session.exec(
        select(Member.id, Member.ref, Member.name, Member.email)
        .join(Bounce, Bounce.address == func.lower(Member.email))
        .where(Member.body_id == body_id, Bounce.hard == True)  # noqa: E712
        .order_by(Member.ref)
    ).all()
    return [Undeliverable(*row) for row in rows]


def deliver_again(session: Session, actor: Actor, body_id: int, member_id: int) -> None:
    """Take a person's address off the list, because mail arrives there after all. Raises `NotFound`."""
    actor.require(body_id, Role.LEAD)
    member = session.get(Member, member_id)
    row = session.get(Bounce, (member.email or "").lower()) if member and member.body_id == body_id else None
    if row is None:
        raise NotFound("Mail to this person is not held back.")
    session.delete(row)
    session.flush()
    audit.record(session, actor, "mail.deliver_again", body_id, member=member_id)


def deliverable(session: Session, round_id: int) -> dict[int, Reached]:
    """By practice id, how many of those invited mail could reach; empty for a round that was not mailed.

    Read live while the round is open, and from what was kept at its close after that.
    """
    kept = session.exec(select(Contact).where(Contact.round_id == round_id)).all()
    if kept:
        return {row.practice_id: Reached(row.invited, row.reached) for row in kept}
    if session.get(Mailing, (round_id, "invitation", 1)) is None:
        return {}
    return _count(session, round_id)


def _count(session: Session, round_id: int) -> dict[int, Reached]:
    rows = session.exec(
        select(RoundRoster.practice_id, Member.email, Bounce.hard, DeadLetter.id)
        .join(Member, Member.id == RoundRoster.member_id)
        .outerjoin(Bounce, Bounce.address == func.lower(Member.email))
        .outerjoin(
            DeadLetter,
            (DeadLetter.round_id == RoundRoster.round_id) & (DeadLetter.member_id == RoundRoster.member_id),
        )
        .where(RoundRoster.round_id == round_id, RoundRoster.practice_id.is_not(None))
    ).all()
    invited = Counter(practice_id for practice_id, *_ in rows)
    reached = Counter(
        practice_id for practice_id, email, hard, dead in rows if email and not hard and dead is None
    )
    return {
        practice_id: Reached(number, reached[practice_id]) for practice_id, number in sorted(invited.items())
    }


def keep_contacts(session: Session, round_: Round) -> None:
    """Keep the counts of a closed round for good, once."""
    if session.exec(select(Contact.round_id).where(Contact.round_id == round_.id).limit(1)).first():
        return
    rows = [
        {
            "round_id": round_.id,
            "practice_id": practice_id,
            "body_id": round_.body_id,
            "invited": found.invited,
            "reached": found.reached,
        }
        for practice_id, found in deliverable(session, round_.id).items()
    ]
    if rows:
        session.execute(insert(Contact.__table__), rows)


def read_notice(raw: bytes) -> list[Bounced]:
    """What a notice of non-delivery says, address by address; empty for any other mail. Source: RFC 3464.

    A mailbox that is full or a mail that was taken for spam is no hard bounce: the address is right.
    """
    message = message_from_bytes(raw, policy=policy.default)
    found: dict[str, bool] = {}
    for place, part in enumerate(message.walk()):
        if place >= _PARTS:
            break
        if part.get_content_type() != "message/delivery-status":
            continue
        for block in part.get_payload() if part.is_multipart() else ():
            recipient = str(block.get("Final-Recipient") or block.get("Original-Recipient") or "")
            address = recipient.rpartition(";")[2].strip().strip("<>").lower()
            # "delayed" is no bounce: the server is still trying.
            if "@" not in address or str(block.get("Action", "")).strip().lower() != "failed":
                continue
            said = f"{block.get('Status', '')} {block.get('Diagnostic-Code', '')}"
            found[address] = bool(NO_SUCH_ADDRESS.search(re.sub(r"\s+", " ", said)))
    return [Bounced(address, hard) for address, hard in found.items()]


def dead_letters(session: Session, actor: Actor, body_id: int) -> list[DeadLetter]:
    """People whom a mail could not be sent to, in the order of their addresses. Says neither which mail nor when."""
    actor.require(body_id, Role.LEAD)
    return list(
        session.exec(
            select(DeadLetter).where(DeadLetter.body_id == body_id).order_by(DeadLetter.address)
        ).all()
    )


def retry(session: Session, actor: Actor, body_id: int, letter_id: str) -> None:
    """Try the newest mail of a person on the list again. Raises `NotFound`, and `Conflict` when it is too late."""
    actor.require(body_id, Role.LEAD)
    letter = session.get(DeadLetter, letter_id)
    if letter is None or letter.body_id != body_id:
        raise NotFound("This mail is not on the list any more.")
    if letter.letter_id is not None:
        outbox.send_letter_again(session, letter.letter_id, letter.member_id)
    else:
        outbox.send_again(session, letter.round_id, member_id=letter.member_id, account_id=letter.account_id)
    session.delete(letter)
    session.flush()
    audit.record(session, actor, "mail.retry", body_id)
