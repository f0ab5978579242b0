"""The outreach of the demo body: people, past contacts, a plan for the months ahead. Invented, and made by the same verbs."""

from __future__ import annotations

from datetime import date, time, timedelta

from sqlmodel import Session, select

from engagement import clock
from engagement.access import Actor
from engagement.assessments import read as assessments
from engagement.db import Database
from engagement.models import Locality
from engagement.outreach import contacts, peers, plan, team
from engagement.risk.segments import CHAMPION, CLEAR, CRITICAL, WITHDRAWN

# The same lots on every machine.
SEED = 2_013
# Days ago, place in the order of need, action, outcome, what was heard, next step, days until then.
PAST = (
    (128, 0, "visit", "met", "Nobody there knew who to ring about district nurses.", "Send the list of contacts", -100),
    (121, 3, "visit", "met", "They read no papers for want of time. A summary of one page would help.", "", 0),
    (96, 6, "visit", "missed", "Two partners were ill.", "Ring again in spring", 110),
    (70, 1, "training", "met", "Two came to the session on referrals, and asked for another.", "", 0),
    (41, 9, "visit", "met", "They would host the next meeting of the locality.", "Agree a date", 12),
    (33, 4, "papers", "met", "", "", 0),
    (12, 2, "visit", "met", "The practice manager is new and had not had our mails.", "Put the roster right", -2),
)  # fmt: skip


def make(database: Database, actor: Actor, body_id: int) -> None:
    """Fill the outreach of a body that has been assessed."""
    with database.session() as session:
        _people(session, actor, body_id)
        needy = _needy(session, actor, body_id)
        today = clock.today()
        who = {person.name.split(" ")[-1]: person.id for person in team.people(session, actor, body_id)}
        logged = []
        for ago, place, action, outcome, heard, step, due in PAST:
            made = contacts.log_unplanned(
                session,
                actor,
                body_id,
                needy[place],
                action=action,
                person_id=who["Visitor"] if action == "visit" else who["Office"],
                done_on=today - timedelta(ago),
                outcome=outcome,
                heard=heard,
                next_step=step,
                next_on=today + timedelta(due) if step else None,
            )
            logged.append(made)
        contacts.next_done(session, actor, logged[0])
        team.exclude(
            session, actor, body_id, needy[12], "Asked not to be visited until its partners are settled."
        )
        made = plan.propose(session, actor, body_id, seed=SEED)
        plan.accept(session, actor, made)
        _by_hand(session, actor, body_id)
        _pairs(session, actor, body_id)
        peers.keep_groups(session, actor, body_id)


def _people(session: Session, actor: Actor, body_id: int) -> None:
    """A retired GP who visits, the office, and somebody for one locality only."""
    place = session.exec(
        select(Locality.code).where(Locality.body_id == body_id).order_by(Locality.name)
    ).first()
    for name, hours, locality, actions in (
        ("Dr Demo Visitor", 9, None, ["visit", "peer_group"]),
        ("Demo Engagement Office", 4, None, ["contact", "asks", "buddying", "papers", "shorter", "training"]),
        ("Dr Demo Neighbour", 3, place, ["visit", "peer_group", "buddying"]),
    ):
        team.save_person(session, actor, body_id, name=name, hours=hours, locality=locality, actions=actions)


def _needy(session: Session, actor: Actor, body_id: int) -> list[str]:
    """Codes, those first whose segment is clearly withdrawn or critical, by the engagement rank."""
    rows = assessments.latest(session, actor, body_id)["practices"]
    wanted = [row for row in rows if row["segment"] is not None]
    wanted.sort(
        key=lambda row: (
            not (row["clarity"] == CLEAR and row["leading_segment"] in (WITHDRAWN, CRITICAL)),
            row["clarity"] == CLEAR and row["leading_segment"] == CHAMPION,
            row["engagement"],
            row["practice_id"],
        )
    )
    return [row["practice_id"] for row in wanted]


def _by_hand(session: Session, actor: Actor, body_id: int) -> None:
    """Two visits have a day and time, and one was moved by hand."""
    visits = [
        row for row in contacts.rows(session, actor, body_id, states=["planned"]) if row.action == "visit"
    ]
    for row, day in zip(visits[:2], (9, 16), strict=False):
        at = clock.from_london(date(row.month.year, row.month.month, day), time(12, 30))
        plan.change(
            session, actor, row.id, action=row.action, month=row.month, person_id=row.person_id, visit_at=at
        )
    for row in visits[2:3]:
        later = contacts.add_months(row.month, 1)
        plan.change(session, actor, row.id, action=row.action, month=later, person_id=row.person_id)


def _pairs(session: Session, actor: Actor, body_id: int) -> None:
    """Pairs, of which one runs."""
    if peers.propose_pairs(session, actor, body_id):
        first = peers.pairs(session, actor, body_id)[0]
        peers.agree(session, actor, first.id, strong=True)
        peers.agree(session, actor, first.id, strong=False)
