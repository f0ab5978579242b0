"""Builds a round's one release: estimates on exact counts, through the disclosure rules, into frozen JSON.

Everything that anybody will ever see of the round is in the content that leaves here.
"""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
from sqlalchemy import func, update
from sqlmodel import Session, select

from engagement import __version__, clock, disclosure, estimates
from engagement.access import Actor, audit
from engagement.access.audit import canonical, sha256
from engagement.db import Database
from engagement.errors import EngagementError
from engagement.models import Practice, PracticeParticipation, Release, Round, RoundRoster
from engagement.releases import tally

SCHEMA = 1
HIDDEN = "Too few answers, or showing this would give away a smaller group: both sides of a gap are shown or neither."
MISSING = "Nobody of this group was invited."
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
    invited = Counter(
        dict(
            session.exec(
                select(RoundRoster.standing, func.count())
                .where(RoundRoster.round_id == round_.id)
                .group_by(RoundRoster.standing)
            ).all()
        )
    )
    arms = [arm for arm in tally.ARMS if arm != "staff" or invited["staff"]]
    items = [item for item in promise["items"] if item["kind"] != "text"]
    effect, df = _design_effect(answers, items)
    changes = _changes(session, round_, promise, answers)
    printed = []
    for item in items:
        counts = {arm: _count(answers, item["key"], arm, invited[arm]) for arm in arms}
        table = disclosure.publish_item(
            counts, threshold=round_.threshold, design_effect=effect, df=df
        ).as_json()
        change = changes.get(item["key"]) if table["gap"]["mark"] == "shown" else None
        printed.append(
            {
                "item": item["key"],
                "version": item["version"],
                "series": item["series"],
                "text": item["text"],
                "reverse": item["reverse"],
                "headline": bool(item.get("headline")),
                "parallels": list(item.get("parallels", [])),
                **table,
                "change": change,
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
        },
        "groups": [{"id": arm, "label": _label(promise, arm), "N": invited[arm]} for arm in arms],
        "participation": {
            "N": total_invited,
            "answered_percent": disclosure.participation_percent(len(answers.arm), total_invited),
        },
        "practices": _practices(session, round_),
        "items": printed,
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


def _changes(session: Session, round_: Round, promise: dict, answers: tally.Answers) -> dict[str, dict]:
    """The verdict on each headline item's gap since the round before, Holm-adjusted over the headline items.

    Only where the wording, the mapping of roles and the mode are those of the round before: over a break
    nothing is compared.
    """
    before = session.exec(
        select(Round)
        .where(Round.body_id == round_.body_id, Round.number < round_.number, Round.state == "released")
        .order_by(Round.number.desc())
    ).first()
    if before is None:
        return {}
    earlier = json.loads(before.promise)
    if earlier["standing_map"] != promise["standing_map"] or before.tier != round_.tier:
        return {}
    shown = {
        item["item"]: item
        for item in json.loads(_content(session, before.id))["items"]
        if item["gap"]["mark"] == "shown"
    }
    old_series = {item["series"] for item in earlier["items"]}
    headline = [
        item
        for item in promise["items"]
        if item.get("headline") and item["series"] in old_series and item["key"] in shown
    ]
    old = tally.read(session, before)
    if not headline or not (old.placed and answers.placed):
        return {}
    found = {item["key"]: _change(old, answers, item["key"]) for item in headline}
    known = [key for key, change in found.items() if change.p_value is not None]
    adjusted = dict(zip(known, estimates.holm([found[key].p_value for key in known]), strict=True))
    out = {}
    for key, change in found.items():
        capped = any(group.get("cap") for group in shown[key]["groups"].values()) or _is_capped(answers, key)
        out[key] = {
            "since": before.number,
            **disclosure.print_change(change.change, change.low, change.high, adjusted.get(key), capped),
        }
    return out


def _change(old: tally.Answers, new: tally.Answers, item: str) -> estimates.ChangeInGap:
    stacked = []
    for shift, answers in ((0, old), (2, new)):
        rows = answers.scored(item) & (answers.arm < 2)
        # Those without a practice are numbered by round: nothing says who of them answered in both.
        practice = np.where(answers.practice < 0, 2 * answers.practice - shift // 2, answers.practice)
        stacked.append((practice[rows], answers.arm[rows] + shift, answers.favourable[item][rows]))
    stack = estimates.linearised(*(np.concatenate(parts) for parts in zip(*stacked, strict=True)), cells=4)
    return estimates.change_in_gap(stack, 0, 1, 2, 3)


def _is_capped(answers: tally.Answers, item: str) -> bool:
    for arm in (0, 1):
        rows = answers.scored(item) & (answers.arm == arm)
        n = int(rows.sum())
        if n and disclosure.print_share(int(answers.favourable[item][rows].sum()), n)[1]:
            return True
    return False


def _content(session: Session, round_id: int) -> str:
    return session.exec(
        select(Release.content).where(Release.round_id == round_id).order_by(Release.revision.desc())
    ).first()


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
