"""Answers that arrive together are committed together: SQLite has one writer, and each durable commit waits for a disk.

Whoever finds nobody writing takes all the answers that wait, its own among them, into one transaction; the others
sleep until that has committed. Under load a commit carries many answers, without it just one, and there is no
thread or timer that could die with answers in its hands. Nobody hears an outcome before the commit.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from sqlalchemy.exc import OperationalError

from engagement.db import READ_ONLY, Database
from engagement.intake import submit as intake
from engagement.intake.sheet import Sheet
from engagement.intake.submit import Outcome, Sealed

# Bounds how long the file is locked at a time; the rest is taken by the next in line.
MOST = 64
_queues: WeakKeyDictionary[Database, Queue] = WeakKeyDictionary()
_opening = threading.Lock()


def submit(database: Database, public_id: str, token: str, sheet: Sheet, idem_key: str) -> Outcome:
    """Take an answer and commit it. Returns only when it is on the disk, or was refused.

    As `engagement.intake.submit.submit`, in transactions of its own. Raises the database's errors, in which case
    the answer is not stored.
    """
    with _opening:
        queue = _queues.get(database)
        if queue is None:
            queue = _queues[database] = Queue(database)
    with queue.reading.connect() as connection:
        sealed = intake.prepare(connection, public_id, token, sheet, idem_key)
    if isinstance(sealed, Outcome):
        return sealed
    return queue.take(Waiting(public_id, token, sheet, idem_key, sealed))


@dataclass(eq=False)
class Waiting:
    """A sealed answer in the queue; it has an outcome or an error once it is done."""

    public_id: str
    token: str
    sheet: Sheet
    idem_key: str
    sealed: Sealed
    outcome: Outcome | None = None
    error: Exception | None = None

    @property
    def done(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.outcome is not None or self.error is not None


class Queue:
    """The answers that wait to be written to one database. `take` is called from many threads."""

    def __init__(self, database: Database):
        self._database = database
        # Plain connections: a session for a look at two rows costs more than the rows.
        self.reading = database.engine.execution_options(**READ_ONLY)
        self._waiting: list[Waiting] = []
        self._queueing = threading.Lock()
        self._writing = threading.Lock()

    def take(self, mine: Waiting) -> Outcome:
        """Write an answer, in one transaction with others that wait, and return what became of it."""
        if not self._database.is_sqlite:
            # PostgreSQL writes side by side and gathers commits itself.
            return self._store([mine])[0]
        with self._queueing:
            self._waiting.append(mine)
        while not mine.done:
            with self._writing:
                if not mine.done:
                    with self._queueing:
                        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                    self._write(batch)
        if mine.error is not None:
            raise mine.error
        return mine.outcome

    def _write(self, batch: list[Waiting]) -> None:
        try:
            outcomes = self._store(batch)
        except OperationalError as error:
            # Locked, full or broken: the same for everybody, and not a thing to wait for once for each.
            _fail(batch, error)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch, error)
            # What one answer ran into must not refuse the others. Nothing of the batch was stored.
            for waiting in batch if len(batch) > 1 else ():
                self._write([waiting])
        except BaseException:
            _fail(batch, RuntimeError("the writer was stopped"))
            raise
        else:
            for waiting, outcome in zip(batch, outcomes, strict=True):
                waiting.outcome = outcome

    def _store(self, batch: list[Waiting]) -> list[Outcome]:
        with self._database.session() as session:
            outcomes = [
                intake.submit(session, each.public_id, each.token, each.sheet, each.idem_key, each.sealed)
                for each in batch
            ]
        return outcomes


def _fail(batch: list[Waiting], error: Exception) -> None:
    for waiting in batch:
        waiting.error = error
