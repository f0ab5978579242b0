"""Signing in through a real provider, in a real browser: first time, roles and revocation under open tabs, forgeries."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from engagement import clock, db
from engagement.access import Actor, Role, accounts, sign_in_links
from engagement.models import Body
from tests import provider
from tests.browser.conftest import start

pytestmark = [
    pytest.mark.browser,
    # The provider for tests is older than the library that it is built on.
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning:authlib", "ignore::DeprecationWarning:oidc_provider_mock"
    ),
]
SLOW = 20_000
OPERATOR = Actor.operator()
_numbers = itertools.count()


@dataclass(frozen=True)
class Person:
    """Somebody with an account here, and who they are at the provider."""

    id: int
    name: str
    subject: str
    invitation: str


@dataclass(frozen=True)
class Installation:
    """A running installation, its provider, and its database."""

    url: str
    provider: provider.LocalProvider
    database: db.Database
    body: int

    def invite(self, role: Role) -> Person:
        """A new person with an invitation."""
        number = next(_numbers)
        name = f"Person {number}"
        with self.database.session() as session:
            account, token = sign_in_links.create_invited(
                session, OPERATOR, self.body, email=f"p{number}@example.org", name=name, role=role
            )
        return Person(account.id, name, f"nhs-{number}", f"{self.url}/sign-in/invitation/{token}")

    def change(self, verb, person: Person, *more) -> None:
        """Run a verb on an account, as somebody else's page would."""
        with self.database.session() as session:
            verb(session, OPERATOR, self.body, person.id, *more)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """An installation that signs in through a real provider."""
    folder = tmp_path_factory.mktemp("oidc")
    with provider.running() as served:
        environment = {"ENGAGEMENT_DATA": str(folder / "data"), "ENGAGEMENT_DATABASE_URL": ""}
        site, stop = start(environment | served.settings(), folder)
        database = db.Database(f"sqlite:///{folder / 'data' / 'engagement.sqlite'}")
        with database.session() as session:
            body = Body(code="REAL", name="Real CCG", created_at=clock.now())
            session.add(body)
            session.flush()
        yield Installation(site.url, served, database, body.id)
        database.dispose()
        stop()


@pytest.fixture
def browsers(browser: Browser):
    """Makes browsers of different people, closed afterwards."""
    made: list[BrowserContext] = []

    def fresh() -> Page:
        made.append(browser.new_context(viewport={"width": 1280, "height": 900}))
        return made[-1].new_page()

    yield fresh
    for context in made:
        context.close()


def at_the_provider(page: Page, subject: str) -> None:
    """Sign in there: it is another site, with a form of its own."""
    page.get_by_placeholder("sub").fill(subject)
    page.get_by_role("button", name="Authorize").click()


def sign_in(page: Page, here: Installation, subject: str, path: str = "/sign-in") -> None:
    """From our sign-in page through the provider."""
    page.goto(here.url + path)
    page.get_by_role("link", name="Sign in with NHSmail").click()
    at_the_provider(page, subject)


def enter(page: Page, here: Installation, role: Role) -> Person:
    """Become a new person by an invitation."""
    person = here.invite(role)
    page.goto(person.invitation)
    page.get_by_role("link", name="Sign in with NHSmail").click()
    at_the_provider(page, person.subject)
    expect(page.get_by_text(f"Signed in: {person.name}")).to_be_visible(timeout=SLOW)
    return person


def rerun(page: Page, link: str) -> None:
    """Use an open tab as its owner would: it runs again without being loaded again."""
    page.get_by_role("link", name=link, exact=True).first.click()


def signed_out(page: Page) -> None:
    """The tab says that nobody is signed in."""
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible(timeout=SLOW)


def test_first_sign_in_and_the_next(browsers, here):
    """Uninvited: a calm page. Invited: bound by one visit, with no password and no code. After that: straight to the page."""
    person = here.invite(Role.LEAD)
    page = browsers()
    sign_in(page, here, person.subject)
    expect(page.get_by_role("heading", name="You need an invitation")).to_be_visible()
    assert not [cookie for cookie in page.context.cookies() if cookie["name"] == "sid"]
    page.goto(person.invitation)
    expect(page.get_by_text(person.name)).to_be_visible()
    page.get_by_role("link", name="Sign in with NHSmail").click()
    at_the_provider(page, person.subject)
    expect(page.get_by_text(f"Signed in: {person.name}")).to_be_visible(timeout=SLOW)
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies(here.url)}
    assert cookies["sid"]["httpOnly"] and cookies["sid"]["sameSite"] == "Lax" and "provider" not in cookies
    page.goto(person.invitation)
    expect(page.get_by_role("heading", name="This invitation does not work")).to_be_visible()
    later = browsers()
    sign_in(later, here, person.subject, "/account")
    expect(later.get_by_text("Connected with the provider since")).to_be_visible(timeout=SLOW)


def test_roles_change_while_a_tab_is_open(browsers, here):
    """A role that is given shows at the open tab's next rerun, and one that is taken is gone at the next, page and all."""
    page = browsers()
    person = enter(page, here, Role.GOVERNING)
    expect(page.get_by_role("link", name="Rounds", exact=True)).to_have_count(0)
    here.change(accounts.set_roles, person, {Role.GOVERNING, Role.LEAD})
    rerun(page, "Gap over time")
    expect(page.get_by_text("Engagement lead, Governing body")).to_be_visible(timeout=SLOW)
    page.goto(f"{here.url}/rounds")
    expect(page.get_by_role("heading", name="Rounds", exact=True)).to_be_visible(timeout=SLOW)
    here.invite(Role.LEAD)  # for a body keeps at least one
    here.change(accounts.set_roles, person, {Role.GOVERNING})
    rerun(page, "Overview")
    # The whole of it: the page itself may name the engagement lead too.
    own = page.get_by_text(f"Signed in: {person.name} Governing body", exact=True)
    expect(own).to_be_visible(timeout=SLOW)
    page.goto(f"{here.url}/rounds")
    expect(page.get_by_role("heading", name="Rounds", exact=True)).to_have_count(0, timeout=SLOW)


def test_sign_out_and_revocation_reach_open_tabs(browsers, here):
    """Signing out ends the other tab; ending one session on My account ends that browser alone; disabling ends all."""
    page = browsers()
    person = enter(page, here, Role.GOVERNING)
    tab = page.context.new_page()
    tab.goto(f"{here.url}/gap")
    expect(tab.get_by_text(f"Signed in: {person.name}")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Sign out").click()
    signed_out(page)
    rerun(tab, "Overview")
    signed_out(tab)

    here_now, elsewhere = browsers(), browsers()
    sign_in(elsewhere, here, person.subject)
    expect(elsewhere.get_by_text("Signed in:")).to_be_visible(timeout=SLOW)
    sign_in(here_now, here, person.subject, "/account")
    expect(here_now.get_by_text("Chrome on Linux, this one")).to_be_visible(timeout=SLOW)
    here_now.get_by_role("button", name="End this session").click()
    expect(here_now.get_by_text("The session was ended")).to_be_visible(timeout=SLOW)
    expect(here_now.get_by_role("button", name="End this session")).to_have_count(0)
    rerun(elsewhere, "Gap over time")
    signed_out(elsewhere)

    here.change(accounts.set_disabled, person, True)
    rerun(here_now, "Overview")
    signed_out(here_now)
    sign_in(here_now, here, person.subject)
    expect(here_now.get_by_role("heading", name="You need an invitation")).to_be_visible()


def test_forged_answers_sign_nobody_in(browsers, here):
    """A token for another client, an answer that is replayed, and one that is carried to another browser start nothing."""
    page = browsers()
    person = enter(page, here, Role.COUNCIL)
    answers = []
    page.on(
        "request",
        lambda request: answers.append(request.url) if "/sign-in/oidc/back" in request.url else None,
    )
    page.context.clear_cookies()
    sign_in(page, here, person.subject)
    expect(page.get_by_text("Signed in:")).to_be_visible(timeout=SLOW)
    page.context.clear_cookies()
    (answer,) = answers
    assert {"code", "state"} <= set(parse_qs(urlsplit(answer).query))
    other = browsers()
    other.goto(f"{here.url}/sign-in")
    for victim in (page, other):
        victim.goto(answer)
        expect(victim.get_by_role("heading", name="Please sign in again")).to_be_visible()
        victim.goto(here.url)
        expect(victim.get_by_role("heading", name="Sign in")).to_be_visible()
    here.provider.names_another = True
    try:
        sign_in(page, here, person.subject)
        expect(page.get_by_role("heading", name="You are not signed in")).to_be_visible()
        expect(page.get_by_text(re.compile("eyJ|claim|aud"))).to_have_count(0)
    finally:
        here.provider.names_another = False
    sign_in(page, here, person.subject)
    expect(page.get_by_text("Signed in:")).to_be_visible(timeout=SLOW)
