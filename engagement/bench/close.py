"""Closing a large round: every step of the worker from the close to the release, in a process of its own."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import insert, update
from sqlmodel import select

from engagement.bench import closing, ground
from engagement.bench.result import Result
from engagement.errors import EngagementError
from engagement.intake import sealing
from engagement.models import Participation, Round, SealedAnswer
from engagement.models.base import random_key

RESPONSES = 60_000
SECONDS, MEMORY = 30, 1_000
CHUNK = 2_000
COMMENT_EVERY = 5
ITEMS = [*ground.ITEMS, "decisions_mine", "contact", "meetings", "acted", "one_thing"]
SEED = 60_000
_ledger = Participation.__table__


def run(say, *, responses=RESPONSES) -> list[Result]:
    """Seal the boxes (not timed), open them bare, then let a worker close the round."""
    with ground.folder() as data:
        with ground.installation(data) as (database, keys):
            say(f"close: launching a round of {responses:,} members")
            body_id = ground.body(database, responses)
            ground.ask(database, body_id, ITEMS)
            round_id = ground.launch(database, keys, body_id)
            say("close: sealing their answers")
            _answer(database, round_id)
            with database.session() as session:
                session.execute(update(Round).where(Round.id == round_id).values(**closing.closed()))
        say("close: opening the boxes bare")
        bare = _child("bare", data, round_id)
        say("close: closing the round")
        closed = _child("worker", data, round_id)
    if closed["responses"] != responses or bare["boxes"] != responses:
        raise EngagementError(f"{responses} answers were sealed; the bench found {closed} after {bare}.")
    size = f"{responses:,} responses, {len(ITEMS) - 1} items and a comment from 1 in {COMMENT_EVERY}"
    whole = responses >= RESPONSES
    steps = ", ".join(f"{step} {took:.1f} s" for step, took in closed["steps"].items())
    return [
        Result(
            bench="close",
            name="close",
            what=f"closing a round of {size}: open, mix, scrub, destroy the keys, release",
            figure=closed["seconds"],
            unit="s",
            baseline="bare decryption of the same boxes and the standings in them with libsodium, one thread",
            baseline_figure=bare["seconds"],
            goal=f"under {SECONDS} s for {RESPONSES:,}",
            met=closed["seconds"] < SECONDS if whole else None,
            note=steps,
            detail=closed["steps"],
        ),
        Result(
            bench="close",
            name="close-memory",
            what="the most memory that the closing process held",
            figure=closed["memory"],
            unit="MB",
            baseline="the process of the bare decryption, which keeps nothing",
            baseline_figure=bare["memory"],
            goal=f"under {MEMORY:,} MB for {RESPONSES:,}",
            met=closed["memory"] < MEMORY if whole else None,
        ),
    ]


def _child(what: str, data: Path, round_id: int) -> dict:
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "engagement.bench.closing", what, str(data), str(round_id)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EngagementError(f"The closing process failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def _answer(database, round_id: int) -> None:
    """Seal an answer for every link, and mark all links used: as the intake does, but in bulk."""
    chance = random.Random(SEED)  # noqa: S311 - invented answers
    with database.reading() as session:
        round_ = session.get(Round, round_id)
        standings = session.execute(
            select(_ledger.c.standing).where(_ledger.c.round_id == round_id).order_by(_ledger.c.link_hash)
        ).scalars()
        standings = list(standings)

    def box(numbered) -> bytes:
        number, standing, seed = numbered
        return _box(round_, number, standing, seed)

    # In the order of their ids, so that the file grows at its end.
    ids = sorted(random_key() for _ in standings)
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(ids), CHUNK):
            part = [
                (number, standings[number], chance.random())
                for number in range(start, min(start + CHUNK, len(ids)))
            ]
            rows = [
                {"id": ids[each[0]], "round_id": round_id, "box": made}
                for each, made in zip(part, pool.map(box, part), strict=True)
            ]
            with database.session() as session:
                session.execute(insert(SealedAnswer.__table__), rows)
    with database.session() as session:
        session.execute(
            update(_ledger)
            .where(_ledger.c.round_id == round_id)
            .values(used=True, idem_key=_ledger.c.link_hash)
        )


def _box(round_: Round, number: int, standing: bytes, seed: float) -> bytes:
    chance = random.Random(seed)  # noqa: S311 - invented answers
    answers = {item: chance.choice((1, 2, 3, 4, 5, "dont_know")) for item in ITEMS if item != "one_thing"}
    comments = {}
    if number % COMMENT_EVERY == 0:
        comments = {"one_thing": (f"What {number} would like the body to do for us next. " * 3, "theme")}
    return sealing.seal_answer(
        round_.public_key,
        round_.box_size,
        standing=standing,
        answers=answers,
        comments=comments,
        practice_may_use=number % 3 == 0,
    )[0]
