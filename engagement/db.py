"""The database: one engine a process, sessions that begin as they mean to go on, and migrations.

SQLite is opened so that an acknowledged answer survives a power cut (`synchronous=FULL`) and so that a read
followed by a write is one transaction (`BEGIN IMMEDIATE`); pysqlite's own defaults give neither.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlmodel import Session

from engagement import clock
from engagement.config import Config
from engagement.errors import EngagementError

READ_ONLY = {"engagement_read_only": True}
# Whom a connection serves. The app's may add a sealed answer and read none, sealed or mixed; see `_no_answers`.
WHOLE, APP = "whole", "app"
SEALED, ANSWERS = "sealed_answer", frozenset({"sealed_answer", "response", "panel_skip"})
# Through these SQLite shows the pages of the file itself.
RAW = frozenset({"sqlite_dbpage", "dbstat"})
_in_hand: ContextVar[Session | None] = ContextVar("engagement_session", default=None)


class Database:
    """An engine with the product's rules on it.

    Parameters
    ----------
    url : a `sqlite:///` or `postgresql+psycopg://` address.
    role : `WHOLE`, or `APP`, whose connections cannot read answers. On PostgreSQL that is the business of the user in
        the address: docs/deploy/postgresql-roles.sql.
    """

    def __init__(self, url: str, role: str = WHOLE):
        self.url, self.role = url, role
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.path = Path(make_url(url).database)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.engine = create_engine(url, connect_args={"timeout": 30}, pool_size=20, max_overflow=20)
            _sqlite_rules(self.engine, role)
        else:
            self.path = None
            self.engine = create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction that commits on leaving and rolls back on an error. Takes SQLite's write lock at once."""
        with Session(self.engine, expire_on_commit=False) as session, _holding(session):
            try:
                yield session
                session.commit()
            except BaseException:
                session.rollback()
                raise

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction for reading; on SQLite it waits for no writer."""
        engine = self.engine.execution_options(**READ_ONLY)
        with Session(engine, expire_on_commit=False) as session, _holding(session):
            yield session
            # Before the rollback that closing brings, which would empty what was read.
            session.expunge_all()

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def _holding(session: Session) -> Iterator[None]:
    token = _in_hand.set(session)
    try:
        yield
    finally:
        _in_hand.reset(token)


def in_hand() -> Session | None:
    """The session of the transaction that this thread is in, None outside of one.

    For what must be read again inside a verb's own transaction although the verb does not hand its session on.
    """
    return _in_hand.get()


def _sqlite_rules(engine: Engine, role: str) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, _record) -> None:
        connection.isolation_level = None
        for pragma, value in (
            ("busy_timeout", 30000),
            ("journal_mode", "WAL"),
            ("synchronous", "FULL"),
            ("foreign_keys", "ON"),
            ("secure_delete", "ON"),
        ):
            connection.execute(f"PRAGMA {pragma}={value}")
        expected = {"synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
        for pragma, value in expected.items():
            found = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
            if found != value:
                raise EngagementError(
                    f"SQLite refused PRAGMA {pragma}: answers would not be safe. Found {found}."
                )
        if role == APP:
            connection.set_authorizer(_no_answers())

    @event.listens_for(engine, "begin")
    def begin(connection) -> None:
        read_only = connection.get_execution_options().get("engagement_read_only")
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _no_answers() -> Callable[..., int]:
    """What SQLite asks before it prepares a statement: answers may be added sealed, and neither read nor changed.

    One read passes: when a draft round is deleted, SQLite itself looks whether answers point at it. Nobody learns
    anything from that, and a subquery, which SQLite announces as a SELECT, does not pass as it.
    """
    looking_for_children = False

    def ask(action: int, first: str | None, second: str | None, _file: str | None, _by: str | None) -> int:
        nonlocal looking_for_children
        if action == sqlite3.SQLITE_READ:
            if first in RAW or (first in ANSWERS and not (looking_for_children and second == "round_id")):
                return sqlite3.SQLITE_DENY
            return sqlite3.SQLITE_OK
        looking_for_children = action == sqlite3.SQLITE_DELETE and first == "round"
        if action == sqlite3.SQLITE_INSERT:
            return sqlite3.SQLITE_DENY if first in ANSWERS - {SEALED} else sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_ATTACH or (
            action == sqlite3.SQLITE_PRAGMA and first == "writable_schema"
        ):
            return sqlite3.SQLITE_DENY
        # ALTER TABLE names the table second, everything else that changes one first.
        changed = second if action == sqlite3.SQLITE_ALTER_TABLE else first
        return sqlite3.SQLITE_DENY if changed in ANSWERS and action in CHANGES else sqlite3.SQLITE_OK

    return ask


CHANGES = frozenset(
    {
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_UPDATE,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_ALTER_TABLE,
    }
)
_open: dict[str, Database] = {}
_serving = WHOLE


def serve_as(role: str) -> None:
    """Whom the connections of this process serve from now on, where `get` is not told."""
    global _serving
    _serving = role


def get(config: Config | None = None, role: str | None = None) -> Database:
    """The process's database for a configuration, opened once for each role."""
    config = config or Config.load()
    role = role or _serving
    key = config.database_url if role == WHOLE else f"{role} {config.database_url}"
    if key not in _open:
        _open[key] = Database(config.database_url, role)
    return _open[key]


def _alembic(database: Database):
    from alembic.config import Config as AlembicConfig

    settings = AlembicConfig()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    settings.attributes["engine"] = database.engine
    return settings


def revision(database: Database) -> str | None:
    """The migration that the database is at, None when it is empty."""
    from alembic.runtime.migration import MigrationContext

    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The newest migration that this version ships."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(Path(__file__).parent / "migrations")).get_current_head()


def knows(schema: str) -> bool:
    """Whether a migration is one that this version ships."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(__file__).parent / "migrations"))
    return any(script.revision == schema for script in scripts.walk_revisions())


def migrate(database: Database, backups: Path | None = None, *, to: str = "head") -> bool:
    """Bring the schema to `to`, copying an SQLite file that holds data to `backups` first.

    Safe to call from several processes at once. Returns whether anything was done.
    Raises `EngagementError` when the database is newer than this version.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    now_at = revision(database)
    scripts = ScriptDirectory(str(Path(__file__).parent / "migrations"))
    known = {script.revision for script in scripts.walk_revisions()}
    if now_at is not None and now_at not in known:
        raise EngagementError(
            f"The database is at schema {now_at}, which this version does not know. Run the newer version again, "
            "or restore the copy that was made before it."
        )
    target = scripts.get_current_head() if to == "head" else to
    if now_at == target:
        return False
    if database.is_sqlite and now_at is not None and backups is not None:
        backup_sqlite(database, backups)
    command.upgrade(_alembic(database), to)
    return True


def backup_sqlite(database: Database, folder: Path) -> Path:
    """Copy an SQLite database, consistent even while it is in use, to a dated file that only its owner can read.

    Keys are not in the database and so not in the copy.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"engagement-{clock.now():%Y%m%dT%H%M%S%f}.sqlite"
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = sqlite3.connect(database.path)
    try:
        connection.execute("VACUUM INTO ?", (str(target),))
    finally:
        connection.close()
    return target


def check_foreign_keys(connection) -> None:
    """Raise `EngagementError` if any row points at nothing (SQLite, after foreign keys were off)."""
    broken = connection.execute(text("PRAGMA foreign_key_check")).fetchall()
    if broken:
        raise EngagementError(
            f"{len(broken)} rows point at rows that are gone, the first in table {broken[0][0]}."
        )
