"""One item's level in a group, and the difference between any two groups.

A level is shown four ways, for each loses something: the favourable share, the net (favourable minus unfavourable),
the mean, and the full distribution. Bases are per item, with every reason for a missing score counted apart.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from engagement.estimates.change import Contrast, contrast
from engagement.estimates.clustered import (
    AnalyticGap,
    Stack,
    analytic_gap,
    linearised,
    one_practice_warning,
    whole,
)
from engagement.estimates.gap import Interval
from engagement.estimates.proportions import finite_n, wilson
from engagement.estimates.weights import Weights, calibrated

REASONS = ("dont_know", "not_applicable", "not_answered", "not_asked")
"""Why an answer has no score; the first is coded -1, the second -2, and so on."""

NOBODY = "Nobody in this group gave a score: there is no level."
ALIKE = "Practices do not differ at all on the mean: it gets no interval, and the shares' rest on the answers alone."


def coded(values: Iterable[int | str | None]) -> np.ndarray:
    """Answers as whole numbers, (rows,): scores as they are, reasons as their codes, None as not answered.

    Raises ValueError for a text that is no reason, and for a score below 1 or not whole.
    """
    codes = {reason: -place for place, reason in enumerate(REASONS, 1)} | {None: -3}
    answers = []
    for value in values:
        score = not isinstance(value, str | bool | type(None)) and value == int(value) and value >= 1
        if not score and value not in codes:
            raise ValueError(
                f"{value!r} is no answer: give a score from 1 up, or one of {', '.join(REASONS)}."
            )
        answers.append(int(value) if score else codes[value])
    return np.array(answers, dtype=np.int64)


@dataclass(frozen=True)
class Base:
    """Who a figure rests on: people `asked`, and of these `scored`, `dont_know`, `not_applicable`, `not_answered`.

    Shares have `scored` as their base. `dont_know_share` is of all who gave a score or said that they do not know,
    None where nobody did."""

    asked: int
    scored: int
    dont_know: int
    not_applicable: int
    not_answered: int
    dont_know_share: float | None


@dataclass(frozen=True)
class Level:
    """One item in one group. Fractions; `mean` in points of the scale; None where it cannot be known.

    `counts`: answers by score, unweighted, lowest first; `distribution`: their shares, weighted where weights were
    given. `roster_interval`: of the favourable share had every member answered (unweighted only);
    `favourable_interval`, `net_interval`, `mean_interval`: of the underlying level, clustered on practices, with
    `favourable_se` and so on as plain linearised standard errors on `df` degrees of freedom. `explanation` says why
    a figure is missing, or what an interval cannot see."""

    base: Base
    counts: tuple[int, ...]
    distribution: tuple[float, ...] | None
    favourable: float | None
    unfavourable: float | None
    net: float | None
    mean: float | None
    roster_interval: Interval | None
    favourable_interval: Interval | None
    net_interval: Interval | None
    mean_interval: Interval | None
    favourable_se: float | None
    net_se: float | None
    mean_se: float | None
    df: int
    explanation: str | None = None


def level(
    answers: ArrayLike,
    practice: ArrayLike,
    *,
    points: int = 5,
    weights: ArrayLike | Weights | None = None,
    members: int | None = None,
    within: ArrayLike | None = None,
) -> Level:
    """The level of one item in one group.

    One row per answering person: `answers`, (rows,) as `coded` gives them, reversed items already turned round;
    `practice`, (rows,) whole numbers; `within`, (rows,) truth values, the group, all rows where left out. The two
    highest scores of `points` are favourable, the two lowest unfavourable. `weights`: (rows,) positive numbers,
    taken as given, or the `Weights` of all rows, whose calibration then enters the standard errors. `members`: the
    group on the roster, for `roster_interval`, which is for unweighted figures only.

    Defined for nobody, one person, one practice, 0% and 100%; what is missing then is explained. A mean without
    variance between practices gets no interval; a share does, from the number of answers. The mean's interval is
    cut off at the ends of the scale.

    Raises ValueError for arrays of different lengths, answers that are no codes of the scale, fewer than four
    points, a weight that is not positive, fewer members than answers, and `members` together with weights.

    Source: Wilson 1927 on the finite-roster n; Wilson on the effective n of Korn & Graubard 1998; net by MOVER,
    Zou & Donner 2008, with the covariance of the two shares; mean by linearisation, Binder 1983, with Student's t.
    """
    answers, practice = _checked(answers, practice, points)
    inside = _rows(within, answers)
    given = answers[inside]
    scored = inside & (answers > 0)
    n = int(scored.sum())
    if members is not None and (weights is not None or members < len(given)):
        raise ValueError("Give the members on the roster for unweighted figures, and no fewer than answered.")
    base = _base(given)
    counts = tuple(np.bincount(answers[scored], minlength=points + 1)[1:].tolist())
    if n == 0:
        return Level(base, counts, *[None] * 12, 0, NOBODY)

    favourable, unfavourable = answers > points - 2, answers <= 2
    shares = _stack(practice, scored, [favourable, unfavourable], weights)
    scores = _points(_stack(practice, scored, [answers], weights))
    weight = np.bincount(answers[scored], _plain(weights, scored), points + 1)[1:]
    net, mean = analytic_gap(shares, 0, 1), contrast(scores, {0: 1})
    p = float(shares.shares[0])
    known = shares.explanation is None
    return Level(
        base=base,
        counts=counts,
        distribution=tuple((weight / weight.sum()).tolist()),
        favourable=p,
        unfavourable=float(shares.shares[1]),
        net=net.gap,
        mean=mean.estimate,
        roster_interval=None if members is None else _floats(wilson(p, finite_n(n, members))),
        favourable_interval=net.ci1,
        net_interval=(net.low, net.high) if known else None,
        mean_interval=None if mean.low is None else (max(mean.low, 1.0), min(mean.high, float(points))),
        favourable_se=math.sqrt(shares.covariance[0, 0]) if known else None,
        net_se=net.se,
        mean_se=mean.se,
        df=shares.df,
        explanation=shares.explanation or _warning(shares, mean),
    )


@dataclass(frozen=True)
class Difference:
    """Two groups on one item, first minus second. `favourable`: shares and their gap; `mean`: the difference in
    points of the scale, with a Student's t interval on practices; `hedges_g`: it in pooled standard deviations.
    None where it cannot be known; `explanation` then says why."""

    n1: int
    n0: int
    favourable: AnalyticGap
    mean1: float | None
    mean0: float | None
    mean: Contrast
    hedges_g: float | None
    explanation: str | None = None


def difference(
    answers: ArrayLike,
    practice: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    points: int = 5,
    weights: ArrayLike | Weights | None = None,
) -> Difference:
    """First group minus second on one item: any two, say partners and salaried, or small and large practices.

    `first`, `second`: (rows,) truth values, without a row in common; rows in neither group are left out. Other
    arguments, shapes and sources as `level`. With weights, the standard deviations of g are weighted too.

    Raises ValueError as `level`, and where a row is in both groups.

    Source: Hedges 1981, Journal of Educational Statistics 6: g = J difference / pooled SD, J = 1 - 3/(4 df - 1),
    df = n1 + n0 - 2.
    """
    answers, practice = _checked(answers, practice, points)
    first, second = _rows(first, answers), _rows(second, answers)
    if np.any(first & second):
        raise ValueError("A person cannot be in both groups: make the two groups without anybody in common.")
    scored = (first | second) & (answers > 0)
    cell = np.where(scored, np.where(first, 1, 0), -1)
    share_stack = _cells(practice, cell, answers > points - 2, weights)
    score_stack = _points(_cells(practice, cell, answers, weights))
    n0, n1 = score_stack.n.tolist()
    favourable = analytic_gap(share_stack, 1, 0)
    if not (n1 and n0):
        mean = Contrast(*[None] * 5, score_stack.df, None, favourable.explanation)
    else:
        mean = contrast(score_stack, {1: 1, 0: -1})
    means = [float(m) if n else None for m, n in zip(score_stack.shares, (n0, n1), strict=True)]
    g, no_g = _hedges(answers[scored], cell[scored], _plain(weights, scored), mean.estimate)
    return Difference(
        n1, n0, favourable, means[1], means[0], mean, g, favourable.explanation or mean.explanation or no_g
    )


def _hedges(y, cell, w, estimate) -> tuple[float | None, str | None]:
    df = len(y) - 2
    if estimate is None or df < 1:
        return None, "Hedges g needs scores in both groups, and three in all."
    squares = 0.0
    for group in (0, 1):
        its_y, its_w = y[cell == group], w[cell == group]
        # A sum of squares on the scale of n answers, whatever the scale of the weights.
        squares += len(its_y) * np.average((its_y - np.average(its_y, weights=its_w)) ** 2, weights=its_w)
    if squares < 1e-12:
        return None, "Everybody in each group gave the same score: there is no spread to measure against."
    return float((1 - 3 / (4 * df - 1)) * estimate / math.sqrt(squares / df)), None


def _stack(practice, scored, ys, weights) -> Stack:
    """Several scores of the same answers, as the cells 0, 1, ... of one stack."""
    if isinstance(weights, Weights):
        times = len(ys)
        cell = np.concatenate([np.where(scored, place, -1) for place in range(times)])
        return calibrated([weights] * times, np.tile(practice, times), cell, np.concatenate(ys), cells=times)
    rows = np.flatnonzero(scored)
    w = _plain(weights, scored)
    return linearised(
        np.tile(practice[rows], len(ys)),
        np.repeat(np.arange(len(ys)), len(rows)),
        np.concatenate([y[rows] for y in ys]),
        np.tile(w, len(ys)),
        cells=len(ys),
    )


def _cells(practice, cell, y, weights) -> Stack:
    """One score of two groups: cells 0 and 1, -1 for neither."""
    if isinstance(weights, Weights):
        return calibrated(weights, practice, cell, y, cells=2)
    rows = cell >= 0
    return linearised(practice[rows], cell[rows], y[rows], _plain(weights, rows), cells=2)


def _points(stack: Stack) -> Stack:
    """A stack of points of a scale. Where everybody gave the lowest, 1, it would pass for one of shares."""
    return replace(stack, binary=False)


def _plain(weights, rows) -> np.ndarray:
    if weights is None:
        return np.ones(int(rows.sum()))
    w = weights.weights if isinstance(weights, Weights) else np.asarray(weights, float)
    if w.shape != rows.shape:
        raise ValueError("Give one weight for each answer.")
    return w[rows]


def _checked(answers, practice, points: int) -> tuple[np.ndarray, np.ndarray]:
    if points < 4:
        raise ValueError("Two favourable and two unfavourable answers need a scale of at least four points.")
    answers, practice = whole(answers, "answers"), whole(practice, "practice")
    if answers.ndim != 1 or np.any((answers > points) | (answers == 0) | (answers < -len(REASONS))):
        raise ValueError(
            f"Answers must be a flat list of scores from 1 to {points}, or codes of reasons (see coded)."
        )
    if practice.shape != answers.shape:
        raise ValueError("Give one practice for each answer.")
    return answers, practice


def _rows(within, answers) -> np.ndarray:
    rows = np.ones(answers.shape, bool) if within is None else np.asarray(within)
    if rows.shape != answers.shape or rows.dtype != bool:
        raise ValueError("A group must be given as one truth value for each answer.")
    return rows


def _base(given) -> Base:
    missing = {reason: int(np.sum(given == -place)) for place, reason in enumerate(REASONS, 1)}
    scored, unknown = int(np.sum(given > 0)), missing["dont_know"]
    return Base(
        asked=len(given) - missing["not_asked"],
        scored=scored,
        dont_know=unknown,
        not_applicable=missing["not_applicable"],
        not_answered=missing["not_answered"],
        dont_know_share=unknown / (scored + unknown) if scored + unknown else None,
    )


def _floats(interval) -> Interval:
    return float(interval[0]), float(interval[1])


def _warning(shares: Stack, mean: Contrast) -> str | None:
    if one_practice_warning(shares, 0):
        return "The answers come from a single practice: the intervals cannot see how practices differ."
    return ALIKE if mean.low is None else None
