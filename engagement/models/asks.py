"""Asks both ways: what practices ask of their body, what they are answered, and what the body asks of them.

A practice asks, never a person: who raised an ask is kept only where they ticked that the engagement lead may know.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime, one_of, random_id

REPLIES = ("yes", "part", "no", "done")
REQUEST_KINDS = ("data", "survey", "meeting", "visit", "time", "other")


class MemberPage(SQLModel, table=True):
    """The hash of the link to a member's own page, which never answers a survey. Another generation ends the old link."""

    __tablename__ = "member_page"
    __table_args__ = (
        CheckConstraint("length(link_hash) = 64", name="link_hash"),
        CheckConstraint("generation >= 1", name="generation"),
        UniqueConstraint("member_id"),
        {"sqlite_with_rowid": False},
    )

    link_hash: str = Field(max_length=64, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    member_id: int = Field(foreign_key="member.id")
    generation: int = 1


class PageRequest(SQLModel, table=True):
    """An address that somebody typed to be sent their own page's link, known or not, until the sender has looked."""

    __tablename__ = "page_request"

    id: str = Field(default_factory=random_id, max_length=32, primary_key=True)
    address: str = Field(max_length=254)
    attempts: int = 0
    until: datetime = Field(sa_type=UtcTime)


class Ask(SQLModel, table=True):
    """What a practice asks of its body. Of its columns only the last four may change; a trigger holds the others."""

    __table_args__ = (
        CheckConstraint("length(need) > 0", name="need_given"),
        CheckConstraint("length(effect) > 0", name="effect_given"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    practice_id: int = Field(foreign_key="practice.id", index=True)
    # Whom the lead may ring up, where they ticked it.
    member_id: int | None = Field(default=None, foreign_key="member.id", index=True)
    topic: str = Field(max_length=20)
    need: str = Field(max_length=200)
    effect: str = Field(max_length=600)
    change: str = Field(default="", max_length=600)
    improvement: str = Field(default="", max_length=600)
    goal: str | None = Field(default=None, max_length=20)
    interest: str = Field(default="", max_length=300)
    public: bool = True
    raised_at: datetime = Field(sa_type=UtcTime)
    answer_by: date
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcTime)
    hidden_at: datetime | None = Field(default=None, sa_type=UtcTime)
    hidden_why: str = Field(default="", max_length=300)
    compared: bool = False


class AskEndorsement(SQLModel, table=True):
    """That a practice stands behind another's ask, and whether it would work on it with them."""

    __tablename__ = "ask_endorsement"

    ask_id: int = Field(foreign_key="ask.id", primary_key=True)
    practice_id: int = Field(foreign_key="practice.id", primary_key=True, index=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    together: bool = False
    endorsed_at: datetime = Field(sa_type=UtcTime)


class AskReply(SQLModel, table=True):
    """The body's word on an ask: yes, part, no, or done. A correction is another; triggers refuse any change."""

    __tablename__ = "ask_reply"
    __table_args__ = (
        CheckConstraint(one_of("kind", REPLIES), name="kind"),
        CheckConstraint("length(text) > 0", name="text_given"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    ask_id: int = Field(foreign_key="ask.id", index=True)
    kind: str = Field(max_length=4)
    text: str = Field(max_length=1000)
    due_on: date | None = None
    replied_by: str = Field(max_length=200)
    replied_at: datetime = Field(sa_type=UtcTime)


class AskRating(SQLModel, table=True):
    """How a member of a practice that asked or endorsed rates what was done. `rater` is a hash that no table leads to a name."""

    __tablename__ = "ask_rating"
    __table_args__ = (
        CheckConstraint("score BETWEEN 1 AND 5", name="score"),
        CheckConstraint("length(rater) = 64", name="rater"),
        {"sqlite_with_rowid": False},
    )

    ask_id: int = Field(foreign_key="ask.id", primary_key=True)
    rater: str = Field(max_length=64, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    score: int
    text: str = Field(default="", max_length=500)


class AskLikeness(SQLModel, table=True):
    """That two practices ask for something alike. `ask_id` is the smaller of the two ids."""

    __tablename__ = "ask_likeness"
    __table_args__ = (
        CheckConstraint("ask_id < other_id", name="in_order"),
        CheckConstraint("cosine BETWEEN 0 AND 1.000001", name="cosine"),
    )

    ask_id: int = Field(foreign_key="ask.id", primary_key=True)
    other_id: int = Field(foreign_key="ask.id", primary_key=True, index=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    cosine: float


class BodyRequest(SQLModel, table=True):
    """What the body asked of practices, beside surveys and meetings, which are counted where they are kept."""

    __tablename__ = "body_request"
    __table_args__ = (
        CheckConstraint(one_of("kind", REQUEST_KINDS), name="kind"),
        CheckConstraint("length(title) > 0", name="title_given"),
        CheckConstraint("due_on IS NULL OR due_on >= asked_on", name="due_after_asked"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    kind: str = Field(max_length=8)
    title: str = Field(max_length=120)
    asked_on: date
    due_on: date | None = None
    logged_by: str = Field(max_length=200)


class BodyRequestPractice(SQLModel, table=True):
    """That a request went to a practice, and whether it gave what was asked; None where it is not known yet."""

    __tablename__ = "body_request_practice"

    request_id: int = Field(foreign_key="body_request.id", primary_key=True)
    practice_id: int = Field(foreign_key="practice.id", primary_key=True, index=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    given: bool | None = None


class PublishedAction(SQLModel, table=True):
    """What the body did about something that members said, for all to read. Triggers refuse any change but taking it off."""

    __tablename__ = "published_action"
    __table_args__ = (
        CheckConstraint("length(said) > 0", name="said_given"),
        CheckConstraint("length(did) > 0", name="did_given"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    said: str = Field(max_length=300)
    did: str = Field(max_length=600)
    published_by: str = Field(max_length=200)
    published_at: datetime = Field(sa_type=UtcTime)
    removed_at: datetime | None = Field(default=None, sa_type=UtcTime)
