"""Copies of the database, and putting one back. Keys are in none: that is what makes old copies harmless."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import make_url
from sqlmodel import Session, select

from engagement import clock, db
from engagement.access import Actor, audit
from engagement.config import Config
from engagement.db import Database
from engagement.errors import Conflict, EngagementError, Invalid, NotFound
from engagement.intake.keys import Keys
from engagement.models import Lease, Round

# States in which answers are still sealed, so that the round is lost without its keys.
SEALED = ("open", "closing")
# A worker that runs says so every half a minute.
QUIET = timedelta(seconds=90)
HEAD = b"PGDMP"


@dataclass(frozen=True)
class Restored:
    """What putting a copy back came to. `lost`: numbers of rounds whose answers nobody can open any more."""

    schema: str
    lost: tuple[int, ...]
    audit_is_whole: bool
    kept: Path | None


def open_rounds(session: Session) -> list[int]:
    """The numbers of the rounds whose answers a copy made now could not give back by itself."""
    return list(session.exec(select(Round.number).where(Round.state.in_(SEALED)).order_by(Round.number)))


def back_up(database: Database, folder: Path) -> Path:
    """Copy the database, while it is in use, to a dated file that only its owner can read. Raises `EngagementError`."""
    if database.is_sqlite:
        return db.backup_sqlite(database, folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"engagement-{clock.now():%Y%m%dT%H%M%S%f}.dump"
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        _run(database, "pg_dump", "--format=custom", f"--file={target}")
    except EngagementError:
        target.unlink()
        raise
    return target


def restore(database: Database, actor: Actor, config: Config, file: Path) -> Restored:
    """Put a copy in the place of the database, which is copied first. At the command line only; commits by itself.

    Raises `Invalid` for a file that is no whole copy of a database of ours, `Conflict` while a worker runs.
    """
    if not actor.everything:
        raise NotFound("There is no such page or record for your account.")
    if not file.is_file():
        raise Invalid(f"There is no file {file}.")
    _check(database, file)
    with database.reading() as session:
        seen = session.exec(select(Lease.until).where(Lease.name.in_(("worker alive", "post alive")))).all()
    if any(clock.now() - at < QUIET for at in seen):
        raise Conflict("A worker is running: stop the app and the worker, wait two minutes, and try again.")
    kept = back_up(database, config.backups)
    if database.is_sqlite:
        _put_back(database, file)
    else:
        database.dispose()
        _run(
            database,
            "pg_restore",
            "--clean",
            "--if-exists",
            "--no-owner",
            "--no-privileges",
            "--single-transaction",
            "--exit-on-error",
            str(file),
        )
    db.migrate(database)
    keys = Keys(config.keys)
    with database.session() as session:
        rounds = session.exec(select(Round).where(Round.state.in_(SEALED)).order_by(Round.number)).all()
        lost = tuple(round_.number for round_ in rounds if not keys.holds_round(round_.public_id))
        whole = audit.verify(session) is None
        audit.record(session, actor, "restore", None, file=file.name, lost=list(lost))
    return Restored(db.revision(database), lost, whole, kept)


def _check(database: Database, file: Path) -> None:
    """Raise `Invalid` unless a file is a whole copy for this database."""
    with file.open("rb") as start:
        head = start.read(16)
    if not database.is_sqlite:
        if not head.startswith(HEAD):
            raise Invalid(f"{file.name} is no copy made by pg_dump -Fc.")
        _run(database, "pg_restore", "--list", str(file), connect=False)
        return
    if not head.startswith(b"SQLite format 3\0"):
        raise Invalid(f"{file.name} is no SQLite database.")
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        try:
            said = connection.execute("PRAGMA integrity_check").fetchone()[0]
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.DatabaseError as error:
            raise Invalid(f"{file.name} is damaged, or no database of this product: {error}") from None
    if said != "ok" or found is None:
        raise Invalid(f"{file.name} is damaged: {said}")
    if not db.knows(found[0]):
        raise Invalid(f"{file.name} is of a newer version (schema {found[0]}): run that one.")


def _put_back(database: Database, file: Path) -> None:
    """Replace the SQLite file by a copy of another, whole or not at all."""
    database.dispose()
    fresh = database.path.with_name(database.path.name + ".restoring")
    shutil.copyfile(file, fresh)
    os.chmod(fresh, 0o600)
    with fresh.open("rb") as written:
        os.fsync(written.fileno())
    for end in ("-wal", "-shm"):
        database.path.with_name(database.path.name + end).unlink(missing_ok=True)
    os.replace(fresh, database.path)


def _run(database: Database, program: str, *arguments: str, connect: bool = True) -> None:
    """Run one of PostgreSQL's programs; the password goes by its environment, where no process list shows it."""
    path = shutil.which(program)
    if path is None:
        raise Invalid(f"{program} is not installed: install PostgreSQL's client programs.")
    url = make_url(database.url)
    where = url.set(drivername="postgresql", password=None).render_as_string()
    password = {"PGPASSWORD": url.password} if url.password else {}
    done = subprocess.run(  # noqa: S603 - full path, no shell, arguments of ours
        [path, *arguments, *([f"--dbname={where}"] if connect else [])],
        env=os.environ | password,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise EngagementError(f"{program} failed and nothing was changed: {done.stderr.strip()[:500]}")
