"""Answers that arrive together are committed together: SQLite has one writer, and each durable commit waits for a disk.

What takes the time is done first, while others may still write: looking the links up and sealing. Then all that
wait go into one transaction. Under load a commit carries many answers, without it just one; there is no timer and
no thread that could die with answers in its hands. Nobody hears an outcome before the commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, finalize

import anyio
from anyio import CapacityLimiter
from sqlalchemy.exc import OperationalError

from engagement.db import Database
from engagement.intake import submit as intake
from engagement.intake.sheet import Sheet
from engagement.intake.submit import Connected, Outcome, Sealed

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
    """The visits of one event loop, and the one thread that takes them in turns. It ends when nobody holds it."""

    def __init__(self, database: Database):
        self._waiting: SimpleQueue[_Visitor | None] = SimpleQueue()
        Thread(target=_take_turns, args=(database, self._waiting), name="intake", daemon=True).start()
        finalize(self, self._waiting.put, None)

    def run(self, visit: Steps) -> asyncio.Future:
        """What the visit returns, or the error that it raises, in time."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.put((visit, future))
        return future


_Visitor = tuple[Steps, asyncio.Future]


def _take_turns(database: Database, waiting: SimpleQueue[_Visitor | None]) -> None:
    while (first := waiting.get()) is not None:
        _take_turn(database, waiting, first)
        # What waits for the next visitor must not hold the last.
        del first


def _take_turn(database: Database, waiting: SimpleQueue[_Visitor | None], first: _Visitor) -> None:
    turn = [first]

    def more() -> list[Steps]:
        known = len(turn)
        while len(turn) < MOST and not waiting.empty():
            visitor = waiting.get()
            if visitor is None:
                waiting.put(None)
                break
            turn.append(visitor)
        return [visit for visit, _ in turn[known:]]

    try:
        results = run(database, [first[0], *more()], more)
    except Exception as error:
        # `run` raises nothing of its own, but nobody must wait for ever.
        results = [error] * len(turn)
    with suppress(RuntimeError):
        # The loop may have closed in the meantime: then nobody is left to be told.
        first[1].get_loop().call_soon_threadsafe(_tell, turn, results)


def _tell(turn: list[_Visitor], results: list) -> None:
    for (_, future), result in zip(turn, results, strict=True):
        # A visitor who has gone waits no more; the answer is stored all the same.
        if not future.done():
            future.set_result(result)


def _nobody() -> list:
    return []


def run(
    database: Database,
    visits: Sequence[Steps[Done]],
    more: Callable[[], Sequence[Steps[Done]]] = _nobody,
) -> list[Done | Exception]:
    """Run visits, storing their answers in one transaction; returns what each returned or raised, in order.

    `more` says who has come in the meantime: they go along as long as nothing is written yet.
    """
    everybody: list[Steps[Done]] = []
    results: list = []
    asked: dict[int, Answer] = {}

    def ask(come: Sequence[Steps[Done]]) -> list[Answer]:
        known = len(asked)
        for visit in come:
            everybody.append(visit)
            results.append(None)
            try:
                asked[len(results) - 1] = next(visit)
            except StopIteration as end:
                results[-1] = end.value
            except Exception as error:
                results[-1] = error
        return list(asked.values())[known:]

    outcomes = store(database, ask(visits), lambda: ask(more()))
    for place, outcome in zip(asked, outcomes, strict=True):
        visit = everybody[place]
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


def store(
    database: Database, answers: Sequence[Answer], more: Callable[[], Sequence[Answer]] = _nobody
) -> list[Outcome | Exception]:
    """Take answers and commit; returns what became of each, or the error for which it is not stored.

    An error of one answer refuses no other. `more` brings those that have come while the others were sealed: a
    commit is dearer than an answer, so it waits until nobody else is there, or `MOST` are.
    """
    if not answers:
        return []
    answers = list(answers)
    try:
        with _connected(database) as connection:
            return _store(connection, answers, more)
    except Exception as error:
        # The database cannot be reached: the same for everybody.
        return [error] * len(answers)


def _store(
    connection: Connected, answers: list[Answer], more: Callable[[], Sequence[Answer]]
) -> list[Outcome | Exception]:
    rounds: dict[str, Any] = {}
    found: list[Outcome | Exception | Sealed] = []
    come: Sequence[Answer] = answers
    while come:
        with _transaction(connection, writing=False):
            found += [_prepared(connection, answer, rounds) for answer in come]
        come = more()
        answers += come
    places = [place for place, each in enumerate(found) if isinstance(each, Sealed)]
    written = _write(connection, [(answers[place], found[place]) for place in places])
    for place, outcome in zip(places, written, strict=True):
        found[place] = outcome
    return found


@contextmanager
def _connected(database: Database) -> Iterator[Connected]:
    """A connection without a session: on SQLite the driver's own, for the rest costs more than the rows."""
    if not database.is_sqlite:
        with database.engine.connect() as connection:
            yield connection
        return
    with closing(database.engine.raw_connection()) as borrowed:
        yield borrowed.driver_connection


@contextmanager
def _transaction(connection: Connected, *, writing: bool) -> Iterator[None]:
    """A transaction that commits on leaving where it is for writing, and rolls back on an error."""
    if not isinstance(connection, sqlite3.Connection):
        with connection.begin() as transaction:
            yield
            if not writing:
                transaction.rollback()
        return
    connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
    try:
        yield
        if writing:
            connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _prepared(connection: Connected, answer: Answer, rounds: dict[str, Any]) -> Sealed | Outcome | Exception:
    try:
        return intake.prepare(
            connection, answer.public_id, answer.token, answer.sheet, answer.idem_key, rounds
        )
    except Exception as error:
        return error


def _write(connection: Connected, batch: list[tuple[Answer, Sealed]]) -> list[Outcome | Exception]:
    if not batch:
        return []
    try:
        rounds: dict[str, Any] = {}
        with _transaction(connection, writing=True):
            outcomes = [
                intake.take(connection, a.public_id, a.token, a.idem_key, sealed, rounds)
                for a, sealed in batch
            ]
        return outcomes
    except (OperationalError, sqlite3.OperationalError) as error:
        # Locked, full or broken: the same for everybody, and not a thing to wait for once for each.
        return [error] * len(batch)
    except Exception as error:
        if len(batch) == 1:
            return [error]
        # Nothing of the batch was stored: each by itself, so that only the one at fault is refused.
        return [outcome for one in batch for outcome in _write(connection, [one])]
