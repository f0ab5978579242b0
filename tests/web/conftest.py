"""An open round with links of known tokens, a cast of staff, and a client that speaks to the plain routes."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from nacl.public import PrivateKey
from sqlalchemy import text
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from engagement import clock, web
from engagement.access import Actor, Role, accounts, audit
from engagement.instrument.bank import bank, render_item
from engagement.intake import links, sealing
from engagement.models import Body, Participation, Programme, Round
from engagement.words import STANDING_MAP, words_of

PASSWORD = "correct horse battery"
HOST = "http://localhost:8501"
US = {"origin": HOST}


def promised_items(*keys: str) -> list[dict]:
    """Items of the bank as a promise freezes them."""
    words = words_of({})
    return [
        render_item(
            key=item.key,
            version=item.version,
            kind=item.kind,
            text=item.text,
            words=words,
            not_applicable=item.not_applicable,
            reverse=item.reverse,
            headline=item.headline,
            core=item.core,
            origin=item.origin(),
        )
        for item in (bank()[key] for key in keys)
    ]


def a_promise(*keys: str, tier: str = "confidential", **changed) -> dict:
    """A promise that asks these items of the bank."""
    closes = (clock.now() + timedelta(days=14)).replace(microsecond=0)
    return {
        "version": 1,
        "body": {"code": "VALE", "name": "Example Vale CCG", "words": words_of({})},
        "round": {"number": 1, "title": "Autumn 2026", "public_id": "k3j9x2mq5t7a"},
        "tier": tier,
        "threshold": 10,
        "plan": ["overall", "standing"],
        "standing_map": STANDING_MAP,
        "headline": ["owned"],
        "items": promised_items(*keys),
        "opens_at": (closes - timedelta(days=21)).isoformat(),
        "closes_at": closes.isoformat(),
        "may_close_early": True,
        "retention_years": 5,
        "key_holder": "the engagement lead's organisation",
    } | changed


CORE = ("owned", "decisions_members", "influence", "responsive", "one_thing")


@dataclass
class OpenRound:
    """A round that takes answers, and what the tests need to know of it."""

    database: object
    id: int
    promise: dict
    secret: PrivateKey
    tokens: list[str] = field(default_factory=list)

    def path(self, number: int = 0, page: str = "") -> str:
        """The address of a link."""
        public_id = self.promise["round"]["public_id"]
        return f"/a/{public_id}/{self.tokens[number]}" + (f"?page={page}" if page else "")

    def boxes(self) -> list:
        """The stored answers, opened."""
        with self.database.reading() as session:
            found = session.exec(text("SELECT box FROM sealed_answer")).all()
        return [sealing.Opener(self.secret)(bytes(box)) for (box,) in found]

    def used(self) -> int:
        """How many links are used."""
        with self.database.reading() as session:
            return sum(row.used for row in session.exec(select(Participation)))

    def set(self, **columns) -> None:
        """Change the round's row."""
        with self.database.session() as session:
            row = session.get(Round, self.id)
            for name, value in columns.items():
                setattr(row, name, value)
            session.add(row)

    def close(self) -> None:
        """Close it, as the engagement lead would."""
        self.set(state="closing", closed_at=clock.now())


@pytest.fixture
def open_round(database):
    """Makes an open round with two unused links."""

    def make(promise: dict | None = None, practice: str | None = None) -> OpenRound:
        promise = promise or a_promise(*CORE)
        secret = PrivateKey.generate()
        public = bytes(secret.public_key)
        with database.session() as session:
            body = Body(code="VALE", name="Example Vale CCG", created_at=clock.now())
            session.add(body)
            session.flush()
            programme = Programme(body_id=body.id, name="Main", created_at=clock.now())
            session.add(programme)
            session.flush()
            written = audit.canonical(promise)
            row = Round(
                body_id=body.id,
                programme_id=programme.id,
                public_id=promise["round"]["public_id"],
                number=1,
                title="Autumn 2026",
                tier=promise["tier"],
                state="open",
                opens_at=clock.now() - timedelta(days=7),
                closes_at=datetime.fromisoformat(promise["closes_at"]),
                promise=written,
                promise_hash=audit.sha256(written),
                public_key=public,
                box_size=sealing.box_size(promise["items"]),
            )
            session.add(row)
            session.flush()
            made = OpenRound(database, row.id, promise, secret)
            for member in range(2):
                token = links.token(b"k" * 32, row.public_id, member)
                made.tokens.append(token)
                session.add(
                    Participation(
                        round_id=row.id,
                        link_hash=links.link_hash(token),
                        form=practice,
                        standing=sealing.seal_standing(public, {"standing": "grassroots"}),
                    )
                )
        return made

    return make


@pytest.fixture
def site(config, database):
    """A client of the plain routes behind the product's own middleware; a fresh process each time."""

    def make(*, extra=(), base_url: str = HOST, settings=None, **options) -> TestClient:
        settings = settings or config
        plain = web.routes(settings)
        app = Starlette(routes=[*plain, *extra], middleware=web.middleware(settings, plain))
        options = {"follow_redirects": False, "raise_server_exceptions": True} | options
        return TestClient(app, base_url=base_url, **options)

    return make


@pytest.fixture
def client(site):
    """A client of one process."""
    return site()


@pytest.fixture
def sheet():
    """A complete form, as a browser posts it."""

    def make(promise: dict, **changed: str) -> dict[str, str]:
        form = {f"q-{item['key']}": "4" for item in promise["items"] if item["kind"] != "text"}
        return (
            form
            | {"idem_key": "k" * 32}
            | {name.replace("__", "-"): value for name, value in changed.items()}
        )

    return make


@pytest.fixture
def everything_logged(caplog):
    """All log lines of the test, of every logger but the test client's own, which names what it asks for."""
    for client in ("httpx", "httpx2"):
        caplog.set_level(logging.CRITICAL, logger=client)
    caplog.set_level(logging.DEBUG)
    return caplog


def _person(database, role: Role) -> int:
    with database.session() as session:
        body = Body(code="REAL", name="Real CCG", created_at=clock.now())
        session.add(body)
        session.flush()
        account, _ = accounts.create(
            session,
            Actor.operator(),
            body.id,
            email="alice@example.org",
            name="Alice",
            role=role,
            password=PASSWORD,
        )
        return account.id


@pytest.fixture
def lead(database) -> int:
    """The id of alice, engagement lead of a real body."""
    return _person(database, Role.LEAD)


@pytest.fixture
def alice(database) -> int:
    """The id of alice, of the governing body of a real body: a password is enough for her."""
    return _person(database, Role.GOVERNING)


@pytest.fixture
def demo(database) -> dict[Role, int]:
    """A demo body with one account a role; ids by role."""
    with database.session() as session:
        body = Body(code="DEMO", name="Demo CCG", is_demo=True, created_at=clock.now())
        session.add(body)
        session.flush()
        return {
            role: accounts.create(
                session,
                Actor.operator(),
                body.id,
                email=f"{role.value}@example.org",
                name=f"<b>{role.value}</b>",
                role=role,
                password=PASSWORD,
                demo=True,
            )[0].id
            for role in Role
        }


@pytest.fixture
def promise():
    """Makes a promise; without items named, five of the bank."""
    return lambda *keys, **changed: a_promise(*(keys or CORE), **changed)
