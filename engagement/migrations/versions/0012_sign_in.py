"""sign in: provider identities, mailed links, second factors, limits that survive a restart

Revision: 0012, after 0011.
"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString as Text

import engagement.models.base

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _when(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, engagement.models.base.UtcTime(timezone=True), nullable=nullable)


def _text(name: str, length: int, nullable: bool = False) -> sa.Column:
    return sa.Column(name, Text(length=length), nullable=nullable)


def _account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id"], ["account.id"], name=op.f(f"fk_{table}_account_id_account")
    )


def _kind(table: str) -> sa.CheckConstraint:
    return sa.CheckConstraint("kind IN ('link', 'invitation')", name=op.f(f"ck_{table}_kind"))


def upgrade() -> None:
    # Sessions of before gave no second factor: those who need one sign in again.
    op.add_column(
        "staff_session", sa.Column("assured", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column(
        "staff_session", sa.Column("way", Text(length=10), nullable=False, server_default="password")
    )
    op.add_column("staff_session", sa.Column("device", Text(length=40), nullable=False, server_default=""))
    op.create_table(
        "account_identity",
        _text("issuer", 255),
        _text("subject", 255),
        sa.Column("account_id", sa.Integer(), nullable=False),
        _when("bound_at"),
        _account("account_identity"),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_account_identity")),
        sa.UniqueConstraint("account_id", "issuer", name=op.f("uq_account_identity_account_id_issuer")),
    )
    op.create_table(
        "provider_flow",
        _text("state_hash", 64),
        _text("browser_hash", 64),
        _text("invitation_hash", 64, nullable=True),
        _text("wanted", 1000),
        _when("started_at"),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_provider_flow")),
    )
    op.create_table(
        "sign_in_link",
        _text("token_hash", 64),
        _text("kind", 10),
        sa.Column("account_id", sa.Integer(), nullable=False),
        _text("browser_hash", 64, nullable=True),
        _when("expires_at"),
        sa.Column("used", sa.Boolean(), nullable=False),
        _kind("sign_in_link"),
        _account("sign_in_link"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sign_in_link")),
    )
    op.create_index("ix_sign_in_link_account_id", "sign_in_link", ["account_id"])
    op.create_table(
        "sign_in_mail",
        _text("id", 32),
        _text("kind", 10),
        _text("address", 254),
        sa.Column("body_id", sa.Integer(), nullable=True),
        _text("browser_hash", 64, nullable=True),
        _when("asked_at"),
        _when("held_until", nullable=True),
        _kind("sign_in_mail"),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_sign_in_mail_body_id_body")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_mail")),
    )
    op.create_table(
        "sign_in_attempt",
        _text("id", 32),
        _text("key_hash", 64),
        _when("at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_attempt")),
    )
    op.create_index("ix_sign_in_attempt_key_hash", "sign_in_attempt", ["key_hash"])
    op.create_index("ix_sign_in_attempt_at", "sign_in_attempt", ["at"])
    op.create_table(
        "second_factor",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        _when("made_at"),
        _account("second_factor"),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_second_factor")),
    )
    op.create_table(
        "recovery_code",
        _text("code_hash", 64),
        sa.Column("account_id", sa.Integer(), nullable=False),
        _account("recovery_code"),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_recovery_code")),
    )
    op.create_index("ix_recovery_code_account_id", "recovery_code", ["account_id"])


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
