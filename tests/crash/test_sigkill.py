"""Eight processes submit while a killer sends SIGKILL: what was acknowledged is stored, and nobody is stored twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlmodel import func, select

from engagement.access import audit
from engagement.intake.sealing import Opener
from engagement.models import Comment, Participation, Release, Response, Round, SealedAnswer
from tests import support
from tests.adversary.crowd import OPEN_ITEM, crowd, number_of
from tests.crash.hammer import FORMS

SECONDS = float(os.environ.get("CRASH_SECONDS", "30"))
NAIVE_SECONDS = 2.5
PROCESSES = 8
MEMBERS_PER_SECOND = 100


@dataclass(frozen=True)
class Outcome:
    """What a run did, by what its processes were told and by what is in the database. Numbers are forms."""

    kills: int
    fallen: int
    told: Counter
    acknowledged: frozenset[int]
    stored: tuple[int, ...]
    used: int

    @property
    def lost(self) -> set[int]:
        """Forms acknowledged and not stored."""
        return set(self.acknowledged) - set(self.stored)

    @property
    def doubles(self) -> int:
        """Members stored more than once, counted once for each time too many."""
        return len(self.stored) - len({form // FORMS for form in self.stored})

    def line(self, name: str) -> str:
        """The run in one line."""
        return (
            f"{name}: {self.kills} kills, {sum(self.told.values())} submissions {dict(self.told)}, "
            f"{len(self.acknowledged)} forms acknowledged, {len(self.stored)} stored, {self.used} links used, "
            f"{len(self.lost)} lost, {self.doubles} doubles, {self.fallen} processes fell by themselves"
        )


def hammer(
    database, keys, round_id: int, folder: Path, variant: str, seconds: float, mean_life: float = 1.0
) -> Outcome:
    """Let the processes loose on an open round, each to live `mean_life` seconds, and count."""
    folder.mkdir()
    doors = support.doors(database, keys, round_id)
    database.dispose()
    orders = {
        "url": database.url,
        "public_id": doors[0].public_id,
        "tokens": [door.token for door in doors],
        "variant": variant,
        "seconds": seconds,
        "processes": PROCESSES,
        "mean_life": mean_life,
        "folder": str(folder),
    }
    path = folder / "orders.json"
    path.write_text(json.dumps(orders))
    ran = subprocess.run(
        [sys.executable, "-m", "tests.crash.hammer", str(path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=seconds + 90,
    )
    assert ran.returncode == 0, ran.stderr
    count = json.loads(ran.stdout)
    told = [
        line.split()
        for file in folder.glob("told-*")
        for line in file.read_text().split("\n")
        if len(line.split()) == 2
    ]
    with database.reading() as session:
        round_ = session.get(Round, round_id)
        used = session.exec(
            select(func.count()).where(Participation.round_id == round_id, Participation.used.is_(True))
        ).one()
        boxes = session.exec(select(SealedAnswer.box).where(SealedAnswer.round_id == round_id)).all()
    opener = Opener(keys.round_secret(round_.public_id))
    return Outcome(
        kills=count["kills"],
        fallen=count["fallen"],
        told=Counter(word for word, _ in told),
        acknowledged=frozenset(int(form) for word, form in told if word in ("STORED", "ALREADY")),
        stored=tuple(number_of(opener(box).answers) for box in boxes),
        used=used,
    )


def open_round(database, config, seconds: float, code: str = "CROWD"):
    """A round of as many members as the processes can pass through in the time; its keys and its id."""
    keys = support.keys_of(config)
    body_id = crowd(database, int(MEMBERS_PER_SECOND * seconds), practices=20, leaders=40, code=code)
    return keys, support.launch(database, keys, body_id)


@pytest.mark.slow
def test_killed_processes_lose_nothing_and_store_nobody_twice(database, config, tmp_path):
    """What was acknowledged is stored with the same content, each member once, links used equal boxes, and so to the release."""
    keys, round_id = open_round(database, config, SECONDS)
    seen = hammer(database, keys, round_id, tmp_path / "real", "real", SECONDS)
    print(seen.line(f"real, {config.database_url.split(':')[0]}"))
    # Far below what an idle machine does: a busy one must not fail for being busy.
    assert seen.kills > SECONDS / 2 and seen.fallen == 0
    assert seen.told["STORED"] and seen.told["ALREADY"] and seen.told["USED"]
    assert seen.lost == set() and seen.doubles == 0
    assert seen.used == len(seen.stored) > SECONDS
    support.close(database, keys, round_id)
    with database.reading() as session:
        round_ = session.get(Round, round_id)
        assert (round_.state, round_.trouble) == ("released", None)
        rows = session.exec(select(Response.answers).where(Response.round_id == round_id)).all()
        comments = session.exec(select(Comment.text).where(Comment.item == OPEN_ITEM)).all()
        assert session.exec(select(func.count()).select_from(Release)).one() == 1
        assert audit.verify(session) is None
    assert sorted(map(number_of, rows)) == sorted(seen.stored)
    assert sorted(comments) == sorted(f"comment of form {form}" for form in seen.stored)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["check_then_write", "two_transactions"])
def test_naive_intakes_are_caught(database, config, tmp_path, variant):
    """The same processes make an intake that checks first store people twice, and one of two transactions lose answers."""
    for attempt in range(3):
        keys, round_id = open_round(database, config, NAIVE_SECONDS, f"C{attempt}")
        seen = hammer(
            database, keys, round_id, tmp_path / str(attempt), variant, NAIVE_SECONDS, mean_life=0.4
        )
        print(seen.line(f"{variant}, {config.database_url.split(':')[0]}"))
        if seen.doubles if variant == "check_then_write" else seen.used > len(seen.stored):
            return
    pytest.fail("the processes did not catch a naive intake: they would not catch ours either")
