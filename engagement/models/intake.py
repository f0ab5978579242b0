"""Participation, sealed answers, and what the mix makes of them.

The first table knows who may still answer (by the hash of a link), the second holds what was answered, and no
column, id, order or time joins them. All are stored in the order of their keys, for an insertion order is a
join: they have no row ids (`WITHOUT ROWID`), and a sealed answer's row id is its random key.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Integer, LargeBinary
from sqlmodel import Field, SQLModel

from engagement.models.base import EVEN, one_of, random_id, random_key
from engagement.models.body import STANDINGS

COMMENT_CHOICES = ("quote", "theme", "hide")


class Participation(SQLModel, table=True):
    """A link of a round, by its hash: used or not. `standing` is sealed, `form` is set in practice view only."""

    __table_args__ = (
        CheckConstraint("length(link_hash) = 64", name="link_hash"),
        CheckConstraint("used OR idem_key IS NULL", name="key_only_when_used"),
        {"sqlite_with_rowid": False},
    )

    round_id: int = Field(foreign_key="round.id", primary_key=True)
    link_hash: str = Field(max_length=64, primary_key=True)
    used: bool = False
    withdrawn: bool = False
    idem_key: str | None = Field(default=None, max_length=64)
    withdraw_hash: str | None = Field(default=None, max_length=64)
    form: str | None = Field(default=None, max_length=250)
    standing: bytes = Field(sa_type=LargeBinary)


class SealedAnswer(SQLModel, table=True):
    """An answer that nobody can read before close: one size a round, under a random number.

    Not without row ids, as the others are: rows of this size make that tree deep, and four times as dear to add to.
    """

    __tablename__ = "sealed_answer"
    __table_args__ = (CheckConstraint(EVEN, name="not_counted"),)

    id: int = Field(
        default_factory=random_key,
        # SQLite takes only the type INTEGER, of up to 64 bits, for the row id.
        sa_type=BigInteger().with_variant(Integer(), "sqlite"),
        sa_column_kwargs={"autoincrement": False},
        primary_key=True,
    )
    round_id: int = Field(foreign_key="round.id", index=True)
    box: bytes = Field(sa_type=LargeBinary)


class Response(SQLModel, table=True):
    """An answer after the mix. `answers` maps item key to a score or to the reason why there is none."""

    __table_args__ = (
        CheckConstraint(one_of("standing", STANDINGS), name="standing"),
        {"sqlite_with_rowid": False},
    )

    id: str = Field(default_factory=random_id, max_length=32, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    round_id: int = Field(foreign_key="round.id", index=True)
    standing: str = Field(max_length=12)
    practice_id: int | None = Field(default=None, foreign_key="practice.id", index=True)
    strata: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    panel_before: str | None = Field(default=None, max_length=32)
    panel_now: str | None = Field(default=None, max_length=32)
    practice_may_use: bool = False
    answers: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class PanelSkip(SQLModel, table=True):
    """That somebody sent nothing in a round, invited or not: their code of the round before and of this one, no more.

    Joins their answers on both sides of the round, which the disclosure gate has to know of. In the order of the codes.
    """

    __tablename__ = "panel_skip"
    __table_args__ = ({"sqlite_with_rowid": False},)

    round_id: int = Field(foreign_key="round.id", primary_key=True)
    panel_now: str = Field(max_length=32, primary_key=True)
    panel_before: str = Field(max_length=32)
    body_id: int = Field(foreign_key="body.id", index=True)


class Comment(SQLModel, table=True):
    """An open answer after the mix, cut from everything else its author said or is."""

    __table_args__ = (
        CheckConstraint(one_of("choice", COMMENT_CHOICES), name="choice"),
        {"sqlite_with_rowid": False},
    )

    id: str = Field(default_factory=random_id, max_length=32, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    round_id: int = Field(foreign_key="round.id", index=True)
    item: str = Field(max_length=40)
    text: str = Field(max_length=1500)
    choice: str = Field(max_length=8)


class PracticeParticipation(SQLModel, table=True):
    """How many of a practice were invited and answered, counted at the mix. Shown only in bands."""

    __tablename__ = "practice_participation"
    __table_args__ = (CheckConstraint("answered >= 0 AND answered <= invited", name="answered_of_invited"),)

    round_id: int = Field(foreign_key="round.id", primary_key=True)
    practice_id: int = Field(foreign_key="practice.id", primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    invited: int
    answered: int
