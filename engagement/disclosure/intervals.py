"""Intervals and bounds as they may be printed: functions of what is printed beside them, and of nothing else.

An interval computed from exact counts gives the count away, even rounded outwards (notes, privacy 5). So each
function here takes a `PrintedShare`, never a count: whoever reads the page could have computed the interval from
the share, the band and the roster printed next to it, and therefore learns nothing from it. The price is width:
the lower end belongs to the smallest true share that prints so, the upper end to the largest, both with the
fewest answers of the band.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from engagement.disclosure.rules import STEP, band_floor, print_share, share_cell, step_of, whole
from engagement.estimates import Z95, finite_n, newcombe, t_quantile, wilson

DF_LADDER = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 40, 60, 80, 100, 150, 200, 300, 500, 1000)

Points = tuple[int, int]


@dataclass(frozen=True)
class PrintedShare:
    """One group's share as a reader has it. `value`, `cap`: as `print_share` gives. `answers`: `band_floor` of
    the number of answers. `invited`: the group's roster, which is public. `step`: to which it was rounded."""

    value: int
    cap: str | None
    answers: int
    invited: int
    step: int = STEP

    def __post_init__(self):
        share_cell(self.value, self.cap, self.step)
        if band_floor(self.answers) != self.answers:
            # An exact number of answers slipping in here would leave through the interval.
            raise ValueError("Give the floor of the band, not the number of answers.")
        if self.answers > whole(self.invited):
            raise ValueError("More people answered than were invited.")

    @classmethod
    def of(
        cls, y: int, n: int, invited: int, *, ends: bool = False, coarse: str | None = None
    ) -> "PrintedShare":
        """The printed share of `y` favourable of `n` answers (5 or more, 10 with end bands of four) of `invited`;
        `coarse` as `print_share` takes it. ValueError otherwise."""
        if band_floor(n) is None:
            raise ValueError("Fewer than 5 answers are never printed.")
        printed = print_share(y, n, ends=ends, coarse=coarse)
        return cls(*printed, band_floor(n), whole(invited), step_of(n, coarse))

    @property
    def cell(self) -> tuple[Fraction, Fraction]:
        return share_cell(self.value, self.cap, self.step)


def descriptive_interval(share: PrintedShare) -> Points:
    """95% interval for "had everybody on the roster answered", in whole percent, multiples of 5 within 0 to 100.

    Never narrower than the exact Wilson interval of any count that prints as `share`. Raises nothing.

    Source: Wilson 1927 on the finite-roster n. Each of its ends rises with the share and closes in on it as
    answers are added, so the ends of the cell at the floor of the band are the extremes.
    """
    return _outwards(*_cell_interval(share, finite_n(share.answers, share.invited)))


def analytic_interval(share: PrintedShare, design_effect: float, df: int) -> Points:
    """95% interval for comparisons over time, clustered, in whole percent, multiples of 5 within 0 to 100.

    `design_effect`: the round's one figure, at least 1. `df`: practices with an answer minus one, at least 1,
    lowered to `DF_LADDER` here. Never narrower than the exact interval of any count that prints as `share`.

    Raises ValueError for a design effect below 1 or infinite, or df below 1.

    Source: Wilson 1927 on n / design effect * (z / t_df)^2, after Korn & Graubard 1998.
    """
    return _outwards(*_cell_interval(share, _clustered_n(share, design_effect, df)))


def roster_interval(share: PrintedShare) -> Points:
    """Worst case over what the silent might have said, in whole percent, multiples of 5 within 0 to 100.

    Contains the exact bounds of every count that prints as `share`. Raises nothing.

    Source: Manski 1989 on a finite roster; in exact fractions.
    """
    return _outwards(*_worst_case(share))


def descriptive_gap_interval(first: PrintedShare, second: PrintedShare) -> Points:
    """95% interval of the gap (first minus second) on the two rosters, multiples of 5 within -100 to 100.

    Never narrower than the exact interval of any counts that print so. Raises nothing.

    Source: Newcombe 1998, method 10.
    """
    return _outwards(
        *_extreme_gap(
            first,
            finite_n(first.answers, first.invited),
            second,
            finite_n(second.answers, second.invited),
        )
    )


def analytic_gap_interval(first: PrintedShare, second: PrintedShare, design_effect: float, df: int) -> Points:
    """95% interval of the gap (first minus second), clustered, multiples of 5 within -100 to 100.

    Takes the two arms as uncorrelated: their correlation belongs to this one item, and is not printed. Arms of
    one practice mostly move together, which makes this the wider choice; where they move apart it is narrower
    than the exact interval. Arguments and errors as `analytic_interval`.

    Source: MOVER, Zou & Donner 2008, with r = 0.
    """
    n1, n0 = (_clustered_n(share, design_effect, df) for share in (first, second))
    return _outwards(*_extreme_gap(first, n1, second, n0))


def gap_alone_intervals(
    gap: tuple[Fraction, Fraction],
    first: tuple[int, int],
    second: tuple[int, int],
    clustering: tuple[float, int] | None,
) -> tuple[Points, Points | None]:
    """The two 95% intervals of a gap whose arms are hidden, multiples of 5 within -100 to 100: had everybody on the
    roster answered, and for comparing rounds (None without `clustering`, a design effect and df).

    `gap`: smallest and largest gap that print so; `first`, `second`: answers (floor of the band) and invited of each
    arm. The widest over all pairs of shares that make such a gap. Raises nothing.

    Source: Newcombe 1998, method 10, at every pair of shares in steps of a percent.
    """
    rosters = [finite_n(answers, invited) for answers, invited in (first, second)]
    plain = _widest(gap, *rosters)
    if clustering is None:
        return plain, None
    effect, df = clustering
    cut = float(Z95 / t_quantile(df_floor(df))) ** 2 / check_design_effect(effect)
    return plain, _widest(gap, first[0] * cut, second[0] * cut)


def _widest(gap: tuple[Fraction, Fraction], n1: float, n0: float) -> Points:
    smallest, largest = (float(end) for end in gap)
    low = _newcombe_along(smallest, n1, n0)[0].min()
    high = _newcombe_along(largest, n1, n0)[1].max()
    return _outwards(max(float(low), -1.0), min(float(high), 1.0))


def _newcombe_along(size: float, n1: float, n0: float):
    """Newcombe's limits at all pairs of shares that are `size` apart, two arrays."""
    import numpy as np

    second = np.linspace(max(0.0, -size), min(1.0, 1.0 - size), 101)
    first = np.clip(second + size, 0.0, 1.0)
    return newcombe(first, wilson(first, n1), second, wilson(second, n0))


def gap_roster_bounds(first: PrintedShare, second: PrintedShare) -> Points:
    """Worst case of the gap (first minus second), multiples of 5 within -100 to 100; exact fractions, no errors.

    Source: Manski 1989; [low1 - high0, high1 - low0], rounded once, at the end.
    """
    (low1, high1), (low0, high0) = _worst_case(first), _worst_case(second)
    return _outwards(low1 - high0, high1 - low0)


def df_floor(df: int) -> int:
    """The rung of `DF_LADDER` at or below `df`; ValueError below 1."""
    df = whole(df)
    if df < 1:
        raise ValueError("An analytic interval needs at least two practices.")
    return max(rung for rung in DF_LADDER if rung <= df)


def check_design_effect(design_effect: float) -> float:
    """The round's design effect, refused (ValueError) where it is below 1 or not finite."""
    if not 1 <= design_effect < math.inf:
        raise ValueError("A round's design effect must be finite and at least 1.")
    return design_effect


def _clustered_n(share: PrintedShare, design_effect: float, df: int) -> float:
    return share.answers / check_design_effect(design_effect) * float(Z95 / t_quantile(df_floor(df))) ** 2


def _cell_interval(share: PrintedShare, n: float) -> tuple[float, float]:
    smallest, largest = (float(end) for end in share.cell)
    return wilson(smallest, n)[0], wilson(largest, n)[1]


def _worst_case(share: PrintedShare) -> tuple[Fraction, Fraction]:
    smallest, largest = share.cell
    answering = Fraction(share.answers, share.invited)
    # Fewest answers, most room for the silent: both ends move outwards as the number of answers falls.
    return smallest * answering, 1 - (1 - largest) * answering


def _extreme_gap(first: PrintedShare, n1: float, second: PrintedShare, n0: float) -> tuple[float, float]:
    """Extremes of Newcombe's interval over all arm shares in their cells.

    They lie at corners. The lower limit is L = p1 - p0 - sqrt(A^2 + B^2) with A = p1 - l1(p1), B = u0(p0) - p0.
    A Wilson end rises with its share, so A' = 1 - l1' < 1 and dL/dp1 = 1 - A A'/sqrt(A^2 + B^2) > 0; likewise
    B' > -1 gives dL/dp0 < 0. So L is least at the smallest first share and the largest second, and the upper
    limit is greatest at the opposite corner. Fewer answers widen A and B, hence the floor of the band.
    """
    (small1, large1), (small0, large0) = (map(float, share.cell) for share in (first, second))
    low, _ = newcombe(small1, wilson(small1, n1), large0, wilson(large0, n0))
    _, high = newcombe(large1, wilson(large1, n1), small0, wilson(small0, n0))
    return low, high


def _outwards(low: Fraction | float, high: Fraction | float) -> Points:
    return 5 * math.floor(low * 20), 5 * math.ceil(high * 20)
