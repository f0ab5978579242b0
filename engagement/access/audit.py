"""The audit log: append-only, each line's hash covering the one before.

Changes, exports, views of results and refusals are in it, with who and when. Submissions never are, nor who took part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, or_, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from engagement import clock
from engagement.access.actor import Actor, Role
from engagement.errors import EngagementError, Invalid, NotFound
from engagement.models import Account, AccountRole, AuditEntry, AuditOnce, Body

FIRST = "0" * 64
# Held until commit on PostgreSQL, so that two writers cannot chain to the same line.
ADVISORY_LOCK = 7_305_121
PAGE = 1_000
READ_BY = (Role.LEAD, Role.AUDITOR)


def canonical(value: Any) -> str:
    """The one way to write a JSON value: sorted keys, no spaces, no escapes that need not be."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(data: str | bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


@dataclass(frozen=True)
class Line:
    """A line as it is exported. `content` is what its hash covers beside `previous`; None where it is withheld."""

    id: int
    previous: str
    hash: str
    content: dict[str, Any] | None

    def holds(self) -> bool:
        """Whether the content is what was hashed. A withheld one is taken on trust: only its place is known."""
        return self.content is None or sha256(self.previous + canonical(self.content)) == self.hash


@dataclass(frozen=True)
class Head:
    """A line's place and hash, to be noted outside the database."""

    id: int
    hash: str

    def __str__(self) -> str:
        return f"{self.id}:{self.hash}"

    @classmethod
    def parse(cls, words: str) -> Head:
        """A head as it was mailed, `line:hash`. Raises `Invalid`."""
        number, _, found = words.strip().partition(":")
        right = number.isascii() and number.isdigit() and len(number) < 19 and len(found) == 64
        if not right or set(found) - set("0123456789abcdef"):
            raise Invalid(
                "A head is the number of a line, a colon and 64 letters and digits, as it was mailed"
            )
        return cls(int(number), found)


@dataclass(frozen=True)
class Verdict:
    """What a check found: how many lines, the newest, and what is wrong with them, None when nothing is."""

    lines: int
    head: Head | None
    broken: int | None = None
    lost: Head | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.broken is None and self.lost is None

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.broken is not None:
            return (
                f"The audit log breaks at line {self.broken}: that line was changed or moved, or one before it was "
                "taken out. Keep the database as it is and tell the data protection officer."
            )
        if self.lost is not None:
            return (
                f"The audit log does not hold line {self.lost.id} as it was noted: lines were cut from its end, or "
                "all of it was written anew. Keep the database as it is and tell the data protection officer."
            )
        if self.head is None:
            return "The audit log is empty."
        return f"The audit log is whole: {self.lines:,} lines, the newest is line {self.head.id}."


def _content(at: datetime, actor: str, action: str, body: int | None, detail: Any) -> dict[str, Any]:
    """What a line's hash covers."""
    return {
        "at": at.astimezone(UTC).isoformat(),
        "actor": actor,
        "action": action,
        "body": body,
        "detail": detail,
    }


def record(
    session: Session, actor: Actor, action: str, body_id: int | None = None, **detail: Any
) -> AuditEntry:
    """Append a line. Never call it for a submission: who answered, or when, is not to be known."""
    if session.get_bind().dialect.name == "postgresql":
        session.exec(text("SELECT pg_advisory_xact_lock(:n)").bindparams(n=ADVISORY_LOCK))
    last = session.exec(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)).first()
    at, name, previous = clock.now(), actor.name[:120], last or FIRST
    entry = AuditEntry(
        body_id=body_id,
        at=at,
        actor=name,
        action=action,
        detail=detail,
        previous=previous,
        hash=sha256(previous + canonical(_content(at, name, action, body_id, detail))),
    )
    session.add(entry)
    session.flush()
    return entry


def record_once(session: Session, actor: Actor, action: str, body_id: int | None, **detail: Any) -> bool:
    """Append a line unless the same was recorded today (London's) of the same person; returns whether it was.

    For views and refusals, which a page that is drawn again and again would otherwise write without end.
    """
    day = clock.today()
    who = [actor.account_id, actor.name, action, body_id, detail]
    key = sha256(canonical([day.isoformat(), *who]))
    if session.get(AuditOnce, key) is not None:
        return False
    session.execute(delete(AuditOnce.__table__).where(AuditOnce.__table__.c.day < day))
    try:
        with session.begin_nested():
            session.add(AuditOnce(key=key, day=day))
    except IntegrityError:
        # Another tab of the same person was quicker.
        return False
    record(session, actor, action, body_id, **detail)
    return True


def seen_today(session: Session, actor: Actor, action: str, body_id: int | None, **detail: Any) -> bool:
    """Whether `record_once` would write nothing: asked while reading, so that most reruns take no lock."""
    who = [actor.account_id, actor.name, action, body_id, detail]
    return session.get(AuditOnce, sha256(canonical([clock.today().isoformat(), *who]))) is not None


def refused(session: Session, error: EngagementError, where: str) -> bool:
    """Record that somebody was refused, where an error is about that; once a day for each person and place."""
    refusal = error.refusal
    if refusal is None or session.get(Body, refusal.body_id) is None:
        return False
    return record_once(
        session,
        refusal.actor,
        "refused",
        refusal.body_id,
        where=where,
        needs=[role.value for role in refusal.roles],
    )


def _lines(session: Session, body_id: int | None = None) -> Iterator[Line]:
    """All lines in their order; of other bodies than `body_id`, where it is given, the hashes alone."""
    columns = (
        AuditEntry.id,
        AuditEntry.at,
        AuditEntry.actor,
        AuditEntry.action,
        AuditEntry.body_id,
        AuditEntry.detail,
        AuditEntry.previous,
        AuditEntry.hash,
    )
    query = select(*columns).order_by(AuditEntry.id).limit(PAGE)
    accounts = _accounts(session, body_id) if body_id is not None else frozenset()
    rows = session.exec(query).all()
    while rows:
        for number, at, actor, action, body, detail, previous, found in rows:
            shown = body_id is None or body == body_id or (body is None and _concerns(detail, accounts))
            yield Line(number, previous, found, _content(at, actor, action, body, detail) if shown else None)
        rows = session.exec(query.where(AuditEntry.id > rows[-1].id)).all()


def check(lines: Iterable[Line], noted: Head | None = None) -> Verdict:
    """Whether lines make one chain from the first on, and hold the line that was noted elsewhere."""
    count, last, held = 0, None, noted is None
    previous = FIRST
    for line in lines:
        if line.previous != previous or not line.holds() or (last is not None and line.id <= last.id):
            return Verdict(count, last, broken=line.id)
        count, last, previous = count + 1, Head(line.id, line.hash), line.hash
        held = held or last == noted
    return Verdict(count, last, lost=None if held else noted)


def check_all(session: Session, noted: Head | None = None) -> Verdict:
    """Check the whole log. For the command line, the worker, and verbs that have checked who asks."""
    return check(_lines(session), noted)


def verify(session: Session) -> int | None:
    """The id of the first line that was changed, moved, or had a line removed before it; None when the chain holds.

    Lines cut off at the end leave a shorter chain that holds: compare `head` with one noted elsewhere.
    """
    return check_all(session).broken


def head(session: Session) -> tuple[int, str] | None:
    """The newest line's id and hash, to be noted outside the database; None while the log is empty."""
    row = session.exec(select(AuditEntry.id, AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)).first()
    return (row[0], row[1]) if row else None


# --- for people -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """A line as a page shows it. `about` names the account that it is about, where it is about one."""

    id: int
    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]
    about: str | None


def entries(
    session: Session, actor: Actor, body_id: int, *, before: int | None = None, most: int = 100
) -> list[Entry]:
    """The newest lines of the body, before line `before` where given. For the auditor and the engagement lead.

    The auditor also sees when the body's accounts signed in and out, and changed their passwords.
    """
    actor.require(body_id, *READ_BY)
    names = _names(session, body_id)
    auditor = actor.may(body_id, Role.AUDITOR)
    mine = AuditEntry.body_id == body_id
    query = select(AuditEntry).where(or_(mine, AuditEntry.body_id.is_(None)) if auditor else mine)
    query = query.order_by(AuditEntry.id.desc()).limit(PAGE)
    found: list[Entry] = []
    rows = session.exec(query if before is None else query.where(AuditEntry.id < before)).all()
    while rows:
        for row in rows:
            if row.body_id is not None or _concerns(row.detail, names):
                about = names.get(row.detail.get("account"))
                found.append(Entry(row.id, row.at, row.actor, row.action, dict(row.detail), about))
                if len(found) == most:
                    return found
        rows = session.exec(query.where(AuditEntry.id < rows[-1].id)).all()
    return found


def inspect(session: Session, actor: Actor, body_id: int, noted: str = "") -> Verdict:
    """Check the whole log, against a head that was noted where given. For the auditor and the engagement lead.

    Raises `Invalid` for a head that is none.
    """
    actor.require(body_id, *READ_BY)
    return check_all(session, Head.parse(noted) if noted.strip() else None)


def newest(session: Session, actor: Actor, body_id: int) -> tuple[int, Head | None]:
    """How many lines there are, and the newest one's head. For the auditor and the engagement lead."""
    actor.require(body_id, *READ_BY)
    found = head(session)
    return session.exec(select(func.count()).select_from(AuditEntry)).one(), Head(*found) if found else None


def export(session: Session, actor: Actor, body_id: int) -> str:
    """The log as JSON lines: the body's own in full, of others' the hashes, so that the chain can be checked.

    For the auditor and the engagement lead; the lead's holds no sign-ins. Record it: this reads only.
    """
    actor.require(body_id, *READ_BY)
    auditor = actor.may(body_id, Role.AUDITOR)
    return "".join(
        _written(line, withhold=not auditor and line.content is not None and line.content["body"] is None)
        for line in _lines(session, body_id)
    )


def export_all(session: Session, actor: Actor) -> str:
    """The whole log as JSON lines. For the operator of the server."""
    if not actor.everything:
        raise NotFound("There is no such page or record for your account.")
    return "".join(_written(line) for line in _lines(session))


def _written(line: Line, *, withhold: bool = False) -> str:
    fields: dict[str, Any] = {"id": line.id, "previous": line.previous, "hash": line.hash}
    if line.content is not None and not withhold:
        fields["line"] = line.content
    return canonical(fields) + "\n"


def read_export(words: Iterable[str]) -> Iterator[Line]:
    """The lines of an exported file. Raises `Invalid` at the first that is none."""
    for number, row in enumerate(words, start=1):
        try:
            fields = json.loads(row)
            yield Line(int(fields["id"]), str(fields["previous"]), str(fields["hash"]), fields.get("line"))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Invalid(f"Line {number} of the file is not a line of an audit log") from None


def _names(session: Session, body_id: int) -> dict[int, str]:
    """The names of the accounts that have a role in the body."""
    return dict(
        session.exec(
            select(Account.id, Account.name)
            .join(AccountRole, AccountRole.account_id == Account.id)
            .where(AccountRole.body_id == body_id)
        ).all()
    )


def _accounts(session: Session, body_id: int) -> frozenset[int]:
    return frozenset(_names(session, body_id))


def _concerns(detail: Any, accounts: Iterable[int]) -> bool:
    """Whether a line without a body is about one of these accounts, as those of sign-in are."""
    return detail.get("account") in accounts
