"""Amendments of open rounds: extended, paused, resumed, cancelled; a close that moves later only

Revision: 0009, after 0008.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

import engagement.models.base
from engagement.migrations.triggers import FROZEN_ROUND, later_only, refuse_change

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

Text = sqlmodel.sql.sqltypes.AutoString
Utc = engagement.models.base.UtcTime
STATES = "state IN ('draft', 'launching', 'open', 'closing', 'mixed', 'released', 'cancelled')"


def upgrade() -> None:
    op.add_column("round", sa.Column("paused_at", Utc(timezone=True), nullable=True))
    _allow_cancelled()
    later_only("round", "closes_at", when="OLD.promise_hash IS NOT NULL")
    op.create_table(
        "round_amendment",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("kind", Text(length=12), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_hash", Text(length=64), nullable=False),
        sa.Column("created_at", Utc(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('extended', 'paused', 'resumed', 'cancelled')", name=op.f("ck_round_amendment_kind")
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_round_amendment_number")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_round_amendment_body_id_body")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_round_amendment_round_id_round")),
        sa.PrimaryKeyConstraint("round_id", "number", name=op.f("pk_round_amendment")),
    )
    op.create_index("ix_round_amendment_body_id", "round_amendment", ["body_id"])
    refuse_change("round_amendment")


def _allow_cancelled() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f("ck_round_state"), "round", type_="check")
        op.create_check_constraint(op.f("ck_round_state"), "round", STATES)
        return
    # SQLite changes a check only by making the table anew, without its triggers.
    with op.batch_alter_table("round", recreate="always") as batch:
        batch.drop_constraint(op.f("ck_round_state"), type_="check")
        batch.create_check_constraint(op.f("ck_round_state"), STATES)
    refuse_change("round", delete=False, columns=FROZEN_ROUND, when="OLD.promise_hash IS NOT NULL")


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
