"""An order of visits drawn by lot, sealed before anybody saw it, and open to a check by anybody afterwards.

Capacity forces an order anyway. If it is drawn, those who come first and those who come later differ by chance alone, and
what visits do can be told without trusting any model (see `engagement.risk.effect.by_lot`). For that nobody may choose
among draws: the draw is hashed into the audit log before it can be seen, one that was seen can never be drawn again, and
one that was thrown away unseen stays on record.

The lottery needs no software to be checked: within each segment, practices stand in the order of the SHA-256 of
"salt:code"; the segments are then interleaved so that whoever stops early has visited about the same share of each.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from sqlmodel import Session, select

from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.access.audit import canonical, sha256
from engagement.assessments import read
from engagement.errors import Conflict, Invalid, NotFound
from engagement.models import AuditEntry, OutreachOrder, PlannedContact, Practice, Round
from engagement.outreach.contacts import MET
from engagement.risk.effect import FEWEST
from engagement.roster.bodies import own_body

NOT_CLEAR = "not clear"
BEGUN = ("open", "closing", "mixed", "released")


@dataclass(frozen=True)
class OrderRow:
    """A draw. `strata`: each eligible practice's segment when it was drawn; `capacity`: how many come before the next round;
    `order`: codes, empty until it was opened; `content`: what the seal is the SHA-256 of, salt included, empty until then.
    `attempt`: 2 where one before it was thrown away unseen."""

    id: int
    after_round: int
    attempt: int
    capacity: int
    strata: Mapping[str, str]
    order: tuple[str, ...]
    content: str
    seal: str
    sealed_at: datetime
    opened_at: datetime | None
    discarded_at: datetime | None

    @property
    def early(self) -> tuple[str, ...]:
        """Those drawn to be visited before the next round; empty until the order was opened."""
        return self.order[: self.capacity]


def in_order(salt: str, strata: Mapping[str, str]) -> list[str]:
    """Codes in the drawn order. `strata`: the stratum of each code.

    The k-th of a stratum of n stands at (2k − 1)/2n of the way; where two stand alike, the larger stratum comes first, then
    the name that comes first.
    """
    members: dict[str, list[str]] = {}
    for code in sorted(strata, key=lambda code: hashlib.sha256(f"{salt}:{code}".encode()).hexdigest()):
        members.setdefault(strata[code], []).append(code)
    places = [
        (Fraction(2 * place + 1, 2 * len(codes)), -len(codes), name, code)
        for name, codes in members.items()
        for place, code in enumerate(codes)
    ]
    return [code for *_, code in sorted(places)]


def draw(session: Session, actor: Actor, body_id: int, codes: Sequence[str], *, capacity: int) -> OrderRow:
    """Draw the order in which practices are visited, the first `capacity` of them before the next round, and seal it.

    Stratified by the segments of the newest assessment. Raises `Invalid` for practices that the assessment does not speak
    of or that were met since, and for numbers that no comparison can be made with; `Conflict` where an order was drawn
    after this round or the next round has begun.
    """
    own_body(session, actor, body_id)
    if why := not_now(session, actor, body_id):
        raise Conflict(why)
    content = read.latest(session, actor, body_id)
    number = content["round"]["number"]
    round_ = session.exec(select(Round).where(Round.body_id == body_id, Round.number == number)).one()
    rows = {row["practice_id"]: row for row in content["practices"]}
    wanted = sorted(set(codes))
    problems = [
        f"{code} is not among the open practices; leave it out" for code in wanted if code not in rows
    ]
    met = _met_since(session, body_id, content)
    problems += [
        f"{code} was met since round {number} already; leave it out" for code in wanted if code in met
    ]
    if capacity < FEWEST or len(wanted) - capacity < FEWEST:
        problems.append(
            f"an order needs at least {FEWEST} practices to be visited before the next round and {FEWEST} to come later; "
            "choose more practices or another number"
        )
    if problems:
        raise Invalid(f"No order was drawn: {problems[0]}.", problems)
    earlier = _draws(session, body_id, round_.id)
    if earlier and earlier[-1].discarded_at is None:
        raise Conflict(
            f"An order was drawn after round {round_.number} already. Open it, or throw it away unseen first."
        )
    strata = {code: rows[code]["segment"] or NOT_CLEAR for code in wanted}
    salt = secrets.token_hex(16)
    text = canonical(
        {
            "after_round": round_.number,
            "capacity": capacity,
            "strata": strata,
            "salt": salt,
            "order": in_order(salt, strata),
        }
    )
    row = OutreachOrder(
        body_id=body_id,
        round_id=round_.id,
        attempt=len(earlier) + 1,
        content=text,
        seal=sha256(text),
        sealed_at=clock.now(),
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor,
        "outreach.order_seal",
        body_id,
        order=row.id,
        after_round=round_.number,
        attempt=row.attempt,
        practices=len(wanted),
        capacity=capacity,
        seal=row.seal,
    )
    return _shown(row)


def reveal(session: Session, actor: Actor, order_id: int) -> OrderRow:
    """Open a sealed order: from now on it is the order, and cannot be drawn again. Opening it twice changes nothing.

    Raises `Conflict` for one that was thrown away or no longer matches its seal, or where the next round has begun.
    """
    row = _own(session, actor, order_id)
    if row.discarded_at is not None:
        raise Conflict("This order was thrown away unseen. Draw another.")
    if sha256(row.content) != row.seal:
        raise Conflict("This order does not match its seal. Tell the data protection officer.")
    if row.opened_at is None:
        if why := _begun(session, row.body_id, session.get(Round, row.round_id).number):
            raise Conflict(why)
        row.opened_at = clock.now()
        session.add(row)
        session.flush()
        audit.record(session, actor, "outreach.order_open", row.body_id, order=row.id, seal=row.seal)
    return _shown(row)


def discard(session: Session, actor: Actor, order_id: int) -> None:
    """Throw away an order that nobody saw, so that another can be drawn. Raises `Conflict` for one that was opened."""
    row = _own(session, actor, order_id)
    if row.opened_at is not None:
        raise Conflict(
            "This order was opened and stays. Whoever could choose among draws would not have drawn by lot."
        )
    if row.discarded_at is None:
        row.discarded_at = clock.now()
        session.add(row)
        session.flush()
        audit.record(session, actor, "outreach.order_discard", row.body_id, order=row.id, seal=row.seal)


def of(session: Session, actor: Actor, body_id: int, after_round: int | None = None) -> OrderRow | None:
    """The order that holds after a round (the newest assessed one by default), None where there is none."""
    actor.require(body_id, Role.LEAD)
    if after_round is None:
        newest = read.latest(session, actor, body_id)
        if newest is None:
            return None
        after_round = newest["round"]["number"]
    return held(session, body_id, after_round)


def held(session: Session, body_id: int, after_round: int) -> OrderRow | None:
    """As `of`, for verbs that have checked who asks."""
    round_ = session.exec(select(Round).where(Round.body_id == body_id, Round.number == after_round)).first()
    found = _draws(session, body_id, round_.id) if round_ else []
    return _shown(found[-1]) if found and found[-1].discarded_at is None else None


@dataclass(frozen=True)
class Check:
    """One thing that anybody can check of an order, and whether it holds."""

    text: str
    holds: bool


def verify(session: Session, actor: Actor, order_id: int) -> tuple[Check, ...]:
    """Check an opened order against its seal, the audit log and the lottery. Raises `Conflict` while it is sealed."""
    row = _own(session, actor, order_id)
    if row.opened_at is None:
        raise Conflict("Open the order first; while it is sealed there is nothing to check.")
    content = json.loads(row.content)
    entries = {
        entry.action: entry
        for entry in session.exec(
            select(AuditEntry)
            .where(AuditEntry.body_id == row.body_id, AuditEntry.action.startswith("outreach.order_"))
            .order_by(AuditEntry.id)
        )
        if entry.detail.get("order") == row.id
    }
    sealed, opened = (entries.get(f"outreach.order_{what}") for what in ("seal", "open"))
    return (
        Check("The order is the one that was sealed", sha256(row.content) == row.seal),
        Check("The seal stands in the audit log", sealed is not None and sealed.detail["seal"] == row.seal),
        Check(
            "It was sealed before it was opened",
            sealed is not None and opened is not None and sealed.id < opened.id,
        ),
        Check("The audit log is whole", audit.verify(session) is None),
        Check(
            "The lottery gives this order",
            in_order(content["salt"], content["strata"]) == content["order"],
        ),
    )


def not_now(session: Session, actor: Actor, body_id: int) -> str | None:
    """Why no order can be drawn at present; None where one can."""
    content = read.latest(session, actor, body_id)
    if content is None or not content["usable"]:
        return "An order is drawn by segment, and there are none before two rounds."
    return _begun(session, body_id, content["round"]["number"])


def _begun(session: Session, body_id: int, number: int) -> str | None:
    """What to say where a round after this one is open or closed."""
    later = session.exec(
        select(Round.number).where(Round.body_id == body_id, Round.number > number, Round.state.in_(BEGUN))
    ).first()
    if later is None:
        return None
    return (
        f"Round {later} has begun. An order is drawn between two rounds, before the visits: wait until this round is closed "
        "and assessed."
    )


def _met_since(session: Session, body_id: int, content: Mapping[str, Any]) -> set[str]:
    """Practices that were met after the round of an assessment was closed: whatever the lot said, they had their visit."""
    return set(
        session.exec(
            select(Practice.code)
            .join(PlannedContact, PlannedContact.practice_id == Practice.id)
            .where(
                PlannedContact.body_id == body_id,
                PlannedContact.outcome == MET,
                PlannedContact.done_on > date.fromisoformat(content["round"]["closed_on"]),
            )
        )
    )


def _draws(session: Session, body_id: int, round_id: int) -> list[OutreachOrder]:
    return list(
        session.exec(
            select(OutreachOrder)
            .where(OutreachOrder.body_id == body_id, OutreachOrder.round_id == round_id)
            .order_by(OutreachOrder.attempt)
        )
    )


def _own(session: Session, actor: Actor, order_id: int) -> OutreachOrder:
    row = session.get(OutreachOrder, order_id)
    if row is None:
        raise NotFound("There is no such order.")
    actor.require(row.body_id, Role.LEAD)
    return row


def _shown(row: OutreachOrder) -> OrderRow:
    content = json.loads(row.content)
    return OrderRow(
        id=row.id,
        after_round=content["after_round"],
        attempt=row.attempt,
        capacity=content["capacity"],
        strata=content["strata"],
        order=tuple(content["order"]) if row.opened_at else (),
        content=row.content if row.opened_at else "",
        seal=row.seal,
        sealed_at=row.sealed_at,
        opened_at=row.opened_at,
        discarded_at=row.discarded_at,
    )
