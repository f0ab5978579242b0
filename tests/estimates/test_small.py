"""Small practices: the beta-binomial against VGAM, posteriors, and funnel limits."""

import csv
import dataclasses
import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from engagement.estimates import beta_binomial, funnel, posterior_shares

FOLDER = Path(__file__).parents[1] / "fixtures" / "r"
GOLDEN = json.loads((FOLDER / "small.json").read_text(encoding="utf-8"))


def answers(name):
    with (FOLDER / "small_input.csv").open(newline="", encoding="utf-8") as file:
        rows = [(int(r["y"]), int(r["n"])) for r in csv.DictReader(file) if r["set"] == name]
    return np.array(rows).T


def by_set(figure):
    return [pytest.param(case, id=case["set"]) for case in GOLDEN[figure]]


@pytest.mark.parametrize("golden", by_set("beta_binomial"))
def test_fit_and_posteriors_equal_vgam(golden):
    """Mean and correlation are within 1e-6 of VGAM's, and so are the posteriors that follow from them."""
    y, n = answers(golden["set"])
    fit = beta_binomial(y, n)
    found = posterior_shares(fit, y, n, threshold=0.3)
    np.testing.assert_allclose((fit.mu, fit.rho), (golden["mu"], golden["rho"]), atol=1e-6)
    for ours, theirs in (("mean", "mean"), ("low", "low"), ("high", "high"), ("p_below", "p_below_30")):
        np.testing.assert_allclose(getattr(found, ours), golden[theirs], atol=1e-6)


@pytest.mark.parametrize("golden", by_set("funnel"))
def test_funnel_equals_the_formula_in_r(golden):
    """Centre, overdispersion and all four limits equal Spiegelhalter's formulas written in base R."""
    y, n = answers(golden["set"])
    found = funnel(y, n)
    for name in ("centre", "phi", "tau2"):
        np.testing.assert_allclose(getattr(found, name), golden[name], atol=1e-9)
    for name in ("low95", "high95", "low998", "high998"):
        limits = getattr(found, name)
        np.testing.assert_allclose(limits[n >= 10], golden[name], atol=1e-9)
        assert np.isnan(limits[n < 10]).all()


def test_fixture_has_both_kinds_of_funnel():
    """One set differs more than by chance, so that its limits are widened, and one does not."""
    assert {case["set"]: case["tau2"] > 0 for case in GOLDEN["funnel"]} == {"wide": True, "chance": False}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=25))
@settings(deadline=None)
def test_no_other_parameters_are_likelier(pairs):
    """The likelihood is scipy's, and no point nearby or on a grid has a higher one."""
    y, n = np.array([a for a, _ in pairs]), np.array([a + b for a, b in pairs])
    fit = beta_binomial(y, n)
    if fit.mu is None:
        assert fit.explanation
        return

    # scipy's also counts the ways to choose the favourable, which no parameter moves.
    ways = sum(math.log(math.comb(int(b), int(a))) for a, b in zip(y, n, strict=True))

    def log_likelihood(mu, rho):
        return betabinom.logpmf(y, n, mu * (1 - rho) / rho, (1 - mu) * (1 - rho) / rho).sum() - ways

    assert log_likelihood(fit.mu, fit.rho) == pytest.approx(fit.log_likelihood, abs=1e-4)
    others = [
        log_likelihood(mu, rho) for mu in np.linspace(0.05, 0.95, 13) for rho in (0.001, 0.05, 0.2, 0.5, 0.9)
    ]
    assert fit.log_likelihood >= max(others) - 1e-4


def test_few_answers_are_drawn_to_the_mean():
    """Of two practices with the same share, the one with fewer answers is shrunk more and known less."""
    y, n = answers("small")
    fit = beta_binomial(y, n)
    found = posterior_shares(fit, [2, 20, 0], [2, 20, 0], threshold=fit.mu)
    few, many, none = found.mean
    assert fit.mu == pytest.approx(none) and fit.mu < few < many < 1
    assert found.high[1] - found.low[1] < found.high[0] - found.low[0] < found.high[2] - found.low[2]
    assert found.p_below[1] < found.p_below[0] < found.p_below[2]
    assert np.all((found.low < found.mean) & (found.mean < found.high))


def test_shrinking_is_nearer_the_truth_than_raw_shares():
    """Over 60 practices of 2 to 8 answers the shrunk shares have well under the raw shares' error."""
    rng = np.random.default_rng(11)
    raw, shrunk, inside = [], [], []
    for _ in range(40):
        truth, n = rng.beta(3.5, 5, 60), rng.integers(2, 9, 60)
        y = rng.binomial(n, truth)
        found = posterior_shares(beta_binomial(y, n), y, n, threshold=0.3)
        raw.append(np.mean((y / n - truth) ** 2))
        shrunk.append(np.mean((found.mean - truth) ** 2))
        inside.append(np.mean((found.low <= truth) & (truth <= found.high)))
    assert np.sqrt(np.mean(shrunk)) < 0.7 * np.sqrt(np.mean(raw))
    # A little short of 95%: the fit is taken as known.
    assert 0.90 < np.mean(inside) < 0.96


def test_practices_that_differ_by_chance_only():
    """Without more spread than chance the fit ends at its bound, says so, and everybody gets the mean."""
    fit = beta_binomial([1, 1, 1, 1], [2, 2, 2, 2])
    assert fit.rho == pytest.approx(1e-6) and "chance" in fit.explanation
    found = posterior_shares(fit, [2, 0], [2, 2], threshold=0.4)
    np.testing.assert_allclose(found.mean, 0.5, atol=1e-5)


def test_practices_of_one_mind():
    """Where all of a practice always agree the fit ends at its other bound and says so."""
    fit = beta_binomial([3, 0, 4, 0], [3, 3, 4, 2])
    assert fit.rho == pytest.approx(0.999) and "wholly" in fit.explanation


@pytest.mark.parametrize(
    "y, n, reason",
    [
        ([], [], "two practices"),
        ([3], [7], "two practices"),
        ([3, 0], [7, 0], "two practices"),
        ([1, 0, 1], [1, 1, 1], "two answers"),
        ([0, 0], [4, 5], "alike"),
        ([4, 5], [4, 5], "alike"),
    ],
)
def test_nothing_is_fitted_where_nothing_can_be_seen(y, n, reason):
    """One practice, single answers and unanimous answers give no fit and a reason; a posterior is then refused."""
    fit = beta_binomial(np.array(y, int), np.array(n, int))
    assert fit.mu is fit.rho is fit.a is None and reason in fit.explanation
    with pytest.raises(ValueError, match="cannot be compared"):
        posterior_shares(fit, [1], [2], threshold=0.3)


def test_practices_without_answers_change_nothing():
    """A practice that nobody answered from leaves the fit as it was, whatever the order."""
    y, n = answers("small")
    fit = beta_binomial(y, n)
    more = beta_binomial(np.append(y, [0, 0])[::-1], np.append(n, [0, 0])[::-1])
    assert (more.mu, more.rho, more.practices) == (fit.mu, fit.rho, 60)


def test_eight_thousand_practices_in_a_moment():
    """The fit and all posteriors of a country take a fraction of a second."""
    rng = np.random.default_rng(12)
    n = rng.integers(2, 9, 8000)
    y = rng.binomial(n, rng.beta(3, 4, 8000))
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        posterior_shares(beta_binomial(y, n), y, n, threshold=0.3)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5


def test_funnel_says_who_is_outside():
    """A practice past the 95% limits is marked 1, past the 99.8% limits 2, with the sign of its side."""
    y, n = np.array([20] * 30 + [28, 33, 12, 6, 2]), np.array([40] * 34 + [4])
    found = funnel(y, n)
    assert found.tau2 == 0 and found.practices == 34
    assert found.outside.tolist() == [0] * 30 + [1, 2, -1, -2, 0]
    assert found.share[-1] == 0.5 and np.isnan(found.low95[-1])


def test_funnel_narrows_with_answers_and_stays_in_range():
    """Limits close in as answers grow, contain the centre, and never leave 0 to 1 nor turn back at its ends."""
    n = np.array([10, 20, 50, 200])
    for y in (np.array([0, 0, 1, 1]), np.array([10, 20, 49, 200]), np.array([5, 10, 25, 100])):
        found = funnel(y, n)
        assert np.all(np.diff(found.high998 - found.low998) <= 1e-12)
        for low, high in ((found.low95, found.high95), (found.low998, found.high998)):
            assert np.all((low >= 0) & (low <= found.centre) & (found.centre <= high) & (high <= 1))


def test_funnel_needs_two_practices_of_ten():
    """With fewer than two large enough practices there are no limits, and the result says so."""
    found = funnel([5, 3, 0], [12, 9, 0])
    assert found.centre is None and np.isnan(found.low95).all() and not found.outside.any()
    assert "ten answers" in found.explanation
    np.testing.assert_array_equal(found.share, [5 / 12, 1 / 3, np.nan])


@pytest.mark.parametrize("y, n", [([3], [2]), ([-1], [2]), ([1.5], [2]), ([1, 2], [2]), ([[1]], [[2]])])
def test_bad_counts_are_refused(y, n):
    """More favourable answers than answers, fractions and ragged lists raise ValueError."""
    for figure in (beta_binomial, funnel):
        with pytest.raises(ValueError, match=r"whole|one length"):
            figure(y, n)


def test_bad_thresholds_are_refused_and_results_are_frozen():
    """A threshold in per cent is refused, and no result can be changed."""
    fit = beta_binomial(*answers("small"))
    with pytest.raises(ValueError, match="percentages"):
        posterior_shares(fit, [1], [2], threshold=30)
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.mu = 1
    with pytest.raises(ValueError, match="read-only"):
        posterior_shares(fit, [1], [2], threshold=0.3).mean[0] = 1
