"""Rate limits in the database: exact under a crowd, kept over a restart, and telling nothing of whom they count."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import select

from engagement.access.attempts import Attempts, Limit
from engagement.models import SignInAttempt

HOUR = Limit("hour", 3, timedelta(hours=1))
WIDE = Limit("wide", 5, timedelta(hours=1))
ANN = ("192.0.2.7", "ann@example.org")


@pytest.fixture
def take(database):
    """Take an attempt in a transaction, in a process of its own each time."""

    def attempt(*counted) -> bool:
        with database.session() as session:
            return Attempts(b"k" * 32).take(session, *(counted or ((HOUR, ANN),))) is not None

    return attempt


def test_the_limit_holds_over_restarts_in_a_sliding_window(take, time):
    """Three in any hour, whoever counts; each one is forgotten an hour after it, and the refused are not counted."""
    assert [take() for _ in range(5)] == [True, True, True, False, False]
    time.forward(minutes=59, seconds=59)
    assert not take()
    time.forward(seconds=1)
    assert [take() for _ in range(4)] == [True, True, True, False]


def test_limits_and_people_are_apart(take):
    """One full limit refuses without counting under the others; other people and other limits have their own count."""
    assert [take((HOUR, ANN), (WIDE, ("192.0.2.7",))) for _ in range(4)] == [True, True, True, False]
    other = ("192.0.2.7", "bob@example.org")
    assert [take((HOUR, other), (WIDE, ("192.0.2.7",))) for _ in range(3)] == [True, True, False]
    assert take((HOUR, other))
    assert take((HOUR, ("192.0.2.7ann", "@example.org")))


def test_no_more_than_the_limit_are_let_through_at_once(take):
    """Of many at the same moment exactly as many as the limit are let through, on both databases."""
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: take(), range(16))) == HOUR.most


def test_success_and_forgiveness_uncount(database, take):
    """What went well is given back; what is forgiven starts anew."""
    attempts = Attempts(b"k" * 32)
    for _ in range(6):
        with database.session() as session:
            attempts.give_back(session, attempts.take(session, (HOUR, ANN)))
    assert [take() for _ in range(4)] == [True, True, True, False]
    with database.session() as session:
        attempts.forget(session, HOUR, ANN)
    assert take()


def test_what_is_stored_names_nobody_and_goes(database, take, time):
    """Neither network nor address stand in the table, another key gives other hashes, and a day later nothing is left."""
    take()
    with database.reading() as session:
        before = session.exec(select(SignInAttempt)).one()
        stored = str(session.exec(text("SELECT * FROM sign_in_attempt")).all())
    assert "192.0.2" not in stored and "ann" not in stored
    with database.session() as session:
        Attempts(b"x" * 32).take(session, (HOUR, ANN))
        assert len({row.key_hash for row in session.exec(select(SignInAttempt))}) == 2
    time.forward(days=1, seconds=1)
    take((WIDE, ANN))
    with database.reading() as session:
        left = session.exec(select(SignInAttempt)).all()
    assert len(left) == 1 and left[0].key_hash != before.key_hash
