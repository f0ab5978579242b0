"""The People page: the lead manages accounts, nobody else sees them, and a made password is shown once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlmodel import select

from engagement.access import Actor, Role, accounts, sign_in_links
from engagement.config import MailConfig, ProviderConfig
from engagement.models import Account, AccountIdentity, Body, SecondFactor, SignInMail
from engagement.words import words_of
from tests.access.conftest import PASSWORD

PAGE = Path(__file__).parents[2] / "pages" / "people.py"


@pytest.fixture
def open_page(database, config, cast, monkeypatch):
    """Open the page as an actor of the first body."""
    from streamlit.testing.v1 import AppTest

    from engagement.ui import frame_tools

    def opened(person: Actor, settings=None):
        def current():
            with database.reading() as session:
                body = session.get(Body, cast.vale)
                session.expunge(body)
            return SimpleNamespace(
                database=database,
                actor=person,
                body=body,
                words=words_of(body.words),
                config=settings or config,
            )

        monkeypatch.setattr(frame_tools, "current", current)
        return AppTest.from_file(str(PAGE), default_timeout=20).run()

    return opened


def texts(at) -> str:
    return "\n".join(element.value for element in at.text)


def labelled(elements, label: str):
    return next(element for element in elements if element.label == label)


def choose(at, name: str):
    box = at.selectbox(key="people_person")
    return box.select_index([name in str(option) for option in box.options].index(True)).run()


def add(at, name: str, email: str, role: Role | None):
    labelled(at.text_input, "Name").set_value(name)
    labelled(at.text_input, "E-mail address").set_value(email)
    if role:
        at.radio[0].set_value(role)
    return labelled(at.button, "Add").click().run()


def can_sign_in(database, email: str, password: str) -> bool:
    with database.reading() as session:
        return accounts.authenticate(session, email, password) is not None


def test_lead_sees_everybody_with_roles(open_page, cast, actor):
    """The list holds name, address, roles and status of all people of the body, and of no other body."""
    at = open_page(actor(cast.lead))
    assert not at.exception
    table = at.dataframe[0].value
    assert list(table["Name"]) == ["Alice", "Bob", "Carol"]
    assert list(table["Roles"]) == ["Engagement lead", "Governing body", "Council representative"]


@pytest.mark.parametrize("person", ["governing", "council", "other_lead"])
def test_nobody_else_sees_the_page(open_page, cast, actor, person):
    """Other roles and leads of other bodies get a calm refusal, and not one name."""
    at = open_page(actor(getattr(cast, person)))
    assert not at.dataframe and not at.text_input and "Carol" not in texts(at)
    assert at.subheader[0].value == (
        "This is not here" if person == "other_lead" else "You do not have access to this"
    )


def test_added_person_gets_a_password_shown_once(open_page, database, cast, actor):
    """The password made for a new person works, stands on the page until it was passed on, and then is gone."""
    at = add(open_page(actor(cast.lead)), "Dora", "dora@example.org", Role.COUNCIL)
    assert not at.exception and "Dora was added as council representative" in texts(at)
    password = at.code[0].value
    assert can_sign_in(database, "dora@example.org", password)
    at.button(key="people_passed").click().run()
    assert not at.code and "people_secret" not in at.session_state
    assert "Has not chosen a password yet" in list(at.dataframe[0].value["Status"])


@pytest.mark.parametrize(
    ("name", "email", "role", "message"),
    [
        ("Dora", "dora", Role.COUNCIL, "correct format"),
        ("", "dora@example.org", Role.COUNCIL, "person's name"),
        ("Bob", "bob@example.org", Role.GOVERNING, "already has this role"),
    ],
)
def test_faults_are_said_and_keep_what_was_typed(open_page, cast, actor, name, email, role, message):
    """A person that cannot be added gets the reason, and the form keeps its text."""
    at = add(open_page(actor(cast.lead)), name, email, role)
    assert message in texts(at) and not at.code
    assert labelled(at.text_input, "E-mail address").value == email


def test_role_must_be_chosen(open_page, database, cast, actor):
    """No role is chosen beforehand, and none is guessed."""
    at = add(open_page(actor(cast.lead)), "Dora", "dora@example.org", None)
    assert at.error[0].value == "Choose a role."
    assert len(at.dataframe[0].value) == 3


def test_somebody_with_an_account_gets_the_role_and_no_password(open_page, cast, actor):
    """Adding somebody who signs in elsewhere already says that their password stays."""
    at = add(open_page(actor(cast.lead)), "Harry", "harry@example.org", Role.COUNCIL)
    assert not at.code and "keep its password" in texts(at)


def test_lead_changes_roles(open_page, cast, actor):
    """Roles chosen for a person are those they have at their next look."""
    at = choose(open_page(actor(cast.lead)), "Bob")
    at.multiselect[0].set_value([Role.GOVERNING, Role.COUNCIL])
    labelled(at.button, "Save roles").click().run()
    assert "The roles of Bob were saved" in texts(at)
    assert {role for _, role in actor(cast.governing).roles} == {Role.GOVERNING, Role.COUNCIL}


def test_last_lead_cannot_be_lost_from_the_page(open_page, cast, actor):
    """Disabling the only lead is refused on the page with what to do first."""
    at = choose(open_page(actor(cast.lead)), "Alice")
    at.button(key="people_disable").click().run()
    at.button(key="people_disable_yes").click().run()
    assert "Give somebody else the role first" in texts(at)


def test_disabling_asks_first_and_can_be_undone(open_page, database, cast, actor):
    """One press explains, the second acts; saying no acts not at all; enabling lets the person in again."""
    at = choose(open_page(actor(cast.lead)), "Bob")
    at.button(key="people_disable").click().run()
    assert "signed out everywhere at once" in texts(at)
    at.button(key="people_disable_no").click().run()
    assert can_sign_in(database, "bob@example.org", PASSWORD)
    at.button(key="people_disable").click().run()
    at.button(key="people_disable_yes").click().run()
    assert "Bob can no longer sign in" in texts(at)
    assert not can_sign_in(database, "bob@example.org", PASSWORD)
    at.button(key="people_enable").click().run()
    at.button(key="people_enable_yes").click().run()
    assert can_sign_in(database, "bob@example.org", PASSWORD)


def test_question_asked_about_one_person_is_not_answered_for_another(open_page, database, cast, actor):
    """Choosing another person withdraws a confirmation that stood open."""
    at = choose(open_page(actor(cast.lead)), "Bob")
    at.button(key="people_disable").click().run()
    at = choose(at, "Carol")
    assert "people_disable_yes" not in [button.key for button in at.button]


def test_reset_shows_a_new_password_once(open_page, database, cast, actor):
    """A reset asks first, then shows a password that works in place of the old one."""
    at = choose(open_page(actor(cast.lead)), "Carol")
    at.button(key="people_reset").click().run()
    assert not at.code
    at.button(key="people_reset_yes").click().run()
    password = at.code[0].value
    assert can_sign_in(database, "carol@example.org", password)
    assert not can_sign_in(database, "carol@example.org", PASSWORD)


def test_person_of_two_bodies_offers_only_roles(open_page, database, cast, actor):
    """An account that another body has too cannot be shut or reset here, and the page says who can."""
    with database.session() as session:
        accounts.create(
            session, Actor.operator(), cast.hill, email="bob@example.org", name="Bob", role=Role.COUNCIL
        )
    at = choose(open_page(actor(cast.lead)), "Bob")
    assert not {"people_disable", "people_reset"} & {button.key for button in at.button}
    assert "operator of the server" in texts(at)


def test_names_never_become_markdown(open_page, database, cast, actor):
    """A name with an image or link in it is plain text wherever the page shows it."""
    trap = "![x](https://evil.example/x.png) [a](https://evil.example)"
    with database.session() as session:
        session.get(Account, cast.governing).name = trap
    at = open_page(actor(cast.lead))
    at = choose(at, "evil")
    at.button(key="people_disable").click().run()
    shown = [element.value for element in (*at.markdown, *at.caption, *at.subheader, *at.title)]
    labels = [element.label for kind in ("button", "selectbox", "multiselect") for element in at.get(kind)]
    for text in [*shown, *labels]:
        assert "![" not in text and "](" not in text
    assert trap in texts(at)


@pytest.fixture
def with_provider(config):
    """Settings with a provider whose name would load a picture, were it Markdown, and with mail."""
    provider = ProviderConfig("https://id.example.org", "x", label="![x](https://evil.example/x.png)")
    return replace(config, provider=provider, mail=MailConfig(way="files"))


def add_by(at, way: str, role: Role, email: str = "dora@example.org"):
    """Add Dora, who signs in in a way that starts with some words."""
    labelled(at.text_input, "Name").set_value("Dora")
    labelled(at.text_input, "E-mail address").set_value(email)
    roles, ways = at.radio
    roles.set_value(role)
    assert not any("![x]" in option for option in ways.options)
    ways.set_value({"password": "password", "invitation": "provider", "links": "links"}[way])
    return labelled(at.button, "Add").click().run()


def test_a_person_is_added_by_an_invitation_shown_once(open_page, database, cast, actor, with_provider):
    """With a provider the lead gets a link instead of a password, once; it is the person's, and there is no password."""
    at = add_by(open_page(actor(cast.lead), with_provider), "invitation", Role.GOVERNING)
    assert not at.exception and "do not open it yourself" in texts(at)
    address = at.code[0].value
    assert address.startswith("http://localhost:8501/sign-in/invitation/")
    with database.reading() as session:
        found = sign_in_links.invited(session, address.rsplit("/", 1)[1])
        assert found.email == "dora@example.org" and not found.must_change
    at.button(key="people_passed").click().run()
    assert not at.code


def test_links_alone_are_for_the_council(open_page, database, cast, actor, with_provider):
    """Somebody with another role cannot be added to sign in by mailed links alone; a representative can, without password."""
    at = open_page(actor(cast.lead), with_provider)
    at = add_by(at, "links", Role.GOVERNING)
    assert "Only council representatives" in at.error[0].value and len(at.dataframe[0].value) == 3
    at = add_by(at, "links", Role.COUNCIL)
    assert not at.code and "links that they ask for by e-mail" in texts(at)
    with database.reading() as session:
        assert sign_in_links.by_link(session, "dora@example.org")


def test_other_ways_in_are_given_and_taken(open_page, database, cast, actor, with_provider):
    """An invitation is made or mailed; a lost second factor is removed; a connection is parted; each is asked first."""
    with database.session() as session:
        account = session.get(Account, cast.governing)
        session.add(SecondFactor(account_id=account.id, box=b"x", last_step=1, made_at=account.created_at))
    at = choose(open_page(actor(cast.lead), with_provider), "Bob")
    for what, said in (("factor", "was removed"), ("mail", "is on its way"), ("invite", "has an invitation")):
        at.button(key=f"people_{what}").click().run()
        at.button(key=f"people_{what}_yes").click().run()
        assert not at.exception and said in texts(at), what
    assert "/sign-in/invitation/" in at.code[0].value
    with database.session() as session:
        assert session.get(SecondFactor, cast.governing) is None
        assert session.exec(select(SignInMail.address)).one() == "bob@example.org"
        session.add(
            AccountIdentity(
                issuer="https://x", subject="s", account_id=account.id, bound_at=account.created_at
            )
        )
    at = choose(open_page(actor(cast.lead), with_provider), "Bob")
    assert "people_invite" not in [button.key for button in at.button]
    at.button(key="people_part").click().run()
    at.button(key="people_part_yes").click().run()
    assert "is no longer connected" in texts(at)
    with database.reading() as session:
        assert not session.exec(select(AccountIdentity)).all()
