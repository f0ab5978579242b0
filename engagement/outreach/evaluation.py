"""Did it work? What the practices that were visited did beyond their own forecast, against those that were not.

Computed when it is asked for, from what the stored assessments rest on: participation of closed rounds, and answers that
may count towards their practice. What is said is as rough as an assessment: shares to 5 percentage points, scores to
0.1, interval ends rounded outwards, numbers of people in bands, and nothing on fewer than five practices a side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session, select

from engagement import db
from engagement.access import READERS, Actor
from engagement.assessments import gather, read
from engagement.assessments.figures import POINTS, PROBABILITY
from engagement.clock import show_date
from engagement.disclosure.rules import band
from engagement.errors import Conflict, NotFound
from engagement.models import Body, Round
from engagement.outreach import order
from engagement.outreach.contacts import treated as treated_between
from engagement.risk import effect
from engagement.risk.effect import FEWEST, MEASURES, SCORE, SHARE, Measure
from engagement.risk.evidence import ANONYMOUS
from engagement.risk.filter import Constants
from engagement.roster.standing import read_practices
from engagement.words import words_of

VISITS = 8
FEWEST_ROUNDS = 3
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
    """What can be said of outreach between the two newest assessed rounds, `after` and `before`, None before the third round.

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


def evaluate(session: Session, actor: Actor, body_id: int, *, visits: int = VISITS) -> Evaluation:
    """Whether visits between the two newest assessed rounds did anything, and what `visits` before the next could show.

    For everybody who may read the body's results: no practice is named. Raises `Conflict` where this process may not
    read closed answers, which the comparison is worked from.
    """
    actor.require(body_id, *READERS)
    try:
        return _evaluate(session, actor, body_id, visits)
    except DatabaseError as refused:
        if not db.denied(refused):
            raise
        raise Conflict(
            "This is worked out from closed answers, which the app may not read. The operator gets it at the command line:"
        ) from refused


def _evaluate(session: Session, actor: Actor, body_id: int, visits: int) -> Evaluation:
    words = words_of(session.get(Body, body_id).words)
    seen = _seen(session, actor, body_id)
    if seen is None:
        return Evaluation(
            after=None,
            before=None,
            headline="Too early to tell",
            why="Whether visits work can be asked from the third round on: two to forecast from, and one to compare.",
            power=(_alone(words),),
        )
    regression = REGRESSION.format(Practices=words["practices"].capitalize())
    after, before = seen.numbers[seen.last - 1], seen.numbers[seen.last]
    common = {"after": after, "before": before, "regression": regression}
    if why := seen.why_not(seen.last, words):
        like = seen.newest_comparable(words)
        power = _power(seen.gap(like, words).measures, visits, words) if like else (_alone(words),)
        return Evaluation(headline="No figure for the last round", why=why, power=power, **common)
    gap = seen.gap(seen.last, words)
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
        power=_power(gap.measures, visits, words),
        **common,
    )


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


def pooled(session: Session, actor: Actor, body_ids: Sequence[int]) -> tuple[Figure, ...]:
    """The newest effects of several bodies together; empty where fewer than three bodies have one.

    Raises as `actor.require` for a body that the actor may not read.
    """
    found: dict[str, list[effect.Effect]] = {name: [] for name in MEASURES}
    words = words_of(None)
    for body_id in body_ids:
        actor.require(body_id, *READERS)
        seen = _seen(session, actor, body_id)
        if seen is None or seen.why_not(seen.last, words) or seen.visited[:, seen.last].sum() < FEWEST:
            continue
        gap = seen.gap(seen.last, words)
        for name in MEASURES:
            if (one := gap.effect(name)) is not None:
                found[name].append(one)
    return tuple(_pooled(name, BODIES, each) for name, each in found.items() if len(each) >= POOLED_FROM)


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


def _seen(session: Session, actor: Actor, body_id: int) -> _Seen | None:
    """All that is read, None before the third assessed round."""
    contents = read.history(session, actor, body_id)
    if len(contents) < FEWEST_ROUNDS:
        return None
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


# --- figures ----------------------------------------------------------------------------------------------------


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


def _power(measures: Mapping[str, Measure], visits: int, words: Mapping[str, str]) -> tuple[str, ...]:
    """What so many visits could show, if as many people answer as last time."""
    found = {name: power for name in MEASURES if (power := effect.power(measures[name].variance, visits))}
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
