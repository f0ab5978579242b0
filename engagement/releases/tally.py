"""A round's answers as arrays. Feeds the estimates and nothing else: no count made here leaves the builder."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlmodel import Session

from engagement.instrument.bank import favourable
from engagement.models import Response, Round

ARMS = ("leader", "grassroots", "staff")
_response = Response.__table__


@dataclass(frozen=True, eq=False)
class Answers:
    """One round's answers: `arm` (rows,) indexes `ARMS`, -1 for none of them; `practice` (rows,) the cluster of each:
    a practice's id, or a number below 0 of their own for people who belong to none; `placed`: whether answers carry
    practices at all (an anonymous round's do not); `favourable` maps an item key to (rows,) floats: 1, 0, or NaN
    where the item has no score."""

    arm: np.ndarray
    practice: np.ndarray
    placed: bool
    favourable: dict[str, np.ndarray]

    def scored(self, item: str) -> np.ndarray:
        """Rows with a score on the item and in an arm."""
        return ~np.isnan(self.favourable[item]) & (self.arm >= 0)


def read(session: Session, round_: Round) -> Answers:
    """Read a mixed round's answers, against the items of its promise."""
    items = [item for item in json.loads(round_.promise)["items"] if item["kind"] != "text"]
    scores = {
        item["key"]: {
            score: float(favourable(item["kind"], score, reverse=item["reverse"]))
            for score, _ in item["labels"]
        }
        for item in items
    }
    rows = session.execute(
        select(_response.c.standing, _response.c.practice_id, _response.c.answers)
        .where(_response.c.round_id == round_.id)
        .order_by(_response.c.id)
    ).all()
    index = {arm: place for place, arm in enumerate(ARMS)}
    nothing = float("nan")
    return Answers(
        arm=np.array([index.get(row.standing, -1) for row in rows], dtype=np.int64),
        practice=np.array(
            [-place if row.practice_id is None else row.practice_id for place, row in enumerate(rows, 1)],
            dtype=np.int64,
        ),
        placed=round_.tier != "anonymous",
        favourable={
            key: np.array([table.get(row.answers.get(key), nothing) for row in rows], dtype=float)
            for key, table in scores.items()
        },
    )
