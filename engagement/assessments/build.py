"""Builds the one assessment of each round: gathered counts and answers through the risk model, into frozen JSON.

A round is assessed with the constants that the round before put in force, and only then are they learnt again, for
the next. Rounds up to it are read and nothing later. The content:

    {"schema", "software", "round": {"number", "closed_on", "tier"}, "usable", "provisional", "of": open practices,
     "correlation": {"c", "low", "high"}, "centre": [{"round", "mean"}],
     "constants": {"used": {…}, "next": {…}}, "rules": {…},
     "practices": [{"practice_id", …what `Assessment.row` prints…, "label_probability": of `segment`, "now": {…}, "history": [{"round", "segment"}],
                    "reasons": {"silent_rounds", "trend"}}],
     "movement": {"expected", "raw", "moved"} or null, "audit": {…}, "performance": {…} or null,
     "ticked": {"mark", "difference"}, "layer": {"used", "why"}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, func, select

from engagement import __version__, clock
from engagement.access import Actor, audit
from engagement.access.audit import canonical, sha256
from engagement.assessments import gather, performance
from engagement.assessments.figures import MEASURE, POINTS, PROBABILITY, printed
from engagement.assessments.read import checked
from engagement.db import Database
from engagement.models import Assessment, Round
from engagement.risk import assess as risk
from engagement.risk import clusters, layer
from engagement.risk.evidence import CONFIDENTIAL
from engagement.risk.filter import SHIPPED, Constants, probability
from engagement.risk.segments import CHAMPION, CRITICAL, NONE, RULES, SEGMENTS, STEADY, Transitions
from engagement.roster.standing import PracticeRow, read_practices

SCHEMA = 1
READY = ("mixed", "released")
# 80% of a normal distribution lies within so many standard deviations.
WITHIN_80 = 1.2816
FEWEST_INVITED = 5
TREND_ROUNDS = 3
# What a segment says of attitude; "withdrawn" speaks of taking part alone.
ATTITUDE = {CRITICAL: -1, STEADY: 0, CHAMPION: 1}
# Half of what the audit takes by default: over 40 invented bodies the verdict was the same, in six tenths of the time.
AUDIT_REPLICATES = 25
NOT_YET = "Clustering starts with the second round."


def ensure(database: Database, body_id: int) -> int:
    """Build the assessments that are missing, in round order, one transaction each; returns how many were stored.

    Safe to repeat, and with two workers at it: the second to store a round's finds it there. Nothing is locked
    while it computes, for what it reads of mixed rounds no longer changes.
    """
    held: dict[int, gather.Gathered] = {}
    made = 0
    while True:
        with database.reading() as session:
            rounds = _next(session, body_id)
            if not rounds:
                return made
            for round_ in rounds:
                if round_.id not in held:
                    held[round_.id] = gather.read(session, round_)
            practices = read_practices(session, body_id)
            past = _past(session, rounds[:-1])
            bodies = _bodies(session)
        if len(past) < len(rounds) - 1:
            continue  # an earlier round was mixed between two of these queries: it comes first
        content = content_of([held[round_.id] for round_ in rounds], practices, past, bodies)
        made += _store(database, rounds[-1], content)


def _next(session: Session, body_id: int) -> list[Round]:
    """The first round that waits for its assessment, and before it all mixed rounds; none while an earlier round of the
    body is being mixed."""
    first = session.exec(
        select(Round)
        .outerjoin(Assessment, Assessment.round_id == Round.id)
        .where(Round.body_id == body_id, Round.state.in_(READY), Assessment.id.is_(None))
        .order_by(Round.number)
        .limit(1)
    ).first()
    if first is None:
        return []
    earlier = session.exec(
        select(Round)
        .where(Round.body_id == body_id, Round.number < first.number, Round.state.in_(("closing", *READY)))
        .order_by(Round.number)
    ).all()
    return [] if any(round_.state == "closing" for round_ in earlier) else [*earlier, first]


def _past(session: Session, rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """The assessments of rounds, in their order. Raises `Conflict` for one that was changed."""
    found = session.exec(
        select(Assessment)
        .join(Round, Round.id == Assessment.round_id)
        .where(Assessment.round_id.in_([round_.id for round_ in rounds]))
        .order_by(Round.number)
    )
    return [checked(each) for each in found]


def _bodies(session: Session) -> int:
    """How many bodies have rounds enough for the pooled layer to learn from."""
    enough = (
        select(Round.body_id)
        .where(Round.state.in_(READY))
        .group_by(Round.body_id)
        .having(func.count() >= performance.FEWEST_ROUNDS)
    )
    return len(session.exec(enough).all())


def _store(database: Database, round_: Round, content: Mapping[str, Any]) -> bool:
    """Store one assessment; False where another worker did."""
    text = canonical(content)
    made = Assessment(
        body_id=round_.body_id,
        round_id=round_.id,
        content=text,
        content_hash=sha256(text),
        software=__version__,
        created_at=clock.now(),
    )
    try:
        with database.session() as session:
            session.add(made)
            session.flush()
            audit.record(
                session,
                Actor.worker(),
                "assessment",
                round_.body_id,
                round=round_.number,
                content=made.content_hash,
            )
    except IntegrityError:
        with database.reading() as session:
            if session.exec(select(Assessment.id).where(Assessment.round_id == round_.id)).first() is None:
                raise
        return False
    return True


# --- content ----------------------------------------------------------------------------------------------------


def content_of(
    rounds: Sequence[gather.Gathered],
    practices: Mapping[int, PracticeRow],
    past: Sequence[Mapping[str, Any]] = (),
    bodies: int = 1,
) -> dict[str, Any]:
    """What is said after the last of `rounds` (oldest first), of which `past` holds the earlier assessments.

    `bodies`: how many bodies have rounds enough for the pooled layer. Pure: the same arguments give the same content.
    """
    import sklearn.linear_model  # noqa: F401  (brings the libraries whose threads are held back)
    from threadpoolctl import threadpool_limits

    # So many small matrices: two threads wait for each other longer than either computes.
    with threadpool_limits(1):
        return _content(rounds, practices, past, bodies)


def _content(
    rounds: Sequence[gather.Gathered],
    practices: Mapping[int, PracticeRow],
    past: Sequence[Mapping[str, Any]],
    bodies: int,
) -> dict[str, Any]:
    arranged = gather.arrange(rounds, practices)
    newest, before = rounds[-1], past[-1] if past else None
    constants = Constants.from_json(before["constants"]["next"]) if before else SHIPPED
    said = risk.assess(
        arranged.rounds,
        constants,
        invited_next=arranged.invited[-1],
        held=_labels(before, arranged.codes) if before else None,
    )
    return {
        "schema": SCHEMA,
        "software": __version__,
        "round": {
            "number": newest.number,
            "closed_on": newest.closed_on.isoformat(),
            "tier": newest.tier,
        },
        "usable": said.usable,
        "provisional": said.provisional,
        "of": int(said.open.sum()),
        "correlation": {
            "c": printed(constants.c, POINTS),
            "low": printed(constants.c_low, POINTS),
            "high": printed(constants.c_high, POINTS),
        },
        "centre": [
            {"round": each.number, "mean": _centre(each, mean)}
            for each, mean in zip(rounds, said.centre, strict=True)
        ],
        "constants": {
            "used": constants.as_json(),
            "next": _next_constants(newest, arranged, constants).as_json(),
        },
        "rules": asdict(RULES),
        "practices": _practices(said, arranged, newest.number, past),
        "movement": _movement(said.transitions),
        "audit": _audit(said, before),
        "performance": performance.of(arranged, said, [each["constants"]["used"] for each in past]),
        "ticked": _ticked(newest, constants.leader_gap),
        "layer": _layer(bodies),
    }


def _speaks(round_: gather.Gathered) -> bool:
    """Whether at least the threshold of people have a score, so that figures of the whole body may be shown."""
    return int(np.isfinite(round_.score).sum()) >= round_.threshold


def _centre(round_: gather.Gathered, mean: float) -> float | None:
    """The body's mean to 0.1."""
    return printed(mean, POINTS) if _speaks(round_) else None


def _next_constants(newest: gather.Gathered, arranged: gather.Arranged, used: Constants) -> Constants:
    """The constants in force for the next round. A round in which fewer than the threshold answered teaches nothing: what
    it taught would speak of them."""
    return risk.refit(arranged.rounds) if _speaks(newest) else used


def _labels(before: Mapping[str, Any], codes: Sequence[str]) -> np.ndarray:
    """The labels that an assessment put on practices, as places in `SEGMENTS`, -1 for none, (P,)."""
    held = {row["practice_id"]: row["segment"] for row in before["practices"]}
    return np.array([SEGMENTS.index(held[c]) if held.get(c) else NONE for c in codes], np.int64)


def _practices(
    said: risk.Assessment, arranged: gather.Arranged, number: int, past: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """One row for each practice open at the close, by code."""
    histories: dict[str, list[dict[str, Any]]] = {}
    for content in past:
        histories |= {row["practice_id"]: row["history"] for row in content["practices"]}
    found = []
    for place in np.flatnonzero(said.open):
        row, code = said.row(place), arranged.codes[place]
        own = said.probabilities[place, said.labels[place]]
        history = list(histories.get(code, []))
        if row["segment"]:
            history.append({"round": number, "segment": row["segment"]})
        found.append(
            {
                "practice_id": code,
                **row,
                "label_probability": printed(own, PROBABILITY) if row["segment"] else None,
                "now": _now(said, place),
                "history": history,
                "reasons": {
                    "silent_rounds": _silent_rounds(arranged, place),
                    "trend": _trend(history),
                },
            }
        )
    return found


def _now(said: risk.Assessment, place: int) -> dict[str, float | None]:
    """Today's state with 80% intervals."""
    (a, q), (sd_a, sd_q) = said.now.mean[place], said.now.sd[place]
    found = {}
    for end, z in (("", 0.0), ("_low", -WITHIN_80), ("_high", WITHIN_80)):
        share = float(probability(said.now.share + q + z * sd_q))
        found[f"attitude{end}"] = printed(a + z * sd_a, POINTS) if said.usable else None
        found[f"participation{end}"] = printed(share, PROBABILITY) if said.usable else None
    return found


def _silent_rounds(arranged: gather.Arranged, place: int) -> int | None:
    """Rounds in a row, up to the last, in which nobody answered; None where fewer than five were invited.

    With fewer, silence would speak of people. A round that kept no count neither adds nor breaks; one to which fewer
    than five were invited ends the count.
    """
    silent, counted = 0, False
    for round_ in reversed(arranged.rounds):
        invited, answered = round_.invited[place], round_.answered[place]
        if not invited:
            continue
        if invited < FEWEST_INVITED:
            break
        counted = True
        if answered:
            break
        silent += 1
    return silent if counted else None


def _trend(history: Sequence[Mapping[str, Any]]) -> str | None:
    """Attitude over the last three labels that were released; None with fewer, and where one speaks of taking part alone."""
    last = [ATTITUDE.get(each["segment"]) for each in history[-TREND_ROUNDS:]]
    if len(last) < TREND_ROUNDS or None in last:
        return None
    return "up" if last[-1] > last[0] else "down" if last[-1] < last[0] else "steady"


def _movement(moved: Transitions | None) -> dict[str, Any] | None:
    if moved is None:
        return None
    return {
        "expected": [[printed(cell, POINTS) for cell in row] for row in moved.expected],
        "raw": moved.raw.tolist(),
        "moved": int(moved.raw.sum() - np.trace(moved.raw)),
    }


def _audit(said: risk.Assessment, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Free clustering of today's states, beside the segments. The centres carried on are as rough as what is printed."""
    if not said.usable:
        return {"verdict": None, "explanation": NOT_YET, "k": None, "figures": [], "carried": None}
    a, q = said.now.mean[said.open].T
    points = np.stack([a, probability(said.now.share + q)], axis=1)
    found = clusters.audit(points, carried=_carried(before), replicates=AUDIT_REPLICATES)
    rows = [
        {
            **asdict(row),
            "gap": printed(row.gap, MEASURE),
            "gap_se": printed(row.gap_se, MEASURE),
            "bic": printed(row.bic, 1),
            "jaccard": printed(row.jaccard, MEASURE),
        }
        for row in found.figures
    ]
    carried = found.carried and asdict(found.carried) | {
        "centres": [[printed(x, POINTS), printed(y, PROBABILITY)] for x, y in found.carried.centres]
    }
    return {
        "verdict": found.verdict,
        "explanation": found.explanation,
        "k": found.winner,
        "figures": rows,
        "carried": carried,
    }


def _carried(before: Mapping[str, Any] | None) -> clusters.Carried | None:
    kept = before and before["audit"]["carried"]
    if not kept:
        return None
    centres = tuple(tuple(centre) for centre in kept["centres"])
    return clusters.Carried(**kept | {"labels": tuple(kept["labels"]), "centres": centres})


def _ticked(round_: gather.Gathered, leader_gap: float) -> dict[str, Any]:
    """Points by which those who agreed to count answer above those who did not; both at least the threshold or neither."""
    scored = np.isfinite(round_.score) & (round_.practice >= 0)
    score = round_.score - leader_gap * round_.leader
    arms = score[scored & round_.agreed], score[scored & ~round_.agreed]
    if round_.tier != CONFIDENTIAL or min(map(len, arms)) < round_.threshold:
        return {"mark": "hidden"}
    return {"mark": "shown", "difference": printed(arms[0].mean() - arms[1].mean(), POINTS)}


def _layer(bodies: int) -> dict[str, Any]:
    """Whether the pooled layer was used. It is learnt from bodies that do not see one another, so their number is not said."""
    if bodies < layer.FEWEST_BODIES:
        why = f"It takes {layer.FEWEST_BODIES} bodies with {performance.FEWEST_ROUNDS} rounds each to learn it, and here there are fewer."
    else:
        why = "Nobody has trained it on the bodies here and frozen it."
    return {"used": False, "why": f"{why} The filter's own probability is used."}
