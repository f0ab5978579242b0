"""Small practices: what a handful of answers can carry, and what it cannot.

A share of three answers is mostly luck, so the smallest practices fill both ends of any ranking. Here a practice is
shrunk towards its body by as much as its answers are few, and gets a probability instead of a rank. Funnel limits
show which of the larger practices stand out.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

MU_BOUNDS = (1e-6, 1 - 1e-6)
RHO_BOUNDS = (1e-6, 0.999)
FEWEST_FOR_FUNNEL = 10
"""Below this many answers the arcsine of a share is no longer near the normal distribution."""
FUNNEL_POINTS = (1.96, 3.09)
"""Normal points of the inner (95%) and the outer (99.8%) limits."""
WINSORISED = 0.1


@dataclass(frozen=True)
class BetaBinomial:
    """How favourable shares vary between practices: mean `mu` and intra-class correlation `rho`, fractions.

    `a`, `b`: the parameters of the beta distribution of practices. None where they cannot be known;
    `explanation` then says why, and also where the fit ended at a bound.
    """

    mu: float | None
    rho: float | None
    a: float | None
    b: float | None
    log_likelihood: float | None
    practices: int
    answers: int
    explanation: str | None = None


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is known of each practice's share after its answers; fractions, shape (practices,).

    `mean` is the shrunk share, `low` and `high` its 95% credible interval, `p_below` the probability that the
    share lies below `threshold`.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_below: np.ndarray
    threshold: float


@dataclass(frozen=True, eq=False)
class Funnel:
    """Shares against the limits that a practice of their size would keep; fractions, shape (practices,).

    `low95`, `high95`, `low998`, `high998`: limits, NaN for a practice with under 10 answers, which takes no part.
    `outside`: 0 within the 95% limits, 1 or -1 past them above or below, 2 or -2 past the 99.8% limits. `phi`,
    `tau2`: the overdispersion and the variance between practices that widen the limits. None and NaN where
    fewer than two practices take part; `explanation` then says so.
    """

    share: np.ndarray
    centre: float | None
    low95: np.ndarray
    high95: np.ndarray
    low998: np.ndarray
    high998: np.ndarray
    outside: np.ndarray
    phi: float | None
    tau2: float | None
    practices: int
    explanation: str | None = None


def beta_binomial(y: ArrayLike, n: ArrayLike) -> BetaBinomial:
    """Mean and intra-class correlation of practices by maximum likelihood.

    `y` favourable of `n` answers, one entry a practice, shape (practices,), whole numbers; practices without an
    answer are left out. Fitted on (logit mu, logit rho) within bounds: at rho = 1e-6 practices differ by no more
    than chance would make them.

    Nothing is fitted, and the result says why, where fewer than two practices answered, no practice has two
    answers (rho then cannot be seen), or all answers are alike.

    Raises ValueError unless the counts are whole and 0 <= y <= n.

    Source: the beta-binomial of Skellam 1948, JRSS B 10, its likelihood as the product over answers of Smith 1983,
    Applied Statistics 32 (AS 189), which stays exact as rho goes to 0.
    """
    from scipy.optimize import minimize
    from scipy.special import expit, logit

    y, n = _counts(y, n)
    practices, answers = int((n > 0).sum()), int(n.sum())
    reason = _why_not(y, n, practices)
    if reason:
        return BetaBinomial(*[None] * 5, practices, answers, reason)

    r = np.arange(n.max())
    # All that the likelihood needs: how many practices have more than r favourable, other, and any answers.
    c1, c0, c = (_more_than(counts, len(r)) for counts in (y, n - y, n))

    def negative(theta):
        mu, rho = expit(theta)
        f1, f0, f = mu * (1 - rho) + r * rho, (1 - mu) * (1 - rho) + r * rho, 1 - rho + r * rho
        value = c1 @ np.log(f1) + c0 @ np.log(f0) - c @ np.log(f)
        by_mu = (1 - rho) * (c1 @ (1 / f1) - c0 @ (1 / f0))
        by_rho = c1 @ ((r - mu) / f1) + c0 @ ((r - 1 + mu) / f0) - c @ ((r - 1) / f)
        slope = np.array([by_mu * mu * (1 - mu), by_rho * rho * (1 - rho)])
        # Per answer, so that the stopping rule means the same for a small body and for a country.
        return -value / answers, -slope / answers

    start = logit([y.sum() / answers, 0.1])
    fit = minimize(
        negative,
        np.clip(start, logit(MU_BOUNDS[0]), logit(MU_BOUNDS[1])),
        jac=True,
        method="L-BFGS-B",
        bounds=[tuple(logit(MU_BOUNDS)), tuple(logit(RHO_BOUNDS))],
        options={"ftol": 1e-16, "gtol": 1e-10, "maxiter": 500},
    )
    mu, rho = map(float, expit(fit.x))
    explanation = None
    if rho <= RHO_BOUNDS[0] * 1.01:
        explanation = "Practices differ by no more than chance would make them."
    elif rho >= RHO_BOUNDS[1] * 0.9999:
        explanation = "Answers agree almost wholly within practices."
    return BetaBinomial(
        mu,
        rho,
        mu * (1 - rho) / rho,
        (1 - mu) * (1 - rho) / rho,
        float(-fit.fun * answers),
        practices,
        answers,
        explanation,
    )


def posterior_shares(fit: BetaBinomial, y: ArrayLike, n: ArrayLike, *, threshold: float) -> Posterior:
    """Each practice's shrunk share, 95% interval and probability of lying below `threshold` (a fraction).

    `y`, `n`: as for `beta_binomial`, and also practices that took no part in the fit; one without answers gets
    what the fit says of any practice. Empirical Bayes: `mu` and `rho` are taken as known, so that intervals are a
    little short where few practices were fitted.

    Raises ValueError for a fit without parameters, a threshold outside 0 to 1, and bad counts.

    Source: posterior Beta(y + a, n - y + b); Carlin & Louis 2000, Bayes and Empirical Bayes Methods.
    """
    from scipy.special import betainc, betaincinv

    if fit.a is None or fit.b is None:
        raise ValueError(f"Practices cannot be compared. {fit.explanation}")
    if not 0 <= threshold <= 1:
        raise ValueError("A threshold must lie between 0 and 1; divide percentages by 100.")
    y, n = _counts(y, n)
    # Small practices share few pairs of counts: each is worked out once.
    pairs, back = np.unique(np.column_stack([y, n]), axis=0, return_inverse=True)
    back = back.ravel()
    a, b = fit.a + pairs[:, 0], fit.b + pairs[:, 1] - pairs[:, 0]
    columns = (a / (a + b), betaincinv(a, b, 0.025), betaincinv(a, b, 0.975), betainc(a, b, threshold))
    return Posterior(*(_frozen(column[back]) for column in columns), threshold)


def funnel(y: ArrayLike, n: ArrayLike) -> Funnel:
    """Funnel limits of the practices with at least 10 answers, widened where practices differ more than by chance.

    `y` favourable of `n` answers, one entry a practice, shape (practices,), whole numbers.

    Raises ValueError unless the counts are whole and 0 <= y <= n.

    Source: Spiegelhalter 2005, Statistics in Medicine 24, 1185-1202, on the arcsine scale with an additive
    random effect; z winsorised at 10% at each end.
    """
    y, n = _counts(y, n)
    with np.errstate(invalid="ignore"):
        share = y / np.where(n > 0, n, np.nan)
    large = n >= FEWEST_FOR_FUNNEL
    practices = int(large.sum())
    if practices < 2:
        empty = [_frozen(np.full(len(y), np.nan)) for _ in range(4)]
        reason = "Fewer than two practices have ten answers: there is nothing to compare."
        return Funnel(
            _frozen(share), None, *empty, _frozen(np.zeros(len(y), int)), None, None, practices, reason
        )

    centre = math.asin(math.sqrt(y[large].sum() / n[large].sum()))
    s = 1 / (2 * np.sqrt(n[large]))
    z = (np.arcsin(np.sqrt(share[large])) - centre) / s
    z = np.clip(z, *np.quantile(z, [WINSORISED, 1 - WINSORISED]))
    phi = float(np.mean(z**2))
    w = s**-2
    # Below 0 where practices differ by less than chance would make them.
    tau2 = max(0.0, float((practices * phi - (practices - 1)) / (w.sum() - (w**2).sum() / w.sum())))

    limits = np.full((4, len(y)), np.nan)
    for row, point in zip((0, 2), FUNNEL_POINTS, strict=True):
        half = point * np.sqrt(s**2 + tau2)
        # Past 0 and a right angle the squared sine turns back.
        limits[row, large] = np.sin(np.maximum(centre - half, 0)) ** 2
        limits[row + 1, large] = np.sin(np.minimum(centre + half, math.pi / 2)) ** 2
    low95, high95, low998, high998 = limits
    outside = sum((share > high).astype(int) for high in (high95, high998)) - sum(
        (share < low).astype(int) for low in (low95, low998)
    )
    return Funnel(
        _frozen(share),
        math.sin(centre) ** 2,
        *map(_frozen, (low95, high95, low998, high998, outside)),
        phi,
        tau2,
        practices,
    )


def _more_than(counts: np.ndarray, top: int) -> np.ndarray:
    """For each r below `top`, how many of the counts exceed r."""
    return np.bincount(counts, minlength=top + 1)[:0:-1].cumsum()[::-1][:top]


def _why_not(y: np.ndarray, n: np.ndarray, practices: int) -> str | None:
    if practices < 2:
        return "Fewer than two practices answered: how practices differ cannot be seen."
    if n.max() < 2:
        return "No practice has two answers: how practices differ cannot be told from how people do."
    if y.sum() in (0, n.sum()):
        return "All answers are alike: how practices differ cannot be seen."
    return None


def _counts(y: ArrayLike, n: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    y, n = np.asarray(y), np.asarray(n)
    if y.ndim != 1 or y.shape != n.shape:
        raise ValueError(
            "Give favourable answers and answers as flat lists of one length: one entry a practice."
        )
    if not (np.all(y == np.floor(y)) and np.all(n == np.floor(n)) and np.all((y >= 0) & (y <= n))):
        raise ValueError("Counts must be whole and satisfy 0 <= favourable <= answered.")
    return y.astype(np.int64), n.astype(np.int64)


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
