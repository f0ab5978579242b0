"""Did outreach work? What was observed less each practice's own forecast, visited against not visited.

Practices picked for a bad result do better next time by themselves: they were picked partly for bad luck (regression to
the mean, Galton 1886). The filter's forecast already contains that return, so what is compared is the surprise, not the
change. Where an order of visits was drawn by lot, the draw itself is the yardstick, and no model need be right.

Pure: arrays in, frozen dataclasses out. Practices are rows. Two measures: `share`, of those invited who answered;
`score`, points from 1 to 5 of answers that may count towards their practice, leader-adjusted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engagement.risk.assess import assess
from engagement.risk.evidence import RoundAnswers, decide
from engagement.risk.filter import Constants, probability

FEWEST = 5
"""Practices on each side below which no figure is given."""
SHARE, SCORE = MEASURES = "share", "score"
# What a member's mean over a few items leaves out, in squared points, as in the filter.
_UNSAID = 0.01
# As many drawn orders are tried, where all of them would be more.
_MOST_DRAWS = 9_999


@dataclass(frozen=True, eq=False)
class Measure:
    """One measure of P practices in one round, all of shape (P,); NaN where nothing was observed or forecast.

    `before`: the last round's value; `forecast`: what the rounds before let expect; `observed`; `variance` of observed
    around forecast, the forecast's own and that of the few people behind a value; `people` behind each observed value.
    `centred`: the body's mean that forecasts count from is not known, so that only differences between practices count.
    """

    before: np.ndarray
    forecast: np.ndarray
    observed: np.ndarray
    variance: np.ndarray
    people: np.ndarray

    @property
    def surprise(self) -> np.ndarray:
        """Observed less forecast, (P,)."""
        return self.observed - self.forecast

    @property
    def known(self) -> np.ndarray:
        """Practices with an observation and a forecast, (P,) truth values."""
        return np.isfinite(self.observed) & np.isfinite(self.forecast)


def measures(
    rounds: Sequence[RoundAnswers], constants: Constants, observed: RoundAnswers
) -> dict[str, Measure]:
    """Both measures of a round that followed `rounds`, against the forecast made from these with the constants then in force.

    Of answers only those enter that may count towards their practice by the rule of evidence of that round. A practice
    that was not open at either close has no forecast. Raises ValueError for no rounds and for arrays that do not fit.
    """
    said = assess(rounds, constants, invited_next=observed.invited)
    open_ = said.open & observed.open & said.usable
    attitude, part = said.next.mean.T
    var_a, var_q = (said.next.covariance[:, k, k] for k in (0, 1))
    n, score = _scores(observed, constants)
    n_before, before = _scores(rounds[-1], constants)
    expected = probability(said.next.share + part)
    p = np.clip(expected, 0.08, 0.92)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            SHARE: Measure(
                before=rounds[-1].answered / rounds[-1].invited,
                forecast=np.where(open_, expected, np.nan),
                observed=observed.answered / observed.invited,
                variance=var_q + p * (1 - p) * (1 + constants.kappa) / observed.invited,
                people=observed.invited,
            ),
            SCORE: Measure(
                before=np.where(n_before > 0, before, np.nan),
                forecast=np.where(open_, attitude, np.nan),
                observed=np.where(n > 0, score, np.nan),
                variance=var_a + constants.s2 / n + _UNSAID,
                people=n,
            ),
        }


def _scores(round_: RoundAnswers, constants: Constants) -> tuple[np.ndarray, np.ndarray]:
    """Number and mean of the answers of a round that may count towards their practice, leader-adjusted, each (P,)."""
    rows = decide(round_, centre_known=constants.centre is not None).countable
    score = round_.score[rows] - constants.leader_gap * round_.leader[rows]
    n = np.bincount(round_.practice[rows], minlength=round_.practices)
    return n, np.bincount(round_.practice[rows], score, round_.practices) / np.maximum(n, 1)


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


def compare(measure: Measure, treated: np.ndarray, *, adjust: bool = False) -> Effect | None:
    """The weighted mean surprise of the treated less that of the others; None where a side has fewer than five practices.

    A regression of surprise on treatment (and on the forecast, with `adjust`), weights one over the variance that each
    practice's surprise should have. The standard error takes the scatter as it is on each side, and the degrees of
    freedom are those that it then has.

    Source: MacKinnon & White 1985 (HC2), Bell & McCaffrey 2002, as in Imbens & Kolesar 2016, Review of Economics and
    Statistics 98.
    """
    rows = measure.known & np.isfinite(measure.variance)
    d = np.asarray(treated, bool)[rows]
    if min(d.sum(), (~d).sum()) < FEWEST:
        return None
    columns = [np.ones(len(d)), d.astype(float)]
    if adjust:
        columns.append(measure.forecast[rows] - measure.forecast[rows].mean())
    found = _regression(np.stack(columns, axis=1), measure.surprise[rows], 1 / measure.variance[rows], 1)
    return _effect(*found, int(d.sum()), int((~d).sum()))


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
