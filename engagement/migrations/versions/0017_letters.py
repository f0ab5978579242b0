"""Letters to practices, through the outbox of mail

Revision: 0017, after 0016.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

import engagement.models.base

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

Text = sqlmodel.sql.sqltypes.AutoString
Utc = engagement.models.base.UtcTime
KINDS = "kind IN ('invitation', 'reminder', 'amendment', 'link', 'published', 'results', 'widened', 'letter')"
ONE_REASON = "(round_id IS NULL) <> (letter_id IS NULL)"


def upgrade() -> None:
    op.create_table(
        "letter",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("subject", Text(length=150), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("practices", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("queued_at", Utc(timezone=True), nullable=False),
        sa.Column("leaves_at", Utc(timezone=True), nullable=False),
        sa.Column("queued_by", Text(length=120), nullable=False),
        sa.Column("stopped_at", Utc(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_letter_body_id_body")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter")),
    )
    op.create_index("ix_letter_body_id", "letter", ["body_id"])
    op.create_table(
        "letter_aim",
        sa.Column("letter_id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("segment", Text(length=12), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("seed", Text(length=32), nullable=False),
        sa.CheckConstraint("share BETWEEN 10 AND 50", name=op.f("ck_letter_aim_share")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_letter_aim_body_id_body")),
        sa.ForeignKeyConstraint(["letter_id"], ["letter.id"], name=op.f("fk_letter_aim_letter_id_letter")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_letter_aim_round_id_round")),
        sa.PrimaryKeyConstraint("letter_id", name=op.f("pk_letter_aim")),
    )
    op.create_index("ix_letter_aim_body_id", "letter_aim", ["body_id"])
    op.create_index("ix_letter_aim_round_id", "letter_aim", ["round_id"])
    op.create_table(
        "letter_practice",
        sa.Column("letter_id", sa.Integer(), nullable=False),
        sa.Column("practice_id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("left_at", Utc(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_letter_practice_body_id_body")),
        sa.ForeignKeyConstraint(
            ["letter_id"], ["letter.id"], name=op.f("fk_letter_practice_letter_id_letter")
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practice.id"], name=op.f("fk_letter_practice_practice_id_practice")
        ),
        sa.PrimaryKeyConstraint("letter_id", "practice_id", name=op.f("pk_letter_practice")),
    )
    op.create_index("ix_letter_practice_body_id", "letter_practice", ["body_id"])
    op.create_index("ix_letter_practice_practice_id", "letter_practice", ["practice_id"])
    op.create_table(
        "letter_text",
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("key", Text(length=40), nullable=False),
        sa.Column("subject", Text(length=150), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_letter_text_body_id_body")),
        sa.PrimaryKeyConstraint("body_id", "key", name=op.f("pk_letter_text")),
    )
    op.create_table(
        "letter_settings",
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.CheckConstraint("most BETWEEN 1 AND 12", name=op.f("ck_letter_settings_most")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_letter_settings_body_id_body")),
        sa.PrimaryKeyConstraint("body_id", name=op.f("pk_letter_settings")),
    )
    _outbox("message", kinds=True)
    _outbox("dead_letter")


def _outbox(table: str, *, kinds: bool = False) -> None:
    """Let a row of the outbox be of a letter in place of a round. Neither table has a trigger that SQLite could lose."""
    recreate = "always" if op.get_bind().dialect.name == "sqlite" else "auto"
    with op.batch_alter_table(table, recreate=recreate) as batch:
        batch.alter_column("round_id", existing_type=sa.Integer(), nullable=True)
        batch.add_column(sa.Column("letter_id", sa.Integer(), nullable=True))
        batch.create_foreign_key(op.f(f"fk_{table}_letter_id_letter"), "letter", ["letter_id"], ["id"])
        batch.create_index(f"ix_{table}_letter_id", ["letter_id"])
        batch.create_unique_constraint(op.f(f"uq_{table}_letter_id_member_id"), ["letter_id", "member_id"])
        batch.create_check_constraint(op.f(f"ck_{table}_one_reason"), ONE_REASON)
        if kinds:
            batch.drop_constraint(op.f(f"ck_{table}_kind"), type_="check")
            batch.create_check_constraint(op.f(f"ck_{table}_kind"), KINDS)
            batch.create_check_constraint(
                op.f(f"ck_{table}_letter_kind"), "(kind = 'letter') = (letter_id IS NOT NULL)"
            )


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
