"""Two and a half years of a programme on a fake clock, with everything that the calendar and a server can do to it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from sqlmodel import select

from engagement import clock
from engagement.access import Actor, Role
from engagement.errors import Conflict, NotFound
from engagement.messaging import planner, quiet
from engagement.messaging import settings as mail
from engagement.messaging.keys import MailKeys
from engagement.models import Body, Mailing, ProgrammeTurn, Release, Round
from engagement.rounds import programme
from engagement.worker import Worker
from tests import support

# Every six months on the last day of August and February, at nine, for eight weeks.
EXPECTED = [
    # planned to open, opened, closed (London): why
    ("2025-09-01", "2025-09-01", "2025-10-27"),  # 31 August is a Sunday; summer time ends on 26 October
    ("2026-03-02", "2026-03-02", "2026-04-27"),  # 28 February is a Saturday; summer time begins on 29 March
    ("2026-09-01", "2026-09-01", "2026-10-27"),  # 31 August is a bank holiday; summer time ends on 25 October
    (
        "2027-03-01",
        "2027-03-15",
        "2027-05-10",
    ),  # a month of downtime, over on a Sunday: two weeks late, full length
    ("2027-08-31", None, None),  # down past half its length: left out
    ("2028-02-29", "2028-02-29", "2028-04-25"),  # a leap day
]
DOWN = [(date(2027, 2, 11), date(2027, 3, 14)), (date(2027, 8, 10), date(2027, 10, 4))]
START, END = datetime(2025, 8, 1, tzinfo=UTC), datetime(2028, 5, 1, tzinfo=UTC)


def looks() -> list[datetime]:
    """When the worker looks: three times a day around what is expected, every fourth day while a round is open, once a
    month between, never while down."""
    near = {
        date.fromisoformat(day) + timedelta(days=n)
        for row in EXPECTED
        for day in row
        if day
        for n in (-1, 0, 1)
    } | {up + timedelta(days=n) for _, up in DOWN for n in (0, 1, 2)}
    open_on = {
        date.fromisoformat(opened) + timedelta(days=4 * n)
        for _, opened, closed in EXPECTED
        if opened
        for n in range((date.fromisoformat(closed) - date.fromisoformat(opened)).days // 4)
    }
    out = []
    for n in range((END - START).days):
        day = (START + timedelta(days=n)).date()
        if any(first <= day < last for first, last in DOWN):
            continue
        hours = (8, 9, 17) if day in near else (12,) if day in open_on or n % 30 == 0 else ()
        out += [datetime.combine(day, time(hour), tzinfo=UTC) for hour in hours]
    return out


@pytest.fixture
def now(monkeypatch):
    """A clock that the test sets: `now.at`."""

    class Now:
        at = START

    monkeypatch.setattr(clock, "now", lambda: Now.at)
    return Now


def london(at: datetime) -> str:
    """The day in London of an instant."""
    return clock.london_date(at).isoformat()


def test_each_round_happens_once_in_order_on_its_dates(database, config, now):
    """Through two changes of the clocks each way, bank holidays, a leap day, a month of downtime that opens a round
    late and a longer one that skips it: each round happened once, in order, on its dates; its members were invited and
    reminded, and it was published."""
    body_id = support.small_body(database, practices=3, leaders=4)
    lead = Actor("Lead", frozenset({(body_id, Role.LEAD)}))
    with database.session() as session:
        programme.save(
            session,
            lead,
            body_id,
            every=6,
            first=date(2025, 8, 31),
            by="day",
            days=56,
            opens=time(9),
            closes=time(17),
        )
    # Two workers, as after a restart: each takes every other look.
    workers = [Worker(database, support.keys_of(config)) for _ in range(2)]
    approved = open_at_once = 0
    for number, at in enumerate(looks()):
        now.at = at
        workers[number % 2].run_once()
        planner.plan(database, MailKeys(config.keys), real=False)
        with database.reading() as session:
            states = session.exec(select(Round.state)).all()
            open_at_once = max(open_at_once, states.count("open") + states.count("launching"))
            view = None if approved else programme.read(session, lead, body_id)
        coming = view and view.upcoming[0]
        if coming and coming.needs_approval:
            # Only the first round waits for somebody's word.
            approved += 1
            with database.session() as session:
                programme.approve(session, lead, body_id, coming.round_id)
    with database.reading() as session:
        rounds = session.exec(select(Round).order_by(Round.number)).all()
        turns = session.exec(select(ProgrammeTurn).order_by(ProgrammeTurn.turn)).all()
        releases = session.exec(select(Release.round_id)).all()
        view = programme.read(session, lead, body_id)
        mailings = session.exec(select(Mailing).order_by(Mailing.queued_at)).all()
    held = [row for row in EXPECTED if row[1]]
    assert [(london(r.launched_at), london(r.opens_at), london(r.closed_at)) for r in rounds] == [
        (opened, opened, closed) for _, opened, closed in held
    ]
    assert [london(r.closes_at) for r in rounds] == [closed for *_, closed in held]
    assert {r.closes_at.astimezone(clock.LONDON).time() for r in rounds} == {time(17)}
    assert [r.number for r in rounds] == [1, 2, 3, 4, 5] and {r.state for r in rounds} == {"released"}
    assert sorted(releases) == sorted(r.id for r in rounds)
    assert [london(turn.opens_at) for turn in turns] == [row[0] for row in EXPECTED]
    assert [turn.state for turn in turns] == ["launched"] * 4 + ["skipped", "launched"]
    assert "31 August 2027" in turns[4].reason and view.skipped[0].reason == turns[4].reason
    assert [turn.public_id for turn in turns if turn.public_id] == [r.public_id for r in rounds]
    assert approved == 1 and open_at_once == 1
    assert all(a.closed_at < b.opens_at for a, b in pairwise(rounds))
    for round_ in rounds:
        sent = [(one.kind, one.queued_at) for one in mailings if one.round_id == round_.id]
        kinds = [kind for kind, _ in sent]
        assert kinds[:4] == ["invitation", "reminder", "reminder", "reminder"] and "published" in kinds[4:]
        assert all(round_.opens_at <= at < round_.closes_at for _, at in sent[:4])
        assert all(quiet.is_working_time(at) for _, at in sent[1:4])
    # The items keep their ids from round to round.
    asked = [
        [(item["key"], item["version"]) for item in json.loads(round_.promise)["items"]] for round_ in rounds
    ]
    assert all(items == asked[0] for items in asked)


def test_bodies_do_not_cross(database, config, now):
    """Two bodies in one installation each keep their rule, quiet days, words and settings; what holds one up does not
    touch the other, and its lead can neither see nor move the other's rounds."""
    one = support.small_body(database, code="ONE", practices=3, leaders=4)
    two = support.small_body(database, code="TWO", practices=3, leaders=4)
    operator = support.OPERATOR
    with database.session() as session:
        mail.save(
            session,
            operator,
            two,
            config,
            sender_name="Two",
            sender_address="two@example.org",
            reminders=1,
            gap_days=9,
            quiet_days="2025-09-01 to 2025-09-05",
        )
        session.get(Body, two).words = {"body": "sub-ICB"}
        for body_id, tier in ((one, "anonymous"), (two, "confidential")):
            programme.save(
                session,
                operator,
                body_id,
                every=3,
                first=date(2025, 9, 1),
                by="day",
                days=28,
                opens=time(9),
                closes=time(17),
                approval="never",
                tier=tier,
                threshold=7 if body_id == one else None,
            )
        programme.pause(session, operator, one)
        programme.resume(session, operator, one)
    worker = Worker(database, support.keys_of(config))
    now.at = datetime(2025, 9, 1, 9, tzinfo=UTC)
    worker.run_once()
    now.at = datetime(2025, 9, 8, 9, tzinfo=UTC)
    with database.session() as session:
        # A draft made by hand stands in the way of the first body's next round, and of nothing else.
        programme.same_again(session, operator, one, opens_at=now.at + timedelta(days=300))
    worker.run_once()
    now.at = datetime(2025, 11, 25, 9, tzinfo=UTC)
    worker.run_once()
    with database.reading() as session:
        views = {body_id: programme.read(session, operator, body_id) for body_id in (one, two)}
        rounds = session.exec(select(Round).order_by(Round.body_id, Round.number)).all()
    found = [(r.body_id, r.number, r.tier, r.threshold, r.state, london(r.opens_at)) for r in rounds]
    assert found == [
        (one, 1, "anonymous", 7, "released", "2025-09-01"),
        (one, 2, "anonymous", 7, "draft", "2026-07-05"),
        (two, 1, "confidential", 10, "released", "2025-09-08"),
        (two, 2, "confidential", 10, "draft", "2025-12-01"),
    ]
    promised = [json.loads(round_.promise) for round_ in rounds if round_.promise]
    assert [content["body"]["words"]["body"] for content in promised] == ["CCG", "sub-ICB"]
    assert "sub-ICB" in promised[1]["items"][0]["text"] and "CCG" in promised[0]["items"][0]["text"]
    with database.reading() as session:
        senders = [mail.sender(session, session.get(Body, body_id), config) for body_id in (one, two)]
    assert senders[1].address == "two@example.org" != senders[0].address
    assert "still a draft" in views[one].trouble and views[two].trouble is None
    assert len(views[two].upcoming[0].reminders) == 1 and views[one].reminders == 3
    stranger = Actor("Lead of one", frozenset({(one, Role.LEAD)}))
    with database.session() as session:
        for verb in (programme.read, programme.pause, programme.same_again):
            with pytest.raises(NotFound):
                verb(session, stranger, two)
        with pytest.raises(Conflict, match="no draft of the programme"):
            programme.skip(session, stranger, one, rounds[3].id)
