"""Programmes, rounds, and each round's roster as it stood at launch."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime, one_of
from engagement.models.body import STANDINGS

TIERS = ("practice-view", "confidential", "anonymous")
# What became of a programme's turn. A draft that somebody deleted, or that could not open in time, is a turn skipped.
TURN_STATES = ("drafted", "launched", "skipped")
# Which rounds of a programme wait for somebody's word before they launch.
APPROVALS = ("first", "always", "never")
STATES = ("draft", "launching", "open", "closing", "mixed", "released", "cancelled")
AMENDMENTS = ("extended", "paused", "resumed", "cancelled")


class Programme(SQLModel, table=True):
    """A series of rounds that ask the same body over and over.

    `rule` is a `cadence.Rule` as JSON; without one nothing happens by itself. `moved` holds dates that somebody moved,
    by turn. `tier`, `threshold` and `instrument_id` are what rounds to come ask; empty ones are as in the last round.
    `look_at` is when the worker looks at the programme again.
    """

    __table_args__ = (
        UniqueConstraint("body_id", "name"),
        CheckConstraint("lead_days BETWEEN 1 AND 60", name="lead_days"),
        CheckConstraint(one_of("approval", APPROVALS), name="approval"),
        CheckConstraint("tier IS NULL OR " + one_of("tier", TIERS), name="tier"),
        CheckConstraint("threshold IS NULL OR threshold >= 5", name="threshold_floor"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    name: str = Field(max_length=120)
    created_at: datetime = Field(sa_type=UtcTime)
    rule: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSON(none_as_null=True), nullable=True)
    )
    moved: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    lead_days: int = 14
    approval: str = Field(default="first", max_length=8)
    tier: str | None = Field(default=None, max_length=16)
    threshold: int | None = None
    instrument_id: int | None = Field(default=None, foreign_key="instrument.id")
    paused_at: datetime | None = Field(default=None, sa_type=UtcTime)
    look_at: datetime | None = Field(default=None, sa_type=UtcTime)
    trouble: str | None = Field(default=None, max_length=500)


class ProgrammeTurn(SQLModel, table=True):
    """One turn of a programme that was dealt with, once: its key is what keeps a round from being drafted twice.

    `wanted` is the date by the rule, `opens_at` and `closes_at` what was planned. `public_id` names the round without
    a foreign key, for a draft may be deleted.
    """

    __tablename__ = "programme_turn"
    __table_args__ = (
        CheckConstraint("turn >= 1", name="turn"),
        CheckConstraint(one_of("state", TURN_STATES), name="state"),
        CheckConstraint("closes_at > opens_at", name="closes_after_opens"),
        CheckConstraint("state = 'skipped' OR public_id IS NOT NULL", name="round_known"),
    )

    programme_id: int = Field(foreign_key="programme.id", primary_key=True)
    turn: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    body_id: int = Field(foreign_key="body.id", index=True)
    wanted: date
    opens_at: datetime = Field(sa_type=UtcTime)
    closes_at: datetime = Field(sa_type=UtcTime)
    state: str = Field(max_length=8)
    public_id: str | None = Field(default=None, max_length=16)
    approved: bool = False
    reason: str | None = Field(default=None, max_length=500)


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
    paused_at: datetime | None = Field(default=None, sa_type=UtcTime)
    keys_destroyed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    links_deleted_at: datetime | None = Field(default=None, sa_type=UtcTime)
    promise: str | None = Field(default=None, sa_type=Text)
    promise_hash: str | None = Field(default=None, max_length=64)
    public_key: bytes | None = Field(default=None, sa_type=LargeBinary)
    box_size: int | None = None
    # Names of the tables that the round will publish, in order of priority; see `engagement.rounds.plans`.
    plan: list[str] | None = Field(default=None, sa_column=Column(JSON, nullable=True))
    # How far the gate is, as "3 of 8"; None unless it is at work.
    checking: str | None = Field(default=None, max_length=20)
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


class RoundAmendment(SQLModel, table=True):
    """A change that was made to an open round, beside its promise and never in it; triggers refuse to change a row.

    `content` is canonical JSON and holds the hash of what came before: of the promise, or of the amendment before.
    """

    __tablename__ = "round_amendment"
    __table_args__ = (
        CheckConstraint(one_of("kind", AMENDMENTS), name="kind"),
        CheckConstraint("number >= 1", name="number"),
    )

    round_id: int = Field(foreign_key="round.id", primary_key=True)
    number: int = Field(primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    kind: str = Field(max_length=12)
    content: str = Field(sa_type=Text)
    content_hash: str = Field(max_length=64)
    created_at: datetime = Field(sa_type=UtcTime)
