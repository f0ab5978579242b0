"""Column types and naming that every table shares."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from sqlalchemy import DateTime
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcTime(TypeDecorator):
    """An instant: aware in Python, UTC in the database. Naive input is refused, for nobody knows what it means."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect):
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect):
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def random_id() -> str:
    """128 random bits as 32 hexadecimal characters: says nothing of order or time."""
    return secrets.token_hex(16)


def random_key() -> int:
    """62 random bits as an even whole number below 2**63, for the key of a row.

    An SQLite table with such a key keeps its rows in the order of these numbers, for an INTEGER PRIMARY KEY is the row
    id. Even, so that `EVEN` refuses the ids that SQLite counts up by itself where none is given: the first is 1,
    each other one more than the largest. Among 60,000 keys two are the same once in 2.5 thousand million times; the
    primary key then refuses the second.
    """
    return secrets.randbits(62) << 1


EVEN = "id % 2 = 0"


def one_of(column: str, values) -> str:
    """The SQL of a check that a column holds one of some plain words."""
    words = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({words})"
