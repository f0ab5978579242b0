"""Items for ever, their wordings as versions, and the instruments that a round asks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime, one_of

KINDS = ("agree5", "engage4", "text")


class Item(SQLModel, table=True):
    """A question's identity, for ever. `key` is what files, trends and references call it."""

    __table_args__ = (UniqueConstraint("body_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    key: str = Field(max_length=40)
    core: bool = False


class ItemVersion(SQLModel, table=True):
    """One wording of an item. `text` holds the body's words as placeholders; a new version breaks the trend."""

    __tablename__ = "item_version"
    __table_args__ = (
        UniqueConstraint("item_id", "version"),
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        CheckConstraint("length(text) > 0", name="text_given"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    item_id: int = Field(foreign_key="item.id", index=True)
    version: int
    kind: str = Field(max_length=12)
    text: str = Field(max_length=500)
    not_applicable: str | None = Field(default=None, max_length=120)
    reverse: bool = False
    origin: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_type=UtcTime)


class Instrument(SQLModel, table=True):
    """A named choice of items in order."""

    __table_args__ = (UniqueConstraint("body_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    name: str = Field(max_length=120)
    created_at: datetime = Field(sa_type=UtcTime)


class InstrumentItem(SQLModel, table=True):
    """An item's place in an instrument. A round takes the item's newest wording when it is launched."""

    __tablename__ = "instrument_item"
    __table_args__ = (UniqueConstraint("instrument_id", "position"),)

    instrument_id: int = Field(foreign_key="instrument.id", primary_key=True)
    item_id: int = Field(foreign_key="item.id", primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    position: int
    headline: bool = False
