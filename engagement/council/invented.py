"""Two invented questions of the council for the demo body, put and answered by the verbs that people call."""

from __future__ import annotations

from engagement.access import Actor, Role
from engagement.council import proposals
from engagement.db import Database


def make(database: Database, actor: Actor, body_id: int, account_id: int, name: str) -> None:
    """Put the questions as the council representative with this account; one is declined by `actor`, one waits."""
    representative = Actor(name, frozenset({(body_id, Role.COUNCIL)}), account_id, bodies=(body_id,))
    with database.session() as session:
        fees = proposals.propose(
            session,
            representative,
            body_id,
            "I am paid fairly and on time for the work that the CCG asks of my practice.",
            "To know whether the claims of the local schemes keep practices away.",
        )
        proposals.decline(
            session,
            actor,
            fees,
            "It asks two things, fair pay and pay in time, and national schemes are not ours to change. Propose the second "
            "alone and we will ask it.",
        )
        proposals.propose(
            session,
            representative,
            body_id,
            "I am paid on time for the work that the CCG asks of my practice.",
            "To ask the governing body for one day of the month on which all claims are paid.",
        )
