"""The worker's part of a launch: keys, links and sealed standing, then the door opens."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, update
from sqlmodel import select

from engagement.access import Actor, audit
from engagement.db import Database
from engagement.intake import links, sealing
from engagement.intake.keys import Keys
from engagement.models import Participation, Practice, Round, RoundRoster


def sealed_facts(row: RoundRoster, tier: str, panel: tuple[bytes | None, bytes] | None) -> dict[str, Any]:
    """What of a member's standing goes with the answer, by tier. An anonymous answer carries the arm alone."""
    if tier == "anonymous":
        return {"standing": row.standing}
    facts = {"standing": row.standing, "practice_id": row.practice_id}
    if tier == "confidential":
        facts["strata"] = row.strata
    if panel is not None:
        before, now = panel
        if before is not None:
            facts["before"] = links.panel_code(before, row.member_id)
        facts["now"] = links.panel_code(now, row.member_id)
    return facts


def open_round(database: Database, keys: Keys, round_id: int) -> bool:
    """Make a launched round's keys, links and sealed standings, and open it; False when it is open already.

    Keys reach the disk before the first link does; a crash between the two is caught up by calling again.
    Links are stored in the order of their hashes, which says nothing of the roster.
    """
    with database.reading() as session:
        round_ = session.get(Round, round_id)
        if round_.state != "launching":
            return False
        roster = session.exec(select(RoundRoster).where(RoundRoster.round_id == round_id)).all()
        names = {}
        if round_.tier == "practice-view":
            names = dict(
                session.exec(
                    select(Practice.id, Practice.name).where(Practice.body_id == round_.body_id)
                ).all()
            )
    secret, link_key = keys.make_round(round_.public_id)
    panel = None
    if round_.tier == "confidential":
        panel = (
            keys.panel_before(round_.body_id, round_.number),
            keys.make_panel(round_.body_id, round_.number),
        )
    public_key = bytes(secret.public_key)
    rows = [
        {
            "round_id": round_id,
            "link_hash": links.link_hash(
                links.token(link_key, round_.public_id, row.member_id, row.generation)
            ),
            "used": False,
            "withdrawn": False,
            "form": names.get(row.practice_id),
            "standing": sealing.seal_standing(public_key, sealed_facts(row, round_.tier, panel)),
        }
        for row in roster
    ]
    rows.sort(key=lambda row: row["link_hash"])
    with database.session() as session:
        moved = session.execute(
            update(Round)
            .where(Round.id == round_id, Round.state == "launching")
            .values(state="open", public_key=public_key, trouble=None)
        )
        if moved.rowcount != 1:
            return False
        for start in range(0, len(rows), 2_000):
            session.execute(insert(Participation.__table__), rows[start : start + 2_000])
        audit.record(session, Actor.worker(), "round.open", round_.body_id, round=round_.number)
    return True
