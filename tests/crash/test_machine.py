"""Any order of submitting, retrying, forging, withdrawing, closing and crashing keeps the counts and shows nothing early."""

from __future__ import annotations

import itertools
import secrets
import shutil
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import func, select

from engagement import clock
from engagement.access import audit
from engagement.db import Database
from engagement.errors import Conflict
from engagement.intake import mix
from engagement.intake.keys import Keys
from engagement.intake.submit import DoorState, Outcome, look, submit, withdraw
from engagement.models import (
    Comment,
    Participation,
    PracticeParticipation,
    Release,
    Response,
    Round,
    SealedAnswer,
)
from engagement.releases import build
from engagement.rounds import verbs as rounds
from engagement.worker import LEASE_LENGTH, Worker
from tests import support
from tests.adversary.crowd import crowd, number_of, sheet_of
from tests.crash.faults import Faults, install
from tests.crash.test_mix_crash import mix_in_two

MEMBERS = 5
VARIANTS = 2
members = st.integers(0, MEMBERS - 1)
variants = st.integers(0, VARIANTS - 1)
# The mix has 18 moments and the scrub with the keys 29; later ones let the worker live.
moments = st.integers(1, 32)
_bodies = itertools.count()


class Intake(RuleBasedStateMachine):
    """One round in the hands of its members, of forgers, and of a worker that dies.

    `sent` is what the model knows: member to the form that was first sent; `withdrawn` who took it back.
    """

    arena: Arena

    @initialize()
    def launch(self):
        """An open round that nobody has answered."""
        self.database, self.keys, self.round_id, self.doors = self.arena.open_round()
        self.faults = self.arena.faults
        self.sent: dict[int, int] = {}
        self.withdrawn: set[int] = set()
        self.closed = False

    @rule(member=members, variant=variants)
    def submit(self, member, variant):
        """A form is stored, heard again, or refused, as the first form on the link says."""
        number = member * VARIANTS + variant
        outcome = support.answer(self.database, self.doors[member], sheet_of(number), f"key {number}")
        first = self.sent.get(member)
        if first is not None:
            others = Outcome.CLOSED if self.closed else Outcome.USED
            assert outcome is (Outcome.ALREADY if first == number else others)
        elif self.closed:
            assert outcome is Outcome.CLOSED
        else:
            assert outcome is Outcome.STORED
            self.sent[member] = number

    @rule(member=members)
    def look_through_the_door(self, member):
        """Looking changes nothing and says what is so."""
        with self.database.reading() as session:
            state = look(session, self.doors[member].public_id, self.doors[member].token).state
        if self.closed:
            assert state is DoorState.CLOSED
        elif member in self.withdrawn:
            assert state is DoorState.WITHDRAWN
        else:
            assert state is (DoorState.USED if member in self.sent else DoorState.READY)

    @rule(member=members, how=st.sampled_from(["random", "one letter", "other round", "hash", "empty"]))
    def forge(self, member, how):
        """A token that was not given out stores nothing."""
        door = self.doors[member]
        letter = "b" if door.token[3] == "a" else "a"
        public_id, token = {
            "random": (door.public_id, "".join(secrets.choice("abcdefgh234567") for _ in range(26))),
            "one letter": (door.public_id, door.token[:3] + letter + door.token[4:]),
            "other round": ("zzzzzzzzzzzz", door.token),
            "hash": (door.public_id, "a" * 64),
            "empty": (door.public_id, ""),
        }[how]
        forged = support.Door(public_id, token, door.row)
        outcome = support.answer(self.database, forged, sheet_of(0), "forged")
        possible = {Outcome.UNKNOWN, Outcome.CLOSED} if self.closed else {Outcome.UNKNOWN}
        assert outcome in possible

    @rule(member=members)
    def take_back(self, member):
        """An answer is withdrawn once, while the round is open, by the link that sent it."""
        with self.database.session() as session:
            done = withdraw(session, self.doors[member].public_id, self.doors[member].token)
        assert done == (not self.closed and member in self.sent and member not in self.withdrawn)
        if done:
            self.withdrawn.add(member)

    @precondition(lambda self: not self.closed)
    @rule()
    def peek(self):
        """While the round is open neither the mix, nor the end of the keys, nor a release can be had."""
        with pytest.raises(Conflict):
            mix.mix(self.database, self.keys, self.round_id)
        with pytest.raises(Conflict):
            mix.destroy_keys(self.database, self.keys, self.round_id)
        assert build.release(self.database, self.round_id) is None
        assert self.keys.holds_round(self.doors[0].public_id)

    @precondition(lambda self: not self.closed)
    @rule()
    def close(self):
        """The engagement lead stops the round."""
        with self.database.session() as session:
            rounds.close(session, support.OPERATOR, self.round_id)
        self.closed = True

    @precondition(lambda self: not self.closed)
    @rule()
    def an_answer_is_rolled_back(self):
        """A process that goes before its commit leaves no trace of the answer."""
        free = [member for member in range(MEMBERS) if member not in self.sent]
        if not free:
            return

        class Gone(Exception):
            pass

        with pytest.raises(Gone), self.database.session() as session:
            submit(session, self.doors[free[0]].public_id, self.doors[free[0]].token, sheet_of(0), "k")
            raise Gone

    @rule(at=moments, way=st.sampled_from(["dies", "fails"]))
    def crash_and_recover(self, at, way):
        """A worker is stopped somewhere; another comes when the lease has run out."""
        self.faults.begin(at, way)
        self.arena.one_pass()
        self.arena.wait(LEASE_LENGTH + timedelta(seconds=1))

    @rule(at=st.integers(1, 9))
    def crash_at_a_commit(self, at):
        """A worker dies just after one of its commits."""
        self.faults.begin(at, "dies", only="COMMIT, after")
        self.arena.one_pass()
        self.arena.wait(LEASE_LENGTH + timedelta(seconds=1))

    @rule(at=st.integers(1, 9))
    def crash_at_commit(self, at):
        """A worker dies just after one of its commits."""
        self.faults.begin(at, "dies", only="COMMIT, after")
        self.arena.one_pass()
        self.arena.wait(LEASE_LENGTH + timedelta(seconds=1))

    @rule()
    def work(self):
        """A worker does what is due and lives."""
        self.faults.begin(None)
        self.arena.one_pass()
        self.arena.wait(LEASE_LENGTH + timedelta(seconds=1))

    def _rows(self, session, table) -> int:
        return session.exec(
            select(func.count()).select_from(table).where(table.round_id == self.round_id)
        ).one()

    @invariant()
    def counts_hold(self):
        """Boxes equal used links until the mix, responses what was sent and kept after it; nothing is there early."""
        if not hasattr(self, "doors"):
            return
        with self.database.reading() as session:
            state = session.get(Round, self.round_id).state
            used = session.exec(
                select(func.count()).where(
                    Participation.round_id == self.round_id, Participation.used.is_(True)
                )
            ).one()
            boxes, releases = self._rows(session, SealedAnswer), self._rows(session, Release)
            answers = session.exec(select(Response.answers).where(Response.round_id == self.round_id)).all()
            early = [self._rows(session, table) for table in (Comment, PracticeParticipation)]
        assert used == len(self.sent)
        assert (state != "open") == self.closed
        assert releases == (state == "released")
        if state in ("open", "closing"):
            assert boxes == len(self.sent) and answers == [] and early == [0, 0]
        else:
            kept = sorted(number for member, number in self.sent.items() if member not in self.withdrawn)
            assert boxes == 0 and sorted(map(number_of, answers)) == kept

    def teardown(self):
        """Whatever happened, two quiet passes end in one release, without keys, and with a whole audit log."""
        if not hasattr(self, "doors"):
            return
        try:
            self._end()
        finally:
            self.arena.done()

    def _end(self):
        if not self.closed:
            self.close()
        for _ in range(2):
            self.work()
        self.counts_hold()
        with self.database.reading() as session:
            round_ = session.get(Round, self.round_id)
            assert (round_.state, round_.trouble) == ("released", None)
            assert audit.verify(session) is None
        assert not self.keys.holds_round(self.doors[0].public_id)


class Arena:
    """Where the rounds of a machine take place: fresh copies of one SQLite file, or bodies in one PostgreSQL."""

    def __init__(self, database, config, tmp_path, monkeypatch):
        self.origin, self.config, self.folder = database, config, tmp_path
        self.faults = Faults()
        self.database, self.keys = database, support.keys_of(config)
        self.ready, self.patch = None, pytest.MonkeyPatch()
        self._passed = timedelta()
        real_now = clock.now
        monkeypatch.setattr(clock, "now", lambda: real_now() + self._passed)
        if database.is_sqlite:
            self.ready = self._launch()
            database.dispose()
        else:
            install(self.faults, database, config.keys, monkeypatch)

    def _launch(self):
        body_id = crowd(self.database, MEMBERS, practices=2, leaders=2, code=f"B{next(_bodies)}")
        round_id = support.launch(self.database, self.keys, body_id)
        return round_id, support.doors(self.database, self.keys, round_id)

    def open_round(self):
        """A database, its keys, and an open round in it with its doors."""
        if not self.origin.is_sqlite:
            return self.database, self.keys, *self._launch()
        self._passed = timedelta()
        here = self.folder / f"copy-{next(_bodies)}"
        shutil.copytree(self.config.data, here)
        self.database, self.keys = Database(f"sqlite:///{here / 'engagement.sqlite'}"), Keys(here / "keys")
        install(self.faults, self.database, here / "keys", self.patch)
        return self.database, self.keys, *self.ready

    def one_pass(self):
        """A pass of a new worker."""
        # Where the lease itself fails, the embedded worker's loop logs it and goes on.
        with self.faults.watched(), suppress(OSError):
            Worker(self.database, self.keys).run_once()

    def wait(self, length: timedelta):
        """Let time pass."""
        self._passed += length

    def done(self):
        """Close what was opened."""
        if self.origin.is_sqlite:
            self.database.dispose()
            self.patch.undo()
            shutil.rmtree(self.database.path.parent)


@pytest.mark.slow
def test_any_order_of_events_keeps_the_counts(database, config, tmp_path, monkeypatch):
    """Counts are conserved and nothing is read early, whatever members, forgers and crashes do and in which order."""
    arena = Arena(database, config, tmp_path, monkeypatch)
    run_state_machine_as_test(
        type("Machine", (Intake,), {"arena": arena}),
        settings=settings(
            max_examples=40 if database.is_sqlite else 8,
            stateful_step_count=14,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_counts_do_not_hold_for_a_mix_in_two_transactions(database, config, tmp_path, monkeypatch):
    """The machine's own check refuses a mix that stores answers and moves the round on apart, stopped between the two."""
    monkeypatch.setattr(mix, "mix", mix_in_two)
    machine = type("Machine", (Intake,), {"arena": Arena(database, config, tmp_path, monkeypatch)})()
    machine.launch()
    machine.submit(0, 0)
    machine.close()
    machine.counts_hold()
    # The first commit is the lease's, the second that of the answers.
    machine.crash_at_commit(2)
    with pytest.raises(AssertionError):
        machine.counts_hold()
    machine.arena.done()
