"""Who answered: response rates by the field's definitions, what silence could hide, and how alike the two are.

Counts in, dataclasses out: nothing here needs to know which person answered.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from engagement.estimates.gap import gap_bounds

COMPLETE_AT = 0.8
PARTIAL_AT = 0.5
REMOVALS = ("left", "retired", "duplicate")
OUTCOMES = ("answered", "declined", "bounced", "silent", "other")


@dataclass(frozen=True)
class Dispositions:
    """Final disposition of each case, counted. `interview` (I), `partial` (P), `refusal` (R), `non_contact` (NC),
    `other` (O); `unknown_household` (UH) and `unknown_other` (UO), both 0 on a kept roster; `removed`: why and how
    many were taken off the roster before any rate. The terms are the Standard Definitions'."""

    interview: int = 0
    partial: int = 0
    refusal: int = 0
    non_contact: int = 0
    other: int = 0
    unknown_household: int = 0
    unknown_other: int = 0
    removed: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        counts = (*self._cases(), *(count for _, count in self.removed))
        if any(isinstance(count, bool) or count != int(count) or count < 0 for count in counts):
            raise ValueError("Dispositions are counts: whole numbers of 0 or more.")

    def _cases(self) -> tuple[int, ...]:
        return (
            *(self.interview, self.partial, self.refusal, self.non_contact, self.other),
            *(self.unknown_household, self.unknown_other),
        )

    def __add__(self, more: "Dispositions") -> "Dispositions":
        removed = Counter(dict(self.removed)) + Counter(dict(more.removed))
        cases = (a + b for a, b in zip(self._cases(), more._cases(), strict=True))
        return Dispositions(*cases, removed=tuple(sorted(removed.items())))


@dataclass(frozen=True)
class ResponseRates:
    """Fractions; None where nobody is left to divide by. `eligible`: cases known to be eligible; `e`: share assumed
    of those whose eligibility is unknown. `rr1` to `rr6` response, `coop1` to `coop4` cooperation, `ref1` to `ref3`
    refusal, `con1` to `con3` contact."""

    eligible: int
    unknown: int
    e: float
    rr1: float | None
    rr2: float | None
    rr3: float | None
    rr4: float | None
    rr5: float | None
    rr6: float | None
    coop1: float | None
    coop2: float | None
    coop3: float | None
    coop4: float | None
    ref1: float | None
    ref2: float | None
    ref3: float | None
    con1: float | None
    con2: float | None
    con3: float | None


def response_rates(cases: Dispositions, e: float = 1.0) -> ResponseRates:
    """AAPOR's outcome rates of one group.

    `e`: the share taken to be eligible of those whose eligibility is unknown, 0 to 1. On a kept roster there are
    none, so that RR1, RR3 and RR5 are one figure, and so are RR2, RR4 and RR6.

    Raises ValueError for an e outside 0 to 1.

    Source: AAPOR, Standard Definitions, 10th edition 2023.
    """
    if not 0 <= e <= 1:
        raise ValueError("The share of unknown cases that are eligible must lie between 0 and 1.")
    i, p, r, o, nc = cases.interview, cases.partial, cases.refusal, cases.other, cases.non_contact
    unknown = cases.unknown_household + cases.unknown_other
    known = i + p + r + nc + o
    contacted = i + p + r + o

    def rate(top: float, bottom: float) -> float | None:
        return top / bottom if bottom else None

    return ResponseRates(
        eligible=known,
        unknown=unknown,
        e=float(e),
        rr1=rate(i, known + unknown),
        rr2=rate(i + p, known + unknown),
        rr3=rate(i, known + e * unknown),
        rr4=rate(i + p, known + e * unknown),
        rr5=rate(i, known),
        rr6=rate(i + p, known),
        coop1=rate(i, contacted),
        coop2=rate(i + p, contacted),
        coop3=rate(i, i + p + r),
        coop4=rate(i + p, i + p + r),
        ref1=rate(r, known + unknown),
        ref2=rate(r, known + e * unknown),
        ref3=rate(r, known),
        con1=rate(contacted, known + unknown),
        con2=rate(contacted, known + e * unknown),
        con3=rate(contacted, known),
    )


def dispositions(
    outcome: Sequence[str],
    core_share: ArrayLike,
    group: Sequence[str] | None = None,
    *,
    complete_at: float = COMPLETE_AT,
    partial_at: float = PARTIAL_AT,
) -> dict[str, Dispositions]:
    """Dispositions of a kept roster, by group; the key "" where no groups are given.

    One row per person once on the roster, in any order: `outcome`, one of `OUTCOMES`, or one of `REMOVALS`, who are
    counted and leave every rate; `core_share`, the share of the core items put to them that they answered ("I do
    not know" is an answer, "not applicable" was not put to them), used where they answered. Only counts are taken,
    so that answers and people need not be linked: any row may stand for any person of the same group.

    At least `complete_at` of the core items is a complete interview, at least `partial_at` a partial one; less is a
    break-off, which the definitions count as refusal. Declining is refusal; a bounced invitation and plain silence
    are non-contact, for the roster vouches that the person is a member.

    Raises ValueError for columns of different lengths, an unknown outcome, an answered row without a share between
    0 and 1, and limits that are not 0 <= partial_at <= complete_at <= 1.

    Source: AAPOR, Standard Definitions, internet surveys of specifically named persons.
    """
    if not 0 <= partial_at <= complete_at <= 1:
        raise ValueError("Limits must satisfy 0 <= partial <= complete <= 1.")
    shares = np.asarray(core_share, float)
    groups = [""] * len(outcome) if group is None else list(group)
    if not len(outcome) == len(shares) == len(groups):
        raise ValueError("Give one outcome, share and group for each person.")
    tallies: dict[str, Counter] = {}
    for what, answered, name in zip(outcome, shares.tolist(), groups, strict=True):
        tallies.setdefault(name, Counter())[_disposition(what, answered, complete_at, partial_at)] += 1
    return {
        name: Dispositions(
            **{case: tally[case] for case in ("interview", "partial", "refusal", "non_contact", "other")},
            removed=tuple((why, tally[why]) for why in REMOVALS if tally[why]),
        )
        for name, tally in sorted(tallies.items())
    }


def _disposition(outcome: str, share: float, complete_at: float, partial_at: float) -> str:
    if outcome == "answered":
        if not 0 <= share <= 1:
            raise ValueError("Whoever answered has a share of core items between 0 and 1.")
        return "interview" if share >= complete_at else "partial" if share >= partial_at else "refusal"
    cases = {"declined": "refusal", "bounced": "non_contact", "silent": "non_contact", "other": "other"}
    if outcome not in cases and outcome not in REMOVALS:
        raise ValueError(f"{outcome!r} is no outcome: use one of {', '.join(OUTCOMES + REMOVALS)}.")
    return cases.get(outcome, outcome)


@dataclass(frozen=True)
class TippingPoint:
    """How different the silent would have to be for a gap to vanish. Fractions.

    `grassroots`: the distance if only the silent of the second arm differ, `shared`: if the silent of both arms do,
    by the same amount towards each other; None where there is no gap or nobody is silent. `..._possible`: whether
    shares of such silent members stay between 0 and 1; where not, no such silence removes the gap.
    `any_silence`: whether some answers of the silent, however unlike, would remove it (the worst-case bounds)."""

    gap: float | None
    grassroots: float | None
    grassroots_possible: bool
    shared: float | None
    shared_possible: bool
    any_silence: bool
    explanation: str | None = None


def tipping_point(y1: int, n1: int, N1: int, y0: int, n0: int, N0: int) -> TippingPoint:
    """Distance between the silent and those who answered at which the gap (arm 1 minus arm 0) is gone.

    Scalars: `y` favourable of `n` answers of `N` members on the roster, for each arm. For a positive gap the silent
    of arm 0 (grassroots) would have to be more favourable and those of arm 1 less; for a negative one the reverse.

    Raises ValueError unless 0 <= y <= n <= N in each arm and both rosters hold somebody.

    Source: tipping-point analysis on a finite roster; delta = d/(1 - n0/N0) and d/((1 - n1/N1) + (1 - n0/N0)).
    """
    low, high = gap_bounds(y1, n1, N1, y0, n0, N0)
    any_silence = bool(low <= 0 <= high)
    if not (n1 and n0):
        return TippingPoint(
            None,
            None,
            False,
            None,
            False,
            any_silence,
            "Nobody answered in one of the arms: there is no gap to remove.",
        )
    p1, p0 = y1 / n1, y0 / n0
    gap, silent1, silent0 = p1 - p0, 1 - n1 / N1, 1 - n0 / N0
    towards = math.copysign(1.0, gap)

    def fits(delta: float, arms) -> bool:
        moved = [p + sign * towards * delta for p, sign, silent in arms if silent > 0]
        # A share that lands on 0 or 1 is possible, whatever rounding makes of it.
        return all(-1e-12 <= p <= 1 + 1e-12 for p in moved)

    leaders, grassroots = (p1, -1, silent1), (p0, 1, silent0)
    alone = abs(gap) / silent0 if silent0 else None
    shared = abs(gap) / (silent1 + silent0) if silent1 + silent0 else None
    return TippingPoint(
        gap=gap,
        grassroots=alone,
        grassroots_possible=alone is not None and fits(alone, [grassroots]),
        shared=shared,
        shared_possible=shared is not None and fits(shared, [leaders, grassroots]),
        any_silence=any_silence,
        explanation="Everybody on both rosters answered: no silence can remove the gap."
        if shared is None
        else None,
    )


@dataclass(frozen=True)
class Representativeness:
    """How evenly response is spread over what the roster knows. 1 is even, lower is less.

    `r`: the R-indicator; `r_adjusted`: with the spread that chance alone puts into estimated propensities taken
    out, the figure to compare rounds by. `partial`: for each variable the part of the spread that lies between its
    categories (0 is none). `categories`: for each variable, how far each category is over (+) or under (-)
    represented, same unit. `response`: the overall rate. None where it cannot be known, with an `explanation`."""

    r: float | None
    r_adjusted: float | None
    response: float | None
    partial: tuple[tuple[str, float], ...]
    categories: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
    explanation: str | None = None


def representativeness(
    variables: Mapping[str, Sequence[str]], invited: ArrayLike, answered: ArrayLike
) -> Representativeness:
    """R-indicator of a round from counts: one row per cell of the roster, for instance role by locality by size.

    `variables`: each variable's label of every cell, (cells,); `invited`, `answered`: people in each, (cells,).
    Propensities are fitted by a logistic regression with main effects of all variables. Cells without anybody drop
    out.

    The fitted propensities are an estimate: their spread holds chance as well, so that r is too low on a small
    roster even where response is even. r_adjusted takes that out and is at most 1; it takes answering as
    independent, while members of one practice resemble each other, so it is still somewhat low. The indicator sees
    only the variables given and says nothing about opinion.

    Raises ValueError for columns of different lengths, no variables, and unless 0 <= answered <= invited.

    Source: Schouten, Cobben & Bethlehem 2009, Survey Methodology 35: R = 1 - 2 S(rho); adjustment after
    Shlomo, Skinner & Schouten 2012, Journal of Statistical Planning and Inference 142; partial indicators of
    Schouten, Shlomo & Skinner 2011, Journal of Official Statistics 27.
    """
    N, n = np.asarray(invited, float), np.asarray(answered, float)
    labels = {name: np.asarray(column).astype(str) for name, column in variables.items()}
    if not labels or any(column.shape != N.shape for column in labels.values()) or N.shape != n.shape:
        raise ValueError(
            "Give one label of each variable, one number invited and one answered for each cell."
        )
    if not np.all((n >= 0) & (n <= N)):
        raise ValueError("Counts must satisfy 0 <= answered <= invited.")
    labels, N, n = {name: column[N > 0] for name, column in labels.items()}, N[N > 0], n[N > 0]
    total = N.sum()
    if total < 2:
        return Representativeness(
            None, None, None, (), (), "Fewer than two people were invited: nothing to compare."
        )
    overall = n.sum() / total
    design = np.column_stack(
        [np.ones(len(N))] + [column == label for column in labels.values() for label in np.unique(column)[1:]]
    )
    rho, leverage = _logistic(design, N, n)
    spread = float(N @ (rho - overall) ** 2) / (total - 1)
    # What estimation adds to the spread: the mean variance of the propensities, less that of their mean.
    chance = float(np.sum(rho * (1 - rho) * (leverage - N / total))) / total

    categories = []
    for name, column in labels.items():
        deviations = []
        for label in np.unique(column):
            its = column == label
            # Main effects reproduce each category's own rate, so fitted and observed agree.
            weight, rate = N[its].sum() / total, n[its].sum() / N[its].sum()
            deviations.append((str(label), float(math.sqrt(weight) * (rate - overall))))
        categories.append((name, tuple(deviations)))
    return Representativeness(
        r=1 - 2 * math.sqrt(spread),
        r_adjusted=1 - 2 * math.sqrt(max(spread - chance, 0.0)),
        response=float(overall),
        partial=tuple((name, math.sqrt(sum(d * d for _, d in devs))) for name, devs in categories),
        categories=tuple(categories),
        explanation="Nobody answered, or everybody: response cannot be uneven."
        if overall in (0, 1)
        else None,
    )


def _logistic(design: np.ndarray, N: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fitted propensities and leverages of a grouped logistic regression, (cells,) each.

    Iteratively reweighted least squares; a category of which all or nobody answered goes to 1 or 0 in the limit,
    which the fitted values reach though no coefficient does. Source: McCullagh & Nelder 1989, section 4.4.
    """
    eta = np.log((n + 0.5) / (N - n + 0.5))
    for _ in range(100):
        rho = 1 / (1 + np.exp(-eta))
        v = np.maximum(N * rho * (1 - rho), 1e-12)
        root = np.sqrt(v)[:, None]
        basis = np.linalg.svd(design * root, full_matrices=False)
        keep = 1e-10 * basis.S[0] < basis.S
        u = basis.U[:, keep]
        new = (u @ (u.T @ (root[:, 0] * (eta + (n - N * rho) / v)))) / root[:, 0]
        step, eta = np.max(np.abs(new - eta)), np.clip(new, -30, 30)
        if step < 1e-10:
            break
    return 1 / (1 + np.exp(-eta)), np.sum(u * u, axis=1)
