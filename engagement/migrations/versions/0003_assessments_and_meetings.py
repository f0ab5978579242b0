"""Assessments of practices, one a round, and who came to meetings

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

import engagement.models.base
from engagement.migrations.triggers import refuse_change

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "assessment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_hash", sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.Column("software", sqlmodel.sql.sqltypes.AutoString(length=20), nullable=False),
        sa.Column("created_at", engagement.models.base.UtcTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_assessment_body_id_body")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_assessment_round_id_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
        sa.UniqueConstraint("round_id", name=op.f("uq_assessment_round_id")),
    )
    op.create_index("ix_assessment_body_id", "assessment", ["body_id"])
    op.create_table(
        "meeting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("title", sqlmodel.sql.sqltypes.AutoString(length=120), nullable=False),
        sa.CheckConstraint("length(title) > 0", name=op.f("ck_meeting_title_given")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_meeting_body_id_body")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meeting")),
        sa.UniqueConstraint("body_id", "held_on", "title", name=op.f("uq_meeting_body_id_held_on_title")),
    )
    op.create_index("ix_meeting_body_id", "meeting", ["body_id"])
    op.create_table(
        "attendance",
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("practice_id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.CheckConstraint("people >= 0", name=op.f("ck_attendance_people")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_attendance_body_id_body")),
        sa.ForeignKeyConstraint(
            ["meeting_id"], ["meeting.id"], name=op.f("fk_attendance_meeting_id_meeting")
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practice.id"], name=op.f("fk_attendance_practice_id_practice")
        ),
        sa.PrimaryKeyConstraint("meeting_id", "practice_id", name=op.f("pk_attendance")),
    )
    op.create_index("ix_attendance_body_id", "attendance", ["body_id"])
    op.create_index("ix_attendance_practice_id", "attendance", ["practice_id"])
    refuse_change("assessment")


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
