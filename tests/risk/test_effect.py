"""The evaluation of outreach: held against R, against draws that are known, and against bodies whose truth is known."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engagement.bench import outreach as bench
from engagement.bench import worlds
from engagement.risk import effect
from engagement.risk.assess import refit
from engagement.risk.effect import SCORE, SHARE, Effect, Measure

FIXTURES = Path(__file__).parent.parent / "fixtures" / "r"
GOLDEN = json.loads((FIXTURES / "effect.json").read_text())


def measure(surprise, variance=None, **kept) -> Measure:
    """A measure with these surprises and a forecast of 0 that is known exactly."""
    surprise = np.asarray(surprise, float)
    m = len(surprise)
    variance = np.full(m, 0.1) if variance is None else np.asarray(variance, float)
    people = np.full(m, 5)
    given = {
        "before": np.zeros(m), "forecast": np.zeros(m), "observed": surprise, "variance": variance, "people": people,
        "people_before": people, "traits": np.zeros((m, 3)), "doubt": np.zeros((3, 3)),
    }  # fmt: skip
    return Measure(**given | kept)


def golden() -> tuple[Measure, np.ndarray, np.ndarray]:
    """The input of the R script: the measure, who was treated, the strata."""
    with (FIXTURES / "effect_input.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return (
        measure(columns["surprise"], columns["variance"]),
        columns["treated"] == 1,
        columns["stratum"].astype(int),
    )


def test_the_comparison_is_that_of_r():
    """Estimate, standard error and degrees of freedom equal clubSandwich's CR2 on one cluster a practice, to 1e-9."""
    given, treated, _ = golden()
    found, wanted = effect.compare(given, treated), GOLDEN["regression"]
    assert found.estimate == pytest.approx(wanted["estimate"], abs=1e-9)
    assert (found.se, found.df) == pytest.approx((wanted["se"], wanted["df"]), rel=1e-9)
    assert (found.treated, found.others) == (7, 10)
    assert found.high - found.estimate == pytest.approx(found.estimate - found.low)


def test_the_lot_is_that_of_brute_force():
    """Estimate, p and both ends of the interval equal trying all draws in R, where the ends were found by halving."""
    given, treated, strata = golden()
    found, wanted = effect.by_lot(given, treated, strata), GOLDEN["lot"]
    assert found.exact and found.draws == wanted["draws"]
    assert (found.estimate, found.p) == pytest.approx((wanted["estimate"], wanted["p"]), abs=1e-9)
    assert (found.low, found.high) == pytest.approx((wanted["low"], wanted["high"]), abs=1e-9)


@pytest.mark.parametrize("case", ["apart", "alike"])
def test_pooling_is_that_of_r(case):
    """Mean, interval and spread equal metafor's Paule-Mandel with Hartung and Knapp's interval and its floor."""
    wanted = GOLDEN["pooled"][case]
    found = effect.pool(
        [Effect(y, se, 10, y - 1, y + 1, 8, 32) for y, se in zip(wanted["y"], wanted["se"], strict=True)]
    )
    for ours, theirs in {
        "estimate": "estimate", "low": "low", "high": "high", "se": "standard_error", "spread": "spread",
        "common_estimate": "common_estimate", "common_low": "common_low", "common_high": "common_high",
    }.items():  # fmt: skip
        assert getattr(found, ours) == pytest.approx(wanted[theirs], abs=1e-6), ours
    assert (found.bodies, found.treated) == (len(wanted["y"]), 8 * len(wanted["y"]))
    with pytest.raises(ValueError, match="two bodies"):
        effect.pool([Effect(0.1, 0.1, 5, 0, 1, 8, 8)])


def test_power_is_that_of_r():
    """The chance to show an effect, and the effect with a chance of 80%, equal R's."""
    for name in ("balanced", "small"):
        wanted = GOLDEN["power"][name]
        assert effect._chance(wanted["effect"], wanted["df"]) == pytest.approx(wanted["chance"], abs=1e-9)
    found = effect.power(np.full(24, 0.36), 12)
    wanted = GOLDEN["power"]["detectable"]
    assert found.df == pytest.approx(wanted["df"])
    assert found.se == pytest.approx(0.6 * np.sqrt(2 / 12))
    assert found.detectable / found.se == pytest.approx(wanted["effect"], abs=1e-9)
    assert found.chance(0.5) == pytest.approx(GOLDEN["power"]["balanced"]["chance"], abs=1e-9)
    assert effect.power(np.append(np.full(24, 0.36), [np.inf, np.nan]), 12) == found
    assert effect.power(np.full(24, 0.36), 4) is None and effect.power(np.full(24, 0.36), 20) is None


def test_fewer_than_five_on_a_side_give_no_figure():
    """Four practices on either side, counting only those observed, give nothing; five do."""
    surprise = np.arange(12.0)
    treated = np.arange(12) < 5
    assert effect.compare(measure(surprise), treated).treated == 5
    assert effect.by_lot(measure(surprise), treated, np.zeros(12, int)).treated == 5
    gone = measure(np.where(np.arange(12) == 0, np.nan, surprise))
    for given, sides in ((gone, treated), (gone, ~treated), (measure(surprise), surprise < 4)):
        assert effect.compare(given, sides) is None
        assert effect.by_lot(given, sides, np.zeros(12, int)) is None
    assert effect.before_after(gone, treated) is None


def test_the_lot_keeps_its_promise():
    """Over repeated draws a true effect lies in the interval in 95% or a little more, and p is small as often as it says."""
    rng = np.random.default_rng(3)
    # Skewed and unequal, as no t test would like them.
    strata, base = np.repeat([0, 1], 6), np.exp(rng.normal(0, 1.5, 12))
    variance = rng.uniform(0.5, 2, 12)
    draws, _ = effect._draws(np.tile([True, True, True, False, False, False], 2), strata)
    covered, small = [], []
    for early in draws:
        found = effect.by_lot(measure(base + 0.7 * early, variance), early, strata)
        covered.append(found.low <= 0.7 + 1e-9 and found.high >= 0.7 - 1e-9)
        small.append(effect.by_lot(measure(base, variance), early, strata).p <= 0.05)
    assert len(draws) == 400
    assert 0.95 <= np.mean(covered) <= 0.97
    assert np.mean(small) <= 0.05


def test_many_draws_are_sampled_with_the_one_that_was_made_among_them():
    """Where all draws are too many, 10,000 are compared, no p is 0, and a stratum visited whole adds nothing."""
    rng = np.random.default_rng(1)
    strata = np.append(np.repeat([0, 1], 15), np.full(4, 2))
    early = np.append(np.tile(np.arange(15) < 7, 2), np.ones(4, bool))
    given = measure(rng.normal(0, 0.1, 34) + 5.0 * early)
    found = effect.by_lot(given, early, strata)
    assert not found.exact and found.draws == 10_000 and found.p == 1 / 10_000
    assert found.low > 4 and found.high < 6
    shifted = replace(given, observed=given.observed + 100 * (strata == 2))
    assert effect.by_lot(shifted, early, strata).estimate == pytest.approx(found.estimate)
    assert effect.by_lot(given, early, np.full(34, -1)) is None
    assert effect.by_lot(given, strata == 0, strata) is None


def test_what_comes_later_and_who_did_not_agree_move_nothing():
    """Forecasts stand before their round, and answers that do not count leave surprises of score as they were."""
    rounds = worlds.body("groups", 3, rounds=6).agreeing(0.5)
    constants = refit(rounds[:4])
    found = effect.measures(rounds[:5], constants, rounds[5])
    other = worlds.body("groups", 4, rounds=6).agreeing(0.5)[5]
    later = effect.measures(rounds[:5], constants, replace(other, open=rounds[5].open))
    for name in (SHARE, SCORE):
        both = later[name].known & found[name].known
        assert both.any()
        assert np.allclose(later[name].forecast[both], found[name].forecast[both])
    own = np.bincount(rounds[5].practice, minlength=40) < rounds[5].threshold
    hidden = ~rounds[5].agreed & own[rounds[5].practice]
    assert hidden.any()
    turned = replace(rounds[5], score=np.where(hidden, 6 - rounds[5].score, rounds[5].score))
    again = effect.measures(rounds[:5], constants, turned)
    for name in (SHARE, SCORE):
        assert np.array_equal(again[name].surprise, found[name].surprise, equal_nan=True)


def test_visits_of_earlier_rounds_do_not_teach_the_correction():
    """What visited practices did in earlier rounds leaves the correction of later forecasts as it was."""
    rounds = worlds.body("continuum", 5, rounds=6).agreeing(1.0)
    constants = refit(rounds[:4])
    plain = [effect._forecast(rounds[:t], constants, rounds[t])[SHARE] for t in range(2, 6)]
    visited = np.arange(40) < 8
    better = [
        replace(each, observed=each.observed + visited) if at < len(plain) - 1 else each
        for at, each in enumerate(plain)
    ]
    nobody, some = [np.ones(40, bool)] * 3, [~visited] * 3
    assert np.allclose(
        effect._corrected(plain, some).forecast, effect._corrected(better, some).forecast, equal_nan=True
    )
    assert not np.allclose(
        effect._corrected(plain, nobody).forecast, effect._corrected(better, nobody).forecast, equal_nan=True
    )
    flags = np.zeros((40, 5), bool)
    flags[:8, 2:] = True
    found = effect.measures(rounds[:5], constants, rounds[5], flags)[SHARE]
    assert np.allclose(found.forecast, effect._corrected(plain, some).forecast, equal_nan=True)


def test_before_and_after_flatters_and_the_forecast_does_not():
    """On bodies where visits do nothing, practices picked for a bad round answer far more by themselves; what is
    compared with the forecast does not."""
    found = bench.run(2)
    share = found["designs"][bench.WORST][SHARE]
    nothing = share[bench.NOTHING]["all"]
    assert nothing["truth"] == 0 and nothing["bodies"] == 10
    assert nothing["before and after"] > 0.2 and nothing["difference in differences"] > 0.2
    assert abs(nothing["bias"]) < 0.1 and nothing["covered"] > 0.7
    assert abs(share[bench.SOMETHING]["all"]["bias"]) < 0.1
    assert share[bench.SOMETHING]["all"]["truth"] == pytest.approx(0.15, abs=0.01)
    text = bench.table(found)
    assert "Goals" in text and bench.BY_LOT in text
    json.dumps(found)


def test_a_return_to_the_usual_is_told_apart():
    """Practices that come back from a bad round change by what was expected of them; a body's own rise is not theirs."""
    before = np.where(np.arange(20) < 6, 0.2, 0.6)
    usual = measure(np.full(20, 0.5) + 0.1, before=before, forecast=np.full(20, 0.5))
    found = effect.before_after(usual, np.arange(20) < 6)
    assert found.change == pytest.approx(0.4) and found.treated == 6
    # All practices together are expected 0.02 above their last round; the rest is their return.
    assert found.returned == pytest.approx(0.3 - np.mean(0.5 - before))


def test_doubt_about_the_correction_widens_the_interval():
    """The standard error takes in the slopes' variance, by how far the two sides' traits lie apart; nothing else moves."""
    given, treated, _ = golden()
    plain = effect.compare(given, treated)
    traits = np.zeros((len(treated), 3))
    traits[treated, 1] = 0.4
    found = effect.compare(replace(given, traits=traits, doubt=np.diag([9.0, 0.25, 9.0])), treated)
    assert found.se == pytest.approx(np.hypot(plain.se, 0.5 * 0.4))
    assert (found.estimate, found.df) == pytest.approx((plain.estimate, plain.df))


def test_two_rounds_forecast_without_a_past_to_learn_from():
    """From two rounds the forecast is the filter's own and the slopes are as unsure as their prior; from one there is none."""
    rounds = worlds.body("groups", 6, rounds=3).agreeing(1.0)
    constants = refit(rounds[:2])
    for name, found in effect.measures(rounds[:2], constants, rounds[2]).items():
        bare = effect._forecast(rounds[:2], constants, rounds[2])[name]
        assert np.array_equal(found.forecast, bare.forecast, equal_nan=True) and found.known.any()
        assert np.allclose(found.doubt, 0.09 * np.eye(3))
    assert not any(each.known.any() for each in effect.measures(rounds[:1], constants, rounds[1]).values())
