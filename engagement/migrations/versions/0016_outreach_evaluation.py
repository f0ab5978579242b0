"""What outreach achieved, kept

Revision: 0016, after 0015.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

import engagement.models.base
from engagement.migrations.triggers import refuse_change, refuse_replacing

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outreach_evaluation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("basis", sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_hash", sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.Column("created_at", engagement.models.base.UtcTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_outreach_evaluation_body_id_body")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outreach_evaluation")),
        sa.UniqueConstraint("body_id", "basis", name=op.f("uq_outreach_evaluation_body_id_basis")),
    )
    refuse_change("outreach_evaluation")
    refuse_replacing("outreach_evaluation", unique=("body_id", "basis"))


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
