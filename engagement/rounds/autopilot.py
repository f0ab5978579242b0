"""The worker's part of a programme: draft a round some days ahead, launch it at its time, leave out what came too late.

One turn after the other, each dealt with once: a turn's row and what it stands for are written in one transaction,
under a lock of the programme, so that a worker killed anywhere is caught up by the next pass of any other.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlmodel import Session, select

from engagement import clock
from engagement.access import Actor
from engagement.db import Database
from engagement.errors import EngagementError
from engagement.messaging import settings
from engagement.models import Programme, ProgrammeTurn
from engagement.rounds import cadence, programme, verbs

log = logging.getLogger("engagement.autopilot")
# How long a programme is left alone when nothing is due: what people change elsewhere (quiet days, a draft, a round
# closed by hand) is noticed after that at the latest.
LOOK = timedelta(hours=1)
# How soon a round that is held up is tried again.
REST = timedelta(minutes=1)
UNEXPECTED = (
    "An unexpected error held the programme up; the worker's log says more. It tries again every minute."
)
WORKER = Actor.worker()


def due(session: Session) -> list[int]:
    """The programmes to look at now, by id."""
    return list(
        session.exec(
            select(Programme.id)
            .where(
                Programme.rule.is_not(None), Programme.paused_at.is_(None), Programme.look_at <= clock.now()
            )
            .order_by(Programme.id)
        )
    )


def run(database: Database) -> int:
    """Do all that is due in all programmes and return how many steps were done. Trouble in one holds up no other."""
    with database.reading() as session:
        found = due(session)
    return sum(_follow(database, programme_id) for programme_id in found)


def _follow(database: Database, programme_id: int) -> int:
    """Steps of one programme until none is due; what stands in the way is kept with it and shown."""
    done = 0
    try:
        while _step(database, programme_id):
            done += 1
    except EngagementError as error:
        _held_up(database, programme_id, str(error))
    except Exception:
        log.exception("programme %s is stuck", programme_id)
        _held_up(database, programme_id, UNEXPECTED)
    return done


def _step(database: Database, programme_id: int) -> bool:
    """One step in a transaction of its own; False when none is due, with the time of the next look set."""
    with database.session() as session:
        found = session.exec(select(Programme).where(Programme.id == programme_id).with_for_update()).one()
        if found.rule is None or found.paused_at is not None:
            return False
        turn = programme.last_turn(session, found.id)
        if turn is not None and turn.state == "drafted":
            wait = _drafted(session, found, turn)
        else:
            wait = _next(session, found, turn.turn if turn else 0)
        found.trouble = None
        found.look_at = clock.now() if wait is None else min(wait, clock.now() + LOOK)
        session.add(found)
        return wait is None


def _next(session: Session, found: Programme, last: int) -> datetime | None:
    """Draft the next turn's round when its time has come. Returns until when to wait, None when something was done."""
    own = settings.quiet_days(session, found.body_id)
    dates = cadence.next_dates(programme.rule_of(found), last, own, programme.moved_of(found), 1)[0]
    drafting = dates.opens_at - timedelta(days=found.lead_days)
    if clock.now() < drafting:
        return drafting
    turn = ProgrammeTurn(
        programme_id=found.id,
        turn=dates.turn,
        body_id=found.body_id,
        wanted=dates.wanted,
        opens_at=dates.opens_at,
        closes_at=dates.closes_at,
        state="skipped",
    )
    if cadence.late(dates, clock.now(), own) is None:
        session.add(turn)
        programme.skip_turn(session, WORKER, found, turn, too_late(dates.opens_at))
        return None
    round_ = programme.same_again(
        session, WORKER, found.body_id, opens_at=dates.opens_at, closes_at=dates.closes_at
    )
    turn.state, turn.public_id = "drafted", round_.public_id
    session.add(turn)
    session.flush()
    return None


def _drafted(session: Session, found: Programme, turn: ProgrammeTurn) -> datetime | None:
    """Follow a drafted round to its launch. Returns and raises as `_step` needs it."""
    round_ = programme.round_of(session, turn)
    if round_ is None:
        programme.skip_turn(session, WORKER, found, turn, "Its draft was deleted.")
        return None
    if round_.state != "draft":
        turn.state = "launched"
        session.add(turn)
        return None
    planned = programme.planned(turn, round_)
    if clock.now() < planned.opens_at:
        round_.trouble = None
        session.add(round_)
        return planned.opens_at
    dates = cadence.late(planned, clock.now(), settings.quiet_days(session, found.body_id))
    if dates is None:
        why = too_late(planned.opens_at, round_.trouble)
        programme.skip_turn(session, WORKER, found, turn, why)
        return None
    if programme.needs_approval(session, found, turn):
        raise _Waits("It waits for approval on the Programme page.")
    if dates.opens_at > clock.now():
        return dates.opens_at
    if open_one := programme.asking(session, found.body_id):
        raise _Waits(f"It waits until round {open_one.number} has closed: two rounds are never open at once.")
    if round_.closes_at is not None and round_.closes_at != dates.closes_at:
        round_.closes_at = dates.closes_at
        session.add(round_)
    verbs.launch(session, WORKER, round_.id)
    turn.state = "launched"
    session.add(turn)
    return None


class _Waits(EngagementError):
    """A drafted round cannot launch yet."""


def too_late(opens_at: datetime, trouble: str | None = None) -> str:
    """Why a turn was left out, in words."""
    words = f"It could not open on {clock.show_date(opens_at)}, nor in the first half of its time."
    return f"{words} What stood in the way: {trouble}"[:500] if trouble else words


def _held_up(database: Database, programme_id: int, words: str) -> None:
    """Keep what stands in the way, with the draft where there is one, and rest for a while."""
    with database.session() as session:
        found = session.exec(select(Programme).where(Programme.id == programme_id).with_for_update()).one()
        round_ = programme.drafted(session, programme.last_turn(session, found.id))
        if round_ is None:
            found.trouble = words[:500]
        else:
            round_.trouble = words[:500]
            session.add(round_)
        found.look_at = clock.now() + REST
        session.add(found)
