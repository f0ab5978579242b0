"""An order of visits is drawn by lot, sealed before anybody sees it, and can be checked by anybody."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from engagement.access import Actor, Role
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.models import AuditEntry, OutreachOrder, Round
from engagement.outreach import contacts, order
from tests.assessments.conftest import Invented, installed  # noqa: F401
from tests.support import OPERATOR


@pytest.fixture
def body_id(installed) -> int:  # noqa: F811
    """An assessed body of two rounds."""
    invented = Invented.make(2)
    made = installed.body(invented)
    installed.bring(made, invented.past())
    installed.assessed(made)
    return made


CODES = [f"P{place:03d}" for place in range(14)]


def test_the_lottery_can_be_run_by_hand():
    """Within a stratum practices stand by the SHA-256 of salt and code; every beginning holds about the same share of each."""
    strata = {f"Y{n:02d}": "steady" if n < 20 else "withdrawn" if n < 30 else "champion" for n in range(35)}
    drawn = order.in_order("salt", strata)
    assert sorted(drawn) == sorted(strata)
    by_hand = sorted(
        (hashlib.sha256(f"salt:{code}".encode()).hexdigest(), code)
        for code in strata
        if strata[code] == "withdrawn"
    )
    assert [code for code in drawn if strata[code] == "withdrawn"] == [code for _, code in by_hand]
    sizes = Counter(strata.values())
    for stop in range(1, 36):
        for name, count in Counter(strata[code] for code in drawn[:stop]).items():
            assert abs(count - stop * sizes[name] / 35) < 1.5
    assert drawn != order.in_order("another", strata)


def test_every_order_within_a_stratum_is_as_likely():
    """Over many salts each practice comes first about as often as any other."""
    first = Counter(order.in_order(str(salt), dict.fromkeys("abcd", "one"))[0] for salt in range(4_000))
    assert all(abs(first[code] - 1_000) < 110 for code in "abcd")


def test_sealed_before_it_is_seen_and_never_drawn_again(installed, body_id):  # noqa: F811
    """The seal is in the audit log before the order can be read; an opened order stays, one unseen may be thrown away."""
    database = installed.database
    with database.session() as session:
        drawn = order.draw(session, OPERATOR, body_id, CODES, capacity=6)
        assert drawn.order == () and drawn.early == () and drawn.content == "" and drawn.attempt == 1
        entry = session.exec(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry.action == "outreach.order_seal" and entry.detail["seal"] == drawn.seal
        assert "salt" not in json.dumps(entry.detail) and "P000" not in json.dumps(entry.detail)
        with pytest.raises(Conflict, match="while it is sealed"):
            order.verify(session, OPERATOR, drawn.id)
    with database.session() as session, pytest.raises(Conflict, match="drawn after round 2 already"):
        order.draw(session, OPERATOR, body_id, CODES, capacity=6)
    with database.session() as session:
        order.discard(session, OPERATOR, drawn.id)
        assert order.of(session, OPERATOR, body_id) is None
        with pytest.raises(Conflict, match="thrown away"):
            order.reveal(session, OPERATOR, drawn.id)
        again = order.draw(session, OPERATOR, body_id, CODES, capacity=6)
        assert again.attempt == 2 and again.seal != drawn.seal
    with database.session() as session:
        opened = order.reveal(session, OPERATOR, again.id)
        assert sorted(opened.order) == CODES and len(opened.early) == 6
        assert order.reveal(session, OPERATOR, again.id) == opened
        with pytest.raises(Conflict, match="stays"):
            order.discard(session, OPERATOR, again.id)
    with database.reading() as session:
        assert order.of(session, OPERATOR, body_id) == opened
        checks = order.verify(session, OPERATOR, again.id)
        assert len(checks) == 5 and all(check.holds for check in checks)
        assert hashlib.sha256(opened.content.encode()).hexdigest() == drawn_seal(session, again.id)
        stored = json.loads(opened.content)
        assert order.in_order(stored["salt"], stored["strata"]) == list(opened.order)
        actions = session.exec(
            select(AuditEntry.action).where(AuditEntry.action.startswith("outreach.order"))
        ).all()
        assert [action.removeprefix("outreach.order_") for action in actions] == [
            "seal", "discard", "seal", "open",
        ]  # fmt: skip


def drawn_seal(session, order_id: int) -> str:
    """The seal as the audit log has it."""
    entries = session.exec(select(AuditEntry).where(AuditEntry.action == "outreach.order_seal"))
    return next(entry.detail["seal"] for entry in entries if entry.detail["order"] == order_id)


def test_what_was_drawn_cannot_be_changed(installed, body_id):  # noqa: F811
    """The database refuses to change or delete a draw, and a change made behind its back is found."""
    database = installed.database
    with database.session() as session:
        drawn = order.draw(session, OPERATOR, body_id, CODES, capacity=6)
        order.reveal(session, OPERATOR, drawn.id)
    for change in ("UPDATE outreach_order SET content = '{}'", "DELETE FROM outreach_order"):
        with pytest.raises(DBAPIError, match="frozen"), database.session() as session:
            session.execute(text(change))
    with database.session() as session:
        where = "" if database.is_sqlite else " ON outreach_order"
        session.execute(text(f"DROP TRIGGER outreach_order_frozen{where}"))
        content = json.loads(session.get(OutreachOrder, drawn.id).content)
        content["order"].reverse()
        session.execute(
            text("UPDATE outreach_order SET content = :content"), {"content": json.dumps(content)}
        )
    with database.reading() as session:
        held = {check.text: check.holds for check in order.verify(session, OPERATOR, drawn.id)}
        assert not held["The order is the one that was sealed"]
        assert not held["The lottery gives this order"]
        assert held["The audit log is whole"]


def test_who_may_draw_and_when(installed, body_id):  # noqa: F811
    """Only the engagement lead draws, for practices of the assessment, enough on each side, and before the next round begins."""
    database = installed.database
    council = Actor("c", frozenset({(body_id, Role.COUNCIL)}))
    stranger = Actor("s", frozenset({(body_id + 1, Role.LEAD)}))
    with database.session() as session:
        with pytest.raises(NotAllowed):
            order.draw(session, council, body_id, CODES, capacity=6)
        with pytest.raises(NotFound):
            order.draw(session, stranger, body_id, CODES, capacity=6)
        contacts.log_unplanned(
            session, OPERATOR, body_id, "P017", action="visit", done_on=date(2020, 1, 1), outcome="met"
        )
        with pytest.raises(Invalid, match="P017 was met since round 2"):
            order.draw(session, OPERATOR, body_id, [*CODES, "P017"], capacity=6)
        with pytest.raises(Invalid, match="P999 is not among"):
            order.draw(session, OPERATOR, body_id, [*CODES, "P999"], capacity=6)
        for capacity in (4, 10):
            with pytest.raises(Invalid, match="at least 5"):
                order.draw(session, OPERATOR, body_id, CODES, capacity=capacity)
        drawn = order.draw(session, OPERATOR, body_id, CODES, capacity=5)
        for verb in (order.reveal, order.discard, order.verify):
            with pytest.raises(NotAllowed):
                verb(session, council, drawn.id)
        newest = session.exec(select(Round).where(Round.number == 2)).one()
        later = Round(
            **newest.model_dump(exclude={"id", "public_id", "number", "state"}), public_id="x", number=3
        )
        later.state = "open"
        session.add(later)
        session.flush()
        with pytest.raises(Conflict, match="Round 3 has begun"):
            order.reveal(session, OPERATOR, drawn.id)
