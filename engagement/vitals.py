"""How the installation is: when the worker was last seen, how long mail waits, disk, schema, last backup."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from sqlalchemy import and_, or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from engagement import clock, db
from engagement.config import Config
from engagement.db import Database
from engagement.messaging import outbox
from engagement.models import AuditEntry, Lease, Round

# The worker opens, mixes and releases; the post mails. A step of either may take minutes.
JOBS = ("worker", "post")
BEAT = timedelta(seconds=30)
SILENT = timedelta(minutes=10)
MAIL_LATE = timedelta(hours=4)
FEWEST_BYTES = 200_000_000
BACKUP_OLD = timedelta(days=8)
LIVE = ("launching", "open", "closing", "mixed")


class Heart:
    """Says from time to time that a job is alive: at most every `BEAT`, so that an idle system writes little."""

    def __init__(self, database: Database, job: str, holder: str):
        self._database, self._name, self._holder = database, f"{job} alive", holder
        self._next: datetime | None = None

    def beat(self) -> None:
        """Write down that the job is alive, unless it has just been."""
        now = clock.now()
        # A clock that was set back must not silence it for as long as it was set back.
        if self._next is not None and self._next - BEAT <= now < self._next:
            return
        # Two that are the first at once: either says it.
        with suppress(IntegrityError), self._database.session() as session:
            moved = session.execute(
                update(Lease).where(Lease.name == self._name).values(holder=self._holder, until=now)
            )
            if moved.rowcount == 0:
                session.add(Lease(name=self._name, holder=self._holder, until=now))
        self._next = now + BEAT


@cache
def _newest_schema() -> str:
    return db.head()


def seen(session: Session, job: str) -> datetime | None:
    """When a job last said that it is alive, None when it never did."""
    return session.exec(select(Lease.until).where(Lease.name == f"{job} alive")).first()


@dataclass(frozen=True)
class Vitals:
    """What an operator watches. Times are instants, None where there is nothing to tell.

    `needed`: something waits for the worker or will. `oldest_mail`: since when the mail that was due first waits.
    `last_backup`: of the folder of backups; None on PostgreSQL, whose backups are made outside.
    `since`: the first line of the audit log.
    """

    now: datetime
    schema: str | None
    newest_schema: str
    worker: datetime | None
    post: datetime | None
    needed: bool
    oldest_mail: datetime | None
    bytes_free: int
    last_backup: datetime | None
    since: datetime | None
    is_sqlite: bool
    mails: bool

    @property
    def schema_is_newest(self) -> bool:
        """Whether the database is at this version's schema."""
        return self.schema == self.newest_schema

    @property
    def worker_is_well(self) -> bool:
        """Whether the worker, and where mail is on the post, were seen lately, or nothing needs them."""
        beats = (self.worker, self.post) if self.mails else (self.worker,)
        return not self.needed or all(at is not None and self.now - at <= SILENT for at in beats)

    @property
    def mail_is_well(self) -> bool:
        """Whether no mail has waited for long."""
        return self.oldest_mail is None or self.now - self.oldest_mail <= MAIL_LATE

    @property
    def disk_is_well(self) -> bool:
        """Whether there is room: without it, answers could not be recorded."""
        return self.bytes_free >= FEWEST_BYTES

    @property
    def backup_is_well(self) -> bool:
        """Whether there is a backup of late, or nothing old enough to need one."""
        if not self.is_sqlite or self.since is None or self.now - self.since <= BACKUP_OLD:
            return True
        return self.last_backup is not None and self.now - self.last_backup <= BACKUP_OLD


def take(database: Database, config: Config) -> Vitals:
    """Look at everything. Raises SQLAlchemy's errors when the database cannot be reached."""
    schema, newest = db.revision(database), _newest_schema()
    folder = config.data if config.data.exists() else config.data.parent
    found = {
        "now": clock.now(),
        "schema": schema,
        "newest_schema": newest,
        "bytes_free": shutil.disk_usage(folder).free,
        "last_backup": _last_backup(config) if database.is_sqlite else None,
        "is_sqlite": database.is_sqlite,
        "mails": config.mail.way != "off",
    }
    if schema != newest:
        # Tables may be other than this version knows them.
        return Vitals(**found, worker=None, post=None, needed=False, oldest_mail=None, since=None)
    with database.reading() as session:
        oldest = outbox.oldest(session) if config.mail.way != "off" else None
        undestroyed = and_(Round.state == "cancelled", Round.keys_destroyed_at.is_(None))
        live = session.exec(select(Round.id).where(or_(Round.state.in_(LIVE), undestroyed)).limit(1)).first()
        return Vitals(
            **found,
            worker=seen(session, "worker"),
            post=seen(session, "post"),
            needed=live is not None or oldest is not None,
            oldest_mail=oldest,
            since=session.exec(select(AuditEntry.at).order_by(AuditEntry.id).limit(1)).first(),
        )


def _last_backup(config: Config) -> datetime | None:
    times = [path.stat().st_mtime for path in config.backups.glob("engagement-*.sqlite*")]
    return datetime.fromtimestamp(max(times), UTC) if times else None
