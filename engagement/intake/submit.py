"""Taking an answer: the link is marked used and the sealed answer stored in one transaction, or neither.

Statements are built once here: building them for every answer cost more than all else in this file.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, Connection, Select, and_, bindparam, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from engagement import clock
from engagement.access.audit import sha256
from engagement.intake import links, sealing
from engagement.intake.sheet import Sheet
from engagement.models import Participation, Round, SealedAnswer
from engagement.models.base import random_key

# SQLAlchemy's connection, or on SQLite the driver's own.
Connected = Connection | sqlite3.Connection


class _Statement:
    """A statement for both databases, built once.

    On SQLite it goes to the driver itself: SQLAlchemy costs more there than the statement does.
    """

    def __init__(self, statement):
        dialect = sqlite.dialect(paramstyle="named")
        compiled = statement.compile(dialect=dialect)
        self._statement = statement
        self._sql, self._constants = str(compiled), compiled.params
        columns = statement.selected_columns if isinstance(statement, Select) else {}
        self._row = namedtuple("_Row", columns.keys())._make
        # Only for what SQLite has no type for; its 0 and 1 are false and true as they are.
        self._readers = [
            (place, read)
            for place, column in enumerate(columns)
            if not isinstance(column.type, Boolean)
            and (read := column.type.dialect_impl(dialect).result_processor(dialect, None))
        ]

    def first(self, connection: Connected, values: dict[str, Any]):
        """The first row, or None."""
        driver = _driver(connection)
        if driver is None:
            return connection.execute(self._statement, values).first()
        found = self._on(driver, values).fetchone()
        if found is None:
            return None
        if self._readers:
            found = list(found)
            for place, read in self._readers:
                found[place] = read(found[place])
        return self._row(found)

    def change(self, connection: Connected, values: dict[str, Any]) -> int:
        """Change or add rows; returns how many."""
        driver = _driver(connection)
        changed = connection.execute(self._statement, values) if driver is None else self._on(driver, values)
        return changed.rowcount

    def _on(self, driver: sqlite3.Connection, values: dict[str, Any]) -> sqlite3.Cursor:
        try:
            return driver.execute(self._sql, self._constants | values)
        except sqlite3.Error as error:
            # Without the values: whoever logs an error must not log a link's hash.
            raise DBAPIError.instance(self._sql, None, error, sqlite3.Error) from error


def _driver(connection: Connected) -> sqlite3.Connection | None:
    """SQLite's own connection beneath a connection, None on PostgreSQL."""
    if not isinstance(connection, sqlite3.Connection):
        connection = connection.connection.driver_connection
    return connection if isinstance(connection, sqlite3.Connection) else None


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
_this_link = and_(
    _participation.c.round_id == bindparam("of_round"), _participation.c.link_hash == bindparam("of_link")
)
_this_round = select(*_COLUMNS).where(_round.c.public_id == bindparam("public_id"))
_FIND = _Statement(_this_round)
# Shared between answers, exclusive against closing: an answer committed after the close is counted would be lost.
# SQLite has the whole database to itself already.
_FIND_AND_LOCK = _Statement(_this_round.with_for_update(read=True))
_PROMISE = _Statement(select(_round.c.promise).where(_round.c.id == bindparam("round_id")))
_ENTRY = _Statement(
    select(
        _participation.c.link_hash,
        _participation.c.used,
        _participation.c.withdrawn,
        _participation.c.idem_key,
        _participation.c.form,
        _participation.c.standing,
    ).where(_this_link)
)
_MARK = _Statement(
    update(_participation)
    .where(_this_link, _participation.c.used.is_(False))
    .values(used=True, idem_key=bindparam("key"), withdraw_hash=bindparam("tag_hash"))
)
_STORE = _Statement(insert(_sealed))


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
class Ticket:
    """What sealing an answer needs of an unused link: nothing in it says whose link it is."""

    round_id: int
    link_hash: str
    tier: str
    public_key: bytes
    box_size: int
    standing: bytes


@dataclass(frozen=True)
class Sealed:
    """An answer sealed for one link of one round. `withdraw_hash` is set where the tier allows withdrawal."""

    round_id: int
    link_hash: str
    box: bytes
    withdraw_hash: str | None


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


PROMISES_KEPT = 64
_promises: OrderedDict[str, dict[str, Any]] = OrderedDict()


def _promise(connection: Connected, row) -> dict[str, Any]:
    """The round's promise, read and parsed once: its hash says that it is the same."""
    found = _promises.get(row.promise_hash)
    if found is None:
        text = _PROMISE.first(connection, {"round_id": row.id}).promise
        found = json.loads(text)
        if sha256(text) == row.promise_hash:
            _promises[row.promise_hash] = found
            while len(_promises) > PROMISES_KEPT:
                _promises.popitem(last=False)
    return found


def _find(connection: Connected, public_id: str, *, lock: bool = False):
    return (_FIND_AND_LOCK if lock else _FIND).first(connection, {"public_id": public_id})


def _once(connection: Connected, public_id: str, rounds: dict[str, Any], *, lock: bool):
    """A round, read once in a transaction that takes many answers."""
    if public_id not in rounds:
        rounds[public_id] = _find(connection, public_id, lock=lock)
    return rounds[public_id]


def _phase(row, now: datetime) -> DoorState:
    """Whether the round takes answers at an instant: [opens, closes) while it is open."""
    if row is None or row.state in ("draft", "launching"):
        return DoorState.UNKNOWN
    if row.state != "open" or now >= row.closes_at:
        return DoorState.CLOSED
    return DoorState.NOT_OPEN if now < row.opens_at else DoorState.READY


def _entry(connection: Connected, round_id: int, link_hash: str):
    return _ENTRY.first(connection, {"of_round": round_id, "of_link": link_hash})


def look(session: Session, public_id: str, value: str) -> Door:
    """What a link opens now. Reads only; after close every well-formed link of the round is simply closed."""
    connection = session.connection()
    value = links.well_formed(value)
    row = _find(connection, public_id)
    phase = _phase(row, clock.now())
    if value is None or phase is DoorState.UNKNOWN:
        return Door(DoorState.UNKNOWN)
    known = {
        "opens_at": row.opens_at,
        "closes_at": row.closes_at,
        "promise": _promise(connection, row),
        "promise_hash": row.promise_hash,
    }
    if phase is DoorState.CLOSED:
        return Door(phase, **known)
    entry = _entry(connection, row.id, links.link_hash(value))
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


def _ticket(row, entry) -> Ticket:
    return Ticket(row.id, entry.link_hash, row.tier, row.public_key, row.box_size, entry.standing)


def seal(ticket: Ticket, sheet: Sheet) -> Sealed:
    """Seal a sheet for a link. Needs no database, and so is done before one is locked."""
    box, tag = sealing.seal_answer(
        ticket.public_key,
        ticket.box_size,
        standing=ticket.standing,
        answers=sheet.answers,
        comments=sheet.comments,
        practice_may_use=sheet.practice_may_use and ticket.tier == "confidential",
    )
    # Only the confidential tier may take an answer back; elsewhere the tag's hash would be a needless join.
    withdraw_hash = hashlib.sha256(tag.encode()).hexdigest() if ticket.tier == "confidential" else None
    return Sealed(ticket.round_id, ticket.link_hash, box, withdraw_hash)


def prepare(
    connection: Connected,
    public_id: str,
    value: str,
    sheet: Sheet,
    idem_key: str,
    rounds: dict[str, Any] | None = None,
) -> Sealed | Outcome:
    """Seal an answer for a link that is ready, or say what else would become of it. Reads only.

    So that the sealing, which takes the longest, is done before a transaction for writing begins.
    `rounds` keeps what was read of a round for the other answers of the same transaction.
    """
    judged = _judge(connection, public_id, value, idem_key, rounds=rounds)
    return seal(judged, sheet) if isinstance(judged, Ticket) else judged


def _judge(
    connection: Connected,
    public_id: str,
    value: str,
    idem_key: str,
    *,
    lock: bool = False,
    rounds: dict[str, Any] | None = None,
) -> Ticket | Outcome:
    """A ticket where an answer can be taken now, else what is to be said of it."""
    value = links.well_formed(value)
    row = _once(connection, public_id, {} if rounds is None else rounds, lock=lock)
    phase = _phase(row, clock.now())
    if value is None or phase is DoorState.UNKNOWN:
        return Outcome.UNKNOWN
    entry = _entry(connection, row.id, links.link_hash(value))
    if entry is not None and entry.used:
        if entry.idem_key == idem_key[:64]:
            return Outcome.ALREADY
        return Outcome.CLOSED if phase is DoorState.CLOSED else Outcome.USED
    if phase is DoorState.CLOSED:
        return Outcome.CLOSED
    if entry is None:
        return Outcome.UNKNOWN
    return Outcome.NOT_OPEN if phase is DoorState.NOT_OPEN else _ticket(row, entry)


def submit(session: Session, public_id: str, value: str, sheet: Sheet, idem_key: str) -> Outcome:
    """Take an answer. Say "thank you" only after the caller's commit, and only for STORED or ALREADY.

    `idem_key` is the form's own random key: the same form sent twice is answered ALREADY, another form USED.
    Raises the database's errors (locked, disk full), in which case nothing was stored.
    """
    connection = session.connection()
    rounds: dict[str, Any] = {}
    judged = _judge(connection, public_id, value, idem_key, lock=True, rounds=rounds)
    if isinstance(judged, Outcome):
        return judged
    return take(connection, public_id, value, idem_key, seal(judged, sheet), rounds)


def take(
    connection: Connected,
    public_id: str,
    value: str,
    idem_key: str,
    sealed: Sealed,
    rounds: dict[str, Any],
) -> Outcome:
    """Take an answer that `prepare` sealed, as `submit` does.

    Whether the round takes answers and the link is unused is decided here, whatever was seen before. `rounds` is
    empty when a transaction for writing begins, and holds the rounds that it has locked.
    """
    row = _once(connection, public_id, rounds, lock=True)
    ready = _phase(row, clock.now()) is DoorState.READY and row.id == sealed.round_id
    if ready and _mark_and_store(connection, sealed, idem_key):
        return Outcome.STORED
    # The round closed in between, or another request used the link: it has committed before we can see which.
    judged = _judge(connection, public_id, value, idem_key)
    return judged if isinstance(judged, Outcome) else Outcome.USED


def _mark_and_store(connection: Connected, sealed: Sealed, idem_key: str) -> bool:
    """Use the link and store the box, or neither: False when the link is not there to be used."""
    mark = {
        "of_round": sealed.round_id,
        "of_link": sealed.link_hash,
        "key": idem_key[:64],
        "tag_hash": sealed.withdraw_hash,
    }
    if _MARK.change(connection, mark) != 1:
        return False
    _STORE.change(connection, {"id": random_key(), "round_id": sealed.round_id, "box": sealed.box})
    return True


def withdraw(session: Session, public_id: str, value: str) -> bool:
    """Take an answer back, until close, in the confidential tier. Final; the answer is dropped at the mix."""
    value = links.well_formed(value)
    row = _find(session.connection(), public_id, lock=True)
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
