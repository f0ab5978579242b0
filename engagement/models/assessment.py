"""Assessments of practices, one a round, and who came to meetings. Triggers refuse to change or delete the first."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime


class Assessment(SQLModel, table=True):
    """What a round let be said of each practice, as canonical JSON with its SHA-256."""

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    round_id: int = Field(foreign_key="round.id", unique=True)
    content: str = Field(sa_type=Text)
    content_hash: str = Field(max_length=64)
    software: str = Field(max_length=20)
    created_at: datetime = Field(sa_type=UtcTime)


class Meeting(SQLModel, table=True):
    """A meeting of the body that practices were asked to."""

    __table_args__ = (
        UniqueConstraint("body_id", "held_on", "title"),
        CheckConstraint("length(title) > 0", name="title_given"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    held_on: date
    title: str = Field(max_length=120)


class Attendance(SQLModel, table=True):
    """How many people of a practice came to a meeting; 0 where it is known that nobody did."""

    __table_args__ = (CheckConstraint("people >= 0", name="people"),)

    meeting_id: int = Field(foreign_key="meeting.id", primary_key=True)
    practice_id: int = Field(foreign_key="practice.id", primary_key=True, index=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    people: int
