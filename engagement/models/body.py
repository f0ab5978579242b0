"""The membership body and its localities."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime, random_id

STANDINGS = ("leader", "grassroots", "staff", "none")


class Body(SQLModel, table=True):
    """A membership body. `words` renames what the screens call things; `standing_map` says which arm a role is in.

    The members' page of results is open to all where `results_open`, else it has `results_token` in its address.
    """

    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("threshold >= 5", name="threshold_floor"),
        CheckConstraint("length(code) BETWEEN 1 AND 20", name="code_length"),
    )

    id: int | None = Field(default=None, primary_key=True)
    code: str = Field(max_length=20)
    name: str = Field(max_length=200)
    words: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    standing_map: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    threshold: int = 10
    is_demo: bool = False
    results_open: bool = False
    results_token: str = Field(default_factory=random_id, max_length=32)
    created_at: datetime = Field(sa_type=UtcTime)


class Locality(SQLModel, table=True):
    """A part of a body's area that groups practices."""

    __table_args__ = (UniqueConstraint("body_id", "code"),)

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id")
    code: str = Field(max_length=40)
    name: str = Field(max_length=200)
