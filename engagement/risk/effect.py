"""Did outreach work? What was observed less each practice's own forecast, visited against not visited.

Practices picked for a bad result do better next time by themselves: they were picked partly for bad luck (regression to
the mean, Galton 1886). The filter's forecast already contains that return, so what is compared is the surprise, not the
change. Where an order of visits was drawn by lot, the draw itself is the yardstick, and no model need be right.

Pure: arrays in, frozen dataclasses out. Practices are rows. Two measures: `share`, of those invited who answered;
`score`, points from 1 to 5 of answers that may count towards their practice, leader-adjusted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engagement.risk.assess import assess
from engagement.risk.evidence import RoundAnswers, decide
from engagement.risk.filter import FEWEST_ROUNDS, Constants, probability

FEWEST = 5
"""Practices on each side below which no figure is given."""
SHARE, SCORE = MEASURES = "share", "score"
# What a member's mean over a few items leaves out, in squared points, as in the filter.
_UNSAID = 0.01
# Standard deviation of the prior of the slopes by which a forecast is corrected; they are pure numbers.
_PRIOR = 0.3
# As many drawn orders are tried, where all of them would be more.
_MOST_DRAWS = 9_999


@dataclass(frozen=True, eq=False)
class Measure:
    """One measure of P practices in one round, all of shape (P,); NaN where nothing was observed or forecast.

    `before`: the last round's value; `forecast`: what the rounds before let expect, corrected by how forecasts erred in
    this body; `observed`; `variance` of observed around forecast: the forecast's own and that of the few people behind
    a value; `people` behind each observed value and `people_before` behind the last. `traits`, (P, 3), and `doubt`,
    (3, 3): what the correction was made of, and how well it is known. Scores count from the body's mean in `forecast` and
    from 1 to 5 elsewhere: only differences between practices mean anything.
    """

    before: np.ndarray
    forecast: np.ndarray
    observed: np.ndarray
    variance: np.ndarray
    people: np.ndarray
    people_before: np.ndarray
    traits: np.ndarray
    doubt: np.ndarray

    @property
    def surprise(self) -> np.ndarray:
        """Observed less forecast, (P,)."""
        return self.observed - self.forecast

    @property
    def known(self) -> np.ndarray:
        """Practices with an observation and a forecast, (P,) truth values."""
        return np.isfinite(self.surprise) & np.isfinite(self.variance)


def measures(
    rounds: Sequence[RoundAnswers],
    constants: Constants,
    observed: RoundAnswers,
    visited: np.ndarray | None = None,
) -> dict[str, Measure]:
    """Both measures of a round that followed `rounds`, against the forecast made from these with the constants then in force.

    Of answers only those enter that may count towards their practice by the rule of evidence of their round. A practice
    that was not open at either close has no forecast. `visited`, (P, T): practices visited between each of the T rounds
    and the one before it, from which nothing is learnt of how forecasts err by themselves. Raises ValueError for no
    rounds and for arrays that do not fit.
    """
    every = [*rounds, observed]
    steps = [
        _forecast(every[:t], constants, every[t]) for t in range(min(FEWEST_ROUNDS, len(rounds)), len(every))
    ]
    if visited is None:
        visited = np.zeros((observed.practices, len(rounds)), bool)
    found = {}
    for name in MEASURES:
        series = [step[name] for step in steps]
        learnable = [~visited[:, len(rounds) - len(series) + 1 + at] for at in range(len(series) - 1)]
        found[name] = _corrected(series, learnable)
    return found


def _forecast(
    rounds: Sequence[RoundAnswers], constants: Constants, observed: RoundAnswers
) -> dict[str, Measure]:
    """Both measures of one round against the filter's forecast as it is."""
    said = assess(rounds, constants, invited_next=observed.invited)
    open_ = said.open & observed.open & said.usable
    attitude, part = said.next.mean.T
    var_a, var_q = (said.next.covariance[:, k, k] for k in (0, 1))
    n, score = _scores(observed, constants)
    n_before, before = _scores(rounds[-1], constants)
    expected = probability(said.next.share + part)
    p = np.clip(expected, 0.08, 0.92)
    nothing = {"traits": np.zeros((len(n), 3)), "doubt": np.zeros((3, 3))}
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            SHARE: Measure(
                before=rounds[-1].answered / rounds[-1].invited,
                forecast=np.where(open_, expected, np.nan),
                observed=observed.answered / observed.invited,
                variance=var_q + p * (1 - p) * (1 + constants.kappa) / observed.invited,
                people=observed.invited,
                people_before=rounds[-1].invited,
                **nothing,
            ),
            SCORE: Measure(
                before=before,
                forecast=np.where(open_, attitude, np.nan),
                observed=score,
                variance=var_a + constants.s2 / n + _UNSAID,
                people=n,
                people_before=n_before,
                **nothing,
            ),
        }


def _scores(round_: RoundAnswers, constants: Constants) -> tuple[np.ndarray, np.ndarray]:
    """Number and mean of the answers of a round that may count towards their practice, leader-adjusted, each (P,)."""
    rows = decide(round_, centre_known=constants.centre is not None).countable
    score = round_.score[rows] - constants.leader_gap * round_.leader[rows]
    n = np.bincount(round_.practice[rows], minlength=round_.practices)
    with np.errstate(invalid="ignore"):
        return n, np.bincount(round_.practice[rows], score, round_.practices) / n


def _corrected(series: Sequence[Measure], learnable: Sequence[np.ndarray]) -> Measure:
    """The last of a measure's forecasts, less what such forecasts were wrong by in the rounds before.

    The filter takes the people who answer as drawn anew each round, and every course as one that returns to the mean.
    Neither is quite so, and practices picked for a bad round show it. So the surprises of all earlier rounds are regressed
    on what was known before them; the slopes are held near 0 by a normal prior, and the less known, the nearer.
    """
    newest, traits = series[-1], [_traits(each, series[0]) for each in series]
    information, cross = np.eye(3) / _PRIOR**2, np.zeros(3)
    for each, known_before, may in zip(series[:-1], traits, learnable, strict=False):
        rows = each.known & may
        if rows.sum() < FEWEST:
            continue
        weights = 1 / each.variance[rows]
        x, y = (_centred(part, weights) for part in (known_before[rows], each.surprise[rows]))
        information += x.T @ (x * weights[:, None])
        cross += x.T @ (weights * y)
    doubt = np.linalg.inv(information)
    return replace(
        newest, forecast=newest.forecast + traits[-1] @ (doubt @ cross), traits=traits[-1], doubt=doubt
    )


def _traits(measure: Measure, first: Measure) -> np.ndarray:
    """What is known of each practice before a round, (P, 3), each about its mean, 0 where it is not known: the forecast, by
    how much the last round lay above it, and how far it has come since the first."""
    found = np.stack(
        [measure.forecast, measure.before - measure.forecast, measure.forecast - first.forecast], axis=1
    )
    seen = np.isfinite(found)
    mean = np.where(seen, found, 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return np.where(seen, found - mean, 0)


def _centred(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return values - np.average(values, axis=0, weights=weights)


# --- visited against not visited --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Effect:
    """An effect of visits with its 95% interval: `estimate`, standard error `se` on `df` degrees of freedom, `low`, `high`;
    how many practices were `treated` and how many were not (`others`)."""

    estimate: float
    se: float
    df: float
    low: float
    high: float
    treated: int
    others: int


def compare(measure: Measure, treated: np.ndarray) -> Effect | None:
    """The weighted mean surprise of the treated less that of the others; None where a side has fewer than five practices.

    A regression of surprise on treatment, weights one over the variance that each practice's surprise should have. The
    standard error takes the scatter as it is on each side, and adds how well the forecast's correction is known; the
    degrees of freedom are those that the first part has.

    Source: MacKinnon & White 1985 (HC2), Bell & McCaffrey 2002, as in Imbens & Kolesar 2016, Review of Economics and
    Statistics 98.
    """
    rows = measure.known
    d = np.asarray(treated, bool)[rows]
    if min(d.sum(), (~d).sum()) < FEWEST:
        return None
    weights, traits = 1 / measure.variance[rows], measure.traits[rows]
    x = np.stack([np.ones(len(d)), d], axis=1)
    estimate, se, df = _regression(x, measure.surprise[rows], weights, 1)
    apart = np.average(traits[d], axis=0, weights=weights[d]) - np.average(
        traits[~d], axis=0, weights=weights[~d]
    )
    se = math.sqrt(se**2 + float(apart @ measure.doubt @ apart))
    return _effect(estimate, se, df, int(d.sum()), int((~d).sum()))


def _effect(estimate: float, se: float, df: float, treated: int, others: int) -> Effect:
    from scipy.special import stdtrit

    half = float(stdtrit(df, 0.975)) * se
    return Effect(estimate, se, df, estimate - half, estimate + half, treated, others)


def _regression(x: np.ndarray, y: np.ndarray, weights: np.ndarray, at: int) -> tuple[float, float, float]:
    """Weighted least squares: one coefficient, its HC2 standard error and Bell-McCaffrey degrees of freedom.

    `x`: (m, k); `y`, `weights`: (m,). The degrees of freedom are those of the variance estimate if the errors had the
    variances that the weights say.
    """
    root = np.sqrt(weights)
    x, y = x * root[:, None], y * root
    bread = np.linalg.inv(x.T @ x)
    coefficients = bread @ x.T @ y
    hat = x @ bread @ x.T
    left = np.maximum(1 - np.diag(hat), 1e-12)
    # How far each error moves the coefficient.
    lever = x @ bread[:, at]
    residuals = y - x @ coefficients
    variance = float((lever**2 * residuals**2 / left).sum())
    # The variance estimate is a quadratic form e'Ae with A = M diag(lever²/left) M; its df are tr(A)²/tr(AA).
    scale = lever / np.sqrt(left)
    g = (np.eye(len(y)) - hat) * scale
    product = g.T @ g
    df = float(np.trace(product) ** 2 / (product**2).sum())
    return float(coefficients[at]), math.sqrt(variance), df


# --- an order drawn by lot --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ByLot:
    """An effect judged by the draw alone: `estimate`; `p`, how often draws as likely differ at least as much where visits do
    nothing; the 95% interval of all effects that the draw does not refute, an end infinite where it refutes none.
    `treated` early and `others` later practices; `draws` compared, `exact` where these are all there are."""

    estimate: float
    p: float
    low: float
    high: float
    treated: int
    others: int
    draws: int
    exact: bool


def by_lot(measure: Measure, early: np.ndarray, strata: np.ndarray) -> ByLot | None:
    """Randomisation inference for practices visited early by a drawn order; None with fewer than five early or later.

    `early`, (P,): drawn to be visited before the round, whether or not they were. `strata`, (P,): whole numbers, -1 for
    practices that were not in the draw; within each stratum every choice of as many early ones was equally likely.
    Practices without an observation are left out. The statistic is the covariance of surprise and treatment within
    strata, each weighted by one over its expected variance, over the treatment's own spread. The interval inverts the test:
    each draw refutes the effects outside the interval between two roots of a quadratic.

    Source: Fisher 1935, The Design of Experiments; Rosenbaum 2002, Covariance adjustment in randomized experiments,
    Statistical Science 17; Phipson & Smyth 2010 for counting the draw that was made among those tried.
    """
    strata = np.asarray(strata)
    rows = measure.known & (strata >= 0)
    drawn, strata = np.asarray(early, bool)[rows], strata[rows]
    if min(drawn.sum(), (~drawn).sum()) < FEWEST:
        return None
    tried, exact = _draws(drawn, strata)
    weights = 1 / measure.variance[rows]
    within = _within(np.vstack([drawn, tried]).astype(float), strata, weights)
    norm = np.sqrt((within**2 * weights).sum(axis=1))
    if norm[0] < 1e-9 * math.sqrt(weights.sum()):
        # Every stratum was visited whole, or not at all: nothing was left to the lot.
        return None
    lever = within * weights / norm[:, None]
    a, b = lever @ measure.surprise[rows], lever @ drawn.astype(float)
    a, b, a0, b0 = a[1:], b[1:], a[0], b[0]
    same, opposite = b0 - b < 1e-9 * b0, b0 + b < 1e-9 * b0
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.stack([(a0 - a) / (b0 - b), (a0 + a) / (b0 + b)])
    # The draw that was made refutes no effect, nor does its mirror image.
    whole = same | opposite
    low = np.where(whole, -np.inf, roots.min(axis=0))
    high = np.where(whole, np.inf, roots.max(axis=0))
    refuted = int(0.05 * len(a) + 1e-9)
    return ByLot(
        estimate=float(a0 / b0),
        p=float((np.abs(a) >= abs(a0) - 1e-12).mean()),
        low=float(np.sort(low)[refuted]),
        high=float(np.sort(high)[::-1][refuted]),
        treated=int(drawn.sum()),
        others=int((~drawn).sum()),
        draws=len(a),
        exact=exact,
    )


def _draws(drawn: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, bool]:
    """All choices as likely as the one drawn, (draws, m), or so many of them with that one first; whether these are all."""
    kinds = [np.flatnonzero(strata == kind) for kind in np.unique(strata)]
    sizes = [int(drawn[rows].sum()) for rows in kinds]
    number = math.prod(math.comb(len(rows), size) for rows, size in zip(kinds, sizes, strict=True))
    if number <= _MOST_DRAWS:
        choices = itertools.product(
            *(itertools.combinations(rows, size) for rows, size in zip(kinds, sizes, strict=True))
        )
        found = np.zeros((number, len(drawn)), bool)
        for row, choice in zip(found, choices, strict=True):
            row[list(itertools.chain(*choice))] = True
        return found, True
    rng = np.random.default_rng(0)
    found = np.zeros((_MOST_DRAWS + 1, len(drawn)), bool)
    found[0] = drawn
    for rows, size in zip(kinds, sizes, strict=True):
        places = rng.random((_MOST_DRAWS, len(rows))).argsort(axis=1)[:, :size]
        np.put_along_axis(found[1:], rows[places], True, axis=1)
    return found, False


def _within(treatment: np.ndarray, strata: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Treatments, (draws, m), less their weighted mean in each stratum."""
    found = treatment.copy()
    for kind in np.unique(strata):
        rows = strata == kind
        found[:, rows] -= (treatment[:, rows] @ weights[rows] / weights[rows].sum())[:, None]
    return found


# --- several bodies ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pooled:
    """Effects of several bodies (or of several rounds of one) taken together, with a 95% interval: of the mean over bodies
    like these. `spread`: standard deviation of true effects between bodies. `common_*`: the same if all bodies had one
    effect."""

    estimate: float
    se: float
    df: int
    low: float
    high: float
    spread: float
    common_estimate: float
    common_low: float
    common_high: float
    bodies: int
    treated: int
    others: int


def pool(effects: Sequence[Effect]) -> Pooled:
    """The mean effect over bodies, random effects, with Hartung and Knapp's interval, never narrower than the classical one.

    Raises ValueError for fewer than two effects.

    Source: Paule & Mandel 1982 for the spread; Hartung & Knapp 2001, Statistics in Medicine 20; Rover, Knapp & Friede 2015,
    BMC Medical Research Methodology 15, for the floor of one.
    """
    from scipy.optimize import brentq
    from scipy.special import stdtrit

    if len(effects) < 2:
        raise ValueError("It takes two bodies to pool.")
    y = np.array([each.estimate for each in effects])
    variance = np.array([each.se**2 for each in effects])

    def scatter(between: float) -> tuple[float, float, float]:
        weights = 1 / (variance + between)
        mean = float(weights @ y / weights.sum())
        return float(weights @ (y - mean) ** 2) - (len(y) - 1), mean, float(weights.sum())

    top = float(np.var(y, ddof=1)) * len(y) + float(variance.max())
    between = brentq(lambda tau: scatter(tau)[0], 0, top) if scatter(0)[0] > 0 else 0.0
    excess, mean, total = scatter(between)
    df = len(y) - 1
    se = math.sqrt(max(1.0, excess / df + 1) / total)
    half = float(stdtrit(df, 0.975)) * se
    _, common, common_total = scatter(0)
    common_half = 1.959964 / math.sqrt(common_total)
    return Pooled(
        estimate=mean,
        se=se,
        df=df,
        low=mean - half,
        high=mean + half,
        spread=math.sqrt(between),
        common_estimate=common,
        common_low=common - common_half,
        common_high=common + common_half,
        bodies=len(y),
        treated=sum(each.treated for each in effects),
        others=sum(each.others for each in effects),
    )


# --- power ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Power:
    """What so many visits could show: the standard error and degrees of freedom to expect, and the effect that would show
    (its interval leaving out 0) with a chance of 80%."""

    visits: int
    others: int
    se: float
    df: float
    detectable: float

    def chance(self, effect: float) -> float:
        """Chance that the interval leaves out 0 where visits do `effect`.

        Source: power of the two-sided t test, from the non-central t distribution (Johnson & Welch 1940).
        """
        return _chance(effect / self.se, self.df)


def power(variance: np.ndarray, visits: int) -> Power | None:
    """The power to expect of `visits` among practices whose surprises have these variances, (P,), whichever are visited; None
    where either side has fewer than five. Infinite and missing variances are practices that nothing will be seen of."""
    from scipy.optimize import brentq

    seen = np.asarray(variance, float)
    seen = seen[np.isfinite(seen)]
    others = len(seen) - visits
    if min(visits, others) < FEWEST:
        return None
    d = np.arange(len(seen)) < visits
    x = np.stack([np.ones(len(d)), d.astype(float)], axis=1)
    df = _regression(x, np.zeros(len(d)), np.ones(len(d)), 1)[2]
    information = float((1 / seen).mean())
    se = math.sqrt((1 / visits + 1 / others) / information)
    detectable = brentq(lambda effect: _chance(effect, df) - 0.8, 0, 15)
    return Power(visits, others, se, df, float(detectable) * se)


def _chance(effect: float, df: float) -> float:
    """Power of the two-sided 5% t test at an effect in standard errors."""
    from scipy.special import nctdtr, stdtrit

    cut = float(stdtrit(df, 0.975))
    return float((1 - nctdtr(df, effect, cut)) + (1 - nctdtr(df, -effect, cut)))


# --- what would have come by itself -----------------------------------------------------------------------------


@dataclass(frozen=True)
class BeforeAfter:
    """Before and after in the visited practices that were observed both times, `treated` of them: `change`; of it `returned`,
    what the forecast expected without any visit. Their difference is not an effect either: it lacks the others."""

    change: float
    returned: float
    treated: int


def before_after(measure: Measure, treated: np.ndarray) -> BeforeAfter | None:
    """The weighted mean change of the visited, and how much of it was a return to the usual; None with fewer than five.

    The return is that expected beside a body that as a whole stays as it is: the forecast of all practices is set to
    their last round's mean.
    """
    both = measure.known & np.isfinite(measure.before)
    rows = both & np.asarray(treated, bool)
    if rows.sum() < FEWEST:
        return None

    def mean(values: np.ndarray, rows: np.ndarray) -> float:
        return float(np.average(values[rows], weights=1 / measure.variance[rows]))

    ahead = measure.forecast - measure.before
    return BeforeAfter(
        change=mean(measure.observed - measure.before, rows),
        returned=mean(ahead, rows) - mean(ahead, both),
        treated=int(rows.sum()),
    )
