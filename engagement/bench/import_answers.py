"""Reading and mixing a long file of past answers."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from engagement.bench import ground
from engagement.bench.result import Result, seconds
from engagement.errors import EngagementError

WAVES, MEMBERS = 8, 4_000
ANSWERS = 250_000
GOAL = 20
SEED = 250_000


def run(say, *, waves=WAVES, members=MEMBERS, answers=ANSWERS) -> list[Result]:
    """Write a file of so many answers, read it with `csv.reader`, then import it."""
    from engagement.exchange.answers import import_answers

    with ground.folder() as data, ground.installation(data) as (database, keys):
        say(f"import-answers: writing {answers:,} answers")
        body_id = ground.body(database, members)
        path = data / "answers.csv"
        _write(path, waves, members, answers)
        rows = 0

        def read() -> None:
            nonlocal rows
            with path.open(encoding="utf-8", newline="") as file:
                rows = sum(1 for _ in csv.reader(file)) - 1

        bare = min(seconds(read) for _ in range(3))
        say("import-answers: importing them")
        found = []
        took = seconds(
            lambda: found.append(
                import_answers(database, keys, ground.OPERATOR, body_id, path, name=path.name)
            )
        )
    if not rows == found[0].answers == answers:
        raise EngagementError(f"{answers} answers were written, {rows} read and {found[0].answers} imported.")
    return [
        Result(
            bench="import-answers",
            name="import-answers",
            what=f"{answers:,} answers of {waves} rounds read, checked and mixed ({found[0].people:,} responses)",
            figure=took,
            unit="s",
            baseline="csv.reader over the same file",
            baseline_figure=bare,
            goal=f"under {GOAL} s for {ANSWERS:,}",
            met=took < GOAL if answers >= ANSWERS else None,
        )
    ]


def _write(path: Path, waves: int, members: int, answers: int) -> None:
    chance = random.Random(SEED)  # noqa: S311 - invented answers
    left = answers
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["wave", "member_id", "item", "value", "practice_may_use"])
        for wave in range(1, waves + 1):
            for number in range(members):
                agreed = int(chance.random() < 0.3)
                for item in ground.ITEMS[: max(0, left)]:
                    out.writerow([wave, ground.reference(number), item, chance.randint(1, 5), agreed])
                    left -= 1
    if left > 0:
        raise EngagementError("There are too few members, rounds and items for so many answers.")
