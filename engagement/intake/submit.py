"""Taking an answer: the link is marked used and the sealed answer stored in one transaction, or neither."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import and_, insert, select, update
from sqlmodel import Session

from engagement import clock
from engagement.intake import links, sealing
from engagement.intake.sheet import Sheet
from engagement.models import Participation, Round, SealedAnswer, random_id

_participation = Participation.__table__
_sealed = SealedAnswer.__table__
_round = Round.__table__
# Only what the doors and the intake need; a promise is read whole once and then kept.
_COLUMNS = (
    _round.c.id,
    _round.c.state,
    _round.c.tier,
    _round.c.opens_at,
    _round.c.closes_at,
    _round.c.promise_hash,
    _round.c.public_key,
    _round.c.box_size,
)


class DoorState(StrEnum):
    """What a link opens."""

    READY = "ready"
    USED = "used"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"
    NOT_OPEN = "not open"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """What became of a submitted answer."""

    STORED = "stored"
    ALREADY = "already received"
    USED = "used"
    CLOSED = "closed"
    NOT_OPEN = "not open"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Door:
    """What stands behind a link. `form` is the practice's name, in the practice-view tier only."""

    state: DoorState
    promise: dict[str, Any] | None = None
    form: str | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    can_withdraw: bool = False
    promise_hash: str | None = None


@lru_cache(maxsize=64)
def _parsed(promise_hash: str, promise: str) -> dict[str, Any]:
    return json.loads(promise)


def _promise(session: Session, row) -> dict[str, Any]:
    text = session.execute(select(_round.c.promise).where(_round.c.id == row.id)).scalar_one()
    return _parsed(row.promise_hash, text)


def _find(session: Session, public_id: str, *, lock: bool = False):
    query = select(*_COLUMNS).where(_round.c.public_id == public_id)
    if lock:
        # Shared between answers, exclusive against closing: an answer committed after the close is counted
        # would be lost. SQLite has the whole database to itself already.
        query = query.with_for_update(read=True)
    return session.execute(query).first()


def _phase(row, now: datetime) -> DoorState:
    """Whether the round takes answers at an instant: [opens, closes) while it is open."""
    if row is None or row.state in ("draft", "launching"):
        return DoorState.UNKNOWN
    if row.state != "open" or now >= row.closes_at:
        return DoorState.CLOSED
    return DoorState.NOT_OPEN if now < row.opens_at else DoorState.READY


def _entry(session: Session, round_id: int, value: str):
    return session.execute(
        select(_participation).where(
            _participation.c.round_id == round_id, _participation.c.link_hash == links.link_hash(value)
        )
    ).first()


def look(session: Session, public_id: str, value: str) -> Door:
    """What a link opens now. Reads only; after close every well-formed link of the round is simply closed."""
    value = links.well_formed(value)
    row = _find(session, public_id)
    phase = _phase(row, clock.now())
    if value is None or phase is DoorState.UNKNOWN:
        return Door(DoorState.UNKNOWN)
    known = {
        "opens_at": row.opens_at,
        "closes_at": row.closes_at,
        "promise": _promise(session, row),
        "promise_hash": row.promise_hash,
    }
    if phase is DoorState.CLOSED:
        return Door(phase, **known)
    entry = _entry(session, row.id, value)
    if entry is None:
        return Door(DoorState.UNKNOWN)
    known["form"] = entry.form
    if phase is DoorState.NOT_OPEN:
        return Door(phase, **known)
    if entry.withdrawn:
        return Door(DoorState.WITHDRAWN, **known)
    if entry.used:
        return Door(DoorState.USED, can_withdraw=row.tier == "confidential", **known)
    return Door(DoorState.READY, **known)


def submit(session: Session, public_id: str, value: str, sheet: Sheet, idem_key: str) -> Outcome:
    """Take an answer. Say "thank you" only after the caller's commit, and only for STORED or ALREADY.

    `idem_key` is the form's own random key: the same form sent twice is answered ALREADY, another form USED.
    Raises the database's errors (locked, disk full), in which case nothing was stored.
    """
    value = links.well_formed(value)
    row = _find(session, public_id, lock=True)
    phase = _phase(row, clock.now())
    if value is None or phase is DoorState.UNKNOWN:
        return Outcome.UNKNOWN
    entry = _entry(session, row.id, value)
    if entry is not None and entry.used:
        if entry.idem_key == idem_key[:64]:
            return Outcome.ALREADY
        return Outcome.CLOSED if phase is DoorState.CLOSED else Outcome.USED
    if phase is DoorState.CLOSED:
        return Outcome.CLOSED
    if entry is None:
        return Outcome.UNKNOWN
    if phase is DoorState.NOT_OPEN:
        return Outcome.NOT_OPEN
    box, tag = sealing.seal_answer(
        row.public_key,
        row.box_size,
        standing=entry.standing,
        answers=sheet.answers,
        comments=sheet.comments,
        practice_may_use=sheet.practice_may_use and row.tier == "confidential",
    )
    # Only the confidential tier may take an answer back; elsewhere the tag's hash would be a needless join.
    withdraw_hash = hashlib.sha256(tag.encode()).hexdigest() if row.tier == "confidential" else None
    marked = session.execute(
        update(_participation)
        .where(
            and_(
                _participation.c.round_id == row.id,
                _participation.c.link_hash == entry.link_hash,
                _participation.c.used.is_(False),
            )
        )
        .values(used=True, idem_key=idem_key[:64], withdraw_hash=withdraw_hash)
    )
    if marked.rowcount != 1:
        # Another request used the link between our look and our mark; it commits before we can see which.
        entry = _entry(session, row.id, value)
        return Outcome.ALREADY if entry is not None and entry.idem_key == idem_key[:64] else Outcome.USED
    session.execute(insert(_sealed).values(id=random_id(), round_id=row.id, box=box))
    return Outcome.STORED


def withdraw(session: Session, public_id: str, value: str) -> bool:
    """Take an answer back, until close, in the confidential tier. Final; the answer is dropped at the mix."""
    value = links.well_formed(value)
    row = _find(session, public_id, lock=True)
    if value is None or row is None or row.tier != "confidential":
        return False
    if _phase(row, clock.now()) is not DoorState.READY:
        return False
    changed = session.execute(
        update(_participation)
        .where(
            and_(
                _participation.c.round_id == row.id,
                _participation.c.link_hash == links.link_hash(value),
                _participation.c.used.is_(True),
                _participation.c.withdrawn.is_(False),
            )
        )
        .values(withdrawn=True)
    )
    return changed.rowcount == 1
