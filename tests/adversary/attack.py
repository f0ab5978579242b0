"""Attackers who want to know which answer is whose, and the measure of how often they are right.

Each attacker knows the roster and in which order people submitted, finds the answers in some order in what was
left behind, and says that the first answer is the first person's, and so on, or the other way round.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from math import comb, sqrt
from pathlib import Path
from statistics import NormalDist, correlation

from sqlalchemy import text

from engagement.db import Database
from tests.adversary.crowd import numbers_in

SQLITE_PAGE = 4096
POSTGRES_PAGE = 8192


@dataclass(frozen=True)
class Guess:
    """How many of `of` people an attacker named rightly, the better of the two directions.

    `drift` is how far the two orders agree at all, in standard deviations of two unrelated orders: it sees an
    order that is only roughly kept, in which hardly anybody is named rightly.
    """

    right: int
    of: int
    drift: float

    def __str__(self) -> str:
        return f"{self.right} of {self.of} (drift {self.drift:.1f})"

    @property
    def links(self) -> bool:
        """Whether nearly everybody was named."""
        return self.right >= 0.95 * self.of


def guess(found: list[int], submitted: list[int]) -> Guess:
    """Match answers in the order in which they were found to people in the order in which they submitted."""
    place = {number: at for at, number in enumerate(submitted)}
    found = list(dict.fromkeys(number for number in found if number in place))
    right = max(sum(a == b for a, b in zip(way, submitted, strict=False)) for way in (found, found[::-1]))
    # Spearman's rank correlation has variance 1/(n - 1) between unrelated orders.
    rho = correlation([place[number] for number in found], range(len(found))) if len(found) > 2 else 0.0
    return Guess(right, len(submitted), abs(rho) * sqrt(max(len(found) - 1, 0)))


def chance_bound(people: int, guesses: int, level: float = 0.999) -> int:
    """What blind guessing stays at or under with probability `level`, in all of `guesses` guesses together.

    A guess names each person rightly with probability 1/people; taken as binomial, and Bonferroni over the
    guesses, so that a whole run of the tests fails by bad luck once in a thousand.
    """
    beyond, p = (1 - level) / guesses, 1 / people
    total, right = 0.0, -1
    while total < 1 - beyond:
        right += 1
        total += comb(people, right) * p**right * (1 - p) ** (people - right)
    return right


def drift_bound(guesses: int, level: float = 0.999) -> float:
    """What the drift of unrelated orders stays under with probability `level`, in all `guesses` together."""
    return NormalDist().inv_cdf(1 - (1 - level) / guesses / 2)


def by_page(data: bytes, page: int) -> list[int]:
    """Numbers in the order of pages, and in each from its end, where databases put the first row."""
    found = numbers_in(data)
    return [number for _, number in sorted(found, key=lambda hit: (hit[0] // page, -hit[0]))]


def by_offset(data: bytes) -> list[int]:
    """Numbers in the order of their bytes."""
    return [number for _, number in numbers_in(data)]


def sqlite_files(path: Path) -> dict[str, bytes]:
    """The database file, its write-ahead log and shared memory, as they lie on the disk."""
    files = {suffix: path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")}
    return {f"file{suffix}": file.read_bytes() for suffix, file in files.items() if file.exists()}


def log_place(database: Database) -> tuple[str, int] | None:
    """Where PostgreSQL's write-ahead log stands now: a file of it and the place in that; None on SQLite."""
    if database.is_sqlite:
        return None
    with database.reading() as session:
        row = session.execute(
            text("SELECT file_name, file_offset FROM pg_walfile_name_offset(pg_current_wal_insert_lsn())")
        ).one()
    return row.file_name, row.file_offset


def empty_log(database: Database) -> None:
    """Bring SQLite's log into its file, as happens by itself from time to time."""
    if database.is_sqlite:
        with database.engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def postgres_files(database: Database, since: tuple[str, int]) -> dict[str, bytes]:
    """The files of one PostgreSQL database after a checkpoint, and the server's log from a place in it to now."""
    until = log_place(database)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))
        folder = Path(connection.execute(text("SHOW data_directory")).scalar_one())
        oid = connection.execute(
            text("SELECT oid FROM pg_database WHERE datname = current_database()")
        ).scalar_one()
    files = {f"base/{f.name}": f.read_bytes() for f in sorted((folder / "base" / str(oid)).iterdir())}
    for file in sorted((folder / "pg_wal").iterdir()):
        # Before and behind these places lies what other databases of this server wrote.
        if file.is_file() and since[0] <= file.name <= until[0]:
            start = since[1] if file.name == since[0] else 0
            end = until[1] if file.name == until[0] else None
            files[f"pg_wal/{file.name}"] = _without_heads(file.read_bytes(), start, end)
    return files


def _without_heads(segment: bytes, start: int, end: int | None) -> bytes:
    """A stretch of PostgreSQL's log without the heads of its pages, which cut records in two.

    Heads are 24 bytes, and 40 on the first page of a file (XLogPageHeaderData in xlog_internal.h).
    """
    pages = range(0, len(segment) if end is None else end, POSTGRES_PAGE)
    return b"".join(
        segment[
            max(page + (24 if page else 40), start) : page + POSTGRES_PAGE
            if end is None
            else min(page + POSTGRES_PAGE, end)
        ]
        for page in pages
        if page + POSTGRES_PAGE > start
    )


def everything_on_disk(database: Database, since: tuple[str, int] | None) -> dict[str, bytes]:
    """All bytes that hold the database, free pages and logs included."""
    return sqlite_files(database.path) if database.is_sqlite else postgres_files(database, since)


def disk_orders(database: Database, since: tuple[str, int] | None) -> dict[str, list[int]]:
    """Orders in which answers lie in the files and in the log."""
    files = everything_on_disk(database, since)
    is_log = {name: "wal" in name for name in files}
    whole = b"".join(data for name, data in files.items() if not is_log[name])
    log = b"".join(data for name, data in files.items() if is_log[name])
    page, frame = (SQLITE_PAGE, SQLITE_PAGE + 24) if database.is_sqlite else (POSTGRES_PAGE, POSTGRES_PAGE)
    return {
        "file by offset": by_offset(whole),
        "file by page": by_page(whole, page),
        "log by offset": by_offset(log),
        "log by page": by_page(log, frame),
    }


def hidden_columns(database: Database) -> str:
    """What orders rows besides their columns: rowid, or the transaction and then the place in the file."""
    return "rowid" if database.is_sqlite else "xmin::text::bigint, ctid"


def has_rowid(path: Path, table: str) -> bool:
    """Whether an SQLite table has row ids, which count up as rows are inserted."""
    connection = sqlite3.connect(path)
    try:
        connection.execute(f"SELECT rowid FROM {table} LIMIT 1")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


def holders(files: dict[str, bytes], needles: dict[str, bytes]) -> list[str]:
    """Which of the needles lies in which file."""
    return [
        f"{what} in {name}"
        for name, data in files.items()
        for what, needle in needles.items()
        if needle in data
    ]
