"""The engagement filter: what a body's rounds say about each practice's attitude and participation.

A state of two parts, attitude `a` (points of the scale from the body's centre) and participation `q` (share of
members from the body's share), follows two correlated AR(1) processes. Small practices are shrunk, silence speaks of
attitude as much as this body's data say it does, and the next round is forecast with its uncertainty.

Pure: arrays in, arrays and frozen dataclasses out. Practices are rows, rounds are columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from engagement.risk.estimator import Estimator

DRAWS = 256
FEWEST_ROUNDS = 2
# What a member's mean over a few items leaves out, in squared points: no practice's attitude is known exactly.
_UNSAID = 0.01
_SMALLEST_INNOVATION = 1e-6
_MOST_PRACTICES = 1_500


@dataclass(frozen=True)
class Constants:
    """What a body's rounds are scored with. The defaults are those shipped: the centres of the penalties.

    `phi_a`, `phi_q`: how much of attitude and participation lasts to the next round. `v_a` (squared points), `v_q`
    (squared share): how far practices lie apart. `c`: correlation of the two; `c_low`, `c_high` its 95% interval, None
    where it was not learnt here. `kappa`: how much answers of one practice cluster. `s2`: variance between members
    of a practice, squared points. `phi_group`, `v_group`: the same for the level of a group. `leader_gap`: points by
    which leaders answer above others. `centre`: the body's mean score, leader-adjusted, in the last round that was
    learnt from, None before there was one. `rounds`: how many they were learnt from, 0 for those shipped.

    The shipped leader gap: 66% against 35% and 81% against 38% favourable are 0.8 and 1.2 standard deviations of an
    item apart, and an item's standard deviation is about a point; the smaller was taken.
    """

    phi_a: float = 1 / (1 + math.exp(-2.4))
    phi_q: float = 1 / (1 + math.exp(-2.4))
    v_a: float = 0.3
    v_q: float = 0.05
    c: float = math.tanh(0.4)
    kappa: float = 0.2
    s2: float = 0.3
    phi_group: float = 0.95
    v_group: float = 0.06
    leader_gap: float = 0.8
    centre: float | None = None
    c_low: float | None = None
    c_high: float | None = None
    rounds: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for numbers that no process has."""
        spreads = (self.v_a, self.v_q, self.s2, self.v_group)
        if not all(0 <= phi < 1 for phi in (self.phi_a, self.phi_q, self.phi_group)) or not -1 < self.c < 1:
            raise ValueError("What lasts must lie in [0, 1), and the correlation between -1 and 1.")
        if not all(v > 0 and math.isfinite(v) for v in spreads) or not 0 <= self.kappa < math.inf:
            raise ValueError("Variances must be positive and finite.")

    def rounded(self) -> Constants:
        """The constants as they are put in force: correlation, leader gap and centre to 0.1, the rest to two figures.

        Somebody who could move one answer would move these by less than their rounding; unrounded, pushing one
        practice's total by two points was measured to move `c` by 0.04.
        """
        tenths = ("c", "c_low", "c_high", "leader_gap", "centre")
        new = {name: _tenth(getattr(self, name)) for name in tenths}
        for name in ("phi_a", "phi_q"):
            # 0.996 to two figures would be a random walk.
            new[name] = min(_figures(getattr(self, name)), 0.99)
        for name in ("v_a", "v_q", "kappa", "s2"):
            new[name] = _figures(getattr(self, name))
        new["c"] = max(-0.9, min(0.9, new["c"]))
        return replace(self, **new)

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, as a release keeps them."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Constants:
        """The constants that a release kept. Raises ValueError for names that are none."""
        unknown = sorted(set(kept) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"{unknown[0]} is not one of the constants.")
        return cls(**kept)


SHIPPED = Constants()


@dataclass(frozen=True, eq=False)
class Panel:
    """What was observed, practices by rounds, all of shape (practices, rounds).

    `invited`: N, members in standing whose invitation could be delivered; 0 where the practice was not there or
    every message bounced, which says nothing. `answered`: r. `scored`: n, answers with a score that may be used.
    `mean`: their mean, points from the centre; not read where n is 0.

    Raises ValueError for arrays of different shapes, counts out of order, and a mean that is missing.
    """

    invited: np.ndarray
    answered: np.ndarray
    scored: np.ndarray
    mean: np.ndarray

    def __post_init__(self) -> None:
        arrays = [np.asarray(getattr(self, field.name), float) for field in fields(self)]
        if arrays[0].ndim != 2 or len({array.shape for array in arrays}) != 1:
            raise ValueError(
                "The four arrays of a panel must have one shape: a row per practice, a column per round."
            )
        invited, answered, scored, mean = arrays
        if not (np.all(answered >= 0) and np.all(answered <= invited) and np.all(np.isfinite(invited))):
            raise ValueError("More people answered than were invited, or a count is missing.")
        if not np.all(scored >= 0) or not np.all(np.isfinite(mean[scored > 0])):
            raise ValueError("A practice has scored answers but no mean.")
        for field, array in zip(fields(self), arrays, strict=True):
            object.__setattr__(self, field.name, array)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of practices and of rounds."""
        return self.invited.shape

    @property
    def share(self) -> float:
        """Share of all invitations that were answered; a half where there was none."""
        total = self.invited.sum()
        return float(self.answered.sum() / total) if total else 0.5

    def until(self, rounds: int) -> Panel:
        """The first so many rounds."""
        return Panel(*(getattr(self, field.name)[:, :rounds] for field in fields(self)))

    def of(self, practices: np.ndarray) -> Panel:
        """Some of the practices."""
        return Panel(*(getattr(self, field.name)[practices] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class State:
    """Normal distributions of (attitude, participation), one a practice: `mean` (practices, 2), `covariance`
    (practices, 2, 2). `share`: the body's share that participation counts from."""

    mean: np.ndarray
    covariance: np.ndarray
    share: float

    @property
    def sd(self) -> np.ndarray:
        """Standard deviations, shape (practices, 2)."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))


class EngagementFilter(Estimator):
    """Two correlated AR(1) states per practice, observed through mean scores and through who answered.

    Parameters: `constants`, in force until `fit` has learnt others; `score_noise`: whether the variance between
    members is learnt too (a practice view has one answer a practice and cannot show it otherwise); `iterations` of
    the optimiser.

    Learnt by `fit`: `constants_` (Constants), `loglik_` (log-likelihood at them), `evaluations_`.

        x_t = F x_(t-1) + w,  w ~ N(0, S - F S F),  first round x ~ N(0, S)
        mean score = a + e,        var e = s2/n + 0.01
        r/N - share = q + u,       var u = p(1-p)(1+kappa)/N,  p = share + predicted q, within .08 and .92

    Source: Harvey 1989, Forecasting, Structural Time Series Models and the Kalman Filter, sections 3.2 and 3.4; the
    two channels are taken in one after the other, as their errors are independent (section 3.2.3).
    """

    def __init__(
        self, constants: Constants = SHIPPED, *, score_noise: bool = False, iterations: int = 250
    ) -> None:
        self.constants = constants
        self.score_noise = score_noise
        self.iterations = iterations

    @property
    def in_force(self) -> Constants:
        """The constants learnt, or those given where nothing was."""
        return getattr(self, "constants_", self.constants)

    def fit(self, panel: Panel, y: None = None) -> EngagementFilter:
        """Learn the constants: the likelihood's maximum under normal penalties around the shipped ones.

        Fewer than two rounds teach nothing about change: the constants given stay. Of more than 1,500 practices, a
        fixed sample of 1,500 is used. Returns itself.

        Source: penalised maximum likelihood, Nelder & Mead 1965; the interval of the correlation is Laplace's, on
        Fisher's z scale.
        """
        if panel.shape[1] < FEWEST_ROUNDS or not panel.shape[0]:
            self.constants_, self.evaluations_ = self.constants, 0
            self.loglik_ = self.loglik(panel)
            return self
        from scipy.optimize import minimize

        if panel.shape[0] > _MOST_PRACTICES:
            chosen = np.random.default_rng(0).choice(panel.shape[0], _MOST_PRACTICES, replace=False)
            panel = panel.of(np.sort(chosen))
        centre, spread = _PENALTY[: 7 if self.score_noise else 6].T
        observed = _observed(panel)

        def loss(theta: np.ndarray) -> float:
            penalty = 0.5 * float((((theta - centre) / spread) ** 2).sum())
            return penalty - _run(self._at(theta), observed)[1]

        simplex = np.vstack([centre, centre + np.diag(spread / 2)])
        options = {
            "initial_simplex": simplex,
            "maxiter": self.iterations,
            "xatol": 1e-3,
            "fatol": 1e-3,
        }
        found = minimize(loss, centre, method="Nelder-Mead", options=options)
        low, high = _interval(loss, found.x)
        self.constants_ = replace(self._at(found.x), c_low=low, c_high=high, rounds=panel.shape[1])
        self.evaluations_ = int(found.nfev)
        self.loglik_ = self.loglik(panel)
        return self

    def _at(self, theta: np.ndarray) -> Constants:
        learnt = {
            "phi_a": _expit(theta[0]),
            "phi_q": _expit(theta[1]),
            "v_a": math.exp(theta[2]),
            "v_q": math.exp(theta[3]),
            "c": math.tanh(theta[4]),
            "kappa": math.exp(theta[5]),
        }
        if self.score_noise:
            learnt["s2"] = math.exp(theta[6])
        return replace(self.constants, **learnt)

    def filter(self, panel: Panel) -> State:
        """What is known of each practice after the last round of the panel."""
        return _run(self.in_force, _observed(panel))[0]

    def loglik(self, panel: Panel) -> float:
        """Log-likelihood of the panel at the constants in force, without penalties."""
        return _run(self.in_force, _observed(panel))[1]

    def forecast(self, state: State, steps: int = 1) -> State:
        """The state so many rounds on. Raises ValueError for fewer than one."""
        if steps < 1:
            raise ValueError("A forecast looks at least one round ahead.")
        phi, _, innovation = _system(self.in_force)
        mean, covariance = state.mean, state.covariance
        for _ in range(steps):
            mean = mean * phi
            covariance = covariance * np.outer(phi, phi) + innovation
        return State(mean, covariance, state.share)

    def engagement(self, forecast: State) -> np.ndarray:
        """One figure to rank visits by, higher is more engaged, shape (practices,).

        Attitude and participation, each over its standard deviation between practices, participation only as far as
        silence speaks of attitude here. Scaled by constants, so that no answer rescales the other practices.
        """
        return forecast.mean @ self.weights

    @property
    def weights(self) -> np.ndarray:
        """What a point of attitude and a unit of participation add to engagement, shape (2,)."""
        constants = self.in_force
        omega = min(max(constants.c / 0.4, 0.0), 1.0)
        return np.array([1 / math.sqrt(constants.v_a), omega / math.sqrt(constants.v_q)])


def draws_of(state: State, draws: int = DRAWS) -> np.ndarray:
    """Draws of attitude and of the probability that a member answers, shape (practices, draws, 2).

    The same evenly spread points of the normal plane for each practice: no practice's draws depend on the others or
    on their order, and 256 such points err less than thousands of random ones. The probability is kept within
    .01 and .99.
    """
    points = _normal_points(draws)
    variance, covariance = state.covariance[:, 0, 0], state.covariance[:, 0, 1]
    sd = np.sqrt(variance)[:, None]
    slope = covariance[:, None] / sd
    rest = np.sqrt(np.maximum(state.covariance[:, 1, 1, None] - slope**2, 0))
    found = np.empty((len(sd), draws, 2))
    found[:, :, 0] = state.mean[:, :1] + sd * points[:, 0]
    found[:, :, 1] = probability(state.share + state.mean[:, 1:] + slope * points[:, 0] + rest * points[:, 1])
    return found


def probability(share: np.ndarray) -> np.ndarray:
    """A share as the probability that a member answers, within .01 and .99."""
    return np.clip(share, 0.01, 0.99)


def silence(forecast: State, invited: np.ndarray, draws: int = DRAWS) -> np.ndarray:
    """Probability that nobody of a practice answers, shape (practices,): the mean of (1-p)^N over draws.

    `invited`: N next round, (practices,). NaN where nobody can be reached: that is a failure of contact, not silence.
    """
    invited = np.asarray(invited, float)
    chance = ((1 - draws_of(forecast, draws)[:, :, 1]) ** invited[:, None]).mean(axis=1)
    return np.where(invited > 0, chance, np.nan)


# Centre and standard deviation of: logit phi_a, logit phi_q, ln v_a, ln v_q, artanh c, ln kappa, ln s2.
_PENALTY = np.array(
    [
        (2.4, 1.0),
        (2.4, 1.0),
        (math.log(0.3), 0.7),
        (math.log(0.05), 0.7),
        (0.4, 0.4),
        (math.log(0.2), 1.0),
        (math.log(0.3), 0.5),
    ]
)


@dataclass(frozen=True, eq=False)
class _Observed:
    """A panel, rounds first, as the recursion reads it: absent means and shares are 0, absent counts infinite noise."""

    scores: np.ndarray
    scored: np.ndarray
    shares: np.ndarray
    invited: np.ndarray
    share: float


def _observed(panel: Panel) -> _Observed:
    has_mean, has_share = (panel.scored > 0).T, (panel.invited > 0).T
    share = panel.share
    shares = panel.answered.T / np.where(has_share, panel.invited.T, 1) - share
    return _Observed(
        scores=np.where(has_mean, panel.mean.T, 0.0),
        scored=np.ascontiguousarray(panel.scored.T),
        shares=np.where(has_share, shares, 0.0),
        invited=np.ascontiguousarray(panel.invited.T),
        share=share,
    )


def _system(constants: Constants) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """F's diagonal (2,), S (2, 2) and the innovations' covariance (2, 2), its eigenvalues at least 1e-6.

    Two processes that last differently long cannot be correlated to any degree; the floor keeps the covariance a
    covariance where the constants ask for too much.
    """
    phi = np.array([constants.phi_a, constants.phi_q])
    between = constants.c * math.sqrt(constants.v_a * constants.v_q)
    stationary = np.array([[constants.v_a, between], [between, constants.v_q]])
    values, vectors = np.linalg.eigh(stationary - np.outer(phi, phi) * stationary)
    innovation = (vectors * np.maximum(values, _SMALLEST_INNOVATION)) @ vectors.T
    return phi, stationary, innovation


def _run(constants: Constants, observed: _Observed) -> tuple[State, float]:
    """The Kalman recursion over all practices at once: the last filtered state and the log-likelihood."""
    phi, stationary, innovation = _system(constants)
    count = observed.scored.shape[1]
    # The state by its parts, each (practices,): means a and q, variances aa and qq, covariance aq.
    a, q = np.zeros(count), np.zeros(count)
    aa, aq, qq = (np.full(count, value) for value in (stationary[0, 0], stationary[0, 1], stationary[1, 1]))
    loglik = 0.0
    with np.errstate(divide="ignore"):
        score_noise = constants.s2 / observed.scored + _UNSAID
        share_noise = (1 + constants.kappa) / observed.invited
    score_noise[observed.scored == 0] = np.inf
    for t in range(len(observed.scored)):
        if t:
            a, q = a * phi[0], q * phi[1]
            aa = aa * phi[0] ** 2 + innovation[0, 0]
            aq = aq * (phi[0] * phi[1]) + innovation[0, 1]
            qq = qq * phi[1] ** 2 + innovation[1, 1]

        # Infinite noise makes the gain 0: what was not observed changes nothing.
        total = aa + score_noise[t]
        error = observed.scores[t] - a
        loglik += _log_density(error, total)
        gain_a, gain_q = aa / total, aq / total
        a, q = a + gain_a * error, q + gain_q * error
        aa, aq, qq = aa - gain_a * aa, aq - gain_a * aq, qq - gain_q * aq

        p = np.clip(observed.share + q, 0.08, 0.92)
        total = qq + p * (1 - p) * share_noise[t]
        error = observed.shares[t] - q
        loglik += _log_density(error, total)
        gain_a, gain_q = aq / total, qq / total
        a, q = a + gain_a * error, q + gain_q * error
        aa, aq, qq = aa - gain_a * aq, aq - gain_a * qq, qq - gain_q * qq
    mean = np.stack([a, q], axis=1)
    covariance = np.stack([aa, aq, aq, qq], axis=1).reshape(count, 2, 2)
    return State(mean, covariance, observed.share), loglik


def _log_density(error: np.ndarray, total: np.ndarray) -> float:
    """Sum of the log densities of N(0, total) at `error`, over what was observed (total finite)."""
    seen = total < np.inf
    error, total = error[seen], total[seen]
    return -0.5 * float(np.log(2 * math.pi * total).sum() + (error**2 / total).sum())


def _interval(loss, theta: np.ndarray) -> tuple[float, float]:
    """95% interval of the correlation at the penalised optimum, from the curvature of the loss."""
    size, step = len(theta), 0.05
    grid = np.eye(size) * step
    curvature = np.empty((size, size))
    for i in range(size):
        for j in range(i + 1):
            corners = [loss(theta + s * grid[i] + u * grid[j]) for s in (1, -1) for u in (1, -1)]
            curvature[i, j] = curvature[j, i] = (corners[0] - corners[1] - corners[2] + corners[3]) / (
                4 * step**2
            )
    # A direction along which the loss falls (the optimiser stopped short) is held as the penalty alone holds it.
    values, vectors = np.linalg.eigh(curvature)
    variance = float((vectors[4] ** 2 / np.maximum(values, 1.0)).sum())
    half = 1.96 * math.sqrt(variance)
    return math.tanh(theta[4] - half), math.tanh(theta[4] + half)


def _normal_points(draws: int) -> np.ndarray:
    """Points that fill the normal plane evenly, shape (draws, 2): an additive recurrence on the plastic number, set
    right so that means are 0 and the covariance is the identity exactly.

    Source: Roberts 2018, The unreasonable effectiveness of quasirandom sequences (R2).
    """
    from scipy.special import ndtri

    plastic = 1.324717957244746
    steps = np.arange(1, draws + 1)[:, None] * np.array([1 / plastic, 1 / plastic**2])
    points = ndtri((0.5 + steps) % 1)
    points -= points.mean(axis=0)
    root = np.linalg.cholesky(points.T @ points / draws)
    return np.linalg.solve(root, points.T).T


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _tenth(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _figures(value: float) -> float:
    """To two figures."""
    return float(f"{value:.1e}")
