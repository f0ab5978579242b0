"""Find the rounds that wait for the worker without reading them all

Revision: 0002, after 0001.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_round_state", "round", ["state"])


def downgrade() -> None:
    op.drop_index("ix_round_state", table_name="round")
