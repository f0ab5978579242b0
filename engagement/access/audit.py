"""The audit log: append-only, each line's hash covering the one before."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, select

from engagement import clock
from engagement.access.actor import Actor
from engagement.models import AuditEntry

FIRST = "0" * 64
# Held until commit on PostgreSQL, so that two writers cannot chain to the same line.
ADVISORY_LOCK = 7_305_121


def canonical(value: Any) -> str:
    """The one way to write a JSON value: sorted keys, no spaces, no escapes that need not be."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(data: str | bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def _digest(entry: AuditEntry) -> str:
    line = {
        "at": entry.at.astimezone(UTC).isoformat(),
        "actor": entry.actor,
        "action": entry.action,
        "body": entry.body_id,
        "detail": entry.detail,
    }
    return sha256(entry.previous + canonical(line))


def record(
    session: Session, actor: Actor, action: str, body_id: int | None = None, **detail: Any
) -> AuditEntry:
    """Append a line. Never call it for a submission: who answered, or when, is not to be known."""
    if session.get_bind().dialect.name == "postgresql":
        session.exec(text("SELECT pg_advisory_xact_lock(:n)").bindparams(n=ADVISORY_LOCK))
    last = session.exec(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)).first()
    entry = AuditEntry(
        body_id=body_id,
        at=clock.now(),
        actor=actor.name[:120],
        action=action,
        detail=detail,
        previous=last or FIRST,
        hash="",
    )
    entry.hash = _digest(entry)
    session.add(entry)
    session.flush()
    return entry


def verify(session: Session) -> int | None:
    """The id of the first line that was changed, moved, or had a line removed before it; None when the chain holds.

    Lines cut off at the end leave a shorter chain that holds: compare `head` with one noted elsewhere.
    """
    previous = FIRST
    for entry in session.exec(select(AuditEntry).order_by(AuditEntry.id)):
        if entry.previous != previous or entry.hash != _digest(entry):
            return entry.id
        previous = entry.hash
    return None


def head(session: Session) -> tuple[int, str] | None:
    """The newest line's id and hash, to be noted outside the database; None while the log is empty."""
    row = session.exec(select(AuditEntry.id, AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)).first()
    return (row[0], row[1]) if row else None
