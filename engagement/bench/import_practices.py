"""Importing one commissioner's practices from the national file of practices."""

from __future__ import annotations

import csv
import os
import random
from collections import Counter
from datetime import date
from pathlib import Path
from statistics import median

from engagement.bench import ground
from engagement.bench.result import Result, seconds
from engagement.errors import Invalid

FOLDER = "ENGAGEMENT_REAL_DATA"
FILE = "ods_epraccur_2019-10.csv"
ON = date(2019, 10, 31)
GOAL = 2.0
ROWS, BODIES = 14_303, 191
SEED = 14_303


def run(say, *, rows=ROWS, real: Path | None = None, repeats=3) -> list[Result]:
    """Preview and apply the largest commissioner's practices into an empty body, a few times over."""
    from engagement import roster

    real = real or _real()
    with ground.folder() as data:
        path = real
        if path is None:
            say(f"import-practices: {FILE} is not here; writing an invented file of its shape")
            path = data / "invented.csv"
            _write(path, rows)
        say(f"import-practices: importing from {path.name}")
        code, practices = max(roster.bodies_in(path).items(), key=lambda found: found[1])

        def read() -> int:
            with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                return sum(1 for _ in csv.reader(file))

        size = read()
        bare, took = [], []
        for turn in range(repeats):
            with ground.installation(data / str(turn)) as (database, _):
                bare.append(seconds(read))
                took.append(seconds(lambda: _import(database, path, code)))
    figure = median(took)
    return [
        Result(
            bench="import-practices",
            name="import-practices",
            what=f"{code}'s {practices} active practices out of {size:,} rows of the ODS file, preview and apply",
            figure=figure,
            unit="s",
            baseline="csv.reader over the same file",
            baseline_figure=median(bare),
            goal=f"under {GOAL:g} s for {ROWS:,} rows",
            met=figure < GOAL if size >= ROWS else None,
            note=""
            if real
            else f"the real file is absent ({FOLDER} names its folder): an invented one of the same shape was used",
        )
    ]


def _real() -> Path | None:
    here = Path(__file__).resolve().parents[2]
    for folder in (os.environ.get(FOLDER), here.parent / "shared" / "data"):
        if folder and (found := Path(folder) / FILE).is_file():
            return found
    return None


def _import(database, path: Path, code: str) -> None:
    from engagement import roster

    with database.session() as session:
        preview = roster.preview_practices(
            session, ground.OPERATOR, None, path, name=path.name, commissioner=code, on=ON
        )
        if preview.refused:
            raise Invalid(f"{path.name} was refused.", preview.refused)
        roster.apply(session, ground.OPERATOR, preview)


def _write(path: Path, rows: int) -> None:
    """A file of the shape of `epraccur`: 27 quoted fields without a header, half of them practices that are open."""
    chance = random.Random(SEED)  # noqa: S311 - invented practices
    open_in: Counter = Counter()
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, quoting=csv.QUOTE_ALL)
        for number in range(rows):
            body = f"{chance.randrange(BODIES):02d}Z"[-3:]
            active = chance.random() < 0.5
            open_in[body] += active
            line = [
                f"X{number:05d}",
                f"INVENTED SURGERY {number}",
                "Y00",
                "Q00",
                "1 A STREET",
                "",
                "A TOWN",
                "",
                "",
            ]
            line += ["AA1 1AA", "19740401", "" if active else "20150331", "A" if active else "C", "B", body]
            line += [
                "20130401",
                "",
                "01234 567890",
                "",
                "",
                "",
                "0",
                "",
                body,
                "",
                "4" if active else "0",
                "",
            ]
            out.writerow(line)
