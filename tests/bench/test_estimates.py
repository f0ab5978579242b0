"""The bench of the national job runs at a size that takes a moment, and compares numbers with svy."""

from __future__ import annotations

import numpy as np
import pytest

from engagement import bench
from engagement.bench import estimates
from engagement.errors import EngagementError


def quiet(_line: str) -> None:
    """Says nothing."""


def test_the_national_job_is_measured_beside_svy():
    """Time, growth and memory stand beside their baselines, the numbers are svy's, and a small job judges no goal."""
    pytest.importorskip("svy")
    results = estimates.run(quiet, rows=(4_000, 20_000), slice_=1)
    found = [result.as_json() for result in results]
    assert [each["name"] for each in found] == ["estimates", "estimates-growth", "estimates-memory"]
    assert all(each["ratio"] > 0 and each["met"] is None for each in found)
    assert set(found[0]["detail"]["sizes"]) == {"4000", "20000"}
    assert 0 <= found[0]["detail"]["svy"]["difference"] < 1e-9
    assert "extrapolated from a slice" in bench.table(found)


def test_a_difference_from_svy_is_found():
    """The comparison notices a number of ours that is off, and a number that svy has and we have not."""
    pytest.importorskip("svy")
    answers = estimates.invented(20_000)
    ours = estimates.job(*answers)
    ((estimate, gaps),) = estimates._body_by_svy(*answers, 5, items=1)
    assert estimates._apart(ours, 0, 5, estimate, gaps) < 1e-9
    for wrong, expected in ((ours.se * 1.001, 1e-6), (np.full_like(ours.se, np.nan), np.nan)):
        off = {**{name: getattr(ours, name) for name in ours.__dataclass_fields__}, "se": wrong}
        apart = estimates._apart(estimates.National(**off), 0, 5, estimate, gaps)
        assert np.isnan(apart) if np.isnan(expected) else apart > expected


def test_without_svy_the_note_says_so(monkeypatch):
    """Where svy is not installed the time is printed, and nothing is said to be met."""
    monkeypatch.setattr(estimates, "find_spec", lambda _name: None)
    first = estimates.run(quiet, rows=(2_000,))[0].as_json()
    assert first["figure"] > 0 and first["baseline_figure"] is None and first["met"] is None
    assert estimates.NO_SVY in first["note"]


def test_a_failing_process_is_an_error():
    """The child's trouble becomes the bench's own error."""
    with pytest.raises(EngagementError, match="The estimating process failed"):
        estimates._child(-1)
