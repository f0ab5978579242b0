"""Building the demo body, as `make run` does on a fresh clone."""

from __future__ import annotations

from dataclasses import replace

from engagement.bench import ground
from engagement.bench.result import Result, seconds

GOAL = 30


def run(say) -> list[Result]:
    """Migrate an empty file, then build the demo in it."""
    from engagement import db, demo
    from engagement.db import Database

    say("demo: building it")
    with ground.folder() as data:
        config = replace(ground.settings(data), public_url="http://localhost:8501")
        database = Database(config.database_url)
        migrating = seconds(lambda: db.migrate(database))
        took = seconds(lambda: demo.ensure(database, config))
        database.dispose()
    return [
        Result(
            bench="demo",
            name="demo",
            what="the demo body with eight released rounds and an open one",
            figure=took,
            unit="s",
            baseline="making the empty database that it goes into",
            baseline_figure=migrating,
            goal=f"under {GOAL} s",
            met=took < GOAL,
        )
    ]
