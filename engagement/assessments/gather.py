"""Mixed rounds as the risk model reads them: who was invited and answered, by practice, and what may count.

Whatever is read of a round was frozen with it: its promise, its roster at launch, its counts, its answers. Only the
days on which practices opened and closed come from the roster of today.

A practice counts in a round as what it was then. One that was merged ends with its closing day: its history stays
its own and is not added to the successor's, for the people behind it were others; those who went over count with the
successor from the first round whose roster has them there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from sqlmodel import Session, select

from engagement import clock
from engagement.access.audit import sha256
from engagement.errors import EngagementError
from engagement.messaging import bounces
from engagement.models import PracticeParticipation, Response, Round, RoundRoster
from engagement.risk.evidence import RoundAnswers, member_scores
from engagement.roster.standing import PracticeRow

LOCALITY = "locality"
_response = Response.__table__


@dataclass(frozen=True, eq=False)
class Gathered:
    """One mixed round, by practice id.

    `invited`: people on the roster at launch, also in an anonymous round; `asked`: those whose invitation could be
    delivered, and `answered`, who answered, where the promise keeps it. `locality`, `size`: of the roster.
    One row a respondent, (m,): `practice`, an id or -1; `score`, from 1 to 5, favourable high, NaN for none; `leader`;
    `agreed`.
    """

    number: int
    closed_on: date
    tier: str
    threshold: int
    invited: Mapping[int, int]
    asked: Mapping[int, int]
    answered: Mapping[int, int]
    locality: Mapping[int, str | None]
    size: Mapping[int, str | None]
    practice: np.ndarray
    score: np.ndarray
    leader: np.ndarray
    agreed: np.ndarray


@dataclass(frozen=True, eq=False)
class Arranged:
    """T rounds over one list of P practices. `numbers`: the rounds', (T,); `codes`: the practices', (P,), in their order;
    `invited`, (T, P): people on the roster; `size`: the last known band of each practice, None where it is not known."""

    numbers: tuple[int, ...]
    codes: tuple[str, ...]
    rounds: tuple[RoundAnswers, ...]
    invited: np.ndarray
    size: tuple[str | None, ...]


def read(session: Session, round_: Round) -> Gathered:
    """Read one mixed round. Raises `EngagementError` where its promise is not the one that was made."""
    if sha256(round_.promise) != round_.promise_hash:
        raise EngagementError("The promise of this round does not match its hash: nothing is assessed.")
    roster = session.exec(
        select(RoundRoster.practice_id, RoundRoster.strata).where(
            RoundRoster.round_id == round_.id, RoundRoster.practice_id.is_not(None)
        )
    ).all()
    strata = dict(roster)
    asked, answered = _taking_part(session, round_.id)
    practice, score, leader, agreed = _answers(session, round_)
    return Gathered(
        number=round_.number,
        closed_on=clock.london_date(round_.closed_at),
        tier=round_.tier,
        threshold=round_.threshold,
        invited=Counter(practice_id for practice_id, _ in roster),
        asked=asked,
        answered=answered,
        locality={practice_id: kept.get("locality") for practice_id, kept in strata.items()},
        size={practice_id: kept.get("size") for practice_id, kept in strata.items()},
        practice=practice,
        score=score,
        leader=leader,
        agreed=agreed,
    )


def _taking_part(session: Session, round_id: int) -> tuple[dict[int, int], dict[int, int]]:
    """People who could be asked, and who answered, by practice; both empty in an anonymous round.

    In a round that was mailed, people whom mail could not reach were not asked, for silence and undeliverable mail are
    different things; but whoever answered was, however the link came to them.
    """
    rows = session.exec(
        select(
            PracticeParticipation.practice_id, PracticeParticipation.invited, PracticeParticipation.answered
        ).where(PracticeParticipation.round_id == round_id)
    ).all()
    reached = bounces.deliverable(session, round_id)
    answered = {practice_id: came for practice_id, _, came in rows}
    asked = {
        practice_id: max(came, min(invited, reached[practice_id].reached))
        if practice_id in reached
        else invited
        for practice_id, invited, came in rows
    }
    return asked, answered


def _answers(session: Session, round_: Round) -> tuple[np.ndarray, ...]:
    """Practice, score, leader and agreed of each respondent, each (m,), in an order that says nothing: of the values
    themselves, so that sums do not depend on the random ids that answers are stored under."""
    items = [item for item in json.loads(round_.promise)["items"] if item["kind"] != "text"]
    points = {item["key"]: _points(item) for item in items}
    rows = session.execute(
        select(
            _response.c.standing, _response.c.practice_id, _response.c.practice_may_use, _response.c.answers
        ).where(_response.c.round_id == round_.id)
    ).all()
    nothing = float("nan")
    matrix = np.full((len(rows), len(items)), nothing)
    for row, answers in zip(matrix, (row.answers for row in rows), strict=True):
        row[:] = [points[key].get(answers.get(key), nothing) for key in points]
    practice = np.array([-1 if row.practice_id is None else row.practice_id for row in rows], np.int64)
    score = member_scores(matrix)
    leader = np.array([row.standing == "leader" for row in rows], bool)
    agreed = np.array([row.practice_may_use for row in rows], bool)
    order = np.lexsort((agreed, leader, score, practice))
    return practice[order], score[order], leader[order], agreed[order]


def _points(item: Mapping) -> dict[int, float]:
    """Each answer of an item from 1 to 5, favourable high: turned where reversed, stretched where the scale is shorter
    or longer."""
    values = [value for value, _ in item["labels"]]
    low, high = min(values), max(values)
    turned = {value: low + high - value if item["reverse"] else value for value in values}
    return {value: 1 + 4 * (place - low) / (high - low) for value, place in turned.items()}


def arrange(rounds: Sequence[Gathered], practices: Mapping[int, PracticeRow]) -> Arranged:
    """Rounds, oldest first, over the practices that were on the roster of any of them.

    A practice that was never invited is not among them: nothing is known of it, and one that is added to the roster
    later changes nothing here. One that misses a round keeps the locality that it had.
    """
    ids = sorted({i for each in rounds for i in each.invited}, key=lambda i: practices[i].code)
    place = {practice_id: number for number, practice_id in enumerate(ids)}
    locality, size, found = {}, {}, []
    seen: set[int] = set()
    for each in rounds:
        locality |= each.locality
        size |= each.size
        seen |= each.invited.keys()
        found.append(
            RoundAnswers(
                tier=each.tier,
                threshold=each.threshold,
                invited=[each.asked.get(i, 0) for i in ids],
                answered=[each.answered.get(i, 0) for i in ids],
                open=[i in seen and practices[i].open_on(each.closed_on) for i in ids],
                groups={LOCALITY: [locality.get(i) or "" for i in ids]},
                practice=[place.get(i, -1) for i in each.practice.tolist()],
                score=each.score,
                leader=each.leader,
                agreed=each.agreed,
            )
        )
    return Arranged(
        numbers=tuple(each.number for each in rounds),
        codes=tuple(practices[i].code for i in ids),
        rounds=tuple(found),
        invited=np.array([[each.invited.get(i, 0) for i in ids] for each in rounds]),
        size=tuple(size.get(i) for i in ids),
    )
