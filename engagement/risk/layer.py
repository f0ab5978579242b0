"""The thin pooled layer: what many bodies' rounds teach about silence, put on top of the filter's forecast.

One logistic regression over all bodies says how the filter's outputs go with nobody answering next time. It is
trained rarely, frozen and kept as JSON; a body's own rounds move only its intercept, and only a little. Where too
few bodies stand behind it, or it would not have helped a body it had never seen, there is none, and the filter's
own probability stands.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

FEATURES = (
    "attitude forecast",
    "participation forecast",
    "sd of attitude",
    "sd of participation",
    "logit of P(silent)",
    "ln(1 + invited next)",
    "silent now",
)
FEWEST_BODIES = 20
FEWEST_OUTCOMES = 20 * len(FEATURES)
"""Outcomes of either kind: twenty for each coefficient, so that the penalty decides little."""
PENALTY = 0.5
"""scikit-learn's C of the L2 penalty on standardised features."""
INTERCEPT_SD = 0.5
"""Prior standard deviation of a body's own intercept around the common one, in logits."""
FOLDS = 5
CERTAIN = 1e-4


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the filter says of each practice before the next round; all (n,).

    `attitude`, `participation`: forecast means, in scale points and shares; `sd_attitude`, `sd_participation`:
    their standard deviations; `p_silent`: the filter's own probability that nobody answers; `invited`: members to
    be invited next; `silent_now`: 1 where nobody answered in the round just closed.

    Raises ValueError for arrays of different lengths, values that are not finite and probabilities outside [0, 1].
    """

    attitude: np.ndarray
    participation: np.ndarray
    sd_attitude: np.ndarray
    sd_participation: np.ndarray
    p_silent: np.ndarray
    invited: np.ndarray
    silent_now: np.ndarray

    def __post_init__(self):
        columns = {name: np.asarray(value, float) for name, value in vars(self).items()}
        if len({c.shape for c in columns.values()}) > 1 or columns["p_silent"].ndim != 1:
            raise ValueError("Give every input for every practice.")
        if not all(np.all(np.isfinite(c)) for c in columns.values()):
            raise ValueError("Inputs must be finite: leave out practices without a forecast.")
        if np.any((columns["p_silent"] < 0) | (columns["p_silent"] > 1)) or np.any(columns["invited"] < 0):
            raise ValueError("A probability lies between 0 and 1, and the number invited is 0 or more.")
        for name, column in columns.items():
            object.__setattr__(self, name, column)

    def matrix(self) -> np.ndarray:
        """The features, (n, 7), in the order of `FEATURES`."""
        p = np.clip(self.p_silent, CERTAIN, 1 - CERTAIN)
        logit = np.log(p / (1 - p))
        return np.column_stack(
            [
                *(self.attitude, self.participation, self.sd_attitude, self.sd_participation),
                *(logit, np.log1p(self.invited), self.silent_now),
            ]
        )


@dataclass(frozen=True)
class Layer:
    """The frozen regression; plain numbers. `coefficients` belong to features less `means` over `scales`, in the
    order of `FEATURES`. `brier`, `brier_filter`: of bodies left out of training, with the layer and with the
    filter alone. `trained_on`: what the rows were, to be printed beside the coefficients."""

    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    bodies: int
    rows: int
    brier: float
    brier_filter: float
    trained_on: str

    def to_json(self) -> dict:
        """All fields under their names, for `json.dumps`."""
        return {"features": list(FEATURES)} | asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping) -> "Layer":
        """The layer that `to_json` gave. Raises ValueError where its features are not those of this version."""
        kept = dict(kept)
        if tuple(kept.pop("features", ())) != FEATURES:
            raise ValueError("This layer was trained on other features: train it again.")
        return cls(**{name: tuple(v) if isinstance(v, (list, tuple)) else v for name, v in kept.items()})


@dataclass(frozen=True)
class Trained:
    """Result of `train`: a layer, or None and an `explanation` that says why there is none."""

    layer: Layer | None
    explanation: str | None = None


def train(inputs: Inputs, silent_next: ArrayLike, body: ArrayLike, *, trained_on: str) -> Trained:
    """Learn the layer from past rounds of many bodies.

    `silent_next`: (n,), 1 where nobody answered in the round that was forecast, 0 where somebody did; practices
    that could not be reached are left out beforehand. `body`: (n,) codes. `trained_on`: "rounds of 23 bodies", or
    "simulated rounds".

    There is a layer only from twenty bodies with both outcomes and 140 outcomes of either kind, and only where on
    bodies left out of training its Brier score is below the filter's own.

    Raises ValueError for lengths that differ and outcomes other than 0 and 1.

    Source: L2-penalised logistic regression, le Cessie & van Houwelingen 1992, Applied Statistics 41; validation on
    whole bodies left out, Steyerberg & Harrell 2016, Journal of Clinical Epidemiology 69.
    """
    x, y, body = inputs.matrix(), np.asarray(silent_next, float), np.asarray(body)
    if not len(x) == len(y) == len(body) or y.ndim != 1 or body.ndim != 1:
        raise ValueError("Give one outcome and one body for each row of inputs.")
    if not np.all(np.isin(y, (0, 1))):
        raise ValueError("An outcome is 0 or 1; leave out practices without one.")
    both = sum(len(np.unique(y[body == b])) == 2 for b in np.unique(body))
    if both < FEWEST_BODIES:
        return Trained(
            None,
            f"The pooled layer needs {FEWEST_BODIES} bodies in which some practices were silent and some were not; "
            f"there are {both}. The filter's own probability is used.",
        )
    fewest = int(min(y.sum(), len(y) - y.sum()))
    if fewest < FEWEST_OUTCOMES:
        return Trained(
            None,
            f"The pooled layer needs {FEWEST_OUTCOMES} outcomes of each kind; there are {fewest} of the rarer. "
            "The filter's own probability is used.",
        )
    brier = float(np.mean((held_out(inputs, y, body) - y) ** 2))
    brier_filter = float(np.mean((inputs.p_silent - y) ** 2))
    if brier >= brier_filter:
        return Trained(
            None,
            "On bodies left out of training the pooled layer did no better than the filter alone "
            f"(Brier score {brier:.4f} against {brier_filter:.4f}). The filter's own probability is used.",
        )
    means, scales, coefficients, intercept = _fitted(x, y)
    return Trained(
        Layer(
            means=tuple(means.tolist()),
            scales=tuple(scales.tolist()),
            coefficients=tuple(coefficients.tolist()),
            intercept=intercept,
            bodies=len(np.unique(body)),
            rows=len(y),
            brier=brier,
            brier_filter=brier_filter,
            trained_on=trained_on,
        )
    )


def held_out(inputs: Inputs, silent_next: ArrayLike, body: ArrayLike) -> np.ndarray:
    """P(silent) of each row from a layer trained on other bodies only, (n,): does it transport?

    Bodies are dealt into five folds in the order of their codes. No intercept is moved: these are bodies never
    seen before. Raises ValueError for fewer bodies than folds.
    """
    x, y = inputs.matrix(), np.asarray(silent_next, float)
    codes, at = np.unique(body, return_inverse=True)
    if len(codes) < FOLDS:
        raise ValueError(f"Leaving bodies out takes at least {FOLDS} of them.")
    fold, p = at % FOLDS, np.empty(len(y))
    for out in range(FOLDS):
        test = fold == out
        p[test] = _sigmoid(_linear(x[test], *_fitted(x[~test], y[~test])))
    return p


def own_intercept(layer: Layer, inputs: Inputs, silent_next: ArrayLike) -> float:
    """How far one body's past rounds move its intercept, in logits; 0 where there are none.

    `inputs`, `silent_next`: the body's own forecasts and outcomes known so far, as for `train`. The posterior mode
    under a normal prior with mean 0 and standard deviation 0.5: a body with little to say stays at the common
    intercept.

    Raises ValueError for lengths that differ and outcomes other than 0 and 1.
    """
    eta, y = _of(layer, inputs), np.asarray(silent_next, float)
    if eta.shape != y.shape or not np.all(np.isin(y, (0, 1))):
        raise ValueError("Give one outcome, 0 or 1, for each row of inputs.")
    from scipy.optimize import brentq

    precision = INTERCEPT_SD**-2
    # The slope of the log posterior falls all the way, and is 0 within n / precision of the prior's mean.
    reach = len(y) / precision
    if not len(y):
        return 0.0
    return float(brentq(lambda d: np.sum(y - _sigmoid(eta + d)) - d * precision, -reach, reach))


def p_silent(trained: Trained, inputs: Inputs, intercept: float = 0.0) -> np.ndarray:
    """P(nobody answers next time) of each practice, (n,): the layer's with the body's own `intercept`, or, where
    there is no layer, the filter's."""
    if trained.layer is None:
        return inputs.p_silent.copy()
    return _sigmoid(_of(trained.layer, inputs) + intercept)


def _fitted(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Means, scales, coefficients (7,) each, and the intercept."""
    from sklearn.linear_model import LogisticRegression

    means, scales = x.mean(axis=0), x.std(axis=0)
    scales[scales < 1e-9] = 1.0  # a feature that never varies teaches nothing, and must not divide by 0
    model = LogisticRegression(C=PENALTY, max_iter=1000, tol=1e-8).fit((x - means) / scales, y)
    return means, scales, model.coef_[0], float(model.intercept_[0])


def _of(layer: Layer, inputs: Inputs) -> np.ndarray:
    fitted = map(np.array, (layer.means, layer.scales, layer.coefficients))
    return _linear(inputs.matrix(), *fitted, layer.intercept)


def _linear(x: np.ndarray, means, scales, coefficients, intercept: float) -> np.ndarray:
    return (x - means) / scales @ coefficients + intercept


def _sigmoid(eta: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return expit(eta)
