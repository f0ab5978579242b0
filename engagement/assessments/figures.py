"""How figures of an assessment are printed. Nothing finer leaves the builder."""

from __future__ import annotations

import math

PROBABILITY, POINTS, MEASURE = 0.05, 0.1, 0.01
"""Steps: of probabilities and shares; of attitude, engagement and means; of measures of how well it does."""
SMALLEST_COUNT = 5


def printed(value: float | None, step: float) -> float | None:
    """Rounded to a multiple of a step; None for what is missing, NaN included."""
    if value is None or not math.isfinite(value):
        return None
    return round(round(float(value) / step) * step, 2) + 0.0


def count(number: int) -> int | None:
    """A number of forecasts or practices, None below five."""
    return int(number) if number >= SMALLEST_COUNT else None


def share(value: float | None, step: float = PROBABILITY) -> float | None:
    """A share of practices, never 0 or 1: "all of them" would say of each what happened."""
    found = printed(value, step)
    return None if found is None else min(max(found, PROBABILITY), 1 - PROBABILITY)
