"""Orders of visits, drawn and sealed

Revision: 0015, after 0014.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

import engagement.models.base
from engagement.migrations.triggers import refuse_change

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outreach_order",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("seal", sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.Column("sealed_at", engagement.models.base.UtcTime(timezone=True), nullable=False),
        sa.Column("opened_at", engagement.models.base.UtcTime(timezone=True), nullable=True),
        sa.Column("discarded_at", engagement.models.base.UtcTime(timezone=True), nullable=True),
        sa.CheckConstraint("attempt >= 1", name=op.f("ck_outreach_order_attempt")),
        sa.CheckConstraint(
            "opened_at IS NULL OR discarded_at IS NULL", name=op.f("ck_outreach_order_seen_or_discarded")
        ),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_outreach_order_body_id_body")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_outreach_order_round_id_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outreach_order")),
        sa.UniqueConstraint("round_id", "attempt", name=op.f("uq_outreach_order_round_id_attempt")),
    )
    op.create_index("ix_outreach_order_body_id", "outreach_order", ["body_id"])
    # What was drawn stays; when it was opened or thrown away is said once.
    refuse_change(
        "outreach_order", columns=("body_id", "round_id", "attempt", "content", "seal", "sealed_at")
    )


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
