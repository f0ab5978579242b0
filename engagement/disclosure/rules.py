"""The rounding rules: bands of answers, shares to 5 points with capped ends, taking part, verdicts on change.

All rounding of counts is done in whole numbers or exact fractions, so that a share on an edge (62.5%) prints the
same on every machine. "Nearest 5" sends ties upwards throughout.
"""

import math
import operator
from fractions import Fraction

SMALLEST_THRESHOLD = 5
AT_LEAST, AT_MOST, UNCLEAR = "at_least", "at_most", "unclear"
CHANGE_VERDICTS = ("wider", "narrower", "no clear change", "cannot say")

_BANDS = ((50, "50+"), (30, "30–49"), (20, "20–29"), (15, "15–19"), (10, "10–14"), (5, "5–9"))
_TOP, _BOTTOM, _STEP = 90, 10, 5
_HALF_STEP = Fraction(5, 200)
_ALPHA = 0.05


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
    return _STEP * math.floor(share * 20 + Fraction(1, 2))


def print_share(y: int, n: int) -> tuple[int, str | None]:
    """Printed share of `y` favourable among `n` answers, as the pair (percent, cap).

    To the nearest 5. Everything that rounds to 90 or more is (90, "at_least"), to 10 or less (10, "at_most"),
    so a true 0% or 100% is never seen; otherwise the cap is None.

    Raises ValueError unless 0 <= y <= n and n > 0: where nobody answered there is no share.
    """
    y, n = whole(y), whole(n)
    if not 0 <= y <= n or n == 0:
        raise ValueError("A share needs 0 <= favourable <= answered, and at least one answer.")
    value = _STEP * ((40 * y + n) // (2 * n))
    if value >= _TOP:
        return _TOP, AT_LEAST
    if value <= _BOTTOM:
        return _BOTTOM, AT_MOST
    return value, None


def share_cell(value: int, cap: str | None) -> tuple[Fraction, Fraction]:
    """Smallest and largest true share (exact fractions) that print as `value` with `cap`.

    The largest is the edge that is no longer reached, except 1: taking it in costs nothing and errs on the wide side.

    Raises ValueError for a pair that `print_share` never gives.
    """
    if (value, cap) == (_TOP, AT_LEAST):
        return Fraction(_TOP, 100) - _HALF_STEP, Fraction(1)
    if (value, cap) == (_BOTTOM, AT_MOST):
        return Fraction(0), Fraction(_BOTTOM, 100) + _HALF_STEP
    if cap is None and _BOTTOM < value < _TOP and value % _STEP == 0:
        return Fraction(value, 100) - _HALF_STEP, Fraction(value, 100) + _HALF_STEP
    raise ValueError(f"No share prints as {value} with cap {cap}.")


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


def print_change(
    delta: float | None, low: float | None, high: float | None, p_adjusted: float | None, capped: bool
) -> dict[str, str | int | None]:
    """Printed verdict on the change of a gap, as {"verdict": one of CHANGE_VERDICTS, "points": int or None}.

    `delta`, its 95% interval `low`, `high`: exact fractions, later minus earlier. `p_adjusted`: two-sided, over
    the family of comparisons. `capped`: any of the four shares prints with a cap. "wider" means that leaders
    moved up against grassroots, whatever the sign of the gap. It takes an interval without 0 and an adjusted p
    below .05; without interval or p-value: "cannot say".

    Points, to the nearest 5, only for a clear change between uncapped shares and when they do not round to 0.

    Raises ValueError where the interval does not contain `delta`, or p lies outside [0, 1].
    """
    if any(value is None or not math.isfinite(value) for value in (delta, low, high, p_adjusted)):
        return {"verdict": "cannot say", "points": None}
    if not low <= delta <= high:
        raise ValueError("The interval does not contain the change.")
    if not 0 <= p_adjusted <= 1:
        raise ValueError("A p-value must lie between 0 and 1.")
    if p_adjusted >= _ALPHA or low <= 0 <= high:
        return {"verdict": "no clear change", "points": None}
    # Floats of exact fourths and the like: 0.125 must not fall on either side of its tie by rounding error.
    points = nearest_5(Fraction(delta).limit_denominator(10**9))
    return {
        "verdict": "wider" if delta > 0 else "narrower",
        "points": None if capped or points == 0 else points,
    }


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
