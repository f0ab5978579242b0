"""A round's answers as arrays. Feeds the estimates and nothing else: no count made here leaves the builder."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Text, cast, select
from sqlmodel import Session

from engagement.instrument.bank import favourable as is_favourable
from engagement.models import PanelSkip, Response, Round, RoundRoster

ARMS = ("leader", "grassroots", "staff")
STRATA = ("role", "locality", "size")
_response, _skip = Response.__table__, PanelSkip.__table__


@dataclass(frozen=True, eq=False)
class Answers:
    """One round's answers: `arm` (rows,) indexes `ARMS`, -1 for none of them; `practice` (rows,) the cluster of each:
    a practice's id, or a number below 0 of their own for people who belong to none; `placed`: whether answers carry
    practices at all (an anonymous round's do not); `favourable` maps an item key to (rows,) floats: 1, 0, or NaN
    where the item has no score. `score` has the scores themselves in the same way, and `dont_know` (rows,) truth
    values. `strata` maps "role", "locality" and "size" to (rows,) texts or None; `before` and `now` are the panel
    codes that join a round to the one before, None where there are none; `skipped` has the same two codes of people who
    sent nothing, invited or not. `agreed` (rows,): whether the answer may count towards
    its practice's position, or is its practice's own."""

    arm: np.ndarray
    practice: np.ndarray
    placed: bool
    favourable: dict[str, np.ndarray]
    score: dict[str, np.ndarray] = field(default_factory=dict)
    dont_know: dict[str, np.ndarray] = field(default_factory=dict)
    strata: dict[str, np.ndarray] = field(default_factory=dict)
    before: np.ndarray | None = None
    now: np.ndarray | None = None
    skipped: tuple[tuple[str, str], ...] = ()
    agreed: np.ndarray | None = None

    def scored(self, item: str) -> np.ndarray:
        """Rows with a score on the item and in an arm."""
        return ~np.isnan(self.favourable[item]) & (self.arm >= 0)


def read(session: Session, round_: Round, keys: Collection[str] | None = None) -> Answers:
    """Read a mixed round's answers, against the items of its promise: all of them, or those of `keys`."""
    items = [
        item
        for item in json.loads(round_.promise)["items"]
        if item["kind"] != "text" and (keys is None or item["key"] in keys)
    ]
    rows = session.execute(
        select(
            _response.c.standing,
            _response.c.practice_id,
            cast(_response.c.strata, Text).label("strata"),
            _response.c.panel_before,
            _response.c.panel_now,
            _response.c.practice_may_use,
            cast(_response.c.answers, Text).label("answers"),
        )
        .where(_response.c.round_id == round_.id)
        .order_by(_response.c.id)
    ).all()
    # As text, for a large round's many small documents are read much faster in one.
    given = json.loads("[" + ",".join(row.answers for row in rows) + "]")
    strata = _strata([row.strata for row in rows])
    index = {arm: place for place, arm in enumerate(ARMS)}
    favourable, score, dont_know = {}, {}, {}
    for item in items:
        key = item["key"]
        favourable[key], score[key], dont_know[key] = _item(item, [answers.get(key) for answers in given])
    return Answers(
        arm=np.array([index.get(row.standing, -1) for row in rows], dtype=np.int64),
        practice=np.array(
            [-place if row.practice_id is None else row.practice_id for place, row in enumerate(rows, 1)],
            dtype=np.int64,
        ),
        placed=round_.tier != "anonymous",
        favourable=favourable,
        score=score,
        dont_know=dont_know,
        strata=strata,
        before=np.array([row.panel_before for row in rows], dtype=object),
        now=np.array([row.panel_now for row in rows], dtype=object),
        skipped=tuple(
            (before, now)
            for before, now in session.execute(
                select(_skip.c.panel_before, _skip.c.panel_now)
                .where(_skip.c.round_id == round_.id)
                .order_by(_skip.c.panel_now)
            )
        ),
        agreed=np.array([row.practice_may_use for row in rows], dtype=bool),
    )


def _strata(texts: list[str]) -> dict[str, np.ndarray]:
    """The strata of each row from their texts, of which there are few different ones."""
    different, at = np.unique(np.array(texts, dtype=object).astype(str), return_inverse=True)
    read = [json.loads(text) for text in different.tolist()]
    return {
        name: np.array([one.get(name) for one in read] or [None], dtype=object)[at.ravel()] for name in STRATA
    }


def _item(item: dict[str, Any], given: list[Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One item's answers as favourable (1, 0 or NaN), score (or NaN) and whether they are "I do not know"."""
    scores = [score for score, _ in item["labels"]]
    places = {score: place for place, score in enumerate(scores)} | {"dont_know": len(scores)}
    at = np.array([places.get(answer, -1) for answer in given], dtype=np.int64)
    nothing = [math.nan, math.nan]
    good = [float(is_favourable(item["kind"], score, reverse=item["reverse"])) for score in scores]
    # The last two are "I do not know" and everything else, which places count from the end.
    return np.array(good + nothing)[at], np.array(scores + nothing, float)[at], at == len(scores)


@dataclass(frozen=True, eq=False)
class Invited:
    """A round's roster as it stood at launch: `standing` (N,) and `strata`, as `Answers` has them."""

    standing: np.ndarray
    strata: dict[str, np.ndarray]


def invited(session: Session, round_: Round) -> Invited:
    """Read a round's roster without its names."""
    rows = session.execute(
        select(RoundRoster.standing, cast(RoundRoster.strata, Text)).where(RoundRoster.round_id == round_.id)
    ).all()
    return Invited(
        np.array([standing for standing, _ in rows], dtype=object),
        _strata([strata for _, strata in rows]),
    )
