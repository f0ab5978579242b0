"""What an evaluation of outreach rests on, as one hash a body: while the hash stays, so does what can be said.

Nothing here reads an answer, so that a page can tell whether what is stored still holds.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlmodel import Session, select

from engagement import clock
from engagement.access.audit import canonical, sha256
from engagement.models import (
    OUTCOMES,
    Assessment,
    Body,
    OutreachEvaluation,
    OutreachOrder,
    PlannedContact,
    Practice,
    Round,
)

MET = OUTCOMES[0]
# To be raised when an evaluation is reckoned, said or stored in another way: all are then worked out anew.
SCHEMA = 1
FEWEST_ROUNDS = 3


def now(session: Session, body_ids: Collection[int] | None = None) -> dict[int, str]:
    """The hash of each body (of all by default) with three assessed rounds or more, by body id; one query a table.

    It covers the assessed rounds with their dates, the visits until the newest of them was closed, the orders opened
    before it, the days on which practices came and went, and the body's words.
    """

    def rows(query, body) -> dict[int, list[tuple]]:
        kept = query if body_ids is None else query.where(body.in_(body_ids))
        found: dict[int, list[tuple]] = {}
        for body_id, *row in session.exec(kept):
            found.setdefault(body_id, []).append(tuple(row))
        return found

    rounds = rows(
        select(
            Round.body_id,
            Round.number,
            Assessment.content_hash,
            Round.opens_at,
            Round.launched_at,
            Round.closes_at,
            Round.closed_at,
        )
        .join(Assessment, Assessment.round_id == Round.id)
        .order_by(Round.body_id, Round.number),
        Round.body_id,
    )
    bodies = {body_id: found for body_id, found in rounds.items() if len(found) >= FEWEST_ROUNDS}
    if not bodies:
        return {}
    visits = rows(
        select(PlannedContact.body_id, PlannedContact.done_on, PlannedContact.practice_id)
        .where(PlannedContact.outcome == MET)
        .order_by(PlannedContact.done_on, PlannedContact.practice_id),
        PlannedContact.body_id,
    )
    orders = rows(
        select(OutreachOrder.body_id, Round.number, OutreachOrder.seal, OutreachOrder.opened_at)
        .join(Round, Round.id == OutreachOrder.round_id)
        .where(OutreachOrder.opened_at.is_not(None))
        .order_by(Round.number),
        OutreachOrder.body_id,
    )
    practices = rows(
        select(Practice.body_id, Practice.id, Practice.opened, Practice.closed).order_by(Practice.id),
        Practice.body_id,
    )
    words = rows(select(Body.id, Body.words), Body.id)
    return {
        body_id: _hash(
            found,
            visits.get(body_id, []),
            orders.get(body_id, []),
            practices.get(body_id, []),
            words[body_id],
        )
        for body_id, found in bodies.items()
    }


def waiting(session: Session) -> list[int]:
    """The bodies for which nothing is stored that rests on what is so now."""
    wanted = now(session)
    stored = session.exec(
        select(OutreachEvaluation.body_id, OutreachEvaluation.basis).where(
            OutreachEvaluation.basis.in_(list(wanted.values()))
        )
    )
    return sorted(dict(wanted.items() - set(stored.all())))


def _hash(
    rounds: list[tuple], visits: list[tuple], orders: list[tuple], practices: list[tuple], words: list[tuple]
) -> str:
    """The hash of one body. Whatever came after its newest assessed round was closed leaves it as it is."""
    first, last = (_closed_on(row) for row in (rounds[0], rounds[-1]))
    newest = rounds[-1][0]
    return sha256(
        canonical(
            {
                "schema": SCHEMA,
                "rounds": _plain(rounds),
                "visits": _plain(row for row in visits if last is None or row[0] <= last),
                "orders": _plain(row for row in orders if row[0] < newest),
                "practices": _plain(
                    row for row in practices if None in (first, last) or _came_or_went(row, first, last)
                ),
                "words": words,
            }
        )
    )


def _closed_on(row: tuple):
    *_, closes_at, closed_at = row
    instant = closed_at or closes_at
    return clock.london_date(instant) if instant else None


def _came_or_went(row: tuple, first, last) -> bool:
    """Whether a practice was not a member all the time between two days."""
    _, opened, closed = row
    return (opened is not None and opened > first) or (closed is not None and closed <= last)


def _plain(rows) -> list[list[Any]]:
    """Rows with their days and instants as text."""
    return [[each.isoformat() if hasattr(each, "isoformat") else each for each in row] for row in rows]
