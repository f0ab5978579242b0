"""Holm's adjustment for headline items, Benjamini and Hochberg's for the explored."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.estimates import agresti_caffo, benjamini_hochberg, holm, newcombe, wilson
from tests.estimates.golden_change import GOLDEN, close

ADJUSTMENTS = pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])


@ADJUSTMENTS
@given(st.lists(st.floats(0, 1), max_size=20), st.randoms(use_true_random=False))
def test_adjusting_keeps_order_and_never_helps(adjust, p, random):
    """Adjusted values keep the order of the raw, are never smaller, and do not depend on the order given."""
    adjusted = adjust(p)
    assert np.all(adjusted >= np.array(p)) and np.all(adjusted <= 1)
    assert np.all(np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0)
    order = random.sample(range(len(p)), len(p))
    np.testing.assert_array_equal(adjust([p[i] for i in order]), adjusted[order] if p else [])


@given(st.lists(st.floats(0, 1), max_size=20))
def test_exploring_is_never_stricter_than_headlines(p):
    """Benjamini and Hochberg's values never exceed Holm's."""
    assert np.all(benjamini_hochberg(p) <= holm(p) + 1e-15)


@ADJUSTMENTS
def test_a_family_of_one_is_not_adjusted(adjust):
    """One comparison stands as it is, and no comparison gives none."""
    assert adjust([0.03]) == [0.03]
    assert adjust([]).shape == (0,)


@ADJUSTMENTS
@pytest.mark.parametrize("p", [[0.1, np.nan], [1.1], [-0.1], [[0.1]]])
def test_what_is_no_p_value_is_refused(adjust, p):
    """An untested item does not belong to the family and is refused."""
    with pytest.raises(ValueError, match="p-value"):
        adjust(p)


def test_benjamini_hochberg_equals_p_adjust():
    """Benjamini and Hochberg's adjustment equals R's p.adjust."""
    for family in GOLDEN["benjamini_hochberg"]:
        close(benjamini_hochberg(family["p"]), family["adjusted"])


def test_agresti_caffo_equals_wald_after_one_answer_of_each_kind():
    """The interval equals R's prop.test on counts with one answer of each kind added to each arm."""
    rows = GOLDEN["agresti_caffo"]
    y1, n1, y0, n0, low, high = (
        np.array([row[name] for row in rows]) for name in ("y1", "n1", "y0", "n0", "low", "high")
    )
    close(agresti_caffo(y1, n1, y0, n0), (low, high))


def test_agresti_caffo_at_its_ends():
    """It stays near Newcombe's where both are usual; an arm without answers has none; more than all is refused."""
    theirs = newcombe(12 / 17, wilson(12 / 17, 17), 25 / 70, wilson(25 / 70, 70))
    np.testing.assert_allclose(agresti_caffo(12, 17, 25, 70), theirs, atol=0.03)
    assert all(isinstance(end, float) for end in agresti_caffo(0, 5, 0, 9))
    assert np.isnan(agresti_caffo(0, 0, 3, 9)).all()
    with pytest.raises(ValueError, match="Counts"):
        agresti_caffo(6, 5, 0, 9)
