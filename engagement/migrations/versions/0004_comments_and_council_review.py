"""Reviewed comments, the council's review of results, and the members' page of results

Revision: 0004, after 0003.
"""

import secrets

import sqlalchemy as sa
import sqlmodel
from alembic import op

import engagement.models.base
from engagement.migrations.triggers import demo_accounts_stay_in_demo_bodies, refuse_change

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Text = sqlmodel.sql.sqltypes.AutoString
ROLES = "role IN ('engagement_lead', 'governing_body', 'council', 'comment_reviewer')"


def upgrade() -> None:
    _results_page()
    _reviewer()
    op.create_table(
        "comment_review",
        sa.Column("comment_id", Text(length=32), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("status", Text(length=8), nullable=False),
        sa.Column("text", Text(length=1500), nullable=True),
        sa.Column("reason", Text(length=300), nullable=True),
        sa.Column("themes", sa.JSON(), nullable=True),
        sa.CheckConstraint(
            "status IN ('waiting', 'approved', 'rejected')", name=op.f("ck_comment_review_status")
        ),
        *_keys("comment_review", "body", "round"),
        sa.PrimaryKeyConstraint("comment_id", name=op.f("pk_comment_review")),
    )
    op.create_table(
        "comment_release",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_hash", Text(length=64), nullable=False),
        sa.Column("software", Text(length=20), nullable=False),
        sa.Column("created_at", engagement.models.base.UtcTime(timezone=True), nullable=False),
        *_keys("comment_release", "body", "round"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment_release")),
        sa.UniqueConstraint("round_id", name=op.f("uq_comment_release_round_id")),
    )
    op.create_table(
        "council_question",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("release_id", sa.Integer(), nullable=False),
        sa.Column("kind", Text(length=8), nullable=False),
        sa.Column("text", Text(length=1000), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("asked_by", Text(length=200), nullable=False),
        sa.Column("asked_at", engagement.models.base.UtcTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('question', 'remark')", name=op.f("ck_council_question_kind")),
        sa.CheckConstraint("length(text) > 0", name=op.f("ck_council_question_text_given")),
        *_keys("council_question", "body", "release"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_council_question")),
    )
    op.create_table(
        "council_answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("question_id", sa.Integer(), nullable=False),
        sa.Column("text", Text(length=2000), nullable=False),
        sa.Column("answered_by", Text(length=200), nullable=False),
        sa.Column("answered_at", engagement.models.base.UtcTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(text) > 0", name=op.f("ck_council_answer_text_given")),
        *_keys("council_answer", "body"),
        sa.ForeignKeyConstraint(
            ["question_id"],
            ["council_question.id"],
            name=op.f("fk_council_answer_question_id_council_question"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_council_answer")),
    )
    op.create_table(
        "council_review",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("release_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("reviewed_by", Text(length=200), nullable=False),
        sa.Column("reviewed_at", engagement.models.base.UtcTime(timezone=True), nullable=False),
        *_keys("council_review", "body", "release", "account"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_council_review")),
        sa.UniqueConstraint("release_id", "account_id", name=op.f("uq_council_review_release_id_account_id")),
    )
    for table, columns in (
        ("comment_review", ("body_id", "round_id")),
        ("comment_release", ("body_id",)),
        ("council_question", ("body_id", "release_id")),
        ("council_answer", ("body_id", "question_id")),
        ("council_review", ("body_id", "release_id", "account_id")),
    ):
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])
    refuse_change("comment_release")
    refuse_change(
        "council_question", columns=("body_id", "release_id", "kind", "text", "asked_by", "asked_at")
    )
    refuse_change("council_answer")
    refuse_change("council_review")


def _keys(table: str, *targets: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint(
            [f"{target}_id"], [f"{target}.id"], name=op.f(f"fk_{table}_{target}_id_{target}")
        )
        for target in targets
    ]


def _results_page() -> None:
    """Every body gets a page at an address that nobody can guess."""
    op.add_column("body", sa.Column("results_open", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("body", sa.Column("results_token", Text(length=32), nullable=False, server_default=""))
    body = sa.table("body", sa.column("id", sa.Integer), sa.column("results_token", sa.String))
    for (number,) in op.get_bind().execute(sa.select(body.c.id)).all():
        op.execute(body.update().where(body.c.id == number).values(results_token=secrets.token_hex(16)))


def _reviewer() -> None:
    """One more role. SQLite remakes the table, which loses its triggers."""
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
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_role_account_id_account")
        ),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_account_role_body_id_body")),
        sa.PrimaryKeyConstraint("account_id", "body_id", "role", name=op.f("pk_account_role")),
    )
    with op.batch_alter_table("account_role", copy_from=remade, recreate="always"):
        pass
    demo_accounts_stay_in_demo_bodies()


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
