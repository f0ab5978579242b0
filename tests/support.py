"""A small invented body and the steps of a round, for tests that need one to exist."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import select

from engagement import clock
from engagement.access import Actor
from engagement.config import Config
from engagement.db import Database
from engagement.instrument import verbs as instruments
from engagement.intake import links
from engagement.intake.keys import Keys
from engagement.intake.sheet import Sheet
from engagement.intake.submit import Outcome, submit
from engagement.models import Body, Locality, Member, Practice, Round, RoundRoster, Spell
from engagement.rounds import verbs as rounds
from engagement.worker import Worker

OPERATOR = Actor.operator("test")


def small_body(database: Database, *, practices: int = 12, leaders: int = 14, code: str = "TEST") -> int:
    """A body of `practices` with five members each, of whom `leaders` in all hold a formal role."""
    with database.session() as session:
        body = Body(code=code, name=f"{code} body", created_at=clock.now())
        session.add(body)
        session.flush()
        locality = Locality(body_id=body.id, code="N", name="North")
        session.add(locality)
        session.flush()
        number = 0
        for p in range(practices):
            practice = Practice(
                body_id=body.id,
                code=f"Y{p:05d}",
                name=f"Practice {p}",
                locality_id=locality.id,
                list_size=4_000 + p,
            )
            session.add(practice)
            session.flush()
            for m in range(5):
                number += 1
                member = Member(
                    body_id=body.id,
                    ref=f"M{number:03d}",
                    name=f"Person {number}",
                    email=f"p{number}@example.org",
                )
                session.add(member)
                session.flush()
                session.add(
                    Spell(
                        body_id=body.id,
                        member_id=member.id,
                        practice_id=practice.id,
                        role="clinical_lead"
                        if (number % 5 == 1 and number // 5 < leaders) or (m == 1 and p < leaders - practices)
                        else "gp_partner",
                        representative=m == 0,
                    )
                )
        instruments.seed(session, OPERATOR, body.id)
        return body.id


def launch(database: Database, keys: Keys, body_id: int, **options) -> int:
    """Draft, launch and open a round that closes in two weeks; returns its id."""
    with database.session() as session:
        round_ = rounds.new(
            session,
            OPERATOR,
            body_id,
            title=options.pop("title", "A round"),
            opens_at=clock.now(),
            closes_at=clock.now() + clock.days(14),
            **options,
        )
        rounds.launch(session, OPERATOR, round_.id)
    Worker(database, keys).run_once()
    return round_.id


@dataclass(frozen=True)
class Door:
    """A member's way in: the round's public id, the token, and who it belongs to."""

    public_id: str
    token: str
    row: RoundRoster


def doors(database: Database, keys: Keys, round_id: int) -> list[Door]:
    """Every member's link of an open round, in the order of the roster."""
    with database.reading() as session:
        round_ = session.get(Round, round_id)
        rows = session.exec(
            select(RoundRoster).where(RoundRoster.round_id == round_id).order_by(RoundRoster.member_id)
        ).all()
    key = keys.link(round_.public_id)
    return [
        Door(round_.public_id, links.token(key, round_.public_id, row.member_id, row.generation), row)
        for row in rows
    ]


def sheet(score: int = 4, *, comment: str | None = None, tick: bool = False, items=None) -> Sheet:
    """A complete sheet that gives one score to every core item."""
    keys = items or (
        "owned",
        "decisions_members",
        "influence",
        "informed",
        "understand",
        "responsive",
        "two_way",
        "legitimate",
    )
    comments = {"one_thing": (comment, "quote")} if comment else {}
    return Sheet(dict.fromkeys(keys, score), comments, tick)


def answer(database: Database, door: Door, sheet_: Sheet, key: str = "k") -> Outcome:
    """Send a sheet through a door, in a transaction of its own."""
    with database.session() as session:
        return submit(session, door.public_id, door.token, sheet_, key)


def close(database: Database, keys: Keys, round_id: int) -> None:
    """Close a round and let the worker do all that follows."""
    with database.session() as session:
        rounds.close(session, OPERATOR, round_id)
    Worker(database, keys).run_once()


def keys_of(config: Config) -> Keys:
    """The key folder of an installation."""
    return Keys(config.keys)
