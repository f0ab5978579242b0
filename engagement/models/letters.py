"""Letters: what the engagement lead writes to practices, whom it reached, a body's own words, and how much mail is enough.

A letter leaves through the outbox of `engagement.models.message`. Whom it was aimed at stands in a table of its own,
which nothing that writes or sends mail reads.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Text
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime

MOST_MAILS = 4


class Letter(SQLModel, table=True):
    """A letter as it was queued. `people` is to the nearest 5; nothing leaves before `leaves_at` or after `stopped_at`."""

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    subject: str = Field(max_length=150)
    text: str = Field(sa_type=Text)
    practices: int
    people: int
    queued_at: datetime = Field(sa_type=UtcTime)
    leaves_at: datetime = Field(sa_type=UtcTime)
    queued_by: str = Field(max_length=120)
    stopped_at: datetime | None = Field(default=None, sa_type=UtcTime)


class LetterAim(SQLModel, table=True):
    """The segment that a letter was written for, after which round, and how the others who got it were drawn.

    `share`: percent of the practices written to that were drawn from all others; `seed`: what they were drawn by.
    """

    __tablename__ = "letter_aim"
    __table_args__ = (CheckConstraint("share BETWEEN 10 AND 50", name="share"),)

    letter_id: int = Field(foreign_key="letter.id", primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    round_id: int = Field(foreign_key="round.id", index=True)
    segment: str = Field(max_length=12)
    share: int
    seed: str = Field(max_length=32)


class LetterPractice(SQLModel, table=True):
    """A practice that a letter is for, aimed at or drawn alike. `left_at`: when a mail to somebody there last left, or was
    about to; None where none has. The cap on mail counts these."""

    __tablename__ = "letter_practice"

    letter_id: int = Field(foreign_key="letter.id", primary_key=True)
    practice_id: int = Field(foreign_key="practice.id", primary_key=True, index=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    left_at: datetime | None = Field(default=None, sa_type=UtcTime)


class LetterText(SQLModel, table=True):
    """A body's own words for a letter of the library. `key`: the letter's there."""

    __tablename__ = "letter_text"

    body_id: int = Field(foreign_key="body.id", primary_key=True)
    key: str = Field(max_length=40, primary_key=True)
    subject: str = Field(max_length=150)
    text: str = Field(sa_type=Text)


class LetterSettings(SQLModel, table=True):
    """How many mails in 28 days are enough for a body's practices, of surveys and letters together."""

    __tablename__ = "letter_settings"
    __table_args__ = (CheckConstraint("most BETWEEN 1 AND 12", name="most"),)

    body_id: int = Field(foreign_key="body.id", primary_key=True)
    most: int = MOST_MAILS
