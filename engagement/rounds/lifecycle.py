"""What happens to an open round besides answers: it is extended, paused, resumed or cancelled, and it is watched.

The promise never changes. Each change is an amendment beside it: a row that the database refuses to change, whose
content holds the hash of the promise or of the amendment before, so that none can be left out or put in later.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete
from sqlmodel import Session, func, select

from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.access.audit import canonical, sha256
from engagement.db import Database
from engagement.errors import Conflict, Invalid
from engagement.intake import mix
from engagement.intake.keys import Keys
from engagement.messaging import outbox, planner
from engagement.models import (
    DeadLetter,
    MailClock,
    Mailing,
    Message,
    Round,
    RoundAmendment,
    RoundRoster,
    SealedAnswer,
)
from engagement.roster.text import clean
from engagement.rounds.verbs import find

VERSION = 1
LONGEST_REASON = 300
# A later year typed by mistake would hold every answer back for a year.
LONGEST_EXTENSION = timedelta(days=90)


@dataclass(frozen=True)
class Amendment:
    """One change to an open round. `closes_at` is None once it is cancelled; `hash` is the SHA-256 of `content`."""

    number: int
    kind: str
    at: datetime
    closed_before: datetime
    closes_at: datetime | None
    reason: str
    hash: str
    content: str


@dataclass(frozen=True)
class Coming:
    """Something that will happen by itself, `at` an instant, or as soon as it can be when None."""

    at: datetime | None
    what: str


@dataclass(frozen=True)
class Mailed:
    """A kind of mail of a round: `people` it is for, and how many of them still `wait`.

    Both are to the nearest 5 for reminders, which go to those who have not answered.
    """

    kind: str
    number: int
    queued_at: datetime
    people: int
    wait: int


@dataclass(frozen=True)
class Live:
    """How an open round stands, save how many have answered: that one count is `engagement.releases.read.status`'s.

    `undelivered`: people whom some mail of the round did not reach. `trouble`: what holds all mail up.
    """

    invited: int
    paused_at: datetime | None
    mailed: tuple[Mailed, ...]
    undelivered: int
    trouble: str | None
    coming: tuple[Coming, ...]
    amendments: tuple[Amendment, ...]


# The verbs.


def extend(
    session: Session, actor: Actor, round_id: int, closes_at: datetime, *, reason: str = ""
) -> Amendment:
    """Let a round close later than it would, and tell everybody who was invited.

    Raises `Invalid` for a time that is not later, or much later, and `Conflict` when the round is not open, its
    closing time has passed, or it is paused.
    """
    round_ = _open(session, actor, round_id)
    if clock.now() >= round_.closes_at:
        raise Conflict(f"The closing time of round {round_.number} has passed: it cannot be moved any more.")
    if round_.paused_at is not None:
        raise Conflict(
            "Resume the round first: everybody is told of a new closing time, and no mail leaves now."
        )
    if closes_at <= round_.closes_at:
        raise Invalid(
            f"A round can only close later. Choose a time after {clock.show_instant(round_.closes_at)}."
        )
    if closes_at > round_.closes_at + LONGEST_EXTENSION:
        raise Invalid(
            f"Choose a time at most {LONGEST_EXTENSION.days} days after {clock.show_instant(round_.closes_at)}: "
            "nobody sees a result before."
        )
    made = _amend(session, actor, round_, "extended", closes_at, reason)
    round_.closes_at = closes_at
    session.add(round_)
    _announce(session, round_, made)
    return made


def pause(session: Session, actor: Actor, round_id: int, *, reason: str = "") -> Amendment:
    """Hold all mail of a round back until `resume`. Members can answer all the same, and the round closes in time.

    Raises `Conflict` when the round is not open or is paused already.
    """
    round_ = _open(session, actor, round_id)
    if round_.paused_at is not None:
        raise Conflict(f"Round {round_.number} is paused already.")
    made = _amend(session, actor, round_, "paused", round_.closes_at, reason)
    round_.paused_at = made.at
    session.add(round_)
    return made


def resume(session: Session, actor: Actor, round_id: int) -> Amendment:
    """Let mail leave again; what became due meanwhile leaves now. Raises `Conflict` when the round is not paused."""
    round_ = _open(session, actor, round_id)
    if round_.paused_at is None:
        raise Conflict(f"Round {round_.number} is not paused.")
    made = _amend(session, actor, round_, "resumed", round_.closes_at, "")
    round_.paused_at = None
    session.add(round_)
    return made


def cancel(session: Session, actor: Actor, round_id: int, *, reason: str) -> Amendment:
    """End a round for good without opening an answer, and tell everybody who was invited, with the reason.

    The worker destroys the key and the sealed answers next. The number is not used again. Raises `Invalid` without
    a reason, and `Conflict` unless the round is open or about to be.
    """
    round_ = _open(session, actor, round_id, also="launching")
    if not clean(reason):
        raise Invalid("Say why the round is cancelled: everybody who was invited reads it.")
    made = _amend(session, actor, round_, "cancelled", None, reason)
    round_.state, round_.closed_at, round_.paused_at, round_.trouble = "cancelled", made.at, None, None
    session.add(round_)
    _announce(session, round_, made)
    return made


def _open(session: Session, actor: Actor, round_id: int, *, also: str = "open") -> Round:
    """The round, locked, if it is in a state that can be amended."""
    round_ = find(session, actor, round_id, Role.LEAD)
    # Read anew under the lock: two leads, or a lead and the worker, must not act on the same past.
    session.refresh(round_, with_for_update=True)
    if round_.state not in ("open", also):
        raise Conflict(f"Round {round_.number} is not open.")
    return round_


def _amend(
    session: Session, actor: Actor, round_: Round, kind: str, closes_at: datetime | None, reason: str
) -> Amendment:
    reason = clean(reason)
    if len(reason) > LONGEST_REASON:
        raise Invalid(f"Give the reason in at most {LONGEST_REASON} characters.")
    before = amendments(session, round_)
    at = clock.now()
    content = canonical(
        {
            "version": VERSION,
            "round": round_.public_id,
            "number": len(before) + 1,
            "kind": kind,
            "at": _iso(at),
            "closes_at": {"from": _iso(round_.closes_at), "to": closes_at and _iso(closes_at)},
            "reason": reason,
            "previous": before[-1].hash if before else round_.promise_hash,
        }
    )
    row = RoundAmendment(
        round_id=round_.id,
        number=len(before) + 1,
        body_id=round_.body_id,
        kind=kind,
        content=content,
        content_hash=sha256(content),
        created_at=at,
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor,
        f"round.{kind}",
        round_.body_id,
        round=round_.number,
        amendment=row.number,
        hash=row.content_hash,
    )
    return _read(row)


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()


def _announce(session: Session, round_: Round, made: Amendment) -> None:
    """Mail everybody, unless nobody has heard of the round by mail: then the invitation will say how things are."""
    if session.get(Mailing, (round_.id, "invitation", 1)) is not None:
        outbox.queue(session, round_, "amendment", made.number)


# What was amended.


def amendments(session: Session, round_: Round) -> tuple[Amendment, ...]:
    """The amendments of a round in their order. Raises `Conflict` when they do not follow from its promise."""
    rows = session.exec(
        select(RoundAmendment).where(RoundAmendment.round_id == round_.id).order_by(RoundAmendment.number)
    ).all()
    verify(round_.promise_hash, rows)
    return tuple(_read(row) for row in rows)


def verify(promise_hash: str | None, rows: list[RoundAmendment]) -> None:
    """Raise `Conflict` unless each row is what its hash says, and follows the one before and the first the promise."""
    previous = promise_hash
    for number, row in enumerate(rows, 1):
        kept = json.loads(row.content)
        whole = sha256(row.content) == row.content_hash and row.kind == kept["kind"]
        if not whole or kept["previous"] != previous or not row.number == kept["number"] == number:
            raise Conflict(
                f"Amendment {number} of this round does not match its hash. Tell the data protection officer."
            )
        previous = row.content_hash


def told(session: Session, public_id: str) -> tuple[Amendment, ...]:
    """The amendments of the round that a link is for, as its members are told of them."""
    rows = session.exec(
        select(RoundAmendment)
        .join(Round, Round.id == RoundAmendment.round_id)
        .where(Round.public_id == public_id)
        .order_by(RoundAmendment.number)
    ).all()
    return tuple(_read(row) for row in rows)


def printed(session: Session, round_: Round) -> list[dict[str, Any]]:
    """The amendments of a round as its release holds them: each as it was hashed, with its hash."""
    return [json.loads(made.content) | {"hash": made.hash} for made in amendments(session, round_)]


def _read(row: RoundAmendment) -> Amendment:
    kept = json.loads(row.content)
    closes = kept["closes_at"]
    return Amendment(
        number=row.number,
        kind=row.kind,
        at=row.created_at,
        closed_before=datetime.fromisoformat(closes["from"]),
        closes_at=datetime.fromisoformat(closes["to"]) if closes["to"] else None,
        reason=kept["reason"],
        hash=row.content_hash,
        content=row.content,
    )


# The worker's part of a cancellation.


def destroy(database: Database, keys: Keys, round_id: int) -> bool:
    """Destroy a cancelled round's keys and sealed answers, unopened; False when it must be called again.

    The keys go first: from then on nobody can open an answer, wherever a copy of it may be. The panel key of the
    round before stays, for the next round's codes follow on from that. May be repeated after a crash anywhere.
    """
    with database.reading() as session:
        round_ = session.get(Round, round_id)
    if round_.state != "cancelled":
        raise Conflict("Only the answers of a cancelled round are destroyed unopened.")
    keys.destroy_round(round_.public_id)
    keys.destroy_panel(round_.body_id, round_.number)
    with database.session() as session:
        session.execute(delete(SealedAnswer.__table__).where(SealedAnswer.__table__.c.round_id == round_id))
    if not mix.scrub(database):
        return False
    mix.record_keys_destroyed(database, round_id)
    return True


# The live view.


def live(session: Session, actor: Actor, round_id: int, *, mail: bool = True) -> Live:
    """How an open round stands and what happens to it next. For the engagement lead.

    `mail`: whether this installation sends any.
    """
    round_ = find(session, actor, round_id, Role.LEAD)
    return Live(
        invited=session.exec(
            select(func.count()).select_from(RoundRoster).where(RoundRoster.round_id == round_.id)
        ).one(),
        paused_at=round_.paused_at,
        mailed=_mailed(session, round_.id),
        undelivered=session.exec(
            select(func.count()).select_from(DeadLetter).where(DeadLetter.round_id == round_.id)
        ).one(),
        trouble=session.exec(select(MailClock.trouble)).first() if mail else None,
        coming=coming(session, round_, mail=mail),
        amendments=amendments(session, round_),
    )


def _mailed(session: Session, round_id: int) -> tuple[Mailed, ...]:
    waiting = {
        (kind, number): count
        for kind, number, count in session.exec(
            select(Message.kind, Message.number, func.count())
            .where(Message.round_id == round_id, Message.state != "done")
            .group_by(Message.kind, Message.number)
        ).all()
    }
    rows = session.exec(
        select(Mailing).where(Mailing.round_id == round_id).order_by(Mailing.queued_at, Mailing.kind)
    ).all()
    out = []
    for row in rows:
        wait = waiting.get((row.kind, row.number), 0)
        if row.kind == "reminder":
            # A row waits for everybody who was invited, of whom only those who have not answered are mailed.
            wait = min(outbox.nearest_5(wait), row.people)
        out.append(Mailed(row.kind, row.number, row.queued_at, row.people, wait))
    return tuple(out)


def coming(session: Session, round_: Round, *, mail: bool) -> tuple[Coming, ...]:
    """What will happen to a round by itself, the next first."""
    now = clock.now()
    out = []
    if round_.state == "launching":
        out.append(Coming(None, "The personal links are made, and the round opens at its time"))
    mailed = planner.mailed(session, round_.id)
    invited = ("invitation", 1) in mailed
    if round_.opens_at > now:
        out.append(Coming(round_.opens_at, "The round opens" + ("; invitations leave" if mail else "")))
    elif mail and not invited and round_.paused_at is None:
        out.append(Coming(None, "Invitations leave"))
    if mail and round_.paused_at is None:
        at = planner.next_reminder(session, round_, mailed)
        if at is not None:
            number = planner.next_reminder_number(mailed)
            what = f"Reminder {number} leaves, to those who have not answered"
            out.append(Coming(at, what) if at > now else Coming(None, f"{what}, in working hours"))
    out.append(
        Coming(
            round_.closes_at,
            "The round closes. The answers are opened together, mixed and checked, and the results published",
        )
    )
    return tuple(out)
