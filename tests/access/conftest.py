"""A cast: two bodies, a lead in each, and a governing-body member and a council representative in the first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from engagement import clock
from engagement.access import Actor, Role, accounts, sessions
from engagement.models import Account, Body

PASSWORD = "correct horse battery"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime):
        self.at = at

    def forward(self, **length) -> None:
        self.at += timedelta(**length)


@pytest.fixture
def time(monkeypatch) -> Clock:
    """The product's clock, in the test's hands."""
    hands = Clock(clock.now())
    monkeypatch.setattr(clock, "now", lambda: hands.at)
    return hands


@dataclass(frozen=True)
class Cast:
    """Ids of the bodies and accounts."""

    vale: int
    hill: int
    lead: int
    governing: int
    council: int
    other_lead: int


@pytest.fixture
def cast(database) -> Cast:
    """Two bodies with their people, all with the same known password."""
    with database.session() as session:
        bodies = [Body(code=code, name=code, created_at=clock.now()) for code in ("VALE", "HILL")]
        session.add_all(bodies)
        session.flush()
        vale, hill = (body.id for body in bodies)

        def person(body: int, name: str, role: Role) -> int:
            account, _ = accounts.create(
                session,
                Actor.operator(),
                body,
                email=f"{name}@example.org",
                name=name.title(),
                role=role,
                password=PASSWORD,
            )
            return account.id

        return Cast(
            vale=vale,
            hill=hill,
            lead=person(vale, "alice", Role.LEAD),
            governing=person(vale, "bob", Role.GOVERNING),
            council=person(vale, "carol", Role.COUNCIL),
            other_lead=person(hill, "harry", Role.LEAD),
        )


@pytest.fixture
def signed_in(database):
    """Sign an account in and return the cookies that its browser then sends."""

    def sign_in(account_id: int) -> dict[str, str]:
        with database.session() as session:
            value = sessions.sign_in(session, session.get(Account, account_id), assured=True)
        return {sessions.cookie_name(False): value}

    return sign_in


@pytest.fixture
def who(database):
    """The actor behind cookies, as a request finds it, or None."""

    def ask(cookies: dict[str, str]) -> Actor | None:
        with database.reading() as session:
            return sessions.who(session, cookies, secure=False)

    return ask


@pytest.fixture
def actor(signed_in, who):
    """The actor of an account, signed in the way a person is."""
    return lambda account_id: who(signed_in(account_id))
