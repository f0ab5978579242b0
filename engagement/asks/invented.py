"""Five invented asks in different states, for the demo body; put, answered and rated by the verbs that people call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from engagement import clock
from engagement.access import Actor
from engagement.asks import answers, members, requests
from engagement.asks.topics import Draft
from engagement.db import Database

NURSE = Draft(
    topic="community",
    need="A named district nurse who comes to our weekly meeting",
    effect="Housebound patients see another nurse each week, about 30 visits. We hear of leg ulcers two weeks late, and "
    "five of those patients were admitted this winter.",
    change="The community trust names one nurse for our practice, who joins us on Tuesdays at 1pm.",
    improvement="Ulcers treated within days, and two or three admissions fewer in a winter.",
    goal="attendances",
)
SCHEME = Draft(
    topic="les",
    need="One local scheme with one claim form, in place of six",
    effect="Our manager spends two days a month on claims for six schemes, each with its own codes.",
    improvement="Two more days a month for recalls of patients with diabetes, so fewer go to hospital.",
    goal="referrals",
    interest="All practices are paid under these schemes. The sums would not change.",
)
TRIAGE = Draft(
    topic="access",
    need="Help to set up telephone triage, with training for four receptionists",
    effect="Patients wait 12 days for a routine appointment. About 15 a week tell us that they went to A&E instead.",
    improvement="A call back on the same day, and perhaps ten A&E attendances a week fewer.",
    goal="attendances",
)
ROOMS = Draft(
    topic="premises",
    need="Backing for two more consulting rooms",
    effect="Community nurses cannot hold clinics here, so patients travel nine miles.",
    improvement="Two clinics a week here.",
    goal="outcomes",
    interest="The partners own the building.",
)
HOUSEBOUND = Draft(
    topic="community",
    need="The same district nurse each week for our housebound patients",
    effect="About 20 housebound patients are seen by a different nurse each visit, and leg ulcers are found late.",
    improvement="Fewer admissions in winter.",
    goal="attendances",
)


def make(database: Database, actor: Actor, body_id: int, tokens: Mapping[int, str]) -> None:
    """Put the asks. `tokens`: that of one member's own page, by the number of the practice in the demo (0 to 41)."""
    with database.session() as session:
        nurse = members.raise_ask(session, tokens[3], NURSE, at=_ago(70))
        scheme = members.raise_ask(session, tokens[8], SCHEME, at=_ago(62))
        triage = members.raise_ask(session, tokens[21], TRIAGE, at=_ago(35))
        rooms = members.raise_ask(session, tokens[14], ROOMS, at=_ago(55))
        members.raise_ask(session, tokens[30], HOUSEBOUND, at=_ago(4))
        for ask, others in ((nurse, (5, 17, 30)), (scheme, (1, 2, 11, 19, 26, 33)), (triage, (12, 25))):
            for practice in others:
                members.endorse(session, tokens[practice], ask, together=practice in (17, 26))
        answers.answer(
            session,
            actor,
            nurse,
            "yes",
            "The trust agreed to name one nurse for each group of practices.",
            at=_ago(51),
        )
        answers.answer(
            session,
            actor,
            scheme,
            "part",
            "Two of the six schemes are national and keep their forms. The four local ones become one from April, with "
            "one claim a quarter.",
            due_on=clock.today() + timedelta(days=60),
            at=_ago(38),
        )
        answers.answer(
            session,
            actor,
            rooms,
            "no",
            "Rent is NHS England’s to decide and no money is set aside this year. We support your application to them.",
            at=_ago(30),
        )
        answers.mark_done(
            session,
            actor,
            nurse,
            "Four named nurses cover twelve practices since last month, and come to their meetings.",
            at=_ago(12),
        )
        members.rate(session, tokens[3], nurse, 5, "We know her, and she knows our patients.")
        members.rate(session, tokens[5], nurse, 4)
        members.rate(session, tokens[17], nurse, 2, "Ours has come once in four weeks.")
        answers.publish_action(
            session,
            actor,
            body_id,
            said="We never hear what became of what we told you.",
            did="Each ask now has a day by which it is answered, and the answers stand here.",
        )
        everybody = [f"DM{number:04d}" for number in tokens]
        for kind, title, days, gave in (
            ("data", "Winter plans, one a practice", 120, everybody[:31]),
            ("time", "A GP for the prescribing group", 90, everybody[::5]),
        ):
            asked_on = clock.today() - timedelta(days=days)
            request = requests.log_request(
                session, actor, body_id, kind=kind, title=title, practices=everybody, asked_on=asked_on
            )
            requests.set_given(session, actor, request, gave)


def _ago(days: int):
    return clock.now() - timedelta(days=days)
