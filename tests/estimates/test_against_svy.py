"""Random designs: our shares, variances, gaps, changes and trends against the independent package svy."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("svy", reason="svy is a test dependency: pip install -e .[test]")

from engagement.estimates import (
    analytic_gap,
    change_in_gap,
    change_in_level,
    linearised,
    national_gaps,
    partial_sums,
    trend_in_gap,
)
from tests.estimates.svy_adapter import means_by_cell

CLOSE = {"rtol": 1e-8, "atol": 1e-8}
RANDOM = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def designs(draw, cells):
    """Practices, cells, answers 0 or 1, and weights or none; every cell has both answers, from several practices."""
    practices = draw(st.integers(2, 9))
    size = draw(st.integers(0, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    practice = np.concatenate([np.arange(2 * cells) % practices, rng.integers(0, practices, size)])
    cell = np.concatenate([np.repeat(np.arange(cells), 2), rng.integers(0, cells, size)])
    share = rng.uniform(0.02, 0.98, cells)
    y = np.concatenate([np.tile([0, 1], cells), rng.random(size) < share[cell[2 * cells :]]]).astype(int)
    weights = rng.uniform(0.2, 5.0, len(y)) if draw(st.booleans()) else None
    return practice, cell, y, weights


def spread(stack, cells):
    """No cell is without variance: there ours falls back on MOVER, and svy reports 0."""
    return np.all(np.diag(stack.covariance)[cells] > 0)


@given(designs(4))
@RANDOM
def test_two_rounds_equal_svy(design):
    """Shares, covariance, gap, its error, the change of a level and of the gap equal svy's on any design."""
    ours, theirs = linearised(*design), means_by_cell(*design)
    assert ours.df == theirs.df
    np.testing.assert_allclose(ours.shares, theirs.shares, **CLOSE)
    np.testing.assert_allclose(ours.covariance, theirs.covariance, **CLOSE)
    gap = analytic_gap(ours, 1, 0)
    np.testing.assert_allclose((gap.gap, gap.se), theirs.contrast({1: 1, 0: -1})[:2], **CLOSE)
    level, change = change_in_level(ours, 0, 2), change_in_gap(ours, 1, 0, 3, 2)
    for found, coefficients in ((level, {0: -1, 2: 1}), (change, {0: 1, 1: -1, 2: -1, 3: 1})):
        numbers = theirs.contrast(coefficients)
        np.testing.assert_allclose((found.change, found.se), numbers[:2], **CLOSE)
        if found.method == "contrast":
            np.testing.assert_allclose((found.low, found.high, found.p_value), numbers[2:], **CLOSE)
        else:
            assert not spread(ours, list(coefficients)) or found.se == 0


@given(designs(8))
@RANDOM
def test_trends_equal_svy(design):
    """The slope of the gap over four rounds equals svy's contrast of eight cells."""
    ours, theirs = linearised(*design), means_by_cell(*design)
    found = trend_in_gap(ours, [1, 3, 5, 7], [0, 2, 4, 6])
    slopes = np.array([-1.5, -0.5, 0.5, 1.5]) / 5
    numbers = theirs.contrast({2 * t + arm: (2 * arm - 1) * slopes[t] for t in range(4) for arm in (0, 1)})
    np.testing.assert_allclose((found.slope, found.se), numbers[:2], **CLOSE)
    if found.method == "contrast":
        np.testing.assert_allclose((found.low, found.high, found.p_value), numbers[2:], **CLOSE)


@given(designs(2), designs(2))
@RANDOM
def test_the_national_job_equals_svy(first, second):
    """Two bodies at once equal svy called one body at a time."""
    both = [
        (*design[:3], np.ones(len(design[2])) if design[3] is None else design[3])
        for design in (first, second)
    ]
    practice, arm, y, weights = (np.concatenate(parts) for parts in zip(*both, strict=True))
    domain = np.repeat([7, 3], [len(design[2]) for design in both])
    found = national_gaps(partial_sums(domain, practice, arm, y[:, None], weights))
    for i, design in ((1, first), (0, second)):
        theirs = means_by_cell(*design)
        np.testing.assert_allclose(found.shares[0, :, i], theirs.shares, **CLOSE)
        np.testing.assert_allclose(found.variance[0, :, i], np.diag(theirs.covariance), **CLOSE)
        np.testing.assert_allclose(
            (found.gap[0, i], found.se[0, i]), theirs.contrast({1: 1, 0: -1})[:2], **CLOSE
        )
