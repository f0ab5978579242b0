"""Releases: built once at close, read for ever. Triggers refuse to change or delete them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime


class Release(SQLModel, table=True):
    """Everything that may be shown of a round, as canonical JSON with its SHA-256."""

    __table_args__ = (UniqueConstraint("round_id", "revision"),)

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    round_id: int = Field(foreign_key="round.id", index=True)
    revision: int = 1
    content: str = Field(sa_type=Text)
    content_hash: str = Field(max_length=64)
    software: str = Field(max_length=20)
    created_at: datetime = Field(sa_type=UtcTime)
