"""Accounts: who may make, change, disable and reset them, and what no verb lets happen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import Type
from sqlmodel import select

from engagement.access import Actor, Role, accounts, sessions
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.models import Account, AccountRole, Body, StaffSession
from tests.access.conftest import PASSWORD

VERBS = {
    "create": lambda s, who, body, target: accounts.create(
        s, who, body, email="new@example.org", name="New", role=Role.COUNCIL
    ),
    "people": lambda s, who, body, target: accounts.people(s, who, body),
    "set_roles": lambda s, who, body, target: accounts.set_roles(s, who, body, target, {Role.COUNCIL}),
    "set_disabled": lambda s, who, body, target: accounts.set_disabled(s, who, body, target, True),
    "reset_password": lambda s, who, body, target: accounts.reset_password(s, who, body, target),
}


@pytest.mark.parametrize("verb", VERBS)
def test_other_roles_are_refused(database, cast, actor, verb):
    """The governing body and council representatives may run no verb on accounts, and are told who may."""
    for account in (cast.governing, cast.council):
        person = actor(account)
        with pytest.raises(NotAllowed, match="engagement lead"), database.session() as session:
            VERBS[verb](session, person, cast.vale, cast.governing)


@pytest.mark.parametrize("verb", VERBS)
def test_lead_of_another_body_is_a_stranger(database, cast, actor, verb):
    """A lead has no power in another body and does not learn what is there; nor does somebody without any role."""
    for person in (actor(cast.other_lead), Actor("nobody")):
        with pytest.raises(NotFound), database.session() as session:
            VERBS[verb](session, person, cast.vale, cast.governing)


@pytest.mark.parametrize("verb", ["set_roles", "set_disabled", "reset_password"])
def test_lead_cannot_reach_accounts_of_another_body(database, cast, actor, verb):
    """Naming one's own body does not open the accounts of another."""
    lead = actor(cast.other_lead)
    with pytest.raises(NotFound), database.session() as session:
        VERBS[verb](session, lead, cast.hill, cast.governing)


def test_lead_makes_an_account_that_can_sign_in(database, cast, actor):
    """The password made for a new account works, must be changed, and is stored only as a hash."""
    with database.session() as session:
        account, password = accounts.create(
            session, actor(cast.lead), cast.vale, email=" Dora@Example.org ", name=" Dora ", role=Role.COUNCIL
        )
        assert (account.email, account.name, account.must_change) == ("dora@example.org", "Dora", True)
        assert len(password) >= accounts.PASSWORD_MINIMUM and password not in account.password_hash
    with database.reading() as session:
        assert accounts.authenticate(session, "DORA@example.org", password).id == account.id


def test_known_address_gets_a_role_and_no_second_account(database, cast, actor):
    """Adding an address that has an account keeps its password and says so by returning none."""
    lead = actor(cast.other_lead)
    with database.session() as session:
        account, password = accounts.create(
            session, lead, cast.hill, email="bob@example.org", name="Bob", role=Role.COUNCIL
        )
        assert (account.id, password) == (cast.governing, "")
    with database.reading() as session:
        assert accounts.authenticate(session, "bob@example.org", PASSWORD).id == cast.governing


def test_same_role_twice_is_refused(database, cast, actor):
    """Giving somebody a role that they have is a conflict, not a silent success."""
    lead = actor(cast.lead)
    with pytest.raises(Conflict, match="already"), database.session() as session:
        accounts.create(session, lead, cast.vale, email="bob@example.org", name="Bob", role=Role.GOVERNING)


@pytest.mark.parametrize(
    "email", ["", "bob", "bob@", "a b@example.org", "a@b", f"{'a' * 250}@b.org", "a\0@b.org"]
)
def test_bad_address_is_refused(database, cast, actor, email):
    """An address that mail cannot reach, or that a database refuses, gets a clear line."""
    lead = actor(cast.lead)
    with pytest.raises(Invalid, match="e-mail"), database.session() as session:
        accounts.create(session, lead, cast.vale, email=email, name="X", role=Role.COUNCIL)


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "two\nlines", "nul\0", "\u202egnp.exe"])
def test_bad_name_is_refused(database, cast, actor, name):
    """A name is one visible line: no control characters that databases refuse or that turn text around."""
    lead = actor(cast.lead)
    with pytest.raises(Invalid, match="name"), database.session() as session:
        accounts.create(session, lead, cast.vale, email="x@example.org", name=name, role=Role.COUNCIL)


@pytest.mark.parametrize("password", ["short", "x" * 11, "x" * 201, "twelve chars\0"])
def test_password_rules(database, cast, actor, password):
    """A password has 12 to 200 characters that can be typed, at creation and at a change."""
    lead = actor(cast.lead)
    with pytest.raises(Invalid, match="password"), database.session() as session:
        accounts.create(
            session, lead, cast.vale, email="x@example.org", name="X", role=Role.COUNCIL, password=password
        )
    with pytest.raises(Invalid, match="password"), database.session() as session:
        accounts.change_password(session, cast.lead, PASSWORD, password)


def test_demo_account_needs_a_demo_body(database, cast):
    """A demo account can neither be made in a real body nor be given a role there."""
    with pytest.raises(Invalid, match="demo"), database.session() as session:
        accounts.create(
            session, Actor.operator(), cast.vale, email="d@example.org", name="D", role=Role.LEAD, demo=True
        )
    with database.session() as session:
        session.get(Body, cast.hill).is_demo = True
        session.flush()
        accounts.create(
            session, Actor.operator(), cast.hill, email="d@example.org", name="D", role=Role.LEAD, demo=True
        )
    with pytest.raises(Invalid, match="demo"), database.session() as session:
        accounts.create(session, Actor.operator(), cast.vale, email="d@example.org", name="D", role=Role.LEAD)


def test_people_are_those_of_the_body(database, cast, actor):
    """The list holds everybody with a role here, by name, and says who has one elsewhere."""
    lead, other = actor(cast.lead), actor(cast.other_lead)
    with database.session() as session:
        accounts.create(session, other, cast.hill, email="bob@example.org", name="Bob", role=Role.COUNCIL)
    with database.reading() as session:
        found = accounts.people(session, lead, cast.vale)
    assert [(p.name, p.roles, p.elsewhere) for p in found] == [
        ("Alice", (Role.LEAD,), False),
        ("Bob", (Role.GOVERNING,), True),
        ("Carol", (Role.COUNCIL,), False),
    ]


def test_account_of_two_bodies_can_be_let_go_by_either_but_not_shut(database, cast, actor):
    """A lead may not disable or reset an account that another body has too, but may take it out of this one."""
    lead, other = actor(cast.lead), actor(cast.other_lead)
    with database.session() as session:
        accounts.create(session, other, cast.hill, email="bob@example.org", name="Bob", role=Role.COUNCIL)
    for verb in ("set_disabled", "reset_password"):
        with pytest.raises(Conflict, match="another body"), database.session() as session:
            VERBS[verb](session, lead, cast.vale, cast.governing)
    with database.session() as session:
        accounts.set_roles(session, lead, cast.vale, cast.governing, set())
    with database.reading() as session:
        assert "Bob" not in {p.name for p in accounts.people(session, lead, cast.vale)}
        assert "Bob" in {p.name for p in accounts.people(session, other, cast.hill)}


def test_roles_are_set_exactly(database, cast, actor):
    """Setting roles adds what is new, takes away what is not named, and keeps the rest."""
    lead = actor(cast.lead)
    with database.session() as session:
        accounts.set_roles(session, lead, cast.vale, cast.governing, {Role.GOVERNING, Role.COUNCIL})
        accounts.set_roles(session, lead, cast.vale, cast.governing, {Role.COUNCIL})
        accounts.set_roles(session, lead, cast.vale, cast.governing, {Role.COUNCIL, Role.GOVERNING})
    assert actor(cast.governing).roles == {(cast.vale, Role.GOVERNING), (cast.vale, Role.COUNCIL)}


def test_somebody_with_one_body_keeps_a_role(database, cast, actor):
    """Taking the last role away anywhere is refused with what to do instead."""
    lead = actor(cast.lead)
    with pytest.raises(Invalid, match="disable"), database.session() as session:
        accounts.set_roles(session, lead, cast.vale, cast.governing, set())


def test_last_lead_is_kept(database, cast, actor):
    """Nobody can take away, or disable, the only engagement lead; with a second one either works."""
    lead = actor(cast.lead)
    with pytest.raises(Conflict, match="only engagement lead"), database.session() as session:
        accounts.set_roles(session, lead, cast.vale, cast.lead, {Role.COUNCIL})
    with pytest.raises(Conflict, match="only engagement lead"), database.session() as session:
        accounts.set_disabled(session, lead, cast.vale, cast.lead, True)
    with database.session() as session:
        accounts.set_roles(session, lead, cast.vale, cast.council, {Role.LEAD})
        accounts.set_disabled(session, lead, cast.vale, cast.lead, True)
    with pytest.raises(Conflict, match="only engagement lead"), database.session() as session:
        accounts.set_roles(session, Actor.operator(), cast.vale, cast.council, {Role.COUNCIL})


def test_disabled_lead_does_not_count_as_one(database, cast, actor):
    """A lead who is shut out keeps nobody from being the last."""
    lead = actor(cast.lead)
    with database.session() as session:
        accounts.set_roles(session, lead, cast.vale, cast.council, {Role.LEAD})
        accounts.set_disabled(session, lead, cast.vale, cast.council, True)
    with pytest.raises(Conflict, match="only engagement lead"), database.session() as session:
        accounts.set_disabled(session, lead, cast.vale, cast.lead, True)


def test_operator_disables_somebody_where_there_is_no_lead(database, cast):
    """The rule protects leads, and does not stop the operator in a body that has none."""
    with database.session() as session:
        row = session.get(
            AccountRole, {"account_id": cast.lead, "body_id": cast.vale, "role": Role.LEAD.value}
        )
        session.delete(row)
        session.flush()
        accounts.set_disabled(session, Actor.operator(), cast.vale, cast.governing, True)
    with database.reading() as session:
        assert session.get(Account, cast.governing).disabled


def test_two_leads_cannot_demote_each_other_at_once(database, cast, actor):
    """Of two leads who take each other's role at the same moment, the later waits, is refused and stays lead."""
    with database.session() as session:
        accounts.set_roles(session, actor(cast.lead), cast.vale, cast.council, {Role.LEAD})
    alice, carol = actor(cast.lead), actor(cast.council)

    def demote_alice() -> str:
        try:
            with database.session() as session:
                accounts.set_roles(session, carol, cast.vale, cast.lead, {Role.COUNCIL})
            return "done"
        # No lead any more, or the last: by whether she looked after the other was done or before.
        except (Conflict, NotAllowed):
            return "refused"

    with ThreadPoolExecutor(1) as pool:
        with database.session() as session:
            accounts.set_roles(session, alice, cast.vale, cast.council, {Role.COUNCIL})
            second = pool.submit(demote_alice)
            # Long enough for the other to look at the leads before this one commits, were it let.
            with pytest.raises(TimeoutError):
                second.result(0.5)
        assert second.result(30) == "refused"
    assert actor(cast.lead).may(cast.vale, Role.LEAD)


def test_reset_gives_a_new_password_and_ends_sessions(database, cast, actor, signed_in, who):
    """After a reset the old password and every open browser are dead, and the new one must be changed."""
    open_browser = signed_in(cast.governing)
    with database.session() as session:
        new = accounts.reset_password(session, actor(cast.lead), cast.vale, cast.governing)
    assert who(open_browser) is None
    with database.reading() as session:
        assert accounts.authenticate(session, "bob@example.org", PASSWORD) is None
        assert accounts.authenticate(session, "bob@example.org", new).must_change


def test_own_password_change(database, cast, signed_in, who):
    """The right old password and a different new one are needed; other browsers are then signed out."""
    here, elsewhere = signed_in(cast.council), signed_in(cast.council)
    with pytest.raises(Invalid, match="current"), database.session() as session:
        accounts.change_password(session, cast.council, "not the one at all", "a new long password")
    with pytest.raises(Invalid, match="differs"), database.session() as session:
        accounts.change_password(session, cast.council, PASSWORD, PASSWORD)
    with database.session() as session:
        cookie = here[sessions.cookie_name(False)]
        accounts.change_password(session, cast.council, PASSWORD, "a new long password", keep_cookie=cookie)
    assert who(here) is not None and who(elsewhere) is None
    with database.reading() as session:
        assert accounts.authenticate(session, "carol@example.org", "a new long password")
        assert accounts.authenticate(session, "carol@example.org", PASSWORD) is None


@pytest.mark.parametrize("email", ["nobody@example.org", "x\0@example.org", "\ud800@example.org", ""])
def test_unknown_address_is_checked_against_a_decoy(database, cast, monkeypatch, email):
    """An address without an account costs one hash check too, of the same strength, so that time tells nothing."""
    checked = []

    def spy(stored, password):
        checked.append(stored)
        return False

    monkeypatch.setattr(accounts, "_matches", spy)
    with database.reading() as session:
        assert accounts.authenticate(session, email, PASSWORD) is None
        real = session.get(Account, cast.lead).password_hash
    assert len(checked) == 1 and checked[0] != real
    assert checked[0].rsplit("$", 2)[0] == real.rsplit("$", 2)[0]


def test_disabled_account_cannot_sign_in(database, cast, actor):
    """The right password of a disabled account opens nothing until it is enabled again."""
    lead = actor(cast.lead)
    with database.session() as session:
        accounts.set_disabled(session, lead, cast.vale, cast.governing, True)
    with database.reading() as session:
        assert accounts.authenticate(session, "bob@example.org", PASSWORD) is None
    with database.session() as session:
        accounts.set_disabled(session, lead, cast.vale, cast.governing, False)
    with database.reading() as session:
        assert accounts.authenticate(session, "bob@example.org", PASSWORD)


def test_disabling_ends_every_session(database, cast, actor, signed_in, who):
    """Browsers of a disabled account are out at once, and stay out when it is enabled again."""
    lead, open_browser = actor(cast.lead), signed_in(cast.governing)
    assert who(open_browser).name == "Bob"
    with database.session() as session:
        accounts.set_disabled(session, lead, cast.vale, cast.governing, True)
    assert who(open_browser) is None
    with database.session() as session:
        accounts.set_disabled(session, lead, cast.vale, cast.governing, False)
        rows = session.exec(select(StaffSession).where(StaffSession.account_id == cast.governing)).all()
        assert rows and all(row.ended for row in rows)
    assert who(open_browser) is None


def test_the_product_hashes_dearly(cheap_hashing):
    """Tests hash cheaply; what ships takes Argon2id with 19 MiB, two passes or more, the least that OWASP advises."""
    assert cheap_hashing is not accounts._hasher
    assert cheap_hashing.type is Type.ID
    assert cheap_hashing.memory_cost >= 19 * 1024 and cheap_hashing.time_cost >= 2
