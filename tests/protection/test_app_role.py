"""The app's connections cannot read answers: an authorizer on SQLite, the roles of docs/deploy on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert, make_url, text
from sqlalchemy.exc import DBAPIError

from engagement import db
from engagement.intake.submit import Outcome
from engagement.models import Response, SealedAnswer
from engagement.rounds import verbs as rounds
from tests import support

ROLES = Path(__file__).resolve().parents[2] / "docs" / "deploy" / "postgresql-roles.sql"
FORBIDDEN = (
    "SELECT * FROM response",
    "SELECT answers FROM response",
    "SELECT count(*) FROM response",
    "SELECT 1 FROM response",
    "SELECT count(*) FROM sealed_answer",
    "SELECT round_id FROM sealed_answer",
    "SELECT id FROM body WHERE EXISTS (SELECT 1 FROM response WHERE round_id = body.id)",
    "WITH a AS (SELECT answers FROM response) SELECT * FROM a",
    "DELETE FROM round WHERE id IN (SELECT round_id FROM response)",
    "INSERT INTO locality (body_id, code, name) SELECT body_id, id, 'x' FROM response",
    "UPDATE body SET name = (SELECT min(id) FROM response)",
    "SELECT answers FROM peep",
    "UPDATE response SET answers = '{}'",
    "DELETE FROM response",
    "DELETE FROM sealed_answer WHERE round_id = 1",
    "ALTER TABLE response RENAME TO plain",
    "DROP TABLE response",
)


DENIED = r"prohibited|not authorized|permission denied|must be owner"


def apply_roles(database) -> None:
    """Run docs/deploy/postgresql-roles.sql on a test's database, with the names it gives."""
    script = ROLES.read_text(encoding="utf-8")
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.connection.driver_connection.execute(script)


def as_user(database, config, name: str, role: str = db.WHOLE) -> db.Database:
    """Connections of one of the roles on PostgreSQL; on SQLite, which has no users, of a role of ours."""
    url = make_url(config.database_url)
    if not database.is_sqlite:
        url = url.set(username=name, password=None)
    return db.Database(url.render_as_string(hide_password=False), role)


def file_of_boxes(database) -> int | None:
    """Which file PostgreSQL keeps sealed answers in: rewriting them makes another."""
    if database.is_sqlite:
        return None
    with database.reading() as session:
        return session.execute(text("SELECT pg_relation_filenode('sealed_answer')")).scalar_one()


@pytest.fixture
def app(database, config):
    """The app's way to the database: limited on SQLite by its role, on PostgreSQL by its user."""
    with database.engine.begin() as connection:
        connection.execute(text("CREATE VIEW peep AS SELECT answers FROM response"))
    if not database.is_sqlite:
        apply_roles(database)
        with database.engine.begin() as connection:
            connection.execute(text("ALTER VIEW peep OWNER TO engagement_app"))
    limited = as_user(database, config, "engagement_app", db.APP)
    yield limited
    limited.dispose()


def test_the_app_takes_answers_and_reads_none(app, database, config):
    """Through the app's connections a member answers and a draft is deleted; every way to read an answer is denied."""
    keys = support.keys_of(config)
    body_id = support.small_body(database, practices=3, leaders=3)
    round_id = support.launch(database, keys, body_id)
    door = support.doors(database, keys, round_id)[0]
    assert support.answer(app, door, support.sheet()) is Outcome.STORED
    with app.session() as session:
        draft = rounds.new(session, support.OPERATOR, body_id, title="Draft", opens_at=None, closes_at=None)
        rounds.checklist(session, support.OPERATOR, draft.id)
        rounds.discard(session, support.OPERATOR, draft.id)
    for statement in FORBIDDEN:
        with pytest.raises(DBAPIError, match=DENIED), app.session() as session:
            session.execute(text(statement))
    worker = as_user(database, config, "engagement_worker")
    before = file_of_boxes(worker)
    support.close(worker, keys, round_id)
    assert database.is_sqlite or file_of_boxes(worker) != before
    with app.reading() as session:
        assert rounds.find(session, support.OPERATOR, round_id).state == "released"
    worker.dispose()
    with pytest.raises(DBAPIError), app.session() as session:
        session.execute(insert(Response.__table__).values(id="x", body_id=1, round_id=1, standing="none"))
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM response")).scalar_one() == 1


def test_serving_as_the_app_limits_whoever_does_not_ask_for_more(config, database):
    """While a process serves as the app, `get` hands out limited connections, and whole ones to those who ask by name."""
    db.serve_as(db.APP)
    try:
        limited, whole = db.get(config), db.get(config, db.WHOLE)
    finally:
        db.serve_as(db.WHOLE)
    assert (limited.role, whole.role) == (db.APP, db.WHOLE)
    assert db.get(config) is whole
    if database.is_sqlite:
        with pytest.raises(DBAPIError), limited.reading() as session:
            session.exec(SealedAnswer.__table__.select())
    db._open.pop(f"{db.APP} {config.database_url}").dispose()
