"""The life of a round, up to its close. Everything after that is the worker's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, update
from sqlmodel import Session, delete, func, select

from engagement import clock
from engagement.access import READERS, Actor, Role, audit
from engagement.access.actor import ALONE
from engagement.access.audit import sha256
from engagement.errors import Conflict, Invalid, NotFound
from engagement.instrument import verbs as instruments
from engagement.intake import links, sealing
from engagement.intake.keys import Keys
from engagement.models import (
    TIERS,
    Body,
    Member,
    Practice,
    Programme,
    Release,
    Round,
    RoundRoster,
)
from engagement.roster import standing as roster
from engagement.rounds import plans, promise
from engagement.rounds.checklist import STOP, USUAL_RESPONSE, Check, Last, check
from engagement.words import words_of

MAIN_PROGRAMME = "Ownership survey"
STATE_NAMES = {
    "draft": "Draft",
    "launching": "Being opened",
    "open": "Open",
    "closing": "Closed, being checked",
    "mixed": "Closed, being checked",
    "released": "Published",
    "cancelled": "Cancelled",
}


@dataclass(frozen=True)
class RoundView:
    """A round as the Rounds page and the command line show it."""

    id: int
    public_id: str
    number: int
    title: str
    tier: str
    threshold: int
    state: str
    imported: bool
    opens_at: datetime | None
    closes_at: datetime | None
    launched_at: datetime | None
    closed_at: datetime | None
    invited: int | None
    promise_hash: str | None
    instrument_id: int | None
    trouble: str | None
    plan: list[str] | None
    checking: str | None


@dataclass(frozen=True)
class PersonalLink:
    """A member's link, for handing out where mail does not reach."""

    ref: str
    name: str | None
    email: str | None
    practice: str | None
    url: str


def find(session: Session, actor: Actor, round_id: int, *roles: Role) -> Round:
    """The round, for somebody with one of `roles` in its body. Raises `NotFound`."""
    round_ = session.get(Round, round_id)
    if round_ is None:
        raise NotFound("There is no such round.")
    actor.require(round_.body_id, *(roles or READERS))
    return round_


def by_number(session: Session, actor: Actor, body_id: int, number: int) -> Round:
    """The body's round of a number. Raises `NotFound`."""
    actor.require(body_id, *READERS)
    round_ = session.exec(select(Round).where(Round.body_id == body_id, Round.number == number)).first()
    if round_ is None:
        raise NotFound(f"There is no round {number}.")
    return round_


def rounds(session: Session, actor: Actor, body_id: int) -> list[RoundView]:
    """All rounds of the body, newest first."""
    actor.require(body_id, *READERS, *ALONE)
    invited = dict(
        session.exec(
            select(RoundRoster.round_id, func.count())
            .where(RoundRoster.body_id == body_id)
            .group_by(RoundRoster.round_id)
        ).all()
    )
    found = session.exec(select(Round).where(Round.body_id == body_id).order_by(Round.number.desc()))
    return [
        RoundView(
            **{name: getattr(r, name) for name in RoundView.__dataclass_fields__ if name != "invited"},
            invited=invited.get(r.id),
        )
        for r in found
    ]


def programme(session: Session, body_id: int, name: str = MAIN_PROGRAMME) -> Programme:
    """The body's programme of that name, made if need be."""
    found = session.exec(
        select(Programme).where(Programme.body_id == body_id, Programme.name == name)
    ).first()
    if found is None:
        found = Programme(body_id=body_id, name=name, created_at=clock.now())
        session.add(found)
        session.flush()
    return found


def next_number(session: Session, body_id: int) -> int:
    """The number that the body's next round gets."""
    return (session.exec(select(func.max(Round.number)).where(Round.body_id == body_id)).one() or 0) + 1


def new(
    session: Session,
    actor: Actor,
    body_id: int,
    *,
    title: str,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
    tier: str = "confidential",
    threshold: int | None = None,
    instrument_id: int | None = None,
    plan: Sequence[str] | None = None,
) -> Round:
    """Draft a round. `plan`: the tables it will publish (`engagement.rounds.plans`), the usual ones where left out. Nothing is promised and nobody is asked until `launch`."""
    actor.require(body_id, Role.LEAD)
    body = session.get(Body, body_id)
    if body is None:
        raise NotFound("There is no such body.")
    draft = session.exec(select(Round).where(Round.body_id == body_id, Round.state == "draft")).first()
    if draft is not None:
        raise Conflict(f"Round {draft.number} is still a draft. Launch it or delete it first.")
    round_ = Round(
        body_id=body_id,
        programme_id=programme(session, body_id).id,
        instrument_id=instrument_id or instruments.seed(session, actor, body_id).id,
        public_id=links.public_id(),
        number=next_number(session, body_id),
        title="",
    )
    _fill(
        session,
        round_,
        title=title,
        opens_at=opens_at,
        closes_at=closes_at,
        tier=tier,
        threshold=body.threshold if threshold is None else threshold,
        plan=plan,
    )
    session.add(round_)
    session.flush()
    audit.record(session, actor, "round.draft", body_id, round=round_.number)
    return round_


def edit(
    session: Session,
    actor: Actor,
    round_id: int,
    *,
    title: str,
    opens_at: datetime | None,
    closes_at: datetime | None,
    tier: str,
    threshold: int,
    plan: Sequence[str] | None = None,
) -> None:
    """Change a draft; its plan stays where none is given. Raises `Conflict` once the round is launched: its promise does not change."""
    round_ = _draft(session, actor, round_id)
    _fill(
        session,
        round_,
        title=title,
        opens_at=opens_at,
        closes_at=closes_at,
        tier=tier,
        threshold=threshold,
        plan=round_.plan if plan is None else plan,
    )
    session.add(round_)


def discard(session: Session, actor: Actor, round_id: int) -> None:
    """Delete a draft."""
    round_ = _draft(session, actor, round_id)
    audit.record(session, actor, "round.discard", round_.body_id, round=round_.number)
    session.exec(delete(Round).where(Round.id == round_.id))


def _draft(session: Session, actor: Actor, round_id: int) -> Round:
    round_ = find(session, actor, round_id, Role.LEAD)
    if round_.state != "draft":
        raise Conflict("This round has been launched: what it promised its members cannot be changed.")
    return round_


def _fill(session, round_, *, title, opens_at, closes_at, tier, threshold, plan) -> None:
    title = title.strip()
    problems = []
    if not title or len(title) > 120:
        problems.append("Enter a title of at most 120 characters, such as “Autumn 2026”")
    if tier not in TIERS:
        problems.append(f"Choose a tier: {', '.join(TIERS)}")
    if not 5 <= threshold <= 50:
        problems.append("The threshold must be between 5 and 50 answers")
    if opens_at and closes_at and closes_at <= opens_at:
        problems.append("The round must close after it opens")
    if problems:
        raise Invalid("; ".join(problems), problems)
    round_.title, round_.tier, round_.threshold = title, tier, threshold
    round_.opens_at, round_.closes_at = opens_at, closes_at
    round_.plan = None if plan is None else list(plans.checked(plan, tier))


def _invited(people: list[roster.Standing], tier: str) -> list[roster.Standing]:
    """Whom a tier asks: everybody, or in a practice view one representative a practice."""
    if tier != "practice-view":
        return people
    chosen: dict[int, roster.Standing] = {}
    for person in sorted(people, key=lambda p: p.ref):
        if person.representative and person.practice_id is not None:
            chosen.setdefault(person.practice_id, person)
    return list(chosen.values())


def _opening_day(round_: Round):
    return clock.london_date(max(round_.opens_at or clock.now(), clock.now()))


def checklist(session: Session, actor: Actor, round_id: int) -> list[Check]:
    """What stands between a draft and its launch."""
    round_ = find(session, actor, round_id, Role.LEAD)
    body = session.get(Body, round_.body_id)
    day = _opening_day(round_)
    people = _invited(roster.at(session, body.id, day, round_.number), round_.tier)
    asked = {person.practice_id for person in people}
    opened = roster.practices_at(session, body.id, day)
    items = instruments.rendered(session, body.id, round_.instrument_id)
    try:
        sealing.box_size(items)
        problem = None
    except Invalid as error:
        problem = str(error)
    return check(
        now=clock.now(),
        opens_at=round_.opens_at,
        closes_at=round_.closes_at,
        tier=round_.tier,
        threshold=round_.threshold,
        standings=[person.standing for person in people],
        practices=len({p for p in asked if p is not None}),
        without_voice=sum(practice.id not in asked for practice in opened),
        items=items,
        item_warnings=instruments.warnings(session, body.id, round_.instrument_id, round_.number),
        words=words_of(body.words),
        box_problem=problem,
        response=_last_response(session, body.id),
        last=_last_release(session, body.id, round_.number),
    )


def outlook(session: Session, actor: Actor, round_id: int) -> list[plans.Outlook]:
    """Which tables of a draft's plan are likely to be publishable, at the response of last time."""
    round_ = find(session, actor, round_id, Role.LEAD)
    people = _invited(roster.at(session, round_.body_id, _opening_day(round_), round_.number), round_.tier)
    response = _last_response(session, round_.body_id)
    return plans.outlook(
        plans.checked(round_.plan, round_.tier),
        [{"standing": person.standing, **person.strata} for person in people],
        USUAL_RESPONSE if response is None else response,
        round_.threshold,
    )


def _last_release(session: Session, body_id: int, number: int) -> Last | None:
    """The printed shares of the newest released round's first headline item that shows both arms."""
    content = session.exec(
        select(Release.content)
        .join(Round, Round.id == Release.round_id)
        .where(Release.body_id == body_id, Round.number < number)
        .order_by(Round.number.desc(), Release.revision.desc())
        .limit(1)
    ).first()
    if content is None:
        return None
    published = json.loads(content)
    for item in published["items"]:
        arms = [item["groups"][arm] for arm in ("leader", "grassroots")]
        if item["headline"] and all(arm["mark"] == "shown" for arm in arms):
            shares = (arm["share"] / 100 for arm in arms)
            return Last(*shares, published["design_effect"])
    return None


def _last_response(session: Session, body_id: int) -> float | None:
    """The newest printed share of those invited who took part: pages cannot count the answers themselves."""
    content = session.exec(
        select(Release.content)
        .join(Round, Round.id == Release.round_id)
        .where(Round.body_id == body_id)
        .order_by(Round.number.desc(), Release.revision.desc())
        .limit(1)
    ).first()
    printed = content and json.loads(content)["participation"]["answered_percent"]
    return None if printed is None else printed / 100


def launch(session: Session, actor: Actor, round_id: int) -> Round:
    """Freeze the promise and the roster, and queue the round for the worker, which makes the links and opens it.

    Raises `Invalid` with what the checklist finds, and `Conflict` if the round was launched already.
    """
    round_ = _draft(session, actor, round_id)
    stops = [f"{c.title}: {c.text}" for c in checklist(session, actor, round_id) if c.level == STOP]
    if stops:
        raise Invalid("The round cannot be launched yet. " + " ".join(stops), stops)
    body = session.get(Body, round_.body_id)
    if round_.opens_at < clock.now():
        round_.opens_at = clock.now()
    mapping = roster.body_mapping(body)
    items = instruments.rendered(session, body.id, round_.instrument_id)
    round_.box_size = sealing.box_size(items)
    promise.freeze(round_, promise.build(round_, body, items, mapping))
    round_.launched_at = clock.now()
    round_.state = "launching"
    session.add(round_)
    session.flush()
    invited = _invited(roster.at(session, body.id, _opening_day(round_), round_.number), round_.tier)
    snapshot(session, round_, invited)
    audit.record(
        session,
        actor,
        "round.launch",
        body.id,
        round=round_.number,
        promise=round_.promise_hash,
        invited=len(invited),
    )
    return round_


def snapshot(session: Session, round_: Round, people: list[roster.Standing]) -> None:
    """Keep the round's roster as it stands: nothing that happens to the roster later moves a past figure."""
    rows = [
        {
            "round_id": round_.id,
            "member_id": person.member_id,
            "body_id": round_.body_id,
            "practice_id": person.practice_id,
            "role": person.role,
            "standing": person.standing,
            "representative": person.representative,
            "strata": person.strata,
            "generation": 1,
        }
        for person in people
    ]
    for start in range(0, len(rows), 2_000):
        session.execute(insert(RoundRoster.__table__), rows[start : start + 2_000])


def close(session: Session, actor: Actor, round_id: int) -> None:
    """Stop taking answers now; the worker then mixes and releases. Cannot be undone.

    A round closes by itself at its time. Raises `Conflict` unless it is open.
    """
    round_ = find(session, actor, round_id, Role.LEAD)
    if not stop_intake(session, round_.id):
        raise Conflict(f"Round {round_.number} is not open.")
    audit.record(session, actor, "round.close", round_.body_id, round=round_.number)


def stop_intake(session: Session, round_id: int) -> bool:
    """Move an open round to closing; False when somebody else did, or it is not open."""
    moved = session.execute(
        update(Round)
        .where(Round.id == round_id, Round.state == "open")
        .values(state="closing", closed_at=clock.now())
    )
    return moved.rowcount == 1


def personal_links(
    session: Session, actor: Actor, keys: Keys, public_url: str, round_id: int
) -> list[PersonalLink]:
    """Every member's link of an open round, for the operator to hand out where mail does not reach; noted in the log.

    Raises `Conflict` unless the round is open and its link key is on this machine.
    """
    round_ = find(session, actor, round_id, Role.LEAD)
    if not actor.everything:
        raise NotFound("Links are handed out at the command line only.")
    if round_.state != "open":
        raise Conflict(f"Round {round_.number} is not open: it has no links to hand out.")
    key = keys.link(round_.public_id)
    rows = session.exec(
        select(RoundRoster, Member, Practice.name)
        .join(Member, Member.id == RoundRoster.member_id)
        .outerjoin(Practice, Practice.id == RoundRoster.practice_id)
        .where(RoundRoster.round_id == round_.id)
        .order_by(Member.ref)
    ).all()
    audit.record(session, actor, "round.links", round_.body_id, round=round_.number, count=len(rows))
    return [
        PersonalLink(
            member.ref,
            member.name,
            member.email,
            practice,
            links.url(
                public_url, round_.public_id, links.token(key, round_.public_id, member.id, row.generation)
            ),
        )
        for row, member, practice in rows
    ]


def receipt(session: Session, actor: Actor, round_id: int) -> dict:
    """The round's promise with its hash, checked against each other. Raises `Conflict` if they differ."""
    round_ = find(session, actor, round_id)
    if round_.promise is None:
        raise NotFound("A draft has promised nothing yet.")
    if sha256(round_.promise) != round_.promise_hash:
        raise Conflict("The promise does not match its hash. Tell the data protection officer.")
    return {"promise": json.loads(round_.promise), "hash": round_.promise_hash}
