"""Mail: what waits to be sent, what is said, to whom nothing may be sent, and where mail does not arrive.

No row holds a link, and none says whether a person answered: a reminder that was sent and one that was left out
because it was no longer needed end in the same state, without a time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime, one_of, random_id

MEMBER_KINDS = ("invitation", "reminder", "amendment", "link", "published")
STAFF_KINDS = ("results", "widened")
# The kinds of mail that a round sends by itself.
MESSAGE_KINDS = MEMBER_KINDS + STAFF_KINDS
LETTER = "letter"
MESSAGE_STATES = ("waiting", "leased", "done")
OPT_OUTS = ("reminders", "all")


class Message(SQLModel, table=True):
    """One mail to one person, of a round or of a letter, at most once. `done` is the one end: sent, left out or given up.

    `attempts` counts how often it was taken up; it, the times and the holder are cleared at the end.
    """

    __table_args__ = (
        UniqueConstraint("round_id", "kind", "number", "member_id"),
        UniqueConstraint("round_id", "kind", "number", "account_id"),
        UniqueConstraint("letter_id", "member_id"),
        CheckConstraint(one_of("kind", (*MESSAGE_KINDS, LETTER)), name="kind"),
        CheckConstraint("(round_id IS NULL) <> (letter_id IS NULL)", name="one_reason"),
        CheckConstraint("(kind = 'letter') = (letter_id IS NOT NULL)", name="letter_kind"),
        CheckConstraint(one_of("state", MESSAGE_STATES), name="state"),
        CheckConstraint("(member_id IS NULL) <> (account_id IS NULL)", name="one_person"),
        CheckConstraint(
            "state <> 'done' OR (due_at IS NULL AND holder IS NULL AND until IS NULL AND attempts = 0)",
            name="one_end",
        ),
    )

    id: str = Field(default_factory=random_id, max_length=32, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    round_id: int | None = Field(default=None, foreign_key="round.id", index=True)
    letter_id: int | None = Field(default=None, foreign_key="letter.id", index=True)
    kind: str = Field(max_length=12)
    number: int = 1
    member_id: int | None = Field(default=None, foreign_key="member.id")
    account_id: int | None = Field(default=None, foreign_key="account.id")
    state: str = Field(default="waiting", max_length=8)
    due_at: datetime | None = Field(default=None, sa_type=UtcTime, index=True)
    attempts: int = 0
    holder: str | None = Field(default=None, max_length=80)
    until: datetime | None = Field(default=None, sa_type=UtcTime)


class Mailing(SQLModel, table=True):
    """That a kind of mail was put in the outbox for a round, once. `people` is rounded to 5 for reminders."""

    __table_args__ = (CheckConstraint(one_of("kind", MESSAGE_KINDS), name="kind"),)

    round_id: int = Field(foreign_key="round.id", primary_key=True)
    kind: str = Field(max_length=12, primary_key=True)
    number: int = Field(default=1, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    queued_at: datetime = Field(sa_type=UtcTime)
    people: int = 0


class DeadLetter(SQLModel, table=True):
    """A person to whom a mail of a round, or a letter, could not be sent. Says of a round neither which mail nor when."""

    __tablename__ = "dead_letter"
    __table_args__ = (
        UniqueConstraint("round_id", "member_id"),
        UniqueConstraint("round_id", "account_id"),
        UniqueConstraint("letter_id", "member_id"),
        CheckConstraint("(round_id IS NULL) <> (letter_id IS NULL)", name="one_reason"),
        CheckConstraint("(member_id IS NULL) <> (account_id IS NULL)", name="one_person"),
    )

    id: str = Field(default_factory=random_id, max_length=32, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    round_id: int | None = Field(default=None, foreign_key="round.id", index=True)
    letter_id: int | None = Field(default=None, foreign_key="letter.id", index=True)
    member_id: int | None = Field(default=None, foreign_key="member.id")
    account_id: int | None = Field(default=None, foreign_key="account.id")
    address: str = Field(max_length=254)
    reason: str = Field(max_length=300)


class Bounce(SQLModel, table=True):
    """An address from which mail came back, in lower case. No mail goes to it once it is `hard`."""

    address: str = Field(max_length=254, primary_key=True)
    hard: bool = False
    soft: int = 0


class OptOut(SQLModel, table=True):
    """A member who wants no reminders and no letters, or no mail at all."""

    __tablename__ = "opt_out"
    __table_args__ = (CheckConstraint(one_of("scope", OPT_OUTS), name="scope"),)

    member_id: int = Field(foreign_key="member.id", primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    scope: str = Field(max_length=10)


class OptOutLink(SQLModel, table=True):
    """The hash of a member's opt-out link, which is another than any that answers. Says only that mail was due."""

    __tablename__ = "opt_out_link"
    __table_args__ = (
        CheckConstraint("length(link_hash) = 64", name="link_hash"),
        {"sqlite_with_rowid": False},
    )

    link_hash: str = Field(max_length=64, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    member_id: int = Field(foreign_key="member.id", index=True)


class MailClock(SQLModel, table=True):
    """When the next mail may leave, for all processes together, and what holds mail up. One row."""

    __tablename__ = "mail_clock"

    id: int = Field(default=1, primary_key=True)
    next_at: datetime = Field(sa_type=UtcTime)
    trouble: str | None = Field(default=None, max_length=300)


class LinkRequest(SQLModel, table=True):
    """An address that somebody typed to be sent their link again, known or not, until the worker has looked."""

    __tablename__ = "link_request"

    id: str = Field(default_factory=random_id, max_length=32, primary_key=True)
    address: str = Field(max_length=254)


class Contact(SQLModel, table=True):
    """How many of a practice a round could reach by mail, kept when its messages are deleted."""

    __table_args__ = (CheckConstraint("reached >= 0 AND reached <= invited", name="reached_of_invited"),)

    round_id: int = Field(foreign_key="round.id", primary_key=True)
    practice_id: int = Field(foreign_key="practice.id", primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    invited: int
    reached: int


class MailSettings(SQLModel, table=True):
    """A body's sender and plan of reminders. Empty sender: the installation's own."""

    __tablename__ = "mail_settings"
    __table_args__ = (
        CheckConstraint("reminders BETWEEN 0 AND 7", name="reminders"),
        CheckConstraint("gap_days BETWEEN 2 AND 60", name="gap_days"),
    )

    body_id: int = Field(foreign_key="body.id", primary_key=True)
    sender_name: str | None = Field(default=None, max_length=100)
    sender_address: str | None = Field(default=None, max_length=254)
    reply_to: str | None = Field(default=None, max_length=254)
    reminders: int = 3
    gap_days: int = 5
    quiet_days: list[Any] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))


class MessageTemplate(SQLModel, table=True):
    """A body's own words for a kind of mail. The HTML is made from the same text."""

    __tablename__ = "message_template"
    __table_args__ = (CheckConstraint(one_of("kind", MESSAGE_KINDS), name="kind"),)

    body_id: int = Field(foreign_key="body.id", primary_key=True)
    kind: str = Field(max_length=12, primary_key=True)
    subject: str = Field(max_length=150)
    text: str = Field(sa_type=Text)
