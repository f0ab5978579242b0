"""Rows that nobody may change, held by the database itself and not only by our verbs."""

from __future__ import annotations

from alembic import op

FROZEN_ROUND = ("promise", "promise_hash", "tier", "threshold", "number", "body_id", "public_id")


def refuse_change(table: str, *, delete: bool = True, columns: tuple[str, ...] = (), when: str = "") -> None:
    """Refuse updates of `table` (of `columns` where given, and only `when` the old row says so), and deletes.

    `when` is a condition on OLD. A column given may be "updated" to what it already holds.
    """
    postgres = op.get_bind().dialect.name == "postgresql"
    same = "IS NOT DISTINCT FROM" if postgres else "IS"
    differs = " OR ".join(f"NOT (NEW.{column} {same} OLD.{column})" for column in columns) or "TRUE"
    condition = f"({differs})" + (f" AND ({when})" if when else "")
    if postgres:
        op.execute(
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'rows of % are frozen', TG_TABLE_NAME; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_frozen BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({condition}) "
            "EXECUTE FUNCTION refuse_change()"
        )
        if delete:
            op.execute(
                f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )
        return
    raising = f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are frozen'); END"
    op.execute(f"CREATE TRIGGER {table}_frozen BEFORE UPDATE ON {table} WHEN {condition} {raising}")
    if delete:
        op.execute(f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} {raising}")


def demo_accounts_stay_in_demo_bodies() -> None:
    """Refuse a role for a demo account in a body that is not a demo."""
    condition = (
        "(SELECT is_demo FROM account WHERE id = NEW.account_id) "
        "AND NOT (SELECT is_demo FROM body WHERE id = NEW.body_id)"
    )
    words = "a demo account may only have a role in a demo body"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE OR REPLACE FUNCTION demo_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF {condition} THEN RAISE EXCEPTION '{words}'; END IF; RETURN NEW; END $$"
        )
        op.execute(
            "CREATE TRIGGER account_role_demo BEFORE INSERT OR UPDATE ON account_role FOR EACH ROW "
            "EXECUTE FUNCTION demo_only()"
        )
        return
    for verb in ("INSERT", "UPDATE"):
        op.execute(
            f"CREATE TRIGGER account_role_demo_{verb.lower()} BEFORE {verb} ON account_role WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
        )
