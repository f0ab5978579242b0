"""An open round extended, paused, resumed and cancelled: what is kept, who is told, what leaves, what is destroyed."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from engagement import web
from engagement.access import Actor, Role, audit
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.intake.links import panel_code
from engagement.intake.submit import Outcome
from engagement.messaging import outbox
from engagement.models import (
    Message,
    Participation,
    Release,
    Response,
    Round,
    RoundAmendment,
    SealedAnswer,
)
from engagement.rounds import lifecycle, verbs
from engagement.worker import LEASE_LENGTH, LINKS_KEPT, Worker
from tests import support
from tests.adversary.crowd import crowd, sheet_of
from tests.crash.faults import Faults, install
from tests.messaging.conftest import Kept, Office, mail_config, time  # noqa: F401

PEOPLE = 6
WEEK = timedelta(days=7)


@pytest.fixture
def office(database, mail_config, time) -> Office:  # noqa: F811
    """Six people with an open round to which they have been invited by mail."""
    keys = support.keys_of(mail_config)
    body_id = crowd(database, PEOPLE, practices=2, leaders=2)
    made = Office(database, keys, mail_config, body_id, support.launch(database, keys, body_id), Kept(), time)
    made.post()
    made.way.mails.clear()
    return made


def lead(office: Office) -> Actor:
    """The body's engagement lead."""
    return Actor("lead", frozenset({(office.body_id, Role.LEAD)}))


def do(office: Office, verb, *args, actor: Actor | None = None, **kwargs):
    """One verb on the open round in a transaction of its own."""
    with office.database.session() as session:
        return verb(session, actor or lead(office), office.round_id, *args, **kwargs)


def the_round(office: Office) -> Round:
    """The round's row."""
    with office.database.reading() as session:
        return session.get(Round, office.round_id)


def rows(office: Office, table, round_id: int | None = None) -> int:
    """How many rows of a table belong to the round."""
    with office.database.reading() as session:
        query = select(func.count()).select_from(table)
        return session.exec(query.where(table.round_id == (round_id or office.round_id))).one()


def work(office: Office) -> None:
    """A pass of the worker, a second later: a lease that was given back ends now."""
    office.time.on(seconds=1)
    Worker(office.database, office.keys).run_once()


def launch(office: Office) -> int:
    """Another round of the body, opened."""
    office.time.on(seconds=1)
    return support.launch(office.database, office.keys, office.body_id)


def close(office: Office, round_id: int) -> None:
    """A round closed and released."""
    office.time.on(seconds=1)
    support.close(office.database, office.keys, round_id)


def page(office: Office, place: int, form: dict | None = None) -> str:
    """What the page behind a member's link says."""
    door = office.all_doors[place]
    plain = web.routes(office.config)
    with TestClient(Starlette(routes=plain), base_url=office.config.public_url) as client:
        address = f"/a/{door.public_id}/{door.token}"
        found = client.get(address) if form is None else client.post(f"{address}?page=questions", data=form)
    return found.text


def test_a_round_closes_later_and_everybody_is_told(office):
    """The close moves, the promise does not; the amendment is chained to it, mailed to all, shown on the form and
    printed in the release."""
    office.answer(0)
    before = the_round(office)
    first = do(office, lifecycle.extend, before.closes_at + WEEK, reason="Half term \u202e *week*")
    second = do(office, lifecycle.extend, before.closes_at + 2 * WEEK)
    after = the_round(office)
    assert after.closes_at == before.closes_at + 2 * WEEK
    assert (after.promise, after.promise_hash) == (before.promise, before.promise_hash)
    contents = [json.loads(each.content) for each in (first, second)]
    assert [kept["previous"] for kept in contents] == [before.promise_hash, first.hash]
    assert contents[0]["closes_at"] == {
        "from": before.closes_at.isoformat(),
        "to": (before.closes_at + WEEK).isoformat(),
    }
    assert contents[0]["reason"] == "Half term *week*"
    with office.database.reading() as session:
        noted = session.exec(text("SELECT detail FROM audit_entry WHERE action = 'round.extended'")).all()
        assert first.hash in str(noted[0]) and audit.verify(session) is None
    office.post()
    assert len(office.way.mails) == 2 * PEOPLE and len(set(office.way.to)) == PEOPLE
    assert "now closes on 6 October 2026" in office.way.mails[0].words.text
    office.all_doors = office.doors()
    said = page(office, 3)
    assert "from 22 September 2026 at 10am to 29 September 2026 at 10am" in said
    assert "Half term *week*" in said and first.hash[:4] in said and second.hash[:4] in said
    office.time.on(days=29)
    work(office)
    with office.database.reading() as session:
        content = json.loads(session.exec(select(Release.content)).one())
    assert [each["hash"] for each in content["round"]["amendments"]] == [first.hash, second.hash]
    assert audit.sha256(audit.canonical(contents[0])) == first.hash


@pytest.mark.parametrize(
    "days, error, words",
    [(-1, Invalid, "only close later"), (0, Invalid, "only close later"), (91, Invalid, "at most 90 days")],
)
def test_a_close_moves_later_only(office, days, error, words):
    """An earlier or equal time, and one a quarter of a year later, are refused, and nothing is kept of the attempt."""
    closes = the_round(office).closes_at
    with pytest.raises(error, match=words):
        do(office, lifecycle.extend, closes + timedelta(days=days))
    assert the_round(office).closes_at == closes and rows(office, RoundAmendment) == 0


def test_what_is_over_or_not_ours_is_not_amended(office):
    """Nobody but the lead amends; a close that has passed stays; a closed round is neither paused nor cancelled."""
    for role in (Role.GOVERNING, Role.COUNCIL):
        for verb, args in ((lifecycle.pause, ()), (lifecycle.resume, ()), (lifecycle.live, ())):
            with pytest.raises(NotAllowed):
                do(office, verb, *args, actor=Actor("x", frozenset({(office.body_id, role)})))
    stranger = Actor("x", frozenset({(office.body_id + 1, Role.LEAD)}))
    with pytest.raises(NotFound):
        do(office, lifecycle.cancel, actor=stranger, reason="x")
    closes = the_round(office).closes_at
    office.time.now = closes
    with pytest.raises(Conflict, match="has passed"):
        do(office, lifecycle.extend, closes + WEEK)
    work(office)
    for verb, options in ((lifecycle.pause, {}), (lifecycle.resume, {}), (lifecycle.cancel, {"reason": "x"})):
        with pytest.raises(Conflict, match="is not open"):
            do(office, verb, **options)


def test_the_database_holds_amendments_and_the_close(office):
    """Not even a statement past the verbs changes or removes an amendment, or moves a close earlier; a row that was
    made up does not follow from the promise."""
    do(office, lifecycle.extend, the_round(office).closes_at + WEEK)
    for statement in (
        "UPDATE round_amendment SET content = '{}'",
        "DELETE FROM round_amendment",
        "UPDATE round SET closes_at = opens_at",
    ):
        with pytest.raises(DBAPIError, match=r"frozen|later only"), office.database.session() as session:
            session.execute(text(statement))
    with pytest.raises(Conflict, match="does not match its hash"), office.database.session() as session:
        kept = session.get(RoundAmendment, (office.round_id, 1))
        content = kept.content.replace('"number":1', '"number":2')
        session.add(
            RoundAmendment(
                **kept.model_dump() | {"number": 2, "content": content, "content_hash": audit.sha256(content)}
            )
        )
        session.flush()
        lifecycle.amendments(session, session.get(Round, office.round_id))


def test_a_pause_holds_all_mail_and_no_answer(office):
    """While paused nothing leaves, not even what was leased before; members answer; resuming lets it leave."""
    office.time.on(days=6)
    office.post()
    assert len(office.way.mails) == PEOPLE
    office.way.mails.clear()
    office.time.on(days=7)

    def paused_meanwhile(_mail) -> None:
        office.way.before = None
        do(office, lifecycle.pause)

    office.way.before = paused_meanwhile
    office.post()
    assert len(office.way.mails) == 1
    office.answer(0, 1)
    office.time.on(hours=1)
    office.post()
    assert len(office.way.mails) == 1 and rows(office, SealedAnswer) == 2
    with pytest.raises(Conflict, match="paused already"):
        do(office, lifecycle.pause)
    with pytest.raises(Conflict, match="Resume the round first"):
        do(office, lifecycle.extend, the_round(office).closes_at + WEEK)
    office.all_doors = office.doors()
    assert "You can answer all the same." in page(office, 3)
    with office.database.reading() as session:
        found = lifecycle.live(session, lead(office), office.round_id)
        assert outbox.oldest(session) is None
    assert found.paused_at is not None and [step.what[:16] for step in found.coming] == ["The round closes"]
    do(office, lifecycle.resume)
    office.post()
    answered = {mail.to for mail in office.way.mails[1:]} & {
        "quill00000@members.example",
        "quill00001@members.example",
    }
    assert len(office.way.mails) >= PEOPLE - 2 and not answered
    assert all(message.state == "done" for message in office.messages())


def test_a_round_paused_to_its_end_closes_and_is_published(office):
    """A pause stops neither the close nor the results."""
    do(office, lifecycle.pause, reason="Wrong wording in the reminder")
    office.time.on(days=15)
    work(office)
    office.post()
    assert the_round(office).state == "released" and len(office.way.mails) == PEOPLE


def test_a_cancelled_round_leaves_no_answer_and_everybody_knows(office):
    """Boxes, keys and later the links are gone, nothing was opened, all who were invited are told once, and every
    link says so, also to somebody who sends again."""
    office.answer(0, 1, 2)
    office.all_doors = office.doors()
    public_id = the_round(office).public_id
    with pytest.raises(Invalid, match="Say why"):
        do(office, lifecycle.cancel, reason=" \u200b ")
    do(office, lifecycle.pause)
    do(office, lifecycle.cancel, reason="The roster was <b>wrong</b>")
    assert support.answer(office.database, office.all_doors[3], sheet_of(3), "k3") is Outcome.CLOSED
    work(office)
    office.post()
    office.post()
    round_ = the_round(office)
    assert (round_.state, round_.trouble) == ("cancelled", None) and round_.keys_destroyed_at is not None
    assert [rows(office, table) for table in (SealedAnswer, Response, Release)] == [0, 0, 0]
    assert not office.keys.holds_round(public_id) and not list(office.keys.folder.glob("panel-*"))
    assert sorted(office.way.to) == sorted(set(office.way.to)) and len(office.way.mails) == PEOPLE
    mail = office.way.mails[0].words
    assert "The roster was <b>wrong</b>" in mail.text and "/a/" + public_id not in mail.text
    assert "<b>wrong" not in mail.html
    assert rows(office, Message) == 0
    form = {f"q-{key}": "4" for key in sheet_of(0).answers} | {"idem_key": "k" * 32}
    for said in (page(office, 0), page(office, 4), page(office, 4, form)):
        assert "This round was cancelled" in said and "The roster was &lt;b&gt;wrong&lt;/b&gt;" in said
    assert "NOT recorded" in page(office, 4, form)
    office.time.on(hours=25)
    assert rows(office, Participation) == PEOPLE and timedelta(hours=25) > LINKS_KEPT
    work(office)
    assert rows(office, Participation) == 0
    with office.database.reading() as session:
        assert audit.verify(session) is None


def test_later_rounds_go_on_from_the_round_before_the_cancelled_one(office):
    """A cancelled round keeps its number; the next one's panel codes and comparisons follow on from the last that
    was released, and its checklist does not compare with the cancelled one's questions."""
    key = office.keys.panel_before(office.body_id, 2)
    close(office, office.round_id)
    second = launch(office)
    with office.database.session() as session:
        lifecycle.cancel(session, lead(office), second, reason="Wrong list")
    work(office)
    third = launch(office)
    assert office.keys.panel_before(office.body_id, 3) == key
    doors = support.doors(office.database, office.keys, third)
    support.answer(office.database, doors[0], sheet_of(0))
    close(office, third)
    with office.database.reading() as session:
        found = session.exec(select(Response).where(Response.round_id == third)).one()
        states = session.exec(select(Round.number, Round.state).order_by(Round.number)).all()
        third_content = session.exec(select(Release.content).where(Release.round_id == third)).one()
    assert found.panel_before == panel_code(key, doors[0].row.member_id)
    assert states == [(1, "released"), (2, "cancelled"), (3, "released")]
    assert json.loads(third_content)["round"]["amendments"] == []


@pytest.mark.parametrize("before_it_opens", [False, True])
def test_a_cancellation_stopped_anywhere_is_caught_up(office, monkeypatch, before_it_opens):
    """Wherever a worker dies while it destroys, the next one ends with no key and no box, and the log is whole."""
    faults = Faults()
    install(faults, office.database, office.keys.folder, monkeypatch)
    if before_it_opens:
        close(office, office.round_id)
        with office.database.session() as session:
            new = verbs.new(
                session,
                lead(office),
                office.body_id,
                title="Second",
                opens_at=office.time() + WEEK,
                closes_at=office.time() + 2 * WEEK,
            )
            office.round_id = verbs.launch(session, lead(office), new.id).id
        office.keys.make_round(the_round(office).public_id)
        office.keys.make_panel(office.body_id, 2)
    else:
        office.answer(0, 1)
    do(office, lifecycle.cancel, reason="A test")
    at, struck = 0, True
    while struck:
        at += 1
        faults.begin(at)
        with faults.watched():
            work(office)
        struck = bool(faults.struck)
        assert rows(office, Response) == 0 or before_it_opens
        office.time.now += LEASE_LENGTH + timedelta(seconds=1)
    work(office)
    round_ = the_round(office)
    assert round_.keys_destroyed_at is not None and rows(office, SealedAnswer) == 0
    assert not office.keys.holds_round(round_.public_id)
    assert at > 3
    with office.database.reading() as session:
        noted = session.exec(
            text("SELECT count(*) FROM audit_entry WHERE action = 'round.keys_destroyed'")
        ).scalar_one()
        assert noted == 1 + before_it_opens and audit.verify(session) is None


def test_the_live_view_says_what_comes_next(office):
    """The next reminder, the close, and how much mail waits, with reminders to the nearest 5."""
    office.answer(0)
    with office.database.reading() as session:
        found = lifecycle.live(session, lead(office), office.round_id)
    assert [(row.kind, row.people, row.wait) for row in found.mailed] == [("invitation", PEOPLE, 0)]
    assert [step.what.split(",")[0] for step in found.coming] == [
        "Reminder 1 leaves",
        "The round closes. The answers are opened together",
    ]
    assert found.coming[0].at < found.coming[1].at == the_round(office).closes_at
    with office.database.session() as session:
        outbox.queue(session, session.get(Round, office.round_id), "reminder", 1)
    with office.database.reading() as session:
        found = lifecycle.live(session, lead(office), office.round_id, mail=False)
    assert [(row.kind, row.people, row.wait) for row in found.mailed][1:] == [("reminder", 5, 5)]
    assert len(found.coming) == 1
