"""programme

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

import engagement.models.base

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Text = sqlmodel.sql.sqltypes.AutoString
TIERS = "('practice-view', 'confidential', 'anonymous')"


def upgrade() -> None:
    time = engagement.models.base.UtcTime(timezone=True)
    # SQLite remakes the table; no trigger is on it.
    with op.batch_alter_table("programme") as batch:
        batch.add_column(sa.Column("rule", sa.JSON(), nullable=True))
        batch.add_column(sa.Column("moved", sa.JSON(), nullable=False, server_default="{}"))
        batch.add_column(sa.Column("lead_days", sa.Integer(), nullable=False, server_default="14"))
        batch.add_column(sa.Column("approval", Text(length=8), nullable=False, server_default="first"))
        batch.add_column(sa.Column("tier", Text(length=16), nullable=True))
        batch.add_column(sa.Column("threshold", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("instrument_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("paused_at", time, nullable=True))
        batch.add_column(sa.Column("look_at", time, nullable=True))
        batch.add_column(sa.Column("trouble", Text(length=500), nullable=True))
        batch.create_foreign_key(
            op.f("fk_programme_instrument_id_instrument"), "instrument", ["instrument_id"], ["id"]
        )
        batch.create_check_constraint(op.f("ck_programme_lead_days"), "lead_days BETWEEN 1 AND 60")
        batch.create_check_constraint(
            op.f("ck_programme_approval"), "approval IN ('first', 'always', 'never')"
        )
        batch.create_check_constraint(op.f("ck_programme_tier"), f"tier IS NULL OR tier IN {TIERS}")
        batch.create_check_constraint(
            op.f("ck_programme_threshold_floor"), "threshold IS NULL OR threshold >= 5"
        )
    op.create_table(
        "programme_turn",
        sa.Column("programme_id", sa.Integer(), nullable=False),
        sa.Column("turn", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("wanted", sa.Date(), nullable=False),
        sa.Column("opens_at", time, nullable=False),
        sa.Column("closes_at", time, nullable=False),
        sa.Column("state", Text(length=8), nullable=False),
        sa.Column("public_id", Text(length=16), nullable=True),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("reason", Text(length=500), nullable=True),
        sa.CheckConstraint("turn >= 1", name=op.f("ck_programme_turn_turn")),
        sa.CheckConstraint(
            "state IN ('drafted', 'launched', 'skipped')", name=op.f("ck_programme_turn_state")
        ),
        sa.CheckConstraint("closes_at > opens_at", name=op.f("ck_programme_turn_closes_after_opens")),
        sa.CheckConstraint(
            "state = 'skipped' OR public_id IS NOT NULL", name=op.f("ck_programme_turn_round_known")
        ),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_programme_turn_body_id_body")),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programme.id"], name=op.f("fk_programme_turn_programme_id_programme")
        ),
        sa.PrimaryKeyConstraint("programme_id", "turn", name=op.f("pk_programme_turn")),
    )
    op.create_index("ix_programme_turn_body_id", "programme_turn", ["body_id"])


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
