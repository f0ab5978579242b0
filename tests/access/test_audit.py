"""The audit log: nothing in it can be changed, moved or taken out unseen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlmodel import select

from engagement import clock
from engagement.access import Actor, Role, accounts, audit
from engagement.models import AuditEntry

LINES = 5


@pytest.fixture
def log(database):
    """A log of some lines, and a way to do to it what the database would refuse."""
    with database.session() as session:
        for number in range(LINES):
            audit.record(session, Actor("Ann"), "test", None, number=number, nested={"ü": [1, 2.5, None]})

    def tamper(*statements: str) -> None:
        triggers = [f"audit_entry_{name}" for name in ("frozen", "kept")]
        with database.session() as session:
            for trigger in triggers:
                on = "" if database.is_sqlite else " ON audit_entry"
                session.connection().execute(text(f"DROP TRIGGER {trigger}{on}"))
            for statement in statements:
                session.connection().execute(text(statement))

    return tamper


def verify(database) -> int | None:
    with database.reading() as session:
        return audit.verify(session)


def test_untouched_chain_holds(database, log):
    """A log that nobody touched verifies after it was written and read back."""
    assert verify(database) is None


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'Eve'",
        "action = 'other'",
        "detail = '{\"number\": 7}'",
        "at = '2020-01-01 00:00:00'",
        "hash = previous",
    ],
)
def test_edited_line_is_found(database, log, change):
    """Changing any field of a line breaks the chain there."""
    log(f"UPDATE audit_entry SET {change} WHERE id = 3")
    assert verify(database) == 3


def test_line_moved_to_another_body_is_found(database, log, cast):
    """The body that a line belongs to is covered by its hash."""
    log(f"UPDATE audit_entry SET body_id = {cast.vale} WHERE id = 2")
    assert verify(database) == 2


@pytest.mark.parametrize("line", [1, 3])
def test_removed_line_is_found(database, log, line):
    """Taking a line out shows at the line after it, the first one included."""
    log(f"DELETE FROM audit_entry WHERE id = {line}")
    assert verify(database) == line + 1


def test_reordered_lines_are_found(database, log):
    """Swapping two lines shows at the first of them."""
    log(
        "UPDATE audit_entry SET id = 99 WHERE id = 2",
        "UPDATE audit_entry SET id = 2 WHERE id = 3",
        "UPDATE audit_entry SET id = 3 WHERE id = 99",
    )
    assert verify(database) == 2


def test_shortened_log_is_seen_by_its_head(database, log):
    """Lines cut off the end leave a chain that holds, and a head that differs from the one noted before."""
    with database.reading() as session:
        noted = audit.head(session)
    log(f"DELETE FROM audit_entry WHERE id = {LINES}")
    assert verify(database) is None
    with database.reading() as session:
        assert audit.head(session) != noted


def test_times_of_another_zone_verify(database, monkeypatch):
    """A line recorded from a clock in another zone reads back to the same hash."""
    london = clock.now().replace(month=7).astimezone(clock.LONDON)
    monkeypatch.setattr(clock, "now", lambda: london)
    with database.session() as session:
        audit.record(session, Actor("Ann"), "test")
    assert verify(database) is None


def test_writers_at_once_make_one_chain(database):
    """Lines from many writers at the same time follow one another without a fork."""

    def write(number: int) -> None:
        with database.session() as session:
            audit.record(session, Actor(f"writer {number}"), "test", number=number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert verify(database) is None
    with database.reading() as session:
        assert len(session.exec(select(AuditEntry.id)).all()) == 40


def test_rolled_back_change_leaves_no_line(database, cast):
    """A verb that fails leaves neither its change nor its line."""
    with database.reading() as session:
        before = audit.head(session)
    with pytest.raises(RuntimeError), database.session() as session:
        accounts.set_roles(session, Actor.operator(), cast.vale, cast.council, {Role.GOVERNING})
        raise RuntimeError
    with database.reading() as session:
        assert audit.head(session) == before


def test_changes_are_logged_without_secrets(database, cast):
    """Making, changing, resetting and disabling an account each leave a line; no password is in any."""
    operator = Actor.operator()
    with database.session() as session:
        account, made = accounts.create(
            session, operator, cast.vale, email="n@example.org", name="N", role=Role.COUNCIL
        )
        accounts.set_roles(session, operator, cast.vale, account.id, {Role.GOVERNING})
        reset = accounts.reset_password(session, operator, cast.vale, account.id)
        accounts.set_disabled(session, operator, cast.vale, account.id, True)
        accounts.set_disabled(session, operator, cast.vale, account.id, False)
    with database.reading() as session:
        lines = session.exec(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(5)).all()
        session.expunge_all()
    assert [line.action for line in reversed(lines)] == [
        "account.create",
        "account.roles",
        "account.reset",
        "account.disable",
        "account.enable",
    ]
    assert all(line.detail["account"] == account.id and line.body_id == cast.vale for line in lines)
    assert not any(secret in str([line.detail for line in lines]) for secret in (made, reset))
