"""A body with the item bank, its people, and pages opened as one of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from engagement import clock, instrument
from engagement.access import Actor, Role
from engagement.models import Body, Programme, Round
from engagement.words import words_of

PAGES = Path(__file__).parents[2] / "pages"


@dataclass(frozen=True)
class Setting:
    """Ids of the body and its instrument, and actors in each role."""

    body: int
    instrument: int
    lead: Actor
    governing: Actor
    council: Actor
    stranger: Actor


@pytest.fixture
def setting(database) -> Setting:
    """A body with the bank seeded by its lead, and the lead of another body."""
    with database.session() as session:
        bodies = [Body(code=code, name=code, created_at=clock.now()) for code in ("VALE", "HILL")]
        session.add_all(bodies)
        session.flush()
        vale, hill = (body.id for body in bodies)

        def actor(body: int, role: Role) -> Actor:
            return Actor(f"{role.value} of {body}", frozenset({(body, role)}), bodies=(body,))

        lead = actor(vale, Role.LEAD)
        return Setting(
            body=vale,
            instrument=instrument.seed(session, lead, vale).id,
            lead=lead,
            governing=actor(vale, Role.GOVERNING),
            council=actor(vale, Role.COUNCIL),
            stranger=actor(hill, Role.LEAD),
        )


@pytest.fixture
def launched(database, setting):
    """Put a launched round of a number in the tables, its promise holding what the instrument renders now."""

    def launch(number: int) -> None:
        with database.session() as session:
            programme = Programme(body_id=setting.body, name=f"P{number}", created_at=clock.now())
            session.add(programme)
            session.flush()
            promise = {"items": instrument.rendered(session, setting.body, setting.instrument)}
            session.add(
                Round(
                    body_id=setting.body,
                    programme_id=programme.id,
                    instrument_id=setting.instrument,
                    public_id=f"r{number}",
                    number=number,
                    title=f"Round {number}",
                    state="open",
                    closes_at=clock.now(),
                    promise=json.dumps(promise),
                    promise_hash="0" * 64,
                )
            )

    return launch


@pytest.fixture
def open_page(database, monkeypatch):
    """Open a page as an actor of a body, without a browser."""
    from streamlit.testing.v1 import AppTest

    from engagement.ui import frame_tools

    def opened(name: str, actor: Actor, body_id: int):
        def current():
            with database.reading() as session:
                body = session.get(Body, body_id)
                session.expunge(body)
            return SimpleNamespace(database=database, actor=actor, body=body, words=words_of(body.words))

        monkeypatch.setattr(frame_tools, "current", current)
        return AppTest.from_file(str(PAGES / name), default_timeout=20).run()

    return opened
