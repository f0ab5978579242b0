"""Forecasts against what happened: how well does it do? In aggregate only, never for one practice.

Rows are one forecast for one practice in one round. Practices come back round after round, so every interval
resamples practices with all their rows. That covers chance between practices, not an event that strikes a whole
round. Figures are given only where enough practices and enough outcomes of both kinds stand behind them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from engagement.estimates import wilson

FEWEST_PRACTICES = 10
FEWEST_OUTCOMES = 5
"""Below ten practices, or five outcomes of either kind, a figure is chance, and could speak of single practices."""
TOO_FEW = (
    f"Too few to say: it takes {FEWEST_PRACTICES} practices, and {FEWEST_OUTCOMES} outcomes of each kind."
)
LEVELS = (0.5, 0.8, 0.95)
CAPACITY = 8
"""Visits a round."""
WORTH = 0.25
"""Chance of disengagement from which a visit is worth it: one needed visit outweighs three needless ones."""
REPLICATES = 200
CERTAIN = 1e-4
"""Probabilities are held this far from 0 and 1 where their logit is taken."""
ALIKE = 1e-6
"""Logits that differ by less are one forecast, and have no slope."""
DRIFT = 0.05
"""Smallest difference between forecast and outcome, as a share, that counts as drift."""

Score = Callable[[int], ArrayLike]


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Rows to be judged, all (n,). `practice`: whole-number codes from 0; `round`: the round in which the outcome
    fell; `value`: probability, or, where `probability` is False, a score that is higher the likelier the outcome;
    `happened`: 0 or 1. Rows without an outcome (closed, merged, undeliverable) are left out beforehand.

    Raises ValueError for arrays of different lengths, codes below 0, values that are not finite, probabilities
    outside [0, 1] and outcomes other than 0 and 1.
    """

    practice: np.ndarray
    round: np.ndarray
    value: np.ndarray
    happened: np.ndarray
    probability: bool = True

    def __post_init__(self):
        columns = {f: np.asarray(getattr(self, f)) for f in ("practice", "round")}
        columns |= {f: np.asarray(getattr(self, f), float) for f in ("value", "happened")}
        if len({c.shape for c in columns.values()}) > 1 or columns["value"].ndim != 1:
            raise ValueError("Give one practice, round, value and outcome for each forecast.")
        if np.any(columns["practice"] < 0):
            raise ValueError("Practice codes are whole numbers from 0.")
        if not np.all(np.isin(columns["happened"], (0, 1))):
            raise ValueError("An outcome is 0 or 1; leave out forecasts without an outcome.")
        value = columns["value"]
        if not np.all(np.isfinite(value)) or (self.probability and np.any((value < 0) | (value > 1))):
            raise ValueError("A value must be finite, and a probability between 0 and 1.")
        for name, column in columns.items():
            object.__setattr__(self, name, column)

    def where(self, keep: ArrayLike) -> "Forecasts":
        """The rows for which `keep`, (n,) of booleans, is true."""
        keep = np.asarray(keep, bool)
        rows = {f: getattr(self, f)[keep] for f in ("practice", "round", "value", "happened")}
        return replace(self, **rows)


@dataclass(frozen=True)
class Figure:
    """One figure with its 95% interval by practice; None where it cannot be known, and `explanation` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    explanation: str | None = None


@dataclass(frozen=True)
class Judgement:
    """How well forecasts did. `n` rows of `practices` practices, `base_rate` the share in which it happened.

    `ap`: average precision; by chance it is the base rate. `brier` against `brier_reference`, that of the base
    rate said to everybody. `slope` (1 is right; below, forecasts are too bold) and `intercept` (0 is right; above,
    it happened more often than said). `precision`, `recall`, `net_benefit` of the list at capacity. All but the
    list and `ap` need probabilities. Figures are empty and `explanation` is set where there are too few rows.
    """

    n: int
    practices: int
    base_rate: float | None
    ap: Figure
    brier: Figure
    brier_reference: float | None
    slope: Figure
    intercept: Figure
    precision: Figure
    recall: Figure
    net_benefit: Figure
    explanation: str | None = None


def judge(
    forecasts: Forecasts,
    *,
    capacity: int = CAPACITY,
    worth: float = WORTH,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Judgement:
    """All figures of one set of forecasts.

    `capacity`: how many practices the list names each round, the highest values first. `worth`: probability,
    between 0 and 1, from which acting is worth it; a needless visit then costs worth / (1 - worth) of a needed one.

    Raises ValueError for a capacity below 1 and a worth outside (0, 1).

    Source: net benefit, Vickers & Elkin 2006, Medical Decision Making 26; calibration, Van Calster et al. 2019,
    BMC Medicine 17.
    """
    return _judge(forecasts, chosen(forecasts, capacity), worth, seed, replicates)


@dataclass(frozen=True)
class Subgroup:
    """One kind of practice. `share_chosen`: of its rows, how many the list of the whole body named; beside it
    `judgement.base_rate`, how many it happened to. Both None with an explanation where there are too few."""

    name: str
    share_chosen: float | None
    judgement: Judgement


def by_subgroup(
    forecasts: Forecasts,
    group: ArrayLike,
    *,
    capacity: int = CAPACITY,
    worth: float = WORTH,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> tuple[Subgroup, ...]:
    """Figures for each kind of practice, by name; the list is that of all practices, not one for each kind.

    `group`: (practices,) the name of the kind for each practice code (roster size, rurality). Others as `judge`.

    Raises ValueError where a practice has no entry in `group`, and as `judge`.
    """
    group = np.asarray(group, str)
    if forecasts.practice.max(initial=-1) >= len(group):
        raise ValueError("Give a group for every practice.")
    listed, row_group = chosen(forecasts, capacity), group[forecasts.practice]
    found = []
    for name in np.unique(row_group):
        rows = row_group == name
        judgement = _judge(forecasts.where(rows), listed[rows], worth, seed, replicates)
        share = None if judgement.explanation else float(listed[rows].mean())
        found.append(Subgroup(str(name), share, judgement))
    return tuple(found)


@dataclass(frozen=True)
class Band:
    """Forecasts between `low` and `high`: `said` on average, `happened` in fact, with its 95% interval. The three
    are None where fewer than ten practices fall in the band."""

    low: float
    high: float
    n: int
    practices: int
    said: float | None
    happened: float | None
    ci: tuple[float, float] | None


def calibration_table(
    forecasts: Forecasts, edges: ArrayLike = (0, 0.2, 0.4, 0.6, 0.8, 1)
) -> tuple[Band, ...]:
    """What was said against what happened, in bands of probability; a value on an edge counts upwards.

    Intervals are Wilson's with the number of practices in place of the number of rows: rows of one practice may
    all go the same way.

    Raises ValueError for scores and for edges that do not rise from 0 to 1.
    """
    edges = np.asarray(edges, float)
    if not forecasts.probability:
        raise ValueError("Only probabilities can be calibrated.")
    if edges[0] != 0 or edges[-1] != 1 or np.any(np.diff(edges) <= 0):
        raise ValueError("Edges must rise from 0 to 1.")
    band = np.clip(np.searchsorted(edges, forecasts.value, side="right") - 1, 0, len(edges) - 2)
    table = []
    for at, (low, high) in enumerate(pairwise(edges)):
        rows = forecasts.where(band == at)
        practices = len(np.unique(rows.practice))
        said = happened = ci = None
        if practices >= FEWEST_PRACTICES:
            said, happened = float(rows.value.mean()), float(rows.happened.mean())
            ci = tuple(map(float, wilson(happened, practices)))
        table.append(Band(float(low), float(high), len(rows.value), practices, said, happened, ci))
    return tuple(table)


@dataclass(frozen=True)
class Coverage:
    """Of `n` intervals said to hold `nominal` of outcomes, the share that did."""

    nominal: float
    n: int
    share: Figure


def coverage(
    observed: ArrayLike,
    intervals: Mapping[float, tuple[ArrayLike, ArrayLike]],
    practice: ArrayLike,
    *,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> tuple[Coverage, ...]:
    """Share of intervals that held what was then observed, one for each nominal level.

    `observed`: (n,), NaN where nothing was observed; `intervals`: level to (low, high), both (n,), ends included,
    as `normal_intervals` and `draw_intervals` give; `practice`: (n,) codes. Any one unit.

    Raises ValueError where lengths differ.
    """
    observed, practice = np.asarray(observed, float), np.asarray(practice)
    seen = np.isfinite(observed)
    found = []
    for level, (low, high) in intervals.items():
        low, high = np.asarray(low, float), np.asarray(high, float)
        if not observed.shape == low.shape == high.shape == practice.shape:
            raise ValueError("Give one interval and one practice for each observation.")
        inside = ((observed >= low) & (observed <= high))[seen].astype(float)
        if len(np.unique(practice[seen])) < FEWEST_PRACTICES:
            share = Figure(None, explanation=f"Too few to say: it takes {FEWEST_PRACTICES} practices.")
        else:
            drawn = _resample(practice[seen], lambda w, y=inside: _mean(y, w), seed, replicates)
            share = _figure(float(inside.mean()), drawn)
        found.append(Coverage(level, int(seen.sum()), share))
    return tuple(found)


def normal_intervals(mean: ArrayLike, sd: ArrayLike, levels: tuple[float, ...] = LEVELS) -> dict:
    """Level to the central normal interval (low, high) of forecasts with `mean` and `sd`, both (n,)."""
    from scipy.special import ndtri

    mean, sd = np.asarray(mean, float), np.asarray(sd, float)
    return {level: tuple(mean + sign * ndtri((1 + level) / 2) * sd for sign in (-1, 1)) for level in levels}


def draw_intervals(draws: ArrayLike, levels: tuple[float, ...] = LEVELS) -> dict:
    """Level to the central interval (low, high) of forecasts given as `draws`, (n, draws)."""
    draws = np.asarray(draws, float)
    return {
        level: tuple(np.quantile(draws, (1 + sign * level) / 2, axis=1) for sign in (-1, 1))
        for level in levels
    }


@dataclass(frozen=True)
class Model:
    """A way to forecast. `score(t)` gives (practices,) values from rounds up to and including t; NaN where it has
    none. `probability`: whether they are probabilities, or scores that rank."""

    score: Score
    probability: bool = True


def walk_forward(model: Model, happened: ArrayLike, *, first: int = 1) -> Forecasts:
    """Forecasts of each round from the rounds before, next to what happened.

    `happened`: (rounds, practices), 1 or 0, NaN where there is no outcome. `first`: index of the last round known
    to the first forecast. At each t the model forecasts round t + 1; it must not look beyond t, which a runner
    cannot see: test it by spoiling later rounds.

    Raises ValueError where a score is not (practices,).
    """
    happened = np.asarray(happened, float)
    rounds, practices = happened.shape
    rows = [np.empty((4, 0))]
    for t in range(first, rounds - 1):
        value, outcome = np.asarray(model.score(t), float), happened[t + 1]
        if value.shape != (practices,):
            raise ValueError("A score must give one value for each practice.")
        keep = np.flatnonzero(np.isfinite(value) & np.isfinite(outcome))
        rows.append(np.vstack([keep, np.full(len(keep), t + 1), value[keep], outcome[keep]]))
    practice, when, value, outcome = np.concatenate(rows, axis=1)
    return Forecasts(practice.astype(int), when.astype(int), value, outcome, model.probability)


@dataclass(frozen=True)
class Compared:
    """One line of the walk-forward table. `ahead`: average precision of the first model less that of this one,
    on the same draws of practices; None for the first."""

    name: str
    judgement: Judgement
    ahead: Figure | None


def compare(
    models: Mapping[str, Model],
    happened: ArrayLike,
    *,
    first: int = 1,
    capacity: int = CAPACITY,
    worth: float = WORTH,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> tuple[Compared, ...]:
    """Walk forward with each model and judge all on the rows that every one of them forecast.

    `models`: name to model, the one in question first; others as `walk_forward` and `judge`.
    """
    runs = {name: walk_forward(model, happened, first=first) for name, model in models.items()}
    keys = {
        name: list(zip(run.round.tolist(), run.practice.tolist(), strict=True)) for name, run in runs.items()
    }
    shared = set.intersection(*map(set, keys.values())) if keys else set()
    runs = {name: run.where([key in shared for key in keys[name]]) for name, run in runs.items()}
    found, ours = [], None
    for name, run in runs.items():
        judgement = judge(run, capacity=capacity, worth=worth, seed=seed, replicates=replicates)
        drawn = _resample(run.practice, _ap_of(run), seed, replicates)
        ahead = None
        if ours is None:
            ours = judgement.ap.value, drawn
        elif judgement.explanation:
            ahead = Figure(None, explanation=judgement.explanation)
        else:
            ahead = _figure(ours[0] - judgement.ap.value, ours[1] - drawn)
        found.append(Compared(name, judgement, ahead))
    return tuple(found)


def baselines(silent: ArrayLike, raw: ArrayLike, happened: ArrayLike) -> dict[str, Model]:
    """The simple rules that a forecast has to beat, by name.

    All (rounds, practices): `silent`, 1 where nobody answered, 0 where somebody did, NaN where nobody could be
    asked; `raw`, mean score of the answers, higher is more engaged, NaN where there are none; `happened`, the
    outcome as in `walk_forward`. A practice about which a rule knows nothing yet is given the others' mean.

    The logistic uses four features (silent last time, silent streak, share of rounds silent, last raw score) and
    learns from outcomes up to t only; until both outcomes were seen it says the base rate.
    """
    silent, raw, happened = (np.asarray(x, float) for x in (silent, raw, happened))

    def base_rate(t: int) -> np.ndarray:
        seen = happened[: t + 1]
        seen = seen[np.isfinite(seen)]
        return np.full(happened.shape[1], seen.mean() if seen.size else np.nan)

    def features(t: int) -> np.ndarray:
        past = silent[: t + 1]
        asked = np.isfinite(past).sum(axis=0)
        share = np.where(asked > 0, np.nansum(past, axis=0) / np.maximum(asked, 1), np.nan)
        columns = (_last(past), _streak(past), share, _last(raw[: t + 1]))
        return np.column_stack([_filled(column) for column in columns])

    def logistic(t: int) -> np.ndarray:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        x = np.concatenate([np.empty((0, 4)), *(features(s) for s in range(t))])
        y = happened[1 : t + 1].ravel()
        seen = np.isfinite(y)
        if len(np.unique(y[seen])) < 2:
            return base_rate(t)
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[seen], y[seen])
        return model.predict_proba(features(t))[:, 1]

    return {
        "Base rate": Model(base_rate),
        "Silent last round": Model(lambda t: features(t)[:, 0], probability=False),
        "Silent streak": Model(lambda t: features(t)[:, 1], probability=False),
        "Last raw score": Model(lambda t: -features(t)[:, 3], probability=False),
        "Logistic on four features": Model(logistic),
    }


@dataclass(frozen=True)
class DriftPoint:
    """Rolling calibration up to `round`: what the last `n` forecasts `said` on average, what `happened`, and the
    `difference` (happened less said). `drifted`: its interval leaves 0 out and it is at least five points."""

    round: int
    n: int
    said: float | None
    happened: float | None
    difference: Figure
    drifted: bool


def drift(
    forecasts: Forecasts, *, window: int = 3, seed: int = 0, replicates: int = REPLICATES
) -> tuple[DriftPoint, ...]:
    """Do the forecasts still say what happens? One point a round, over the last `window` rounds that were forecast.

    Raises ValueError for scores and for a window below 1.
    """
    if not forecasts.probability or window < 1:
        raise ValueError("Drift needs probabilities and a window of at least one round.")
    points, rounds = [], np.unique(forecasts.round)
    for at, last in enumerate(rounds):
        rows = forecasts.where(np.isin(forecasts.round, rounds[max(at + 1 - window, 0) : at + 1]))
        said = happened = None
        difference = Figure(None, explanation=TOO_FEW)
        if not _too_few(rows):
            said, happened = float(rows.value.mean()), float(rows.happened.mean())
            error = rows.happened - rows.value
            drawn = _resample(rows.practice, lambda w, e=error: _mean(e, w), seed, replicates)
            difference = _figure(happened - said, drawn)
        clear = difference.low is not None and (difference.low > 0 or difference.high < 0)
        drifted = clear and abs(difference.value) >= DRIFT
        points.append(DriftPoint(int(last), len(rows.value), said, happened, difference, drifted))
    return tuple(points)


def average_precision(happened: ArrayLike, value: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Area under precision and recall, (n,) each: sum over distinct values, from the top, of recall gained times
    precision there. NaN where it never happened. Ties stand together, so their order does not matter.

    Source: the step sum of scikit-learn's average_precision_score, with no interpolation.
    """
    happened, value = np.asarray(happened, float), np.asarray(value, float)
    w = np.ones(len(value)) if weight is None else np.asarray(weight, float)
    order = np.argsort(-value, kind="stable")
    value, w, hit = value[order], w[order], (w * happened)[order]
    ends = np.flatnonzero(np.append(np.diff(value) != 0, True)[: len(value)])
    hits, listed = np.cumsum(hit)[ends], np.cumsum(w)[ends]
    if not len(ends) or hits[-1] == 0:
        return float("nan")
    precision = hits / np.where(listed > 0, listed, 1)
    return float(np.sum(np.diff(hits, prepend=0.0) * precision) / hits[-1])


def brier(happened: ArrayLike, value: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Mean squared distance of probability and outcome, (n,) each; 0 is perfect. Source: Brier 1950."""
    return _mean((np.asarray(happened, float) - np.asarray(value, float)) ** 2, weight)


def calibration(
    happened: ArrayLike, value: ArrayLike, weight: ArrayLike | None = None
) -> tuple[float, float]:
    """Slope and intercept of the outcome on the forecasts' logit, (n,) each.

    The slope is that of the logistic regression with both; the intercept that with the slope held at 1
    (calibration in the large). NaN, each by itself, where the likelihood has no maximum: all outcomes alike, all
    forecasts alike (slope), or outcomes separated by the forecasts (slope).

    Source: Cox 1958, Biometrika 45; separation, Albert & Anderson 1984, Biometrika 71.
    """
    y, x = np.asarray(happened, float), _logit(value)
    w = np.ones(len(y)) if weight is None else np.asarray(weight, float)
    y, x, w = y[w > 0], x[w > 0], w[w > 0]
    yes, no = x[y == 1], x[y == 0]
    if not yes.size or not no.size:
        return float("nan"), float("nan")
    one = np.ones((len(y), 1))
    intercept = _logistic(one, y, w, offset=x)[0]
    if np.ptp(x) < ALIKE or yes.min() >= no.max() or no.min() >= yes.max():
        return float("nan"), float(intercept)
    return float(_logistic(np.column_stack([one, x]), y, w)[1]), float(intercept)


def chosen(forecasts: Forecasts, capacity: int) -> np.ndarray:
    """How far each row is on its round's list of `capacity` practices, (n,) between 0 and 1.

    Practices that tie for the last places share them: each is on the list with the probability that a draw by lot
    would give it.

    Raises ValueError for a capacity below 1.
    """
    if capacity < 1:
        raise ValueError("A list names at least one practice.")
    listed = np.zeros(len(forecasts.value))
    for when in np.unique(forecasts.round):
        rows = np.flatnonzero(forecasts.round == when)
        _, at, size = np.unique(-forecasts.value[rows], return_inverse=True, return_counts=True)
        before = np.cumsum(size) - size
        listed[rows] = np.clip((capacity - before) / size, 0, 1)[at]
    return listed


def _judge(f: Forecasts, listed: np.ndarray, worth: float, seed: int, replicates: int) -> Judgement:
    if not 0 < worth < 1:
        raise ValueError("Worth is a probability between 0 and 1.")
    n, practices = len(f.value), len(np.unique(f.practice))
    if _too_few(f):
        nothing = Figure(None, explanation=TOO_FEW)
        return Judgement(n, practices, None, nothing, nothing, None, *[nothing] * 5, explanation=TOO_FEW)
    y, value = f.happened, f.value

    def statistics(w: np.ndarray) -> np.ndarray:
        scored = [np.nan] * 3
        if f.probability:
            scored = [brier(y, value, w), *calibration(y, value, w)]
        hits, misses, needed, rows = (w * x for x in (listed * y, listed * (1 - y), y, np.ones(n)))
        hits, misses, needed, rows = (x.sum() for x in (hits, misses, needed, rows))
        precision = hits / (hits + misses) if hits + misses > 0 else np.nan
        recall = hits / needed if needed > 0 else np.nan
        net = (hits - misses * worth / (1 - worth)) / rows
        return np.array([average_precision(y, value, w), *scored, precision, recall, net])

    values = statistics(np.ones(n))
    drawn = _resample(f.practice, statistics, seed, replicates)
    figures = [_figure(v, d) for v, d in zip(values, drawn.T, strict=True)]
    if not f.probability:
        figures[1:4] = [Figure(None, explanation="This is a score, not a probability.")] * 3
    elif figures[2].value is None:
        reason = (
            "All forecasts are alike: there is no slope."
            if np.ptp(_logit(value)) < ALIKE
            else "The forecasts separate the outcomes completely: the slope has no finite value."
        )
        figures[2] = Figure(None, explanation=reason)
    ap, square, slope, intercept, precision, recall, net = figures
    rate = float(y.mean())
    reference = rate * (1 - rate) if f.probability else None
    return Judgement(
        n, practices, rate, ap, square, reference, slope, intercept, precision, recall, net, None
    )


def _too_few(f: Forecasts) -> bool:
    events = f.happened.sum()
    return (
        len(np.unique(f.practice)) < FEWEST_PRACTICES
        or min(events, len(f.happened) - events) < FEWEST_OUTCOMES
    )


def _resample(practice: np.ndarray, statistic: Callable, seed: int, replicates: int) -> np.ndarray:
    """`statistic(weights)` in each bootstrap sample of practices, (replicates, ...). A practice drawn twice counts
    double; with one seed, the same practices are drawn whatever the statistic."""
    codes, at = np.unique(practice, return_inverse=True)
    rng = np.random.default_rng(seed)
    m = len(codes)
    return np.array(
        [statistic(np.bincount(rng.integers(m, size=m), minlength=m)[at]) for _ in range(replicates)]
    )


def _figure(value: float, drawn: np.ndarray) -> Figure:
    """`value` with the middle 95% of `drawn`, where nine draws in ten gave a value at all."""
    if not np.isfinite(value):
        return Figure(None, explanation="This cannot be known from these outcomes.")
    usable = drawn[np.isfinite(drawn)]
    if len(usable) < 0.9 * len(drawn) or not len(usable):
        return Figure(float(value), explanation="Too few outcomes for an interval.")
    low, high = np.quantile(usable, [0.025, 0.975])
    return Figure(float(value), float(low), float(high))


def _ap_of(f: Forecasts) -> Callable:
    return lambda w: average_precision(f.happened, f.value, w)


def _mean(x: np.ndarray, weight: ArrayLike | None = None) -> float:
    return float(np.average(x, weights=weight)) if len(x) else float("nan")


def _logit(p: ArrayLike) -> np.ndarray:
    p = np.clip(np.asarray(p, float), CERTAIN, 1 - CERTAIN)
    return np.log(p / (1 - p))


def _logistic(x: np.ndarray, y: np.ndarray, w: np.ndarray, offset: np.ndarray | float = 0.0) -> np.ndarray:
    """Weighted maximum-likelihood coefficients (k,) by Newton's method; the caller rules separation out."""
    from scipy.special import expit

    def loss(eta: np.ndarray) -> float:
        return float(w @ (np.logaddexp(0, eta) - y * eta))

    b = np.zeros(x.shape[1])
    b[1:] = 1.0  # forecasts worth judging are not far from right, which saves half the steps
    for _ in range(100):
        eta = x @ b + offset
        p = expit(eta)
        step = np.linalg.solve(x.T @ (x * (w * p * (1 - p))[:, None]), x.T @ (w * (y - p)))
        size = np.abs(step).max()
        # A large step may overshoot where forecasts lie near 0 and 1: halve it until the likelihood does not fall.
        while np.abs(step).max() > 0.5 and loss(x @ (b + step) + offset) > loss(eta):
            step = step / 2
        b = b + step
        if size < 1e-7:
            break
    return b


def _last(x: np.ndarray) -> np.ndarray:
    """Last known value in each column of (rounds, practices); NaN where there is none."""
    known = np.isfinite(x)
    at = x.shape[0] - 1 - np.argmax(known[::-1], axis=0)
    return np.where(known.any(axis=0), x[at, np.arange(x.shape[1])], np.nan)


def _streak(silent: np.ndarray) -> np.ndarray:
    """Silent rounds in a row up to the last, (practices,); a round without an outcome neither adds nor breaks."""
    answered_later = np.cumsum((silent == 0)[::-1], axis=0)
    return np.sum((silent[::-1] == 1) & (answered_later == 0), axis=0).astype(float)


def _filled(x: np.ndarray) -> np.ndarray:
    known = np.isfinite(x)
    return np.where(known, x, x[known].mean() if known.any() else 0.0)
