"""The life of rounds as a machine: any order of what leads, members, the clock, the worker and the sender may do, with
a crash at any statement, checked after each step against a model that is too simple to be wrong."""

from __future__ import annotations

import itertools
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import bindparam
from sqlmodel import func, select

from engagement import clock
from engagement.access import audit
from engagement.config import Config
from engagement.db import READ_ONLY, Database
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
from engagement.releases import build
from engagement.rounds import lifecycle, verbs
from engagement.worker import LEASE_LENGTH, Worker
from tests import support
from tests.adversary.crowd import crowd, number_of, sheet_of
from tests.crash.faults import Death, Faults, install

STEPS = 40
MEMBERS, VARIANTS = 3, 2
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
# What may happen, as often as it stands here. Hypothesis leaves out half of a machine's rules in each run, and so would
# seldom answer, cancel and crash in one: there is one rule, and this is what it draws from.
EVENTS = (
    *("answer",) * 5,
    *("answer_and_die", "take_back", "somebody_peeks"),
    *("extend", "extend", "pause", "resume", "pause_or_resume", "close", "cancel"),
    *("time_passes", "time_passes", "time_passes", "clock_is_set_back"),
    *("the_worker_comes", "the_worker_comes", "the_worker_dies", "the_worker_dies"),
    *(
        "the_sender_comes",
        "the_sender_dies",
        "the_sender_dies_unmarked",
        "somebody_answers_while_mail_leaves",
    ),
)
LEADS = ("extend", "pause", "resume", "pause_or_resume", "close", "cancel")


@dataclass(frozen=True)
class Turn:
    """What chance gives to an event, which takes of it what it needs."""

    member: int
    variant: int
    days: int
    at: int
    way: str

    @property
    def crash(self) -> int | None:
        """At which moment the server dies in a lead's or member's hands, None in half of all cases."""
        return self.at if self.way in ("dies", "dies after a commit") else None


# A verb has some fifteen statements, the mix eighteen, the scrub with the keys twenty-nine; later ones let it live.
turns = st.builds(
    Turn,
    member=st.integers(0, MEMBERS - 1),
    variant=st.integers(0, VARIANTS - 1),
    days=st.sampled_from([-3, 0, 1, 5, 12]),
    at=st.integers(1, 32),
    way=st.sampled_from(["lives", "dies", "fails", "dies after a commit"]),
)
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
    """What we know of a round. `sent`: member to the form that was first stored; `seen`: the furthest state so far;
    `called`: the invitation may be queued, so that all are told of the end; `invited`: one left, so that they must be."""

    id: int
    public_id: str
    promise_hash: str
    opens_at: datetime
    facts: Facts
    doors: list[support.Door] = field(default_factory=list)
    sent: dict[int, int] = field(default_factory=dict)
    withdrawn: set[int] = field(default_factory=set)
    called: bool = False
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
        self.wrong: list[AssertionError] = []
        self.meanwhile = None
        self.dies_after: int | None = None

    def send(self, mail: Mail) -> None:
        """Take a mail on. `meanwhile`: what happens while the first is on its way."""
        try:
            self.machine.mailed(mail, again=mail.key in self.keys)
        except AssertionError as error:
            # The sender takes any error for the other side's, and tries again: kept until it is done.
            self.wrong.append(error)
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

    @initialize(opened=st.sampled_from([True, True, True, False]), invited=st.booleans())
    def first(self, opened, invited):
        """The first round is launched, and mostly opened and mailed before anything else happens."""
        if not self.arena.recall(self, (opened, invited)):
            self._launch(opened, invited)
            self.arena.remember(self, (opened, invited))

    @rule(event=st.sampled_from(EVENTS), turn=turns)
    def step(self, event, turn):
        """Something happens. Once a round is over, a lead who would act on it launches the next."""
        if event in LEADS and not self.live:
            self._launch(opened=turn.days >= 0, invited=turn.days > 1)
        else:
            getattr(self, event)(turn)

    def _launch(self, opened: bool, invited: bool):
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
        if opened:
            self._work(None)
        if invited:
            self._post()

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

    def extend(self, turn: Turn) -> None:
        """A close moves later, before it passes, and while mail may leave; else nothing moves."""
        facts = self.round.facts
        closes_at = facts.closes_at + timedelta(days=turn.days)
        may = (
            facts.state == "open" and self.arena.now < facts.closes_at and turn.days > 0 and not facts.paused
        )
        after = replace(facts, closes_at=closes_at, amendments=facts.amendments + 1) if may else None
        self.lead(lifecycle.extend, closes_at, after=after, crash=turn.crash)

    def pause(self, turn: Turn) -> None:
        """An open round is paused once."""
        facts = self.round.facts
        may = facts.state == "open" and not facts.paused
        after = replace(facts, paused=True, amendments=facts.amendments + 1) if may else None
        self.lead(lifecycle.pause, after=after, crash=turn.crash)

    def resume(self, turn: Turn) -> None:
        """A paused round is resumed once."""
        facts = self.round.facts
        may = facts.state == "open" and facts.paused
        after = replace(facts, paused=False, amendments=facts.amendments + 1) if may else None
        self.lead(lifecycle.resume, after=after, crash=turn.crash)

    def pause_or_resume(self, turn: Turn) -> None:
        """Whichever of the two makes sense."""
        (self.resume if self.round.facts.paused else self.pause)(turn)

    def cancel(self, turn: Turn) -> None:
        """A round is cancelled, for a reason, as long as it is not closed."""
        facts, sure = self.round.facts, turn.days > 0
        may = facts.state in ("launching", "open") and sure
        after = Facts("cancelled", facts.closes_at, False, facts.amendments + 1) if may else None
        self.lead(lifecycle.cancel, after=after, crash=turn.crash, reason="A wrong list" if sure else " ")

    def close(self, turn: Turn) -> None:
        """An open round is closed now."""
        facts = self.round.facts
        after = replace(facts, state="closing") if facts.state == "open" else None
        self.lead(verbs.close, after=after, crash=turn.crash)
        self.round.closed |= self.round.facts.state == "closing"

    # --- what members do ----------------------------------------------------------------------------------------

    def answer(self, turn: Turn) -> None:
        """A form is stored, heard again or refused, as the first form on the link and the server's clock say."""
        self._answer(turn.member, turn.variant)

    def _answer(self, member, variant):
        for round_ in (each for each in self.rounds[-2:] if each.doors):
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

    def answer_and_die(self, turn: Turn) -> None:
        """The server dies around the commit: the answer is there whole or not at all, and the form may be sent again."""
        round_, member = self.round, turn.member
        if not round_.doors:
            return
        number, after_commit = member * VARIANTS + turn.variant, turn.days > 0
        expected = self._expected(round_, member, number)
        self.faults.begin(1 + after_commit, "dies", only="COMMIT")
        with self.faults.watched():
            support.answer(self.database, round_.doors[member], sheet_of(number), f"key {number}")
        self.faults.begin(None)
        if expected is Outcome.STORED and after_commit:
            round_.sent[member] = number

    def take_back(self, turn: Turn) -> None:
        """An answer is withdrawn once, while the round takes answers."""
        round_, member = self.round, turn.member
        if not round_.doors:
            return
        may = round_.door(self.arena.now) == "ready" and member in round_.sent.keys() - round_.withdrawn
        with self.database.session() as session:
            done = withdraw(session, round_.doors[member].public_id, round_.doors[member].token)
        assert done == may
        if done:
            round_.withdrawn.add(member)

    # --- the clock, the worker, the sender ----------------------------------------------------------------------

    def time_passes(self, turn: Turn) -> None:
        """The clock goes on."""
        self.arena.now += timedelta(hours={-3: 0.1, 0: 5, 1: 24, 5: 48, 12: 120}[turn.days])

    def clock_is_set_back(self, turn: Turn) -> None:
        """The server's clock jumps back."""
        self.arena.now -= timedelta(hours=48 if turn.days > 1 else 1)

    def the_worker_comes(self, _turn: Turn) -> None:
        """A worker does what is due and lives."""
        self._work(None)

    def the_worker_dies(self, turn: Turn) -> None:
        """A worker is stopped somewhere; another may come when the lease has run out."""
        if turn.way == "dies after a commit":
            self._work(1 + turn.at % 9, "dies", only="COMMIT, after")
        else:
            self._work(turn.at, "fails" if turn.way == "fails" else "dies")
        self.arena.now += LEASE_LENGTH + timedelta(seconds=1)

    def _work(self, at: int | None, way: str = "dies", **options) -> None:
        self.latest = max(self.latest, self.arena.now)
        self.faults.begin(at, way, **options)
        # Where the lease itself fails, the embedded worker's loop logs it and goes on.
        with self.faults.watched(), suppress(OSError):
            Worker(self.database, self.keys).run_once()
        self.faults.begin(None)
        self.latest = max(self.latest, self.arena.now)
        found = self._look()
        for round_ in self.rounds:
            self._moved_on(round_, found[round_.id].facts.state)

    def _moved_on(self, round_: Model, state: str) -> None:
        """Learn how far the worker came: only forward, and not past what leads and the clock allow."""
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

    def the_sender_comes(self, _turn: Turn) -> None:
        """The sender does what is due."""
        self._post()

    def the_sender_dies(self, turn: Turn) -> None:
        """The sender dies at a statement; its mails may be taken up when their lease has run out."""
        self._post(turn.at)
        self.arena.now += MAIL_LEASE + timedelta(seconds=1)

    def the_sender_dies_unmarked(self, turn: Turn) -> None:
        """The sender dies between the other side's "250" and the mark."""
        self.way.dies_after = 1 + turn.member
        self._post()
        self.arena.now += MAIL_LEASE + timedelta(seconds=1)

    def somebody_answers_while_mail_leaves(self, turn: Turn) -> None:
        """Somebody answers while the first of the mails is on its way."""
        self.way.meanwhile = lambda: self._answer(turn.member, turn.variant)
        self._post()
        self.way.meanwhile = None

    def _post(self, at: int | None = None) -> None:
        for round_ in self.rounds:
            round_.called |= round_.door(self.arena.now) == "ready" and not round_.facts.paused
        self.faults.begin(at)
        with self.faults.watched():
            Post(self.database, self.arena.config, way=self.way).run_once()
        self.faults.begin(None)
        self.way.dies_after = None
        if self.way.wrong:
            raise self.way.wrong[0]

    def mailed(self, mail: Mail, *, again: bool) -> None:
        """A mail has left: it is wanted now, and was not sent before unless a sender died."""
        (kind,) = {kind for words, kind in SUBJECTS.items() if words in mail.words.subject}
        member = int(mail.to[len("quill") :].split("@")[0])
        assert not again or mail.tried_before, "sent twice"
        named = re.search(r"Round (\d+)", mail.words.text)
        # Mails that ask for an answer hold a link; the others name the round by its title.
        round_ = (
            self.rounds[int(named[1]) - 1]
            if named
            else next(each for each in self.rounds if each.public_id in mail.words.text)
        )
        facts = round_.facts
        if kind in ("invitation", "reminder", "extended"):
            assert round_.door(self.arena.now) == "ready" and not facts.paused, "mailed while it may not"
        if kind in ("invitation", "reminder"):
            assert member not in round_.sent, "asked somebody who has answered"
            round_.invited = True
        if kind == "cancelled":
            assert facts.state == "cancelled" and round_.called
            round_.told.add(member)
        if kind == "published":
            assert facts.state == "released"

    def somebody_peeks(self, turn: Turn) -> None:
        """No step of the worker can be had before its time."""
        round_ = self.round
        if round_.facts.state not in ("launching", "open"):
            return
        assert build.release(self.database, round_.id) is None
        step = (mix.mix, mix.destroy_keys, lifecycle.destroy)[turn.member]
        with pytest.raises(Conflict):
            step(self.database, self.keys, round_.id)

    # --- what must be so at all times ---------------------------------------------------------------------------

    def facts_of(self, round_: Model) -> Facts:
        """The facts as the database has them."""
        return self._look()[round_.id].facts

    def _look(self) -> dict[int, Seen]:
        with self.database.engine.execution_options(**READ_ONLY).connect() as connection:
            found = connection.execute(LOOK, {"body_id": self.body_id}).all()
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
        # Where the clock was set back, a lease may run until long after now.
        self.arena.now = self.arena.furthest + timedelta(hours=1)
        if self.live:
            self.arena.now = max(self.arena.now, self.round.facts.closes_at)
        # To save time; but bodies that share a database must not leave mail to one another.
        tell = len(self.rounds) > 1 or self.round.facts.state == "cancelled" or not self.database.is_sqlite
        for _ in range(2):
            self._work(None)
            if tell:
                self._post()
            self.arena.now += timedelta(days=2)
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
            assert not tell or left == 0
            if self.database.is_sqlite:
                assert audit.verify(session) is None


@dataclass(frozen=True)
class Seen:
    """A round as the database has it: its facts, and the row with its counts."""

    facts: Facts
    row: object

    def __iter__(self):
        return iter((self.facts, self.row))


def _count(model, *columns: str):
    table = model.__table__
    where = [table.c.round_id == ROUND.c.id, *(table.c[name].is_(True) for name in columns)]
    return select(func.count()).select_from(table).where(*where).correlate(ROUND).scalar_subquery()


ROUND = Round.__table__
LOOK = select(
    ROUND.c.id,
    ROUND.c.state,
    ROUND.c.closes_at,
    ROUND.c.paused_at.is_not(None).label("paused"),
    ROUND.c.promise,
    ROUND.c.promise_hash,
    ROUND.c.keys_destroyed_at,
    ROUND.c.links_deleted_at,
    _count(RoundAmendment).label("amendments"),
    _count(Participation).label("links"),
    _count(Participation, "used").label("used"),
    _count(Participation, "withdrawn").label("withdrawn"),
    _count(SealedAnswer).label("boxes"),
    _count(Response).label("responses"),
    _count(Release).label("releases"),
    _count(Comment).label("comments"),
    _count(PracticeParticipation).label("practices"),
).where(ROUND.c.body_id == bindparam("body_id"))


class Arena:
    """Where the runs of a machine take place: one SQLite file put back after each, or bodies in one PostgreSQL.

    The clock is the arena's: it moves a thousandth of a second each time that it is read, so that no two events are at
    once. Assessments of practices and evaluations of outreach are left out: they are built after all that is checked here,
    and have their own tests.
    """

    def __init__(self, config: Config, database: Database, patch: pytest.MonkeyPatch, room: Path):
        self.config = replace(
            config,
            mail=replace(config.mail, way="smtp", sender="survey@ccg.example", per_minute=1_000_000),
        )
        self.database, self.keys, self.faults = database, Keys(config.keys), Faults()
        self.now = self.furthest = START
        patch.setattr(clock, "now", self._tick)
        patch.setattr(Worker, "_unassessed", lambda worker: [])
        patch.setattr(Worker, "_unevaluated", lambda worker: [])
        install(self.faults, database, config.keys, patch)
        self._room, self._next, self.begun = room, START, 0
        self._starts: dict[tuple[bool, bool], tuple] = {}
        if database.is_sqlite:
            self._body = self._make()
            self._keep(room / "ready")

    def _tick(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        self.furthest = max(self.furthest, self.now)
        return self.now

    def _make(self) -> int:
        return crowd(self.database, MEMBERS, practices=2, leaders=2, code=f"B{next(_bodies)}")

    def begin(self) -> int:
        """A body that has had no round, and the first of its mornings; returns the body's id."""
        self.now = self.furthest = START
        self.begun += 1
        if not self.database.is_sqlite:
            # Later than all that happened to the bodies before it: nothing of theirs is due.
            self.now = self.furthest = self._next
            return self._make()
        self._put_back(self._room / "ready")
        return self._body

    def _put_back(self, kept: Path) -> None:
        self.database.dispose()
        for leftover in ("-wal", "-shm"):
            Path(f"{self.database.path}{leftover}").unlink(missing_ok=True)
        shutil.copy(kept / "database", self.database.path)
        shutil.rmtree(self.config.keys, ignore_errors=True)
        if (kept / "keys").exists():
            shutil.copytree(kept / "keys", self.config.keys)

    def _keep(self, kept: Path) -> None:
        self.database.dispose()
        kept.mkdir()
        shutil.copy(self.database.path, kept / "database")
        if self.config.keys.exists():
            shutil.copytree(self.config.keys, kept / "keys")

    def remember(self, life: Life, start: tuple[bool, bool]) -> None:
        """Keep how a run begins, on SQLite: the next that begins so needs not do it all again."""
        if self.database.is_sqlite:
            kept = self._room / f"start-{len(self._starts)}"
            self._keep(kept)
            self._starts[start] = kept, self.now, replace(life.round), frozenset(life.way.keys)

    def recall(self, life: Life, start: tuple[bool, bool]) -> bool:
        """Begin a run as one that was kept; False when there is none."""
        if start not in self._starts:
            return False
        kept, self.now, first, keys = self._starts[start]
        self.furthest = self.now
        self._put_back(kept)
        life.rounds = [replace(first, sent={}, withdrawn=set(), told=set())]
        life.way.keys, life.latest = set(keys), self.now
        return True

    def end(self) -> None:
        """Close what was opened."""
        self.faults.begin(None)
        self._next = self.furthest + timedelta(days=3)
        if self.database.is_sqlite:
            self.database.dispose()


def run(arena: Arena, runs: int, *, steps: int = STEPS, part: int = 0, fresh: bool = False) -> None:
    """Let the machine run. `fresh`: other runs each time; else those of `part`, so that a failure is the change's at hand."""
    machine = type("Machine", (Life,), {"arena": arena})
    run_state_machine_as_test(
        machine if fresh else seed(part)(machine),
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink) if fresh else (Phase.generate,),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
