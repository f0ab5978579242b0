"""A round that two hundred people answered through the product's own pages, in an order that we noted."""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from engagement import web
from engagement.db import Database
from engagement.intake.keys import Keys
from engagement.models import Member
from tests import support
from tests.adversary.attack import empty_log, everything_on_disk, log_place
from tests.adversary.crowd import OPEN_ITEM, answers_of, crowd

PEOPLE = 200
ADDRESS = "203.0.113.77"
AGENT = "Canary/7.31 (member)"
HOST = "http://localhost:8501"


def the_form(number: int, comment: str) -> dict[str, str]:
    """A filled-in form, as a browser posts it."""
    form = {f"q-{item}": str(score) for item, score in answers_of(number).items()}
    return form | {f"t-{OPEN_ITEM}": comment, f"c-{OPEN_ITEM}": "theme", "idem_key": secrets.token_hex(16)}


@dataclass
class Survey:
    """An open round, who answered in which order, and the attacker's and our own knowledge of it."""

    database: Database
    keys: Keys
    config: object
    round_id: int
    doors: list
    submitted: list[int]
    comments: dict[int, str]
    members: list[Member]
    since: tuple[str, int] | None

    def needles(self) -> dict[str, bytes]:
        """What no file may hold while the round is open."""
        found = {"address": ADDRESS.encode(), "browser": AGENT.encode()}
        for number, door in enumerate(self.doors):
            found[f"token {number}"] = door.token.encode()
            found[f"comment {number}"] = self.comments[number][:24].encode()
        return found

    def on_disk(self) -> dict[str, bytes]:
        """All bytes that hold the database, and what its log holds since the first invitation."""
        return everything_on_disk(self.database, self.since)

    def close(self) -> None:
        """Close the round; the worker mixes, scrubs, destroys the keys and releases."""
        support.close(self.database, self.keys, self.round_id)


@pytest.fixture
def post(config, database):
    """Sends a form through the product's own page, from a known address and browser; returns the status."""

    def make(app=None):
        app = app or Starlette(routes=web.routes(config), middleware=web.middleware(config))
        client = TestClient(
            app,
            base_url=HOST,
            client=(ADDRESS, 50_123),
            headers={"user-agent": AGENT, "origin": HOST},
            follow_redirects=False,
        )

        def send(door, form: dict[str, str]) -> int:
            page = f"/a/{door.public_id}/{door.token}?page=questions"
            return client.post(page, data=form).status_code

        return send

    return make


@dataclass(frozen=True)
class Answered:
    """Who answered, in which order and with which comment."""

    order: list[int]
    comments: dict[int, str]

    def ref(self, number: int) -> str:
        """A member's reference."""
        return f"REF-{number:05d}-ZQ"


@pytest.fixture
def answered() -> Answered:
    """Two hundred people in a random order, each with a comment of another length."""
    order = list(range(PEOPLE))
    random.Random(secrets.randbits(64)).shuffle(order)
    return Answered(order, {n: f"{secrets.token_hex(12)}{'x' * (5 * n)}" for n in range(PEOPLE)})


@pytest.fixture
def survey(database, config, post, answered) -> Survey:
    """Two hundred people of one practice and one standing have answered, through the product's own pages."""
    keys = support.keys_of(config)
    body_id = crowd(database, PEOPLE)
    since = log_place(database)
    round_id = support.launch(database, keys, body_id)
    doors = support.doors(database, keys, round_id)
    with database.reading() as session:
        members = [session.get(Member, door.row.member_id) for door in doors]
    # So that the log holds the submissions and nothing else.
    empty_log(database)
    send = post()
    for number in answered.order:
        assert send(doors[number], the_form(number, answered.comments[number])) == 303
    return Survey(database, keys, config, round_id, doors, answered.order, answered.comments, members, since)
