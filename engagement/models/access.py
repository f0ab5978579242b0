"""Accounts of staff, their roles in a body, their sessions, and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime, one_of, random_id

SIGN_IN_LINKS = ("link", "invitation")
ROLES = (
    "engagement_lead",
    "governing_body",
    "council",
    "comment_reviewer",
    "returning_officer",
    "auditor",
    "operator",
)


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
    """A signed-in browser, by the hash of its cookie.

    `assured`: a second factor was given here, or another provider vouches for the person. `device` is a browser's
    name and system, in words, for the person alone to tell their browsers apart.
    """

    __tablename__ = "staff_session"

    cookie_hash: str = Field(max_length=64, primary_key=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    body_id: int | None = Field(default=None, foreign_key="body.id")
    created_at: datetime = Field(sa_type=UtcTime)
    seen_at: datetime = Field(sa_type=UtcTime)
    ended: bool = False
    assured: bool = False
    way: str = Field(default="password", max_length=10)
    device: str = Field(default="", max_length=40)


class AccountIdentity(SQLModel, table=True):
    """Who an account is at an OpenID provider: issuer and subject, and nothing else that the provider says."""

    __tablename__ = "account_identity"
    __table_args__ = (UniqueConstraint("account_id", "issuer"),)

    issuer: str = Field(max_length=255, primary_key=True)
    subject: str = Field(max_length=255, primary_key=True)
    account_id: int = Field(foreign_key="account.id")
    bound_at: datetime = Field(sa_type=UtcTime)


class ProviderFlow(SQLModel, table=True):
    """Somebody on their way to an OpenID provider and back: once, within minutes, in the browser that set out."""

    __tablename__ = "provider_flow"

    state_hash: str = Field(max_length=64, primary_key=True)
    browser_hash: str = Field(max_length=64)
    invitation_hash: str | None = Field(default=None, max_length=64)
    wanted: str = Field(max_length=1000)
    started_at: datetime = Field(sa_type=UtcTime)


class SignInLink(SQLModel, table=True):
    """A link that lets somebody in once, by its hash: mailed at their wish, or an invitation by the lead.

    `browser_hash`: of the nonce that the asking browser holds; an invitation has none.
    """

    __tablename__ = "sign_in_link"
    __table_args__ = (CheckConstraint(one_of("kind", SIGN_IN_LINKS), name="kind"),)

    token_hash: str = Field(max_length=64, primary_key=True)
    kind: str = Field(max_length=10)
    account_id: int = Field(foreign_key="account.id", index=True)
    browser_hash: str | None = Field(default=None, max_length=64)
    expires_at: datetime = Field(sa_type=UtcTime)
    used: bool = False


class SignInMail(SQLModel, table=True):
    """A mail with a link to sign in that the worker is to write: for an address that was typed, known or not, or an account."""

    __tablename__ = "sign_in_mail"
    __table_args__ = (CheckConstraint(one_of("kind", SIGN_IN_LINKS), name="kind"),)

    id: str = Field(default_factory=random_id, max_length=32, primary_key=True)
    kind: str = Field(max_length=10)
    address: str = Field(max_length=254)
    body_id: int | None = Field(default=None, foreign_key="body.id")
    browser_hash: str | None = Field(default=None, max_length=64)
    asked_at: datetime = Field(sa_type=UtcTime)
    held_until: datetime | None = Field(default=None, sa_type=UtcTime)


class SignInAttempt(SQLModel, table=True):
    """An attempt that counts towards a limit, under a keyed hash: neither address nor network can be read from it."""

    __tablename__ = "sign_in_attempt"

    id: str = Field(default_factory=random_id, max_length=32, primary_key=True)
    key_hash: str = Field(max_length=64, index=True)
    at: datetime = Field(sa_type=UtcTime, index=True)


class SecondFactor(SQLModel, table=True):
    """The secret of an account's authenticator app, sealed, and the last half-minute whose code was used."""

    __tablename__ = "second_factor"

    account_id: int = Field(foreign_key="account.id", primary_key=True)
    box: bytes
    last_step: int = Field(sa_type=BigInteger)
    made_at: datetime = Field(sa_type=UtcTime)


class RecoveryCode(SQLModel, table=True):
    """A code for when the phone is lost, by its hash. It works once and is then gone."""

    __tablename__ = "recovery_code"

    code_hash: str = Field(max_length=64, primary_key=True)
    account_id: int = Field(foreign_key="account.id", index=True)


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
