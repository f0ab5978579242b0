"""Key sealed answers by a random whole number, which SQLite takes as the row id

Revision: 0005, after 0004.

The number is the first 62 bits of the id that a box had, doubled (`engagement.models.base.random_key`): as random as
the id was, and in the same order, so that SQLite fills the new table from its beginning to its end.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

EVEN = "id % 2 = 0"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _remake()
    else:
        bits = "('x' || substr(id, 1, 16))::bit(64) >> 2 << 1"
        op.execute(f"ALTER TABLE sealed_answer ALTER COLUMN id TYPE BIGINT USING ({bits})::bigint")
        op.create_check_constraint(op.f("ck_sealed_answer_not_counted"), "sealed_answer", EVEN)


def _remake() -> None:
    op.drop_index("ix_sealed_answer_round_id", table_name="sealed_answer")
    op.rename_table("sealed_answer", "sealed_answer_by_text")
    op.create_table(
        "sealed_answer",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(EVEN, name=op.f("ck_sealed_answer_not_counted")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_sealed_answer_round_id_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealed_answer")),
    )
    driver = op.get_bind().connection.driver_connection
    driver.create_function("number_of", 1, lambda text: int(text[:16], 16) >> 2 << 1, deterministic=True)
    op.execute(
        "INSERT INTO sealed_answer (id, round_id, box) "
        "SELECT number_of(id), round_id, box FROM sealed_answer_by_text ORDER BY id"
    )
    op.drop_table("sealed_answer_by_text")
    op.create_index("ix_sealed_answer_round_id", "sealed_answer", ["round_id"])


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
