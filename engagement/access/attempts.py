"""Rate limits on signing in, kept in the database: a restart forgives nothing, and several processes count together.

What is counted stands there under an HMAC whose key is a file: neither a network nor an address can be read from it.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, text
from sqlmodel import Session, func, select

from engagement import clock
from engagement.models import SignInAttempt, random_id

KEPT = timedelta(days=1)
_rows = SignInAttempt.__table__


@dataclass(frozen=True)
class Limit:
    """At most `most` attempts in any stretch of `window`, which is a day at most. `name` keeps limits apart."""

    name: str
    most: int
    window: timedelta


class Attempts:
    """Counts attempts.

    Parameters
    ----------
    key : 32 bytes, the key of the hashes.
    """

    def __init__(self, key: bytes):
        self._key = key

    def _hash(self, limit: Limit, who: tuple[str, ...]) -> str:
        # Lengths first, so that two lists of parts never make one text.
        parts = "".join(f"{len(part)}:{part}" for part in (limit.name, *who))
        return hmac.digest(self._key, parts.encode("utf-8", "replace"), "sha256").hex()

    def take(self, session: Session, *counted: tuple[Limit, tuple[str, ...]]) -> list[str] | None:
        """Count one attempt under each limit and return what `give_back` takes; None, uncounted, where one is full.

        Counted before it is known how the attempt goes: of many at once, no more than the limit are let through.
        """
        now = clock.now()
        session.execute(delete(_rows).where(_rows.c.at < now - KEPT))
        hashes = {self._hash(limit, who): limit for limit, who in counted}
        for found in sorted(hashes):
            if session.get_bind().dialect.name == "postgresql":
                # In one order for all, held until commit. SQLite has one writer at a time anyway.
                session.exec(text("SELECT pg_advisory_xact_lock(:n)").bindparams(n=int(found[:15], 16)))
            used = session.exec(
                select(func.count())
                .select_from(SignInAttempt)
                .where(SignInAttempt.key_hash == found, SignInAttempt.at > now - hashes[found].window)
            ).one()
            if used >= hashes[found].most:
                return None
        taken = [SignInAttempt(id=random_id(), key_hash=found, at=now) for found in sorted(hashes)]
        session.add_all(taken)
        session.flush()
        return [row.id for row in taken]

    def give_back(self, session: Session, taken: list[str]) -> None:
        """Uncount an attempt that did well: a surgery where forty sign in from one network is no attack."""
        session.execute(delete(_rows).where(_rows.c.id.in_(taken)))

    def forget(self, session: Session, limit: Limit, who: tuple[str, ...]) -> None:
        """Forget what was counted under a limit."""
        session.execute(delete(_rows).where(_rows.c.key_hash == self._hash(limit, who)))
