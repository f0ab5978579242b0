"""Faults at a chosen moment: before any SQL statement, around any commit, and at any operation on a key file."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import event

from engagement.intake import keys as keys_module
from engagement.worker import Worker


class Death(BaseException):
    """The process is gone. Not an `Exception`: nothing may catch it and carry on."""


class Faults:
    """Counts the moments at which the worker can be stopped, and stops it at some of them.

    Moments are counted apart for each kind of step (the opening, the mix, the scrub and the keys, the release,
    the deletion of links, and the lease around each), so that one life of a round can be stopped once in each.
    Two ways to stop: `dies` (every later statement of this life fails too, so that nothing is tidied up: the
    lease stays taken) and `fails` (one operation raises as a full disk would, and the process lives on).

    Attributes
    ----------
    moments : by kind of step, what was about to happen at each moment until the first stop in it.
    struck : by kind of step, the moment at which it was stopped.
    """

    def __init__(self):
        self.moments: dict[str, list[str]] = {}
        self.struck: dict[str, str] = {}
        self.armed = False
        self._at: int | None = None
        self._dead = False
        self._way = "dies"
        self._kind = "lease at first"
        self._only = ""

    @property
    def kinds(self) -> dict[str, int]:
        """How many moments each kind of step has."""
        return {kind: len(seen) for kind, seen in self.moments.items()}

    def begin(self, at: int | None, way: str = "dies", only: str = "") -> None:
        """Start a life that is stopped at the `at`-th moment (from 1) of each kind of step, or never when None.

        With `only`, no moments count but those whose words start so, and those of all steps together.
        """
        self._only = only
        self.moments, self.struck = {}, {}
        self._at, self._way, self._dead = at, way, False
        self._kind = "lease at first"

    @contextmanager
    def watched(self):
        """Moments count inside. A death inside ends the block and is over after it."""
        self.armed = True
        try:
            yield
        except Death:
            pass
        finally:
            self.armed = self._dead = False

    @contextmanager
    def step(self, kind: str):
        """Moments inside belong to this kind of step."""
        self._kind = kind
        try:
            yield
        finally:
            self._kind = f"lease after {kind}"

    @property
    def _counted(self) -> str:
        return "all steps" if self._only else self._kind

    def next_is_struck(self) -> bool:
        """Whether the next moment is the one."""
        counted = len(self.moments.get(self._counted, ()))
        return self.armed and self._counted not in self.struck and counted + 1 == self._at

    def moment(self, what: str) -> None:
        """Something is about to happen; raise instead if this is the moment or the process is dead."""
        if not self.armed:
            return
        if self._dead:
            raise Death(what)
        if self._counted in self.struck or not what.startswith(self._only):
            return
        strike = self.next_is_struck()
        seen = self.moments.setdefault(self._counted, [])
        seen.append(" ".join(what.split())[:90])
        if strike:
            self.struck[self._counted] = seen[-1]
            if self._way == "dies":
                self._dead = True
                raise Death(what)
            raise OSError(28, "No space left on device")


def install(faults: Faults, database, key_folder: Path, monkeypatch) -> None:
    """Put faults around a database's statements and commits, and around the writes to a key folder, by worker's step."""
    engine = database.engine
    database.dispose()

    @event.listens_for(engine, "before_cursor_execute")
    def before(_connection, _cursor, statement, _parameters, _context, _many):
        faults.moment(statement)

    commit = engine.dialect.do_commit

    def do_commit(connection):
        faults.moment("COMMIT, before")
        commit(connection)
        faults.moment("COMMIT, after")

    monkeypatch.setattr(engine.dialect, "do_commit", do_commit)
    if database.is_sqlite:
        _raw_statements(faults, engine)
    _key_files(faults, Path(key_folder), monkeypatch)
    step = Worker._step

    def watched_step(worker, round_):
        kind = round_.state
        if kind == "mixed" and round_.keys_destroyed_at is None:
            kind = "mixed, with keys"
        with faults.step(kind):
            return step(worker, round_)

    monkeypatch.setattr(Worker, "_step", watched_step)


def _raw_statements(faults: Faults, engine) -> None:
    """SQLite's VACUUM and checkpoint go past SQLAlchemy, on the driver's own connection."""

    class Connection(sqlite3.Connection):
        def execute(self, statement, *parameters):
            if statement.startswith("VACUUM"):
                faults.moment("VACUUM, before")
                if faults.next_is_struck():
                    # Stop it half way, as a kill would.
                    self.set_progress_handler(lambda: 1, 200)
                    with suppress(sqlite3.OperationalError):
                        super().execute(statement)
                    self.set_progress_handler(None, 0)
                faults.moment("VACUUM, half way")
            elif "wal_checkpoint" in statement:
                faults.moment("checkpoint")
            return super().execute(statement, *parameters)

    @event.listens_for(engine, "do_connect")
    def connect(_dialect, _record, _arguments, options):
        options["factory"] = Connection


def _key_files(faults: Faults, folder: Path, monkeypatch) -> None:
    class Os:
        def __getattr__(self, name):
            found = getattr(os, name)
            if name not in ("open", "write", "fsync", "link"):
                return found

            def watched(*arguments):
                faults.moment(f"key file: {name}")
                return found(*arguments)

            return watched

    monkeypatch.setattr(keys_module, "os", Os())
    unlink = Path.unlink

    def watched_unlink(path, *arguments, **options):
        if path.parent == folder:
            faults.moment("key file: unlink")
        return unlink(path, *arguments, **options)

    monkeypatch.setattr(Path, "unlink", watched_unlink)
