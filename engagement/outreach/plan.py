"""Proposing a plan, accepting it, changing it by hand, and taking any of that back. For the engagement lead.

A proposal keeps every contact that was planned or changed by hand and fills what is left of the hours. Its seed stays
until it is accepted, so that nobody draws lots until they like what comes.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from sqlalchemy import delete
from sqlmodel import Session, func, select

from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.assessments import read as assessments
from engagement.errors import Conflict, Invalid, NotFound
from engagement.models import (
    Ask,
    AskReply,
    Body,
    Bounce,
    Locality,
    Member,
    OutreachExclusion,
    OutreachPlan,
    PlannedContact,
    Practice,
    Round,
)
from engagement.outreach import catalogue, planning, team
from engagement.outreach.catalogue import ANSWER_ASKS, FIX_CONTACT, NOT_CLEAR, Action
from engagement.outreach.contacts import (
    FIRST_DAY,
    REASON_LIMIT,
    action_of,
    add_months,
    last_contacts,
    months_between,
    newest_round,
    own_contact,
    person_of,
)
from engagement.risk import segments
from engagement.roster import standing
from engagement.roster.bodies import own_body
from engagement.roster.text import clean, formula_start, parse_yes
from engagement.words import words_of

# Below so large a correlation silence says little about attitude: practices without answers of their own cannot be ranked.
RANKABLE = 0.15
OWN_EVIDENCE = ("practice", "agreed")
# What a practice is wanted for that cannot be ranked: the middle.
MIDDLE = 0.5
LIKELY_SILENT = 0.5
SMALL = "small"
CHANGED = ("action", "action_name", "hours", "month", "visit_at", "person_id", "state", "by_hand")


@dataclass(frozen=True)
class PlanRow:
    """A plan as it was proposed. `rules`: as in force then. `found`: what gave, and what stands in the groups:

    {"contacts", "drawn", "no_floor": [codes], "no_random": [codes], "nobody": [codes], "over": [names],
     "groups": [{"name", "practices", "of", "contacts", "allowed"}], "total", "hours", "capacity", "floor_hours"}
    """

    id: int
    round: int | None
    first_month: date
    months: int
    rules: Mapping[str, Any]
    seed: int
    found: Mapping[str, Any]
    made_at: datetime
    made_by: str
    accepted_at: datetime | None


def newest(session: Session, actor: Actor, body_id: int) -> PlanRow | None:
    """The newest plan of a body, proposed or accepted; None before the first."""
    actor.require(body_id, Role.LEAD)
    found = session.exec(
        select(OutreachPlan, Round.number)
        .outerjoin(Round, Round.id == OutreachPlan.round_id)
        .where(OutreachPlan.body_id == body_id)
        .order_by(OutreachPlan.id.desc())
        .limit(1)
    ).first()
    if found is None:
        return None
    row, number = found
    return PlanRow(
        row.id,
        number,
        row.first_month,
        row.months,
        row.rules,
        row.seed,
        row.found,
        row.made_at,
        row.made_by,
        row.accepted_at,
    )


# --- proposing --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _About:
    """What is known of a practice when a plan is made. `row`: its part of the assessment, None where it has none."""

    id: int
    code: str
    locality: str | None
    place: str | None
    small: bool
    rural: bool
    row: Mapping[str, Any] | None
    last: date | None
    excluded: bool
    held: bool
    reachable: bool
    asks: bool

    @property
    def kind(self) -> str:
        """Its segment where that is clear, else "not_clear"."""
        if self.row is None or self.row["clarity"] != segments.CLEAR:
            return NOT_CLEAR
        return self.row["leading_segment"]


def propose(
    session: Session, actor: Actor, body_id: int, *, first_month: date | None = None, seed: int | None = None
) -> int:
    """Propose contacts for the months ahead, from the next one unless said otherwise; returns the plan's id.

    A proposal not accepted is replaced, but for what was changed by hand. Raises `Invalid` for a month gone by, where
    nobody has hours, and where no action is in use.
    """
    body = own_body(session, actor, body_id)
    rules = team.settings(session, actor, body_id)
    today = clock.today()
    first = (first_month or add_months(today.replace(day=1), 1)).replace(day=1)
    if first < today.replace(day=1) or first > add_months(today, 12):
        raise Invalid("Let the plan begin in this month or within a year.")
    people = [each for each in team.people(session, actor, body_id) if each.active and each.hours > 0]
    actions = [
        each for each in catalogue.actions(session, actor, body_id) if each.used and each.lane == "body"
    ]
    if not people:
        raise Invalid("Nobody has hours for contacts yet. Under “People and rules”, say who makes them.")
    if not actions:
        raise Invalid("No action is in use. Under “Actions”, take one into use.")

    before = _open_plan(session, body_id)
    if seed is None:
        seed = before.seed if before else secrets.randbits(31)
    left_out = _clear(session, before, first)
    known = _about(session, actor, body, first)
    chosen = [_action(each, actions) for each in known]
    capacity = _capacity(session, body_id, people, first, rules.months)
    counted = team.count_from(session, body_id, first)
    demand = planning.Demand(
        need=_need(known, assessments.latest(session, actor, body_id), first, rules.floor_months),
        hours=np.array([action.hours for action in chosen], float),
        can=_can(known, chosen, people),
        first=np.array(
            [
                planning.NEVER if each.id in left_out else _first(each, first, rules.rest_months)
                for each in known
            ],
            np.int64,
        ),
        due=np.array([_due(each, first, counted, rules) for each in known], np.int64),
        excluded=np.array([each.excluded for each in known], bool),
        held=np.array([each.held for each in known], bool),
        capacity=capacity,
        groups=_groups(known),
    )
    lots = planning.Rules(rules.random_share / 100, rules.slack / 100, seed)
    found = planning.propose(demand, lots)

    row = OutreachPlan(
        body_id=body_id,
        round_id=newest_round(session, body_id, today),
        first_month=first,
        months=rules.months,
        rules={
            "floor_months": rules.floor_months,
            "rest_months": rules.rest_months,
            "random_share": rules.random_share,
            "slack": rules.slack,
        },
        seed=seed,
        found=_found(demand, lots, found, known, rules),
        made_at=clock.now(),
        made_by=actor.name[:120],
    )
    session.add(row)
    session.flush()
    for each in found.contacts:
        about, action = known[each.practice], chosen[each.practice]
        session.add(
            PlannedContact(
                body_id=body_id,
                practice_id=about.id,
                plan_id=row.id,
                round_id=row.round_id,
                action=action.key,
                action_name=action.name,
                hours=action.hours,
                month=add_months(first, each.month),
                person_id=people[each.person].id,
                why=each.why,
                reason=_reason(each.why, about, first, rules, words_of(body.words)),
                state="proposed",
                made_at=row.made_at,
                made_by=row.made_by,
            )
        )
    if before is not None:
        _take_over(session, before, row)
    session.flush()
    audit.record(
        session,
        actor,
        "outreach.propose",
        body_id,
        plan=row.id,
        seed=seed,
        contacts=len(found.contacts),
        drawn=len(found.drawn),
        **row.rules,
    )
    return row.id


def _open_plan(session: Session, body_id: int) -> OutreachPlan | None:
    """The newest plan where that is still a proposal."""
    row = session.exec(
        select(OutreachPlan).where(OutreachPlan.body_id == body_id).order_by(OutreachPlan.id.desc()).limit(1)
    ).first()
    return row if row is not None and row.accepted_at is None else None


def _clear(session: Session, before: OutreachPlan | None, first: date) -> set[int]:
    """Take away what an open proposal holds that nobody touched; the practices that were taken out of it by hand."""
    if before is None:
        return set()
    session.execute(
        delete(PlannedContact).where(
            PlannedContact.plan_id == before.id,
            PlannedContact.state == "proposed",
            PlannedContact.by_hand == False,  # noqa: E712
        )
    )
    # What was put into a month that the new proposal no longer has begins with it.
    for row in session.exec(
        select(PlannedContact).where(
            PlannedContact.plan_id == before.id,
            PlannedContact.state == "proposed",
            PlannedContact.month < first,
        )
    ):
        row.month = first
        session.add(row)
    session.flush()
    return set(
        session.exec(
            select(PlannedContact.practice_id).where(
                PlannedContact.plan_id == before.id,
                PlannedContact.state == "cancelled",
                PlannedContact.by_hand == True,  # noqa: E712
            )
        )
    )


def _take_over(session: Session, before: OutreachPlan, row: OutreachPlan) -> None:
    """What was changed by hand belongs to the new proposal, and the old one is gone."""
    for contact in session.exec(select(PlannedContact).where(PlannedContact.plan_id == before.id)):
        contact.plan_id = row.id
        session.add(contact)
    session.flush()
    session.delete(before)


def _about(session: Session, actor: Actor, body: Body, first: date) -> list[_About]:
    """Every practice that is open when the plan begins, by code."""
    newest_ = assessments.latest(session, actor, body.id)
    rows = {row["practice_id"]: row for row in newest_["practices"]} if newest_ and newest_["usable"] else {}
    last = last_contacts(session, body.id)
    excluded = set(
        session.exec(select(OutreachExclusion.practice_id).where(OutreachExclusion.body_id == body.id))
    )
    held = set(
        session.exec(
            select(PlannedContact.practice_id).where(
                PlannedContact.body_id == body.id, PlannedContact.state.in_(("planned", "proposed"))
            )
        )
    )
    unreachable = _unreachable(session, body.id, first)
    asks = _open_asks(session, body.id)
    found = session.exec(
        select(Practice, Locality.code, Locality.name)
        .outerjoin(Locality, Locality.id == Practice.locality_id)
        .where(Practice.body_id == body.id)
        .order_by(Practice.code)
    )
    return [
        _About(
            id=practice.id,
            code=practice.code,
            locality=locality,
            place=place,
            small=standing.size_band(practice.list_size) == SMALL,
            rural=_rural(practice.attributes),
            row=rows.get(practice.code),
            last=last.get(practice.id),
            excluded=practice.id in excluded,
            held=practice.id in held,
            reachable=practice.id not in unreachable,
            asks=practice.id in asks,
        )
        for practice, locality, place in found
        if (practice.opened is None or practice.opened <= first)
        and (practice.closed is None or first < practice.closed)
    ]


def _rural(attributes: Mapping[str, Any]) -> bool:
    """Whether the roster says that a practice is rural: `rural` is yes, or `rural_urban` begins with "rural"."""
    if clean(str(attributes.get("rural_urban", ""))).casefold().startswith("rural"):
        return True
    try:
        return parse_yes(clean(str(attributes.get("rural", ""))))
    except ValueError:
        return False


def _unreachable(session: Session, body_id: int, day: date) -> set[int]:
    """Practices where nobody has an address that works, in a body that holds addresses."""
    people = [
        person
        for person in standing.at(session, body_id, day, standing.wave_at(session, body_id, day))
        if person.practice_id
    ]
    works = set(
        session.exec(
            select(Member.id)
            .outerjoin(Bounce, (Bounce.address == func.lower(Member.email)) & (Bounce.hard == True))  # noqa: E712
            .where(Member.body_id == body_id, Member.email.is_not(None), Bounce.address.is_(None))
        )
    )
    reached = {person.practice_id for person in people if person.member_id in works}
    return {person.practice_id for person in people} - reached if reached else set()


def _open_asks(session: Session, body_id: int) -> set[int]:
    """Practices with an ask that nobody has answered yet."""
    return set(
        session.exec(
            select(Ask.practice_id)
            .outerjoin(AskReply, AskReply.ask_id == Ask.id)
            .where(
                Ask.body_id == body_id,
                Ask.withdrawn_at.is_(None),
                Ask.hidden_at.is_(None),
                AskReply.id.is_(None),
            )
        )
    )


def _action(about: _About, actions: list[Action]) -> Action:
    """What a plan takes for a practice: mend the contact first, answer asks only where there are any, else by segment."""
    mend = next((each for each in actions if each.key == FIX_CONTACT), None)
    if not about.reachable and mend is not None:
        return mend
    fits = [each for each in actions if each.key != ANSWER_ASKS or about.asks] or actions
    return (
        catalogue.for_kind(fits, about.kind)
        or catalogue.for_kind(fits, NOT_CLEAR)
        or next((each for each in fits if each.segments), fits[0])
    )


def _need(
    known: list[_About], content: Mapping[str, Any] | None, first: date, floor_months: int
) -> np.ndarray:
    """How much each is wanted, from 0 to 1: the middle of its interval of engagement ranks, the least engaged highest.

    The middle of an interval draws what is not clear towards the middle of all, so that an uncertain place does not
    jump the queue. A contact halves the need, which comes back in full over the months of the floor.
    """
    ranked = content is not None and content["usable"] and content["of"] > 1
    little = not ranked or abs(content["correlation"]["c"]) < RANKABLE
    found = []
    for each in known:
        need, row = MIDDLE, each.row
        if (
            ranked
            and row is not None
            and row["rank"] is not None
            and not (little and row["evidence"] not in OWN_EVIDENCE)
        ):
            need = 1 - (sum(row["rank"]) / 2 - 1) / (content["of"] - 1)
        waited = 1.0 if each.last is None else min(1.0, months_between(each.last, first) / floor_months)
        found.append(need * (1 + waited) / 2)
    return np.clip(np.array(found, float), 0, 1)


def _can(known: list[_About], chosen: list[Action], people: list[team.Person]) -> np.ndarray:
    return np.array(
        [
            [
                (person.locality is None or person.locality == each.locality)
                and person.practice != each.code
                and (not person.actions or action.key in person.actions)
                for person in people
            ]
            for each, action in zip(known, chosen, strict=True)
        ],
        bool,
    ).reshape(len(known), len(people))


def _capacity(
    session: Session, body_id: int, people: list[team.Person], first: date, months: int
) -> np.ndarray:
    """(people, months), the hours left when contacts that stand have taken theirs."""
    left = np.array([[person.hours] * months for person in people], float)
    place = {person.id: at for at, person in enumerate(people)}
    for person_id, month, hours in session.exec(
        select(PlannedContact.person_id, PlannedContact.month, PlannedContact.hours).where(
            PlannedContact.body_id == body_id, PlannedContact.state.in_(("planned", "proposed", "done"))
        )
    ):
        at = months_between(first, month)
        if person_id in place and 0 <= at < months:
            left[place[person_id], at] -= hours
    return left.clip(0)


def _first(about: _About, first: date, rest: int) -> int:
    """The earliest month of the plan in which a practice may be seen again."""
    return 0 if about.last is None else max(0, months_between(first, add_months(about.last, rest)))


def _due(about: _About, first: date, counted: date, rules: team.Settings) -> int:
    """The month of the plan by which the floor wants a contact. One that is overdue already may lie anywhere in the plan."""
    if about.last is None:
        at = months_between(first, counted) + rules.floor_months - 1
    else:
        at = months_between(first, about.last) + rules.floor_months
    if at >= rules.months:
        return planning.NEVER
    return at if at >= 0 else rules.months - 1


def _groups(known: list[_About]) -> tuple[planning.Group, ...]:
    """Small ones, rural ones where the roster knows, and each locality; none that holds everybody or nobody."""
    named = [
        ("Small lists", np.array([each.small for each in known], bool)),
        ("Rural", np.array([each.rural for each in known], bool)),
    ]
    named += [
        (place, np.array([each.place == place for each in known], bool))
        for place in sorted({each.place for each in known if each.place})
    ]
    return tuple(
        planning.Group(name, members) for name, members in named if members.any() and not members.all()
    )


def _found(
    demand: planning.Demand,
    lots: planning.Rules,
    found: planning.Plan,
    known: list[_About],
    rules: team.Settings,
) -> dict[str, Any]:
    """What the plan says of itself, as plain data."""
    takes = demand.held & ~demand.excluded
    takes[[each.practice for each in found.contacts]] = True
    total, counted = int(takes.sum()), ~demand.excluded
    code = [each.code for each in known]
    return {
        "contacts": len(found.contacts),
        "total": total,
        "drawn": len(found.drawn),
        "no_floor": [code[at] for at in found.no_floor],
        "no_random": [code[at] for at in found.no_random],
        "nobody": [
            code[at] for at in np.flatnonzero(counted & ~demand.held & ~demand.can.any(axis=1)).tolist()
        ],
        "over": [each.group for each in found.over],
        "groups": [
            {
                "name": group.name,
                "practices": int((group.members & counted).sum()),
                "of": int(counted.sum()),
                "contacts": int((group.members & takes).sum()),
                "allowed": min(planning.allowed(demand.share(group), lots.slack, total), total),
            }
            for group in demand.groups
        ],
        "hours": round(float(sum(demand.hours[each.practice] for each in found.contacts)), 1),
        "capacity": round(float(demand.capacity.sum()), 1),
        "floor_hours": round(float(demand.hours[counted].sum()) / rules.floor_months, 1),
        "excluded": int(demand.excluded.sum()),
    }


def _reason(why: str, about: _About, day: date, rules: team.Settings, words: Mapping[str, str]) -> str:
    """Why a contact is proposed, as one sentence: behaviour and the rule, never an answer or a count."""
    where, row = "Segment not clear", about.row
    if row is None:
        where = "No segment yet"
    elif row["clarity"] == segments.CLEAR:
        where = segments.NAMES[row["leading_segment"]]
    elif row["clarity"] == segments.MOVING and row["leading_segment"] in (
        segments.WITHDRAWN,
        segments.CRITICAL,
    ):
        where = f"Drifting towards {segments.NAMES[row['leading_segment']].lower()}"
    said = [where]
    if row is not None and row["reasons"].get("trend") == "down":
        said.append("attitude falling by its segments")
    if row is not None and (row["p_silent_next"] or 0) >= LIKELY_SILENT:
        said.append("likely to stay silent")
    if about.asks:
        said.append("waiting for an answer to an ask")
    if not about.reachable:
        said.append("no address there works")
    text = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    contact = f"last contact {ago(about.last, day)}" if about.last else "no contact known"
    if why == planning.RANDOM:
        text = f"Drawn by lot, whatever its segment. {text}"
    if why == planning.FLOOR:
        every = "month" if rules.floor_months == 1 else f"{rules.floor_months} months"
        text = f"Due: every {words['practice']} once in {every}. {text}"
    return f"{text}; {contact}."[:REASON_LIMIT]


def ago(then: date, day: date) -> str:
    """ "11 months ago", counted in calendar months."""
    months = months_between(then, day)
    if months <= 0:
        return "this month"
    return "a month ago" if months == 1 else f"{months} months ago"


# --- accepting --------------------------------------------------------------------------------------------------


def accept(session: Session, actor: Actor, plan_id: int) -> int:
    """Make a proposal the plan; returns how many contacts are planned by it. Raises `Conflict` where it is so already."""
    row = _own_plan(session, actor, plan_id)
    if row.accepted_at is not None:
        raise Conflict("This plan is accepted already.")
    row.accepted_at = clock.now()
    contacts = _contacts(session, row, "proposed")
    for contact in contacts:
        contact.state = "planned"
        contact.before = None
        session.add(contact)
    session.add(row)
    session.flush()
    audit.record(session, actor, "outreach.accept", row.body_id, plan=row.id, contacts=len(contacts))
    return len(contacts)


def undo_accept(session: Session, actor: Actor, plan_id: int) -> None:
    """Make an accepted plan a proposal again. Contacts made or cancelled since stay as they are.

    Raises `Conflict` where a newer plan follows it.
    """
    row = _own_plan(session, actor, plan_id)
    if row.accepted_at is None:
        raise Conflict("This plan is not accepted.")
    later = select(OutreachPlan.id).where(OutreachPlan.body_id == row.body_id, OutreachPlan.id > row.id)
    if session.exec(later).first():
        raise Conflict("A newer plan follows this one. Cancel contacts one by one instead.")
    row.accepted_at = None
    for contact in _contacts(session, row, "planned"):
        contact.state = "proposed"
        session.add(contact)
    session.add(row)
    session.flush()
    audit.record(session, actor, "outreach.accept_undo", row.body_id, plan=row.id)


def discard(session: Session, actor: Actor, plan_id: int) -> None:
    """Throw a proposal away, changes by hand too. Raises `Conflict` for a plan that is accepted."""
    row = _own_plan(session, actor, plan_id)
    if row.accepted_at is not None:
        raise Conflict("This plan is accepted. Take that back first, or cancel contacts one by one.")
    session.execute(
        delete(PlannedContact).where(
            PlannedContact.plan_id == row.id, PlannedContact.state.in_(("proposed", "cancelled"))
        )
    )
    for contact in session.exec(select(PlannedContact).where(PlannedContact.plan_id == row.id)):
        contact.plan_id = None
        session.add(contact)
    session.flush()
    session.delete(row)
    session.flush()
    audit.record(session, actor, "outreach.discard", row.body_id, plan=plan_id)


def _own_plan(session: Session, actor: Actor, plan_id: int) -> OutreachPlan:
    row = session.get(OutreachPlan, plan_id)
    if row is None:
        raise NotFound("There is no such plan.")
    own_body(session, actor, row.body_id)
    return row


def _contacts(session: Session, row: OutreachPlan, state: str) -> list[PlannedContact]:
    return list(
        session.exec(
            select(PlannedContact).where(PlannedContact.plan_id == row.id, PlannedContact.state == state)
        )
    )


# --- by hand ----------------------------------------------------------------------------------------------------


def add(
    session: Session,
    actor: Actor,
    body_id: int,
    code: str,
    *,
    action: str,
    month: date,
    person_id: int | None = None,
    visit_at: datetime | None = None,
    reason: str = "",
) -> int:
    """Plan a contact by hand; returns its id. It is planned at once and no proposal moves it.

    Raises `Invalid` for a month gone by, `Conflict` for a practice that asked not to be visited, and `NotFound`.
    """
    own_body(session, actor, body_id)
    practice = team.practice_of(session, body_id, code)
    chosen = action_of(session, actor, body_id, action)
    _may_be_visited(session, practice)
    row = PlannedContact(
        body_id=body_id,
        practice_id=practice.id,
        round_id=newest_round(session, body_id, clock.today()),
        action=chosen.key,
        action_name=chosen.name,
        hours=chosen.hours,
        month=_month(month, visit_at),
        visit_at=visit_at,
        person_id=person_of(session, body_id, person_id),
        why="hand",
        reason=_typed(reason) or f"Added by hand by {actor.name[:120]}.",
        by_hand=True,
        state="planned",
        made_at=clock.now(),
        made_by=actor.name[:120],
    )
    session.add(row)
    session.flush()
    audit.record(session, actor, "outreach.add", body_id, contact=row.id, practice=practice.code)
    return row.id


def change(
    session: Session,
    actor: Actor,
    contact_id: int,
    *,
    action: str,
    month: date,
    person_id: int | None,
    visit_at: datetime | None = None,
) -> None:
    """Change what, when or by whom; the contact is marked as changed by hand, and `undo` brings the last state back.

    Raises `Invalid` for a month gone by, `Conflict` for a contact made or cancelled, and `NotFound`.
    """
    row = own_contact(session, actor, contact_id)
    if row.state not in ("proposed", "planned"):
        raise Conflict("This contact was made or cancelled. Correct the log instead.")
    new_action = None if action == row.action else action_of(session, actor, row.body_id, action)
    moved = _month(month, visit_at, allow=row.month)
    person = person_of(session, row.body_id, person_id)
    if new_action is None and (moved, visit_at, person) == (row.month, row.visit_at, row.person_id):
        return
    row.before = _snapshot(row)
    if new_action is not None:
        row.action, row.action_name, row.hours = new_action.key, new_action.name, new_action.hours
    row.month, row.visit_at, row.person_id, row.by_hand = moved, visit_at, person, True
    session.add(row)
    session.flush()
    audit.record(session, actor, "outreach.change", row.body_id, contact=row.id)


def cancel(session: Session, actor: Actor, contact_id: int) -> None:
    """Take a contact out of the plan; `undo` brings it back. Raises `Conflict` for one made or cancelled, `NotFound`."""
    row = own_contact(session, actor, contact_id)
    if row.state not in ("proposed", "planned"):
        raise Conflict("This contact was made or cancelled already.")
    row.before = _snapshot(row)
    row.state, row.by_hand = "cancelled", True
    session.add(row)
    session.flush()
    audit.record(session, actor, "outreach.cancel", row.body_id, contact=row.id)


def undo(session: Session, actor: Actor, contact_id: int) -> None:
    """Take the last change by hand back. Raises `Conflict` where there is none to take back, and `NotFound`.

    A contact cancelled in a proposal that was accepted since comes back as planned.
    """
    row = own_contact(session, actor, contact_id)
    if row.before is None:
        raise Conflict("There is no change to take back.")
    before = dict(row.before)
    for name in CHANGED:
        setattr(row, name, before[name])
    row.month = date.fromisoformat(before["month"])
    row.visit_at = datetime.fromisoformat(before["visit_at"]) if before["visit_at"] else None
    if row.state in ("proposed", "planned"):
        _may_be_visited(session, session.get(Practice, row.practice_id))
        plan = session.get(OutreachPlan, row.plan_id) if row.plan_id else None
        row.state = "proposed" if plan is not None and plan.accepted_at is None else "planned"
    row.before = None
    session.add(row)
    session.flush()
    audit.record(session, actor, "outreach.undo", row.body_id, contact=row.id)


def _snapshot(row: PlannedContact) -> dict[str, Any]:
    held = {name: getattr(row, name) for name in CHANGED}
    held["month"] = row.month.isoformat()
    held["visit_at"] = row.visit_at.isoformat() if row.visit_at else None
    return held


def _month(month: date, visit_at: datetime | None, *, allow: date | None = None) -> date:
    """The month of a contact: that of its time where it has one."""
    found = (clock.london_date(visit_at) if visit_at else month).replace(day=1)
    if found != allow and found < clock.today().replace(day=1):
        raise Invalid("This month has gone by. Choose this month or a later one.")
    if found < FIRST_DAY or found > add_months(clock.today(), 36):
        raise Invalid("Choose a month within three years.")
    return found


def _may_be_visited(session: Session, practice: Practice) -> None:
    found = session.exec(
        select(OutreachExclusion.reason).where(
            OutreachExclusion.body_id == practice.body_id, OutreachExclusion.practice_id == practice.id
        )
    ).first()
    if found is not None:
        raise Conflict(f"{practice.name} is left out of plans: {found} Take that back first.")


def _typed(text: str) -> str:
    text = clean(text)
    if len(text) > REASON_LIMIT:
        raise Invalid(f"Why: use at most {REASON_LIMIT} characters.")
    if formula_start(text):
        raise Invalid("The reason begins like a formula; begin with a letter.")
    return text
