"""Whether a mail is still wanted, and what it needs to be written. Asked when it is leased, and again as it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, func, select

from engagement import clock
from engagement.access import Role
from engagement.errors import EngagementError
from engagement.intake import links
from engagement.intake.keys import Keys
from engagement.models import (
    Account,
    AccountRole,
    Body,
    Bounce,
    Letter,
    Member,
    Message,
    OptOut,
    Participation,
    Round,
    RoundAmendment,
    RoundRoster,
)

ROLES = {"results": (Role.GOVERNING, Role.COUNCIL), "widened": (Role.LEAD,)}
# These ask for an answer, and are not wanted any more once there is one.
ASKING = ("invitation", "reminder", "link")
BEFORE_CLOSE = (*ASKING, "amendment")


class Held(EngagementError):
    """The round of a mail is paused: the mail is wanted, but not now."""


@dataclass(frozen=True)
class Recipient:
    """A person who is to get a mail, and the round or letter that it is about. `token` opens the answer form; it is never
    stored."""

    address: str
    person: str
    body: Body
    round: Round | None
    member_id: int | None
    account_id: int | None
    token: str | None = None
    letter: Letter | None = None


def find(session: Session, keys: Keys, message: Message, *, real: bool) -> Recipient | None:
    """Who is to get a message of a round, None when it is not wanted: the person, the round or the address has moved on.

    `real`: the mail would reach a mailbox; invented people of a demo are then left out.
    Raises `Unsafe` when the round's link key is not on this machine, and `Held` while the round is paused.
    """
    body = session.get(Body, message.body_id)
    if real and body.is_demo:
        return None
    if message.member_id is None:
        return _account(session, message, body)
    return _member(session, keys, message, body)


def is_open(round_: Round, now: datetime) -> bool:
    """Whether the round takes answers at an instant."""
    return round_.state == "open" and round_.opens_at <= now < round_.closes_at


def _member(session: Session, keys: Keys, message: Message, body: Body) -> Recipient | None:
    found = session.exec(
        select(Round, RoundRoster.generation, Member.name, Member.email, OptOut.scope, Bounce.hard)
        .join(RoundRoster, RoundRoster.round_id == Round.id)
        .join(Member, Member.id == RoundRoster.member_id)
        .outerjoin(OptOut, OptOut.member_id == Member.id)
        .outerjoin(Bounce, Bounce.address == func.lower(Member.email))
        .where(Round.id == message.round_id, RoundRoster.member_id == message.member_id)
    ).first()
    if found is None:
        return None
    round_, generation, name, email, scope, hard = found
    if not email or hard or scope == "all" or (scope == "reminders" and message.kind == "reminder"):
        return None
    token = None
    if round_.state == "open" and round_.paused_at is not None:
        raise Held("The round is paused.")
    if round_.state == "cancelled":
        if not tells_of_cancelling(session, message):
            return None
    elif message.kind in BEFORE_CLOSE:
        if not is_open(round_, clock.now()):
            return None
        token = links.token(keys.link(round_.public_id), round_.public_id, message.member_id, generation)
        if message.kind in ASKING and not _unused(session, round_.id, token):
            return None
    elif round_.state != "released":
        return None
    return Recipient(email, name or "colleague", body, round_, message.member_id, None, token)


def tells_of_cancelling(session: Session, message: Message) -> bool:
    """Whether a mail tells its reader that the round was cancelled."""
    if message.kind != "amendment":
        return False
    amendment = session.get(RoundAmendment, (message.round_id, message.number))
    return amendment is not None and amendment.kind == "cancelled"


def _unused(session: Session, round_id: int, token: str) -> bool:
    used = session.exec(
        select(Participation.used).where(
            Participation.round_id == round_id, Participation.link_hash == links.link_hash(token)
        )
    ).first()
    return used is False


def _account(session: Session, message: Message, body: Body) -> Recipient | None:
    account = session.exec(
        select(Account)
        .join(AccountRole, AccountRole.account_id == Account.id)
        .where(
            Account.id == message.account_id,
            Account.disabled == False,  # noqa: E712
            AccountRole.body_id == body.id,
            AccountRole.role.in_([role.value for role in ROLES[message.kind]]),
        )
    ).first()
    round_ = session.get(Round, message.round_id)
    if account is None or round_.state != "released":
        return None
    bounce = session.get(Bounce, account.email)
    if bounce is not None and bounce.hard:
        return None
    return Recipient(account.email, account.name, body, round_, None, account.id)
