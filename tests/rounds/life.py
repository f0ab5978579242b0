"""The life of rounds as a machine: any order of what leads, members, the clock, the worker and the sender may do, with
a crash at any statement, checked after each step against a model that is too simple to be wrong."""

from __future__ import annotations

import itertools
import shutil
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
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
from engagement.config import Config
from engagement.db import Database
from engagement.errors import Conflict, EngagementError
from engagement.intake import mix
from engagement.intake.gather import Answer, store
from engagement.intake.keys import Keys
from engagement.intake.submit import Outcome, withdraw
from engagement.messaging.post import LEASE_LENGTH as MAIL_LEASE
from engagement.messaging.post import Post
from engagement.messaging.transport import Mail
from engagement.models import (
    Comment,
    Message,
    Participation,
    PracticeParticipation,
    Release,
    Response,
    Round,
    RoundAmendment,
    SealedAnswer,
)
from engagement.releases import build, read
from engagement.rounds import lifecycle, verbs
from engagement.worker import LEASE_LENGTH, Worker
from tests import support
from tests.adversary.crowd import crowd, number_of, sheet_of
from tests.crash.faults import Death, Faults, install

STEPS = 40
MEMBERS, VARIANTS = 4, 2
LENGTH = timedelta(days=14)
# A Tuesday that is no bank holiday, at ten in the morning in London.
START = datetime(2026, 9, 8, 9, tzinfo=UTC)
ORDER = ("launching", "open", "closing", "mixed", "released")
SUBJECTS = {
    "three minutes for": "invitation",
    "still missing": "reminder",
    "stays open until": "extended",
    "was cancelled": "cancelled",
    "are published": "published",
}
members = st.integers(0, MEMBERS - 1)
variants = st.integers(0, VARIANTS - 1)
# A verb has some fifteen statements, the mix eighteen, the scrub with the keys twenty-nine; later ones let it live.
moments = st.integers(1, 32)
crashes = st.one_of(st.none(), st.none(), st.integers(1, 16))
_bodies = itertools.count()


@dataclass(frozen=True)
class Facts:
    """What a lead may change of a round."""

    state: str
    closes_at: datetime
    paused: bool
    amendments: int


@dataclass
class Model:
    """What we know of a round. `sent`: member to the form that was first stored; `seen`: the furthest state so far."""

    id: int
    public_id: str
    promise_hash: str
    opens_at: datetime
    facts: Facts
    doors: list[support.Door] = field(default_factory=list)
    sent: dict[int, int] = field(default_factory=dict)
    withdrawn: set[int] = field(default_factory=set)
    invited: bool = False
    told: set[int] = field(default_factory=set)
    seen: str = "launching"
    closed: bool = False
    links_deleted: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing but tidying is left to do."""
        return self.facts.state in ("released", "cancelled")

    def door(self, now: datetime) -> str:
        """Whether its links open at an instant."""
        if self.facts.state in ("launching", "draft"):
            return "unknown"
        if self.facts.state != "open" or now >= self.facts.closes_at:
            return "closed"
        return "not open" if now < self.opens_at else "ready"


class Outbox:
    """A way for mail to leave that checks each mail as it leaves."""

    real, names_sender = True, True

    def __init__(self, machine: Life):
        self.machine = machine
        self.keys: set[str] = set()
        self.meanwhile = None
        self.dies_after: int | None = None

    def send(self, mail: Mail) -> None:
        """Take a mail on. `meanwhile`: what happens while the first is on its way."""
        self.machine.mailed(mail, again=mail.key in self.keys)
        self.keys.add(mail.key)
        if self.meanwhile is not None:
            happening, self.meanwhile = self.meanwhile, None
            happening()
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after == 0:
                raise Death("after the other side has taken the mail on")

    def close(self) -> None:
        """Nothing is open."""


class Life(RuleBasedStateMachine):
    """One body and its rounds. `rounds`: all of them, the newest last."""

    arena: Arena

    def __init__(self):
        super().__init__()
        self.body_id = self.arena.begin()
        self.database, self.keys, self.faults = self.arena.database, self.arena.keys, self.arena.faults
        self.rounds: list[Model] = []
        self.way = Outbox(self)
        self.latest = self.arena.now

    @property
    def round(self) -> Model:
        """The newest round."""
        return self.rounds[-1]

    @property
    def live(self) -> bool:
        """Whether there is a round that is not over."""
        return bool(self.rounds) and not self.round.over

    # --- what leads do ------------------------------------------------------------------------------------------

    @initialize()
    def first(self):
        """The first round is launched."""
        self._launch()

    @precondition(lambda self: not self.live)
    @rule()
    def launch(self):
        """The next round is launched once the one before is over; the worker opens it in its own time."""
        self._launch()

    def _launch(self):
        with self.database.session() as session:
            draft = verbs.new(
                session,
                support.OPERATOR,
                self.body_id,
                title=f"Round {len(self.rounds) + 1}",
                opens_at=clock.now(),
                closes_at=clock.now() + LENGTH,
            )
            made = verbs.launch(session, support.OPERATOR, draft.id)
            assert made.number == len(self.rounds) + 1
            self.rounds.append(
                Model(
                    made.id,
                    made.public_id,
                    made.promise_hash,
                    made.opens_at,
                    Facts("launching", made.closes_at, False, 0),
                )
            )

    def lead(self, verb, *args, after: Facts | None, crash: int | None = None, **options) -> None:
        """A lead's verb, refused where `after` is None, else done; where it is stopped, done whole or not at all."""
        round_, done = self.round, False
        self.faults.begin(crash)
        try:
            with self.faults.watched():
                with self.database.session() as session:
                    verb(session, support.OPERATOR, round_.id, *args, **options)
                done = True
        except EngagementError:
            assert after is None, "refused what should be done"
            return
        finally:
            self.faults.begin(None)
        assert after is not None or not done, "did what should be refused"
        if done:
            round_.facts = after
        elif after is not None:
            found = self.facts_of(round_)
            assert found in (round_.facts, after), "half done"
            round_.facts = found

    @precondition(lambda self: self.rounds)
    @rule(days=st.integers(-3, 12), crash=crashes)
    def extend(self, days, crash):
        """A close moves later, before it passes, and while mail may leave; else nothing moves."""
        facts = self.round.facts
        closes_at = facts.closes_at + timedelta(days=days)
        may = facts.state == "open" and self.arena.now < facts.closes_at and days > 0 and not facts.paused
        after = replace(facts, closes_at=closes_at, amendments=facts.amendments + 1) if may else None
        self.lead(lifecycle.extend, closes_at, after=after, crash=crash)

    @precondition(lambda self: self.live)
    @rule(crash=crashes)
    def pause(self, crash):
        """An open round is paused once."""
        facts = self.round.facts
        may = facts.state == "open" and not facts.paused
        after = replace(facts, paused=True, amendments=facts.amendments + 1) if may else None
        self.lead(lifecycle.pause, after=after, crash=crash)

    @precondition(lambda self: self.live)
    @rule(crash=crashes)
    def resume(self, crash):
        """A paused round is resumed once."""
        facts = self.round.facts
        may = facts.state == "open" and facts.paused
        after = replace(facts, paused=False, amendments=facts.amendments + 1) if may else None
        self.lead(lifecycle.resume, after=after, crash=crash)

    @precondition(lambda self: self.live)
    @rule(crash=crashes, sure=st.integers(0, 2))
    def cancel(self, crash, sure):
        """A round is cancelled, for a reason, as long as it is not closed."""
        facts = self.round.facts
        may = facts.state in ("launching", "open") and sure == 2
        after = Facts("cancelled", facts.closes_at, False, facts.amendments + 1) if may else None
        self.lead(lifecycle.cancel, after=after, crash=crash, reason="A wrong list" if sure == 2 else " ")

    @precondition(lambda self: self.live)
    @rule(crash=crashes, sure=st.integers(0, 1))
    def close(self, crash, sure):
        """The lead closes an open round."""
        facts = self.round.facts
        if not sure:
            return
        after = replace(facts, state="closing") if facts.state == "open" else None
        self.lead(verbs.close, after=after, crash=crash)
        self.round.closed |= self.round.facts.state == "closing"

    # --- what members do ----------------------------------------------------------------------------------------

    @rule(member=members, variant=variants)
    def answer(self, member, variant):
        """A form is stored, heard again or refused, as the first form on the link and the server's clock say."""
        self._answer(member, variant)

    def _answer(self, member, variant):
        for round_ in self.rounds[-2:]:
            if not round_.doors:
                continue
            number = member * VARIANTS + variant
            door = round_.doors[member]
            (outcome,) = store(
                self.database, [Answer(door.public_id, door.token, sheet_of(number), f"key {number}")]
            )
            assert outcome is self._expected(round_, member, number)
            if outcome is Outcome.STORED:
                round_.sent[member] = number

    def _expected(self, round_: Model, member: int, number: int) -> Outcome:
        door = round_.door(self.arena.now)
        first = None if round_.links_deleted else round_.sent.get(member)
        if first is not None:
            if first == number:
                return Outcome.ALREADY
            return Outcome.CLOSED if door == "closed" else Outcome.USED
        return {"closed": Outcome.CLOSED, "not open": Outcome.NOT_OPEN, "ready": Outcome.STORED}[door]

    @precondition(lambda self: self.live and self.round.doors)
    @rule(member=members, variant=variants, crash=st.integers(1, 2))
    def answer_and_crash(self, member, variant, crash):
        """The server dies around the commit: the answer is there whole or not at all, and the form may be sent again."""
        round_, number = self.round, member * VARIANTS + variant
        expected = self._expected(round_, member, number)
        self.faults.begin(crash, "dies", only="COMMIT")
        with self.faults.watched():
            support.answer(self.database, round_.doors[member], sheet_of(number), f"key {number}")
        self.faults.begin(None)
        if expected is Outcome.STORED and crash == 2:
            round_.sent[member] = number

    @precondition(lambda self: self.rounds and self.round.doors)
    @rule(member=members)
    def take_back(self, member):
        """An answer is withdrawn once, while the round takes answers."""
        round_ = self.round
        may = round_.door(self.arena.now) == "ready" and member in round_.sent.keys() - round_.withdrawn
        with self.database.session() as session:
            done = withdraw(session, round_.doors[member].public_id, round_.doors[member].token)
        assert done == may
        if done:
            round_.withdrawn.add(member)

    # --- the clock, the worker, the sender ----------------------------------------------------------------------

    @rule(
        length=st.sampled_from(
            [timedelta(minutes=6), timedelta(hours=5), timedelta(days=1), timedelta(days=5)]
        )
    )
    def wait(self, length):
        """Time passes."""
        self.arena.now += length

    @rule(length=st.sampled_from([timedelta(hours=1), timedelta(days=2)]))
    def clock_is_set_back(self, length):
        """The server's clock jumps back."""
        self.arena.now -= length

    @rule()
    def work(self):
        """A worker does what is due and lives."""
        self._work(None)

    @rule(at=moments, way=st.sampled_from(["dies", "fails"]))
    def crash(self, at, way):
        """A worker is stopped somewhere; another may come when the lease has run out."""
        self._work(at, way)
        self.arena.now += LEASE_LENGTH + timedelta(seconds=1)

    @rule(at=st.integers(1, 9))
    def crash_at_a_commit(self, at):
        """A worker dies just after one of its commits."""
        self._work(at, "dies", only="COMMIT, after")
        self.arena.now += LEASE_LENGTH + timedelta(seconds=1)

    def _work(self, at: int | None, way: str = "dies", **options) -> None:
        self.latest = max(self.latest, self.arena.now)
        self.faults.begin(at, way, **options)
        # Where the lease itself fails, the embedded worker's loop logs it and goes on.
        with self.faults.watched(), suppress(OSError):
            Worker(self.database, self.keys).run_once()
        self.faults.begin(None)
        self.latest = max(self.latest, self.arena.now)
        for round_ in self.rounds:
            self._moved_on(round_)

    def _moved_on(self, round_: Model) -> None:
        """Learn how far the worker came: only forward, and not past what leads and the clock allow."""
        state = self.facts_of(round_).state
        if state == "cancelled":
            return
        before, now = ORDER.index(round_.seen), ORDER.index(state)
        assert now >= before, f"from {round_.seen} back to {state}"
        if state not in ("launching", "open"):
            assert round_.closed or self.latest >= round_.facts.closes_at, "closed before its time"
        round_.seen = state
        if state != "open":
            round_.facts = replace(round_.facts, state=state)
        elif round_.facts.state == "launching":
            round_.facts = replace(round_.facts, state="open")
            round_.doors = support.doors(self.database, self.keys, round_.id)

    @rule()
    def post(self):
        """The sender does what is due."""
        self._post()

    @rule(after=st.integers(1, 6))
    def post_dies_unmarked(self, after):
        """The sender dies between the other side's "250" and the mark."""
        self.way.dies_after = after
        self._post()
        self.arena.now += MAIL_LEASE + timedelta(seconds=1)

    @rule(at=moments)
    def post_crashes(self, at):
        """The sender dies at a statement."""
        self._post(at)
        self.arena.now += MAIL_LEASE + timedelta(seconds=1)

    @rule(member=members, variant=variants)
    def post_while_answering(self, member, variant):
        """Somebody answers while the first of the mails is on its way."""
        self.way.meanwhile = lambda: self._answer(member, variant)
        self._post()
        self.way.meanwhile = None

    def _post(self, at: int | None = None) -> None:
        self.faults.begin(at)
        with self.faults.watched():
            Post(self.database, self.arena.config, way=self.way).run_once()
        self.faults.begin(None)
        self.way.dies_after = None

    def mailed(self, mail: Mail, *, again: bool) -> None:
        """A mail has left: it is wanted now, and was not sent before unless a sender died."""
        (kind,) = {kind for words, kind in SUBJECTS.items() if words in mail.words.subject}
        member = int(mail.to[len("quill") :].split("@")[0])
        assert not again or mail.tried_before, "sent twice"
        round_ = next(r for r in self.rounds if r.public_id in mail.words.text or self._is_of(r, kind))
        facts = round_.facts
        if kind in ("invitation", "reminder", "extended"):
            assert round_.door(self.arena.now) == "ready" and not facts.paused, "mailed while it may not"
        if kind in ("invitation", "reminder"):
            assert member not in round_.sent, "asked somebody who has answered"
            round_.invited = True
        if kind == "cancelled":
            assert facts.state == "cancelled" and round_.invited
            round_.told.add(member)
        if kind == "published":
            assert facts.state == "released"

    def _is_of(self, round_: Model, kind: str) -> bool:
        return {"cancelled": "cancelled", "published": "released"}.get(kind) == round_.facts.state

    @precondition(lambda self: self.live)
    @rule()
    def peek(self):
        """Until the mix nothing can be read, and until a round is over no key can be destroyed out of turn."""
        round_ = self.round
        with self.database.reading() as session:
            assert all(
                content["round"]["number"] < len(self.rounds)
                for content in read.history(session, support.OPERATOR, self.body_id)
            )
        assert build.release(self.database, round_.id) is None or round_.seen == "mixed"
        if round_.facts.state in ("launching", "open"):
            for step in (mix.mix, mix.destroy_keys, lifecycle.destroy):
                with pytest.raises(Conflict):
                    step(self.database, self.keys, round_.id)
        self._moved_on(round_)

    # --- what must be so at all times ---------------------------------------------------------------------------

    def facts_of(self, round_: Model) -> Facts:
        """The facts as the database has them."""
        return self._look()[round_.id].facts

    def _look(self) -> dict[int, Seen]:
        with self.database.reading() as session:
            found = session.execute(LOOK, {"body_id": self.body_id}).all()
        return {
            row.id: Seen(Facts(row.state, row.closes_at, row.paused, row.amendments), row) for row in found
        }

    @invariant()
    def all_is_as_it_should_be(self):
        """Each round is what the model says; answers are conserved; nothing is there early; the promise stands."""
        if not self.rounds:
            return
        found = self._look()
        assert len(found) == len(self.rounds)
        assert sum(seen.facts.state in ("launching", "open") for seen in found.values()) <= 1
        for round_ in self.rounds:
            self._check(round_, *found[round_.id])

    def _check(self, round_: Model, facts: Facts, row) -> None:
        assert facts == round_.facts, "not what was done to it"
        assert row.promise_hash == round_.promise_hash == audit.sha256(row.promise)
        round_.links_deleted = row.links_deleted_at is not None
        sent, withdrawn = len(round_.sent), len(round_.withdrawn)
        if round_.links_deleted:
            assert round_.over and row.links == 0
        elif round_.doors:
            assert (row.links, row.used, row.withdrawn) == (MEMBERS, sent, withdrawn)
        assert row.releases == (facts.state == "released")
        if facts.state in ("mixed", "released"):
            assert row.boxes == 0 and row.responses == sent - withdrawn
        else:
            assert row.responses == row.comments == row.practices == 0
            destroyed = facts.state == "cancelled" and row.boxes == 0
            assert destroyed or row.boxes == sent
        kept = self.keys.holds_round(round_.public_id)
        if facts.state in ("open", "closing"):
            assert kept
        if row.keys_destroyed_at is not None:
            assert round_.facts.state in ("mixed", "released", "cancelled") and row.boxes == 0 and not kept

    def teardown(self):
        """Whatever happened, time and quiet passes end all: one release or a whole cancellation, told to all, no key, no
        message left, and an audit log that holds."""
        try:
            if self.rounds:
                self._end()
        finally:
            self.arena.end()

    def _end(self):
        self.arena.now = max(self.latest, self.arena.now) + timedelta(hours=1)
        if self.live:
            self.arena.now = max(self.arena.now, self.round.facts.closes_at)
        for _ in range(2):
            self._work(None)
            self._post()
            self.arena.now += timedelta(days=2)
        self._work(None)
        self._post()
        self.all_is_as_it_should_be()
        with self.database.reading() as session:
            for round_ in self.rounds:
                row = session.get(Round, round_.id)
                assert round_.over and row.trouble is None and row.links_deleted_at and row.keys_destroyed_at
                answers = session.exec(select(Response.answers).where(Response.round_id == round_.id)).all()
                kept = [number for member, number in round_.sent.items() if member not in round_.withdrawn]
                assert sorted(map(number_of, answers)) == (sorted(kept) if row.state == "released" else [])
                assert len(lifecycle.amendments(session, row)) == round_.facts.amendments
                if row.state == "cancelled" and round_.invited:
                    assert len(round_.told) == MEMBERS
            left = session.exec(select(func.count()).where(Message.body_id == self.body_id)).one()
            assert left == 0
            if self.database.is_sqlite:
                assert audit.verify(session) is None


@dataclass(frozen=True)
class Seen:
    """A round as the database has it: its facts, and the row with its counts."""

    facts: Facts
    row: object

    def __iter__(self):
        return iter((self.facts, self.row))


def _count(table, *where):
    return (
        select(func.count())
        .select_from(table)
        .where(table.round_id == Round.id, *where)
        .correlate(Round)
        .scalar_subquery()
    )


def _look_query():
    from sqlalchemy import bindparam

    return select(
        Round.id,
        Round.state,
        Round.closes_at,
        Round.paused_at.is_not(None).label("paused"),
        Round.promise,
        Round.promise_hash,
        Round.keys_destroyed_at,
        Round.links_deleted_at,
        _count(RoundAmendment).label("amendments"),
        _count(Participation).label("links"),
        _count(Participation, Participation.used.is_(True)).label("used"),
        _count(Participation, Participation.withdrawn.is_(True)).label("withdrawn"),
        _count(SealedAnswer).label("boxes"),
        _count(Response).label("responses"),
        _count(Release).label("releases"),
        _count(Comment).label("comments"),
        _count(PracticeParticipation).label("practices"),
    ).where(Round.body_id == bindparam("body_id"))


LOOK = _look_query()


class Arena:
    """Where the runs of a machine take place: one SQLite file put back after each, or bodies in one PostgreSQL.

    The clock is the arena's: it moves a thousandth of a second each time that it is read, so that no two events are at
    once. Assessments of practices are left out: they are built after all that is checked here, and have their own tests.
    """

    def __init__(self, config: Config, database: Database, patch: pytest.MonkeyPatch, room: Path):
        self.config = replace(
            config,
            mail=replace(config.mail, way="smtp", sender="survey@ccg.example", per_minute=1_000_000),
        )
        self.database, self.keys, self.faults = database, Keys(config.keys), Faults()
        self.now = START
        patch.setattr(clock, "now", self._tick)
        patch.setattr(Worker, "_unassessed", lambda worker: [])
        install(self.faults, database, config.keys, patch)
        self._room = room
        if database.is_sqlite:
            self._body = self._make()
            database.dispose()
            shutil.copy(database.path, room / "ready.sqlite")

    def _tick(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def _make(self) -> int:
        return crowd(self.database, MEMBERS, practices=2, leaders=2, code=f"B{next(_bodies)}")

    def begin(self) -> int:
        """A body that has had no round, and the first of its mornings; returns the body's id."""
        self.now = START
        if not self.database.is_sqlite:
            # Later than all that happened to the bodies before it: nothing of theirs is due.
            self.now = self._next = getattr(self, "_next", START)
            return self._make()
        for leftover in ("-wal", "-shm"):
            Path(f"{self.database.path}{leftover}").unlink(missing_ok=True)
        shutil.copy(self._room / "ready.sqlite", self.database.path)
        shutil.rmtree(self.config.keys, ignore_errors=True)
        return self._body

    def end(self) -> None:
        """Close what was opened."""
        self.faults.begin(None)
        self._next = self.now + timedelta(days=3)
        if self.database.is_sqlite:
            self.database.dispose()


def run(arena: Arena, runs: int, *, steps: int = STEPS, fresh: bool = False) -> None:
    """Let the machine run. `fresh`: other runs each time; else the same, so that a failure is the change's at hand."""
    run_state_machine_as_test(
        type("Machine", (Life,), {"arena": arena}),
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=not fresh,
            phases=(Phase.generate, Phase.shrink) if fresh else (Phase.generate,),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
