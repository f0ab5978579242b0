"""The council's review of results: what it asked, what it was answered, and who reviewed which release when."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime, one_of

QUESTION_KINDS = ("question", "remark")


class CouncilQuestion(SQLModel, table=True):
    """A question or remark on a release. Of its columns only `public` may change; a trigger holds the others."""

    __tablename__ = "council_question"
    __table_args__ = (
        CheckConstraint(one_of("kind", QUESTION_KINDS), name="kind"),
        CheckConstraint("length(text) > 0", name="text_given"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    release_id: int = Field(foreign_key="release.id", index=True)
    kind: str = Field(max_length=8)
    text: str = Field(max_length=1000)
    public: bool = False
    asked_by: str = Field(max_length=200)
    asked_at: datetime = Field(sa_type=UtcTime)


class CouncilAnswer(SQLModel, table=True):
    """An answer to a question. A correction is another answer; triggers refuse any change."""

    __tablename__ = "council_answer"
    __table_args__ = (CheckConstraint("length(text) > 0", name="text_given"),)

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    question_id: int = Field(foreign_key="council_question.id", index=True)
    text: str = Field(max_length=2000)
    answered_by: str = Field(max_length=200)
    answered_at: datetime = Field(sa_type=UtcTime)


class CouncilReview(SQLModel, table=True):
    """That a council representative reviewed a release. Triggers refuse any change."""

    __tablename__ = "council_review"
    __table_args__ = (UniqueConstraint("release_id", "account_id"),)

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    release_id: int = Field(foreign_key="release.id", index=True)
    account_id: int | None = Field(default=None, foreign_key="account.id", index=True)
    reviewed_by: str = Field(max_length=200)
    reviewed_at: datetime = Field(sa_type=UtcTime)
