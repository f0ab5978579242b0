"""The process whose time and memory the close is measured by: `python -m engagement.bench.closing WHAT DATA ROUND`."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from sqlmodel import func, select

from engagement import clock
from engagement.bench.ground import settings
from engagement.db import Database
from engagement.intake import mix
from engagement.intake.keys import Keys
from engagement.intake.sealing import OVERHEAD, STANDING_PLAIN
from engagement.models import Response, Round, SealedAnswer
from engagement.worker import Worker

PAGE = 256


def closed() -> dict[str, Any]:
    """What a close writes into the round."""
    return {"state": "closing", "closed_at": clock.now()}


def megabytes() -> float:
    """The most memory that this process held at a time."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux hands the parent's peak on to a child in ru_maxrss; this line is the process's own.
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def bare(database: Database, keys: Keys, round_id: int) -> dict[str, Any]:
    """Decrypt every box and the standing in it, one after another, and keep nothing."""
    from nacl.public import SealedBox

    with database.reading() as session:
        public_id = session.get(Round, round_id).public_id
    secret = SealedBox(keys.round_secret(public_id))
    boxes, took, after = 0, 0.0, -1
    table = SealedAnswer.__table__
    with database.reading() as session:
        while True:
            rows = session.execute(
                select(table.c.id, table.c.box).where(table.c.id > after).order_by(table.c.id).limit(PAGE)
            ).all()
            if not rows:
                break
            after = rows[-1].id
            start = time.perf_counter()
            for row in rows:
                secret.decrypt(secret.decrypt(row.box)[-STANDING_PLAIN - OVERHEAD :])
            took += time.perf_counter() - start
            boxes += len(rows)
    return {"boxes": boxes, "seconds": took, "memory": megabytes()}


def worker(database: Database, keys: Keys, round_id: int) -> dict[str, Any]:
    """Let a worker do all that follows a close, and say how long each step took."""
    steps: dict[str, float] = {}

    def timed(name: str, work):
        def run(*given):
            start = time.perf_counter()
            try:
                return work(*given)
            finally:
                steps[name] = steps.get(name, 0.0) + time.perf_counter() - start

        return run

    from engagement.releases import build

    mix.mix, mix.scrub = timed("open and mix", mix.mix), timed("scrub", mix.scrub)
    mix.destroy_keys, build.release = timed("keys", mix.destroy_keys), timed("release", build.release)
    start = time.perf_counter()
    Worker(database, keys).run_once()
    # What comes after the release, the assessment of practices, keeps nobody waiting for the results.
    took = sum(steps.values())
    steps["afterwards"] = time.perf_counter() - start - took
    with database.reading() as session:
        round_ = session.get(Round, round_id)
        responses = session.exec(select(func.count()).where(Response.round_id == round_id)).one()
    if round_.state != "released":
        sys.exit(f"the round is {round_.state}: {round_.trouble}")
    return {"seconds": took, "memory": megabytes(), "responses": responses, "steps": steps}


def main(what: str, data: str, round_id: str) -> None:
    """Do one of the two and print what it took."""
    config = settings(Path(data))
    database = Database(config.database_url)
    print(json.dumps({"bare": bare, "worker": worker}[what](database, Keys(config.keys), int(round_id))))
    database.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:4])
