"""Programmes, rounds, and each round's roster as it stood at launch."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime, one_of
from engagement.models.body import STANDINGS

TIERS = ("practice-view", "confidential", "anonymous")
STATES = ("draft", "launching", "open", "closing", "mixed", "released")


class Programme(SQLModel, table=True):
    """A series of rounds that ask the same body over and over."""

    __table_args__ = (UniqueConstraint("body_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    name: str = Field(max_length=120)
    created_at: datetime = Field(sa_type=UtcTime)


class Round(SQLModel, table=True):
    """One asking. `promise` is canonical JSON, frozen and hashed at launch; a trigger refuses to change it."""

    __table_args__ = (
        UniqueConstraint("body_id", "number"),
        UniqueConstraint("public_id"),
        CheckConstraint(one_of("state", STATES), name="state"),
        CheckConstraint(one_of("tier", TIERS), name="tier"),
        CheckConstraint("threshold >= 5", name="threshold_floor"),
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint(
            "closes_at IS NULL OR opens_at IS NULL OR closes_at > opens_at", name="closes_after_opens"
        ),
        CheckConstraint("state = 'draft' OR promise_hash IS NOT NULL", name="promise_before_invitations"),
        CheckConstraint("state = 'draft' OR closes_at IS NOT NULL", name="dates_before_invitations"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    programme_id: int = Field(foreign_key="programme.id", index=True)
    instrument_id: int | None = Field(default=None, foreign_key="instrument.id", index=True)
    public_id: str = Field(max_length=16)
    number: int
    title: str = Field(max_length=120)
    tier: str = Field(default="confidential", max_length=16)
    threshold: int = 10
    state: str = Field(default="draft", max_length=12, index=True)
    imported: bool = False
    opens_at: datetime | None = Field(default=None, sa_type=UtcTime)
    closes_at: datetime | None = Field(default=None, sa_type=UtcTime)
    launched_at: datetime | None = Field(default=None, sa_type=UtcTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    mixed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    keys_destroyed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    links_deleted_at: datetime | None = Field(default=None, sa_type=UtcTime)
    promise: str | None = Field(default=None, sa_type=Text)
    promise_hash: str | None = Field(default=None, max_length=64)
    public_key: bytes | None = Field(default=None, sa_type=LargeBinary)
    box_size: int | None = None
    trouble: str | None = Field(default=None, max_length=500)


class RoundRoster(SQLModel, table=True):
    """Who was invited and how they stood at launch. Holds nothing about taking part."""

    __tablename__ = "round_roster"
    __table_args__ = (CheckConstraint(one_of("standing", STANDINGS), name="standing"),)

    round_id: int = Field(foreign_key="round.id", primary_key=True)
    member_id: int = Field(foreign_key="member.id", primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    practice_id: int | None = Field(default=None, foreign_key="practice.id", index=True)
    role: str = Field(max_length=60)
    standing: str = Field(max_length=12)
    representative: bool = False
    strata: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    generation: int = 1
