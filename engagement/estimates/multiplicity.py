"""Many comparisons at once: the headline items of a round are one family, the explored ones another."""

import numpy as np
from numpy.typing import ArrayLike


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's adjusted p-values, in the order given.

    `p_values`: shape (k,), between 0 and 1; k may be 0. Returns shape (k,), never below the values given and
    never above 1. Ties receive the same adjusted value.

    Raises ValueError for another shape, and for a value that is NaN or outside [0, 1]: an item without a
    p-value was not tested and does not belong to the family.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.
    """
    p = _family(p_values)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    # Step-down: a comparison cannot be clearer than one that was clearer before adjustment.
    adjusted[order] = np.minimum(np.maximum.accumulate(np.arange(p.size, 0, -1) * p[order]), 1)
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> np.ndarray:
    """Benjamini and Hochberg's adjusted p-values, in the order given.

    Of the comparisons whose adjusted value is under .05, at most 5% are expected to be false: enough for items
    that are explored, too little for headlines. Arguments, shapes and errors as `holm`.

    Source: Benjamini & Hochberg 1995, Journal of the Royal Statistical Society B 57, 289-300.
    """
    p = _family(p_values)
    order = np.argsort(p, kind="stable")[::-1]
    adjusted = np.empty_like(p)
    # Step-up: a comparison is as clear as one that is less clear before adjustment.
    factors = p.size / np.arange(p.size, 0, -1)
    adjusted[order] = np.minimum(np.minimum.accumulate(factors * p[order]), 1)
    return adjusted


def _family(p_values: ArrayLike) -> np.ndarray:
    p = np.asarray(p_values, float)
    if p.ndim != 1:
        raise ValueError("Give the p-values of one family as a flat list.")
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError("A p-value must lie between 0 and 1; leave items that were not tested out.")
    return p
