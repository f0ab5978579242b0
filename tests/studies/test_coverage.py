"""A small sample of the coverage study, and that its published table still says what the code does."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.studies.coverage import (
    HIGH,
    LOW,
    SETTINGS,
    USUAL,
    Coverage,
    Setting,
    _body,
    _marked,
    measure,
    table,
)

RUNS = 400
PUBLISHED = (Path(__file__).parents[2] / "docs" / "coverage.md").read_text(encoding="utf-8")
ROWS = {
    cells[1].strip(): [float(c.strip(" *")) / 100 for c in cells[4:7]]
    for cells in (line.split("|") for line in PUBLISHED.splitlines() if line.startswith("| "))
    if cells[1].strip() != "setting"
}


@pytest.fixture(scope="module")
def sample() -> dict[str, Coverage]:
    chosen = ("usual body", "small body", "both clustered strongly", "agreeing makes answering likelier")
    return {s.name: measure(s, RUNS) for s in SETTINGS if s.name in chosen}


def test_study_has_enough_settings():
    """At least six settings without bias differ in roster, leader share, response and clustering."""
    assert len(USUAL) >= 6 and any(s.candour for s in SETTINGS)
    for name in ("practices", "members", "share", "response", "icc", "response_icc", "stay"):
        assert len({getattr(s, name) for s in USUAL}) > 1, name


def test_intervals_cover_their_own_target(sample):
    """Without bias, each nominal 95% interval covers 93 to 97% of its own target, as far as a sample can tell."""
    for name in ("usual body", "small body", "both clustered strongly"):
        found = sample[name]
        for coverage in (found.descriptive, found.analytic, found.change):
            assert LOW - 3 * found.error < coverage < HIGH + 3 * found.error, name


def test_neither_interval_answers_the_other_question(sample):
    """Read as a statement on the population, the descriptive interval is far too narrow."""
    assert sample["usual body"].misread < 0.85


def test_bounds_hold_where_the_interval_fails(sample):
    """Where agreeing makes answering likelier the descriptive interval fails; the roster bounds never do."""
    candid = sample["agreeing makes answering likelier"]
    assert candid.descriptive < 0.90 and candid.bias < -0.03
    assert all(found.bounds == 1.0 for found in sample.values())


def test_published_table_agrees_with_the_code(sample):
    """The table in the docs names every setting, and its figures lie within chance of a fresh sample."""
    assert list(ROWS) == [s.name for s in SETTINGS]
    for name, found in sample.items():
        fresh = np.array([found.descriptive, found.analytic, found.change])
        published = np.array(ROWS[name])
        error = np.sqrt(published * (1 - published) / RUNS)
        assert np.all(np.abs(fresh - published) < 4 * error + 0.0005), name


def test_what_falls_outside_is_marked():
    """The table prints a coverage outside 93 to 97% in bold, and one inside it plain."""
    assert (_marked(0.93), _marked(0.97), _marked(0.9), _marked(0.98)) == (
        "93.0",
        "97.0",
        "**90.0**",
        "**98.0**",
    )
    figures = dataclasses.replace(measure(USUAL[0], 2), descriptive=0.5)
    assert "**50.0**" in table([figures])


def test_runs_do_not_depend_on_the_processes():
    """Two processes give the figures of one, and another seed gives others."""
    assert measure(USUAL[0], 300, processes=2) == measure(USUAL[0], 300)
    assert measure(USUAL[0], 300) != measure(USUAL[0], 300, seed=1)


def test_invented_bodies_have_the_shares_that_they_claim():
    """Shares of the population, response, and what members keep between rounds come out as the setting says."""
    setting = Setting("large", practices=4000, members=(60_000, 40_000), response_icc=0.25)
    arm, _, opinion, answered = _body(setting, np.random.default_rng(1))
    for t, shares in enumerate((setting.share, setting.after)):
        for a in (0, 1):
            assert opinion[t][arm[t] == a].mean() == pytest.approx(shares[a], abs=0.015)
            assert answered[t][arm[t] == a].mean() == pytest.approx(setting.response[a], abs=0.015)
    kept = np.corrcoef(*opinion)[0, 1]
    fresh = _body(dataclasses.replace(setting, stay=0.0), np.random.default_rng(1))[2]
    assert kept > np.corrcoef(*fresh)[0, 1] + 0.1
