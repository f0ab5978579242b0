"""The schema keeps who answered and what was answered apart, on both databases, whatever is added to it later."""

from __future__ import annotations

import pytest
from sqlalchemy import Date, DateTime, Interval, LargeBinary, Time, inspect, text
from sqlalchemy.exc import IntegrityError

from engagement.models.base import random_key
from tests import support

LEDGER = ("participation",)
ANSWERS = ("sealed_answer", "response", "comment")
APART = LEDGER + ANSWERS
# What the ledger and the answers may both say, and what any of the four may point at.
SHARED = {"round_id"}
# Sealed bytes in the ledger, a plain word in a response: one name, nothing to join on.
SEALED = ("participation", "standing")
POINTS_AT = {"round", "body", "practice"}
TIMES = (Date, DateTime, Interval, Time)
# Between the kinds of answers, an id of a round is all they share with a meaning.
OWN = {"id", "body_id", "round_id"}


def faults(database) -> list[str]:
    """What in the schema would let an answer be joined to its author, or be deleted by the way."""
    found = []
    with database.engine.connect() as connection:
        schema = inspect(connection)
        columns = {table: schema.get_columns(table) for table in APART}
        for table, described in columns.items():
            found += [f"{table}.{c['name']} is a time" for c in described if isinstance(c["type"], TIMES)]
            found += [f"{table}.{c['name']} is filled in" for c in described if c.get("default")]
            found += [
                f"{table}.{c['name']} names a member"
                for c in described
                if any(word in c["name"] for word in ("member", "account", "email", "name", "ip", "agent"))
            ]
            found += [
                f"{table} points at {key['referred_table']}"
                for key in schema.get_foreign_keys(table)
                if key["referred_table"] not in POINTS_AT
            ]
            found += [
                f"{table} writes elsewhere by a trigger" for _ in _triggers(connection, database, table)
            ]
        standing = next(c for c in columns["participation"] if c["name"] == "standing")
        if not isinstance(standing["type"], LargeBinary):
            found.append("participation.standing is not sealed")
        names = {table: {column["name"] for column in described} for table, described in columns.items()}
        for ledger in LEDGER:
            for answers in ANSWERS:
                found += [
                    f"{ledger} and {answers} share {name}"
                    for name in sorted((names[ledger] & names[answers]) - SHARED)
                    if (ledger, name) != SEALED
                ]
        for one, other in (
            ("sealed_answer", "response"),
            ("sealed_answer", "comment"),
            ("response", "comment"),
        ):
            found += [f"{one} and {other} share {name}" for name in sorted((names[one] & names[other]) - OWN)]
        for table, target, how in _keys(connection, database, schema):
            if target in APART:
                found.append(f"{table} points at {target}")
            if how not in ("NO ACTION", "RESTRICT"):
                found.append(f"{table} goes with {target}: ON DELETE {how}")
        if database.is_sqlite:
            found += [f"{table} counts its rows" for table in APART if _counts(connection, table)]
    return found


def _counts(connection, table: str) -> bool:
    """Whether SQLite may number a table's rows as they come.

    It does not where there are no row ids, nor where the row id is the key and odd ids are refused: the first that
    SQLite would give is 1, and every other is one more than an even number.
    """
    about = {"table": table}
    if connection.execute(text("SELECT wr FROM pragma_table_list WHERE name = :table"), about).scalar_one():
        return False
    keys = text("SELECT name, type FROM pragma_table_info(:table) WHERE pk")
    is_row_id = connection.execute(keys, about).all() == [("id", "INTEGER")]
    sql = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = :table"), about).scalar_one()
    return not is_row_id or "CHECK (id % 2 = 0)" not in sql or "AUTOINCREMENT" in sql.upper()


def _keys(connection, database, schema) -> list[tuple[str, str, str]]:
    """All foreign keys: table, table pointed at, and what happens when that row is deleted."""
    tables = schema.get_table_names()
    if not database.is_sqlite:
        return [
            (table, key["referred_table"], key["options"].get("ondelete") or "NO ACTION")
            for table in tables
            for key in schema.get_foreign_keys(table)
        ]
    # SQLAlchemy reads the action from the text of the table and overlooks it where it stands beside a column.
    query = text('SELECT "table", on_delete FROM pragma_foreign_key_list(:table)')
    return [(table, *row) for table in tables for row in connection.execute(query, {"table": table})]


def _triggers(connection, database, table: str) -> list[str]:
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table"
        if database.is_sqlite
        else "SELECT trigger_name FROM information_schema.triggers WHERE event_object_table = :table"
    )
    return list(connection.execute(text(query), {"table": table}).scalars())


def test_schema_keeps_ledger_and_answers_apart(database):
    """The four tables share no id, hash, time, trigger or key, keep no insertion order, and nothing deletes them by cascade."""
    assert faults(database) == []


MUTANTS = {
    "participation.answered_at is a time": ["ALTER TABLE participation ADD COLUMN answered_at TIMESTAMP"],
    "response.sent is a time": ["ALTER TABLE response ADD COLUMN sent DATE"],
    "sealed_answer.member_id names a member": ["ALTER TABLE sealed_answer ADD COLUMN member_id INTEGER"],
    "participation and sealed_answer share link_hash": [
        "ALTER TABLE sealed_answer ADD COLUMN link_hash VARCHAR(64)"
    ],
    "response and comment share practice_id": ["ALTER TABLE comment ADD COLUMN practice_id INTEGER"],
    "participation.form is filled in": [
        "ALTER TABLE participation DROP COLUMN form",
        "ALTER TABLE participation ADD COLUMN form VARCHAR(250) DEFAULT 'x'",
    ],
    "note points at response": [
        "CREATE TABLE note (id INTEGER PRIMARY KEY, response VARCHAR(32) REFERENCES response (id))"
    ],
    "note goes with round: ON DELETE CASCADE": [
        "CREATE TABLE note (id INTEGER PRIMARY KEY, round_id INTEGER REFERENCES round (id) ON DELETE CASCADE)"
    ],
}


@pytest.mark.parametrize("fault", sorted(MUTANTS))
def test_a_schema_that_joins_them_is_refused(database, fault):
    """Each way to join the two, or to delete by cascade, is found by the same check."""
    with database.session() as session:
        for statement in MUTANTS[fault]:
            session.execute(text(statement))
    assert fault in faults(database)


COUNTED = {
    "no key": "",
    "a key that SQLite counts": "id INTEGER PRIMARY KEY,",
    "a key of its own beside the row id": "id INT PRIMARY KEY CHECK (id % 2 = 0),",
    "a key that remembers how far it counted": "id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id % 2 = 0),",
}


@pytest.mark.parametrize("table", ["sealed_answer", "comment"])
@pytest.mark.parametrize("key", [*COUNTED, "an even number as row id"])
def test_row_ids_are_found(database, table, key):
    """On SQLite a table of the four that counts its rows is found; PostgreSQL's hidden columns are the attackers' matter."""
    if not database.is_sqlite:
        pytest.skip("only SQLite has row ids")
    with database.session() as session:
        session.execute(text(f"DROP TABLE {table}"))
        columns = COUNTED.get(key, "id INTEGER PRIMARY KEY CHECK (id % 2 = 0),")
        session.execute(text(f"CREATE TABLE {table} ({columns} round_id INTEGER)"))
    assert (f"{table} counts its rows" in faults(database)) is (key in COUNTED)


def test_neither_database_numbers_a_sealed_answer(database, config):
    """A sealed answer without an id is refused, whether there are others or not: no database may count them up."""
    round_id = support.launch(database, support.keys_of(config), support.small_body(database))

    def store(columns: str, **key: int) -> None:
        names = ", ".join(f":{name}" for name in columns.split(", "))
        query = text(f"INSERT INTO sealed_answer ({columns}) VALUES ({names})")
        with database.session() as session:
            session.execute(query, {"round_id": round_id, "box": b"box"} | key)

    with pytest.raises(IntegrityError):
        store("round_id, box")
    largest = (1 << 63) - 2
    for key in (random_key(), largest):
        store("id, round_id, box", id=key)
        with pytest.raises(IntegrityError):
            store("round_id, box")
