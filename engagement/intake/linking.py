"""Linking a person to their panel code: one asks, another approves, the auditor is told, and only while the key lives.

A panel code joins a person's answers in adjacent rounds and says nothing of the person without the round's panel key,
which is destroyed when the next round closes. After that the honest answer is that nobody can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session, func, select

from engagement import clock
from engagement.access import Actor, Role, audit, notices
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.intake import links
from engagement.intake.keys import Keys
from engagement.models import Account, Body, CodeLink, Member, Round, RoundRoster

APPROVERS = (Role.LEAD, Role.GOVERNING)
READ_BY = (*APPROVERS, Role.AUDITOR)
# How long a request may be approved, and an approved one opened.
LASTS = timedelta(days=14)
REASON_LIMIT = 300
GONE = (
    "The key of this round's panel codes was destroyed when a later round closed. Nobody can connect its answers to "
    "people any more, and we cannot either: tell the person so (UK GDPR, Article 11)."
)
ELSEWHERE = (
    "The key of this round's panel codes is not in the key folder of this process. Where the worker runs under a user "
    "of its own, ask the operator; if it is not there either, nobody can connect the answers to people."
)


@dataclass(frozen=True)
class Request:
    """A request as the page shows it. `state`: waiting, approved, opened, refused or lapsed."""

    id: int
    round: int
    ref: str
    reason: str
    asked_by: str
    asked_at: datetime
    approved_by: str | None
    state: str


@dataclass(frozen=True)
class Linked:
    """A person's code in a round: in the answers of that round as `panel_now`, of the next as `panel_before`."""

    round: int
    ref: str
    code: str


def possible(session: Session, actor: Actor, keys: Keys, body_id: int) -> list[int]:
    """The numbers of the rounds whose panel key lives, so that a code can be linked."""
    actor.require(body_id, *READ_BY)
    rounds = session.exec(
        select(Round)
        .where(
            Round.body_id == body_id,
            Round.tier == "confidential",
            Round.state.in_(("mixed", "released")),
        )
        .order_by(Round.number)
    ).all()
    return [round_.number for round_ in rounds if keys.holds_panel(body_id, round_.number)]


def ask(
    session: Session, actor: Actor, keys: Keys, body_id: int, *, number: int, ref: str, reason: str
) -> CodeLink:
    """Ask for a person's code in a closed confidential round. For the engagement lead; tells the auditor.

    Raises `Conflict` while the round is open, where the key is gone, and where there is no auditor to tell.
    """
    actor.require(body_id, Role.LEAD)
    account_id = _person(actor)
    reason = " ".join(reason.split())
    if not reason or len(reason) > REASON_LIMIT or not reason.isprintable():
        raise Invalid(f"Say why, in at most {REASON_LIMIT} characters")
    round_ = _round(session, keys, body_id, number)
    member = session.exec(
        select(Member)
        .join(RoundRoster, RoundRoster.member_id == Member.id)
        .where(RoundRoster.round_id == round_.id, Member.body_id == body_id, Member.ref == ref.strip())
    ).first()
    if member is None:
        raise NotFound("Nobody with this number was on the roster of that round.")
    row = CodeLink(
        body_id=body_id,
        round_id=round_.id,
        member_id=member.id,
        reason=reason,
        asked_by=account_id,
        asked_at=clock.now(),
    )
    session.add(row)
    session.flush()
    audit.record(session, actor, "link.ask", body_id, request=row.id, round=number, member=member.ref)
    told = _tell(
        session,
        row,
        "asked",
        f"{actor.name} asks to link member {member.ref} to their panel code of round {number}. Reason given: {reason}",
    )
    if not told:
        raise Conflict(
            "There is no auditor to be told of this. Let somebody be given the role of auditor first."
        )
    return row


def approve(session: Session, actor: Actor, request_id: int) -> None:
    """Be the second person to approve. For another engagement lead or the governing body; tells the auditor."""
    row = _own(session, actor, request_id, *APPROVERS)
    account_id = _person(actor)
    if account_id == row.asked_by:
        raise Conflict("A second person must approve this: you asked for it yourself.")
    _still(row.asked_at)
    if row.approved_by is not None or row.refused_by is not None:
        raise Conflict("This request is decided already.")
    _change(session, row, approved_by=account_id, approved_at=clock.now())
    audit.record(session, actor, "link.approve", row.body_id, request=row.id)
    if not _tell(session, row, "approved", f"{actor.name} approved request {row.id} to link a panel code."):
        raise Conflict("There is no auditor to be told of this any more.")


def refuse(session: Session, actor: Actor, request_id: int) -> None:
    """Stop a request that was not opened. For the auditor too: being told would else come too late."""
    row = _own(session, actor, request_id, *READ_BY)
    account_id = _person(actor)
    if row.opened_at is not None or row.refused_by is not None:
        raise Conflict("This request was opened or refused already.")
    _change(session, row, refused_by=account_id, refused_at=clock.now())
    audit.record(session, actor, "link.refuse", row.body_id, request=row.id)
    _tell(session, row, "refused", f"{actor.name} refused request {row.id} to link a panel code.")


def open_code(session: Session, actor: Actor, keys: Keys, request_id: int) -> Linked:
    """The code, for the two who asked and approved, each time with a line in the audit log; tells the auditor.

    Raises `Conflict` before the second approval and when it has lapsed or the key is gone.
    """
    row = _own(session, actor, request_id, *APPROVERS)
    if _person(actor) not in (row.asked_by, row.approved_by):
        raise Conflict("Only the two people who asked for this and approved it can open it.")
    if row.refused_by is not None:
        raise Conflict("This request was refused.")
    if row.approved_by is None:
        raise Conflict("A second person must approve this first.")
    _still(row.approved_at)
    number = session.exec(select(Round.number).where(Round.id == row.round_id)).one()
    _round(session, keys, row.body_id, number)
    ref = session.exec(select(Member.ref).where(Member.id == row.member_id)).one()
    code = links.panel_code(keys.panel(row.body_id, number), row.member_id)
    if row.opened_at is None:
        _change(session, row, opened_at=clock.now())
    audit.record(session, actor, "link.open", row.body_id, request=row.id)
    told = _tell(session, row, "opened", f"{actor.name} opened the panel code of request {row.id}.")
    if not told:
        raise Conflict("There is no auditor to be told of this any more.")
    return Linked(number, ref, code)


def requests(session: Session, actor: Actor, body_id: int) -> list[Request]:
    """All requests of the body, newest first. For the engagement lead, the governing body and the auditor."""
    actor.require(body_id, *READ_BY)
    names = dict(session.exec(select(Account.id, Account.name)).all())
    rows = session.exec(
        select(CodeLink, Round.number, Member.ref)
        .join(Round, Round.id == CodeLink.round_id)
        .join(Member, Member.id == CodeLink.member_id)
        .where(CodeLink.body_id == body_id)
        .order_by(CodeLink.id.desc())
    ).all()
    return [
        Request(
            row.id,
            number,
            ref,
            row.reason,
            names[row.asked_by],
            row.asked_at,
            names.get(row.approved_by),
            _state(row),
        )
        for row, number, ref in rows
    ]


def _state(row: CodeLink) -> str:
    if row.refused_by is not None:
        return "refused"
    if clock.now() - (row.approved_at or row.asked_at) > LASTS:
        return "opened" if row.opened_at is not None else "lapsed"
    if row.opened_at is not None:
        return "opened"
    return "waiting" if row.approved_by is None else "approved"


def _person(actor: Actor) -> int:
    """The actor's account: a shell on the server is nobody in particular, and could be both people."""
    if actor.account_id is None:
        raise NotAllowed("Only somebody who signed in with an account of their own can do this.")
    return actor.account_id


def _own(session: Session, actor: Actor, request_id: int, *roles: Role) -> CodeLink:
    row = session.get(CodeLink, request_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such page or record for your account.")
    actor.require(row.body_id, *roles)
    return row


def _still(since: datetime) -> None:
    if clock.now() - since > LASTS:
        raise Conflict(f"This has lapsed: more than {LASTS.days} days have passed. Ask again.")


def _round(session: Session, keys: Keys, body_id: int, number: int) -> Round:
    """The round, closed and with its panel key alive; otherwise `Conflict` with the honest answer."""
    round_ = session.exec(select(Round).where(Round.body_id == body_id, Round.number == number)).first()
    if round_ is None:
        raise NotFound("There is no such round.")
    if round_.tier != "confidential":
        raise Conflict("Only a confidential round has panel codes.")
    if round_.state not in ("mixed", "released"):
        raise Conflict("Nothing can be linked before the round has closed and its answers are mixed.")
    if not keys.holds_panel(body_id, number):
        later = session.exec(
            select(func.count())
            .select_from(Round)
            .where(
                Round.body_id == body_id,
                Round.number > number,
                Round.tier == "confidential",
                Round.keys_destroyed_at.is_not(None),
            )
        ).one()
        raise Conflict(GONE if later else ELSEWHERE)
    return round_


def _change(session: Session, row: CodeLink, **values) -> None:
    """Set columns of a request nobody else has decided meanwhile."""
    table = CodeLink.__table__
    changed = session.execute(
        update(table)
        .where(table.c.id == row.id, *(table.c[name].is_(None) for name in values))
        .values(**values)
    ).rowcount
    if changed != 1:
        raise Conflict("This request was decided in the meantime.")
    session.refresh(row)


def _tell(session: Session, row: CodeLink, step: str, text: str) -> int:
    body = session.get(Body, row.body_id)
    return notices.tell(
        session,
        row.body_id,
        "linking",
        f"{row.id} {step}",
        f"{body.name}: a panel code and a person",
        f"{text}\n\nYou are told because you are the auditor. The page Panel codes has all requests; you can refuse "
        "one there until it is opened.",
    )
