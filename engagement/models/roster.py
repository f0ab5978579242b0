"""Practices, the people who belong through them, and the dated roles that say how."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import one_of
from engagement.models.body import STANDINGS


class Practice(SQLModel, table=True):
    """A member practice. `closed` is the first day on which it is no longer one; `successor_id` took it over."""

    __table_args__ = (
        UniqueConstraint("body_id", "code"),
        CheckConstraint("closed IS NULL OR opened IS NULL OR closed >= opened", name="closed_after_opened"),
        CheckConstraint("successor_id IS NULL OR successor_id <> id", name="not_its_own_successor"),
        CheckConstraint("list_size IS NULL OR list_size >= 0", name="list_size"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    code: str = Field(max_length=20)
    name: str = Field(max_length=200)
    locality_id: int | None = Field(default=None, foreign_key="locality.id", index=True)
    list_size: int | None = None
    postcode: str | None = Field(default=None, max_length=10)
    easting: int | None = None
    northing: int | None = None
    opened: date | None = None
    closed: date | None = None
    successor_id: int | None = Field(default=None, foreign_key="practice.id", index=True)
    attributes: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class Member(SQLModel, table=True):
    """A person on the roster. `ref` is the body's own number for them, stable over the years."""

    __table_args__ = (UniqueConstraint("body_id", "ref"),)

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    ref: str = Field(max_length=60)
    name: str | None = Field(default=None, max_length=200)
    email: str | None = Field(default=None, max_length=254)
    attributes: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class Spell(SQLModel, table=True):
    """One stretch of a member's role at a practice (or in the body itself, `practice_id` empty).

    The start is included and the end is not. Bounds may be dates, round numbers, or both; each that is given
    must hold. `standing` overrides what the body's mapping makes of the role.
    """

    __table_args__ = (
        CheckConstraint("ends IS NULL OR starts IS NULL OR ends >= starts", name="ends_after_starts"),
        CheckConstraint(
            "left_wave IS NULL OR joined_wave IS NULL OR left_wave >= joined_wave", name="left_after_joined"
        ),
        CheckConstraint(f"standing IS NULL OR {one_of('standing', STANDINGS)}", name="standing"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    member_id: int = Field(foreign_key="member.id", index=True)
    practice_id: int | None = Field(default=None, foreign_key="practice.id", index=True)
    role: str = Field(max_length=60)
    standing: str | None = Field(default=None, max_length=12)
    representative: bool = False
    starts: date | None = None
    ends: date | None = None
    joined_wave: int | None = None
    left_wave: int | None = None
