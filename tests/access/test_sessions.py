"""Sessions: the row decides, at every request and every rerun."""

from __future__ import annotations

import pytest
from sqlmodel import select

from engagement.access import Actor, Role, accounts, audit, sessions
from engagement.errors import NotAllowed
from engagement.models import Account, StaffSession


def test_cookie_names_the_account_and_its_roles(cast, signed_in, who):
    """A live cookie gives the actor with the roles and bodies of the moment."""
    found = who(signed_in(cast.governing))
    assert (found.name, found.account_id) == ("Bob", cast.governing)
    assert found.roles == {(cast.vale, Role.GOVERNING)} and found.bodies == (cast.vale,)
    assert not found.everything


def test_strangers_are_nobody(cast, signed_in, who):
    """No cookie, an invented one, the hash of a real one, or one under another name opens nothing."""
    real = signed_in(cast.lead)[sessions.cookie_name(False)]
    for cookies in (
        {},
        {"sid": ""},
        {"sid": "invented"},
        {"sid": audit.sha256(real)},
        {"__Host-sid": real},
    ):
        assert who(cookies) is None


def test_cookie_value_is_nowhere_stored(database, cast, signed_in):
    """Whoever reads the table cannot sign in with what is in it."""
    value = signed_in(cast.lead)[sessions.cookie_name(False)]
    with database.reading() as session:
        rows = session.exec(select(StaffSession)).all()
        assert value not in str([row.model_dump() for row in rows])
        assert [row.cookie_hash for row in rows] == [audit.sha256(value)]


def test_secure_cookie_is_bound_to_its_host():
    """Over https the cookie's name makes browsers refuse it from other hosts, paths and plain http."""
    assert sessions.cookie_name(True).startswith("__Host-") and sessions.cookie_name(False) == "sid"


def test_role_taken_away_is_gone_at_the_next_look(database, cast, actor, signed_in, who):
    """A role removed while its holder is signed in is gone at the next rerun, without signing in again."""
    lead, cookies = actor(cast.lead), signed_in(cast.governing)
    assert who(cookies).may(cast.vale, Role.GOVERNING)
    with database.session() as session:
        accounts.set_roles(session, lead, cast.vale, cast.governing, {Role.COUNCIL})
    assert not who(cookies).may(cast.vale, Role.GOVERNING)
    assert who(cookies).may(cast.vale, Role.COUNCIL)


def test_account_disabled_behind_the_verbs_is_out_too(database, cast, signed_in, who):
    """Even a session that nobody ended is worth nothing once its account is disabled."""
    cookies = signed_in(cast.governing)
    with database.session() as session:
        session.get(Account, cast.governing).disabled = True
    assert who(cookies) is None


def test_idle_limit(database, cast, time, signed_in, who):
    """A session lives through 30 idle minutes and not a second more; use within them starts them again."""
    cookies = signed_in(cast.lead)
    time.forward(minutes=30)
    assert who(cookies)
    with database.session() as session:
        sessions.touch(session, cookies, secure=False)
    time.forward(minutes=30)
    assert who(cookies)
    time.forward(seconds=1)
    assert who(cookies) is None
    with database.session() as session:
        sessions.touch(session, cookies, secure=False)
    assert who(cookies) is None


def test_longest_limit(database, cast, time, signed_in, who):
    """However busy, a session ends after 8 hours."""
    cookies = signed_in(cast.lead)
    for _ in range(16):
        time.forward(minutes=30)
        with database.session() as session:
            sessions.touch(session, cookies, secure=False)
    assert who(cookies)
    time.forward(seconds=1)
    assert who(cookies) is None


def test_sight_is_written_at_most_once_a_minute(database, cast, time, signed_in):
    """Reruns within a minute of the last sight need no write."""
    cookies = signed_in(cast.lead)

    def stale() -> bool:
        with database.reading() as session:
            return sessions.stale(session, cookies, secure=False)

    time.forward(seconds=60)
    assert not stale()
    time.forward(seconds=1)
    assert stale()
    with database.session() as session:
        sessions.touch(session, cookies, secure=False)
    assert not stale()


def test_sign_out_ends_one_browser_in_all_its_tabs(database, cast, signed_in, who):
    """Tabs share a cookie and end together; another browser of the same person stays; twice does no harm."""
    here, elsewhere = signed_in(cast.lead), signed_in(cast.lead)
    for _ in range(2):
        with database.session() as session:
            sessions.sign_out(session, dict(here), secure=False)
        assert who(here) is None and who(elsewhere) is not None


def test_bodies_are_those_with_a_role(database, cast, actor):
    """A person may choose among the bodies in which they have a role, and no others."""
    lead = actor(cast.lead)
    with database.reading() as session:
        assert [body.id for body in sessions.bodies_of(session, lead)] == [cast.vale]


def test_made_password_must_be_changed(database, cast, actor, signed_in):
    """An account with a password that somebody else made is known as such until it changes it."""
    lead = actor(cast.lead)
    with database.session() as session:
        account, made = accounts.create(
            session, lead, cast.vale, email="n@example.org", name="N", role=Role.COUNCIL
        )
    person = actor(account.id)
    with database.session() as session:
        assert sessions.must_change_password(session, person)
        assert not sessions.must_change_password(session, lead)
        accounts.change_password(session, account.id, made, "a password of my own")
        assert not sessions.must_change_password(session, person)


def test_every_verb_looks_again(database, cast, actor, signed_in, who):
    """An actor made moments ago runs no verb once a role, the account or the session behind it is gone, and says why."""
    operator = Actor.operator()
    lead, cookies = actor(cast.lead), signed_in(cast.council)
    with database.session() as session:
        accounts.set_roles(session, operator, cast.vale, cast.council, {Role.LEAD})
    carol = who(cookies)
    with database.session() as session:
        assert accounts.people(session, carol, cast.vale)
        accounts.set_roles(session, operator, cast.vale, cast.council, {Role.COUNCIL})
        # In the verb's own transaction: not yet written for anybody else.
        with pytest.raises(NotAllowed, match="Only the engagement lead"):
            accounts.people(session, carol, cast.vale)
    assert carol.may(cast.vale, Role.LEAD)
    with pytest.raises(NotAllowed, match="Only the engagement lead"), database.reading() as session:
        accounts.people(session, carol, cast.vale)
    with pytest.raises(NotAllowed, match="Only the engagement lead"):
        carol.require(cast.vale, Role.LEAD)
    council = who(cookies)
    council.require(cast.vale, Role.COUNCIL)
    with database.session() as session:
        accounts.set_disabled(session, lead, cast.vale, cast.council, True)
    with pytest.raises(NotAllowed, match="You have been signed out"):
        council.require(cast.vale, Role.COUNCIL)
    with database.session() as session:
        accounts.set_roles(session, operator, cast.vale, cast.governing, {Role.LEAD})
        sessions.end_own(session, lead, sessions.own(session, lead)[0].key)
        with pytest.raises(NotAllowed, match="You have been signed out"):
            accounts.set_roles(session, lead, cast.vale, cast.governing, {Role.GOVERNING})


def test_looking_again_keeps_what_is_not_written_yet(database, cast, actor):
    """A verb that runs after changes in the same transaction loses none of them by looking its actor up."""
    lead = actor(cast.lead)
    with database.session() as session:
        account = session.get(Account, cast.lead)
        account.name = "Alice Example"
        accounts.people(session, lead, cast.vale)
    with database.reading() as session:
        assert session.get(Account, cast.lead).name == "Alice Example"
