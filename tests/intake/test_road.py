"""The road of an answer: launched, sealed, mixed, released."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text, update
from sqlmodel import func, select

from engagement import clock
from engagement.access import audit
from engagement.errors import Conflict
from engagement.intake.submit import DoorState, Outcome, look, submit, withdraw
from engagement.models import Comment, PanelSkip, Participation, Release, Response, Round, SealedAnswer, Spell
from engagement.releases import gating, tally
from engagement.rounds import verbs as rounds
from engagement.worker import Worker
from tests import support


@pytest.fixture
def road(database, config):
    """An open round in a small body: its id, the doors, and the keys."""
    keys = support.keys_of(config)
    body_id = support.small_body(database)
    round_id = support.launch(database, keys, body_id)
    return database, keys, round_id, support.doors(database, keys, round_id)


def test_a_round_goes_from_launch_to_release(road):
    """Sixty sealed answers come out of the mix, the keys are gone, and the release holds a gap."""
    database, keys, round_id, doors = road
    for place, door in enumerate(doors):
        leader = door.row.standing == "leader"
        sheet = support.sheet(4 if leader == bool(place % 5) else 2, comment=f"words {place}")
        assert support.answer(database, door, sheet) is Outcome.STORED
    support.close(database, keys, round_id)
    with database.reading() as session:
        round_ = session.get(Round, round_id)
        assert round_.trouble is None
        assert round_.state == "released" and round_.keys_destroyed_at is not None
        assert not keys.holds_round(round_.public_id)
        assert session.exec(select(func.count()).select_from(Response)).one() == len(doors)
        assert session.exec(select(func.count()).select_from(Comment)).one() == len(doors)
        assert session.exec(select(func.count()).select_from(SealedAnswer)).one() == 0
        content = json.loads(session.exec(select(Release.content)).one())
        assert content["items"][0]["gap"]["mark"] == "shown"
        assert content["participation"]["answered_percent"] == 100
        assert audit.verify(session) is None


def test_the_same_form_twice_is_received_once(road):
    """A retry of the same form hears that it was received; another form hears that the link is used."""
    database, keys, round_id, doors = road
    assert support.answer(database, doors[0], support.sheet(), "first") is Outcome.STORED
    assert support.answer(database, doors[0], support.sheet(), "first") is Outcome.ALREADY
    assert support.answer(database, doors[0], support.sheet(1), "second") is Outcome.USED
    with database.reading() as session:
        assert session.exec(select(func.count()).select_from(SealedAnswer)).one() == 1
    support.close(database, keys, round_id)
    assert support.answer(database, doors[0], support.sheet(), "first") is Outcome.ALREADY
    assert support.answer(database, doors[1], support.sheet(), "x") is Outcome.CLOSED


def test_doors(road, monkeypatch):
    """Unknown, ready, used, not yet open and closed links each open their own door; looking changes nothing."""
    database, _, _, doors = road
    door = doors[0]

    def state(token=door.token, public_id=door.public_id):
        with database.reading() as session:
            return look(session, public_id, token).state

    assert state() is DoorState.READY
    assert state(door.token.upper()) is DoorState.READY
    assert state("a" * 26) is DoorState.UNKNOWN
    assert state("nonsense") is DoorState.UNKNOWN
    assert state(public_id="nosuchround1") is DoorState.UNKNOWN
    support.answer(database, door, support.sheet())
    assert state() is DoorState.USED
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now - clock.days(1))
    assert state(doors[1].token) is DoorState.NOT_OPEN
    monkeypatch.setattr(clock, "now", lambda: now + clock.days(15))
    assert state(doors[1].token) is DoorState.CLOSED
    assert state("a" * 26) is DoorState.CLOSED


def test_the_last_instant_is_outside(road, monkeypatch):
    """A round takes answers until its close and not at it."""
    database, _, round_id, doors = road
    with database.reading() as session:
        closes = session.get(Round, round_id).closes_at
    monkeypatch.setattr(clock, "now", lambda: closes)
    assert support.answer(database, doors[0], support.sheet()) is Outcome.CLOSED
    monkeypatch.setattr(clock, "now", lambda: closes - clock.days(1e-8))
    assert support.answer(database, doors[0], support.sheet()) is Outcome.STORED


def test_a_withdrawn_answer_is_not_counted(road):
    """An answer taken back before close is dropped by the mix, cannot be sent again, and the counts agree."""
    database, keys, round_id, doors = road
    for door in doors[:30]:
        support.answer(database, door, support.sheet())
    with database.session() as session:
        assert withdraw(session, doors[0].public_id, doors[0].token)
        assert not withdraw(session, doors[0].public_id, doors[0].token)
        assert not withdraw(session, doors[40].public_id, doors[40].token)
    assert support.answer(database, doors[0], support.sheet(), "again") is Outcome.USED
    support.close(database, keys, round_id)
    with database.reading() as session:
        assert session.exec(select(func.count()).select_from(Response)).one() == 29


def test_boxes_have_one_size(road):
    """The shortest answer and the longest comment make boxes of the same length."""
    database, _, _, doors = road
    support.answer(database, doors[0], support.sheet())
    support.answer(database, doors[1], support.sheet(comment="\U0001f469" * 1500, tick=True))
    with database.reading() as session:
        sizes = {len(box) for box in session.exec(select(SealedAnswer.box))}
        standings = {len(s) for s in session.exec(select(Participation.standing))}
    assert len(sizes) == 1 and len(standings) == 1


def test_a_promise_cannot_be_edited(road):
    """The database refuses to change what a launched round promised, and so does the verb."""
    database, _, round_id, _ = road
    for column, value in (("promise", "'{}'"), ("threshold", "5"), ("tier", "'anonymous'")):
        with pytest.raises(Exception, match="frozen"), database.session() as session:
            session.exec(text(f"UPDATE round SET {column} = {value}"))
    with pytest.raises(Conflict, match="promised"), database.session() as session:
        rounds.edit(
            session,
            support.OPERATOR,
            round_id,
            title="x",
            opens_at=None,
            closes_at=None,
            tier="confidential",
            threshold=5,
        )


def test_a_missing_box_stops_the_close(road):
    """If a sealed answer is lost, nothing is mixed, nothing is deleted, and the round says that it is in trouble."""
    database, keys, round_id, doors = road
    for door in doors[:20]:
        support.answer(database, door, support.sheet())
    with database.session() as session:
        session.exec(text("DELETE FROM sealed_answer WHERE id = (SELECT min(id) FROM sealed_answer)"))
    support.close(database, keys, round_id)
    with database.reading() as session:
        round_ = session.get(Round, round_id)
        assert round_.state == "closing" and "19 answers are sealed" in round_.trouble
        assert session.exec(select(func.count()).select_from(SealedAnswer)).one() == 19
        assert keys.holds_round(round_.public_id)


def test_panel_codes_join_adjacent_rounds_and_no_others(database, config):
    """A member's code of one round is found in the next; the key that could name them is destroyed at its close."""
    keys = support.keys_of(config)
    body_id = support.small_body(database)
    codes = []
    for _ in range(2):
        round_id = support.launch(database, keys, body_id)
        for door in support.doors(database, keys, round_id):
            support.answer(database, door, support.sheet())
        support.close(database, keys, round_id)
        with database.reading() as session:
            codes.append(
                session.exec(
                    select(Response.panel_before, Response.panel_now).where(Response.round_id == round_id)
                ).all()
            )
    assert {now for _, now in codes[0]} == {before for before, _ in codes[1]}
    assert not {now for _, now in codes[0]} & {now for _, now in codes[1]}
    assert len(list(config.keys.glob("panel-*.key"))) == 1


def test_panel_codes_join_over_a_skipped_round(database, config):
    """Who sends nothing, or withdraws, leaves two codes in that round and no answer, and is the same person afterwards."""
    keys = support.keys_of(config)
    body_id = support.small_body(database)
    for number in (1, 2, 3):
        round_id = support.launch(database, keys, body_id)
        doors = support.doors(database, keys, round_id)
        for door in doors[1 if number == 2 else 0 :]:
            support.answer(database, door, support.sheet())
        if number == 2:
            with database.session() as session:
                assert withdraw(session, doors[1].public_id, doors[1].token)
        support.close(database, keys, round_id)
    with database.reading() as session:
        held = session.exec(select(Round).order_by(Round.number)).all()
        answers = [tally.read(session, round_) for round_ in held]
        skips = session.exec(select(PanelSkip)).all()
    assert {skip.round_id for skip in skips} == {held[1].id} and len(skips) == 2
    codes = {skip.panel_now for skip in skips}
    assert codes <= set(answers[2].before) and not codes & set(answers[1].now)
    one, two, three = gating.people(answers)
    assert set(one) == set(three) and len(set(one) - set(two)) == 2


def test_panel_codes_join_over_a_round_off_the_roster(database, config):
    """Who leaves the roster for a round is the same person on coming back, and leaves nothing but two codes meanwhile."""
    keys = support.keys_of(config)
    body_id = support.small_body(database)
    with database.reading() as session:
        spell = session.exec(select(Spell).where(Spell.body_id == body_id).order_by(Spell.id)).first()
        member_id = spell.member_id
    for number in (1, 2, 3):
        with database.session() as session:
            left = clock.today() if number == 2 else None
            session.exec(update(Spell).where(Spell.member_id == member_id).values(ends=left))
        round_id = support.launch(database, keys, body_id)
        doors = support.doors(database, keys, round_id)
        assert (member_id in {door.row.member_id for door in doors}) == (number != 2)
        for door in doors:
            support.answer(database, door, support.sheet())
        support.close(database, keys, round_id)
    with database.reading() as session:
        held = session.exec(select(Round).order_by(Round.number)).all()
        answers = [tally.read(session, round_) for round_ in held]
        (skip,) = session.exec(select(PanelSkip)).all()
    assert skip.round_id == held[1].id
    one, two, three = gating.people(answers)
    assert set(one) == set(three) and len(set(one) - set(two)) == 1


@pytest.mark.parametrize("tier", ["anonymous", "practice-view"])
def test_other_tiers_keep_what_they_promise(database, config, tier):
    """An anonymous answer keeps its arm alone; a practice view asks one representative a practice, openly."""
    keys = support.keys_of(config)
    body_id = support.small_body(database)
    round_id = support.launch(database, keys, body_id, tier=tier)
    doors = support.doors(database, keys, round_id)
    with database.reading() as session:
        forms = set(session.exec(select(Participation.form)))
    for door in doors:
        support.answer(database, door, support.sheet(tick=True))
    with database.session() as session:
        assert not withdraw(session, doors[0].public_id, doors[0].token)
    support.close(database, keys, round_id)
    with database.reading() as session:
        rows = session.exec(select(Response)).all()
        assert session.exec(select(PanelSkip)).all() == []
    assert not any(row.panel_now or row.practice_may_use or row.strata for row in rows)
    if tier == "anonymous":
        assert forms == {None} and not any(row.practice_id or row.strata for row in rows)
    else:
        assert len(forms) == len(doors) == 12 and len({row.practice_id for row in rows}) == 12


def test_two_workers_do_not_work_at_once(database, config):
    """While one worker holds the lease the other does nothing; when it is given back, it may."""
    keys = support.keys_of(config)
    body_id = support.small_body(database)
    with database.session() as session:
        round_ = rounds.new(
            session,
            support.OPERATOR,
            body_id,
            title="A",
            opens_at=clock.now(),
            closes_at=clock.now() + clock.days(14),
        )
        rounds.launch(session, support.OPERATOR, round_.id)
    one, two = Worker(database, keys), Worker(database, keys)
    assert one._take_lease()
    assert two.run_once() == 0
    one._give_lease()
    assert two.run_once() == 1


def test_link_rows_go_a_day_after_the_mix(road, monkeypatch):
    """A retried form hears "received" for a day after close; then the hashes are deleted."""
    database, keys, round_id, doors = road
    support.answer(database, doors[0], support.sheet())
    support.close(database, keys, round_id)
    worker = Worker(database, keys)
    worker.run_once()
    with database.reading() as session:
        assert session.exec(select(func.count()).select_from(Participation)).one() == len(doors)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + clock.days(1.01))
    worker.run_once()
    with database.reading() as session:
        assert session.exec(select(func.count()).select_from(Participation)).one() == 0
        assert session.get(Round, round_id).links_deleted_at is not None


def test_a_submission_at_another_round_is_unknown(road):
    """A token of one round opens nothing under another round's name."""
    database, _, _, doors = road
    with database.session() as session:
        assert submit(session, "zzzzzzzzzzzz", doors[0].token, support.sheet(), "k") is Outcome.UNKNOWN
