"""Installations to measure on: a temporary SQLite file on the disk that answers would reach, and a body of any size."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import insert

from engagement import clock, db, roster
from engagement.access import Actor
from engagement.config import Config
from engagement.db import Database
from engagement.instrument import verbs as instruments
from engagement.intake.keys import Keys
from engagement.models import Locality, Member, Practice, Spell
from engagement.rounds import verbs as rounds
from engagement.worker import Worker

OPERATOR = Actor.operator("bench")
CODE = "BENCH"
LEADER_EVERY = 10
# Items of the bank that the rounds of a bench ask.
ITEMS = (
    "owned",
    "decisions_members",
    "influence",
    "informed",
    "understand",
    "responsive",
    "two_way",
    "legitimate",
)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards, beside the data: a memory disk would make every durable write free."""
    data = Config.load().data
    data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=data, ignore_cleanup_errors=True) as made:
        yield Path(made)


def settings(data: Path) -> Config:
    """The settings of an installation in a folder."""
    return Config.load(environment(data))


def environment(data: Path) -> dict[str, str]:
    """The settings of an installation in a folder, as a server's environment holds them."""
    return {"ENGAGEMENT_DATA": str(data), "ENGAGEMENT_WORKER": "external"}


@contextmanager
def installation(data: Path) -> Iterator[tuple[Database, Keys]]:
    """A migrated, empty SQLite installation."""
    config = settings(data)
    database = Database(config.database_url)
    db.migrate(database)
    try:
        yield database, Keys(config.keys)
    finally:
        database.dispose()


def body(database: Database, members: int, *, practices: int | None = None) -> int:
    """A body of so many members at eight a practice, one in ten of them a leader; returns its id."""
    practices = practices or max(1, members // 8)
    with database.session() as session:
        made = roster.ensure_body(session, OPERATOR, CODE, "A body to measure on")
        locality = Locality(body_id=made.id, code="N", name="North")
        session.add(locality)
        session.flush()
        places = [
            {
                "body_id": made.id,
                "code": f"B{number:05d}",
                "name": f"Practice {number}",
                "locality_id": locality.id,
                "list_size": 4_000 + number,
                "attributes": {},
            }
            for number in range(practices)
        ]
        place_ids = _insert(session, Practice, places)
        people = [
            {"body_id": made.id, "ref": reference(number), "name": f"Person {number}", "attributes": {}}
            for number in range(members)
        ]
        ids = _insert(session, Member, people)
        session.execute(
            insert(Spell.__table__),
            [
                {
                    "body_id": made.id,
                    "member_id": member_id,
                    "practice_id": place_ids[number % practices],
                    "role": "clinical_lead" if number % LEADER_EVERY == 0 else "gp_partner",
                    "representative": number < practices,
                }
                for number, member_id in enumerate(ids)
            ],
        )
        instruments.seed(session, OPERATOR, made.id)
        return made.id


def reference(number: int) -> str:
    """The body's own number for a member."""
    return f"M{number:06d}"


def _insert(session, model, rows: list[dict]) -> list[int]:
    table = model.__table__
    return list(
        session.execute(insert(table).returning(table.c.id, sort_by_parameter_order=True), rows).scalars()
    )


def ask(database: Database, body_id: int, keys_in_order: list[str]) -> None:
    """Make the body's next round ask these items."""
    with database.session() as session:
        core = instruments.instrument_of(session, OPERATOR, body_id)
        instruments.set_items(session, OPERATOR, body_id, core.id, keys_in_order, core.headline)


def launch(database: Database, keys: Keys, body_id: int) -> int:
    """Draft, launch and open a round of two weeks; returns its id."""
    with database.session() as session:
        round_ = rounds.new(
            session,
            OPERATOR,
            body_id,
            title="A round to measure",
            opens_at=clock.now(),
            closes_at=clock.now() + clock.days(14),
        )
        rounds.launch(session, OPERATOR, round_.id)
    Worker(database, keys).run_once()
    return round_.id
