"""Answers that arrive together: one transaction, an outcome for each, and none before the commit."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from anyio import CapacityLimiter
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import select

from engagement.intake import gather
from engagement.intake import submit as intake
from engagement.intake.gather import Answer, Gatherer
from engagement.intake.keys import Keys
from engagement.intake.links import link_hash
from engagement.intake.submit import Outcome
from engagement.models import Participation, Round, SealedAnswer
from engagement.rounds import verbs as rounds
from tests.support import OPERATOR, doors, launch, sheet, small_body


@pytest.fixture
def links(database, config):
    """The doors of an open round."""
    keys = Keys(config.keys)
    return doors(database, keys, launch(database, keys, small_body(database)))


def answer(door, key: str = "key") -> Answer:
    """A complete sheet on its way through a door."""
    return Answer(door.public_id, door.token, sheet(4), key)


def stored(database) -> tuple[int, int]:
    """How many boxes there are, and how many used links."""
    with database.reading() as session:
        used = session.exec(select(Participation).where(Participation.used.is_(True))).all()
        return len(session.exec(select(SealedAnswer)).all()), len(used)


def statements(database) -> list[str]:
    """What the database is told from now on: each statement on SQLite, each commit on PostgreSQL."""
    said: list[str] = []
    if database.is_sqlite:
        event.listen(database.engine, "checkout", lambda driver, *_: driver.set_trace_callback(said.append))
    else:
        event.listen(database.engine, "commit", lambda _: said.append("COMMIT"))
    return said


def visits(answers):
    """Visitors who bring these answers and are told their outcome."""

    def visit(one):
        outcome = yield one
        return outcome

    return [visit(one) for one in answers]


def test_a_batch_is_one_transaction_with_an_outcome_each(database, links):
    """Together arrive new answers, one form twice, two forms on one link, and a link that is none."""
    said = statements(database)
    outcomes = gather.store(
        database,
        [
            answer(links[0], "a"),
            answer(links[1], "b"),
            answer(links[1], "b"),
            answer(links[2], "c"),
            answer(links[2], "d"),
            Answer(links[0].public_id, "a" * 26, sheet(), "e"),
        ],
    )
    assert outcomes == [
        Outcome.STORED,
        Outcome.STORED,
        Outcome.ALREADY,
        Outcome.STORED,
        Outcome.USED,
        Outcome.UNKNOWN,
    ]
    assert said.count("COMMIT") == 1 and stored(database) == (3, 3)


def test_a_round_that_closes_between_sealing_and_writing_takes_nothing(database, links, monkeypatch):
    """The round is asked again under the lock: what was sealed a moment before the close is refused."""
    real = intake.prepare

    def then_closed(*given):
        sealed = real(*given)
        with database.session() as session:
            rounds.close(session, OPERATOR, session.exec(select(Round.id)).one())
        return sealed

    monkeypatch.setattr(intake, "prepare", then_closed)
    assert gather.store(database, [answer(links[0])]) == [Outcome.CLOSED]
    assert stored(database) == (0, 0)


def test_a_box_sealed_for_another_round_is_never_stored(database, links, config):
    """What was sealed to one round's key cannot come into another, which could not open it."""
    with database.reading() as session:
        sealed = intake.prepare(session.connection(), links[0].public_id, links[0].token, sheet(), "k")
    keys = Keys(config.keys)
    other = doors(database, keys, launch(database, keys, small_body(database, code="OTHER")))[0]
    with database.session() as session:
        taken = intake.take(session.connection(), other.public_id, other.token, "k", sealed, {})
        assert taken is Outcome.USED
    assert stored(database) == (0, 0)


def test_an_answer_that_the_database_refuses_refuses_no_other(database, links, monkeypatch):
    """The answers around a faulty one are stored, each in a transaction of its own."""
    real = intake.take

    def faulty(connection, public_id, token, *rest):
        outcome = real(connection, public_id, token, *rest)
        if token == links[1].token:
            raise IntegrityError("INSERT", {}, Exception("faulty"))
        return outcome

    monkeypatch.setattr(intake, "take", faulty)
    first, second, third = gather.store(database, [answer(link) for link in links[:3]])
    assert first is third is Outcome.STORED and isinstance(second, IntegrityError)
    assert stored(database) == (2, 2)


def test_a_locked_database_fails_a_batch_once(database, links, monkeypatch):
    """Everybody is told at once: nobody waits for the lock again for each who waited with them."""
    tries = []

    def locked(*_):
        tries.append(1)
        raise OperationalError("BEGIN", {}, Exception("locked"))

    monkeypatch.setattr(intake, "take", locked)
    found = gather.store(database, [answer(link) for link in links[:4]])
    assert all(isinstance(error, OperationalError) for error in found) and len(tries) == 1
    assert stored(database) == (0, 0)


def test_a_refused_commit_stores_nothing_of_the_batch(database, links, monkeypatch):
    """When what was written cannot be committed, everybody is told of the error and no link is used."""
    real = gather._transaction

    @contextmanager
    def full(connection, *, writing):
        with real(connection, writing=writing):
            yield
            if writing:
                raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(gather, "_transaction", full)
        found = gather.store(database, [answer(link) for link in links[:3]])
    assert [str(error) for error in found] == ["database or disk is full"] * 3
    assert stored(database) == (0, 0)
    assert gather.store(database, [answer(links[0])]) == [Outcome.STORED]


def test_a_database_that_cannot_be_reached_is_said_to_everybody(database, links, monkeypatch):
    """Each visitor is told of the error, and can be given back what they typed."""

    def gone(_database):
        raise OperationalError("connect", {}, Exception("gone"))

    monkeypatch.setattr(gather, "_connected", gone)
    found = gather.run(database, visits([answer(link) for link in links[:3]]))
    assert [type(error) for error in found] == [OperationalError] * 3


def test_nobody_hears_of_an_answer_before_its_commit(database, links):
    """When a visit goes on after its answer, the answer is on the disk."""
    seen = []

    def visit(door):
        outcome = yield answer(door)
        seen.append(stored(database))
        return outcome

    assert gather.run(database, [visit(links[0]), visit(links[1])]) == [Outcome.STORED, Outcome.STORED]
    assert seen == [(2, 2), (2, 2)]


def test_a_failing_visit_leaves_the_others_alone(database, links):
    """A visit that brings no answer ends by itself, and one that breaks breaks alone, before or after its answer."""

    def breaks_before():
        raise ValueError("before")
        yield

    def breaks_after(door):
        yield answer(door)
        raise ValueError("after")

    def brings_nothing():
        return "nothing"
        yield

    (fine,) = visits([answer(links[1])])
    before, after, nothing, told = gather.run(
        database, [breaks_before(), breaks_after(links[0]), brings_nothing(), fine]
    )
    assert str(before) == "before" and str(after) == "after" and nothing == "nothing"
    assert told is Outcome.STORED and stored(database) == (2, 2)


def test_many_at_once_are_each_told_and_stored_once(database, links):
    """Every visitor of an event loop hears of their own answer, although they are written together."""

    async def crowd():
        gatherer = Gatherer(database, CapacityLimiter(4))
        come = visits([answer(link, f"key {number % 2}") for link in links[:20] for number in range(3)])
        return await asyncio.gather(*(gatherer.run(visit, gathered=True) for visit in come))

    told = asyncio.run(crowd())
    for place in range(0, 60, 3):
        # The third form carries the first one's key; which of the two keys comes first may differ.
        assert sorted(told[place : place + 3]).count(Outcome.STORED) == 1
    assert set(told) <= {Outcome.STORED, Outcome.ALREADY, Outcome.USED}
    assert stored(database) == (20, 20)


def test_who_comes_while_others_are_sealed_goes_along(database, links):
    """A commit waits until nobody else has come, each is told their own outcome, and a visit without an answer ends."""
    said = statements(database)
    groups = [visits([answer(links[1], "b"), answer(links[0], "z")]), visits([answer(links[2], "c")])]

    def nothing():
        return "nothing"
        yield

    groups[1].append(nothing())
    told = gather.run(database, visits([answer(links[0], "a")]), lambda: groups.pop(0) if groups else [])
    assert told == [Outcome.STORED, Outcome.STORED, Outcome.USED, Outcome.STORED, "nothing"]
    assert said.count("COMMIT") == 1 and stored(database) == (3, 3)


def test_those_who_came_along_hear_of_an_error_too(database, links, monkeypatch):
    """When the lock cannot be had, all of the turn are told, and nothing of it is stored."""

    def locked(*_):
        raise OperationalError("BEGIN", {}, Exception("locked"))

    monkeypatch.setattr(intake, "take", locked)
    groups = [visits([answer(links[1])])]
    told = gather.run(database, visits([answer(links[0])]), lambda: groups.pop(0) if groups else [])
    assert [type(error) for error in told] == [OperationalError] * 2 and stored(database) == (0, 0)


def test_a_turn_is_bounded_and_its_thread_ends_with_its_queue(database, links, monkeypatch):
    """However many wait, a turn takes so many and no more; when the queue is gone its thread is too."""
    if not database.is_sqlite:
        pytest.skip("PostgreSQL gathers commits itself")
    monkeypatch.setattr(gather, "MOST", 3)
    sizes = []
    real = gather.store

    def counting(database, answers, more):
        taken = []
        told = real(database, answers, lambda: taken.extend(found := more()) or found)
        sizes.append(len(answers) + len(taken))
        return told

    monkeypatch.setattr(gather, "store", counting)

    async def crowd():
        gatherer = Gatherer(database, CapacityLimiter(4))
        come = visits([answer(link) for link in links[:10]])
        return await asyncio.gather(*(gatherer.run(visit, gathered=True) for visit in come))

    before = set(threading.enumerate())
    assert asyncio.run(crowd()) == [Outcome.STORED] * 10
    assert sum(sizes) == 10 and max(sizes) <= 3
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        if thread.name == "intake":
            thread.join(timeout=10)
            assert not thread.is_alive()


def test_what_a_visit_raises_reaches_its_visitor(database):
    """An error in a visit is raised to whoever ran it, gathered or not."""

    def breaks():
        raise ValueError("broken")
        yield

    async def one(gathered: bool):
        with pytest.raises(ValueError, match="broken"):
            await Gatherer(database, CapacityLimiter(1)).run(breaks(), gathered=gathered)

    asyncio.run(one(True))
    asyncio.run(one(False))


def test_a_visitor_who_goes_away_does_not_stop_the_rest(database, links):
    """A request that is given up while it waits takes no other with it, and its answer is stored or not as a whole."""

    async def crowd():
        gatherer = Gatherer(database, CapacityLimiter(4))
        gone, stays = (
            asyncio.ensure_future(gatherer.run(visit, gathered=True))
            for visit in visits([answer(links[0]), answer(links[1])])
        )
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert asyncio.run(crowd()) is Outcome.STORED
    boxes, used = stored(database)
    assert boxes == used


def test_a_kill_among_batches_loses_nothing_acknowledged(database, config, tmp_path):
    """A process killed in the midst of its batches has stored all that it acknowledged, and each of it once."""
    keys = Keys(config.keys)
    links = doors(database, keys, launch(database, keys, small_body(database, practices=40)))
    path = tmp_path / "orders.json"
    path.write_text(json.dumps({"public_id": links[0].public_id, "tokens": [link.token for link in links]}))
    chance, told = random.Random(7), set()
    for turn in range(4):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.intake.gathering", config.database_url, str(path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        first = process.stdout.readline()
        time.sleep(turn * chance.uniform(0, 0.02))
        process.kill()
        rest = process.communicate()[0]
        # A line that the kill cut short may name another place than the one that was meant.
        told |= {int(line) for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")}
        boxes, used = stored(database)
        assert boxes == used >= len(told) > 0
        assert turn or used < len(links), "the first process was done before it was killed"
    with database.reading() as session:
        marked = set(session.exec(select(Participation.link_hash).where(Participation.used.is_(True))).all())
    assert {link_hash(links[place].token) for place in told} <= marked
