"""Stored assessments for the pages to draw: real ones, of an invented body, made as the worker makes them."""

from __future__ import annotations

import json
from datetime import date
from functools import cache, partial
from unittest.mock import patch

import numpy as np

from engagement.access.audit import canonical
from engagement.assessments import performance
from engagement.assessments.build import content_of
from engagement.assessments.gather import Gathered
from engagement.bench import worlds
from engagement.risk import clusters
from engagement.roster.standing import PracticeRow

PRACTICES, ROUNDS = 30, 5


@cache
def _stored(rounds: int, agreeing: float, world: str) -> str:
    body = worlds.body(world, 3, PRACTICES, ROUNDS)
    known = [_gathered(number, each) for number, each in enumerate(body.agreeing(agreeing)[:rounds], start=1)]
    rows = {at: _practice(at) for at in range(PRACTICES)}
    past: list[dict] = []
    # A few replicates are enough of the audit and of the intervals, which take most of the time.
    few = partial(clusters.audit, replicates=4)
    with patch.object(clusters, "audit", few), patch.object(performance, "REPLICATES", 20):
        for length in range(1, rounds + 1):
            past.append(json.loads(canonical(content_of(known[:length], rows, past))))
    return canonical(past[-1])


def content(rounds: int = ROUNDS, *, agreeing: float = 0.5, world: str = "groups") -> dict:
    """The assessment of 30 practices after so many rounds, with codes as `store_practices` writes them; a fresh copy."""
    return json.loads(_stored(rounds, agreeing, world))


def _practice(at: int) -> PracticeRow:
    fields = {"id": at, "code": f"Y{at + 1:05d}", "name": f"Practice {at + 1}"}
    known = PracticeRow.__dataclass_fields__
    return PracticeRow(**fields | {name: None for name in known if name not in fields})


def _gathered(number: int, answers) -> Gathered:
    counts = {
        name: dict(enumerate(getattr(answers, name).astype(int).tolist())) for name in ("invited", "answered")
    }
    return Gathered(
        number=number,
        closed_on=date(2020 + number, 3, 22),
        tier=answers.tier,
        threshold=answers.threshold,
        invited=counts["invited"],
        asked=counts["invited"],
        answered=counts["answered"],
        locality=dict(enumerate(answers.groups["locality"])),
        size={at: ("small", "large")[at % 2] for at in range(PRACTICES)},
        practice=answers.practice,
        score=np.asarray(answers.score),
        leader=answers.leader,
        agreed=answers.agreed,
    )
