"""A thousand random histories of roles given, taken and used, against a small model of who may do what."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from engagement import clock, db
from engagement.access import Actor, Role, accounts, audit, sessions
from engagement.council import results
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.messaging import settings as mail
from engagement.models import Account, AccountRole, Body
from engagement.rounds import verbs as rounds

L, G, C, V = Role.LEAD, Role.GOVERNING, Role.COUNCIL, Role.REVIEWER
R, A, O = Role.RETURNING, Role.AUDITOR, Role.OPERATOR  # noqa: E741 - one letter a role
PEOPLE, BODIES = 4, 2
# Written down here a second time, and not read from the product.
MAY = {
    "list rounds": {L, G, C, R, A, O},
    "read the members' page": {L, G, C},
    "read mail's settings": {L},
    "read the audit log": {L, A},
    "list people": {L, O},
}
VERBS = {
    "list rounds": rounds.rounds,
    "read the members' page": results.page,
    "read mail's settings": mail.read,
    "read the audit log": audit.newest,
    "list people": accounts.people,
}


def together(roles: frozenset[Role]) -> bool:
    """Whether one person may hold these roles in one body."""
    if len(roles) > 1 and roles & {R, A, O}:
        return False
    return not (V in roles and roles & {L, G})


@dataclass
class Model:
    """Who holds what, who is shut out, and whose browser is signed in."""

    roles: dict[tuple[int, int], frozenset[Role]] = field(default_factory=dict)
    disabled: set[int] = field(default_factory=set)
    signed_in: set[int] = field(default_factory=set)

    def held(self, person: int, body: int) -> frozenset[Role]:
        return self.roles.get((person, body), frozenset())

    def bodies(self, person: int) -> set[int]:
        return {body for body in range(BODIES) if self.held(person, body)}

    def leads(self, body: int) -> set[int]:
        return {p for p in range(PEOPLE) if L in self.held(p, body) and p not in self.disabled}

    def call(self, person: int, body: int, allowed: set[Role]) -> type[Exception] | None:
        """What a call by a signed-in person comes to."""
        held = self.held(person, body)
        if held & allowed:
            return None
        return NotAllowed if held else NotFound

    def set_roles(self, by: int, person: int, body: int, roles: frozenset[Role]) -> type[Exception] | None:
        if refused := self.call(by, body, {L, O}):
            return refused
        if not together(roles):
            return Invalid
        if not self.held(person, body):
            return NotFound
        if not roles and self.bodies(person) == {body}:
            return Invalid
        if A in self.held(person, body) - roles and O not in self.held(by, body):
            return NotAllowed
        if L not in roles and self.leads(body) == {person}:
            return Conflict
        self.roles[person, body] = roles
        return None

    def disable(self, by: int, person: int, body: int) -> type[Exception] | None:
        if refused := self.call(by, body, {L, O}):
            return refused
        if body not in self.bodies(person):
            return NotFound
        if self.bodies(person) != {body}:
            return Conflict
        if A in self.held(person, body) and O not in self.held(by, body):
            return NotAllowed
        if self.leads(body) == {person}:
            return Conflict
        self.disabled.add(person)
        self.signed_in.discard(person)
        return None


person, body = st.integers(0, PEOPLE - 1), st.integers(0, BODIES - 1)
roles = st.frozensets(st.sampled_from(list(Role)), max_size=3)
step = st.one_of(
    st.tuples(st.just("roles"), person, person, body, roles),
    st.tuples(st.just("disable"), person, person, body),
    st.tuples(st.just("sign in"), person),
    st.tuples(st.just("sign out"), person),
    st.tuples(st.just("call"), person, body, st.sampled_from(sorted(MAY))),
    st.tuples(st.just("call"), person, body, st.sampled_from(sorted(MAY))),
)


@dataclass
class Installation:
    """The product beside the model, in a transaction that is taken back."""

    session: Session
    bodies: list[int]
    people: list[int]
    cookies: dict[int, dict[str, str]]

    def actor(self, who: int) -> Actor | None:
        """The person as a request finds them, by their cookie."""
        return sessions.who(self.session, self.cookies.get(who, {}), secure=False)

    def do(self, verb, who: int, where: int, *arguments) -> type[Exception] | None:
        """Call a verb; what it raised, if anything."""
        try:
            with self.session.begin_nested():
                verb(self.session, self.actor(who), self.bodies[where], *arguments)
        except (Conflict, Invalid, NotAllowed, NotFound) as error:
            return type(error)
        return None


START = {(0, 0): frozenset({L}), (1, 1): frozenset({L}), (2, 0): frozenset({O}), (3, 0): frozenset({A})}


@pytest.fixture(scope="module")
def start(tmp_path_factory, sqlite_template):
    """A database with two bodies and four people, all signed in; what a history changes is never kept."""
    path = tmp_path_factory.mktemp("roles") / "roles.sqlite"
    shutil.copy(sqlite_template, path)
    database = db.Database(f"sqlite:///{path}")
    with database.session() as session:
        # Demo bodies, in which no role asks for a second factor: that has a test of its own.
        bodies = [
            Body(code=f"B{n}", name=f"B{n}", is_demo=True, created_at=clock.now()) for n in range(BODIES)
        ]
        people = [
            Account(email=f"p{n}@example.org", name=f"P{n}", password_hash="x", created_at=clock.now())
            for n in range(PEOPLE)
        ]
        session.add_all([*bodies, *people])
        session.flush()
        for (who, where), held in START.items():
            for role in held:
                session.add(AccountRole(account_id=people[who].id, body_id=bodies[where].id, role=role.value))
        session.flush()
        cookies = {n: {"sid": sessions.sign_in(session, people[n])} for n in range(PEOPLE)}
        ids = [body.id for body in bodies], [account.id for account in people]
    yield lambda session: Installation(session, *ids, dict(cookies)), database
    database.dispose()


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(step, min_size=1, max_size=6))
def test_a_thousand_histories_of_roles(start, steps):
    """At every step of every history each call comes to what the model says: done, refused, or unknown to strangers."""
    begin, database = start
    model = Model(dict(START), set(), set(range(PEOPLE)))
    with database.session() as session:
        real = begin(session)
        for what, who, *rest in steps:
            if what == "sign in":
                sign_in(real, model, who)
            elif what == "sign out":
                sessions.sign_out(session, real.cookies.get(who, {}), secure=False)
                model.signed_in.discard(who)
            elif who not in model.signed_in:
                assert real.actor(who) is None
            elif what == "call":
                place, verb = rest
                assert real.do(VERBS[verb], who, place) is model.call(who, place, MAY[verb]), (verb, who)
            elif what == "roles":
                other, place, wanted = rest
                expected = model.set_roles(who, other, place, wanted)
                found = real.do(accounts.set_roles, who, place, real.people[other], set(wanted))
                assert found is expected, (what, who, rest)
            else:
                other, place = rest
                expected = model.disable(who, other, place)
                found = real.do(accounts.set_disabled, who, place, real.people[other], True)
                assert found is expected, (what, who, rest)
        for number in {number for _, number, *_ in steps[-1:]}:
            actor = real.actor(number)
            assert (actor is not None) is (number in model.signed_in)
            if actor is not None:
                places = range(BODIES)
                assert actor.roles == {
                    (real.bodies[place], role) for place in places for role in model.held(number, place)
                }
        session.rollback()


def sign_in(real: Installation, model: Model, who: int) -> None:
    """Sign a person in, unless they are shut out."""
    if who not in model.disabled:
        account = real.session.get(Account, real.people[who])
        real.cookies[who] = {"sid": sessions.sign_in(real.session, account)}
        model.signed_in.add(who)
