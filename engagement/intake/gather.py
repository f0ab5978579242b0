"""Answers that arrive together are committed together: SQLite has one writer, and each durable commit waits for a disk.

What takes the time is done first, while others may still write: looking the links up and sealing. Then all that
wait go into one transaction. Under load a commit carries many answers, without it just one; there is no timer and
no thread that could die with answers in its hands. Nobody hears an outcome before the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import anyio
from anyio import CapacityLimiter
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from engagement.db import READ_ONLY, Database
from engagement.intake import submit as intake
from engagement.intake.sheet import Sheet
from engagement.intake.submit import Outcome, Sealed

# Bounds how long the file is locked at a time; the rest is taken by the next turn.
MOST = 64
Done = TypeVar("Done")


@dataclass(frozen=True)
class Answer:
    """A sheet on its way: what `engagement.intake.submit.submit` asks for."""

    public_id: str
    token: str
    sheet: Sheet
    idem_key: str


# What is done for a visitor who may bring an answer: yields the answer, is sent its outcome (or has the database's
# error raised in it), and returns what the visitor is told.
Steps = Generator[Answer, Outcome, Done]


class Gatherer:
    """Runs visits, those that arrive while others are being written as one batch after them.

    On PostgreSQL each goes alone, for it writes side by side and gathers commits itself.
    """

    def __init__(self, database: Database, threads: CapacityLimiter):
        self._database = database
        self._threads = threads
        # A server has one event loop; whoever has several gets a queue in each.
        self._queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue] = WeakKeyDictionary()

    async def run(self, visit: Steps[Done], *, gathered: bool) -> Done:
        """Run a visit to its end, off the event loop. Raises what it raises.

        `gathered`: it may bring an answer; one that only reads has a thread of its own and waits for no writer.
        """
        if gathered and self._database.is_sqlite:
            loop = asyncio.get_running_loop()
            queue = self._queues.get(loop)
            if queue is None:
                queue = self._queues[loop] = _Queue(self._database)
            found = await queue.run(visit)
        else:
            (found,) = await anyio.to_thread.run_sync(run, self._database, [visit], limiter=self._threads)
        if isinstance(found, Exception):
            raise found
        return found


class _Queue:
    """The visits of one event loop that wait for their turn. All but `run`'s work happens on the loop: no locks."""

    def __init__(self, database: Database):
        self._database = database
        self._turn = CapacityLimiter(1)
        self._waiting: list[tuple[Steps, asyncio.Future]] = []
        self._work: asyncio.Task | None = None

    async def run(self, visit: Steps):
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((visit, future))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._take_turns())
        return await future

    async def _take_turns(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            visits = [visit for visit, _ in batch]
            try:
                found = await anyio.to_thread.run_sync(run, self._database, visits, limiter=self._turn)
            except BaseException:
                # Only the end of the process comes here: whoever waits must not wait for ever.
                for _, future in [*batch, *self._waiting]:
                    future.cancel()
                raise
            for (_, future), result in zip(batch, found, strict=True):
                # A visitor who has gone waits no more; the answer is stored all the same.
                if not future.done():
                    future.set_result(result)


def run(database: Database, visits: Sequence[Steps[Done]]) -> list[Done | Exception]:
    """Run visits, storing their answers in one transaction; returns what each returned or raised, in order."""
    results: list = [None] * len(visits)
    asked: dict[int, Answer] = {}
    for place, visit in enumerate(visits):
        try:
            asked[place] = next(visit)
        except StopIteration as end:
            results[place] = end.value
        except Exception as error:
            results[place] = error
    for place, outcome in zip(asked, store(database, list(asked.values())), strict=True):
        visit = visits[place]
        try:
            if isinstance(outcome, Exception):
                visit.throw(outcome)
            else:
                visit.send(outcome)
            results[place] = RuntimeError("a visit brings one answer")
        except StopIteration as end:
            results[place] = end.value
        except Exception as error:
            results[place] = error
    return results


def store(database: Database, answers: Sequence[Answer]) -> list[Outcome | Exception]:
    """Take answers and commit; returns what became of each, or the error for which it is not stored.

    An error of one answer refuses no other.
    """
    if not answers:
        return []
    # One plain connection for both transactions: a session, or a second connection, costs more than the rows.
    with database.engine.connect() as connection:
        connection.execution_options(**READ_ONLY)
        rounds: dict[str, Any] = {}
        found: list[Outcome | Exception | Sealed] = [
            _prepared(connection, answer, rounds) for answer in answers
        ]
        connection.rollback()
        connection.execution_options(**dict.fromkeys(READ_ONLY, False))
        places = [place for place, each in enumerate(found) if isinstance(each, Sealed)]
        written = _write(connection, [(answers[place], found[place]) for place in places])
    for place, outcome in zip(places, written, strict=True):
        found[place] = outcome
    return found


def _prepared(connection: Connection, answer: Answer, rounds: dict[str, Any]) -> Sealed | Outcome | Exception:
    try:
        return intake.prepare(
            connection, answer.public_id, answer.token, answer.sheet, answer.idem_key, rounds
        )
    except Exception as error:
        return error


def _write(connection: Connection, batch: list[tuple[Answer, Sealed]]) -> list[Outcome | Exception]:
    if not batch:
        return []
    try:
        with connection.begin():
            rounds: dict[str, Any] = {}
            outcomes = [
                intake.take(connection, a.public_id, a.token, a.idem_key, sealed, rounds)
                for a, sealed in batch
            ]
        return outcomes
    except OperationalError as error:
        # Locked, full or broken: the same for everybody, and not a thing to wait for once for each.
        return [error] * len(batch)
    except Exception as error:
        if len(batch) == 1:
            return [error]
        # Nothing of the batch was stored: each by itself, so that only the one at fault is refused.
        return [outcome for one in batch for outcome in _write(connection, [one])]
