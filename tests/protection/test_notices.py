"""Notices say what the settings are, to everybody, and no more."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from engagement import web
from engagement.access import Actor, Role
from engagement.errors import NotAllowed
from engagement.models import Body
from engagement.protection import notices, retention
from tests import support

ROOT = Path(__file__).resolve().parents[2]


def test_notices_follow_the_settings(database, config):
    """Contact, basis, tier, threshold and the body's words are in the notice and the DPIA, and change with the settings."""
    keys = support.keys_of(config)
    body_id = support.small_body(database, practices=3, leaders=3)
    settings = dataclasses.replace(
        config, privacy_contact="dpo@example.org", lawful_basis="legitimate_interests"
    )
    with database.session() as session:
        body = session.get(Body, body_id)
        body.words = {"practice": "surgery", "practices": "surgeries"}
        session.add(body)
        session.flush()
        before = notices.privacy(session, config, "TEST")
        assert (
            "engagement lead about your data" in before and "6(1)(e)" in before and "A code follows" in before
        )
    support.launch(database, keys, body_id, tier="anonymous", threshold=12)
    with database.reading() as session:
        after = notices.privacy(session, settings, "TEST")
        draft = notices.dpia(session, support.OPERATOR, settings, body_id)
        with pytest.raises(NotAllowed):
            notices.dpia(session, Actor("x", frozenset({(body_id, Role.COUNCIL)})), settings, body_id)
    assert "dpo@example.org" in after and "6(1)(f)" in after and "at least 12" in after
    assert "nobody can find it" in after and "A code follows" not in after and "surgery" in after
    for rule in retention.RULES.values():
        assert f"| {rule.what} | {rule.kept} |" in after and rule.what in draft
    assert "Nobody is auditor" in draft and "| Smallest group shown | 12 answers |" in draft
    assert "{" not in after + draft and "Undefined" not in after + draft


def test_public_pages_are_for_everybody_and_escape_what_people_typed(database, config):
    """Both pages open without a cookie; a body's name stays text, on one line; an unknown body has a calm page."""
    support.small_body(database, practices=1, leaders=1)
    with database.session() as session:
        body = session.get(Body, 1)
        body.name = "<img src=x>\n\n# Shout | loud"
        session.add(body)
    plain = web.routes(config)
    client = TestClient(
        Starlette(routes=plain, middleware=web.middleware(config, plain)), base_url=config.public_url
    )
    page = client.get("/privacy/TEST")
    assert page.status_code == 200 and "set-cookie" not in page.headers
    assert "<img" not in page.text and page.text.count("<h1>") == 1 and "Shout ¦ loud" in page.text
    assert page.text.count("<table>") == 1 and page.text.count("<h2>") == 6
    assert (
        client.get("/privacy/NONE").status_code == 404
        and client.get("/privacy/" + "x" * 99).status_code == 404
    )
    statement = client.get("/accessibility")
    assert statement.status_code == 200 and "What does not work yet" in statement.text
    assert client.get("/accessibility/x").status_code == 404


def test_blocks_of_every_kind_are_read():
    """Headings, paragraphs over lines, lists and tables are told apart; a table's rule is no row."""
    text = "# A\n\nOne\ntwo\n\n## B\n\n- x\n- y\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    found = list(notices.blocks(text))
    assert [block.kind for block in found] == ["h1", "p", "h2", "ul", "table"]
    assert found[1].text == "One two" and found[3].rows == [["x"], ["y"]]
    assert found[4].rows == [["a", "b"], ["1", "2"]]


def test_the_retention_table_of_the_documentation_is_the_products():
    """docs/data-protection.md holds each kind with the words that the product uses."""
    text = (ROOT / "docs" / "data-protection.md").read_text(encoding="utf-8")
    for rule in retention.RULES.values():
        assert f"| {rule.what} | {rule.kept} | {rule.by} |" in text
