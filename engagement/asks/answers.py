"""What the body says to asks, what it says is done, and what of this all members read."""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import Session, select

from engagement import clock
from engagement.access import READERS, Actor, Role, audit
from engagement.access.audit import sha256
from engagement.asks import ledger, topics
from engagement.errors import Conflict, Invalid, NotFound
from engagement.intake.sheet import clean_text
from engagement.models import Ask, AskReply, PublishedAction

TEXT_LIMIT = 1000
WHY_LIMIT = 300
SAID_LIMIT, DID_LIMIT = 300, 600


def answer(
    session: Session,
    actor: Actor,
    ask_id: int,
    verdict: str,
    why: str,
    *,
    due_on: date | None = None,
    at: datetime | None = None,
) -> None:
    """Answer an ask with "yes", "part" or "no", and why; the last answer counts. Only the engagement lead answers.

    `due_on`: by when it means to be done. `at`: when it was said, where that was not now. Raises `Invalid`, and `Conflict` where the ask was taken back.
    """
    row = ledger.one(session, actor, ask_id, Role.LEAD)
    if verdict not in ledger.ANSWERS:
        raise Invalid("Choose yes, in part or no")
    text = _text(why, TEXT_LIMIT, "why")
    if due_on is not None and verdict == "no":
        raise Invalid("A no has no day by which it is done: leave the day empty")
    if due_on is not None and due_on < clock.today():
        raise Invalid(f"{clock.show_date(due_on)} is over: choose a day to come, or none")
    _reply(session, actor, row, verdict, text, due_on, at)


def mark_done(session: Session, actor: Actor, ask_id: int, what: str, *, at: datetime | None = None) -> None:
    """Say what was done about an ask that was answered with yes or in part; those who asked rate it then.

    To take it back, answer the ask anew. Only the engagement lead does. Raises `Invalid` and `Conflict`.
    """
    row = ledger.one(session, actor, ask_id, Role.LEAD)
    state = ledger.read(session, row.body_id, ask_id=ask_id)[0].state
    if state not in ("yes", "part"):
        raise Conflict("Answer the ask with yes or in part first: only then can it be done.")
    _reply(session, actor, row, ledger.DONE, _text(what, TEXT_LIMIT, "what was done"), None, at)


def _reply(
    session: Session,
    actor: Actor,
    row: Ask,
    kind: str,
    text: str,
    due_on: date | None,
    at: datetime | None,
) -> None:
    if row.withdrawn_at is not None:
        raise Conflict("The practice has taken this ask back. There is nothing to answer.")
    session.add(
        AskReply(
            body_id=row.body_id,
            ask_id=row.id,
            kind=kind,
            text=text,
            due_on=due_on,
            replied_by=actor.name[:200],
            replied_at=at or clock.now(),
        )
    )
    session.flush()
    audit.record(session, actor, "ask.reply", row.body_id, ask=row.id, kind=kind, text=sha256(text))


def hide(session: Session, actor: Actor, ask_id: int, why: str) -> None:
    """Take an ask off all members' pages, with a reason that the practice reads; council and leaders still read the ask.

    For what must not stand in public, such as a patient's name. Only the engagement lead does.
    """
    row = ledger.one(session, actor, ask_id, Role.LEAD)
    row.hidden_why = _text(why, WHY_LIMIT, "the reason")
    row.hidden_at = clock.now()
    row.compared = False
    session.add(row)
    session.flush()
    audit.record(session, actor, "ask.hide", row.body_id, ask=row.id, why=row.hidden_why)


def show(session: Session, actor: Actor, ask_id: int) -> None:
    """Put a hidden ask back on the members' pages."""
    row = ledger.one(session, actor, ask_id, Role.LEAD)
    if row.hidden_at is None:
        return
    row.hidden_at, row.hidden_why, row.compared = None, "", False
    session.add(row)
    session.flush()
    audit.record(session, actor, "ask.show", row.body_id, ask=row.id)


def publish_action(session: Session, actor: Actor, body_id: int, *, said: str, did: str) -> int:
    """Tell all members what was done about something that they said, in a round or elsewhere; returns its id."""
    actor.require(body_id, Role.LEAD)
    row = PublishedAction(
        body_id=body_id,
        said=" ".join(_text(said, SAID_LIMIT, "what members said").split()),
        did=_text(did, DID_LIMIT, "what was done"),
        published_by=actor.name[:200],
        published_at=clock.now(),
    )
    session.add(row)
    session.flush()
    audit.record(session, actor, "action.publish", body_id, published=row.id, text=sha256(row.did))
    return row.id


def actions(session: Session, actor: Actor, body_id: int) -> list[PublishedAction]:
    """What was published besides asks, newest first."""
    actor.require(body_id, *READERS)
    return list(
        session.exec(
            select(PublishedAction)
            .where(PublishedAction.body_id == body_id, PublishedAction.removed_at.is_(None))
            .order_by(PublishedAction.id.desc())
        )
    )


def remove_action(session: Session, actor: Actor, action_id: int) -> None:
    """Take a published action off again; the log keeps that it was there."""
    row = session.get(PublishedAction, action_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such action.")
    actor.require(row.body_id, Role.LEAD)
    if row.removed_at is None:
        row.removed_at = clock.now()
        session.add(row)
        session.flush()
        audit.record(session, actor, "action.remove", row.body_id, published=row.id)


def _text(text: str, limit: int, what: str) -> str:
    text = clean_text(text)
    if not topics.written(text):
        raise Invalid(f"Enter {what}")
    if len(text) > limit:
        raise Invalid(f"Shorten {what} to {limit:,} characters. It has {len(text):,}")
    return text
