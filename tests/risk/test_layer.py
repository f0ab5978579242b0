"""The thin pooled layer: what it learns, when it stands aside, how little a body's own rounds move it."""

import dataclasses
import json

import numpy as np
import pytest

from engagement.risk.layer import (
    FEATURES,
    INTERCEPT_SD,
    Inputs,
    Layer,
    Trained,
    held_out,
    own_intercept,
    p_silent,
    train,
)


def bodies(seed=0, count=30, practices=40, bias=0.8, spread=0.3):
    """Filter outputs, outcomes and body codes; the filter's logit is `bias` too low, so a layer has work to do."""
    rng = np.random.default_rng(seed)
    n = count * practices
    body = np.repeat(np.arange(count), practices)
    q, a, invited = rng.normal(0, 0.2, n), rng.normal(0, 0.5, n), rng.integers(1, 9, n)
    eta = -0.5 - 4 * q - 0.5 * a - 0.5 * np.log1p(invited) + rng.normal(0, spread, count)[body]
    silent = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    inputs = Inputs(
        attitude=a,
        participation=q,
        sd_attitude=rng.uniform(0.2, 0.6, n),
        sd_participation=rng.uniform(0.1, 0.3, n),
        p_silent=1 / (1 + np.exp(-(eta - bias))),
        invited=invited,
        silent_now=(rng.random(n) < 0.3).astype(float),
    )
    return inputs, silent, body


def rows(inputs, keep):
    return Inputs(**{name: column[keep] for name, column in vars(inputs).items()})


def test_features_by_hand():
    """Seven features in the order of their names: the probability as a logit, the invited as a logarithm."""
    inputs = Inputs([0.5], [-0.1], [0.3], [0.2], [0.25], [4], [1])
    expected = [0.5, -0.1, 0.3, 0.2, np.log(1 / 3), np.log(5), 1]
    np.testing.assert_allclose(inputs.matrix(), [expected])
    assert len(FEATURES) == 7
    assert np.isfinite(Inputs([0, 0], [0, 0], [1, 1], [1, 1], [0, 1], [0, 0], [0, 1]).matrix()).all()


def test_a_layer_mends_what_all_bodies_share():
    """Where the filter says too little in every body, the layer says the right share in bodies never seen."""
    inputs, silent, body = bodies()
    trained = train(inputs, silent, body, trained_on="rounds of 30 bodies")
    assert trained.explanation is None
    assert (trained.layer.bodies, trained.layer.rows) == (30, 1200)
    assert trained.layer.brier < trained.layer.brier_filter
    fresh, outcome, _ = bodies(seed=1, count=200)
    p = p_silent(trained, fresh)
    assert p.mean() == pytest.approx(outcome.mean(), abs=0.04)
    assert np.mean((p - outcome) ** 2) < np.mean((fresh.p_silent - outcome) ** 2)


def test_the_penalty_is_that_of_the_notes():
    """The coefficients solve the penalised score equations with C = .5 on standardised features, intercept free."""
    inputs, silent, body = bodies()
    layer = train(inputs, silent, body, trained_on="test").layer
    z = (inputs.matrix() - layer.means) / layer.scales
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(z.std(axis=0), 1)
    error = silent - p_silent(Trained(layer), inputs)
    assert error.sum() == pytest.approx(0, abs=0.05)
    np.testing.assert_allclose(0.5 * z.T @ error, layer.coefficients, atol=0.05)


def test_too_few_bodies_leave_the_filter_alone():
    """Nineteen bodies give no layer, the explanation names the number, and the filter's probability stands."""
    inputs, silent, body = bodies(count=19)
    trained = train(inputs, silent, body, trained_on="test")
    assert trained.layer is None
    assert "needs 20 bodies" in trained.explanation
    assert "there are 19" in trained.explanation
    np.testing.assert_array_equal(p_silent(trained, inputs), inputs.p_silent)


def test_bodies_with_one_outcome_do_not_count():
    """A body in which everybody was silent is no evidence that the layer would transport."""
    inputs, silent, body = bodies(count=20)
    silent[body == 3] = 1
    assert "there are 19" in train(inputs, silent, body, trained_on="test").explanation


def test_too_few_outcomes_leave_the_filter_alone():
    """Fewer than twenty silent practices for each coefficient give no layer."""
    inputs, silent, body = bodies(count=30)
    rare = np.zeros_like(silent)
    rare[::12] = 1
    trained = train(inputs, rare, body, trained_on="test")
    assert (trained.layer, "there are 100 of the rarer" in trained.explanation) == (None, True)


def test_a_layer_that_does_not_help_new_bodies_is_not_used():
    """Where the filter's probability is already the truth, a layer cannot do better, and there is none."""
    inputs, silent, body = bodies(bias=0.0, spread=0.0)
    trained = train(inputs, silent, body, trained_on="test")
    assert trained.layer is None
    assert "no better than the filter" in trained.explanation


def test_bodies_are_forecast_from_others_only():
    """Turning one body's outcomes round leaves its own held-out probabilities as they were."""
    inputs, silent, body = bodies()
    turned = np.where(body == 7, 1 - silent, silent)
    before, after = held_out(inputs, silent, body), held_out(inputs, turned, body)
    np.testing.assert_array_equal(before[body == 7], after[body == 7])
    assert np.abs(before - after)[body == 8].max() > 0
    with pytest.raises(ValueError, match="at least 5"):
        held_out(rows(inputs, body < 4), silent[body < 4], body[body < 4])


def test_a_layer_survives_json():
    """A layer written and read back is the same; one with other features is refused."""
    inputs, silent, body = bodies()
    layer = train(inputs, silent, body, trained_on="simulated rounds").layer
    kept = json.loads(json.dumps(layer.to_json()))
    assert Layer.from_json(kept) == layer
    with pytest.raises(ValueError, match="train it again"):
        Layer.from_json(kept | {"features": kept["features"][:-1]})


def test_only_the_intercept_moves_and_only_a_little():
    """A body's rounds move its intercept to the mode under N(0, .5 squared): little from few rows, none from none."""
    inputs, silent, body = bodies()
    trained = train(inputs, silent, body, trained_on="test")
    one = rows(inputs, body == 0)
    assert own_intercept(trained.layer, rows(inputs, body < 0), []) == 0
    all_silent = own_intercept(trained.layer, one, np.ones(40))
    first = own_intercept(trained.layer, rows(one, np.arange(40) < 2), np.ones(2))
    assert 0 < first < 0.5 < all_silent
    for shift, outcome in (
        (all_silent, np.ones(40)),
        (own_intercept(trained.layer, one, silent[:40]), silent[:40]),
    ):
        score = np.sum(outcome - p_silent(trained, one, shift)) - shift / INTERCEPT_SD**2
        assert score == pytest.approx(0, abs=1e-6)
    p0, p1 = p_silent(trained, one), p_silent(trained, one, all_silent)
    np.testing.assert_allclose(np.log(p1 / (1 - p1)) - np.log(p0 / (1 - p0)), all_silent)


def test_order_changes_nothing_and_a_second_run_is_the_same():
    """Training twice gives one layer, and shuffled rows give the same to the solver's precision."""
    inputs, silent, body = bodies()
    layer = train(inputs, silent, body, trained_on="test").layer
    assert train(inputs, silent, body, trained_on="test").layer == layer
    order = np.random.default_rng(3).permutation(len(silent))
    shuffled = train(rows(inputs, order), silent[order], body[order], trained_on="test").layer
    np.testing.assert_allclose(shuffled.coefficients, layer.coefficients, atol=1e-4)
    assert shuffled.brier == pytest.approx(layer.brier, abs=1e-6)


def test_a_feature_that_never_varies_is_harmless():
    """Bodies that invite the same number everywhere still get a layer, with finite coefficients."""
    inputs, silent, body = bodies()
    flat = dataclasses.replace(inputs, invited=np.full(len(silent), 4.0))
    layer = train(flat, silent, body, trained_on="test").layer
    assert np.isfinite(layer.coefficients).all()
    assert layer.coefficients[FEATURES.index("ln(1 + invited next)")] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"p_silent": [1.2]}, "between 0 and 1"),
        ({"invited": [-1]}, "0 or more"),
        ({"attitude": [np.nan]}, "finite"),
        ({"attitude": [0.1, 0.2]}, "every practice"),
    ],
)
def test_faulty_inputs_are_refused(change, message):
    """Inputs that the layer cannot take raise an error that says what to give instead."""
    good = {name: [0.5] for name in Inputs.__dataclass_fields__}
    with pytest.raises(ValueError, match=message):
        Inputs(**(good | change))


def test_faulty_outcomes_are_refused():
    """Outcomes other than 0 and 1, or of another length, are not trained on."""
    inputs, silent, body = bodies()
    with pytest.raises(ValueError, match="0 or 1"):
        train(inputs, silent + 1, body, trained_on="test")
    with pytest.raises(ValueError, match="one outcome and one body"):
        train(inputs, silent[1:], body, trained_on="test")
    layer = train(inputs, silent, body, trained_on="test").layer
    with pytest.raises(ValueError, match="each row"):
        own_intercept(layer, inputs, silent[1:])
