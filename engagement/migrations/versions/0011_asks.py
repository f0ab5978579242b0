"""Asks both ways, and the member's own page

Revision: 0011, after 0010.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

from engagement.migrations.triggers import refuse_change
from engagement.models.base import UtcTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

Text = sqlmodel.sql.sqltypes.AutoString
INDEXED = {
    "member_page": ("body_id",),
    "ask": ("body_id", "practice_id", "member_id"),
    "ask_endorsement": ("practice_id", "body_id"),
    "ask_reply": ("body_id", "ask_id"),
    "ask_rating": ("body_id",),
    "ask_likeness": ("other_id", "body_id"),
    "body_request": ("body_id",),
    "body_request_practice": ("practice_id", "body_id"),
    "published_action": ("body_id",),
}


def upgrade() -> None:
    _pages()
    _asks()
    _requests()
    for table, columns in INDEXED.items():
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])
    refuse_change(
        "ask",
        columns=(
            "body_id",
            "practice_id",
            "member_id",
            "topic",
            "need",
            "effect",
            "change",
            "improvement",
            "goal",
            "interest",
            "public",
            "raised_at",
            "answer_by",
        ),
    )
    refuse_change("ask_reply")
    refuse_change("published_action", columns=("body_id", "said", "did", "published_by", "published_at"))


def _pages() -> None:
    op.create_table(
        "member_page",
        sa.Column("link_hash", Text(length=64), nullable=False),
        _number("body_id"),
        _number("member_id"),
        _number("generation"),
        _check("member_page", "link_hash", "length(link_hash) = 64"),
        _check("member_page", "generation", "generation >= 1"),
        *_keys("member_page", body_id="body", member_id="member"),
        sa.PrimaryKeyConstraint("link_hash", name=op.f("pk_member_page")),
        sa.UniqueConstraint("member_id", name=op.f("uq_member_page_member_id")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "page_request",
        sa.Column("id", Text(length=32), nullable=False),
        sa.Column("address", Text(length=254), nullable=False),
        _number("attempts"),
        _time("until"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_page_request")),
    )


def _asks() -> None:
    op.create_table(
        "ask",
        _number("id"),
        _number("body_id"),
        _number("practice_id"),
        _number("member_id", nullable=True),
        _text("topic", 20),
        _text("need", 200),
        _text("effect", 600),
        _text("change", 600),
        _text("improvement", 600),
        sa.Column("goal", Text(length=20), nullable=True),
        _text("interest", 300),
        sa.Column("public", sa.Boolean(), nullable=False),
        _time("raised_at"),
        sa.Column("answer_by", sa.Date(), nullable=False),
        _time("withdrawn_at", nullable=True),
        _time("hidden_at", nullable=True),
        _text("hidden_why", 300),
        sa.Column("compared", sa.Boolean(), nullable=False),
        _check("ask", "need_given", "length(need) > 0"),
        _check("ask", "effect_given", "length(effect) > 0"),
        *_keys("ask", body_id="body", practice_id="practice", member_id="member"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ask")),
    )
    op.create_table(
        "ask_endorsement",
        _number("ask_id"),
        _number("practice_id"),
        _number("body_id"),
        sa.Column("together", sa.Boolean(), nullable=False),
        _time("endorsed_at"),
        *_keys("ask_endorsement", ask_id="ask", practice_id="practice", body_id="body"),
        sa.PrimaryKeyConstraint("ask_id", "practice_id", name=op.f("pk_ask_endorsement")),
    )
    op.create_table(
        "ask_reply",
        _number("id"),
        _number("body_id"),
        _number("ask_id"),
        _text("kind", 4),
        _text("text", 1000),
        sa.Column("due_on", sa.Date(), nullable=True),
        _text("replied_by", 200),
        _time("replied_at"),
        _check("ask_reply", "kind", "kind IN ('yes', 'part', 'no', 'done')"),
        _check("ask_reply", "text_given", "length(text) > 0"),
        *_keys("ask_reply", body_id="body", ask_id="ask"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ask_reply")),
    )
    op.create_table(
        "ask_rating",
        _number("ask_id"),
        _text("rater", 64),
        _number("body_id"),
        _number("score"),
        _text("text", 500),
        _check("ask_rating", "score", "score BETWEEN 1 AND 5"),
        _check("ask_rating", "rater", "length(rater) = 64"),
        *_keys("ask_rating", ask_id="ask", body_id="body"),
        sa.PrimaryKeyConstraint("ask_id", "rater", name=op.f("pk_ask_rating")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ask_likeness",
        _number("ask_id"),
        _number("other_id"),
        _number("body_id"),
        sa.Column("cosine", sa.Float(), nullable=False),
        _check("ask_likeness", "in_order", "ask_id < other_id"),
        _check("ask_likeness", "cosine", "cosine BETWEEN 0 AND 1.000001"),
        *_keys("ask_likeness", ask_id="ask", other_id="ask", body_id="body"),
        sa.PrimaryKeyConstraint("ask_id", "other_id", name=op.f("pk_ask_likeness")),
    )


def _requests() -> None:
    op.create_table(
        "body_request",
        _number("id"),
        _number("body_id"),
        _text("kind", 8),
        _text("title", 120),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        _text("logged_by", 200),
        _check("body_request", "kind", "kind IN ('data', 'survey', 'meeting', 'visit', 'time', 'other')"),
        _check("body_request", "title_given", "length(title) > 0"),
        _check("body_request", "due_after_asked", "due_on IS NULL OR due_on >= asked_on"),
        *_keys("body_request", body_id="body"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_body_request")),
    )
    op.create_table(
        "body_request_practice",
        _number("request_id"),
        _number("practice_id"),
        _number("body_id"),
        sa.Column("given", sa.Boolean(), nullable=True),
        *_keys("body_request_practice", request_id="body_request", practice_id="practice", body_id="body"),
        sa.PrimaryKeyConstraint("request_id", "practice_id", name=op.f("pk_body_request_practice")),
    )
    op.create_table(
        "published_action",
        _number("id"),
        _number("body_id"),
        _text("said", 300),
        _text("did", 600),
        _text("published_by", 200),
        _time("published_at"),
        _time("removed_at", nullable=True),
        _check("published_action", "said_given", "length(said) > 0"),
        _check("published_action", "did_given", "length(did) > 0"),
        *_keys("published_action", body_id="body"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_published_action")),
    )


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
