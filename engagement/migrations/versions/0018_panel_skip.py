"""Codes of people who were invited to a round and sent nothing

Revision: 0018, after 0017.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "panel_skip",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("panel_now", sqlmodel.sql.sqltypes.AutoString(length=32), nullable=False),
        sa.Column("panel_before", sqlmodel.sql.sqltypes.AutoString(length=32), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_panel_skip_body_id_body")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_panel_skip_round_id_round")),
        sa.PrimaryKeyConstraint("round_id", "panel_now", name=op.f("pk_panel_skip")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_panel_skip_body_id", "panel_skip", ["body_id"])


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
