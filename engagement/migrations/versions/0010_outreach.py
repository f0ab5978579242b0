"""Outreach: actions, people, plans, contacts, buddies and peer groups

Revision: 0010, after 0009.
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

from engagement.models.base import UtcTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

Text = sqlmodel.sql.sqltypes.AutoString
INDEXED = {
    "outreach_action": ("body_id",),
    "outreach_person": (
        "body_id",
        "locality_id",
        "practice_id",
    ),
    "outreach_exclusion": (
        "body_id",
        "practice_id",
    ),
    "outreach_plan": (
        "body_id",
        "round_id",
    ),
    "planned_contact": (
        "body_id",
        "practice_id",
        "plan_id",
        "round_id",
        "person_id",
    ),
    "buddy_pair": (
        "body_id",
        "strong_id",
        "struggling_id",
        "runner_up_id",
    ),
    "peer_group": ("body_id",),
    "peer_group_member": ("body_id",),
}


def upgrade() -> None:
    op.create_table(
        "outreach_action",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("key", Text(length=40), nullable=False),
        sa.Column("name", Text(length=80), nullable=False),
        sa.Column("about", Text(length=300), nullable=False),
        sa.Column("who", Text(length=80), nullable=False),
        sa.Column("hours", sa.Float(), nullable=False),
        sa.Column("segments", sa.JSON(), nullable=False),
        sa.Column("lane", Text(length=12), nullable=False),
        sa.Column("used", sa.Boolean(), nullable=False),
        sa.CheckConstraint("hours > 0 AND hours <= 200", name=op.f("ck_outreach_action_hours")),
        sa.CheckConstraint("lane IN ('body', 'both', 'nhs_england')", name=op.f("ck_outreach_action_lane")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_outreach_action_body_id_body")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outreach_action")),
        sa.UniqueConstraint("body_id", "key", name=op.f("uq_outreach_action_body_id_key")),
    )
    op.create_table(
        "outreach_person",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("name", Text(length=120), nullable=False),
        sa.Column("hours", sa.Float(), nullable=False),
        sa.Column("locality_id", sa.Integer(), nullable=True),
        sa.Column("practice_id", sa.Integer(), nullable=True),
        sa.Column("actions", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint("hours >= 0 AND hours <= 200", name=op.f("ck_outreach_person_hours")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_outreach_person_body_id_body")),
        sa.ForeignKeyConstraint(
            ["locality_id"], ["locality.id"], name=op.f("fk_outreach_person_locality_id_locality")
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practice.id"], name=op.f("fk_outreach_person_practice_id_practice")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outreach_person")),
        sa.UniqueConstraint("body_id", "name", name=op.f("uq_outreach_person_body_id_name")),
    )
    op.create_table(
        "outreach_settings",
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("floor_months", sa.Integer(), nullable=False),
        sa.Column("rest_months", sa.Integer(), nullable=False),
        sa.Column("random_share", sa.Integer(), nullable=False),
        sa.Column("slack", sa.Integer(), nullable=False),
        sa.Column("counted_from", sa.Date(), nullable=True),
        sa.CheckConstraint("floor_months BETWEEN 1 AND 60", name=op.f("ck_outreach_settings_floor_months")),
        sa.CheckConstraint("months BETWEEN 1 AND 12", name=op.f("ck_outreach_settings_months")),
        sa.CheckConstraint("random_share BETWEEN 0 AND 100", name=op.f("ck_outreach_settings_random_share")),
        sa.CheckConstraint("rest_months BETWEEN 0 AND 24", name=op.f("ck_outreach_settings_rest_months")),
        sa.CheckConstraint("slack BETWEEN 0 AND 100", name=op.f("ck_outreach_settings_slack")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_outreach_settings_body_id_body")),
        sa.PrimaryKeyConstraint("body_id", name=op.f("pk_outreach_settings")),
    )
    op.create_table(
        "outreach_exclusion",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("practice_id", sa.Integer(), nullable=False),
        sa.Column("reason", Text(length=300), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_outreach_exclusion_body_id_body")),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practice.id"], name=op.f("fk_outreach_exclusion_practice_id_practice")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outreach_exclusion")),
        sa.UniqueConstraint("body_id", "practice_id", name=op.f("uq_outreach_exclusion_body_id_practice_id")),
    )
    op.create_table(
        "outreach_plan",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("first_month", sa.Date(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.Column("made_at", UtcTime(timezone=True), nullable=False),
        sa.Column("made_by", Text(length=120), nullable=False),
        sa.Column("accepted_at", UtcTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_outreach_plan_body_id_body")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_outreach_plan_round_id_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outreach_plan")),
    )
    op.create_table(
        "planned_contact",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("practice_id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=True),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("action", Text(length=40), nullable=False),
        sa.Column("action_name", Text(length=80), nullable=False),
        sa.Column("hours", sa.Float(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("visit_at", UtcTime(timezone=True), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("why", Text(length=8), nullable=False),
        sa.Column("reason", Text(length=500), nullable=False),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("state", Text(length=10), nullable=False),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("outcome", Text(length=10), nullable=True),
        sa.Column("heard", sa.Text(), nullable=True),
        sa.Column("next_step", Text(length=300), nullable=True),
        sa.Column("next_on", sa.Date(), nullable=True),
        sa.Column("next_done_on", sa.Date(), nullable=True),
        sa.Column("made_at", UtcTime(timezone=True), nullable=False),
        sa.Column("made_by", Text(length=120), nullable=False),
        sa.CheckConstraint(
            "(state = 'done') = (done_on IS NOT NULL)", name=op.f("ck_planned_contact_done_has_a_day")
        ),
        sa.CheckConstraint(
            "(state = 'done') = (outcome IS NOT NULL)", name=op.f("ck_planned_contact_done_has_an_outcome")
        ),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome IN ('met', 'missed', 'declined')",
            name=op.f("ck_planned_contact_outcome"),
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'planned', 'done', 'cancelled')", name=op.f("ck_planned_contact_state")
        ),
        sa.CheckConstraint(
            "why IN ('segment', 'floor', 'random', 'hand')", name=op.f("ck_planned_contact_why")
        ),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_planned_contact_body_id_body")),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practice.id"], name=op.f("fk_planned_contact_practice_id_practice")
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["outreach_plan.id"], name=op.f("fk_planned_contact_plan_id_outreach_plan")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_planned_contact_round_id_round")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["outreach_person.id"], name=op.f("fk_planned_contact_person_id_outreach_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_planned_contact")),
    )
    op.create_table(
        "buddy_pair",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("strong_id", sa.Integer(), nullable=False),
        sa.Column("struggling_id", sa.Integer(), nullable=False),
        sa.Column("runner_up_id", sa.Integer(), nullable=True),
        sa.Column("reason", Text(length=500), nullable=False),
        sa.Column("runner_up_reason", Text(length=500), nullable=True),
        sa.Column("strong_agreed_on", sa.Date(), nullable=True),
        sa.Column("struggling_agreed_on", sa.Date(), nullable=True),
        sa.Column("state", Text(length=10), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.CheckConstraint(
            "state <> 'agreed' OR (strong_agreed_on IS NOT NULL AND struggling_agreed_on IS NOT NULL)",
            name=op.f("ck_buddy_pair_both_agreed"),
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'agreed', 'ended', 'declined')", name=op.f("ck_buddy_pair_state")
        ),
        sa.CheckConstraint("strong_id <> struggling_id", name=op.f("ck_buddy_pair_two_practices")),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_buddy_pair_body_id_body")),
        sa.ForeignKeyConstraint(
            ["strong_id"], ["practice.id"], name=op.f("fk_buddy_pair_strong_id_practice")
        ),
        sa.ForeignKeyConstraint(
            ["struggling_id"], ["practice.id"], name=op.f("fk_buddy_pair_struggling_id_practice")
        ),
        sa.ForeignKeyConstraint(
            ["runner_up_id"], ["practice.id"], name=op.f("fk_buddy_pair_runner_up_id_practice")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_buddy_pair")),
    )
    op.create_table(
        "peer_group",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.Column("name", Text(length=120), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_peer_group_body_id_body")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_peer_group")),
    )
    op.create_table(
        "peer_group_member",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("practice_id", sa.Integer(), nullable=False),
        sa.Column("body_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["peer_group.id"], name=op.f("fk_peer_group_member_group_id_peer_group")
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practice.id"], name=op.f("fk_peer_group_member_practice_id_practice")
        ),
        sa.ForeignKeyConstraint(["body_id"], ["body.id"], name=op.f("fk_peer_group_member_body_id_body")),
        sa.PrimaryKeyConstraint("group_id", "practice_id", name=op.f("pk_peer_group_member")),
        sa.UniqueConstraint("practice_id", name=op.f("uq_peer_group_member_practice_id")),
    )
    for table, columns in INDEXED.items():
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    raise NotImplementedError("restore the copy that was made before the migration")
