"""A round's reporting plan, and how far the gate is with it

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("round", sa.Column("plan", sa.JSON(), nullable=True))
    op.add_column("round", sa.Column("checking", sa.String(length=20), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
