"""Submitting through the HTTP route, against bare durable commits from the same number of clients."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import func, select

from engagement.bench import clients, ground, served
from engagement.bench.result import Result
from engagement.errors import EngagementError
from engagement.intake import links
from engagement.models import Participation, Round, RoundRoster, SealedAnswer

GOAL = 0.4
FORM = {
    **{f"q-{item}": str(1 + place % 5) for place, item in enumerate(ground.ITEMS)},
    "t-one_thing": "Tell us what became of what we asked for in spring, and ask us before you decide. " * 3,
    "c-one_thing": "theme",
    "practice_may_use": "yes",
}


def run(say, *, clients_=8, length=1.5, repeats=5, members=15_000) -> list[Result]:
    """Take turns: bare commits, the route, and empty pages; the turn with the middle ratio is the result."""
    with ground.folder() as data, ground.installation(data) as (database, keys):
        say("submit: launching a round")
        body_id = ground.body(database, members)
        round_id = ground.launch(database, keys, body_id)
        with database.reading() as session:
            round_ = session.get(Round, round_id)
            rows = session.exec(
                select(RoundRoster.member_id, RoundRoster.generation).where(RoundRoster.round_id == round_id)
            ).all()
        key = keys.link(round_.public_id)
        tokens = [links.token(key, round_.public_id, member, generation) for member, generation in rows]
        turns, slowest, stored = [], 0.0, 0
        bare = _bare(data, round_.box_size, clients_, length)
        share = len(tokens) // (repeats + 1)
        with served.application(data) as port:
            orders = {"kind": "post", "clients": clients_, "port": port, "public_id": round_.public_id}
            orders |= {"form": FORM}
            warm = {"seconds": min(1.0, length), "tokens": tokens[repeats * share :]}
            stored += _posted(orders | warm, data)[1]
            for turn in range(repeats):
                say(f"submit: turn {turn + 1} of {repeats}")
                base = clients.crowd(bare, data)[0]
                mine = {"seconds": length, "tokens": tokens[turn * share : (turn + 1) * share]}
                rate, told, wait = _posted(orders | mine, data)
                stored, slowest = stored + told, max(slowest, wait)
                empty = clients.crowd(orders | {"kind": "get", "seconds": length / 2}, data)[0]
                turns.append(Turn(rate, base, empty))
        _check(database, round_id, stored)
    middle = _middle(turns, lambda turn: turn.rate / turn.bare)
    ratio = middle.rate / middle.bare
    against_http = _middle(turns, lambda turn: turn.rate / turn.empty)
    what = f"answers stored through the HTTP route by {clients_} clients, a connection each that stays open"
    return [
        Result(
            bench="submit",
            name="submit",
            what=what,
            figure=middle.rate,
            unit="/s",
            baseline=f"bare durable commits of a box ({round_.box_size // 1024} KiB, WAL, synchronous=FULL) by as many",
            baseline_figure=middle.bare,
            goal=f"ratio at least {GOAL}",
            met=ratio >= GOAL,
            note=f"a bare commit takes {1000 / middle.bare:.2f} ms here, the slowest answer took {slowest * 1000:.0f} ms; "
            f"all {stored:,} acknowledged answers were found stored, once",
            detail={"ratios": [round(turn.rate / turn.bare, 3) for turn in turns]},
        ),
        Result(
            bench="submit",
            name="submit-http",
            what=what,
            figure=against_http.rate,
            unit="/s",
            baseline="the empty page /healthz of the same server to the same clients, which is all that HTTP allows",
            baseline_figure=against_http.empty,
        ),
    ]


@dataclass(frozen=True)
class Turn:
    """The rates of one turn, measured within seconds of each other."""

    rate: float
    bare: float
    empty: float


def _middle(turns: list[Turn], key) -> Turn:
    return sorted(turns, key=key)[len(turns) // 2]


def _bare(data: Path, box: int, clients_: int, length: float) -> dict:
    path = data / "bare.sqlite"
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE box (id INTEGER PRIMARY KEY, box BLOB NOT NULL)")
    database.commit()
    database.close()
    return {"kind": "commit", "clients": clients_, "path": str(path), "box": box, "seconds": length}


def _posted(orders: dict, data: Path) -> tuple[float, int, float]:
    rate, told, slowest = clients.crowd(orders, data)
    if set(told) != {"303"}:
        raise EngagementError(f"The route refused answers that were in order; it said {told}.")
    return rate, told["303"], slowest


def _check(database, round_id: int, acknowledged: int) -> None:
    """Every answer that was acknowledged is stored, once: a fast route that loses answers is worth nothing."""
    with database.reading() as session:
        boxes = session.exec(select(func.count()).where(SealedAnswer.round_id == round_id)).one()
        used = session.exec(
            select(func.count()).where(Participation.round_id == round_id, Participation.used.is_(True))
        ).one()
    if not boxes == used == acknowledged:
        raise EngagementError(f"{acknowledged} answers were acknowledged, {used} links used, {boxes} stored.")
