"""Did it work? What the practices that were visited did beyond their own forecast, against those that were not.

Worked out once for all that it rests on (`engagement.outreach.basis`), by the worker or at the command line, from what
assessments rest on: participation of closed rounds, and answers that may count towards their practice. Pages may read
no answer and read what is stored. What is said is as rough as an assessment: shares to 5 percentage points, scores to
0.1, interval ends rounded outwards, numbers of people in bands, and nothing on fewer than five practices a side.

The content: {"software", "said": {…`Evaluation` without its power…}, "power": {measure: {"practices", "variance"}},
"effects": {measure: {"estimate", "se", "treated", "others"}}}.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from engagement import __version__, clock
from engagement.access import READERS, Actor, audit
from engagement.access.audit import canonical, sha256
from engagement.assessments import gather, read
from engagement.assessments.figures import POINTS, PROBABILITY
from engagement.clock import show_date, show_instant
from engagement.db import Database
from engagement.disclosure.rules import band
from engagement.errors import Conflict, NotFound
from engagement.models import Body, OutreachEvaluation, Round
from engagement.outreach import basis, order
from engagement.outreach.basis import FEWEST_ROUNDS
from engagement.outreach.contacts import treated as treated_between
from engagement.risk import effect
from engagement.risk.effect import FEWEST, MEASURES, SCORE, SHARE, Measure
from engagement.risk.evidence import ANONYMOUS
from engagement.risk.filter import Constants
from engagement.roster.standing import read_practices
from engagement.words import words_of

VISITS = 8
# Two effects say next to nothing of how far effects differ: their interval would reach from one end to the other.
POOLED_FROM = 3
STEPS = {SHARE: PROBABILITY, SCORE: POINTS}
NAMES = {SHARE: "Answering", SCORE: "Score"}
FORECAST, LOT, ROUNDS, BODIES = "forecast", "lot", "rounds", "bodies"
MINUS = "−"
# A share more that a good programme of visits might bring to answer, for which the chance to see it is said.
HOPED = 0.1
REGRESSION = (
    "{Practices} are picked for a bad round, and a bad round is partly bad luck: most do better next time whether or not "
    "anybody visits (regression to the mean). Before and after alone shows a success even where visits do nothing."
)


@dataclass(frozen=True)
class Figure:
    """One effect as it may be printed. `measure`: "share" (fractions) or "score" (points). `by`: "forecast", "lot", "rounds" or
    "bodies". `estimate`, `low`, `high` are None where `why` says why not. `treated`, `others`: practices compared; `n_treated`,
    `n_others`: bands of the people behind them, None where not one number. `text`: all of it in a sentence."""

    measure: str
    by: str
    estimate: float | None
    low: float | None
    high: float | None
    treated: int
    others: int
    n_treated: str | None
    n_others: str | None
    why: str | None
    text: str


@dataclass(frozen=True)
class Change:
    """Before and after in the visited practices, and how much of it was to be expected without any visit."""

    measure: str
    change: float
    returned: float
    treated: int
    text: str


@dataclass(frozen=True)
class Evaluation:
    """What can be said of outreach between the two newest assessed rounds, `after` and `before`, None before the third round
    and while it is being worked out.

    `figures`: against the forecast, both measures; `lot`: by the drawn order, for which `order` says how it was drawn and
    kept to, empty without one; `rounds`: all rounds so far together, empty where fewer than three can be judged. `power`:
    what so many visits could show, in sentences. `changes` never stand without `regression`.
    """

    after: int | None
    before: int | None
    headline: str
    why: str | None
    figures: tuple[Figure, ...] = ()
    lot: tuple[Figure, ...] = ()
    order: tuple[str, ...] = ()
    rounds: tuple[Figure, ...] = ()
    changes: tuple[Change, ...] = ()
    regression: str = ""
    power: tuple[str, ...] = ()


@dataclass(frozen=True)
class Together:
    """Several bodies taken together. `why`: why there is no figure, and which bodies are not in it yet; None otherwise."""

    figures: tuple[Figure, ...]
    why: str | None


def evaluate(session: Session, actor: Actor, body_id: int, *, visits: int = VISITS) -> Evaluation:
    """Whether visits between the two newest assessed rounds did anything, and what `visits` before the next could show.

    For everybody who may read the body's results: no practice is named. Reads what is stored and nothing else; where that
    no longer holds it says so and gives no figure. Raises `Conflict` for what does not match its hash.
    """
    actor.require(body_id, *READERS)
    words = words_of(session.get(Body, body_id).words)
    wanted = basis.now(session, [body_id])
    if not wanted:
        return Evaluation(
            after=None,
            before=None,
            headline="Too early to tell",
            why="Whether visits work can be asked from the third round on: two to forecast from, and one to compare.",
            power=(_alone(words),),
        )
    content = _stored(session, wanted).get(body_id)
    if content is None:
        return _waiting(session, body_id, words)
    return _from_json(content["said"], _power(content["power"], visits, words))


def pooled(session: Session, actor: Actor, body_ids: Sequence[int]) -> Together:
    """The newest effects of several bodies together, from what is stored; no figure where fewer than three bodies have one.

    Raises as `actor.require` for a body that the actor may not read, and as `evaluate`.
    """
    for body_id in body_ids:
        actor.require(body_id, *READERS)
    wanted = basis.now(session, body_ids)
    contents = _stored(session, wanted)
    found = {
        name: [
            # Pooling asks for no more than what is stored.
            effect.Effect(**content["effects"][name], df=math.nan, low=math.nan, high=math.nan)
            for content in contents.values()
            if name in content["effects"]
        ]
        for name in MEASURES
    }
    figures = tuple(_pooled(name, BODIES, each) for name, each in found.items() if len(each) >= POOLED_FROM)
    why = []
    if not figures:
        why.append(
            f"Together there is a figure from {POOLED_FROM} bodies on whose last visits can be judged."
        )
    if late := len(wanted) - len(contents):
        why.append(f"{late} of {len(body_ids)} bodies {'are' if late > 1 else 'is'} still being worked out.")
    return Together(figures, " ".join(why) or None)


def lines(said: Evaluation) -> list[str]:
    """An evaluation as plain sentences, what so many visits could show first."""
    figures = [each.text for each in (*said.lot, *said.figures, *said.rounds)]
    why = [said.why] if said.why else []
    warning = [said.regression] if said.regression else []
    return [
        *said.power,
        said.headline,
        *why,
        *said.order,
        *figures,
        *warning,
        *(each.text for each in said.changes),
    ]


# --- what is stored ---------------------------------------------------------------------------------------------


def ensure(database: Database, body_id: int) -> bool:
    """Store what can be said of a body's outreach now, unless it is there; returns whether it was stored.

    For a process that may read closed answers. Safe to repeat, and with two at it.
    """
    with database.reading() as session:
        wanted = basis.now(session, [body_id])
        if not wanted or _stored(session, wanted):
            return False
        content = work_out(session, body_id)
        # PostgreSQL shows every query what is newest: this is what was so from the first of them to the last.
        if basis.now(session, [body_id]) != wanted:
            return False
    text = canonical(content)
    made = OutreachEvaluation(
        body_id=body_id,
        basis=wanted[body_id],
        content=text,
        content_hash=sha256(text),
        created_at=clock.now(),
    )
    try:
        with database.session() as session:
            session.add(made)
            session.flush()
            audit.record(
                session,
                Actor.worker(),
                "outreach.evaluation",
                body_id,
                basis=made.basis,
                content=made.content_hash,
            )
    except IntegrityError:
        with database.reading() as session:
            if not _stored(session, wanted):
                raise
        return False
    return True


def work_out(session: Session, body_id: int) -> dict[str, Any]:
    """What can be said of a body's outreach, as it is stored. Raises `Conflict` before the third assessed round."""
    words = words_of(session.get(Body, body_id).words)
    seen = _seen(session, body_id)
    comparable = seen.newest_comparable(words)
    like = None if comparable is None else seen.gap(comparable, words)
    newest = like if comparable == seen.last else None
    said = asdict(_evaluate(session, body_id, seen, newest, words))
    del said["power"]
    return {
        "software": __version__,
        "said": said,
        "power": {name: _variance(measure) for name, measure in like.measures.items()} if like else {},
        "effects": _effects(newest) if newest else {},
    }


def _variance(measure: Measure) -> dict[str, Any]:
    """What the power of any number of visits is worked out from: the practices that something can be seen of, and the
    harmonic mean of the variances of their surprises. Each variance by itself would say how many agreed to count there."""
    seen = measure.variance[np.isfinite(measure.variance)]
    return {"practices": len(seen), "variance": _figures(1 / (1 / seen).mean(), 3) if len(seen) else None}


def _effects(gap: _Gap) -> dict[str, dict[str, Any]]:
    """The effects that bodies are pooled from. They are finer than what is printed and are never printed themselves; finer
    still, and the answers behind a score might be reckoned back from them. What is lost lies far below the standard error."""
    found = {name: gap.effect(name) for name in MEASURES}
    return {
        name: {
            "estimate": round(one.estimate, 2),
            "se": _figures(one.se, 2),
            "treated": one.treated,
            "others": one.others,
        }
        for name, one in found.items()
        if one is not None
    }


def _figures(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _stored(session: Session, wanted: Mapping[int, str]) -> dict[int, dict[str, Any]]:
    """The content stored for each body, where it rests on what is `wanted`. Raises `Conflict` for one that was changed."""
    rows = session.exec(
        select(OutreachEvaluation).where(
            OutreachEvaluation.body_id.in_(list(wanted)), OutreachEvaluation.basis.in_(list(wanted.values()))
        )
    )
    return {row.body_id: _checked(row) for row in rows if wanted[row.body_id] == row.basis}


def _checked(row: OutreachEvaluation) -> dict[str, Any]:
    if sha256(row.content) != row.content_hash:
        raise Conflict(
            "A comparison of visits does not match its hash and is not shown. Tell the data protection officer."
        )
    return json.loads(row.content)


def _from_json(said: Mapping[str, Any], power: tuple[str, ...]) -> Evaluation:
    figures = {name: tuple(Figure(**each) for each in said[name]) for name in ("figures", "lot", "rounds")}
    changes = tuple(Change(**each) for each in said["changes"])
    return Evaluation(
        **{**said, **figures, "changes": changes, "order": tuple(said["order"]), "power": power}
    )


def _waiting(session: Session, body_id: int, words: Mapping[str, str]) -> Evaluation:
    """What is said until the worker has come to it."""
    last = session.exec(
        select(OutreachEvaluation.created_at)
        .where(OutreachEvaluation.body_id == body_id)
        .order_by(OutreachEvaluation.id.desc())
        .limit(1)
    ).first()
    before = f" What was worked out on {show_instant(last)} no longer holds." if last else ""
    return Evaluation(
        after=None,
        before=None,
        headline="Being worked out",
        why=f"The rounds, or the visits between them, have changed.{before} Look again in a minute; if this stays, the operator "
        "should see whether the worker runs.",
        power=(_alone(words),),
    )


# --- what is read -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Seen:
    """All assessed rounds of a body. `visited`, (P, T): met between each round and the one before."""

    numbers: tuple[int, ...]
    codes: tuple[str, ...]
    arranged: gather.Arranged
    used: tuple[Constants, ...]
    visited: np.ndarray

    @property
    def last(self) -> int:
        return len(self.numbers) - 1

    def gap(self, at: int, words: Mapping[str, str]) -> _Gap:
        """A round and the visits before it."""
        rounds, visited = self.arranged.rounds, self.visited
        found = effect.measures(rounds[:at], self.used[at - 1], rounds[at], visited[:, :at])
        return _Gap(self.codes, found, visited[:, at], rounds[at].threshold, words)

    def newest_comparable(self, words: Mapping[str, str]) -> int | None:
        """The newest round that can be compared with the one before it."""
        gaps = range(self.last, FEWEST_ROUNDS - 2, -1)
        return next((gap for gap in gaps if self.why_not(gap, words) is None), None)

    def why_not(self, gap: int, words: Mapping[str, str]) -> str | None:
        """Why two rounds cannot be compared at all."""
        tiers = [self.arranged.rounds[t].tier for t in (gap - 1, gap)]
        numbers = f"Rounds {self.numbers[gap - 1]} and {self.numbers[gap]}"
        if ANONYMOUS in tiers:
            return f"{numbers} cannot be compared: in an anonymous round nobody knows which {words['practice']} an answer came from."
        if tiers[0] != tiers[1]:
            return f"{numbers} asked in different ways, one of each {words['practice']} and one of everybody, and cannot be compared."
        return None


@dataclass(frozen=True, eq=False)
class _Gap:
    """A round with the visits before it: `codes` of the practices, both `measures`, who was `visited`, and the `threshold` of
    people that a score needs."""

    codes: tuple[str, ...]
    measures: Mapping[str, Measure]
    visited: np.ndarray
    threshold: int
    words: Mapping[str, str]

    def too_few(self, name: str, people: np.ndarray, known: np.ndarray, treated: np.ndarray) -> bool:
        """Whether one side has too few to be spoken of: practices, or people whose answers count."""
        sides = known & treated, known & ~treated
        if min(side.sum() for side in sides) < FEWEST:
            return True
        return name == SCORE and min(people[side].sum() for side in sides) < self.threshold

    def effect(self, name: str) -> effect.Effect | None:
        """The effect of the visits where it may be spoken of."""
        measure = self.measures[name]
        if self.too_few(name, measure.people, measure.known, self.visited):
            return None
        return effect.compare(measure, self.visited)

    def against_forecast(self, name: str) -> Figure:
        """Those that were met against the others."""
        return _figure(self, name, FORECAST, self.effect(name), self.visited, self.measures[name].known)


def _seen(session: Session, body_id: int) -> _Seen:
    """All that is read. Raises `Conflict` before the third assessed round."""
    contents = read.history(session, Actor.worker(), body_id)
    if len(contents) < FEWEST_ROUNDS:
        raise Conflict("Whether visits work can be asked from the third round on.")
    numbers = tuple(content["round"]["number"] for content in contents)
    by_number = {
        round_.number: round_
        for round_ in session.exec(select(Round).where(Round.body_id == body_id, Round.number.in_(numbers)))
    }
    arranged = gather.arrange(
        [gather.read(session, by_number[number]) for number in numbers], read_practices(session, body_id)
    )
    visited = np.zeros((len(arranged.codes), len(numbers)), bool)
    place = {code: row for row, code in enumerate(arranged.codes)}
    for gap in range(1, len(numbers)):
        for code in _met(session, body_id, numbers[gap - 1], numbers[gap]):
            if code in place:
                visited[place[code], gap] = True
    used = tuple(Constants.from_json(content["constants"]["used"]) for content in contents)
    return _Seen(numbers, arranged.codes, arranged, used, visited)


def _met(session: Session, body_id: int, after: int, before: int) -> Mapping[str, Any]:
    """Practices met between two rounds, by code; none where a round came in from a file without its dates."""
    try:
        return treated_between(session, body_id, after, before)
    except NotFound:
        return {}


# --- what is said -----------------------------------------------------------------------------------------------


def _evaluate(
    session: Session, body_id: int, seen: _Seen, gap: _Gap | None, words: Mapping[str, str]
) -> Evaluation:
    """What can be said, without the power, which depends on how many visits somebody asks about. `gap`: the newest round with
    the visits before it, None where it cannot be compared."""
    after, before = seen.numbers[seen.last - 1], seen.numbers[seen.last]
    common = {
        "after": after,
        "before": before,
        "regression": REGRESSION.format(Practices=words["practices"].capitalize()),
    }
    if gap is None:
        why = seen.why_not(seen.last, words)
        return Evaluation(headline="No figure for the last round", why=why, **common)
    drawn = order.held(session, body_id, after)
    opened = drawn is not None and drawn.opened_at is not None
    lot = _by_lot(gap, drawn) if opened else ()
    enough = gap.visited.sum() >= FEWEST
    figures = tuple(gap.against_forecast(name) for name in MEASURES) if enough else ()
    return Evaluation(
        headline=_headline(lot or figures),
        why=None if lot or enough else _few_met(int(gap.visited.sum()), after, before, words),
        figures=figures,
        lot=lot,
        order=_order_words(drawn, gap) if opened else (),
        rounds=_over_rounds(seen, words),
        changes=tuple(change for figure in figures if (change := _change(figure, gap))),
        **common,
    )


def _figure(
    gap: _Gap,
    name: str,
    by: str,
    found: effect.Effect | effect.ByLot | None,
    treated: np.ndarray,
    known: np.ndarray,
) -> Figure:
    """One effect as it may be printed, or why there is none. `treated`, `known`, (P,): who is compared."""
    measure, practices = gap.measures[name], gap.words["practices"]
    sides = known & treated, known & ~treated
    counts = tuple(int(side.sum()) for side in sides)
    if found is None or gap.too_few(name, measure.people, known, treated):
        people = (
            f" and {gap.threshold} people there whose answers may count towards their {gap.words['practice']}"
        )
        why = f"{NAMES[name]}: too few to say. It takes {FEWEST} {practices} on each side{people if name == SCORE else ''}."
        return Figure(name, by, None, None, None, *counts, None, None, why, why)
    answered = measure.people if name == SCORE else np.nan_to_num(measure.observed * measure.people)
    bands = tuple(band(round(float(answered[side].sum()))) or "under 5" for side in sides)
    printed = _printed(name, found.estimate, found.low, found.high)
    first, later = (
        ("drawn to come first", "drawn to come later") if by == LOT else ("that were met", "others")
    )
    compared = f"{counts[0]} {practices} {first} against {counts[1]} {later}, each beside its forecast"
    return Figure(name, by, *printed, *counts, *bands, None, _sentence(name, printed, compared))


def _printed(name: str, estimate: float, low: float, high: float) -> tuple[float, float, float]:
    """To the steps of an assessment, the interval's ends outwards; infinite ends to the edge of what can be."""
    step, edge = STEPS[name], 1.0 if name == SHARE else 4.0
    low, high = max(low, -edge), min(high, edge)
    return (
        _rounded(round(estimate / step) * step),
        _rounded(math.floor(low / step + 1e-9) * step),
        _rounded(math.ceil(high / step - 1e-9) * step),
    )


def _rounded(value: float) -> float:
    return round(value, 2) + 0.0


def _by_lot(gap: _Gap, drawn: order.OrderRow) -> tuple[Figure, ...]:
    """Practices drawn to come first against those drawn to come later, whoever was in fact visited."""
    kinds = {name: number for number, name in enumerate(sorted(set(drawn.strata.values())))}
    strata = np.array([kinds[drawn.strata[code]] if code in drawn.strata else -1 for code in gap.codes])
    early = np.isin(gap.codes, drawn.early)
    return tuple(
        _figure(gap, name, LOT, effect.by_lot(measure, early, strata), early, measure.known & (strata >= 0))
        for name, measure in gap.measures.items()
    )


def _over_rounds(seen: _Seen, words: Mapping[str, str]) -> tuple[Figure, ...]:
    """The effects before all rounds so far together; a forecast takes in what earlier visits did, so that each counts anew."""
    gaps = [
        seen.gap(at, words)
        for at in range(FEWEST_ROUNDS - 1, len(seen.numbers))
        if seen.visited[:, at].sum() >= FEWEST and seen.why_not(at, words) is None
    ]
    each = {name: [one for gap in gaps if (one := gap.effect(name)) is not None] for name in MEASURES}
    return tuple(_pooled(name, ROUNDS, found) for name, found in each.items() if len(found) >= POOLED_FROM)


def _pooled(name: str, by: str, effects: Sequence[effect.Effect]) -> Figure:
    found = effect.pool(effects)
    printed = _printed(name, found.estimate, found.low, found.high)
    text = _sentence(name, printed, f"{found.bodies} {'rounds' if by == ROUNDS else 'bodies'} together")
    return Figure(name, by, *printed, found.treated, found.others, None, None, None, text)


def _change(figure: Figure, gap: _Gap) -> Change | None:
    """Before and after, where the effect itself may be shown and the round before had people enough too."""
    name, measure = figure.measure, gap.measures[figure.measure]
    found = effect.before_after(measure, gap.visited)
    both = measure.known & np.isfinite(measure.before)
    if (
        figure.estimate is None
        or found is None
        or gap.too_few(name, measure.people_before, both, gap.visited)
    ):
        return None
    step = STEPS[name]
    change, returned = (_rounded(round(value / step) * step) for value in (found.change, found.returned))
    text = (
        f"{NAMES[name]}: {amount(name, change)} between the rounds in the {gap.words['practices']} that were met. Without any "
        f"visit, {amount(name, returned)} was to be expected of them."
    )
    return Change(name, change, returned, found.treated, text)


# --- words ------------------------------------------------------------------------------------------------------


def amount(name: str, value: float) -> str:
    """A signed effect: "+15 percentage points", "−0.3 points"."""
    unit = "percentage points" if name == SHARE else "points"
    return f"{_number(name, value)} {unit}"


def interval(figure: Figure) -> str:
    """The interval of a figure: "−5 to +30"."""
    return f"{_number(figure.measure, figure.low)} to {_number(figure.measure, figure.high)}"


def _number(name: str, value: float) -> str:
    sign = "+" if value > 0 else MINUS if value < 0 else ""
    return f"{sign}{abs(value) * 100:.0f}" if name == SHARE else f"{sign}{abs(value):.1f}"


def _sentence(name: str, found: tuple[float, float, float], sides: str) -> str:
    """One effect with its interval, what was compared, and whether it says anything."""
    estimate, low, high = found
    what = "people answering" if name == SHARE else "the mean score of those whose answers count"
    said = f"Effect on {what}: {amount(name, estimate)} (95% interval {_number(name, low)} to {_number(name, high)}), {sides}."
    if low > 0:
        return f"{said} Chance alone would seldom give so much."
    if high < 0:
        return f"{said} Chance alone would seldom give so little: the visits may have done harm."
    return f"{said} No effect at all would fit this too."


def _headline(figures: Sequence[Figure]) -> str:
    known = [each for each in figures if each.estimate is not None]
    if not known:
        return "Too few to say whether visits worked"
    better, worse = (
        [each for each in known if test(each)] for test in (lambda f: f.low > 0, lambda f: f.high < 0)
    )
    if better and worse:
        return "Visits moved answering and scores in opposite ways"
    if better:
        return f"{' and '.join(NAMES[each.measure] for each in better).capitalize()} rose more than chance explains"
    if worse:
        return f"{' and '.join(NAMES[each.measure] for each in worse).capitalize()} fell more than chance explains"
    return "Whether visits worked cannot be told yet"


def _order_words(drawn: order.OrderRow, gap: _Gap) -> tuple[str, ...]:
    met = {gap.codes[place] for place in np.flatnonzero(gap.visited)}
    first, later = set(drawn.early), set(drawn.order) - set(drawn.early)
    told = [
        f"The order was drawn and sealed on {show_date(drawn.sealed_at)}, and opened on {show_date(drawn.opened_at)}.",
        f"Of {len(first)} {gap.words['practices']} drawn to come first, {len(first & met)} were met before the round; of "
        f"{len(later)} drawn to come later, {len(later & met)}. They are compared as they were drawn, so that nobody's choice "
        "of whom to visit after all can enter.",
    ]
    if drawn.attempt > 1:
        told.append(f"Draws thrown away unseen before it: {drawn.attempt - 1}. They are in the audit log.")
    return tuple(told)


def _few_met(number: int, after: int, before: int, words: Mapping[str, str]) -> str:
    who = (
        f"{number} {words['practices']} were"
        if number > 1
        else f"{'1' if number else 'No'} {words['practice']} was"
    )
    return f"{who} met between rounds {after} and {before}; there is a figure from {FEWEST} on."


def _alone(words: Mapping[str, str]) -> str:
    return f"One {words['body']} alone can hardly prove that its visits work; several together can."


def _power(kept: Mapping[str, Mapping], visits: int, words: Mapping[str, str]) -> tuple[str, ...]:
    """What so many visits could show, if as many people answer as last time. `kept`: of each measure what `_variance` gives,
    nothing where no two rounds could be compared."""
    if not kept:
        return (_alone(words),)
    found = {
        name: power
        for name in MEASURES
        if (power := effect.power(np.full(kept[name]["practices"], kept[name]["variance"]), visits))
    }
    if SHARE not in found:
        return (
            f"{visits} visits are too few, or too many beside those left out, for any comparison: it takes {FEWEST} "
            f"{words['practices']} on each side.",
            _alone(words),
        )
    share = found[SHARE]
    size = "very large" if share.detectable > 0.2 else "large" if share.detectable > 0.1 else "moderate"
    needed = [amount(name, _up(name, power.detectable)).lstrip("+") for name, power in found.items()]
    needed[0] += " more people answering"
    sentences = [
        f"{visits} visits before the next round can show an effect only if it is {size}. About {', or '.join(needed)}"
        f"{' of the scale,' if SCORE in found else ''} would show four times in five."
    ]
    sentences.append(
        f"If visits bring {amount(SHARE, HOPED).lstrip('+')} more people to answer, there is a chance of "
        f"{share.chance(HOPED):.0%} that it shows."
    )
    return (*sentences, _alone(words))


def _up(name: str, value: float) -> float:
    step = STEPS[name]
    return _rounded(math.ceil(value / step - 1e-9) * step)
