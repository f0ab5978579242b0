"""The rounding rules: bands of answers, shares to 5 points with capped ends, taking part, verdicts on change.

All rounding of counts is done in whole numbers or exact fractions, so that a share on an edge (62.5%) prints the
same on every machine. "Nearest 5" sends ties upwards throughout.
"""

import math
import operator
from fractions import Fraction

SMALLEST_THRESHOLD = 5
AT_LEAST, AT_MOST, UNCLEAR = "at_least", "at_most", "unclear"

_BANDS = ((50, "50+"), (30, "30–49"), (20, "20–29"), (15, "15–19"), (10, "10–14"), (5, "5–9"))
_TOP, _BOTTOM, STEP = 90, 10, 5
COARSE = (
    10  # the wider step, for groups under 50: two or more numbers of answers print alike even among twenty
)
ENDS_FROM = 10  # below it the two end bands of a printed band of answers would meet
COARSENESS = ("tens", "broad")
# Broad classes for groups under 50: thirds, and halves under 15, where a third would hold fewer than four people. Their
# "step" is their width; printed are the edge of an open class and the middle of the closed one.
THIRDS, HALVES = 33, 50
_THIRD, _HALF = Fraction(1, 3), Fraction(1, 2)
_BROAD: dict[int, dict[tuple[int, str | None], tuple[Fraction, Fraction]]] = {
    THIRDS: {
        (33, AT_MOST): (Fraction(0), _THIRD),
        (50, None): (_THIRD, 1 - _THIRD),
        (67, AT_LEAST): (1 - _THIRD, Fraction(1)),
    },
    HALVES: {(50, AT_MOST): (Fraction(0), _HALF), (50, AT_LEAST): (_HALF, Fraction(1))},
}
# The tops that `end_bands` gives for the floors of bands; bottoms mirror them.
_TOPS = {STEP: (90, 85, 80, 75, 60), COARSE: (90, 80, 70, 60)}
_HELD = 4  # an end band holds this many people: the three whose answers an intruder may have, and one more


def band(n: int) -> str | None:
    """Printed band of a number of answers ("10–14"), None below 5: such a number is never printed.

    Raises ValueError for a negative or fractional number.
    """
    n = whole(n)
    return next((name for floor, name in _BANDS if n >= floor), None)


def band_floor(n: int) -> int | None:
    """Number of answers that intervals are computed from: the least of the band, None below 5.

    "50+" would make the intervals of a large body needlessly wide, so from 50 on the floor is a rung of a
    coarse ladder: 50, 75, 100, 150, 200, 300, 500, 750, 1000, and so on by tens. The rung can be worked out
    from an interval and therefore counts as printed. Never above `n`, hence never above the number invited.

    Raises ValueError for a negative or fractional number.
    """
    n = whole(n)
    if n >= 100:
        decade = 10 ** (len(str(n)) - 1)
        return max(step * decade // 2 for step in (2, 3, 4, 6, 10, 15) if step * decade // 2 <= n)
    return next((floor for floor in (75, *(floor for floor, _ in _BANDS)) if n >= floor), None)


def nearest_5(share: Fraction) -> int:
    """A fraction as percentage points to the nearest 5, ties upwards (also below 0: -2.5 gives 0)."""
    return STEP * math.floor(share * 20 + Fraction(1, 2))


def end_bands(n: int, step: int = STEP) -> tuple[int, int]:
    """Ends that hold at least four people among `n` answers, as (bottom, top) percent in steps: 12 gives (35, 65).

    "At most 35" then leaves open whether none, one, ... or four of twelve were favourable, so that somebody who
    holds three of the answers still cannot tell the others'. Never inside 10 and 90. Where bottom is not below
    top (eight answers and fewer) the two ends cannot be told apart and no share can be printed so.

    Raises ValueError for fewer than 4 answers, or a number that is no count.
    """
    n = whole(n)
    if n < _HELD:
        raise ValueError(f"An end band needs {_HELD} answers.")
    bottom = next(v for v in range(_BOTTOM, 101, step) if count_range(v, AT_MOST, n, step)[1] >= _HELD)
    top = next(v for v in range(_TOP, -1, -step) if count_range(v, AT_LEAST, n, step)[0] <= n - _HELD)
    return bottom, top


def count_range(value: int, cap: str | None, n: int, step: int = STEP) -> tuple[int, int]:
    """Least and greatest number of favourable answers among `n` that print as `value` with `cap`. No errors."""
    if step in _BROAD:
        first, last = _BROAD[step][value, cap]
        return math.ceil(first * n), n if last == 1 else math.ceil(last * n) - 1
    half = Fraction(step, 200)
    low = max(math.ceil((Fraction(value, 100) - half) * n), 0)
    high = min(math.ceil((Fraction(value, 100) + half) * n) - 1, n)
    return (0 if cap == AT_MOST else low), (n if cap == AT_LEAST else high)


def print_share(y: int, n: int, *, ends: bool = False, coarse: str | None = None) -> tuple[int, str | None]:
    """Printed share of `y` favourable among `n` answers, as the pair (percent, cap).

    To the nearest 5. Everything that rounds to 90 or more is (90, "at_least"), to 10 or less (10, "at_most"),
    so a true 0% or 100% is never seen; otherwise the cap is None. With `ends` the two ends begin where
    `end_bands` says for the floor of the band of `n`, so that they tell of `n` no more than its band. `coarse`:
    one of `COARSENESS`, always with ends. Fewer than 50 answers are then printed to the nearest 10 ("tens"), or by the
    third or half that they fall into ("broad").

    Raises ValueError unless 0 <= y <= n and n > 0 (where nobody answered there is no share), and with `ends`
    below 10 answers.
    """
    y, n = whole(y), whole(n)
    if not 0 <= y <= n or n == 0:
        raise ValueError("A share needs 0 <= favourable <= answered, and at least one answer.")
    bottom, top, step = _BOTTOM, _TOP, step_of(n, coarse)
    if ends:
        if n < ENDS_FROM:
            raise ValueError(f"End bands of four need {ENDS_FROM} answers.")
        if step in _BROAD:
            return next(
                pair
                for pair in _BROAD[step]
                if count_range(*pair, n, step)[0] <= y <= count_range(*pair, n, step)[1]
            )
        bottom, top = end_bands(band_floor(n), step)
    value = step * ((200 // step * y + n) // (2 * n))
    if value >= top:
        return top, AT_LEAST
    if value <= bottom:
        return bottom, AT_MOST
    return value, None


def share_cell(value: int, cap: str | None, step: int = STEP) -> tuple[Fraction, Fraction]:
    """Smallest and largest true share (exact fractions) that print as `value` with `cap`.

    The largest is the edge that is no longer reached, except 1: taking it in costs nothing and errs on the wide side.

    Raises ValueError for a pair that `print_share` never gives.
    """
    if step in _BROAD:
        if (value, cap) in _BROAD[step]:
            return _BROAD[step][value, cap]
        raise ValueError(f"No share prints as {value} with cap {cap}.")
    half = Fraction(step, 200)
    if cap == AT_LEAST and value in _TOPS[step]:
        return Fraction(value, 100) - half, Fraction(1)
    if cap == AT_MOST and 100 - value in _TOPS[step]:
        return Fraction(0), Fraction(value, 100) + half
    if cap is None and _BOTTOM < value < _TOP and value % step == 0:
        return Fraction(value, 100) - half, Fraction(value, 100) + half
    raise ValueError(f"No share prints as {value} with cap {cap}.")


def step_of(n: int, coarse: str | None) -> int:
    """The step in which a share of `n` answers is printed; ValueError for a `coarse` that is none of `COARSENESS`."""
    if coarse not in (None, *COARSENESS):
        raise ValueError(f"A share is printed plainly, or in {' or '.join(COARSENESS)}.")
    if coarse is None or n >= _BANDS[0][0]:
        return STEP
    return COARSE if coarse == "tens" else THIRDS if n >= _BANDS[3][0] else HALVES


def participation_percent(answered: int, invited: int) -> int | None:
    """Share of a body's invited members who took part, in percent to the nearest 5; None below 10 invited.

    Raises ValueError unless 0 <= answered <= invited.
    """
    answered, invited = _taking_part(answered, invited)
    return nearest_5(Fraction(answered, invited)) if invited >= 10 else None


def participation_band(answered: int, invited: int) -> str | None:
    """Taking part of one practice in words: "none", "low" (under a third), "half" (a third to two thirds), "most".

    There is no "all": it would say of each person that they answered. None below 5 invited; such practices are
    pooled by the caller.

    Raises ValueError unless 0 <= answered <= invited.
    """
    answered, invited = _taking_part(answered, invited)
    if invited < 5:
        return None
    if answered == 0:
        return "none"
    if 3 * answered < invited:
        return "low"
    return "half" if 3 * answered <= 2 * invited else "most"


def whole(number: int) -> int:
    """A count as a plain int; ValueError for fractions, truth values and negative numbers."""
    if isinstance(number, bool):
        raise ValueError("A count must be a whole number.")
    try:
        number = operator.index(number)
    except TypeError:
        raise ValueError("A count must be a whole number.") from None
    if number < 0:
        raise ValueError("A count cannot be negative.")
    return number


def _taking_part(answered: int, invited: int) -> tuple[int, int]:
    answered, invited = whole(answered), whole(invited)
    if answered > invited:
        raise ValueError("More people answered than were invited.")
    return answered, invited
