"""Signing in through a provider: bound once by an invitation, found by issuer and subject, and by nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlmodel import select

from engagement.access import Actor, accounts, oidc, sessions, sign_in_links
from engagement.config import ProviderConfig
from engagement.models import AccountIdentity, AccountRole, ProviderFlow, StaffSession
from tests import provider

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:authlib", "ignore::DeprecationWarning:oidc_provider_mock"
)
OPERATOR = Actor.operator()


@pytest.fixture(scope="module")
def served():
    """A real provider on loopback."""
    with provider.running() as found:
        yield found


@pytest.fixture
def door(site, config, served):
    """Makes a browser before an installation that signs in through the provider."""
    served.names_another = False
    settings = ProviderConfig(served.url, provider.CLIENT, provider.SECRET, label="NHSmail")

    def make(**options):
        return site(settings=replace(config, provider=settings), **options)

    return make


@pytest.fixture
def invite(database):
    """An invitation's token for an account."""

    def make(account_id: int) -> str:
        with database.session() as session:
            body_id = session.exec(
                select(AccountRole.body_id).where(AccountRole.account_id == account_id)
            ).one()
            return sign_in_links.invite(session, OPERATOR, body_id, account_id)

    return make


def out(client, invitation: str | None = None, wanted: str = "/") -> str:
    """Set out and return the address at the provider."""
    params = {"next": wanted} | ({"invitation": invitation} if invitation else {})
    reply = client.get("/sign-in/oidc", params=params)
    assert reply.status_code == 303, reply.text
    return reply.headers["location"]


def back(client, address: str):
    """Follow the provider back to us."""
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "http://localhost:8501/sign-in/oidc/back"
    return client.get(f"{parts.path}?{parts.query}")


def walk(client, served, subject: str, invitation: str | None = None, wanted: str = "/"):
    """The whole way there and back."""
    return back(client, served.sign_in(out(client, invitation, wanted), subject))


def signed_in(client, database) -> int | None:
    """The account behind the client's cookie."""
    with database.reading() as session:
        actor = sessions.who(session, dict(client.cookies), secure=False)
    return actor.account_id if actor else None


def test_what_leaves_for_the_provider(door, served, database):
    """The provider is told client, scope, state, nonce and a S256 challenge; the cookie alone can answer for them."""
    client = door()
    page = client.get("/sign-in", params={"next": "/gap"}).text
    assert "Sign in with NHSmail" in page and 'href="/sign-in/oidc?next=%2Fgap"' in page
    address = out(client)
    assert address.startswith(served.url)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert asked["response_type"] == "code" and asked["client_id"] == provider.CLIENT
    assert asked["scope"] == "openid" and asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == len(asked["state"]) == len(asked["nonce"]) == 43
    cookie = client.cookies["provider"]
    with database.reading() as session:
        stored = session.exec(select(ProviderFlow)).one().model_dump_json()
    for secret in (cookie, asked["state"], asked["nonce"]):
        assert secret not in stored
    assert provider.SECRET not in address and cookie not in address


def test_an_invitation_binds_once_and_then_only_issuer_and_subject_count(
    door, served, database, lead, invite
):
    """First sign-in by invitation, later ones without; the provider stands in for the second factor; no token is kept."""
    token = invite(lead)
    client = door()
    assert "This invitation is for <strong>Alice</strong>" in client.get(f"/sign-in/invitation/{token}").text
    reply = walk(client, served, "nhs-1", token, wanted="/gap?item=owned")
    assert reply.status_code == 303 and reply.headers["location"] == "/gap?item=owned"
    assert signed_in(client, database) == lead
    again = door()
    assert walk(again, served, "nhs-1").headers["location"] == "/"
    assert signed_in(again, database) == lead
    with database.reading() as session:
        bound = session.exec(select(AccountIdentity)).one()
        assert (bound.issuer, bound.subject, bound.account_id) == (served.url, "nhs-1", lead)
        assert all(row.way == "provider" for row in session.exec(select(StaffSession)))
    assert door().get(f"/sign-in/invitation/{token}").status_code == 404


def test_the_same_address_is_no_way_in(door, served, database, lead):
    """Somebody whom the provider knows under the account's own address, but whom nobody invited, is asked to be invited."""
    client = door()
    page = walk(client, served, "alice@example.org")
    assert page.status_code == 403 and "Your engagement lead must invite you" in page.text
    assert "sid" not in client.cookies and signed_in(client, database) is None


@pytest.mark.parametrize("case", ["used", "replaced", "disabled", "invented"])
def test_an_invitation_that_does_not_work_binds_nobody(door, served, database, lead, invite, case):
    """Used, replaced by a newer one, of a disabled account, or invented: nobody is bound by it."""
    token = "x" * 43 if case == "invented" else invite(lead)
    if case == "used":
        walk(door(), served, "nhs-1", token)
    if case == "replaced":
        invite(lead)
    if case == "disabled":
        with database.session() as session:
            session.get(accounts.Account, lead).disabled = True
    client = door()
    page = walk(client, served, "nhs-2", token)
    assert page.status_code == 400 and "used, or is too old" in page.text
    with database.reading() as session:
        assert [row.subject for row in session.exec(select(AccountIdentity))] == (
            ["nhs-1"] if case == "used" else []
        )


def test_one_person_one_account(door, served, database, demo, lead, invite):
    """Neither can somebody take a second account, nor can an account be taken by a second person, until parted."""
    walk(door(), served, "nhs-1", invite(lead))
    page = walk(door(), served, "nhs-2", invite(lead))
    assert page.status_code == 400 and "connected with somebody else" in page.text
    with database.session() as session:
        body_id = session.exec(select(AccountRole.body_id).where(AccountRole.account_id == lead)).one()
        _, token = sign_in_links.create_invited(
            session, OPERATOR, body_id, email="bo@example.org", name="Bo", role=accounts.Role.COUNCIL
        )
    page = walk(door(), served, "nhs-1", token)
    assert page.status_code == 400 and "connected with another account" in page.text
    with database.session() as session:
        oidc.disconnect(session, OPERATOR, body_id, lead)
    client = door()
    assert walk(client, served, "nhs-1").status_code == 403
    assert walk(client, served, "nhs-2", invite(lead)).status_code == 303


def test_a_state_works_once_and_in_its_own_browser(door, served, database, lead, invite):
    """A replayed answer, one brought to another browser and one that nobody asked for start no session."""
    walk(door(), served, "nhs-1", invite(lead))
    client, victim = door(), door()
    address = served.sign_in(out(client), "nhs-1")
    out(victim)
    stolen = back(victim, address)
    assert stolen.status_code == 400 and "Please sign in again" in stolen.text
    cookie = client.cookies["provider"]
    assert back(client, address).status_code == 303
    assert "provider" not in client.cookies
    client.cookies.set("provider", cookie)
    replayed = back(client, address)
    # By us, before the provider is asked.
    assert replayed.status_code == 400 and "Please sign in again" in replayed.text
    assert "set-cookie" not in replayed.headers
    assert client.get("/sign-in/oidc/back?code=x&state=invented").status_code == 400
    assert signed_in(victim, database) is None


def test_a_code_of_another_flow_is_worth_nothing(door, served, database, lead, invite):
    """A code injected into somebody else's flow fails, for neither challenge nor nonce fit."""
    walk(door(), served, "nhs-1", invite(lead))
    attacker, victim = door(), door()
    code = parse_qs(urlsplit(served.sign_in(out(attacker), "nhs-1")).query)["code"][0]
    state = parse_qs(urlsplit(out(victim)).query)["state"][0]
    page = victim.get("/sign-in/oidc/back", params={"code": code, "state": state})
    assert page.status_code == 400 and signed_in(victim, database) is None


def test_a_token_for_somebody_else_is_refused(door, served, database, lead, invite, caplog):
    """An ID token that a real provider signed for another client opens nothing, and neither page nor log quotes it."""
    walk(door(), served, "nhs-1", invite(lead))
    served.names_another = True
    client = door()
    page = walk(client, served, "nhs-1")
    assert page.status_code == 400 and "Signing in did not work. Nothing was changed." in page.text
    assert signed_in(client, database) is None
    assert "InvalidClaimError" in caplog.text and "eyJ" not in caplog.text + page.text


def test_refusing_at_the_provider_is_calm(door, served):
    """Who presses "Deny" there comes back to a page that says that nothing was changed."""
    client = door()
    address = out(client)
    # This provider forgets the state when it says no.
    state = parse_qs(urlsplit(address).query)["state"][0]
    page = back(client, f"{served.sign_in(address, None)}&state={state}")
    assert page.status_code == 400 and "Your sign-in was not finished there" in page.text


def test_a_silent_provider_is_told_without_detail(site, config):
    """When the provider cannot be reached, the page says to try again and nothing of where or why."""
    settings = replace(config, provider=ProviderConfig("http://127.0.0.1:9", "x", "y"))
    page = site(settings=settings).get("/sign-in/oidc")
    assert page.status_code == 400 and "Try again in a minute" in page.text
    assert "127.0.0.1" not in page.text and "onnection" not in page.text


@pytest.mark.parametrize("fetched", ["cross-site", "same-site"])
def test_another_site_cannot_start_it(door, fetched, database):
    """A link elsewhere leads to our sign-in page, not past it."""
    reply = door().get("/sign-in/oidc", headers={"sec-fetch-site": fetched})
    assert reply.headers["location"] == "/sign-in" and "set-cookie" not in reply.headers
    with database.reading() as session:
        assert not session.exec(select(ProviderFlow)).all()


def test_without_a_provider_there_is_no_button(client, lead):
    """Where none is set up, nothing speaks of one, and its addresses do not exist."""
    assert "oidc" not in client.get("/sign-in").text
    assert client.get("/sign-in/oidc").status_code == client.get("/sign-in/oidc/back").status_code == 404


def test_a_lead_who_tries_an_invitation_out_is_stopped(door, served, database, lead, invite):
    """Somebody signed in to another account is told to pass the link on, and gets no button that would bind them."""
    client = door()
    walk(client, served, "nhs-1", invite(lead))
    with database.session() as session:
        body_id = session.exec(select(AccountRole.body_id).where(AccountRole.account_id == lead)).one()
        _, token = sign_in_links.create_invited(
            session, OPERATOR, body_id, email="bo@example.org", name="Bo", role=accounts.Role.COUNCIL
        )
    page = client.get(f"/sign-in/invitation/{token}").text
    assert "you are signed in here as Alice" in page and "/sign-in/oidc" not in page
    assert "/sign-in/oidc?invitation=" in door().get(f"/sign-in/invitation/{token}").text


def test_a_password_that_was_never_used_dies_at_the_first_sign_in(door, served, database, lead, invite):
    """A password that the lead made and handed over no longer works once its owner came through the provider."""
    with database.session() as session:
        body_id = session.exec(select(AccountRole.body_id).where(AccountRole.account_id == lead)).one()
        made = accounts.reset_password(session, OPERATOR, body_id, lead)
    assert walk(door(), served, "nhs-1", invite(lead)).headers["location"] == "/"
    with database.reading() as session:
        assert accounts.authenticate(session, "alice@example.org", made) is None


def test_on_https_the_cookie_of_the_way_is_bound_to_the_host(site, config, served):
    """Under a public address the cookie of the way out is Secure with the __Host- prefix, and so is the address back."""
    settings = replace(
        config,
        public_url="https://ccg.example.org",
        provider=ProviderConfig(served.url, provider.CLIENT, provider.SECRET),
    )
    reply = site(base_url="https://ccg.example.org", settings=settings).get("/sign-in/oidc")
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith("__Host-provider=") and all(
        part in cookie for part in ("Secure", "HttpOnly", "SameSite=lax", "Path=/", "Max-Age=600")
    )
    assert "redirect_uri=https%3A%2F%2Fccg.example.org%2Fsign-in%2Foidc%2Fback" in reply.headers["location"]
    assert json.dumps(dict(reply.headers)).count(provider.SECRET) == 0
