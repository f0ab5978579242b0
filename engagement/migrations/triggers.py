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


def refuse_replacing(table: str, *, unique: tuple[str, ...] = ()) -> None:
    """Refuse what changes or empties a frozen table past its row triggers.

    SQLite's REPLACE deletes the row in its way without a trigger; PostgreSQL's TRUNCATE asks none of the rows.
    `unique`: columns beside the id that together no two rows may share.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change()"
        )
        return
    same = "id = NEW.id"
    if unique:
        same += f" OR ({' AND '.join(f'{column} = NEW.{column}' for column in unique)})"
    there = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # nosec B608  # noqa: S608 - a table of ours
    op.execute(
        f"CREATE TRIGGER {table}_not_replaced BEFORE INSERT ON {table} WHEN {there} "
        f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are frozen'); END"
    )


def later_only(table: str, column: str, *, when: str) -> None:
    """Refuse to move an instant of `table` to an earlier one, `when` the old row says so (a condition on OLD)."""
    condition = f"(NEW.{column} IS NULL OR NEW.{column} < OLD.{column}) AND ({when})"
    words = f"{column} of {table} moves later only"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE OR REPLACE FUNCTION {table}_{column}_later() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{words}'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_{column}_later BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({condition}) "
            f"EXECUTE FUNCTION {table}_{column}_later()"
        )
        return
    op.execute(
        f"CREATE TRIGGER {table}_{column}_later BEFORE UPDATE ON {table} WHEN {condition} "
        f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
    )


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
