"""A programme's verbs and the worker's part: drafts ahead, launches on time, waits with words, leaves out what is too late."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlmodel import select

from engagement import cli, clock
from engagement.access import Actor, Role
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.intake.keys import Keys
from engagement.models import AuditEntry, Programme, ProgrammeTurn, Round, Spell
from engagement.rounds import autopilot, programme, verbs
from engagement.worker import Worker
from tests import support
from tests.crash.faults import Faults, install

START = datetime(2026, 7, 1, 9, tzinfo=UTC)
RULE = {
    "every": 6,
    "first": date(2026, 8, 6),
    "by": "day",
    "days": 28,
    "opens": time(9),
    "closes": time(17),
}
OPENING = datetime(2026, 8, 6, 8, tzinfo=UTC)


class World:
    """A small body, its lead, a worker, and a clock that stands until it is set."""

    def __init__(self, database, config, monkeypatch):
        self.now = START
        monkeypatch.setattr(clock, "now", lambda: self.now)
        self.database, self.worker = database, Worker(database, Keys(config.keys))
        self.body_id = support.small_body(database, practices=3, leaders=4)
        self.lead = Actor("Ann", frozenset({(self.body_id, Role.LEAD)}))

    def do(self, verb, *args, **kwargs):
        """Call a verb as the lead, in a transaction of its own."""
        with self.database.session() as session:
            return verb(session, self.lead, self.body_id, *args, **kwargs)

    def on(self, at: datetime | None = None) -> programme.View | None:
        """Let the worker do what is due, then (or at `at`), and read the programme."""
        self.now = at or self.now
        self.worker.run_once()
        return self.view()

    def view(self) -> programme.View | None:
        """The programme as its page shows it."""
        with self.database.reading() as session:
            return programme.read(session, self.lead, self.body_id)

    def rounds(self) -> list[Round]:
        """All rounds, oldest first."""
        with self.database.reading() as session:
            return session.exec(select(Round).order_by(Round.number)).all()

    def turns(self) -> list[tuple[int, str]]:
        """All turns dealt with, and what became of them."""
        with self.database.reading() as session:
            rows = session.exec(select(ProgrammeTurn).order_by(ProgrammeTurn.turn)).all()
        return [(row.turn, row.state) for row in rows]


@pytest.fixture
def world(database, config, monkeypatch):
    """A body without a programme on 1 July 2026."""
    return World(database, config, monkeypatch)


def test_the_first_round_waits_for_approval_and_the_next_is_the_same_again(world):
    """Drafted two weeks ahead, approved once, launched on time; six months later the same questions, tier and threshold
    go out without anybody's word, although the last round was changed by hand."""
    assert world.view() is None and world.on() is None
    view = world.do(programme.save, **RULE)
    assert [clock.show_date(coming.dates.opens_at) for coming in view.upcoming] == [
        "6 August 2026",
        "8 February 2027",
        "6 August 2027",
        "7 February 2028",
    ]
    assert [coming.number for coming in view.upcoming] == [1, 2, 3, 4]
    world.on(OPENING - clock.days(15))
    assert world.rounds() == []
    coming = world.on(OPENING - clock.days(14)).upcoming[0]
    assert coming.needs_approval and coming.title == "August 2026" and len(coming.reminders) == 3
    draft = world.rounds()[0]
    with world.database.session() as session:
        verbs.edit(
            session,
            world.lead,
            draft.id,
            title="Summer",
            opens_at=draft.opens_at + clock.days(1),
            closes_at=draft.closes_at,
            tier="anonymous",
            threshold=7,
            plan=["standing"],
        )
    assert world.on(OPENING).upcoming[0].trouble is None
    assert "approval" in world.on(OPENING + clock.days(1)).upcoming[0].trouble
    assert world.rounds()[0].state == "draft"
    world.do(programme.approve, draft.id)
    view = world.on()
    assert world.rounds()[0].state == "open" and world.rounds()[0].closes_at == draft.closes_at
    assert view.upcoming[0].number == 2
    world.on(draft.closes_at)
    world.on(datetime(2027, 1, 26, 9, tzinfo=UTC))
    world.on(datetime(2027, 2, 8, 9, tzinfo=UTC))
    first, second = world.rounds()
    assert (first.state, second.state) == ("released", "open")
    assert (second.title, second.tier, second.threshold) == ("February 2027", "anonymous", 7)
    assert second.instrument_id == first.instrument_id and second.plan == first.plan == ["standing"]
    items = [json.loads(round_.promise)["items"] for round_ in (first, second)]
    assert items[0] == items[1] and world.turns() == [(1, "launched"), (2, "launched")]
    with world.database.reading() as session:
        actions = session.exec(select(AuditEntry.action, AuditEntry.actor).order_by(AuditEntry.id)).all()
    assert ("programme.set", "Ann") in actions and ("programme.approve", "Ann") in actions
    assert ("round.launch", "worker") in actions


def test_what_blocks_a_launch_is_told_and_tried_again(world):
    """With nobody on the roster the round does not launch and says why; once that is put right it opens late with its
    full length; past half its length it is left out, its draft deleted, and the reason kept."""
    world.do(programme.save, **RULE, approval="never")
    with world.database.session() as session:
        for spell in session.exec(select(Spell)):
            spell.ends = date(2026, 8, 1)
            session.add(spell)
    world.on(OPENING - clock.days(10))
    coming = world.on(OPENING).upcoming[0]
    assert "Nobody is on the roster" in coming.trouble and coming.late_since is None
    coming = world.on(OPENING + clock.days(2) + timedelta(hours=12)).upcoming[0]
    assert "Nobody is on the roster" in coming.trouble and coming.late_since == OPENING
    assert clock.show_instant(coming.dates.opens_at) == "10 August 2026 at 9am"
    assert clock.show_instant(coming.latest) == "20 August 2026 at 1pm"
    with world.database.session() as session:
        for spell in session.exec(select(Spell)):
            spell.ends = None
            session.add(spell)
    world.on(OPENING + timedelta(days=5, hours=2))
    round_ = world.rounds()[0]
    assert (round_.state, round_.trouble) == ("open", None)
    assert clock.show_instant(round_.opens_at) == "11 August 2026 at 11am"
    assert clock.show_instant(round_.closes_at) == "8 September 2026 at 5pm"
    assert [coming.number for coming in world.view().upcoming] == [2, 3, 4, 5]
    with world.database.session() as session:
        for spell in session.exec(select(Spell)):
            spell.ends = date(2026, 8, 12)
            session.add(spell)
    for at in (round_.closes_at, datetime(2027, 2, 1, tzinfo=UTC), datetime(2027, 2, 8, 10, tzinfo=UTC)):
        world.on(at)
    view = world.on(datetime(2027, 2, 22, 14, tzinfo=UTC))
    assert world.turns() == [(1, "launched"), (2, "skipped")] and len(world.rounds()) == 1
    assert "Nobody is on the roster" in view.skipped[0].reason
    assert clock.show_date(view.upcoming[0].dates.opens_at) == "6 August 2027"


def test_two_rounds_are_never_open_at_once(world):
    """A round made by hand that is open at the programme's time holds the programme's back until it has closed."""
    world.do(programme.save, **RULE, approval="never")
    world.now = OPENING - clock.days(20)
    round_ = world.do(programme.same_again)
    assert clock.show_instant(round_.closes_at) == "14 August 2026 at 5pm"
    with world.database.session() as session:
        verbs.launch(session, world.lead, round_.id)
    world.on()
    with pytest.raises(Invalid, match="open until 14 August 2026"):
        world.do(programme.change, first=date(2026, 8, 14))
    assert world.on(OPENING - clock.days(10)).asking == (1, round_.closes_at)
    coming = world.on(OPENING).upcoming[0]
    assert "until round 1 has closed" in coming.trouble
    world.on(round_.closes_at)
    first, second = world.rounds()
    assert (first.state, second.state) == ("released", "open")
    assert clock.show_instant(second.closes_at) == "11 September 2026 at 5pm"


def test_a_draft_may_be_left_out_deleted_or_launched_by_hand(world):
    """Whatever the lead does with a draft, its turn is over once, and the next is drafted on its own date."""
    world.do(programme.save, **RULE | {"every": 2}, approval="never")
    draft = world.on(OPENING - clock.days(14)).upcoming[0]
    with pytest.raises(Conflict, match="drafted already"):
        world.do(programme.move, 1, date(2026, 8, 20))
    world.do(programme.skip, draft.round_id)
    view = world.on(OPENING)
    assert view.skipped[0].reason == "Left out by Ann."
    october = view.upcoming[0].dates
    assert clock.show_date(october.opens_at) == "6 October 2026"
    draft = world.on(october.opens_at - clock.days(3)).upcoming[0]
    with world.database.session() as session:
        verbs.discard(session, world.lead, draft.round_id)
    # A draft by hand that takes the same number is not mistaken for the one deleted.
    world.do(programme.same_again, opens_at=october.opens_at, closes_at=october.closes_at)
    world.on(october.opens_at)
    assert [r.state for r in world.rounds()] == ["draft"]
    assert world.view().skipped[0].reason == "Its draft was deleted."
    with world.database.session() as session:
        verbs.discard(session, world.lead, world.rounds()[0].id)
    december = world.view().upcoming[0].dates
    draft = world.on(december.opens_at - clock.days(3)).upcoming[0]
    with world.database.session() as session:
        verbs.launch(session, world.lead, draft.round_id)
    world.on(december.opens_at)
    assert world.turns() == [(1, "skipped"), (2, "skipped"), (3, "launched")]
    assert len(world.rounds()) == 1 and world.view().upcoming[0].dates.turn == 4


def test_moving_a_date_and_back(world):
    """A moved date takes the rest with it and can be put back until its round is drafted; days that will not do are
    refused; saving other settings keeps what was moved, another day begins anew."""
    plain = world.do(programme.save, **RULE)
    view = world.do(programme.move, 2, date(2027, 3, 17))
    assert [clock.show_date(c.dates.opens_at) for c in view.upcoming] == [
        "6 August 2026",
        "17 March 2027",
        "17 September 2027",
        "17 March 2028",
    ]
    for turn, day, words in (
        (2, date(2027, 3, 20), "a weekend"),
        (2, date(2026, 12, 28), "a bank holiday"),
        (2, date(2026, 9, 1), "round before closes"),
        (1, date(2026, 6, 30), "from today on"),
    ):
        with pytest.raises(Invalid, match=words):
            world.do(programme.move, turn, day)
    view = world.do(programme.change, threshold=7)
    assert view.upcoming[1].dates.moved and view.asks.threshold == 7
    assert world.do(programme.undo_move, 2).upcoming == plain.upcoming
    with pytest.raises(Conflict, match="not moved"):
        world.do(programme.undo_move, 2)
    world.do(programme.move, 1, date(2026, 8, 13))
    view = world.do(programme.change, first=date(2026, 9, 1), by="weekday", every=3)
    assert [clock.show_date(c.dates.opens_at) for c in view.upcoming][:2] == [
        "1 September 2026",
        "1 December 2026",
    ]
    assert not any(c.dates.moved for c in view.upcoming)


def test_a_paused_programme_does_nothing(world):
    """Paused, neither draft nor launch happens; resumed in time the round opens late, too late it is left out."""
    world.do(programme.save, **RULE, approval="never")
    world.do(programme.pause)
    with pytest.raises(Conflict, match="paused already"):
        world.do(programme.pause)
    assert world.on(OPENING + clock.days(3)).paused_at and world.rounds() == []
    world.do(programme.resume)
    world.on(OPENING + clock.days(4))
    assert [clock.show_date(r.opens_at) for r in world.rounds()] == ["10 August 2026"]
    world.do(programme.pause)
    world.on(datetime(2027, 6, 1, 9, tzinfo=UTC))
    assert world.rounds()[0].state == "released"
    world.do(programme.resume)
    view = world.on()
    assert world.turns() == [(1, "launched"), (2, "skipped")] and view.upcoming[0].dates.turn == 3


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"first": date(2026, 6, 1)}, "from today on"),
        ({"days": 200}, "between 7 and 92"),
        ({"lead_days": 0}, "between 1 and 60 days ahead"),
        ({"tier": "secret"}, "Choose a tier"),
        ({"threshold": 4}, "between 5 and 50"),
        ({"approval": "maybe"}, "wait for approval"),
        ({"instrument_id": 999}, "no such instrument"),
    ],
)
def test_settings_that_will_not_do_are_refused(sqlite_world, changed, words):
    """Each fault of a programme is told in words, and nothing is kept."""
    with pytest.raises(Invalid, match=words):
        sqlite_world.do(programme.save, **RULE | changed)
    assert sqlite_world.view() is None


@pytest.fixture
def sqlite_world(request, tmp_path, monkeypatch):
    """The same on SQLite alone, where no data is at stake."""
    import shutil

    from engagement import db
    from engagement.config import Config

    shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "engagement.sqlite")
    monkeypatch.setenv("ENGAGEMENT_DATA", str(tmp_path))
    monkeypatch.delenv("ENGAGEMENT_DATABASE_URL", raising=False)
    config = Config.load()
    return World(db.get(config), config, monkeypatch)


def test_only_the_lead_may(sqlite_world):
    """Nobody but the engagement lead reads or changes a programme, and without one there is nothing to change."""
    for role in (Role.GOVERNING, Role.COUNCIL, Role.REVIEWER):
        actor = Actor("Other", frozenset({(sqlite_world.body_id, role)}))
        with sqlite_world.database.session() as session:
            for verb, arguments in (
                (programme.read, ()),
                (programme.move, (1, date(2026, 9, 1))),
                (programme.undo_move, (1,)),
                (programme.pause, ()),
                (programme.resume, ()),
                (programme.approve, (1,)),
                (programme.skip, (1,)),
                (programme.same_again, ()),
            ):
                with pytest.raises(NotAllowed):
                    verb(session, actor, sqlite_world.body_id, *arguments)
            with pytest.raises(NotAllowed):
                programme.save(session, actor, sqlite_world.body_id, **RULE)
    for verb in (programme.pause, programme.resume):
        with pytest.raises(NotFound, match="no programme yet"):
            sqlite_world.do(verb)


def test_a_worker_killed_before_any_statement_drafts_and_launches_once(world, config, monkeypatch):
    """Killed at every statement and around every commit of drafting and of launching, the round is drafted once and
    launched once, and what an unexpected error says does not reach the page."""
    world.do(programme.save, **RULE, approval="never")
    faults = Faults()
    install(faults, world.database, config.keys, monkeypatch)
    for at, state, fewest in ((OPENING - clock.days(14), "draft", 15), (OPENING, "launching", 25)):
        world.now = at
        deaths = 0
        while True:
            faults.begin(deaths + 1)
            with faults.watched():
                autopilot.run(world.database)
            if not faults.struck:
                break
            deaths += 1
            assert deaths < 300
        assert deaths > fewest
        assert [r.state for r in world.rounds()] == [state] and len(world.turns()) == 1
    with world.database.reading() as session:
        actions = session.exec(select(AuditEntry.action)).all()
    assert actions.count("round.draft") == actions.count("round.launch") == 1
    world.do(programme.change, every=12, first=date(2027, 3, 1))
    monkeypatch.setattr(programme, "same_again", lambda *_, **__: 1 / 0)
    world.now = datetime(2027, 2, 20, tzinfo=UTC)
    autopilot.run(world.database)
    assert world.view().trouble == autopilot.UNEXPECTED
    with world.database.reading() as session:
        assert session.exec(select(Programme.look_at)).one() == world.now + autopilot.REST


def test_workers_that_look_at_the_same_time_draft_once(world):
    """Four workers without a lease between them that come to the same programme together make one draft of it."""
    world.do(programme.save, **RULE)
    world.now = OPENING - clock.days(14)
    gate = threading.Barrier(4)

    def look(_) -> int:
        gate.wait(timeout=30)
        return autopilot.run(world.database)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(look, range(4))) == 1
    assert world.turns() == [(1, "drafted")] and len(world.rounds()) == 1 and world.view().trouble is None


def test_the_command_line_sets_and_shows(world, capsys):
    """`programme set` keeps what is not given, `show` and `round next` print the next four, in words and as JSON."""

    def run(*argv) -> str:
        assert cli.main([*argv]) == 0
        return capsys.readouterr().out

    assert cli.main(["programme", "show"]) == 1 and "no programme" in capsys.readouterr().err
    assert cli.main(["programme", "set", "--every", "3"]) == 1 and "--first" in capsys.readouterr().err
    run("programme", "set", "--first", "2026-08-06")
    shown = json.loads(run("programme", "set", "--every", "3", "--opens", "10:00", "--json"))
    assert shown["rule"]["every"] == 3 and shown["rule"]["first"] == "2026-08-06"
    assert json.loads(run("programme", "set", "--threshold", "7", "--json"))["threshold"] == 7
    assert json.loads(run("programme", "set", "--as-last", "--json"))["threshold"] == 10
    found = json.loads(run("round", "next", "--json"))
    assert [one["opens_at"] for one in found][:2] == [
        "2026-08-06T09:00:00+00:00",
        "2026-11-06T10:00:00+00:00",
    ]
    assert "Round 1 opens 6 August 2026 at 10am, closes 3 September 2026 at 5pm" in run("round", "next")
    assert "Paused since 1 July 2026" in run("programme", "pause")
    assert "Paused" not in run("programme", "resume")
    assert "Round 1 is drafted" in run("round", "again")
