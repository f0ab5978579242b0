"""Judging forecasts: metrics by hand, intervals by practice, walking forward, subgroups, drift."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.risk.judge import (
    CERTAIN,
    TOO_FEW,
    Forecasts,
    Model,
    average_precision,
    baselines,
    brier,
    by_subgroup,
    calibration,
    calibration_table,
    chosen,
    compare,
    coverage,
    draw_intervals,
    drift,
    judge,
    normal_intervals,
    walk_forward,
)


def simulated(seed=0, practices=60, rounds=8, tilt=1.0, shift=0.0):
    """Forecasts whose logit is `tilt` times the true one plus `shift`."""
    rng = np.random.default_rng(seed)
    eta = rng.normal(-0.5, 1.2, practices)
    happened = rng.random((rounds, practices)) < 1 / (1 + np.exp(-eta))
    value = np.tile(1 / (1 + np.exp(-(tilt * eta + shift))), rounds)
    codes = np.tile(np.arange(practices), rounds)
    return Forecasts(codes, np.repeat(np.arange(rounds), practices), value, happened.ravel())


def panel(seed=0, rounds=8, practices=40):
    """Silence, raw scores and true P(silent) of practices that differ for good."""
    rng = np.random.default_rng(seed)
    eta = rng.normal(-0.5, 1.5, practices)
    p = 1 / (1 + np.exp(-eta))
    silent = (rng.random((rounds, practices)) < p).astype(float)
    raw = np.where(silent == 1, np.nan, 3.5 - eta / 3 + rng.normal(0, 0.5, silent.shape))
    return silent, raw, p


def test_average_precision_by_hand():
    """Hits at places 1, 3 and 6 give (1/1 + 2/3 + 3/6) / 3."""
    assert average_precision([1, 0, 1, 0, 0, 1], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]) == pytest.approx(13 / 18)


def test_ties_stand_together():
    """Where all values tie, average precision is the base rate, whatever the order of the rows."""
    assert average_precision([1, 0, 0, 0], [0.5] * 4) == average_precision([0, 0, 0, 1], [0.5] * 4) == 0.25


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(1, 3)), min_size=1, max_size=40))
@settings(deadline=None)
def test_average_precision_against_scikit_learn(rows):
    """With ties and weights, average precision is scikit-learn's."""
    from sklearn.metrics import average_precision_score

    y, value, weight = (np.array(column, float) for column in zip(*rows, strict=True))
    if y.sum() == 0:
        assert np.isnan(average_precision(y, value, weight))
    else:
        expected = average_precision_score(y, value, sample_weight=weight)
        assert average_precision(y, value, weight) == pytest.approx(expected)


def test_brier_by_hand():
    """Squared errors .04, .09 and .64 average to .77 / 3, and .48 / 3 more weight on the last gives .6."""
    assert brier([1, 0, 1], [0.8, 0.3, 0.2]) == pytest.approx(0.77 / 3)
    assert brier([1, 1], [0.8, 0.2], [1, 14]) == pytest.approx((0.04 + 14 * 0.64) / 15)


def test_calibrated_probabilities_have_slope_one():
    """True probabilities come out with slope 1 and intercept 0, within sampling error."""
    rng = np.random.default_rng(1)
    p = rng.beta(1, 2, 40_000)
    slope, intercept = calibration(rng.random(p.size) < p, p)
    assert slope == pytest.approx(1, abs=0.03)
    assert intercept == pytest.approx(0, abs=0.03)


def test_bold_and_shifted_forecasts_show():
    """Forecasts with twice the true logit have slope one half; logits one too low have intercept one."""
    bold, low = simulated(2, 4000, tilt=2.0), simulated(3, 4000, shift=-1.0)
    assert calibration(bold.happened, bold.value)[0] == pytest.approx(0.5, abs=0.02)
    assert calibration(low.happened, low.value) == pytest.approx((1.0, 1.0), abs=0.05)


def test_slope_maximises_the_likelihood():
    """At the slope and intercept found, the score equations of the logistic regression hold."""
    f = simulated(4)
    slope, large = calibration(f.happened, f.value)
    x = np.log(f.value / (1 - f.value))
    assert np.sum(f.happened - 1 / (1 + np.exp(-(x + large)))) == pytest.approx(0, abs=1e-6)

    def likelihood(b, a):
        return -np.sum(np.logaddexp(0, a + b * x) - f.happened * (a + b * x))

    grid = np.linspace(-0.5, 0.5, 201)
    best = max(likelihood(slope, a) for a in grid)
    assert all(best >= max(likelihood(slope + d, a) for a in grid) for d in (-0.05, 0.05))


@pytest.mark.parametrize(
    "happened, value",
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.7, 0.9]),
        ([1, 1, 0, 0], [0.1, 0.2, 0.7, 0.9]),
        ([0, 1, 0, 1], [0.1, 0.2, 0.2, 0.9]),
        ([0, 1, 0, 1], [0.3, 0.3, 0.3, 0.3]),
        ([0, 1, 0, 1], [0.3, 0.1 + 0.2, 0.3, 0.3]),
    ],
)
def test_separation_gives_no_slope(happened, value):
    """Complete or quasi-complete separation, either way round, and forecasts all alike have an intercept only."""
    slope, intercept = calibration(happened, value)
    assert np.isnan(slope)
    assert np.isfinite(intercept)


def test_certain_forecasts_that_fail_do_not_break():
    """Probabilities of exactly 0 and 1 are held off the edge, and one that is wrong still gives finite figures."""
    slope, intercept = calibration([0, 1, 0, 1, 1], [0, 1, 1, 0, 1])
    edge = np.log((1 - CERTAIN) / CERTAIN)
    # Two groups: the slope runs between their logits, ln(2/3 : 1/3) and ln(1/2 : 1/2).
    assert slope == pytest.approx(np.log(2) / (2 * edge), rel=1e-6)
    assert np.isfinite(intercept)
    assert np.isnan(calibration([1, 1], [0.2, 0.4])).all()


def test_the_list_at_capacity_shares_ties():
    """Of three tied for the last two places each is two thirds on the list, in each round by itself."""
    f = Forecasts(
        [0, 1, 2, 3, 4, 0, 1], [1] * 5 + [2] * 2, [0.9, 0.5, 0.5, 0.5, 0.1, 0.2, 0.1], [1, 1, 0, 0, 0, 1, 0]
    )
    np.testing.assert_allclose(chosen(f, 3), [1, 2 / 3, 2 / 3, 2 / 3, 0, 1, 1])
    with pytest.raises(ValueError, match="at least one"):
        chosen(f, 0)


def test_precision_recall_and_net_benefit_by_hand():
    """Three of the five listed were right out of six: .6, .5, and (3 - 2/3) / 20 with visits worth it from .25."""
    happened = np.zeros(20)
    happened[[0, 1, 3, 10, 11, 12]] = 1
    f = Forecasts(np.arange(20), np.ones(20, int), np.linspace(0.9, 0.1, 20), happened)
    result = judge(f, capacity=5, worth=0.25)
    assert (result.precision.value, result.recall.value) == pytest.approx((0.6, 0.5))
    assert result.net_benefit.value == pytest.approx((3 - 2 / 3) / 20)
    assert (result.n, result.practices, result.base_rate) == (20, 20, 0.3)
    assert result.brier_reference == pytest.approx(0.21)


def test_intervals_cluster_on_practices():
    """Eight copies of each row of a practice leave the interval as wide; as new practices they would narrow it."""
    one = simulated(5, practices=80, rounds=1)
    eight = {k: np.tile(getattr(one, k), 8) for k in ("practice", "value", "happened")}
    rounds = np.repeat(np.arange(8), 80)
    copied = Forecasts(eight["practice"], rounds, eight["value"], eight["happened"])
    fresh = Forecasts(np.arange(640), rounds, eight["value"], eight["happened"])

    def width(f):
        return judge(f).brier.high - judge(f).brier.low

    assert width(copied) == pytest.approx(width(one))
    assert width(fresh) < 0.6 * width(one)


@given(st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=10)
def test_order_of_rows_changes_nothing(random):
    """Figures and intervals are the same whatever order the rows come in, and each time they are asked for."""
    f = simulated(6, practices=15, rounds=4)
    order = random.sample(range(60), 60)
    shuffled = Forecasts(f.practice[order], f.round[order], f.value[order], f.happened[order])
    before, after = judge(f), judge(shuffled)
    assert before == judge(f)
    for name in ("ap", "brier", "slope", "intercept", "precision", "recall", "net_benefit"):
        left, right = getattr(before, name), getattr(after, name)
        np.testing.assert_allclose([left.value, left.low, left.high], [right.value, right.low, right.high])


def test_scores_are_not_taken_for_probabilities():
    """A score gets average precision and a list, and says why it has no Brier score or calibration."""
    f = simulated(7)
    result = judge(dataclasses.replace(f, value=10 * f.value, probability=False))
    assert result.ap == judge(f).ap
    assert result.brier_reference is None
    for figure in (result.brier, result.slope, result.intercept):
        assert (figure.value, figure.explanation) == (None, "This is a score, not a probability.")
    with pytest.raises(ValueError, match="between 0 and 1"):
        dataclasses.replace(f, value=10 * f.value)


@pytest.mark.parametrize("practices, events", [(0, 0), (1, 1), (9, 4), (30, 0), (30, 4), (30, 26), (30, 30)])
def test_too_few_to_say(practices, events):
    """Under ten practices, or under five outcomes of either kind, every figure is withheld and says why."""
    happened = np.arange(practices) < events
    f = Forecasts(np.arange(practices), np.ones(practices, int), np.linspace(0.2, 0.8, practices), happened)
    result = judge(f)
    assert (result.explanation, result.base_rate, result.n) == (TOO_FEW, None, practices)
    assert result.ap.value is result.brier.value is result.recall.value is None
    assert all(point.said is None and not point.drifted for point in drift(f))


def test_separated_forecasts_say_so():
    """Where forecasts separate the outcomes, the judgement has no slope and says why."""
    f = Forecasts(np.arange(40), np.ones(40, int), np.linspace(0.1, 0.9, 40), np.arange(40) >= 20)
    result = judge(f)
    assert result.slope.value is None
    assert "separate" in result.slope.explanation
    assert result.ap.value == 1


def test_subgroups_are_judged_on_one_list():
    """The list is the body's: what the kinds hold of it adds up to its capacity, and too small a kind is silent."""
    f = simulated(8)
    kinds = np.where(np.arange(60) < 6, "few", np.where(np.arange(60) < 30, "rural", "urban"))
    few, rural, urban = by_subgroup(f, kinds, capacity=8)
    assert (few.name, few.share_chosen, few.judgement.explanation) == ("few", None, TOO_FEW)
    assert few.judgement.n == 48
    inside = chosen(f, 8)[np.isin(f.practice, np.flatnonzero(kinds == "few"))].sum()
    listed = rural.share_chosen * rural.judgement.n + urban.share_chosen * urban.judgement.n
    assert listed + inside == pytest.approx(8 * 8)
    assert rural.judgement.base_rate == pytest.approx(f.happened[kinds[f.practice] == "rural"].mean())
    with pytest.raises(ValueError, match="every practice"):
        by_subgroup(f, kinds[:10])


def test_calibration_table_by_hand():
    """Bands hold their rows, upper edges go up but for 1, and a band of nine practices says nothing."""
    value = [0.1] * 10 + [0.2] * 9 + [1.0] * 10
    f = Forecasts(np.arange(29), np.ones(29, int), value, [1] + [0] * 18 + [1] * 10)
    low, next_, *_, top = calibration_table(f)
    assert (low.n, low.said, low.happened) == (10, pytest.approx(0.1), 0.1)
    assert low.ci[0] < 0.1 < low.ci[1]
    assert (next_.n, next_.practices, next_.said, next_.happened, next_.ci) == (9, 9, None, None, None)
    assert (top.low, top.high, top.n, top.happened) == (0.8, 1.0, 10, 1.0)
    for edges in ((0, 0.5), (0.1, 1), (0, 0.5, 0.5, 1)):
        with pytest.raises(ValueError, match="rise from 0 to 1"):
            calibration_table(f, edges)


def test_coverage_of_true_intervals():
    """Normal and drawn intervals of the true distribution hold their nominal share; too narrow ones hold less."""
    rng = np.random.default_rng(9)
    mean, sd, practice = rng.normal(size=4000), rng.uniform(0.5, 2, 4000), np.arange(4000)
    seen = rng.normal(mean, sd)
    seen[:100] = np.nan
    draws = rng.normal(mean[:, None], sd[:, None], (4000, 400))
    for intervals in (normal_intervals(mean, sd), draw_intervals(draws)):
        for result in coverage(seen, intervals, practice, replicates=50):
            assert result.share.value == pytest.approx(result.nominal, abs=0.03)
            assert result.n == 3900
    narrow = coverage(seen, normal_intervals(mean, sd / 2), practice, replicates=50)[1]
    assert narrow.share.high < 0.6
    assert coverage(seen[:105], normal_intervals(mean[:105], sd[:105]), practice[:105])[0].share.value is None


def test_walking_forward_pairs_each_forecast_with_the_next_round():
    """A forecast made at t stands beside the outcome of t + 1; no outcome or no forecast means no row."""
    happened = np.array([[0, 1, 0], [1, 1, np.nan], [0, np.nan, 1], [1, 0, 0]])
    scores = {1: [0.1, 0.2, 0.3], 2: [0.4, np.nan, 0.6]}
    f = walk_forward(Model(lambda t: scores[t]), happened)
    assert f.round.tolist() == [2, 2, 3, 3]
    assert f.practice.tolist() == [0, 2, 0, 2]
    assert f.value.tolist() == [0.1, 0.3, 0.4, 0.6]
    assert f.happened.tolist() == [0, 1, 1, 0]
    assert len(walk_forward(Model(lambda t: scores[t]), happened[:2]).value) == 0
    with pytest.raises(ValueError, match="one value for each practice"):
        walk_forward(Model(lambda t: 0.5), happened)


def test_baselines_by_hand():
    """The simple rules say what they are called, skip rounds in which nobody could be asked, and fill gaps by the mean."""
    silent = np.array([[1, 0, np.nan, 1], [1, 1, np.nan, 0], [1, np.nan, np.nan, 1]])
    raw = np.array([[np.nan, 4, np.nan, np.nan], [np.nan, np.nan, np.nan, 2], [np.nan] * 4])
    rules = baselines(silent, raw, silent)
    np.testing.assert_allclose(rules["Base rate"].score(2), [6 / 8] * 4)
    np.testing.assert_allclose(rules["Silent last round"].score(2), [1, 1, 1, 1])
    np.testing.assert_allclose(rules["Silent streak"].score(2), [3, 1, 0, 1])
    np.testing.assert_allclose(rules["Last raw score"].score(2), [-3, -4, -3, -2])
    np.testing.assert_allclose(rules["Logistic on four features"].score(0), [2 / 3] * 4)
    assert [m.probability for m in rules.values()] == [True, False, False, False, True]


def test_baselines_do_not_look_ahead():
    """Spoiling everything after round t, or cutting it off, changes nothing that a rule says at t."""
    silent, raw, _ = panel()
    t = 4
    spoilt_silent, spoilt_raw = silent.copy(), raw.copy()
    spoilt_silent[t + 1 :], spoilt_raw[t + 1 :] = 1 - spoilt_silent[t + 1 :], 99
    for name, rule in baselines(silent, raw, silent).items():
        for s, r in ((spoilt_silent, spoilt_raw), (silent[: t + 1], raw[: t + 1])):
            np.testing.assert_array_equal(rule.score(t), baselines(s, r, s)[name].score(t), err_msg=name)


def test_the_truth_beats_every_simple_rule():
    """The walk-forward table judges all models on the same rows, and true probabilities come out ahead of them all."""
    silent, raw, p = panel(1, rounds=10, practices=80)
    silent[5, :10] = np.nan
    found = compare({"Truth": Model(lambda t: p)} | baselines(silent, raw, silent), silent)
    assert [line.name for line in found] == ["Truth", *baselines(silent, raw, silent)]
    assert {line.judgement.n for line in found} == {8 * 80 - 10}
    assert found[0].ahead is None
    for line in found[1:]:
        assert line.ahead.low > 0, line.name
        assert line.ahead.value == pytest.approx(found[0].judgement.ap.value - line.judgement.ap.value)
    base = found[1].judgement
    assert base.brier.value == pytest.approx(base.brier_reference, abs=0.005)


def test_the_table_keeps_to_rows_all_models_forecast():
    """A model without a forecast for some practices takes those rows from all, and no rounds leave no figures."""
    silent, _, p = panel(2)
    partial = np.where(np.arange(40) < 15, np.nan, p)
    found = compare({"All": Model(lambda t: p), "Some": Model(lambda t: partial)}, silent)
    assert [line.judgement.n for line in found] == [6 * 25] * 2
    assert found[1].ahead.value == 0
    nothing = compare({"All": Model(lambda t: p), "Same": Model(lambda t: p)}, silent[:2])
    assert [line.judgement.explanation for line in nothing] == [TOO_FEW] * 2
    assert nothing[1].ahead.value is None


def test_drift_shows_when_the_world_turns():
    """Forecasts that held for five rounds and then say far too little are calm before, and drift after."""
    calm, turned = simulated(10, practices=150, rounds=5), simulated(11, practices=150, rounds=5, shift=-1.5)
    columns = {
        k: np.concatenate([getattr(calm, k), getattr(turned, k)]) for k in ("practice", "value", "happened")
    }
    points = drift(Forecasts(round=np.repeat(np.arange(10), 150), **columns), window=2)
    assert [p.drifted for p in points] == [False] * 5 + [True] * 5
    assert [p.n for p in points] == [150] + [300] * 9
    assert points[-1].difference.value == pytest.approx(points[-1].happened - points[-1].said)
    with pytest.raises(ValueError, match="window"):
        drift(calm, window=0)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"happened": [0, 2]}, "0 or 1"),
        ({"happened": [0, np.nan]}, "0 or 1"),
        ({"value": [0.5, np.nan]}, "finite"),
        ({"practice": [-1, 0]}, "from 0"),
        ({"round": [1]}, "for each forecast"),
    ],
)
def test_faulty_rows_are_refused(change, message):
    """Rows that cannot be judged raise an error that says what to give instead."""
    rows = {"practice": [0, 1], "round": [1, 1], "value": [0.5, 0.5], "happened": [0, 1]} | change
    with pytest.raises(ValueError, match=message):
        Forecasts(**rows)


def test_results_hold_no_practice():
    """A judgement says nothing of a single practice: it holds counts and figures, no codes and no arrays."""
    result = dataclasses.asdict(judge(simulated(12)))
    kinds = {
        type(v) for field in result.values() for v in (field.values() if isinstance(field, dict) else [field])
    }
    assert kinds <= {int, float, str, type(None)}


def test_importing_loads_no_heavy_library():
    """The three modules load neither scipy nor scikit-learn until a function needs them."""
    code = (
        "import sys, importlib.util as u\n"
        "import engagement.risk.clusters, engagement.risk.judge, engagement.risk.layer\n"
        "sys.exit(bool({'scipy', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
