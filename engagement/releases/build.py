"""Builds a round's one release: estimates on exact counts, through the disclosure rules, into frozen JSON.

Everything that anybody will ever see of the round is in the content that leaves here.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import update
from sqlmodel import Session, select

from engagement import __version__, clock, disclosure, estimates
from engagement.access import Actor, audit
from engagement.access.audit import canonical, sha256
from engagement.db import Database
from engagement.errors import EngagementError
from engagement.models import Locality, Practice, PracticeParticipation, Release, Round
from engagement.releases import compare, measures, tally
from engagement.rounds import lifecycle

SCHEMA = 2
HIDDEN = "Too few answers, or showing this would give away a smaller group: both sides of a gap are shown or neither."
MISSING = "Nobody of this group was invited."
INDEX = "ownership_index"
NOT_KNOWN = "not known"
MEASURED_ITEMS = 3
POOL_MINIMUM = 10
SMALL_PRACTICE = 5


def release(database: Database, round_id: int) -> int | None:
    """Build and store the release of a mixed round, and move the round to released, in one transaction.

    Waits its turn: returns None while an earlier round of the body has none, or when there is one already.
    """
    with database.session() as session:
        round_ = session.get(Round, round_id)
        if round_.state != "mixed" or _earlier_pending(session, round_):
            return None
        moved = session.execute(
            update(Round)
            .where(Round.id == round_id, Round.state == "mixed")
            .values(state="released", trouble=None)
        )
        if moved.rowcount != 1:
            return None
        text = canonical(content_of(session, round_))
        made = Release(
            body_id=round_.body_id,
            round_id=round_.id,
            content=text,
            content_hash=sha256(text),
            software=__version__,
            created_at=clock.now(),
        )
        session.add(made)
        session.flush()
        audit.record(
            session, Actor.worker(), "release", round_.body_id, round=round_.number, content=made.content_hash
        )
        return made.id


def _earlier_pending(session: Session, round_: Round) -> bool:
    return (
        session.exec(
            select(Round.id).where(
                Round.body_id == round_.body_id,
                Round.number < round_.number,
                Round.state.in_(("closing", "mixed")),
            )
        ).first()
        is not None
    )


def content_of(session: Session, round_: Round) -> dict:
    """The release's content, in the shape that docs/release.md describes."""
    promise = json.loads(round_.promise)
    if sha256(round_.promise) != round_.promise_hash:
        raise EngagementError("The promise of this round does not match its hash: nothing is published.")
    answers = tally.read(session, round_)
    roster = tally.invited(session, round_)
    invited = Counter(roster.standing.tolist())
    arms = [arm for arm in tally.ARMS if arm != "staff" or invited["staff"]]
    items = [item for item in promise["items"] if item["kind"] != "text"]
    core = [item for item in items if item["core"]]
    effect, df = _design_effect(answers, items)
    tables = {}
    for item in items:
        counts = {arm: _count(answers, item["key"], arm, invited[arm]) for arm in arms}
        tables[item["key"]] = disclosure.publish_item(
            counts, threshold=round_.threshold, design_effect=effect, df=df
        ).as_json()
    shown = [item for item in items if tables[item["key"]]["gap"]["mark"] == "shown"]
    past = compare.past_rounds(session, round_, promise)
    old = compare.before(session, past)
    changes = compare.changes(past, old, answers, shown)
    trends = compare.trends(session, round_, past, answers, shown)
    weighting, weighted = measures.weighted(round_, roster, answers, shown, (effect, df))
    panels = measures.panels(past, old, answers, shown, round_.threshold)
    printed = []
    for item in items:
        printed.append(
            {
                "item": item["key"],
                "version": item["version"],
                "series": item["series"],
                "text": item["text"],
                "reverse": item["reverse"],
                "headline": bool(item.get("headline")),
                "parallels": list(item.get("parallels", [])),
                **tables[item["key"]],
                "change": None,
                "levels": None,
                **changes.get(item["key"], {}),
                "trend": trends.get(item["key"]),
                "weighted": weighted.get(item["key"]),
                "panel": panels.get(item["key"]),
                "tipping": disclosure.print_tipping(
                    tables[item["key"]]["groups"], tables[item["key"]]["gap"]
                ),
                "distribution": _distribution(answers, item, invited),
            }
        )
    total_invited = sum(invited.values())
    return {
        "schema": SCHEMA,
        "software": __version__,
        "body": promise["body"],
        "round": {
            "number": round_.number,
            "public_id": round_.public_id,
            "title": round_.title,
            "tier": round_.tier,
            "threshold": round_.threshold,
            "opened_on": clock.london_date(round_.opens_at).isoformat(),
            "closed_on": clock.london_date(round_.closed_at).isoformat(),
            "imported": round_.imported,
            "promise_hash": round_.promise_hash,
            "amendments": lifecycle.printed(session, round_),
        },
        "groups": [{"id": arm, "label": _label(promise, arm), "N": invited[arm]} for arm in arms],
        "participation": {
            "N": total_invited,
            "answered_percent": disclosure.participation_percent(len(answers.arm), total_invited),
            "by": _response_by_group(session, round_, roster, answers),
            "representative": measures.representative(round_, roster, answers),
        },
        "practices": _practices(session, round_),
        "items": printed,
        "index": _index(printed, core),
        "measuring": _measuring(session, round_, past, answers, core),
        "weighting": weighting,
        "design_effect": effect,
        "suppressed": _suppressed(printed),
    }


def _label(promise: dict, arm: str) -> str:
    key = {"leader": "leaders"}.get(arm, arm)
    words = promise["body"]["words"][key]
    return words[:1].upper() + words[1:]


def _count(answers: tally.Answers, item: str, arm: str, invited: int) -> disclosure.Count:
    rows = answers.scored(item) & (answers.arm == tally.ARMS.index(arm))
    return disclosure.Count(int(np.sum(answers.favourable[item][rows])), int(np.sum(rows)), invited)


def _distribution(answers: tally.Answers, item: dict, invited: Counter) -> dict:
    """Answers in full, leaders and grassroots members together."""
    member = (answers.arm == 0) | (answers.arm == 1)
    scores = answers.score[item["key"]][member]
    return disclosure.print_distribution(
        {score: int(np.sum(scores == score)) for score, _ in item["labels"]},
        int(np.sum(answers.dont_know[item["key"]][member])),
        invited["leader"] + invited["grassroots"],
    )


def _response_by_group(
    session: Session, round_: Round, roster: tally.Invited, answers: tally.Answers
) -> list[dict[str, Any]]:
    """Response rates by what the round keeps of its people; none in an anonymous round."""
    if not answers.placed:
        return []
    invited = {"standing": Counter(roster.standing.tolist())}
    arms = np.array((*tally.ARMS, "none"))
    answered = {"standing": Counter(arms[answers.arm].tolist())}
    if round_.tier == "confidential":
        for name in tally.STRATA:
            invited[name] = Counter(roster.strata[name].tolist())
            answered[name] = Counter(answers.strata[name].tolist())
    places = dict(
        session.exec(select(Locality.code, Locality.name).where(Locality.body_id == round_.body_id)).all()
    )
    out = []
    for by, counts in invited.items():
        groups: dict[str, disclosure.Response] = {}
        for name, number in counts.items():
            label = places.get(name, name) if by == "locality" else name
            found = disclosure.Response(number, answered[by][name])
            groups[label or NOT_KNOWN] = groups.get(label or NOT_KNOWN, disclosure.Response(0, 0)) + found
        for row in disclosure.print_response(groups):
            out.append({"by": by, **row})
    return out


def _measuring(
    session: Session, round_: Round, past: Sequence[compare.Past], answers: tally.Answers, core: list[dict]
) -> dict[str, Any] | None:
    """How well the core items measure one thing; None with fewer than three of them, or where answers have no place."""
    items = [item for item in core if item["kind"] == "agree5"]
    if len(items) < MEASURED_ITEMS or not answers.placed:
        return None
    earlier = (
        (p.round.number, tally.read(session, p.round, [item["key"] for item in items]))
        for p in itertools.takewhile(lambda p: p.asks(items), past)
    )
    return measures.measuring(itertools.chain([(round_.number, answers)], earlier), items)


def _index(printed: list[dict], core: list[dict]) -> dict | None:
    """The ownership index, in the shape of an item. Its line breaks where a core question or its wording changes."""
    keys = {item["key"] for item in core}
    items = [item for item in printed if item["item"] in keys]
    index = disclosure.publish_index(items)
    if index is None:
        return None
    series = sha256(canonical(sorted(item["series"] for item in items)))[:12]
    return {
        "item": INDEX,
        "version": 1,
        "series": f"{INDEX}/{series}/mean",
        "text": "Mean of the core questions: " + ", ".join(item["item"] for item in items),
        "of": [item["item"] for item in items if item["gap"]["mark"] == "shown"],
        "reverse": False,
        "headline": False,
        "parallels": [],
        **index,
        "change": None,
    }


def _design_effect(answers: tally.Answers, items: list[dict]) -> tuple[float | None, int | None]:
    """The round's one design effect, over all items and both arms, with its degrees of freedom.

    None where answers carry no practice (anonymous rounds) or come from fewer than two.
    """
    effects, m = [], 0
    if not answers.placed:
        return None, None
    for item in items:
        rows = answers.scored(item["key"]) & (answers.arm < 2)
        if not rows.any():
            continue
        stack = estimates.linearised(
            answers.practice[rows], answers.arm[rows], answers.favourable[item["key"]][rows], cells=2
        )
        effects.extend(estimates.design_effect(stack))
        m = max(m, stack.m)
    if m < 2:
        return None, None
    return estimates.round_design_effect(effects), m - 1


def _practices(session: Session, round_: Round) -> list[dict]:
    """Taking part, in bands, practice by practice where at least five were invited; the smaller ones pooled.

    The pool is shown only where ten or more were invited in it. Nothing in an anonymous round.
    """
    rows = session.exec(
        select(Practice.code, PracticeParticipation.invited, PracticeParticipation.answered)
        .join(Practice, Practice.id == PracticeParticipation.practice_id)
        .where(PracticeParticipation.round_id == round_.id)
        .order_by(Practice.code)
    ).all()
    out, pooled, invited, answered = [], 0, 0, 0
    for code, asked, came in rows:
        band = disclosure.participation_band(came, asked)
        if round_.tier == "practice-view":
            # One official answer a practice, attributed to it and said so on its form.
            band = "most" if came else "none"
        if band is None:
            pooled, invited, answered = pooled + 1, invited + asked, answered + came
        else:
            out.append({"practice_id": code, "band": band})
    if pooled:
        band = disclosure.participation_band(answered, invited) if invited >= POOL_MINIMUM else None
        out.append({"practice_id": None, "pooled": pooled, "band": band})
    return out


def _suppressed(items: list[dict]) -> list[dict]:
    found = []
    for item in items:
        marked = {**item["groups"], "gap": item["gap"]}
        if item["total"] is not None:
            marked["total"] = item["total"]
        for what, figure in marked.items():
            if figure["mark"] != "shown":
                why = HIDDEN if figure["mark"] == "hidden" else MISSING
                found.append({"item": item["item"], "what": what, "why": why})
    return found
