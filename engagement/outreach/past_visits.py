"""Visits of the demo body before its last round, so that “Did it work?” has something to compare. Made by the same verb as any."""

from __future__ import annotations

from datetime import date, timedelta

from engagement.access import Actor
from engagement.assessments import read
from engagement.db import Database
from engagement.outreach import contacts

VISITS = 8
# Days after the round before had closed: the first visit, and from one to the next.
FIRST, EVERY = 30, 12


def make(database: Database, actor: Actor, body_id: int) -> None:
    """Log a visit to each of the least engaged practices between the two newest assessed rounds; nothing before there are two."""
    with database.session() as session:
        contents = read.history(session, actor, body_id)
        if len(contents) < 2 or not contents[-2]["usable"]:
            return
        before = contents[-2]
        rows = sorted(before["practices"], key=lambda row: (row["engagement"], row["practice_id"]))
        closed_on = date.fromisoformat(before["round"]["closed_on"])
        for place, row in enumerate(rows[:VISITS]):
            contacts.log_unplanned(
                session,
                actor,
                body_id,
                row["practice_id"],
                action="visit",
                done_on=closed_on + timedelta(FIRST + EVERY * place),
                outcome=contacts.MET,
            )
