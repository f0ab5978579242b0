"""The members' page: its address is the permission, and only the lead changes it."""

from __future__ import annotations

import pytest
from sqlmodel import select

from engagement.council import results
from engagement.errors import NotAllowed, NotFound
from engagement.models import AuditEntry, Body


def place(database, made):
    with database.reading() as session:
        return results.page(session, made.council, made.body_id)


def key(address: str) -> str:
    return address.rsplit("/", 1)[1]


def test_the_page_is_unlisted_until_the_lead_opens_it(database, released):
    """A new body's page has a key of 128 bits; an open page has a plain address; closing it again makes a new key."""
    first = place(database, released)
    assert not first.open and first.address.startswith("/r/DEMO/") and len(key(first.address)) == 32
    with database.session() as session:
        results.set_page(session, released.lead, released.body_id, open_to_all=True)
    assert place(database, released) == results.Page("/r/DEMO/results", True)
    with database.session() as session:
        results.set_page(session, released.lead, released.body_id, open_to_all=False)
    assert key(place(database, released).address) not in (key(first.address), "results")


def test_a_renewed_link_ends_the_old_one(database, released):
    """After renewing, the old key finds nothing and the new one finds the results."""
    old = key(place(database, released).address)
    with database.session() as session:
        results.renew_link(session, released.lead, released.body_id)
    with database.reading() as session:
        with pytest.raises(NotFound):
            results.published(session, "DEMO", old)
        found = results.published(session, "DEMO", key(place(database, released).address))
    assert [content["round"]["number"] for content in found.history] == list(range(1, 10))


@pytest.mark.parametrize(
    ("code", "guess"), [("DEMO", "results"), ("DEMO", ""), ("NONE", "results"), ("DEMO", "é")]
)
def test_a_wrong_address_finds_nothing(database, released, code, guess):
    """A wrong body, a wrong key and the plain address of an unlisted page are all refused alike."""
    with database.reading() as session, pytest.raises(NotFound, match="There is no such page"):
        results.published(session, code, guess)


def test_only_the_lead_changes_the_page(database, released):
    """A council representative may read where it is, and change nothing; changes are on record."""
    for verb, options in ((results.set_page, {"open_to_all": True}), (results.renew_link, {})):
        with pytest.raises(NotAllowed), database.session() as session:
            verb(session, released.council, released.body_id, **options)
    with pytest.raises(NotFound), database.reading() as session:
        results.page(session, released.stranger, released.body_id)
    with database.session() as session:
        results.set_page(session, released.lead, released.body_id, open_to_all=True)
        results.set_page(session, released.lead, released.body_id, open_to_all=True)
    with database.reading() as session:
        rows = session.exec(select(AuditEntry.detail).where(AuditEntry.action == "results.page")).all()
    assert rows == [{"open": True}]


def test_two_bodies_have_two_keys(database, released):
    """Every body's key is its own, and the address of a code with odd signs still works."""
    from engagement import clock

    with database.session() as session:
        session.add(Body(code="A/B C", name="x", created_at=clock.now()))
    with database.reading() as session:
        tokens = session.exec(select(Body.results_token)).all()
        address = results.address(session, "A/B C")
        assert results.address(session, "none") is None
    assert len(set(tokens)) == 2 and address.startswith("/r/A%2FB%20C/")
