"""Orders of visits drawn by lot, sealed before anybody saw them. A trigger keeps what was drawn as it was."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime


class OutreachOrder(SQLModel, table=True):
    """One draw after a round. `content`: who was eligible, the salt, the order, as canonical JSON; `seal`: its SHA-256, which
    went to the audit log when it was drawn. Seen once `opened_at`; one that nobody saw may be `discarded_at`."""

    __tablename__ = "outreach_order"
    __table_args__ = (
        UniqueConstraint("round_id", "attempt"),
        CheckConstraint("attempt >= 1", name="attempt"),
        CheckConstraint("opened_at IS NULL OR discarded_at IS NULL", name="seen_or_discarded"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    round_id: int = Field(foreign_key="round.id")
    attempt: int
    content: str = Field(sa_type=Text)
    seal: str = Field(max_length=64)
    sealed_at: datetime = Field(sa_type=UtcTime)
    opened_at: datetime | None = Field(default=None, sa_type=UtcTime)
    discarded_at: datetime | None = Field(default=None, sa_type=UtcTime)
