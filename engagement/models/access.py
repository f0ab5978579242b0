"""Accounts of staff, their roles in a body, their sessions, and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime, one_of

ROLES = ("engagement_lead", "governing_body", "council", "comment_reviewer")


class Account(SQLModel, table=True):
    """Somebody who signs in. Members who only answer have none. E-mail is stored in lower case."""

    __table_args__ = (
        UniqueConstraint("email"),
        CheckConstraint("email = lower(email)", name="email_lower"),
    )

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(max_length=254)
    name: str = Field(max_length=200)
    password_hash: str = Field(max_length=200)
    must_change: bool = False
    disabled: bool = False
    is_demo: bool = False
    created_at: datetime = Field(sa_type=UtcTime)


class AccountRole(SQLModel, table=True):
    """A role of an account in a body."""

    __tablename__ = "account_role"
    __table_args__ = (CheckConstraint(one_of("role", ROLES), name="role"),)

    account_id: int = Field(foreign_key="account.id", primary_key=True)
    body_id: int = Field(foreign_key="body.id", primary_key=True)
    role: str = Field(max_length=20, primary_key=True)


class StaffSession(SQLModel, table=True):
    """A signed-in browser, by the hash of its cookie."""

    __tablename__ = "staff_session"

    cookie_hash: str = Field(max_length=64, primary_key=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    body_id: int | None = Field(default=None, foreign_key="body.id")
    created_at: datetime = Field(sa_type=UtcTime)
    seen_at: datetime = Field(sa_type=UtcTime)
    ended: bool = False


class AuditEntry(SQLModel, table=True):
    """A line of the audit log, chained to the one before. Triggers refuse update and delete."""

    __tablename__ = "audit_entry"

    id: int | None = Field(default=None, primary_key=True)
    body_id: int | None = Field(default=None, foreign_key="body.id", index=True)
    at: datetime = Field(sa_type=UtcTime)
    actor: str = Field(max_length=120)
    action: str = Field(max_length=60)
    detail: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    previous: str = Field(max_length=64)
    hash: str = Field(max_length=64)


class Lease(SQLModel, table=True):
    """Who may do a job alone, until when."""

    name: str = Field(max_length=40, primary_key=True)
    holder: str = Field(max_length=80)
    until: datetime = Field(sa_type=UtcTime)
