"""Builds a round's one release: estimates on exact counts, through the disclosure gate, into frozen JSON.

Everything that anybody will ever see of the round is in the content that leaves here. Three steps: gather what was
answered and what earlier releases printed; let the gate decide, outside of any transaction; store what it left.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sqlalchemy import update
from sqlmodel import Session, select

from engagement import __version__, clock, disclosure, estimates
from engagement.access import Actor, Role, audit
from engagement.access.audit import canonical, sha256
from engagement.db import Database
from engagement.disclosure import STANDING
from engagement.errors import Conflict, EngagementError, Invalid, NotFound
from engagement.instrument.bank import favourable as is_favourable
from engagement.models import Locality, Practice, PracticeParticipation, Release, Round
from engagement.releases import checking, compare, gating, measures, tally
from engagement.releases.compare import Facts
from engagement.rounds import lifecycle, plans

SCHEMA = 3
MISSING = "Nobody of this group was invited."
INDEX = "ownership_index"
NOT_KNOWN = "not known"
MEASURED_ITEMS = 3
POOL_MINIMUM = 10
SMALL_PRACTICE = 5


def release(database: Database, round_id: int, checker: checking.Checker | None = None) -> int | None:
    """Build and store the release of a mixed round, and move the round to released.

    Waits its turn: returns None while an earlier round of the body has none, or when there is one already. `checker`:
    where the gate runs, in this process where left out.
    """
    with database.reading() as session:
        round_ = session.get(Round, round_id)
        if round_.state != "mixed" or _earlier_pending(session, round_):
            return None
        gathered = gather(session, round_)
    decision = _decide(database, round_id, gathered, checker)
    with database.session() as session:
        moved = session.execute(
            update(Round)
            .where(Round.id == round_id, Round.state == "mixed")
            .values(state="released", trouble=None, checking=None)
        )
        if moved.rowcount != 1:
            return None
        round_ = session.get(Round, round_id)
        return _store(session, Actor.worker(), round_, compose(session, round_, gathered, decision), decision)


def correct(
    database: Database,
    actor: Actor,
    round_id: int,
    reason: str,
    checker: checking.Checker | None = None,
) -> int:
    """Build a released round's release anew, beside the old one, which stays. Returns its id. For the engagement lead.

    The gate must accept the new one beside all that was printed before, the old release of this round included.

    Raises `Invalid` without a reason, and `Conflict` where nothing would change, where the gate would print nothing,
    where the round has no release, or no answers any more.
    """
    with database.reading() as session:
        round_ = session.get(Round, round_id)
        if round_ is None:
            raise NotFound("There is no such round.")
        actor.require(round_.body_id, Role.LEAD)
        if not reason.strip():
            raise Invalid("Say why the figures are corrected: readers see the reason beside them.")
        if round_.state != "released":
            raise Conflict("Only a published round can be corrected.")
        gathered = gather(session, round_)
    if not gathered.now.answers.arm.size:
        raise Conflict(
            "This round holds no answers: nobody sent any, or they were deleted when their time was over. "
            "What was published stays as it is."
        )
    decision = _decide(database, round_id, gathered, checker)
    with database.session() as session:
        round_ = session.get(Round, round_id)
        content = compose(session, round_, gathered, decision)
        old = _newest(session, round_id)
        if _figures(content) == _figures(json.loads(old.content)):
            raise Conflict("The figures would stay as they are: there is nothing to correct.")
        if not decision.settled or not any(decision.figures.values()):
            raise Conflict(
                "Beside what was published already, the corrected figures would give somebody's answer away. "
                "They were not published."
            )
        content["correction"] = {"of": old.content_hash, "reason": reason.strip()}
        return _store(session, actor, round_, content, decision, revision=old.revision + 1)


def _figures(content: dict) -> dict:
    return {key: value for key, value in content.items() if key not in ("software", "correction")}


def _decide(
    database: Database, round_id: int, gathered: Gathered, checker: checking.Checker | None
) -> disclosure.Decision:
    """The gate's decision; how far it is shows on the round meanwhile."""

    def progress(done: int, total: int) -> None:
        with database.session() as session:
            session.execute(update(Round).where(Round.id == round_id).values(checking=f"{done} of {total}"))

    return (checker or checking.Here()).decide(gathered.question, progress)


def _store(
    session: Session,
    actor: Actor,
    round_: Round,
    content: dict,
    decision: disclosure.Decision,
    revision: int = 1,
) -> int:
    text = canonical(content)
    made = Release(
        body_id=round_.body_id,
        round_id=round_.id,
        revision=revision,
        content=text,
        content_hash=sha256(text),
        software=__version__,
        created_at=clock.now(),
    )
    session.add(made)
    session.flush()
    audit.record(
        session,
        actor,
        "release" if revision == 1 else "release.correct",
        round_.body_id,
        round=round_.number,
        content=made.content_hash,
        # How the gate came there stays out of the release, for the steps say more than the figures do.
        steps=len(decision.steps),
    )
    return made.id


def _newest(session: Session, round_id: int) -> Release:
    return session.exec(
        select(Release).where(Release.round_id == round_id).order_by(Release.revision.desc()).limit(1)
    ).one()


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


@dataclass(frozen=True, eq=False)
class Further:
    """Figures beside the tables, ready to print, by key of item; each is printed where the gate leaves its table."""

    weighting: measures.Weighting | None
    weighted: dict[str, dict[str, Any]]
    panels: dict[str, dict[str, Any]]
    distributions: dict[str, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Gathered:
    """A round with those that it may be compared with, newest first, and what the gate is asked of it."""

    now: Facts
    past: list[Facts]
    effects: tuple[float | None, int | None]
    question: checking.Question
    further: Further

    @cached_property
    def invited(self) -> Counter:
        """People on the roster by standing."""
        return Counter(self.now.roster.standing.tolist())


def gather(session: Session, round_: Round) -> Gathered:
    """All that the gate and the release need, read once."""
    before = session.exec(
        select(Round)
        .where(Round.body_id == round_.body_id, Round.number < round_.number, Round.state == "released")
        .order_by(Round.number)
    ).all()
    return assemble([_facts(session, earlier) for earlier in before], _facts(session, round_))


def _facts(session: Session, round_: Round) -> Facts:
    """Raises `EngagementError` where the promise of the round is not the one that was made."""
    if sha256(round_.promise) != round_.promise_hash:
        raise EngagementError("The promise of this round does not match its hash: nothing is published.")
    printed = round_.state == "released"
    return Facts(
        round_.number,
        round_.tier,
        round_.threshold,
        json.loads(round_.promise),
        tally.read(session, round_),
        tally.invited(session, round_),
        json.loads(_newest(session, round_.id).content) if printed else None,
    )


def assemble(history: Sequence[Facts], now: Facts) -> Gathered:
    """What the gate is asked of a round after `history`, all released rounds before it, oldest first.

    Where `now` has a release already, this is its correction, and that release is one of those before.
    """
    rounds = [*history, now]
    past = compare.comparable(history, now)
    effects = _design_effect(now.answers, now.scored)
    people = gating.people([one.answers for one in rounds])
    pairs = [
        gating.Pair(a.number, b.number, a.answers, was, b.answers, are)
        for (a, was), (b, are) in itertools.pairwise(zip(rounds, people, strict=True))
    ]
    weightings = [measures.weigh(one.tier, one.roster, one.answers) for one in rounds]
    columns: list[dict[str, np.ndarray]] = [
        {} if made is None else {gating.WEIGHTS: made.column} for made in weightings
    ]
    for at, pair in enumerate(pairs):
        before, after = pair.columns(rounds[at + 1].scored)
        columns[at] |= before
        columns[at + 1] |= after

    plan = plans.of_promise(now.promise)
    pair = pairs[-1] if past and past[0] is history[-1] else None
    panels, sums = measures.panels(pair, past, now.scored, now.threshold, effects)
    weighting = weightings[-1]
    further = Further(
        weighting,
        measures.weighted(weighting, now.roster, now.answers, now.scored, effects) if weighting else {},
        panels,
        {item["key"]: _distribution(now.answers, item, now.roster) for item in now.scored},
    )
    asked = gating.invited(now.roster, [table for table in plan if table in tally.STRATA])
    given = [
        gating.round_answers(one.number, one.answers, person, one.scored, asked if one is now else {}, column)
        for one, person, column in zip(rounds, people, columns, strict=True)
    ]
    earlier = [
        disclosure.Earlier(
            theirs,
            {item["series"]: gating.figures_of(one.number, item, theirs) for item in one.content["items"]},
        )
        for one, theirs in zip(rounds, given, strict=True)
        if one.content is not None
    ]
    # Positions of practices are shown whatever the gate decides, so it must reckon with them.
    positions = gating.position_figures(now.number, now.answers, now.scored, now.threshold)
    earlier.append(disclosure.Earlier(given[-1], positions))
    question = checking.Question(
        disclosure.Plan(now.threshold, plan, attributed=now.tier == "practice-view"),
        given[-1],
        tuple(earlier),
        *effects,
        _further_figures(now.number, now.scored, given[-1], further, sums, plan),
    )
    return Gathered(now, past, effects, question, further)


def _further_figures(
    number: int,
    items: Sequence[dict[str, Any]],
    mine: disclosure.RoundAnswers,
    further: Further,
    sums: Mapping[str, tuple],
    plan: Sequence[str],
) -> dict[str, dict[str, tuple]]:
    """What the gate audits of the planned tables that are no breakdown, by table and series."""
    out: dict[str, dict[str, tuple]] = {}
    for table, field, printed in (
        (gating.WEIGHTED, "weighted", further.weighted),
        (gating.PANEL, "panel", further.panels),
        (gating.OPTIONS, "distribution", further.distributions),
    ):
        if table not in plan:
            continue
        out[table] = {}
        for item in items:
            if item["key"] not in printed:
                continue
            bare = {"item": item["key"], "series": item["series"], field: printed[item["key"]]}
            figures = gating.figures_beside(number, bare, mine)
            if table == gating.PANEL:
                figures += sums.get(item["key"], ())
            out[table][item["series"]] = figures
    return out


def printed_items(
    gathered: Gathered, decision: disclosure.Decision
) -> tuple[list[dict[str, Any]], compare.Factors | None]:
    """Every item as it is printed, of what the gate left, with what its comparisons rest on."""
    now, past, further = gathered.now, gathered.past, gathered.further
    items, left = now.scored, decision.further
    tables = {item["key"]: _table(decision, item["series"], gathered.invited) for item in items}
    factors = compare.factors(past, now)
    changes = compare.changes(past, now, tables, gathered.effects, factors)
    trends = compare.trends(past, now, tables, gathered.effects, factors)
    printed = [
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
            "weighted": further.weighted.get(item["key"]) if gating.WEIGHTED in left else None,
            "panel": further.panels.get(item["key"]) if gating.PANEL in left else None,
            "tipping": _tipping(tables[item["key"]]),
            "distribution": _if_left(gathered, left, further.distributions[item["key"]]),
        }
        for item in items
    ]
    return printed, factors


def compose(session: Session, round_: Round, gathered: Gathered, decision: disclosure.Decision) -> dict:
    """The release's content, in the shape that docs/release.md describes, of what the gate left."""
    now, past, further = gathered.now, gathered.past, gathered.further
    promise, answers, roster, left = now.promise, now.answers, now.roster, decision.further
    core = [item for item in now.scored if item["core"]]
    printed, factors = printed_items(gathered, decision)
    total_invited = sum(gathered.invited.values())
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
        "plan": list(gathered.question.plan.tables),
        "groups": [
            {"id": arm, "label": _label(promise, arm), "N": gathered.invited[arm]}
            for arm in tally.ARMS
            if arm != "staff" or gathered.invited["staff"]
        ],
        "labels": _labels(session, round_, decision),
        "participation": {
            "N": total_invited,
            "answered_percent": disclosure.participation_percent(len(answers.arm), total_invited),
            "by": _response_by_group(session, round_, roster, answers),
            "representative": measures.representative(round_.tier, roster, answers),
        },
        "practices": _practices(session, round_),
        "items": printed,
        "index": _index(printed, core),
        "measuring": _measuring(now, past, core),
        "weighting": further.weighting.how if further.weighting and gating.WEIGHTED in left else None,
        "design_effect": gathered.effects[0],
        "shared": factors.as_json() if factors else None,
        "checked": decision.settled,
        "suppressed": _suppressed(decision, gathered),
    }


def _table(decision: disclosure.Decision, series: str, invited: Counter) -> dict[str, Any]:
    """An item's table by standing and its breakdowns; all hidden where the gate did not come to its end."""
    found = decision.standing.get(series)
    if found is None:
        table = disclosure.publish_item(
            {
                arm: disclosure.Count(0, 0, invited[arm])
                for arm in tally.ARMS
                if arm != "staff" or invited["staff"]
            },
            threshold=disclosure.SMALLEST_THRESHOLD,
            design_effect=None,
            df=None,
            show="nothing",
        )
        return {**table.as_json(), "tables": []}
    return {
        **found.as_json(),
        "tables": [
            {
                "by": by,
                "groups": {
                    gating.MERGED.join(names): group.as_json() for names, group in items[series].items()
                },
            }
            for by, items in decision.breakdowns.items()
        ],
    }


def _tipping(table: dict[str, Any]) -> dict | None:
    """Made of the arms, so only where they are printed."""
    if any(table["groups"][arm]["mark"] != "shown" for arm in compare.ARMS):
        return None
    return disclosure.print_tipping(table["groups"], table["gap"])


def _if_left(gathered: Gathered, left: Sequence[str], printed: dict[str, Any]) -> dict[str, Any] | None:
    """Answers in full where the gate left them; None where they were not planned."""
    if gating.OPTIONS in left:
        return printed
    return {"mark": "hidden", "N": printed["N"]} if gating.OPTIONS in gathered.question.plan.tables else None


def _labels(session: Session, round_: Round, decision: disclosure.Decision) -> dict[str, dict[str, str]]:
    """Names of the categories of printed breakdowns that are not names already."""
    if "locality" not in decision.breakdowns:
        return {}
    rows = session.exec(select(Locality.code, Locality.name).where(Locality.body_id == round_.body_id)).all()
    return {"locality": dict(rows)}


def _suppressed(decision: disclosure.Decision, gathered: Gathered) -> list[dict[str, Any]]:
    """What was not printed, and why; also groups of which nobody was invited."""
    keys = {item["series"]: item["key"] for item in gathered.now.scored}
    out = [
        {
            "table": gone.table,
            "item": None if gone.item is None else keys[gone.item],
            "what": gone.what,
            "why": gone.why,
        }
        for gone in decision.suppressed
    ]
    for arm in compare.ARMS:
        if not gathered.invited[arm]:
            out += [
                {"table": STANDING, "item": item["key"], "what": arm, "why": MISSING}
                for item in gathered.now.scored
            ]
    return out


def _label(promise: dict, arm: str) -> str:
    key = {"leader": "leaders"}.get(arm, arm)
    words = promise["body"]["words"][key]
    return words[:1].upper() + words[1:]


def _distribution(answers: tally.Answers, item: dict, roster: tally.Invited) -> dict:
    """Answers in full, leaders and grassroots members together."""
    member = (answers.arm == 0) | (answers.arm == 1)
    scores = answers.score[item["key"]][member]
    return disclosure.print_distribution(
        {score: int(np.sum(scores == score)) for score, _ in item["labels"]},
        {score for score, _ in item["labels"] if is_favourable(item["kind"], score, reverse=item["reverse"])},
        int(np.sum(answers.dont_know[item["key"]][member])),
        int(np.isin(roster.standing.astype(str), gating.MEMBERS).sum()),
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


def _measuring(now: Facts, past: Sequence[Facts], core: list[dict]) -> dict[str, Any] | None:
    """How well the core items measure one thing; None with fewer than three of them, or where answers have no place."""
    items = [item for item in core if item["kind"] == "agree5"]
    if len(items) < MEASURED_ITEMS or not now.answers.placed:
        return None
    rounds = [now, *itertools.takewhile(lambda one: one.asks(items), past)]
    return measures.measuring([(one.number, one.answers) for one in rounds], items)


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
