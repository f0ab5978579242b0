"""Whether the product may be used for real people as it is set up: in production it refuses to start otherwise."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import select

from engagement.config import Config
from engagement.db import Database
from engagement.models import Account, Body

# Only the owner may look in. Outbox and app-keys hold links and secrets as well.
CLOSED_FOLDERS = ("keys", "app_keys", "outbox", "backups")


def faults(
    config: Config, database: Database, *, listens_on: str = "127.0.0.1", app: bool = True
) -> list[str]:
    """All that is unsafe, each with its remedy: settings, files, the user, and what is in the database.

    `app`: whether this process is the app, which strangers reach and which should not be able to read answers.
    """
    found = config.unsafe(listens_on)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        found.append("It runs as root: give it a user of its own")
    for folder in (config.data, *(getattr(config, name) for name in CLOSED_FOLDERS)):
        found += _open_to_others(folder)
    try:
        with database.engine.connect() as connection:
            if not inspect(connection).has_table("account"):
                return found
            if not database.is_sqlite:
                found += _postgres(connection, app=app)
        with database.reading() as session:
            demo = session.exec(select(Body.code).where(Body.is_demo)).all()
            if demo or session.exec(select(Account.id).where(Account.is_demo).limit(1)).first():
                found.append(
                    "There are demo accounts, whose passwords everybody knows, or a demo body "
                    f"({', '.join(demo) or 'none'}): start with an empty database"
                )
    except SQLAlchemyError as error:
        found.append(
            f"The database cannot be looked at ({type(error).__name__}): check ENGAGEMENT_DATABASE_URL"
        )
    return found


def _open_to_others(folder: Path) -> list[str]:
    """A line where others than the owner may read or enter a folder."""
    if folder.exists() and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        return [f"Others may look into {folder}: chmod 700 {folder}"]
    return []


def _postgres(connection, *, app: bool) -> list[str]:
    """What is unsafe about the user and the server of PostgreSQL."""
    found = []
    if connection.execute(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")).scalar():
        found.append("The database user is a superuser: use the roles of docs/deploy/postgresql-roles.sql")
    readable = connection.execute(
        text(
            "SELECT has_table_privilege('response', 'SELECT') OR has_table_privilege('sealed_answer', 'SELECT')"
        )
    ).scalar()
    if app and readable:
        found.append("The app's database user can read answers: apply docs/deploy/postgresql-roles.sql")
    for setting in ("fsync", "synchronous_commit"):
        if connection.execute(text(f"SHOW {setting}")).scalar() == "off":
            found.append(
                f"PostgreSQL's {setting} is off: an acknowledged answer could be lost in a power cut"
            )
    return found


def refuse(config: Config, *, listens_on: str = "127.0.0.1", app: bool = True) -> None:
    """In production, end the process with the list of what is unsafe, if anything is. Elsewhere do nothing."""
    if config.production == "off":
        return
    database = Database(config.database_url)
    try:
        found = faults(config, database, listens_on=listens_on, app=app)
    finally:
        database.dispose()
    if found:
        print("Not started, because ENGAGEMENT_PRODUCTION is set and this is not safe yet:", file=sys.stderr)
        for line in found:
            print(f"  - {line}", file=sys.stderr)
        raise SystemExit(1)
