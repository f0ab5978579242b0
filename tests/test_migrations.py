"""Migrations keep every row, on both databases."""

from __future__ import annotations

import datetime as dt
import secrets

import pytest
from alembic import command
from sqlalchemy import MetaData, inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from engagement import db
from engagement.errors import EngagementError
from engagement.models import SealedAnswer
from engagement.models.base import random_id, random_key

WHEN = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HASH = "ab" * 32

# One or more rows of every table as revision 0001 knew it, parents first.
ROWS_0001 = {
    "body": [{"id": 1, "code": "B", "name": "Body", "words": {"body": "CCG"}, "standing_map": {}, "threshold": 10, "is_demo": False, "created_at": WHEN}],
    "account": [{"id": 1, "email": "a@example.org", "name": "A", "password_hash": "x", "must_change": False, "disabled": False, "is_demo": False, "created_at": WHEN}],
    "lease": [{"name": "worker", "holder": "w", "until": WHEN}],
    "account_role": [{"account_id": 1, "body_id": 1, "role": "council"}],
    "audit_entry": [{"id": 1, "body_id": 1, "at": WHEN, "actor": "a", "action": "b", "detail": {"n": 1}, "previous": "0", "hash": HASH}],
    "instrument": [{"id": 1, "body_id": 1, "name": "Core", "created_at": WHEN}],
    "item": [{"id": 1, "body_id": 1, "key": "owned", "core": True}],
    "locality": [{"id": 1, "body_id": 1, "code": "N", "name": "North"}],
    "member": [{"id": n, "body_id": 1, "ref": f"M{n}", "name": "é", "email": None, "attributes": {}} for n in (1, 2)],
    "programme": [{"id": 1, "body_id": 1, "name": "P", "created_at": WHEN}],
    "staff_session": [{"cookie_hash": HASH, "account_id": 1, "body_id": 1, "created_at": WHEN, "seen_at": WHEN, "ended": False}],
    "instrument_item": [{"instrument_id": 1, "item_id": 1, "body_id": 1, "position": 0, "headline": True}],
    "item_version": [{"id": 1, "body_id": 1, "item_id": 1, "version": 1, "kind": "agree5", "text": "x", "not_applicable": None, "reverse": False, "origin": {}, "created_at": WHEN}],
    "practice": [
        {"id": 1, "body_id": 1, "code": "Y1", "name": "One", "locality_id": 1, "list_size": 9, "postcode": None, "easting": None, "northing": None, "opened": dt.date(2001, 1, 1), "closed": None, "successor_id": None, "attributes": {"x": "1"}},
        {"id": 2, "body_id": 1, "code": "Y2", "name": "Two", "locality_id": None, "list_size": None, "postcode": None, "easting": None, "northing": None, "opened": None, "closed": dt.date(2020, 1, 1), "successor_id": 1, "attributes": {}},
    ],
    "round": [{"id": 1, "body_id": 1, "programme_id": 1, "instrument_id": 1, "public_id": "abc", "number": 1, "title": "T", "tier": "confidential", "threshold": 10, "state": "released", "imported": False, "opens_at": WHEN, "closes_at": WHEN + dt.timedelta(days=1), "promise": "{}", "promise_hash": HASH, "public_key": b"\x00\xff", "box_size": 4096}],
    "practice_participation": [{"round_id": 1, "practice_id": 1, "body_id": 1, "invited": 5, "answered": 3}],
    "release": [{"id": 1, "body_id": 1, "round_id": 1, "revision": 1, "content": "{}", "content_hash": HASH, "software": "0.1", "created_at": WHEN}],
    "round_roster": [{"round_id": 1, "member_id": n, "body_id": 1, "practice_id": 1, "role": "gp_partner", "standing": "grassroots", "representative": False, "strata": {}, "generation": 1} for n in (1, 2)],
    "spell": [{"id": 1, "body_id": 1, "member_id": 1, "practice_id": 1, "role": "gp_partner", "standing": None, "representative": True, "starts": None, "ends": None, "joined_wave": 1, "left_wave": None}],
    "participation": [{"round_id": 1, "link_hash": HASH, "used": True, "withdrawn": False, "idem_key": "k", "withdraw_hash": None, "form": None, "standing": b"s"}],
    "sealed_answer": [{"id": "c" * 32, "round_id": 1, "box": b"\x01\x02"}],
    "response": [{"id": "d" * 32, "body_id": 1, "round_id": 1, "standing": "leader", "practice_id": 1, "strata": {}, "panel_before": None, "panel_now": "e" * 32, "practice_may_use": True, "answers": {"owned": 5}}],
    "comment": [{"id": "f" * 32, "body_id": 1, "round_id": 1, "item": "one_thing", "text": "words", "choice": "theme"}],
}  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request, tmp_path):
    """A database at revision 0001 with a row in every table."""
    if request.param == "sqlite":
        database = db.Database(f"sqlite:///{tmp_path / 'old.sqlite'}")
    else:
        database = db.Database(request.getfixturevalue("postgres")(empty=True))
    db.migrate(database, to="0001")
    tables = _tables(database)
    with database.engine.begin() as connection:
        for name, rows in ROWS_0001.items():
            connection.execute(tables[name].insert(), rows)
    yield database
    database.dispose()


def _tables(database):
    metadata = MetaData()
    metadata.reflect(database.engine)
    return metadata.tables


def _rows(database) -> dict[str, list[dict]]:
    found = {}
    with database.engine.connect() as connection:
        for name, table in _tables(database).items():
            if name != "alembic_version":
                rows = connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
                found[name] = [dict(row) for row in rows]
    return found


def test_every_row_survives_from_the_first_schema(old, tmp_path):
    """Migrating a filled database of the first schema changes no value of any row and breaks no reference."""
    before = _rows(old)
    assert set(before) == set(ROWS_0001) and all(before.values())
    assert db.migrate(old, tmp_path / "backups")
    after = _rows(old)
    # The one key that a migration makes anew: see the test of sealed answers below.
    for row, was in zip(after["sealed_answer"], before["sealed_answer"], strict=True):
        row["id"] = was["id"]
    assert {
        name: [{k: row[k] for k in before[name][0]} for row in rows]
        for name, rows in after.items()
        if name in before
    } == before
    command.check(db._alembic(old))
    if old.is_sqlite:
        copies = list((tmp_path / "backups").iterdir())
        assert len(copies) == 1 and copies[0].stat().st_mode & 0o077 == 0
        copy = db.Database(f"sqlite:///{copies[0]}")
        assert db.revision(copy) == "0001" and _rows(copy) == before
        copy.dispose()
    assert db.migrate(old, tmp_path / "backups") is False


@pytest.mark.parametrize("boxes", [0, 300])
def test_sealed_answers_of_an_open_round_get_numbers(old, boxes):
    """Boxes are carried over unharmed, in the order of their ids; every trigger stays, and the old text ids are gone."""
    db.migrate(old, to="0004")
    table = _tables(old)["sealed_answer"]
    rows = [{"id": random_id(), "round_id": 1, "box": secrets.token_bytes(16_384)} for _ in range(boxes)]
    with old.engine.begin() as connection:
        connection.execute(text("UPDATE round SET state = 'open'"))
        connection.execute(table.delete())
        if rows:
            connection.execute(table.insert(), rows)
    triggers = _triggers(old)
    db.migrate(old, to="0005")
    found = _rows(old)["sealed_answer"]
    rows.sort(key=lambda row: row["id"])
    assert [(row["round_id"], bytes(row["box"])) for row in found] == [(1, row["box"]) for row in rows]
    ids = [row["id"] for row in found]
    assert ids == [int(row["id"], 16) >> 66 << 1 for row in rows] == sorted(set(ids))
    assert _triggers(old) == triggers and len(triggers) > 5
    assert "sealed_answer_by_text" not in _tables(old)
    assert [index["column_names"] for index in inspect(old.engine).get_indexes("sealed_answer")] == [
        ["round_id"]
    ]
    command.upgrade(db._alembic(old), "head")
    command.check(db._alembic(old))
    key = random_key()
    with Session(old.engine) as session:
        session.add(SealedAnswer(id=key, round_id=1, box=b"new"))
        session.commit()
        assert session.get(SealedAnswer, key).box == b"new"
    with pytest.raises(IntegrityError), old.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO sealed_answer (round_id, box) VALUES (1, :box)"), {"box": b"counted"}
        )


def test_mail_that_waits_is_carried_over(old):
    """Messages and undelivered mail of rounds keep every value when letters join the outbox; a row is of one or the other."""
    db.migrate(old, to="0016")
    due = {"state": "waiting", "due_at": WHEN, "attempts": 2, "kind": "reminder", "number": 3}
    rows = {
        "message": {"id": "a" * 32, "body_id": 1, "round_id": 1, "member_id": 1, **due},
        "dead_letter": {
            "id": "b" * 32,
            "body_id": 1,
            "round_id": 1,
            "member_id": 1,
            "address": "é@x.org",
            "reason": "r",
        },
    }
    tables = _tables(old)
    with old.engine.begin() as connection:
        for name, row in rows.items():
            connection.execute(tables[name].insert(), row)
    before = _rows(old)
    db.migrate(old, to="0017")
    after = _rows(old)
    for name in rows:
        assert after[name] == [{**before[name][0], "letter_id": None}]
        with pytest.raises(IntegrityError), old.engine.begin() as connection:
            connection.execute(text(f"UPDATE {name} SET round_id = NULL"))
    with pytest.raises(IntegrityError), old.engine.begin() as connection:
        connection.execute(text("UPDATE message SET kind = 'letter'"))


def _triggers(database) -> set[str]:
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if database.is_sqlite
        else "SELECT trigger_name FROM information_schema.triggers"
    )
    with database.engine.connect() as connection:
        return set(connection.execute(text(query)).scalars())


def test_remaking_a_parent_keeps_its_children(old, tmp_path, monkeypatch):
    """A batch migration that drops and remakes `round` leaves every answer, link and release where it was."""
    (tmp_path / "later.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        "revision = 'later'\ndown_revision = '0002'\nbranch_labels = depends_on = None\n"
        "def upgrade():\n"
        "    with op.batch_alter_table('round', recreate='always' if op.get_bind().dialect.name == 'sqlite' else 'auto')"
        " as batch:\n"
        "        batch.add_column(sa.Column('note', sa.String(10)))\n"
    )
    before = _rows(old)
    settings = db._alembic(old)
    here = settings.get_main_option("script_location")
    settings.set_main_option("version_locations", f"{here}/versions {tmp_path}")
    settings.set_main_option("path_separator", "space")
    command.upgrade(settings, "later")
    after = _rows(old)
    for name, rows in before.items():
        assert [{k: row[k] for k in rows[0]} for row in after[name]] == rows, name


def test_a_newer_database_is_refused(old):
    """A schema that this version does not know is left alone, with words on what to do."""
    db.migrate(old)
    with old.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    with pytest.raises(EngagementError, match="newer version"):
        db.migrate(old)


def test_no_reference_deletes_what_points_at_it(old):
    """No foreign key of any table cascades: deleting a round or a person can never delete an answer."""
    db.migrate(old)
    inspector = inspect(old.engine)
    for table in inspector.get_table_names():
        for key in inspector.get_foreign_keys(table):
            assert (key["options"].get("ondelete") or "NO ACTION").upper() in ("NO ACTION", "RESTRICT"), table
