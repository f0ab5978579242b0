"""The pages of those who look on: the audit log, panel codes, and what a role may do."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

import engagement
from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.access.actor import ALONE
from engagement.models import Account, AccountRole, AuditEntry, Body
from engagement.ui import audit_words, frame_tools
from engagement.words import words_of

TRAP = "![x](https://evil.example/x.png)"


@pytest.fixture
def open_page(database, stored, config, monkeypatch):
    """Open a page of the body as somebody."""

    def opened(file: str, actor: Actor) -> AppTest:
        def current():
            with database.reading() as session:
                body = session.get(Body, stored.body_id)
                session.expunge(body)
            return SimpleNamespace(
                database=database, actor=actor, body=body, words=words_of(body.words), config=config
            )

        monkeypatch.setattr(frame_tools, "current", current)
        return AppTest.from_file(str(frame_tools.PAGES / file), default_timeout=30).run()

    return opened


def person(database, body_id: int, role: Role, name: str = "Aud Itor") -> Actor:
    """Somebody with one role, with an account."""
    with database.session() as session:
        account = Account(
            email=f"{role.value}@example.org", name=name, password_hash="x", created_at=clock.now()
        )
        session.add(account)
        session.flush()
        session.add(AccountRole(account_id=account.id, body_id=body_id, role=role.value))
        return Actor(name, frozenset({(body_id, role)}), account.id, bodies=(body_id,))


def tables(at: AppTest) -> str:
    return "\n".join(table.value.to_csv() for table in at.table)


def test_the_auditor_reads_and_checks_the_log(database, stored, open_page):
    """The page shows lines in words, says whether the log is whole, and compares a noted line with it."""
    auditor = person(database, stored.body_id, Role.AUDITOR)
    with database.session() as session:
        audit.record(session, stored.lead, "round.close", stored.body_id, round=3)
        audit.record(session, Actor(TRAP), "unheard.of", stored.body_id, what=TRAP)
        noted = str(audit.Head(*audit.head(session)))
    at = open_page("audit.py", auditor)
    assert not at.exception and "Closed a round" in tables(at) and "round 3" in tables(at)
    assert "![x]" not in tables(at) and "Unheard" in tables(at)
    assert at.code[0].value == noted
    at.button[0].click().run()
    assert at.subheader[0].value == "The log is whole"
    at.text_input[0].set_value(noted[:-1] + ("1" if noted[-1] == "0" else "0"))
    at.button[0].click().run()
    assert at.subheader[0].value == "The log is not whole"
    at.text_input[0].set_value("nonsense")
    at.button[0].click().run()
    assert at.subheader[0].value == "There is a problem"


def test_every_action_has_words():
    """Whatever the code writes into the log under a fixed name, the auditor reads in plain words."""
    found = set()
    for file in Path(engagement.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "audit.record" and len(node.args) > 2:
                constants = [each for each in ast.walk(node.args[2]) if isinstance(each, ast.Constant)]
                found |= {each.value for each in constants if isinstance(each.value, str)}
    whole = {action for action in found if not action.endswith(".")}
    assert len(whole) > 100 and whole - set(audit_words.WORDS) == set()
    for beginning in found - whole:
        assert any(action.startswith(beginning) for action in audit_words.WORDS), beginning


@pytest.mark.parametrize("file", ["audit.py", "codes.py", "part.py"])
def test_pages_are_for_their_roles(database, stored, open_page, file):
    """Whoever lacks the role is refused by the page itself, whatever the menu says."""
    allowed = {
        "audit.py": {Role.LEAD, Role.AUDITOR},
        "codes.py": {Role.LEAD, Role.GOVERNING, Role.AUDITOR},
        "part.py": set(ALONE),
    }[file]
    for role in Role:
        at = open_page(file, Actor("X", frozenset({(stored.body_id, role)}), stored.account_id))
        assert bool(at.exception) is (role not in allowed), role
        if at.exception:
            assert not (at.table or at.text or at.text_input or at.code), role


def test_a_code_needs_a_second_person_on_the_page(database, stored, open_page):
    """Without a closed round the page says why nothing can be linked, instead of offering a form that would fail."""
    at = open_page("codes.py", stored.lead)
    assert not at.exception and not at.text_input
    assert any("Article 11" in text.value for text in at.text)


@pytest.mark.parametrize("role", ALONE)
def test_those_who_look_on_land_on_their_part(database, released, frame, said, role):
    """Returning officer, auditor and operator see what their role does and the rounds, and not one result."""
    actor = Actor("X", frozenset({(released.body_id, role)}), released.account_id, bodies=(released.body_id,))
    app = frame(actor).run()
    assert not app.exception and app.title[0].value == "Your part"
    assert "Round 9,Published" in said(app)
    assert "%" not in said(app)
    for file in ("overview.py", "gap.py", "practices.py", "rounds.py", "comments.py"):
        with pytest.raises(ValueError):
            app.switch_page(str(frame_tools.PAGES / file))


def test_looking_at_results_is_recorded_once(database, released, frame):
    """A reader's first look at a page of results today is a line of the log; the next ones are not."""
    for _ in range(2):
        app = frame(released.council).run()
        assert not app.exception
    app.switch_page(str(frame_tools.PAGES / "gap.py")).run()
    with database.reading() as session:
        lines = session.exec(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(line.action, line.actor, line.detail) for line in lines] == [
        ("page.view", "Bob Ray", {"page": "Overview"}),
        ("page.view", "Bob Ray", {"page": "Gap over time"}),
    ]


def test_a_stranger_on_a_page_is_a_refusal_in_the_log(database, released, frame):
    """Somebody of another body who opens the results is refused, and the body's log says so."""
    app = frame(released.stranger).run()
    assert app.subheader[0].value == "This is not here"
    with database.reading() as session:
        line = session.exec(select(AuditEntry)).one()
    assert (line.action, line.actor, line.body_id) == ("refused", "Charlie", released.body_id)
    assert line.detail["where"] == "Overview"


def test_details_are_short_and_plain():
    """Fingerprints are shortened, roles named as people know them, and nested values laid out in a line."""
    entry = audit.Entry(
        1,
        clock.now(),
        "Ann",
        "account.roles",
        {"account": 7, "roles": ["engagement_lead", "council"], "content": "ab" * 32, "flags": {"a": True}},
        "Bob",
    )
    assert audit_words.what(entry) == "Changed somebody’s roles"
    assert audit_words.details(entry) == (
        "Bob, engagement lead, council representative, content abababababab…, flags a yes"
    )
    refused = audit.Entry(
        2, clock.now(), "Ann", "refused", {"where": "Rounds", "needs": ["engagement_lead"]}, None
    )
    assert audit_words.details(refused) == "for the engagement lead only, where Rounds"
