"""A body and its people's rights, for the tests of the roster."""

from __future__ import annotations

import pytest

from engagement.access import Actor, Role
from engagement.roster import apply, ensure_body, preview_members, preview_practices

PRACTICES = b"""practice_id,name,locality_id,list_size,closed,successor_id
P1,First Surgery,north,5000,,
P2,Second Surgery,south,9000,,
P3,Third Surgery,,,,
"""
MEMBERS = b"""member_id,practice_id,role,name,email
M1,P1,GP partner,Ann,ann@example.org
M2,P2,Practice manager,Bo,bo@example.org
M3,,Lay member,Cal,
"""


@pytest.fixture
def body_id(database) -> int:
    """A body with nothing on its roster."""
    with database.session() as session:
        return ensure_body(session, Actor.operator(), "B", "A body").id


@pytest.fixture
def lead(body_id) -> Actor:
    """The body's engagement lead."""
    return Actor("Lead", roles=frozenset({(body_id, Role.LEAD)}), bodies=(body_id,))


class Desk:
    """Previews and applies files against one body."""

    def __init__(self, database, actor: Actor, body_id: int):
        self.database, self.actor, self.body_id = database, actor, body_id

    def practices(self, content: bytes, name: str = "practices.csv", **options):
        with self.database.reading() as session:
            return preview_practices(session, self.actor, self.body_id, content, name=name, **options)

    def members(self, content: bytes, name: str = "members.csv", **options):
        with self.database.reading() as session:
            return preview_members(session, self.actor, self.body_id, content, name=name, **options)

    def apply(self, preview):
        with self.database.session() as session:
            return apply(session, self.actor, preview)


@pytest.fixture
def desk(database, lead, body_id) -> Desk:
    """Previews and applies files as the engagement lead."""
    return Desk(database, lead, body_id)


@pytest.fixture
def stocked(desk) -> Desk:
    """The same, with three practices and three people on the roster."""
    desk.apply(desk.practices(PRACTICES))
    desk.apply(desk.members(MEMBERS))
    return desk
