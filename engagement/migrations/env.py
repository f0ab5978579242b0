"""Runs migrations on the engine that `engagement.db.migrate` hands over."""

from alembic import context
from sqlalchemy import text
from sqlmodel import SQLModel

import engagement.models  # noqa: F401  (fills the metadata)
from engagement.db import check_foreign_keys

# One migrator at a time, whichever processes start together.
ADVISORY_LOCK = 7_305_120


def run() -> None:
    """Migrate in one transaction, with SQLite's foreign keys off meanwhile and checked at the end.

    With foreign keys on, a batch migration drops and remakes a parent table, and its children go with it.
    """
    engine = context.config.attributes["engine"]
    with engine.connect() as connection:
        sqlite = engine.dialect.name == "sqlite"
        if sqlite:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        try:
            context.configure(
                connection=connection,
                target_metadata=SQLModel.metadata,
                render_as_batch=True,
                transaction_per_migration=False,
                compare_type=True,
            )
            with connection.begin():
                if not sqlite:
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
                context.run_migrations()
                if sqlite:
                    check_foreign_keys(connection)
        finally:
            if sqlite:
                connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")


run()
