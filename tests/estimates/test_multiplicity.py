"""Holm's adjustment."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.estimates import holm


@given(st.lists(st.floats(0, 1), max_size=20), st.randoms(use_true_random=False))
def test_holm_keeps_order_and_never_helps(p, random):
    """Adjusted values keep the order of the raw, are never smaller, and do not depend on the order given."""
    adjusted = holm(p)
    assert np.all(adjusted >= np.array(p)) and np.all(adjusted <= 1)
    assert np.all(np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0)
    order = random.sample(range(len(p)), len(p))
    np.testing.assert_array_equal(holm([p[i] for i in order]), adjusted[order] if p else [])


def test_a_family_of_one_is_not_adjusted():
    """One comparison stands as it is, and no comparison gives none."""
    assert holm([0.03]) == [0.03]
    assert holm([]).shape == (0,)


@pytest.mark.parametrize("p", [[0.1, np.nan], [1.1], [-0.1], [[0.1]]])
def test_holm_refuses_what_is_no_p_value(p):
    """An untested item does not belong to the family and is refused."""
    with pytest.raises(ValueError, match="p-value"):
        holm(p)
