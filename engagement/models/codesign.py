"""Co-design: questions that council representatives propose for the next round, who stands behind them, and the answers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime, one_of
from engagement.models.instrument import KINDS

VERDICTS = ("accepted", "declined")


class ItemProposal(SQLModel, table=True):
    """A question that somebody would have asked. Only `withdrawn_at` may change; a trigger holds the rest."""

    __tablename__ = "item_proposal"
    __table_args__ = (
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        CheckConstraint("length(text) > 0", name="text_given"),
        CheckConstraint("length(why) > 0", name="why_given"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    proposed_by: str = Field(max_length=200)
    proposed_at: datetime = Field(sa_type=UtcTime)
    kind: str = Field(max_length=12)
    text: str = Field(max_length=500)
    why: str = Field(max_length=600)
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcTime)


class ItemEndorsement(SQLModel, table=True):
    """That another representative stands behind a proposal."""

    __tablename__ = "item_endorsement"

    proposal_id: int = Field(foreign_key="item_proposal.id", primary_key=True)
    account_id: int = Field(foreign_key="account.id", primary_key=True, index=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    endorsed_by: str = Field(max_length=200)
    endorsed_at: datetime = Field(sa_type=UtcTime)


class ItemAnswer(SQLModel, table=True):
    """The engagement lead's one answer to a proposal; `item_id` is the question that came of it. Triggers refuse any change."""

    __tablename__ = "item_answer"
    __table_args__ = (
        CheckConstraint(one_of("verdict", VERDICTS), name="verdict"),
        CheckConstraint("(verdict = 'accepted') = (item_id IS NOT NULL)", name="accepted_as_item"),
        CheckConstraint("verdict = 'accepted' OR length(reason) > 0", name="reason_given"),
    )

    proposal_id: int = Field(foreign_key="item_proposal.id", primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    verdict: str = Field(max_length=8)
    reason: str = Field(default="", max_length=600)
    item_id: int | None = Field(default=None, foreign_key="item.id", index=True)
    answered_by: str = Field(max_length=200)
    answered_at: datetime = Field(sa_type=UtcTime)
