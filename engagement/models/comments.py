"""What a reviewer decided about open answers, and the comments that were published of a round."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Text
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime, one_of

REVIEW_STATES = ("waiting", "approved", "rejected")


class CommentReview(SQLModel, table=True):
    """What was decided about a comment. `text` is set where the reviewer took more words out than the rules did.

    No time is kept here, and no key points at the comment: the audit log has the acts, without a word of the text.
    """

    __tablename__ = "comment_review"
    __table_args__ = (CheckConstraint(one_of("status", REVIEW_STATES), name="status"),)

    comment_id: str = Field(max_length=32, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    round_id: int = Field(foreign_key="round.id", index=True)
    status: str = Field(default="waiting", max_length=8)
    text: str | None = Field(default=None, max_length=1500)
    reason: str | None = Field(default=None, max_length=300)
    themes: list[Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))


class CommentRelease(SQLModel, table=True):
    """All that is published of a round's comments, as canonical JSON with its SHA-256. Triggers refuse any change."""

    __tablename__ = "comment_release"

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    round_id: int = Field(foreign_key="round.id", unique=True)
    content: str = Field(sa_type=Text)
    content_hash: str = Field(max_length=64)
    software: str = Field(max_length=20)
    created_at: datetime = Field(sa_type=UtcTime)
