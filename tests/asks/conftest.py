"""A small body whose members have pages of their own, and its lead, governing body, council and a stranger."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from sqlmodel import select

from engagement.access import Actor, Role
from engagement.asks.topics import Draft
from engagement.db import Database
from engagement.messaging import my_page
from engagement.messaging.keys import MailKeys
from engagement.models import Member
from tests import support


@dataclass
class Town:
    """A body of four practices with five members each, and the tokens of their pages in the order of the roster."""

    database: Database
    body_id: int
    tokens: list[str]

    def of(self, practice: int, person: int = 0) -> str:
        """The token of a person at a practice."""
        return self.tokens[5 * practice + person]

    def actor(self, role: Role) -> Actor:
        """Somebody with a role in the body."""
        return Actor(role.value, frozenset({(self.body_id, role)}), bodies=(self.body_id,))

    @property
    def lead(self) -> Actor:
        """The engagement lead."""
        return self.actor(Role.LEAD)

    def do(self, verb, *args, **kwargs):
        """Call a verb in a transaction of its own."""
        with self.database.session() as session:
            return verb(session, *args, **kwargs)


@pytest.fixture
def town(config, database) -> Town:
    """The body, with everybody's page open."""
    return make_town(config, database)


def make_town(config, database) -> Town:
    """Make the body and its pages."""
    body_id = support.small_body(database, practices=4, leaders=4)
    with database.session() as session:
        keys = MailKeys(config.keys)
        people = session.exec(select(Member).where(Member.body_id == body_id).order_by(Member.id)).all()
        tokens = [my_page.ensure(session, keys, member) for member in people]
    return Town(database, body_id, tokens)


def an_ask(need: str = "A named district nurse who comes to our weekly meeting", **changed) -> Draft:
    """An ask as somebody wrote it."""
    values = {
        "topic": "community",
        "need": need,
        "effect": "Housebound patients see another nurse each week, about 30 visits",
        "goal": "referrals",
    }
    return Draft(**values | changed)
