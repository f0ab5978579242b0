"""A worker that stops at any statement and any key-file operation is caught up by the next, exactly once."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import delete, event, update
from sqlmodel import func, select

from engagement import clock, disclosure
from engagement.access import Actor, audit
from engagement.errors import Conflict
from engagement.intake import mix
from engagement.intake.submit import Outcome, withdraw
from engagement.models import (
    AuditEntry,
    Participation,
    PracticeParticipation,
    Release,
    Response,
    Round,
    SealedAnswer,
)
from engagement.releases import build
from engagement.rounds import verbs as rounds
from engagement.worker import LEASE_LENGTH, LINKS_KEPT, Worker
from tests import support
from tests.adversary.crowd import crowd, number_of, sheet_of
from tests.crash.faults import Faults, install

MEMBERS = 6
STEPS = ("round.launch", "round.open", "round.close", "round.mix", "round.keys_destroyed", "release")


class Life:
    """Whole lives of rounds, one after the other in one body, on a clock that the tests move."""

    def __init__(self, database, config, monkeypatch):
        self.database, self.folder = database, config.keys
        self.keys = support.keys_of(config)
        self.faults = Faults()
        self.body_id = crowd(database, MEMBERS, practices=2, leaders=2)
        install(self.faults, database, config.keys, monkeypatch)
        self._passed = timedelta()
        real_now = clock.now
        monkeypatch.setattr(clock, "now", lambda: real_now() + self._passed)

    def wait(self, length: timedelta) -> None:
        """Let time pass."""
        self._passed += length

    def one_pass(self) -> None:
        """A pass of a new worker, in the embedded worker's loop: what it does not catch itself, the loop logs."""
        with self.faults.watched(), suppress(OSError):
            Worker(self.database, self.keys).run_once()

    def work(self, state: str, round_id: int) -> None:
        """Workers come, one after the other, until the round is in the state; each may be stopped once in each step."""
        for _ in range(12):
            self.one_pass()
            with self.database.reading() as session:
                round_ = session.get(Round, round_id)
            if state == round_.state + (", links deleted" if round_.links_deleted_at else ""):
                return
            # The lease of the one that died must run out first.
            self.wait(LEASE_LENGTH + timedelta(seconds=1))

    def live(self, at: int | None, way: str = "dies") -> list[str]:
        """One round from launch to the deletion of its links, stopped at moment `at`; what is wrong after it."""
        self.faults.begin(at, way)
        with self.database.session() as session:
            round_ = rounds.new(
                session,
                support.OPERATOR,
                self.body_id,
                title="A round",
                opens_at=clock.now(),
                closes_at=clock.now() + timedelta(days=14),
            )
            rounds.launch(session, support.OPERATOR, round_.id)
        self.work("open", round_.id)
        doors = support.doors(self.database, self.keys, round_.id)
        for number, door in enumerate(doors[:-1]):
            sent = support.answer(self.database, door, sheet_of(number, f"words {number}"), f"key {number}")
            assert sent is Outcome.STORED
        with self.database.session() as session:
            assert withdraw(session, doors[0].public_id, doors[0].token)
        with self.database.session() as session:
            rounds.close(session, support.OPERATOR, round_.id)
        self.work("released", round_.id)
        self.wait(LINKS_KEPT + timedelta(minutes=1))
        self.work("released, links deleted", round_.id)
        return self.wrong(round_.id)

    def wrong(self, round_id: int) -> list[str]:
        """What a round that ran to its end should not be."""
        found = []

        def expect(what: str, seen, expected) -> None:
            if seen != expected:
                found.append(f"{what}: {seen} instead of {expected}")

        with self.database.reading() as session:
            round_ = session.get(Round, round_id)

            def rows(table) -> int:
                return session.exec(
                    select(func.count()).select_from(table).where(table.round_id == round_id)
                ).one()

            expect("state", round_.state, "released")
            expect("trouble", round_.trouble, None)
            expect("keys recorded as destroyed", round_.keys_destroyed_at is not None, True)
            expect("links recorded as deleted", round_.links_deleted_at is not None, True)
            answers = session.exec(select(Response.answers).where(Response.round_id == round_id)).all()
            expect("answers", sorted(map(number_of, answers)), list(range(1, MEMBERS - 1)))
            expect("boxes", rows(SealedAnswer), 0)
            expect("links", rows(Participation), 0)
            expect("releases", rows(Release), 1)
            counts = session.exec(
                select(PracticeParticipation.invited, PracticeParticipation.answered)
                .where(PracticeParticipation.round_id == round_id)
                .order_by(PracticeParticipation.practice_id)
            ).all()
            expect("taking part", [tuple(row) for row in counts], [(3, 2), (3, 2)])
            lines = session.exec(select(AuditEntry.action, AuditEntry.detail)).all()
            steps = Counter(action for action, detail in lines if detail.get("round") == round_.number)
            expect("audit", {step: steps[step] for step in STEPS}, dict.fromkeys(STEPS, 1))
            expect("audit chain broken at", audit.verify(session), None)
        left = sorted(path.name for path in self.folder.iterdir())
        expect("key files", left, [f"panel-{self.body_id}-{round_.number}.key"])
        return found


@pytest.fixture
def life(database, config, monkeypatch):
    """A body whose rounds can be stopped anywhere, published without figures: the gate's minutes over so many rounds say
    nothing of crashes."""

    def gather(session, round_):
        before = session.exec(
            select(Round)
            .where(Round.number < round_.number, Round.state == "released")
            .order_by(Round.number)
        ).all()
        return build.assemble(
            [build._facts(session, each) for each in before[-1:]], build._facts(session, round_)
        )

    def undecided(database, round_id, gathered, checker):
        return disclosure.undecided(gathered.question.plan, gathered.question.answers, "not asked")

    monkeypatch.setattr(build, "gather", gather)
    monkeypatch.setattr(build, "_decide", undecided)
    # What is reckoned from releases afterwards has tests of its own, and would be most of the time here.
    monkeypatch.setattr(Worker, "_unassessed", lambda worker: [])
    monkeypatch.setattr(Worker, "_unevaluated", lambda worker: [])
    return Life(database, config, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["dies", "fails"])
def test_a_worker_stopped_anywhere_is_caught_up(life, way):
    """Whatever statement, commit or key-file operation the worker stops at, the next makes the same answers once."""
    # The second round also has a panel key of the first to destroy.
    assert life.live(None) == life.live(None) == []
    moments = dict(life.faults.moments)
    steps = {"launching", "closing", "mixed, with keys", "mixed", "released"}
    assert set(moments) == steps | {f"lease after {step}" for step in steps} | {"lease at first"}
    assert sum("INSERT INTO response" in moment for moment in moments["closing"]) == 1
    assert sum("key file" in moment for moment in moments["mixed, with keys"]) == 18
    broken = {}
    struck = Counter()
    # A full disk strikes before the database is asked anything, so PostgreSQL need not hear of every moment.
    every = 4 if way == "fails" and not life.database.is_sqlite else 1
    for at in range(1, max(map(len, moments.values())) + 1, every):
        wrong = life.live(at, way)
        struck.update(life.faults.struck.keys())
        if wrong:
            broken[f"{at}: {life.faults.struck}"] = wrong
    dialect = life.database.engine.dialect.name
    print(f"{dialect}: stopped at {struck.total()} moments ({way}): {dict(struck)}; {len(broken)} broken")
    assert broken == {}
    # A stop in a step can spare the lease after it its last moments.
    least = {kind: len(found) // every - (0 if kind in steps else 2) for kind, found in moments.items()}
    assert {kind: struck[kind] for kind in least if struck[kind] < least[kind]} == {}


def mix_in_two(database, keys, round_id):
    """A mix without the change of state in it: answers in one transaction, boxes and state in the next."""
    with database.reading() as session:
        round_ = session.get(Round, round_id)
        if round_.state != "closing":
            raise Conflict("Only a round that has stopped taking answers can be mixed.")
    contents = mix._open_all(database, keys, round_)
    with database.session() as session:
        session.execute(delete(PracticeParticipation).where(PracticeParticipation.round_id == round_id))
        stored = mix.store(session, round_, contents.kept)
    with database.session() as session:
        session.execute(delete(SealedAnswer).where(SealedAnswer.round_id == round_id))
        session.execute(update(Round).where(Round.id == round_id).values(state="mixed", mixed_at=clock.now()))
        audit.record(session, Actor.worker(), "round.mix", round_.body_id, round=round_.number)
    return mix.Mixed(stored, contents.withdrawn)


def test_a_mix_without_the_change_of_state_is_caught(life, monkeypatch):
    """A mix in two transactions stores answers twice when it is stopped between them, and the same check says so."""
    monkeypatch.setattr(mix, "mix", mix_in_two)
    assert life.live(None) == []
    commits = [at for at, what in enumerate(life.faults.moments["closing"], 1) if what == "COMMIT, after"]
    wrong = life.live(commits[0])
    assert any(line.startswith("answers: [1, 1, 2, 2, 3, 3, 4, 4]") for line in wrong)


def test_scrub_hands_its_connection_back_as_it_was(database):
    """After a scrub SQLite's connections still begin only when they are told to."""
    if not database.is_sqlite:
        pytest.skip("PostgreSQL's driver is told once for each connection that it borrows")
    assert mix.scrub(database)
    with database.engine.connect() as connection:
        assert connection.connection.driver_connection.isolation_level is None


def test_a_scrub_with_a_reader_in_the_way_keeps_the_keys(database, config):
    """While somebody reads SQLite's log the keys stay and nothing is released; when they are gone both follow."""
    if not database.is_sqlite:
        pytest.skip("PostgreSQL has no log of this kind to empty")
    keys = support.keys_of(config)
    round_id = support.launch(database, keys, crowd(database, MEMBERS, practices=2, leaders=2))
    door = support.doors(database, keys, round_id)[0]
    assert support.answer(database, door, sheet_of(1)) is Outcome.STORED
    impatient(database)
    reader = sqlite3.connect(database.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sealed_answer").fetchone()
    support.close(database, keys, round_id)

    def seen() -> tuple[str, bool]:
        with database.reading() as session:
            return session.get(Round, round_id).state, keys.holds_round(door.public_id)

    assert seen() == ("mixed", True)
    reader.execute("COMMIT")
    reader.close()
    Worker(database, keys).run_once()
    assert seen() == ("released", False)


def impatient(database) -> None:
    """Let connections wait half a second for others and not half a minute."""

    @event.listens_for(database.engine, "checkout")
    def shorter(connection, _record, _proxy):
        connection.execute("PRAGMA busy_timeout=500")
