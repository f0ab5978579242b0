"""What a round could show before it is launched: the smallest change, and the chance that a gap is shown at all.

Planning figures from a roster and what is expected of it. They describe the analytic question (has it changed?)
and carry no words: the screen makes the sentence.
"""

import math
from dataclasses import dataclass

import numpy as np

from engagement.estimates.clustered import Stack, check_cells, correlation
from engagement.estimates.proportions import Z95

POWER = 0.8
ALPHA = 0.05


@dataclass(frozen=True)
class ExpectedArm:
    """What is expected of one arm: `members` on the roster, `response` (share that answers), `share` favourable,
    `design_effect` of the share (clustering and weights), `overlap` (correlation of its shares in two rounds,
    which panel members and lasting differences between practices bring about).

    Raises ValueError for a roster that is no count, shares outside 0 to 1, a design effect that is not positive and
    an overlap outside -1 to 1."""

    members: int
    response: float
    share: float
    design_effect: float = 1.0
    overlap: float = 0.0

    def __post_init__(self) -> None:
        if self.members != int(self.members) or self.members < 0:
            raise ValueError("The members of an arm must be a whole number of 0 or more.")
        if not (0 <= self.response <= 1 and 0 <= self.share <= 1 and -1 <= self.overlap <= 1):
            raise ValueError(
                "Response and share must lie between 0 and 1, the overlap between -1 and 1; divide percentages by 100."
            )
        if not (self.design_effect > 0 and math.isfinite(self.design_effect)):
            raise ValueError("A design effect must be positive and finite.")

    @property
    def answers(self) -> float:
        """Answers expected; need not be whole."""
        return self.members * self.response

    def variance(self, n):
        """Variance of the arm's share with `n` answers, any shape.

        Taken at the middle of Wilson's interval, which is drawn towards a half: an arm expected at 0% or 100% is
        not certain, and a change would take it away from there. Source: Agresti & Coull 1998."""
        middle = (n * self.share + Z95**2 / 2) / (n + Z95**2)
        return self.design_effect * middle * (1 - middle) / n


@dataclass(frozen=True)
class Detectable:
    """The smallest changes that a pair of equal rounds would show, and what they rest on. Fractions.

    `gap`, `first`, `second`: change in the gap and in each arm's level that is found significant with probability
    `power`; None where no change of that arm or gap is large enough, or nobody is expected to answer. The levels
    are those of `answers1` and `answers0` expected answers. `alpha`: two-sided significance level before, `level`
    after adjustment for `items` headline items. `chance_shown`: probability that both arms reach the `threshold`
    in one round, so that its gap is shown at all."""

    gap: float | None
    first: float | None
    second: float | None
    answers1: float
    answers0: float
    power: float
    alpha: float
    level: float
    items: int
    df: int | None
    threshold: int
    chance_shown: float


def detectable(
    first: ExpectedArm,
    second: ExpectedArm,
    *,
    threshold: int,
    items: int = 1,
    practices: int | None = None,
    power: float = POWER,
    alpha: float = ALPHA,
) -> Detectable:
    """The smallest change between two rounds like this one that it could show, in the gap and in each level.

    `items`: headline items declared, one family under Holm, whose first step, the hardest, tests at alpha/items.
    `practices`: practices expected to take part, for Student's t with one less degrees of freedom; the normal where
    left out. Response and shares are taken to be the same in both rounds, and the arms' errors as unrelated
    (practices in which both arms lean the same way make a gap's change easier to see).

    Raises ValueError for a threshold or number of items below 1, fewer than two practices, and a power or alpha
    outside 0 to 1, or a power no larger than alpha.

    Source: minimum detectable effect, (t_{1-a/2} + t_power) SE, Bloom 1995, Evaluation Review 19; SE of a change
    with overlap sqrt(2 v (1 - r)), Kish 1965, section 12.4.
    """
    df = _checked(threshold, items, practices)
    if not 0 < alpha < power < 1:
        raise ValueError("Power must lie above alpha, and both between 0 and 1.")
    level = alpha / items
    multiplier = _quantile(1 - level / 2, df) + _quantile(power, df)
    v1, v0 = (_change_variance(arm) for arm in (first, second))
    gap = first.share - second.share
    return Detectable(
        gap=_within(multiplier, v1 + v0, 1 + abs(gap)),
        first=_within(multiplier, v1, max(first.share, 1 - first.share)),
        second=_within(multiplier, v0, max(second.share, 1 - second.share)),
        answers1=first.answers,
        answers0=second.answers,
        power=power,
        alpha=alpha,
        level=level,
        items=items,
        df=df,
        threshold=threshold,
        chance_shown=chance_shown(first, second, threshold),
    )


def chance_shown(first: ExpectedArm, second: ExpectedArm, threshold: int) -> float:
    """Probability that both arms give at least `threshold` answers, so that their gap is shown at all.

    Exact, with each member answering on their own with the probability expected.

    Raises ValueError for a threshold below 1.
    """
    _checked(threshold, 1, None)
    return min(1.0, math.prod(float(_binomial(arm, threshold)[1].sum()) for arm in (first, second)))


def chance_seen(
    first: ExpectedArm,
    second: ExpectedArm,
    *,
    threshold: int,
    items: int = 1,
    practices: int | None = None,
    alpha: float = ALPHA,
) -> float:
    """Probability that the expected gap of one round is shown and its interval leaves 0 out.

    Sums over every number of answers that clears the threshold in both arms, each with its exact probability and
    the power it gives (on the side of the gap expected). 0 where the arms are expected to be alike.

    Arguments and errors as `detectable`.
    """
    from scipy.special import ndtr, stdtr

    df = _checked(threshold, items, practices)
    if not 0 < alpha < 1:
        raise ValueError("Alpha must lie between 0 and 1.")
    gap = abs(first.share - second.share)
    if gap == 0:
        return 0.0
    (n1, chance1), (n0, chance0) = (_binomial(arm, threshold) for arm in (first, second))
    se = np.sqrt(first.variance(n1)[:, None] + second.variance(n0)[None, :])
    reach = gap / se - _quantile(1 - alpha / items / 2, df)
    found = ndtr(reach) if df is None else stdtr(df, reach)
    return float(chance1 @ found @ chance0)


def overlap(stack: Stack, earlier: int, later: int) -> float | None:
    """Correlation of one arm's shares in two rounds, for `ExpectedArm.overlap`; cells of a stack of both rounds.

    None where either cell has no variance that can be known, which includes a share of 0 or 1.

    Raises ValueError for cell codes that the stack does not have.
    """
    check_cells(stack, earlier, later)
    v1, v2 = stack.covariance[earlier, earlier], stack.covariance[later, later]
    if not (v1 > 0 and v2 > 0):
        return None
    return float(correlation(stack.covariance[earlier, later], v1, v2))


def _checked(threshold: int, items: int, practices: int | None) -> int | None:
    """Degrees of freedom of what is planned."""
    if threshold < 1 or items < 1:
        raise ValueError("The threshold and the number of headline items must be 1 or more.")
    if practices is not None and practices < 2:
        raise ValueError("At least two practices must take part.")
    return None if practices is None else practices - 1


def _change_variance(arm: ExpectedArm) -> float:
    return 2 * arm.variance(arm.answers) * (1 - arm.overlap) if arm.answers else math.inf


def _within(multiplier: float, variance: float, room: float) -> float | None:
    """The change that can be detected, or None where none so large is possible."""
    change = multiplier * math.sqrt(variance)
    return change if change <= room else None


def _quantile(p: float, df: int | None) -> float:
    from scipy.special import ndtri, stdtrit

    return float(ndtri(p) if df is None else stdtrit(df, p))


def _binomial(arm: ExpectedArm, threshold: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of answers from the threshold up, and the probability of each."""
    from scipy.special import gammaln, xlog1py, xlogy

    N, n = arm.members, np.arange(threshold, arm.members + 1)
    ways = gammaln(N + 1) - gammaln(n + 1) - gammaln(N - n + 1)
    # By logarithms: scipy.stats takes half a second to import and overflows at a response of almost 0.
    return n, np.exp(ways + xlogy(n, arm.response) + xlog1py(N - n, -arm.response))
