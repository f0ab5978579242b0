"""The outbox of mail, bounces, opt-outs, and what each body writes and when

Revision: 0006, after 0005.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
import sqlmodel
from alembic import op

import engagement.models.base

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Text = sqlmodel.sql.sqltypes.AutoString
KINDS = "kind IN ('invitation', 'reminder', 'amendment', 'link', 'published', 'results', 'widened')"


def upgrade() -> None:
    op.create_table(
        "bounce",
        sa.Column("address", Text(length=254), nullable=False),
        sa.Column("hard", sa.Boolean(), nullable=False),
        sa.Column("soft", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_bounce")),
    )
    op.create_table(
        "link_request",
        sa.Column("id", Text(length=32), nullable=False),
        sa.Column("address", Text(length=254), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link_request")),
    )
    op.create_table(
        "mail_clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("next_at", engagement.models.base.UtcTime(timezone=True), nullable=False),
        sa.Column("trouble", Text(length=300), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_clock")),
    )
    clock = sa.table("mail_clock", sa.column("id"), sa.column("next_at", engagement.models.base.UtcTime()))
    op.execute(clock.insert().values(id=1, next_at=datetime(2000, 1, 1, tzinfo=UTC)))
    op.create_table(
        "mail_settings",
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("sender_name", Text(length=100), nullable=True),
        sa.Column("sender_address", Text(length=254), nullable=True),
        sa.Column("reply_to", Text(length=254), nullable=True),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.Column("gap_days", sa.Integer(), nullable=False),
        sa.Column("quiet_days", sa.JSON(), nullable=False),
        sa.CheckConstraint("gap_days BETWEEN 2 AND 60", name=op.f("ck_mail_settings_gap_days")),
        sa.CheckConstraint("reminders BETWEEN 0 AND 7", name=op.f("ck_mail_settings_reminders")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_mail_settings_body_id_body")),
        sa.PrimaryKeyConstraint("body_id", name=op.f("pk_mail_settings")),
    )
    op.create_table(
        "message_template",
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("kind", Text(length=12), nullable=False),
        sa.Column("subject", Text(length=150), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint(KINDS, name=op.f("ck_message_template_kind")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_message_template_body_id_body")),
        sa.PrimaryKeyConstraint("body_id", "kind", name=op.f("pk_message_template")),
    )
    op.create_table(
        "opt_out",
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("scope", Text(length=10), nullable=False),
        sa.CheckConstraint("scope IN ('reminders', 'all')", name=op.f("ck_opt_out_scope")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_opt_out_body_id_body")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_opt_out_member_id_member")),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_opt_out")),
    )
    op.create_index("ix_opt_out_body_id", "opt_out", ["body_id"])
    op.create_table(
        "opt_out_link",
        sa.Column("link_hash", Text(length=64), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("length(link_hash) = 64", name=op.f("ck_opt_out_link_link_hash")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_opt_out_link_body_id_body")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_opt_out_link_member_id_member")),
        sa.PrimaryKeyConstraint("link_hash", name=op.f("pk_opt_out_link")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_opt_out_link_body_id", "opt_out_link", ["body_id"])
    op.create_index("ix_opt_out_link_member_id", "opt_out_link", ["member_id"])
    op.create_table(
        "contact",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("practice_id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("invited", sa.Integer(), nullable=False),
        sa.Column("reached", sa.Integer(), nullable=False),
        sa.CheckConstraint("reached >= 0 AND reached <= invited", name=op.f("ck_contact_reached_of_invited")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_contact_body_id_body")),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practice.id"], name=op.f("fk_contact_practice_id_practice")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_contact_round_id_round")),
        sa.PrimaryKeyConstraint("round_id", "practice_id", name=op.f("pk_contact")),
    )
    op.create_index("ix_contact_body_id", "contact", ["body_id"])
    op.create_table(
        "dead_letter",
        sa.Column("id", Text(length=32), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("address", Text(length=254), nullable=False),
        sa.Column("reason", Text(length=300), nullable=False),
        sa.CheckConstraint(
            "(member_id IS NULL) <> (account_id IS NULL)", name=op.f("ck_dead_letter_one_person")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_dead_letter_account_id_account")
        ),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_dead_letter_body_id_body")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_dead_letter_member_id_member")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_dead_letter_round_id_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letter")),
        sa.UniqueConstraint("round_id", "account_id", name=op.f("uq_dead_letter_round_id_account_id")),
        sa.UniqueConstraint("round_id", "member_id", name=op.f("uq_dead_letter_round_id_member_id")),
    )
    op.create_index("ix_dead_letter_body_id", "dead_letter", ["body_id"])
    op.create_index("ix_dead_letter_round_id", "dead_letter", ["round_id"])
    op.create_table(
        "mailing",
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("kind", Text(length=12), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("queued_at", engagement.models.base.UtcTime(timezone=True), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.CheckConstraint(KINDS, name=op.f("ck_mailing_kind")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_mailing_body_id_body")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_mailing_round_id_round")),
        sa.PrimaryKeyConstraint("round_id", "kind", "number", name=op.f("pk_mailing")),
    )
    op.create_index("ix_mailing_body_id", "mailing", ["body_id"])
    op.create_table(
        "message",
        sa.Column("id", Text(length=32), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("kind", Text(length=12), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("state", Text(length=8), nullable=False),
        sa.Column("due_at", engagement.models.base.UtcTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("holder", Text(length=80), nullable=True),
        sa.Column("until", engagement.models.base.UtcTime(timezone=True), nullable=True),
        sa.CheckConstraint(KINDS, name=op.f("ck_message_kind")),
        sa.CheckConstraint(
            "state <> 'done' OR (due_at IS NULL AND holder IS NULL AND until IS NULL AND attempts = 0)",
            name=op.f("ck_message_one_end"),
        ),
        sa.CheckConstraint("state IN ('waiting', 'leased', 'done')", name=op.f("ck_message_state")),
        sa.CheckConstraint("(member_id IS NULL) <> (account_id IS NULL)", name=op.f("ck_message_one_person")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_message_account_id_account")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_message_body_id_body")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_message_member_id_member")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_message_round_id_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint(
            "round_id",
            "kind",
            "number",
            "account_id",
            name=op.f("uq_message_round_id_kind_number_account_id"),
        ),
        sa.UniqueConstraint(
            "round_id", "kind", "number", "member_id", name=op.f("uq_message_round_id_kind_number_member_id")
        ),
    )
    op.create_index("ix_message_body_id", "message", ["body_id"])
    op.create_index("ix_message_due_at", "message", ["due_at"])
    op.create_index("ix_message_round_id", "message", ["round_id"])


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
