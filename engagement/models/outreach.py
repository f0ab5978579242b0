"""Outreach: what a body can do for practices and who does it, plans, contacts with what came of them, buddies and peers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from engagement.models.base import UtcTime, one_of

LANES = ("body", "both", "nhs_england")
WHYS = ("segment", "floor", "random", "hand")
CONTACT_STATES = ("proposed", "planned", "done", "cancelled")
OUTCOMES = ("met", "missed", "declined")
PAIR_STATES = ("proposed", "agreed", "ended", "declined")


class OutreachAction(SQLModel, table=True):
    """An action as a body keeps it: one of its own, or its changes to one of the catalogue, which has the same key."""

    __tablename__ = "outreach_action"
    __table_args__ = (
        UniqueConstraint("body_id", "key"),
        CheckConstraint("hours > 0 AND hours <= 200", name="hours"),
        CheckConstraint(one_of("lane", LANES), name="lane"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    key: str = Field(max_length=40)
    name: str = Field(max_length=80)
    about: str = Field(max_length=300)
    who: str = Field(max_length=80)
    hours: float
    segments: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    lane: str = Field(default="body", max_length=12)
    used: bool = True


class OutreachPerson(SQLModel, table=True):
    """Somebody who makes contacts: hours a month, and where. No locality: everywhere; no actions: all."""

    __tablename__ = "outreach_person"
    __table_args__ = (
        UniqueConstraint("body_id", "name"),
        CheckConstraint("hours >= 0 AND hours <= 200", name="hours"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    name: str = Field(max_length=120)
    hours: float
    locality_id: int | None = Field(default=None, foreign_key="locality.id", index=True)
    practice_id: int | None = Field(default=None, foreign_key="practice.id", index=True)
    actions: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    active: bool = True


class OutreachSettings(SQLModel, table=True):
    """How a body plans. Shares in percent. `counted_from`: where no contact is known, the floor counts from here."""

    __tablename__ = "outreach_settings"
    __table_args__ = (
        CheckConstraint("months BETWEEN 1 AND 12", name="months"),
        CheckConstraint("floor_months BETWEEN 1 AND 60", name="floor_months"),
        CheckConstraint("rest_months BETWEEN 0 AND 24", name="rest_months"),
        CheckConstraint("random_share BETWEEN 0 AND 100", name="random_share"),
        CheckConstraint("slack BETWEEN 0 AND 100", name="slack"),
    )

    body_id: int = Field(foreign_key="body.id", primary_key=True)
    months: int = 6
    floor_months: int = 12
    rest_months: int = 3
    random_share: int = 10
    slack: int = 10
    counted_from: date | None = None


class OutreachExclusion(SQLModel, table=True):
    """A practice that is not to be visited, and why."""

    __tablename__ = "outreach_exclusion"
    __table_args__ = (UniqueConstraint("body_id", "practice_id"),)

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    practice_id: int = Field(foreign_key="practice.id", index=True)
    reason: str = Field(max_length=300)
    since: date


class OutreachPlan(SQLModel, table=True):
    """A plan as it was proposed: from which round, with which rules and seed, and which rule gave."""

    __tablename__ = "outreach_plan"

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    round_id: int | None = Field(default=None, foreign_key="round.id", index=True)
    first_month: date
    months: int
    rules: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    seed: int
    found: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    made_at: datetime = Field(sa_type=UtcTime)
    made_by: str = Field(max_length=120)
    accepted_at: datetime | None = Field(default=None, sa_type=UtcTime)


class PlannedContact(SQLModel, table=True):
    """One contact with a practice, from its proposal to what came of it.

    `round_id`: the newest assessed round when it was planned. `before`: what the last change by hand replaced, so that it
    can be taken back. `done_on` is set in the state "done" alone, with an outcome.
    """

    __tablename__ = "planned_contact"
    __table_args__ = (
        CheckConstraint(one_of("why", WHYS), name="why"),
        CheckConstraint(one_of("state", CONTACT_STATES), name="state"),
        CheckConstraint(f"outcome IS NULL OR {one_of('outcome', OUTCOMES)}", name="outcome"),
        CheckConstraint("(state = 'done') = (done_on IS NOT NULL)", name="done_has_a_day"),
        CheckConstraint("(state = 'done') = (outcome IS NOT NULL)", name="done_has_an_outcome"),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    practice_id: int = Field(foreign_key="practice.id", index=True)
    plan_id: int | None = Field(default=None, foreign_key="outreach_plan.id", index=True)
    round_id: int | None = Field(default=None, foreign_key="round.id", index=True)
    action: str = Field(max_length=40)
    action_name: str = Field(max_length=80)
    hours: float
    month: date
    visit_at: datetime | None = Field(default=None, sa_type=UtcTime)
    person_id: int | None = Field(default=None, foreign_key="outreach_person.id", index=True)
    why: str = Field(max_length=8)
    reason: str = Field(max_length=500)
    by_hand: bool = False
    before: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    state: str = Field(max_length=10)
    done_on: date | None = None
    outcome: str | None = Field(default=None, max_length=10)
    heard: str | None = Field(default=None, sa_type=Text)
    next_step: str | None = Field(default=None, max_length=300)
    next_on: date | None = None
    next_done_on: date | None = None
    made_at: datetime = Field(sa_type=UtcTime)
    made_by: str = Field(max_length=120)


class BuddyPair(SQLModel, table=True):
    """A strong practice beside one that struggles. Both agree before it begins."""

    __tablename__ = "buddy_pair"
    __table_args__ = (
        CheckConstraint(one_of("state", PAIR_STATES), name="state"),
        CheckConstraint("strong_id <> struggling_id", name="two_practices"),
        CheckConstraint(
            "state <> 'agreed' OR (strong_agreed_on IS NOT NULL AND struggling_agreed_on IS NOT NULL)",
            name="both_agreed",
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    strong_id: int = Field(foreign_key="practice.id", index=True)
    struggling_id: int = Field(foreign_key="practice.id", index=True)
    runner_up_id: int | None = Field(default=None, foreign_key="practice.id", index=True)
    reason: str = Field(max_length=500)
    runner_up_reason: str | None = Field(default=None, max_length=500)
    strong_agreed_on: date | None = None
    struggling_agreed_on: date | None = None
    state: str = Field(default="proposed", max_length=10)
    made_on: date


class PeerGroup(SQLModel, table=True):
    """A group of practices that meet as peers."""

    __tablename__ = "peer_group"

    id: int | None = Field(default=None, primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
    name: str = Field(max_length=120)
    made_on: date


class PeerGroupMember(SQLModel, table=True):
    """A practice in a peer group; one group each."""

    __tablename__ = "peer_group_member"
    __table_args__ = (UniqueConstraint("practice_id"),)

    group_id: int = Field(foreign_key="peer_group.id", primary_key=True)
    practice_id: int = Field(foreign_key="practice.id", primary_key=True)
    body_id: int = Field(foreign_key="body.id", index=True)
