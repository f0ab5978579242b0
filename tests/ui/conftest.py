"""Releases of an invented body, made by the real gate, for the pages and charts to draw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from engagement import clock
from engagement.access import audit
from engagement.access.actor import Actor, Role
from engagement.disclosure.publish import Count, publish_item
from engagement.models import Account, AccountRole, Body, Locality, Practice, Programme, Release, Round
from engagement.ui import frame_tools
from engagement.words import words_of

FRAME = Path(__file__).resolve().parents[2] / "engagement" / "ui" / "frame.py"

TEXTS = {
    "owned": "The CCG belongs to its members and feels like our own organisation",
    "decisions_members": "The CCG's decisions reflect what its members think",
    "informed": "I know what the CCG is trying to achieve",
}
PARALLELS = {"owned": ["worklife-2015/owned", "kings-fund/owned"]}


def an_item(
    key: str = "owned",
    leader: tuple[int, int, int] = (10, 15, 22),
    grassroots: tuple[int, int, int] = (20, 80, 150),
    *,
    version: int = 1,
    kind: str = "agree5",
    headline: bool | None = None,
    change: dict | None = None,
    staff: tuple[int, int, int] | None = None,
    design_effect: float | None = 1.4,
    text: str | None = None,
) -> dict:
    """An item of a release from (favourable, answered, invited) of each arm."""
    counts = {"leader": Count(*leader), "grassroots": Count(*grassroots)}
    if staff is not None:
        counts["staff"] = Count(*staff)
    printed = publish_item(counts, threshold=10, design_effect=design_effect, df=38).as_json()
    return {
        "item": key,
        "version": version,
        "series": f"{key}/{version}/{kind}",
        "text": text or TEXTS.get(key, key),
        "headline": key in ("owned", "decisions_members") if headline is None else headline,
        "parallels": PARALLELS.get(key, []),
        "groups": printed["groups"],
        "total": printed["total"],
        "gap": printed["gap"],
        "change": change,
    }


def a_release(number: int, *items: dict, practices: list[dict] | None = None, **round_fields) -> dict:
    """The content of one release."""
    year = 2021 + (number + 1) // 2
    closed = date(year, 3 if number % 2 else 9, 22)
    return {
        "schema": 1,
        "software": "0.1.0",
        "body": {"code": "DEMO", "name": "Example Vale CCG", "words": words_of({})},
        "round": {
            "number": number,
            "public_id": f"r{number}",
            "title": f"{'Spring' if number % 2 else 'Autumn'} {year}",
            "tier": "confidential",
            "threshold": 10,
            "opened_on": closed.replace(day=1).isoformat(),
            "closed_on": closed.isoformat(),
            "imported": False,
            "promise_hash": "ab12",
        }
        | round_fields,
        "groups": [
            {"id": "leader", "label": "Leaders", "N": 22},
            {"id": "grassroots", "label": "Grassroots members", "N": 150},
        ],
        "participation": {"N": 172, "answered_percent": 55},
        "practices": practices or [],
        "items": list(items) or [an_item()],
        "design_effect": 1.4,
        "suppressed": [],
    }


def a_history() -> list[dict]:
    """Nine rounds: widening, the fourth hidden, the seventh reworded, the eighth capped, informed asked from the third."""
    owned = {
        1: ((10, 15, 22), (28, 82, 150)),
        2: ((10, 15, 22), (27, 84, 150)),
        3: ((11, 16, 22), (25, 80, 150)),
        4: ((6, 8, 22), (24, 78, 150)),
        5: ((11, 15, 22), (22, 76, 150)),
        6: ((12, 16, 22), (20, 74, 150)),
        7: ((12, 15, 22), (18, 73, 150)),
        8: ((15, 16, 22), (13, 70, 150)),
        9: ((13, 16, 22), (12, 66, 150)),
    }
    verdicts = {
        1: None,
        2: {"since": 1, "verdict": "no clear change", "points": None},
        3: {"since": 2, "verdict": "no clear change", "points": None},
        4: {"since": 3, "verdict": "cannot say", "points": None},
        5: {"since": 4, "verdict": "cannot say", "points": None},
        6: {"since": 5, "verdict": "no clear change", "points": None},
        7: None,
        8: {"since": 7, "verdict": "wider", "points": None},
        9: {"since": 8, "verdict": "no clear change", "points": None},
    }
    history = []
    for number, (leader, grassroots) in owned.items():
        items = [
            an_item("owned", leader, grassroots, version=2 if number >= 7 else 1, change=verdicts[number]),
            an_item("decisions_members", (12, 15, 22), (26 - number, 76, 150), change=verdicts[number]),
        ]
        if number >= 3:
            items.append(an_item("informed", (13, 14, 22), (45, 80, 150)))
        practices = [
            {"practice_id": f"Y{code:05d}", "band": ("none", "low", "half", "most")[(code * 7 + number) % 4]}
            for code in range(1, 31)
            if not (code == 30 and number < 5)
        ]
        practices.append({"practice_id": None, "pooled": 12, "band": "half"})
        history.append(a_release(number, *items, practices=practices))
    return history


@pytest.fixture
def history() -> list[dict]:
    """Nine rounds of releases, oldest first."""
    return a_history()


@pytest.fixture
def item():
    """A maker of one released item."""
    return an_item


@pytest.fixture
def release():
    """A maker of one release."""
    return a_release


@dataclass(frozen=True)
class FakeReference:
    """A published figure, as the engagement.instrument.references give it."""

    publisher: str = "The King's Fund"
    year: int = 2013
    percent: float | None = 66
    quoted: str | None = None
    half_width: float | None = None
    arm: str | None = "leader"


@pytest.fixture
def reference():
    """A maker of published figures."""
    return FakeReference


@dataclass(frozen=True)
class Stored:
    """A body with people, in a database."""

    body_id: int
    lead: Actor
    council: Actor
    stranger: Actor
    account_id: int


@pytest.fixture
def stored(database) -> Stored:
    """A demo body with an engagement lead, a council representative and a stranger; no rounds yet."""
    return store_body(database)


def store_body(database) -> Stored:
    """Write the body and one account, and return its people."""
    with database.session() as session:
        body = Body(code="DEMO", name="Example *Vale* CCG", is_demo=True, created_at=clock.now())
        account = Account(
            email="alice@example.com", name="Alice Moore", password_hash="x", created_at=clock.now()
        )
        session.add_all([body, account])
        session.flush()
        session.add(AccountRole(account_id=account.id, body_id=body.id, role=Role.LEAD.value))
        session.add(Programme(body_id=body.id, name="Members", created_at=clock.now()))
    people = {
        name: Actor(name, frozenset({(body.id, role)}), account.id, bodies=(body.id,))
        for name, role in (("Alice Moore", Role.LEAD), ("Bob Ray", Role.COUNCIL))
    }
    return Stored(
        body.id,
        people["Alice Moore"],
        people["Bob Ray"],
        Actor("Charlie", frozenset({(body.id + 1, Role.LEAD)}), account.id, bodies=(body.id,)),
        account.id,
    )


def store_round(
    database, body_id: int, number: int, state: str, content: dict | None = None, **fields
) -> None:
    """Write a round, with its release where `content` is given, as the worker would have left it."""
    with database.session() as session:
        programme = session.exec(select(Programme.id).where(Programme.body_id == body_id)).one()
        round_ = Round(
            body_id=body_id,
            programme_id=programme,
            public_id=f"r{number}",
            number=number,
            title=f"Round {number}",
            state=state,
            opens_at=clock.now() - clock.days(5),
            closes_at=clock.now() + clock.days(5),
            promise="{}",
            promise_hash="ab12",
            **fields,
        )
        session.add(round_)
        session.flush()
        if content is not None:
            text = audit.canonical(content)
            session.add(
                Release(
                    body_id=body_id,
                    round_id=round_.id,
                    content=text,
                    content_hash=audit.sha256(text),
                    software="0.1.0",
                    created_at=clock.now(),
                )
            )


def store_practices(database, body_id: int) -> None:
    """Write the practices that the releases name."""
    with database.session() as session:
        places = [Locality(body_id=body_id, code=code, name=f"{code} Vale") for code in ("North", "South")]
        session.add_all(places)
        session.flush()
        session.add_all(
            Practice(
                body_id=body_id,
                code=f"Y{code:05d}",
                name="![x](http://tracker.example/x.png)" if code == 7 else f"Practice {code}",
                locality_id=places[code % 2].id,
            )
            for code in range(1, 31)
        )


@pytest.fixture
def released(database, stored, history) -> Stored:
    """The body with nine released rounds and its practices."""
    for content in history:
        store_round(database, stored.body_id, content["round"]["number"], "released", content)
    store_practices(database, stored.body_id)
    return stored


@pytest.fixture
def frame(monkeypatch):
    """A maker of a running frame for an actor: `frame(actor)`, or for nobody with `frame(None)`."""

    def start(actor: Actor | None) -> AppTest:
        monkeypatch.setattr(frame_tools, "current_actor", lambda session, config: actor)
        return AppTest.from_file(str(FRAME), default_timeout=60)

    return start


def everything_said(app: AppTest) -> str:
    """All text of a page, tables included."""
    parts = [
        element.value
        for kind in ("title", "header", "subheader", "text", "markdown", "caption", "info", "warning")
        for element in app.get(kind)
    ]
    parts += [table.value.to_csv() for table in app.table]
    return "\n".join(str(part) for part in parts)


@pytest.fixture
def said():
    """A reader of all text of a page."""
    return everything_said


@pytest.fixture(name="store_round")
def _store_round():
    """A writer of rounds: `store_round(database, body_id, number, state, content=None, **fields)`."""
    return store_round
