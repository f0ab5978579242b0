"""What probes and operators are told: heartbeat, oldest unsent mail, schema, disk, last backup."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.testclient import TestClient

from engagement import clock, db, vitals, web
from tests import support

TOLD = {
    "status",
    "not_well",
    "schema",
    "worker_seen_minutes_ago",
    "post_seen_minutes_ago",
    "oldest_unsent_mail_minutes",
    "disk_free_gb",
    "last_backup_minutes_ago",
}


@pytest.fixture
def ready(config, database):
    """Asks `/readyz`; returns the status and what it said."""

    def ask() -> tuple[int, dict]:
        with TestClient(Starlette(routes=web.routes(config)), base_url=config.public_url) as client:
            reply = client.get("/readyz")
        return reply.status_code, reply.json()

    return ask


def test_readyz_tells_lengths_and_no_more(ready, database, config, monkeypatch):
    """An idle installation is ready and well; an open round without a worker, and mail that waits, are told in minutes
    and leave it ready, for members can answer."""
    status, told = ready()
    assert (status, told["not_well"], set(told)) == (200, [], TOLD)
    assert told["schema"] == db.head() and told["worker_seen_minutes_ago"] is None
    round_id = support.launch(database, support.keys_of(config), support.small_body(database))
    assert ready()[1]["not_well"] == ["worker"]
    for job in vitals.JOBS:
        vitals.Heart(database, job, "test").beat()
    assert ready()[1]["not_well"] == []
    from engagement.messaging import outbox
    from engagement.models import Round

    with database.session() as session:
        outbox.queue(session, session.get(Round, round_id), "invitation")
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=5))
    status, told = ready()
    assert (status, told["not_well"]) == (200, ["worker", "mail"])
    assert told["worker_seen_minutes_ago"] == told["oldest_unsent_mail_minutes"] == 300


def test_backups_count_where_they_are_made_here(ready, database, config, monkeypatch):
    """From its second week on an installation on SQLite wants a backup of the last eight days; elsewhere it is told that
    they are made outside."""
    support.launch(database, support.keys_of(config), support.small_body(database))
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=9))
    found = vitals.take(database, config)
    assert found.backup_is_well is not database.is_sqlite
    config.backups.mkdir()
    made = config.backups / "engagement-x.sqlite"
    made.write_bytes(b"")
    os.utime(made, times=((now + timedelta(days=8)).timestamp(),) * 2)
    found = vitals.take(database, config)
    assert found.backup_is_well and (found.last_backup is not None) == database.is_sqlite


def test_a_heart_beats_seldom_and_after_the_clock_was_set_back(database, monkeypatch):
    """Between two beats half a minute passes, whatever the passes of the worker; a clock that jumps does not stop it."""
    start = clock.now()
    beats = []
    for seconds in (0, 1, 29, 30, 31, -7200, -7199):
        monkeypatch.setattr(clock, "now", lambda at=seconds: start + timedelta(seconds=at))
        if seconds == 0:
            heart = vitals.Heart(database, "worker", "test")
        heart.beat()
        with database.reading() as session:
            beats.append(round((vitals.seen(session, "worker") - start).total_seconds()))
    assert beats == [0, 0, 0, 30, 30, -7200, -7200]


def test_an_old_schema_or_no_database_is_not_ready(ready, database):
    """A schema that is not this version's gives 503, without a look at its tables."""
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    status, told = ready()
    assert status == 503 and "schema" in told["status"]
