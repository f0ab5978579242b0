"""What stands around the audit log: notices to auditors, what was noted once a day, and requests to link a code."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime, one_of

NOTICE_KINDS = ("head", "linking", "role")


class AuditNotice(SQLModel, table=True):
    """A mail to an auditor, written when it was put in, so that each try sends the same. `done`: sent or given up."""

    __tablename__ = "audit_notice"
    __table_args__ = (
        UniqueConstraint("account_id", "kind", "reference"),
        CheckConstraint(one_of("kind", NOTICE_KINDS), name="kind"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    account_id: int = Field(foreign_key="account.id")
    kind: str = Field(max_length=10)
    reference: str = Field(max_length=40)
    subject: str = Field(max_length=150)
    text: str = Field(sa_type=Text)
    due_at: datetime = Field(sa_type=UtcTime)
    attempts: int = 0
    done: bool = False


class AuditOnce(SQLModel, table=True):
    """The hash of what was recorded today and is recorded once a day only. Older rows are deleted."""

    __tablename__ = "audit_once"

    key: str = Field(max_length=64, primary_key=True)
    day: date


class CodeLink(SQLModel, table=True):
    """A request to link a person to their panel code in one round. Two people approve it, who are not the same."""

    __tablename__ = "code_link"
    __table_args__ = (
        CheckConstraint("approved_by IS NULL OR approved_by <> asked_by", name="two_people"),
        CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", name="approved_when"),
        CheckConstraint("(refused_by IS NULL) = (refused_at IS NULL)", name="refused_when"),
        CheckConstraint(
            "opened_at IS NULL OR (approved_by IS NOT NULL AND refused_by IS NULL)",
            name="opened_after_approval",
        ),
        CheckConstraint("length(reason) > 0", name="reason_given"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    round_id: int = Field(foreign_key="round.id")
    member_id: int = Field(foreign_key="member.id")
    reason: str = Field(max_length=300)
    asked_by: int = Field(foreign_key="account.id")
    asked_at: datetime = Field(sa_type=UtcTime)
    approved_by: int | None = Field(default=None, foreign_key="account.id")
    approved_at: datetime | None = Field(default=None, sa_type=UtcTime)
    refused_by: int | None = Field(default=None, foreign_key="account.id")
    refused_at: datetime | None = Field(default=None, sa_type=UtcTime)
    opened_at: datetime | None = Field(default=None, sa_type=UtcTime)
