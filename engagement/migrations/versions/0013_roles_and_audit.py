"""Returning officer, auditor and operator; the audit log closed to replacing and emptying; notices and linking

Revision: 0013, after 0012.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

import engagement.models.base
from engagement.migrations.triggers import (
    demo_accounts_stay_in_demo_bodies,
    refuse_change,
    refuse_replacing,
)

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

Text = sqlmodel.sql.sqltypes.AutoString
Time = engagement.models.base.UtcTime
ROLES = (
    "role IN ('engagement_lead', 'governing_body', 'council', 'comment_reviewer', 'returning_officer', "
    "'auditor', 'operator')"
)


def upgrade() -> None:
    _roles()
    for table in ("audit_entry", "release", "comment_release"):
        refuse_replacing(table)
    op.create_table(
        "audit_once",
        sa.Column("key", Text(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_audit_once")),
    )
    op.create_table(
        "audit_notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("kind", Text(length=10), nullable=False),
        sa.Column("reference", Text(length=40), nullable=False),
        sa.Column("subject", Text(length=150), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("due_at", Time(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.CheckConstraint("kind IN ('head', 'linking', 'role')", name=op.f("ck_audit_notice_kind")),
        _key("audit_notice", "body_id", "body"),
        _key("audit_notice", "account_id", "account"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_notice")),
        sa.UniqueConstraint(
            "account_id", "kind", "reference", name=op.f("uq_audit_notice_account_id_kind_reference")
        ),
    )
    op.create_index("ix_audit_notice_body_id", "audit_notice", ["body_id"])
    op.create_table(
        "code_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("reason", Text(length=300), nullable=False),
        sa.Column("asked_by", sa.Integer(), nullable=False),
        sa.Column("asked_at", Time(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Integer(), nullable=True),
        sa.Column("approved_at", Time(timezone=True), nullable=True),
        sa.Column("refused_by", sa.Integer(), nullable=True),
        sa.Column("refused_at", Time(timezone=True), nullable=True),
        sa.Column("opened_at", Time(timezone=True), nullable=True),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> asked_by", name=op.f("ck_code_link_two_people")
        ),
        sa.CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL)", name=op.f("ck_code_link_approved_when")
        ),
        sa.CheckConstraint(
            "(refused_by IS NULL) = (refused_at IS NULL)", name=op.f("ck_code_link_refused_when")
        ),
        sa.CheckConstraint(
            "opened_at IS NULL OR (approved_by IS NOT NULL AND refused_by IS NULL)",
            name=op.f("ck_code_link_opened_after_approval"),
        ),
        sa.CheckConstraint("length(reason) > 0", name=op.f("ck_code_link_reason_given")),
        _key("code_link", "body_id", "body"),
        _key("code_link", "round_id", "round"),
        _key("code_link", "member_id", "member"),
        _key("code_link", "asked_by", "account"),
        _key("code_link", "approved_by", "account"),
        _key("code_link", "refused_by", "account"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_link")),
    )
    op.create_index("ix_code_link_body_id", "code_link", ["body_id"])
    refuse_change("code_link", columns=("body_id", "round_id", "member_id", "reason", "asked_by", "asked_at"))


def _key(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"))


def _roles() -> None:
    """Three more roles. SQLite remakes the table, which loses its triggers."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_account_role_role"), "account_role")
        op.create_check_constraint(op.f("ck_account_role_role"), "account_role", ROLES)
        return
    remade = sa.Table(
        "account_role",
        sa.MetaData(),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("role", Text(length=20), nullable=False),
        sa.CheckConstraint(ROLES, name=op.f("ck_account_role_role")),
        _key("account_role", "account_id", "account"),
        _key("account_role", "body_id", "body"),
        sa.PrimaryKeyConstraint("account_id", "body_id", "role", name=op.f("pk_account_role")),
    )
    with op.batch_alter_table("account_role", copy_from=remade, recreate="always"):
        pass
    demo_accounts_stay_in_demo_bodies()


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
