"""The contact log: what was planned, what came of it, what comes next, and which practices were treated between rounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import Session, func, select

from engagement import clock
from engagement.access import READERS, Actor, Role, audit
from engagement.errors import Conflict, Invalid, NotFound
from engagement.models import (
    OUTCOMES,
    Assessment,
    Locality,
    OutreachExclusion,
    OutreachPerson,
    OutreachSettings,
    PlannedContact,
    Practice,
    Round,
)
from engagement.outreach import catalogue
from engagement.outreach.team import practice_of
from engagement.roster.bodies import own_body
from engagement.roster.standing import practices_at
from engagement.roster.text import clean, formula_start

MET, MISSED, DECLINED = OUTCOMES
HEARD_LIMIT, STEP_LIMIT, REASON_LIMIT = 2000, 300, 500
FIRST_DAY = date(2000, 1, 1)


@dataclass(frozen=True)
class ContactRow:
    """A contact as pages show it. `round`: number of the newest assessed round when it was planned."""

    id: int
    practice: str
    name: str
    locality: str | None
    postcode: str | None
    action: str
    action_name: str
    hours: float
    month: date
    visit_at: datetime | None
    person_id: int | None
    person: str | None
    why: str
    reason: str
    by_hand: bool
    can_undo: bool
    state: str
    done_on: date | None
    outcome: str | None
    heard: str | None
    next_step: str | None
    next_on: date | None
    next_done_on: date | None
    round: int | None
    plan_id: int | None

    def overdue(self, day: date) -> bool:
        """Whether it should have been made by a day: its time has passed, or its month where it has none."""
        if self.state != "planned":
            return False
        if self.visit_at is not None:
            return clock.london_date(self.visit_at) < day
        return (self.month.year, self.month.month) < (day.year, day.month)


@dataclass(frozen=True)
class Counts:
    """What everybody in the body may know of outreach: how many, and nothing of which.

    `by_action`: (name, planned, made) in the order of the catalogue; `reached`: practices met within `floor_months`
    months; `of`: those that are open; `excluded`: those that asked not to be visited.
    """

    planned: int
    made: int
    missed: int
    overdue: int
    by_action: tuple[tuple[str, int, int], ...]
    reached: int
    of: int
    excluded: int
    floor_months: int


def rows(
    session: Session,
    actor: Actor,
    body_id: int,
    *,
    states: Iterable[str] = (),
    practice: str | None = None,
    contact_id: int | None = None,
) -> tuple[ContactRow, ...]:
    """Contacts by month, time and name, kept to some states, a practice, or one contact. For the engagement lead."""
    actor.require(body_id, Role.LEAD)
    query = (
        select(PlannedContact, Practice, Locality.name, OutreachPerson.name, Round.number)
        .join(Practice, Practice.id == PlannedContact.practice_id)
        .outerjoin(Locality, Locality.id == Practice.locality_id)
        .outerjoin(OutreachPerson, OutreachPerson.id == PlannedContact.person_id)
        .outerjoin(Round, Round.id == PlannedContact.round_id)
        .where(PlannedContact.body_id == body_id)
    )
    if states:
        query = query.where(PlannedContact.state.in_(tuple(states)))
    if practice is not None:
        query = query.where(Practice.code == practice)
    if contact_id is not None:
        query = query.where(PlannedContact.id == contact_id)
    found = [
        ContactRow(
            id=row.id,
            practice=about.code,
            name=about.name,
            locality=place,
            postcode=about.postcode,
            person=person,
            can_undo=row.before is not None,
            round=number,
            **{
                name: getattr(row, name)
                for name in (
                    "action", "action_name", "hours", "month", "visit_at", "person_id", "why", "reason", "by_hand",
                    "state", "done_on", "outcome", "heard", "next_step", "next_on", "next_done_on", "plan_id",
                )
            },
        )
        for row, about, place, person, number in session.exec(query)
    ]  # fmt: skip
    late = datetime.max.replace(tzinfo=clock.UTC)
    return tuple(
        sorted(found, key=lambda row: (row.month, row.visit_at or late, row.name.casefold(), row.id))
    )


def log(
    session: Session,
    actor: Actor,
    contact_id: int,
    *,
    done_on: date,
    outcome: str,
    heard: str = "",
    next_step: str = "",
    next_on: date | None = None,
) -> None:
    """Say what came of a planned contact. Called again, it corrects the entry.

    "met": they talked; "missed": nobody was free; "declined": the practice does not want to be visited, which leaves it
    out of plans from then on. Raises `Invalid` with a line for each fault, `Conflict` for a contact that is not planned.
    """
    row = own_contact(session, actor, contact_id)
    if row.state not in ("planned", "done"):
        raise Conflict("This contact is not planned. Accept the plan, or log the contact on its own.")
    _write(session, actor, row, done_on, outcome, heard, next_step, next_on)


def log_unplanned(
    session: Session,
    actor: Actor,
    body_id: int,
    code: str,
    *,
    action: str,
    person_id: int | None = None,
    done_on: date,
    outcome: str,
    heard: str = "",
    next_step: str = "",
    next_on: date | None = None,
) -> int:
    """Log a contact that nobody had planned; returns its id. Raises as `log`, and `NotFound`."""
    own_body(session, actor, body_id)
    practice = practice_of(session, body_id, code)
    chosen = action_of(session, actor, body_id, action)
    row = PlannedContact(
        body_id=body_id,
        practice_id=practice.id,
        round_id=newest_round(session, body_id, done_on),
        action=chosen.key,
        action_name=chosen.name,
        hours=chosen.hours,
        month=done_on.replace(day=1),
        person_id=person_of(session, body_id, person_id),
        why="hand",
        reason="Not planned beforehand.",
        by_hand=True,
        state="planned",
        made_at=clock.now(),
        made_by=actor.name[:120],
    )
    _write(session, actor, row, done_on, outcome, heard, next_step, next_on)
    return row.id


def _write(
    session: Session,
    actor: Actor,
    row: PlannedContact,
    done_on: date,
    outcome: str,
    heard: str,
    next_step: str,
    next_on: date | None,
) -> None:
    heard = "\n".join(line for part in heard.splitlines() if (line := clean(part)))
    next_step = clean(next_step)
    faults = []
    if done_on > clock.today():
        faults.append(f"{clock.show_date(done_on)} is still to come; choose the day on which it was")
    if done_on < FIRST_DAY:
        faults.append("Correct the year")
    if outcome not in OUTCOMES:
        faults.append("Choose what came of it")
    if len(heard) > HEARD_LIMIT:
        faults.append(f"What was heard: use at most {HEARD_LIMIT:,} characters")
    if len(next_step) > STEP_LIMIT:
        faults.append(f"Next step: use at most {STEP_LIMIT} characters")
    if formula_start(next_step):
        faults.append("The next step begins like a formula; begin with a letter")
    if next_on is not None and not next_step:
        faults.append("Say what the next step is, or leave its day empty")
    if faults:
        raise Invalid("The contact was not saved.", faults)
    new = row.state != "done"
    row.state, row.done_on, row.outcome = "done", done_on, outcome
    if next_step != (row.next_step or ""):
        row.next_done_on = None
    row.heard, row.next_step = heard or None, next_step or None
    row.next_on = next_on
    row.before = None
    session.add(row)
    session.flush()
    if outcome == DECLINED and not _left_out(session, row):
        session.add(
            OutreachExclusion(
                body_id=row.body_id,
                practice_id=row.practice_id,
                reason="Asked not to be visited.",
                since=done_on,
            )
        )
        session.flush()
    # What was heard stays out of the audit log, which is kept for longer.
    audit.record(
        session,
        actor,
        "outreach.log" if new else "outreach.log_correct",
        row.body_id,
        contact=row.id,
        outcome=outcome,
        on=done_on.isoformat(),
    )


def _left_out(session: Session, row: PlannedContact) -> bool:
    found = select(OutreachExclusion.id).where(
        OutreachExclusion.body_id == row.body_id, OutreachExclusion.practice_id == row.practice_id
    )
    return session.exec(found).first() is not None


def unlog(session: Session, actor: Actor, contact_id: int) -> None:
    """Take an entry back: the contact is planned again, and what was typed is gone. Raises `Conflict` and `NotFound`."""
    row = own_contact(session, actor, contact_id)
    if row.state != "done":
        raise Conflict("This contact is not logged.")
    row.state, row.done_on, row.outcome, row.heard = "planned", None, None, None
    row.next_step, row.next_on, row.next_done_on = None, None, None
    session.add(row)
    session.flush()
    audit.record(session, actor, "outreach.log_undo", row.body_id, contact=row.id)


def next_done(session: Session, actor: Actor, contact_id: int, done: bool = True) -> None:
    """Say that the next step was taken, or take that back. Raises `Conflict` where there is none, and `NotFound`."""
    row = own_contact(session, actor, contact_id)
    if row.next_step is None:
        raise Conflict("This contact has no next step.")
    row.next_done_on = clock.today() if done else None
    session.add(row)
    session.flush()
    audit.record(session, actor, "outreach.next_step", row.body_id, contact=row.id, done=done)


def counts(session: Session, actor: Actor, body_id: int) -> Counts:
    """How much outreach there is, without saying where: for the governing body and the council too."""
    actor.require(body_id, *READERS)
    today = clock.today()
    stored = session.exec(
        select(PlannedContact).where(
            PlannedContact.body_id == body_id, PlannedContact.state.in_(("planned", "done"))
        )
    ).all()
    kept = session.get(OutreachSettings, body_id) or OutreachSettings(body_id=body_id)
    since = add_months(today, -kept.floor_months)
    open_now = {practice.id for practice in practices_at(session, body_id, today)}
    met = {row.practice_id for row in stored if row.outcome == MET and row.done_on >= since}
    excluded = session.exec(
        select(OutreachExclusion.practice_id).where(OutreachExclusion.body_id == body_id)
    ).all()
    by_action = []
    for action in catalogue.actions(session, actor, body_id):
        own = [row for row in stored if row.action == action.key]
        if own:
            made = sum(row.outcome == MET for row in own)
            by_action.append((action.name, sum(row.state == "planned" for row in own), made))
    return Counts(
        planned=sum(row.state == "planned" for row in stored),
        made=sum(row.outcome == MET for row in stored),
        missed=sum(row.state == "done" and row.outcome != MET for row in stored),
        overdue=sum(
            row.state == "planned"
            and (
                clock.london_date(row.visit_at) < today
                if row.visit_at
                else (row.month.year, row.month.month) < (today.year, today.month)
            )
            for row in stored
        ),
        by_action=tuple(by_action),
        reached=len(met & open_now),
        of=len(open_now),
        excluded=len(set(excluded) & open_now),
        floor_months=kept.floor_months,
    )


def treated(
    session: Session, body_id: int, after_round: int, before_round: int
) -> dict[str, tuple[str, ...]]:
    """Which practices were met between two rounds, by number: their codes, each with the keys of the actions, in order.

    Counted from the day after the first round closed to the day before the second opened (to the day on which it closed
    where its opening is not known); a visit that found nobody is no treatment. For verbs that have checked who asks.
    Raises `NotFound` for a round that is not there or has no dates.
    """
    start = _day(session, body_id, after_round, "closed_at", "closes_at")
    end = _day(session, body_id, before_round, "opens_at", "launched_at", "closed_at", "closes_at")
    found: dict[str, list[str]] = {}
    for code, action in session.exec(
        select(Practice.code, PlannedContact.action)
        .join(Practice, Practice.id == PlannedContact.practice_id)
        .where(
            PlannedContact.body_id == body_id,
            PlannedContact.outcome == MET,
            PlannedContact.done_on > start,
            PlannedContact.done_on < end,
        )
        .order_by(Practice.code, PlannedContact.done_on, PlannedContact.id)
    ):
        found.setdefault(code, []).append(action)
    return {code: tuple(actions) for code, actions in found.items()}


def _day(session: Session, body_id: int, number: int, *names: str) -> date:
    round_ = session.exec(select(Round).where(Round.body_id == body_id, Round.number == number)).first()
    instant = round_ and next((at for name in names if (at := getattr(round_, name))), None)
    if instant is None:
        raise NotFound(f"There is no round {number} with its dates.")
    return clock.london_date(instant)


def last_contacts(session: Session, body_id: int) -> dict[int, date]:
    """The day on which each practice was last met, by practice id. For verbs that have checked who asks."""
    return dict(
        session.exec(
            select(PlannedContact.practice_id, func.max(PlannedContact.done_on))
            .where(PlannedContact.body_id == body_id, PlannedContact.outcome == MET)
            .group_by(PlannedContact.practice_id)
        ).all()
    )


def newest_round(session: Session, body_id: int, day: date) -> int | None:
    """The id of the newest assessed round that had closed before a day, or on it; None before the first."""
    found = session.exec(
        select(Round.id, Round.closed_at, Round.closes_at)
        .join(Assessment, Assessment.round_id == Round.id)
        .where(Round.body_id == body_id)
        .order_by(Round.number.desc())
    ).all()
    return next(
        (
            round_id
            for round_id, closed, closes in found
            if (at := closed or closes) is not None and clock.london_date(at) <= day
        ),
        None,
    )


def own_contact(session: Session, actor: Actor, contact_id: int) -> PlannedContact:
    """A contact that the actor may change. Raises `NotFound`, and `NotAllowed` to other readers."""
    row = session.get(PlannedContact, contact_id)
    if row is None:
        raise NotFound("There is no such contact.")
    own_body(session, actor, row.body_id)
    return row


def action_of(session: Session, actor: Actor, body_id: int, key: str) -> catalogue.Action:
    """An action in use by its key. Raises `NotFound`."""
    found = {each.key: each for each in catalogue.actions(session, actor, body_id) if each.used}
    if key not in found:
        raise NotFound("There is no such action in use.")
    return found[key]


def person_of(session: Session, body_id: int, person_id: int | None) -> int | None:
    """A person's id where they belong to the body. Raises `NotFound`."""
    if person_id is None:
        return None
    person = session.get(OutreachPerson, person_id)
    if person is None or person.body_id != body_id:
        raise NotFound("There is no such person.")
    return person.id


def add_months(day: date, months: int) -> date:
    """The same day so many months on, or the last of that month."""
    at = day.year * 12 + day.month - 1 + months
    year, month = divmod(at, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    raise ValueError(f"no day in {year}-{month + 1}")


def months_between(earlier: date, later: date) -> int:
    """Whole calendar months from the month of one day to that of another."""
    return (later.year - earlier.year) * 12 + later.month - earlier.month
