"""Questions proposed by the council, who stands behind them, and the lead's answers

Revision: 0014, after 0013.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

from engagement.migrations.triggers import refuse_change
from engagement.models.base import UtcTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

Text = sqlmodel.sql.sqltypes.AutoString
INDEXED = {
    "item_proposal": ("body_id", "account_id"),
    "item_endorsement": ("account_id", "body_id"),
    "item_answer": ("body_id", "item_id"),
}


def upgrade() -> None:
    op.create_table(
        "item_proposal",
        _number("id"),
        _number("body_id"),
        _number("account_id"),
        _text("proposed_by", 200),
        _time("proposed_at"),
        _text("kind", 12),
        _text("text", 500),
        _text("why", 600),
        _time("withdrawn_at", nullable=True),
        _check("item_proposal", "kind", "kind IN ('agree5', 'engage4', 'text')"),
        _check("item_proposal", "text_given", "length(text) > 0"),
        _check("item_proposal", "why_given", "length(why) > 0"),
        *_keys("item_proposal", body_id="body", account_id="account"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_item_proposal")),
    )
    op.create_table(
        "item_endorsement",
        _number("proposal_id"),
        _number("account_id"),
        _number("body_id"),
        _text("endorsed_by", 200),
        _time("endorsed_at"),
        *_keys("item_endorsement", proposal_id="item_proposal", account_id="account", body_id="body"),
        sa.PrimaryKeyConstraint("proposal_id", "account_id", name=op.f("pk_item_endorsement")),
    )
    op.create_table(
        "item_answer",
        _number("proposal_id"),
        _number("body_id"),
        _text("verdict", 8),
        _text("reason", 600),
        _number("item_id", nullable=True),
        _text("answered_by", 200),
        _time("answered_at"),
        _check("item_answer", "verdict", "verdict IN ('accepted', 'declined')"),
        _check("item_answer", "accepted_as_item", "(verdict = 'accepted') = (item_id IS NOT NULL)"),
        _check("item_answer", "reason_given", "verdict = 'accepted' OR length(reason) > 0"),
        *_keys("item_answer", proposal_id="item_proposal", body_id="body", item_id="item"),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_item_answer")),
    )
    for table, columns in INDEXED.items():
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])
    refuse_change(
        "item_proposal",
        columns=("body_id", "account_id", "proposed_by", "proposed_at", "kind", "text", "why"),
    )
    refuse_change("item_answer")


def _number(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _text(name: str, length: int) -> sa.Column:
    return sa.Column(name, Text(length=length), nullable=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, UtcTime(timezone=True), nullable=nullable)


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _keys(table: str, **targets: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}_{target}"))
        for column, target in targets.items()
    ]


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
