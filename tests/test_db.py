"""The database keeps what it is told to keep."""

from __future__ import annotations

from datetime import datetime

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, StatementError

from engagement import clock, db
from engagement.models import Account, AccountRole, AuditEntry, Body


def test_models_match_migrations(database):
    """The tables that the models describe are the tables that the migrations make."""
    command.check(db._alembic(database))


def test_naive_time_is_refused(database):
    """A time without a zone never reaches a table."""
    with pytest.raises(StatementError, match="without a zone"), database.session() as session:
        session.add(Body(code="X", name="X", created_at=datetime(2026, 1, 1)))


def test_instant_survives_the_round_trip(database):
    """What comes back is aware, in UTC, and the same instant."""
    instant = clock.now().replace(microsecond=0)
    with database.session() as session:
        session.add(Body(code="X", name="X", created_at=instant))
    with database.reading() as session:
        found = session.exec(text("SELECT 1"))
        assert found
        body = session.get(Body, 1)
        assert body.created_at == instant and body.created_at.utcoffset().total_seconds() == 0


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET action='x'", "DELETE FROM audit_entry"])
def test_audit_rows_are_frozen(database, statement):
    """The database itself refuses to change or delete a line of the audit log."""
    with database.session() as session:
        session.add(AuditEntry(at=clock.now(), actor="a", action="b", previous="0", hash="1"))
    with pytest.raises(DBAPIError, match="frozen"), database.session() as session:
        session.exec(text(statement))


def test_demo_account_cannot_have_a_role_elsewhere(database):
    """A demo account in a real body is refused by the schema."""
    with database.session() as session:
        real = Body(code="R", name="Real", created_at=clock.now())
        account = Account(
            email="d@example.org", name="D", password_hash="x", is_demo=True, created_at=clock.now()
        )
        session.add_all([real, account])
        session.flush()
        ids = account.id, real.id
    with pytest.raises(DBAPIError, match="demo body"), database.session() as session:
        session.add(AccountRole(account_id=ids[0], body_id=ids[1], role="council"))
