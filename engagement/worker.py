"""The worker: everything that happens to a round without a person. One at a time, under a lease.

Each job is a change of state that may be done twice without harm, so a worker that was killed anywhere is
caught up by the next pass of any other.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import and_, or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from engagement import clock, db
from engagement.asks import alike
from engagement.config import Config
from engagement.db import Database
from engagement.errors import EngagementError
from engagement.intake import mix
from engagement.intake.keys import Keys
from engagement.messaging.post import Post
from engagement.models import Assessment, Lease, Round
from engagement.outreach import basis
from engagement.rounds import autopilot, lifecycle, opening, verbs
from engagement.vitals import Heart

if TYPE_CHECKING:
    from engagement.disclosure import Decision
    from engagement.releases.checking import Checker, Child, Question

log = logging.getLogger("engagement.worker")
LEASE = "worker"
LEASE_LENGTH = timedelta(minutes=10)
LINKS_KEPT = timedelta(hours=24)
# How long a round in trouble is left alone before it is tried again.
REST = timedelta(minutes=1)
# How often it is looked whether an evaluation of outreach rests on something new.
LOOK = timedelta(seconds=30)
PAUSE = 2.0
UNEXPECTED = "An unexpected error stopped the worker; its log says more. It tries again every minute."


class Worker:
    """One worker over one database and one key folder. `checker`: where the disclosure gate runs; in this process
    where left out, which a long-running worker should not do."""

    def __init__(self, database: Database, keys: Keys, checker: Checker | None = None):
        self.database = database
        self.keys = keys
        self.checker = checker
        self._resting: dict[int, datetime] = {}
        self._unwell: dict[int, datetime] = {}
        self._unjudged: dict[int, datetime] = {}
        self._tired = self._looked = datetime.min.replace(tzinfo=UTC)
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"

    def run_once(self) -> int:
        """Do all that is due and return how many steps were done; 0 also when another worker holds the lease."""
        wanted = (
            self._due()
            or self._unassessed()
            or self._programmes()
            or self._unevaluated()
            or self._uncompared()
        )
        if not wanted or not self._take_lease():
            return 0
        done = 0
        try:
            # Rounds first: a round that is over makes way for the programme's next.
            while step := sum(self._safely(round_) for round_ in self._due()) + autopilot.run(self.database):
                done += step
                self._take_lease()
            for body_id in self._unassessed():
                done += self._assess(body_id)
                self._take_lease()
            for body_id in self._unevaluated():
                done += self._evaluate(body_id)
                self._take_lease()
            if self._uncompared():
                done += self._compare()
        finally:
            self._give_lease()
        return done

    def _programmes(self) -> list[int]:
        """The programmes to look at now."""
        with self.database.reading() as session:
            return autopilot.due(session)

    def _due(self) -> list[Round]:
        """The rounds that have a step to take now, in round order, so that releases are built in it too."""
        now = clock.now()
        with self.database.reading() as session:
            rounds = session.exec(
                select(Round)
                .where(
                    or_(
                        Round.state.in_(("launching", "closing", "mixed")),
                        and_(Round.state == "open", Round.closes_at <= now),
                        and_(
                            Round.state == "released",
                            Round.links_deleted_at.is_(None),
                            Round.mixed_at <= now - LINKS_KEPT,
                        ),
                        and_(
                            Round.state == "cancelled",
                            or_(
                                Round.keys_destroyed_at.is_(None),
                                and_(Round.links_deleted_at.is_(None), Round.closed_at <= now - LINKS_KEPT),
                            ),
                        ),
                    )
                )
                .order_by(Round.body_id, Round.number)
            ).all()
        return [round_ for round_ in rounds if self._resting.get(round_.id, now) <= now]

    def _safely(self, round_: Round) -> bool:
        """One step for one round; trouble rests that round alone, is logged, and is shown on its page."""
        try:
            return self._step(round_)
        except Exception as error:
            log.exception("round %s (%s) is stuck", round_.id, round_.state)
            self._resting[round_.id] = clock.now() + REST
            words = str(error) if isinstance(error, EngagementError) else UNEXPECTED
            with self.database.session() as session:
                # A step that took effect although it failed is not trouble, and nothing would clear it again.
                session.execute(
                    update(Round)
                    .where(
                        Round.id == round_.id,
                        Round.state == round_.state,
                        Round.links_deleted_at.is_(None),
                    )
                    .values(trouble=words[:500])
                )
            return False

    def _unassessed(self) -> list[int]:
        """The bodies in which a mixed round waits for its assessment, those in trouble left alone for a while."""
        now = clock.now()
        with self.database.reading() as session:
            bodies = session.exec(
                select(Round.body_id)
                .outerjoin(Assessment, Assessment.round_id == Round.id)
                .where(Round.state.in_(("mixed", "released")), Assessment.id.is_(None))
                .distinct()
                .order_by(Round.body_id)
            ).all()
        return [body_id for body_id in bodies if self._unwell.get(body_id, now) <= now]

    def _assess(self, body_id: int) -> int:
        """Build a body's missing assessments. Trouble is logged and holds nothing else up: releases come first."""
        from engagement.assessments import build  # brings numpy, which the app's start should not wait for

        made = 0
        try:
            made = build.ensure(self.database, body_id)
        except Exception:
            log.exception("the assessment of body %s is stuck", body_id)
        if not made:
            self._unwell[body_id] = clock.now() + REST
        self._looked = datetime.min.replace(tzinfo=UTC)
        return made

    def _unevaluated(self) -> list[int]:
        """The bodies whose evaluation of outreach rests on something new, looked for now and then: visits are few."""
        now = clock.now()
        # A clock that was set back must not put it off for as long as it was set back.
        if self._looked <= now < self._looked + LOOK:
            return []
        with self.database.reading() as session:
            found = [body_id for body_id in basis.waiting(session) if self._unjudged.get(body_id, now) <= now]
        if not found:
            self._looked = now
        return found

    def _evaluate(self, body_id: int) -> int:
        """Work out what a body's outreach achieved. Trouble is logged and holds nothing else up."""
        from engagement.outreach import evaluation  # brings numpy, which the app's start should not wait for

        made = False
        try:
            made = evaluation.ensure(self.database, body_id)
        except Exception:
            log.exception("the evaluation of outreach of body %s is stuck", body_id)
        if not made:
            self._unjudged[body_id] = clock.now() + REST
        return int(made)

    def _uncompared(self) -> list[int]:
        """The bodies with an ask that was not compared with the others yet."""
        if self._tired > clock.now():
            return []
        with self.database.reading() as session:
            return alike.waiting(session)

    def _compare(self) -> int:
        """Find asks that are alike. Trouble is logged and holds nothing else up."""
        try:
            return alike.refresh(self.database)
        except Exception:
            log.exception("asks could not be compared")
            self._tired = clock.now() + REST
            return 0

    def _step(self, round_: Round) -> bool:
        now = clock.now()
        if round_.state == "launching":
            return opening.open_round(self.database, self.keys, round_.id)
        if round_.state == "open":
            if now < round_.closes_at:
                return False
            with self.database.session() as session:
                return verbs.stop_intake(session, round_.id)
        if round_.state == "closing":
            return mix.mix(self.database, self.keys, round_.id) is not None
        if round_.state == "cancelled" and round_.keys_destroyed_at is None:
            return lifecycle.destroy(self.database, self.keys, round_.id)
        if round_.keys_destroyed_at is None:
            if not mix.scrub(self.database):
                return False
            mix.destroy_keys(self.database, self.keys, round_.id)
            return True
        if round_.state == "mixed":
            from engagement.releases import build  # brings numpy, which the app's start should not wait for

            return build.release(self.database, round_.id, self.checker) is not None
        mix.delete_links(self.database, round_.id)
        return True

    def _take_lease(self) -> bool:
        """Take or extend the lease; False while another worker's has not run out."""
        now = clock.now()
        try:
            with self.database.session() as session:
                mine = or_(Lease.holder == self.name, Lease.until < now)
                moved = session.execute(
                    update(Lease)
                    .where(Lease.name == LEASE, mine)
                    .values(holder=self.name, until=now + LEASE_LENGTH)
                )
                if moved.rowcount == 1:
                    return True
                if session.get(Lease, LEASE) is not None:
                    return False
                session.add(Lease(name=LEASE, holder=self.name, until=now + LEASE_LENGTH))
        except IntegrityError:
            return False
        return True

    def _give_lease(self) -> None:
        with self.database.session() as session:
            session.execute(
                update(Lease).where(Lease.name == LEASE, Lease.holder == self.name).values(until=clock.now())
            )


def pending(session: Session, body_id: int | None = None) -> int:
    """How many rounds wait for the worker to open, mix or release them now, or to destroy what was cancelled."""
    query = select(Round.id).where(
        or_(
            Round.state.in_(("launching", "closing", "mixed")),
            and_(Round.state == "cancelled", Round.keys_destroyed_at.is_(None)),
        )
    )
    if body_id is not None:
        query = query.where(Round.body_id == body_id)
    return len(session.exec(query).all())


class ChildGate:
    """The disclosure gate in a process of its own, brought in only when there is something to check."""

    def __init__(self) -> None:
        self._child: Child | None = None

    def decide(self, question: Question, progress: Callable[[int, int], None]) -> Decision:
        """The gate's decision."""
        from engagement.releases.checking import (
            Child,  # brings numpy, which the app's start should not wait for
        )

        self._child = self._child or Child()
        return self._child.decide(question, progress)

    def close(self) -> None:
        """End the process, if there is one."""
        if self._child is not None:
            self._child.close()
            self._child = None


class Embedded:
    """The worker and the sender of mail as two threads: a slow mail server must not hold a round up."""

    def __init__(self, config: Config, pause: float = PAUSE):
        database = db.get(config, db.WHOLE)
        self._post = Post(database, config)
        self._checker = ChildGate()
        self._pause = pause
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(job,), name=name, daemon=True)
            for name, job in (
                ("worker", Worker(database, Keys(config.keys), self._checker)),
                ("post", self._post),
            )
        ]

    def start(self) -> None:
        """Begin to look for work every few seconds."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after the steps in hand."""
        self._stop.set()
        self._post.stop.set()
        for thread in self._threads:
            thread.join(timeout=30)
        self._checker.close()

    def _run(self, job: Worker | Post) -> None:
        heart = Heart(job.database, "post" if job is self._post else "worker", job.name)
        while not self._stop.wait(self._pause):
            try:
                job.run_once()
                heart.beat()
            except Exception as error:
                # A mail's error may quote an address: of the sender's, only the kind is logged.
                log.error(
                    "a pass of the %s failed: %s",
                    type(job).__name__,
                    type(error).__name__,
                    exc_info=job is not self._post,
                )
