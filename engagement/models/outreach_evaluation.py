"""What outreach achieved, as it was worked out. Triggers refuse to change, replace or delete it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime


class OutreachEvaluation(SQLModel, table=True):
    """What could be said of the visits of a body, as canonical JSON with its SHA-256. `basis`: SHA-256 of what it rests on."""

    __tablename__ = "outreach_evaluation"
    __table_args__ = (UniqueConstraint("body_id", "basis"),)

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id")
    basis: str = Field(max_length=64)
    content: str = Field(sa_type=Text)
    content_hash: str = Field(max_length=64)
    created_at: datetime = Field(sa_type=UtcTime)
