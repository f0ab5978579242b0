"""Who makes contacts and with how many hours, which practices are not to be visited, and how the body plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import delete
from sqlmodel import Session, select

from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.errors import Conflict, Invalid, NotFound
from engagement.models import (
    Locality,
    OutreachExclusion,
    OutreachPerson,
    OutreachSettings,
    PlannedContact,
    Practice,
)
from engagement.outreach import catalogue
from engagement.roster.bodies import own_body
from engagement.roster.text import clean, formula_start

NAME_LIMIT, REASON_LIMIT, MOST_HOURS = 120, 300, 200


@dataclass(frozen=True)
class Person:
    """Somebody who makes contacts. `locality`: its code, None for everywhere; `practice`: the code of their own, which
    they do not visit; `actions`: keys, none for all."""

    id: int
    name: str
    hours: float
    locality: str | None
    practice: str | None
    actions: tuple[str, ...]
    active: bool


@dataclass(frozen=True)
class Settings:
    """How a body plans. `months` ahead; every practice once in `floor_months`, and not again within `rest_months`;
    shares in percent. `counted_from`: see `engagement.models.OutreachSettings`."""

    months: int = 6
    floor_months: int = 12
    rest_months: int = 3
    random_share: int = 10
    slack: int = 10
    counted_from: date | None = None


@dataclass(frozen=True)
class Exclusion:
    """A practice that is not to be visited."""

    practice: str
    name: str
    reason: str
    since: date


def people(session: Session, actor: Actor, body_id: int) -> tuple[Person, ...]:
    """Everybody who makes or made contacts, by name."""
    actor.require(body_id, Role.LEAD)
    rows = session.exec(
        select(OutreachPerson, Locality.code, Practice.code)
        .outerjoin(Locality, Locality.id == OutreachPerson.locality_id)
        .outerjoin(Practice, Practice.id == OutreachPerson.practice_id)
        .where(OutreachPerson.body_id == body_id)
        .order_by(OutreachPerson.name, OutreachPerson.id)
    )
    return tuple(
        Person(row.id, row.name, row.hours, place, practice, tuple(row.actions), row.active)
        for row, place, practice in rows
    )


def localities(session: Session, actor: Actor, body_id: int) -> dict[str, str]:
    """Names of the body's localities by code."""
    actor.require(body_id, Role.LEAD)
    rows = select(Locality.code, Locality.name).where(Locality.body_id == body_id).order_by(Locality.name)
    return dict(session.exec(rows).all())


def save_person(
    session: Session,
    actor: Actor,
    body_id: int,
    *,
    person_id: int | None = None,
    name: str,
    hours: float,
    locality: str | None = None,
    practice: str | None = None,
    actions: Sequence[str] = (),
    active: bool = True,
) -> int:
    """Add or correct somebody; returns their id. Raises `Invalid` with a line for each fault, `Conflict` and `NotFound`."""
    own_body(session, actor, body_id)
    name = clean(name)
    faults = []
    if not 1 <= len(name) <= NAME_LIMIT:
        faults.append(f"Name: use 1 to {NAME_LIMIT} characters")
    if formula_start(name):
        faults.append("The name begins like a formula; begin with a letter")
    if not 0 <= hours <= MOST_HOURS:
        faults.append(f"Hours a month: enter 0 to {MOST_HOURS}")
    if set(actions) - {each.key for each in catalogue.actions(session, actor, body_id)}:
        faults.append("Choose actions from the list")
    if faults:
        raise Invalid("This person was not saved.", faults)
    row = OutreachPerson(body_id=body_id, name=name, hours=hours)
    if person_id is not None:
        row = session.get(OutreachPerson, person_id)
        if row is None or row.body_id != body_id:
            raise NotFound("There is no such person.")
    same = select(OutreachPerson.id).where(OutreachPerson.body_id == body_id, OutreachPerson.name == name)
    if session.exec(same).first() not in (None, person_id):
        raise Conflict(f"{name} is there already. Correct that entry, or use another name.")
    row.name, row.hours, row.active = name, float(hours), active
    row.actions = list(dict.fromkeys(actions))
    row.locality_id = None if locality is None else _place(session, body_id, locality)
    row.practice_id = None if practice is None else practice_of(session, body_id, practice).id
    session.add(row)
    session.flush()
    # The log names nobody who is not an account.
    audit.record(session, actor, "outreach.person", body_id, person=row.id, hours=row.hours, active=active)
    return row.id


def settings(session: Session, actor: Actor, body_id: int) -> Settings:
    """How the body plans; the defaults until it says otherwise."""
    actor.require(body_id, Role.LEAD)
    row = session.get(OutreachSettings, body_id)
    if row is None:
        return Settings()
    return Settings(
        row.months, row.floor_months, row.rest_months, row.random_share, row.slack, row.counted_from
    )


def save_settings(
    session: Session,
    actor: Actor,
    body_id: int,
    *,
    months: int,
    floor_months: int,
    rest_months: int,
    random_share: int,
    slack: int,
) -> None:
    """Set how the body plans, for the next proposal. Raises `Invalid` with a line for each fault."""
    own_body(session, actor, body_id)
    bounds = (
        ("Months ahead", months, 1, 12),
        ("Months of the floor", floor_months, 1, 60),
        ("Months between two contacts", rest_months, 0, 24),
        ("Share drawn by lot", random_share, 0, 100),
        ("Slack of fair shares", slack, 0, 100),
    )
    faults = [
        f"{name}: enter {low} to {high}" for name, value, low, high in bounds if not low <= value <= high
    ]
    if rest_months > floor_months:
        faults.append("Months between two contacts must not be more than the months of the floor")
    if faults:
        raise Invalid("The rules were not saved.", faults)
    row = _settings(session, body_id)
    row.months, row.floor_months, row.rest_months = months, floor_months, rest_months
    row.random_share, row.slack = random_share, slack
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor,
        "outreach.settings",
        body_id,
        months=months,
        floor=floor_months,
        rest=rest_months,
        random=random_share,
        slack=slack,
    )


def count_from(session: Session, body_id: int, month: date) -> date:
    """The month from which the floor counts where no contact is known: kept from the first plan on. For verbs that have
    checked who asks."""
    row = _settings(session, body_id)
    if row.counted_from is None:
        row.counted_from = month
        session.add(row)
        session.flush()
    return row.counted_from


def _settings(session: Session, body_id: int) -> OutreachSettings:
    return session.get(OutreachSettings, body_id) or OutreachSettings(body_id=body_id)


def exclusions(session: Session, actor: Actor, body_id: int) -> tuple[Exclusion, ...]:
    """The practices that are not to be visited, by name."""
    actor.require(body_id, Role.LEAD)
    rows = session.exec(
        select(Practice.code, Practice.name, OutreachExclusion.reason, OutreachExclusion.since)
        .join(Practice, Practice.id == OutreachExclusion.practice_id)
        .where(OutreachExclusion.body_id == body_id)
        .order_by(Practice.name, Practice.code)
    )
    return tuple(Exclusion(*row) for row in rows)


def exclude(session: Session, actor: Actor, body_id: int, code: str, reason: str) -> None:
    """Plan no contact with a practice, and take back those that were proposed. Contacts planned stay until cancelled.

    Raises `Invalid` without a reason, and `Conflict` where it is so already.
    """
    own_body(session, actor, body_id)
    practice = practice_of(session, body_id, code)
    reason = clean(reason)
    if not 1 <= len(reason) <= REASON_LIMIT:
        raise Invalid(f"Say why in 1 to {REASON_LIMIT} characters, for example “asked not to be visited”.")
    if _exclusion(session, practice):
        raise Conflict(f"{practice.name} is left out already.")
    session.add(
        OutreachExclusion(body_id=body_id, practice_id=practice.id, reason=reason, since=clock.today())
    )
    session.execute(
        delete(PlannedContact).where(
            PlannedContact.practice_id == practice.id, PlannedContact.state == "proposed"
        )
    )
    session.flush()
    audit.record(session, actor, "outreach.exclude", body_id, practice=practice.code)


def include(session: Session, actor: Actor, body_id: int, code: str) -> None:
    """Let a practice be planned again. Raises `NotFound` where it was not left out."""
    own_body(session, actor, body_id)
    practice = practice_of(session, body_id, code)
    row = _exclusion(session, practice)
    if row is None:
        raise NotFound(f"{practice.name} is not left out.")
    session.delete(row)
    session.flush()
    audit.record(session, actor, "outreach.include", body_id, practice=practice.code)


def _exclusion(session: Session, practice: Practice) -> OutreachExclusion | None:
    return session.exec(
        select(OutreachExclusion).where(
            OutreachExclusion.body_id == practice.body_id, OutreachExclusion.practice_id == practice.id
        )
    ).first()


def practice_of(session: Session, body_id: int, code: str) -> Practice:
    """A practice by its code. Raises `NotFound`."""
    found = session.exec(select(Practice).where(Practice.body_id == body_id, Practice.code == code)).first()
    if found is None:
        raise NotFound("There is no such practice.")
    return found


def _place(session: Session, body_id: int, code: str) -> int:
    found = session.exec(
        select(Locality.id).where(Locality.body_id == body_id, Locality.code == code)
    ).first()
    if found is None:
        raise NotFound("There is no such locality.")
    return found
