"""The engagement filter against plain algebra, and at its edges."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.risk.filter import SHIPPED, Constants, EngagementFilter, Panel, State, draws_of, silence


def panel(practices=7, rounds=5, seed=0, largest=6):
    """A panel with practices of 0 to `largest` members, some of them silent or unreachable."""
    rng = np.random.default_rng(seed)
    invited = rng.integers(0, largest + 1, (practices, rounds))
    answered = rng.binomial(invited, 0.5)
    scored = rng.binomial(answered, 0.9)
    mean = np.where(scored > 0, rng.normal(0, 0.6, invited.shape), np.nan)
    return Panel(invited, answered, scored, mean)


def simulated(constants, practices, rounds, seed=0):
    """A panel drawn from the model itself, members cluster as kappa = 0 says."""
    rng = np.random.default_rng(seed)
    cross = constants.c * np.sqrt(constants.v_a * constants.v_q)
    root = np.linalg.cholesky([[constants.v_a, cross], [cross, constants.v_q]])
    phi, x = constants.phi_a, rng.standard_normal((practices, 2)) @ root.T
    invited = np.full((practices, rounds), 5)
    answered, mean = np.zeros((2, practices, rounds))
    for t in range(rounds):
        if t:
            x = phi * x + np.sqrt(1 - phi**2) * rng.standard_normal((practices, 2)) @ root.T
        answered[:, t] = rng.binomial(5, np.clip(0.5 + x[:, 1], 0, 1))
        noise = np.sqrt(constants.s2 / np.maximum(answered[:, t], 1) + 0.01)
        mean[:, t] = x[:, 0] + noise * rng.standard_normal(practices)
    return Panel(invited, answered, answered, np.where(answered > 0, mean, np.nan))


def dense(constants, seen, practice):
    """State after the last round and log-likelihood of one practice, by conditioning one large normal vector."""
    rounds = seen.shape[1]
    phi = np.diag([constants.phi_a, constants.phi_q])
    cross = constants.c * np.sqrt(constants.v_a * constants.v_q)
    stationary = np.array([[constants.v_a, cross], [cross, constants.v_q]])
    values, vectors = np.linalg.eigh(stationary - phi @ stationary @ phi)
    innovation = vectors @ np.diag(np.maximum(values, 1e-6)) @ vectors.T
    # Every state as a linear map of the first state and all innovations.
    maps, noise = [], np.kron(np.eye(rounds), innovation)
    noise[:2, :2] = stationary
    for t in range(rounds):
        maps.append(
            np.hstack([np.linalg.matrix_power(phi, t - s) if s <= t else phi * 0 for s in range(rounds)])
        )
    joint = np.vstack(maps) @ noise @ np.vstack(maps).T
    share = seen.answered.sum() / seen.invited.sum()

    rows, values, errors, loglik = [], [], [], 0.0

    def given_seen(target):
        if not rows:
            return np.zeros(len(target)), joint[np.ix_(target, target)]
        inner = joint[np.ix_(rows, rows)] + np.diag(errors)
        outer = joint[np.ix_(target, rows)]
        mean = outer @ np.linalg.solve(inner, np.array(values))
        return mean, joint[np.ix_(target, target)] - outer @ np.linalg.solve(inner, outer.T)

    def take(row, value, error):
        nonlocal loglik
        mean, covariance = given_seen([row])
        total = covariance[0, 0] + error
        loglik += -0.5 * (np.log(2 * np.pi * total) + (value - mean[0]) ** 2 / total)
        rows.append(row), values.append(value), errors.append(error)

    for t in range(rounds):
        if seen.scored[practice, t]:
            take(2 * t, seen.mean[practice, t], constants.s2 / seen.scored[practice, t] + 0.01)
        if seen.invited[practice, t]:
            p = np.clip(share + given_seen([2 * t + 1])[0][0], 0.08, 0.92)
            size = seen.invited[practice, t]
            take(
                2 * t + 1,
                seen.answered[practice, t] / size - share,
                p * (1 - p) * (1 + constants.kappa) / size,
            )
    return *given_seen([2 * rounds - 2, 2 * rounds - 1]), loglik


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rounds=st.integers(1, 5),
    phi=st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
    spread=st.tuples(st.floats(0.01, 2), st.floats(0.002, 0.2)),
    c=st.floats(-0.9, 0.9),
    kappa=st.floats(0, 2),
)
def test_the_recursion_equals_one_large_normal(seed, rounds, phi, spread, c, kappa):
    """Filtered means, covariances and the likelihood are those of a dense multivariate normal, to 1e-9."""
    constants = replace(
        SHIPPED, phi_a=phi[0], phi_q=phi[1], v_a=spread[0], v_q=spread[1], c=c, kappa=kappa, s2=0.4
    )
    seen = panel(4, rounds, seed)
    if not seen.invited.sum():
        return
    model = EngagementFilter(constants)
    state, total = model.filter(seen), 0.0
    for practice in range(4):
        mean, covariance, loglik = dense(constants, seen, practice)
        total += loglik
        np.testing.assert_allclose(state.mean[practice], mean, atol=1e-9)
        np.testing.assert_allclose(state.covariance[practice], covariance, atol=1e-9)
    assert model.loglik(seen) == pytest.approx(total, abs=1e-8)


def test_a_forecast_shrinks_to_the_body_and_widens():
    """Some rounds on, the mean is the state's times the powers of phi, and the variance nears that between practices."""
    model = EngagementFilter()
    state = model.filter(panel())
    three = model.forecast(state, 3)
    np.testing.assert_allclose(three.mean, state.mean * SHIPPED.phi_a**3, rtol=1e-12)
    np.testing.assert_allclose(
        model.forecast(model.forecast(model.forecast(state))).covariance, three.covariance, rtol=1e-12
    )
    far = model.forecast(state, 400)
    np.testing.assert_allclose(far.covariance[:, 0, 0], SHIPPED.v_a, rtol=1e-3)
    with pytest.raises(ValueError, match="one round ahead"):
        model.forecast(state, 0)


def test_the_order_of_practices_changes_nothing():
    """Practices filtered in another order get the same states, and the same constants are learnt."""
    seen, order = panel(30, 6), np.random.default_rng(1).permutation(30)
    one, other = EngagementFilter().fit(seen), EngagementFilter().fit(seen.of(order))
    for name in ("phi_a", "phi_q", "v_a", "v_q", "c", "kappa"):
        assert getattr(other.constants_, name) == pytest.approx(
            getattr(one.constants_, name), rel=0.02, abs=0.01
        )
    model = EngagementFilter()
    np.testing.assert_allclose(model.filter(seen.of(order)).mean, model.filter(seen).mean[order], atol=1e-12)


def test_unreachable_practices_are_not_silent():
    """Where nobody was invited the state is the prior's; where all were invited and none answered it is lower."""
    nothing = np.full((2, 3), np.nan)
    seen = Panel([[0, 0, 0], [4, 4, 4]], np.zeros((2, 3)), np.zeros((2, 3)), nothing)
    joined = Panel(*(np.vstack([getattr(seen, f), getattr(panel(6, 3), f)]) for f in vars(seen)))
    state = EngagementFilter().filter(joined)
    np.testing.assert_allclose(state.mean[0], 0, atol=1e-12)
    assert state.covariance[0, 0, 0] == pytest.approx(SHIPPED.v_a, rel=1e-3)
    assert state.mean[1, 1] < -0.1 and state.mean[1, 0] < -0.1
    chance = silence(EngagementFilter().forecast(state), [0, 4, *[2] * 6])
    assert np.isnan(chance[0]) and 0 < chance[1] < 1


def test_without_correlation_silence_says_nothing_of_attitude():
    """With c = 0 a practice that never answers keeps the attitude of the body, and ranks by it."""
    seen = Panel([[5, 5]] * 2, [[0, 0], [5, 5]], np.zeros((2, 2)), np.full((2, 2), np.nan))
    model = EngagementFilter(replace(SHIPPED, c=0.0))
    state = model.filter(seen)
    np.testing.assert_allclose(state.mean[:, 0], 0, atol=1e-12)
    np.testing.assert_allclose(model.engagement(model.forecast(state)), 0, atol=1e-12)


@pytest.mark.parametrize("answered", [0, 3], ids=["nobody", "everybody"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1), (5, 4)])
def test_the_edges_are_defined(answered, shape):
    """One practice, one round, nobody answering, everybody answering: every output is a finite number."""
    invited, answered = np.full(shape, 3), np.full(shape, answered)
    mean = np.where(answered > 0, 0.2, np.nan)
    model = EngagementFilter().fit(Panel(invited, answered, answered, mean))
    state = model.filter(Panel(invited, answered, answered, mean))
    ahead = model.forecast(state)
    assert np.isfinite(state.mean).all() and (state.sd > 0).all() and np.isfinite(model.loglik_)
    assert np.isfinite(model.engagement(ahead)).all()
    chance = silence(ahead, np.full(shape[0], 3))
    assert ((chance > 0) & (chance < 1)).all()
    assert (answered > 0).all() == bool((chance < 0.2).all())


def test_no_practice_at_all_is_an_empty_answer():
    """A body without practices is filtered to nothing and teaches nothing."""
    empty = Panel(*np.zeros((4, 0, 3)))
    model = EngagementFilter().fit(empty)
    assert model.filter(empty).mean.shape == (0, 2) and model.constants_ == SHIPPED


def test_one_round_teaches_nothing_about_change():
    """Before two rounds the constants given stay in force."""
    assert EngagementFilter().fit(panel(20, 1)).constants_ is SHIPPED


def test_the_correlation_is_learnt_where_there_is_one():
    """From 400 practices c and what lasts come back, c within its interval and away from the shipped value."""
    truth = replace(SHIPPED, c=-0.3, phi_a=0.85, phi_q=0.85, kappa=0.0)
    found = EngagementFilter(replace(truth, c=0.0)).fit(simulated(truth, 400, 8)).constants_
    assert found.c_low < -0.3 < found.c_high < 0 and found.c_high - found.c_low < 0.25
    assert found.phi_a == pytest.approx(0.85, abs=0.06) and found.v_a == pytest.approx(0.3, rel=0.25)
    assert found.rounds == 8


def test_the_interval_of_the_correlation_is_wide_where_nothing_was_answered():
    """Without any score c stays at its centre, and the interval says that it was not learnt."""
    seen = panel(20, 4)
    mute = Panel(seen.invited, seen.answered, np.zeros(seen.shape), seen.mean)
    found = EngagementFilter().fit(mute).constants_
    assert found.c == pytest.approx(SHIPPED.c, abs=0.05) and found.c_low < 0 and found.c_high > 0.7


def test_noise_between_members_is_learnt_on_request():
    """With one answer a practice the variance between members is learnt with the rest, towards the truth."""
    truth = replace(SHIPPED, s2=0.6, kappa=0.0)
    seen = simulated(truth, 600, 8)
    single = Panel(seen.invited, seen.answered, np.minimum(seen.scored, 1), seen.mean)
    # The mean drawn has the noise of all who answered; that of one alone is put in its place.
    rng = np.random.default_rng(3)
    extra = np.sqrt(truth.s2 * (1 - 1 / np.maximum(seen.scored, 1))) * rng.standard_normal(seen.shape)
    single = Panel(single.invited, single.answered, single.scored, seen.mean + extra)
    found = EngagementFilter(score_noise=True).fit(single).constants_
    assert found.s2 == pytest.approx(0.6, rel=0.2)
    assert EngagementFilter().fit(single).constants_.s2 == SHIPPED.s2


def test_draws_have_the_moments_of_the_state():
    """The draws have the means, variances and correlation of the state exactly, where no probability is cut off."""
    covariance = np.array([[[0.2, 0.03], [0.03, 0.01]]])
    found = draws_of(State(np.array([[0.3, 0.05]]), covariance, 0.5))[0]
    np.testing.assert_allclose(found.mean(axis=0), [0.3, 0.55], atol=1e-12)
    np.testing.assert_allclose(np.cov(found.T, bias=True), covariance[0], rtol=1e-9)
    assert draws_of(State(np.array([[0, 3.0]]), covariance, 0.5))[0, :, 1].max() == 0.99


def test_silence_is_the_mean_over_what_is_not_known():
    """The probability that nobody answers agrees with a large random sample, and falls with the roster."""
    covariance = np.array([[[0.2, 0.03], [0.03, 0.02]]])
    state = State(np.array([[0.3, -0.1]]), covariance, 0.5)
    p = np.clip(0.4 + np.sqrt(0.02) * np.random.default_rng(0).standard_normal(400_000), 0.01, 0.99)
    found = [silence(state, [n])[0] for n in (1, 3, 8)]
    np.testing.assert_allclose(found, [((1 - p) ** n).mean() for n in (1, 3, 8)], atol=0.004)
    assert found[0] > found[1] > found[2]


def test_constants_go_into_force_rounded_and_come_back():
    """Rounded constants have tenths and two figures, stay valid, and survive being kept as JSON."""
    learnt = Constants(
        0.9968, 0.9132, 0.2871, 0.04136, 0.9731, 0.0678, 0.3127, leader_gap=0.648, c_low=-0.04, c_high=0.21
    )
    kept = learnt.rounded()
    assert (kept.phi_a, kept.phi_q, kept.v_a, kept.v_q) == (0.99, 0.91, 0.29, 0.041)
    assert (kept.c, kept.kappa, kept.s2, kept.leader_gap, kept.c_high) == (0.9, 0.068, 0.31, 0.6, 0.2)
    assert Constants.from_json(kept.as_json()) == kept == kept.rounded()
    with pytest.raises(ValueError, match="phi_b"):
        Constants.from_json({"phi_b": 1})
    for wrong in ({"phi_a": 1.0}, {"c": 1.0}, {"v_a": 0.0}, {"kappa": -1.0}, {"s2": np.nan}):
        with pytest.raises(ValueError, match="must"):
            Constants(**wrong)


def test_a_panel_that_cannot_be_is_refused():
    """Shapes that differ, more answers than invitations, and scores without a mean are errors."""
    ok, one = np.ones((2, 3)), np.ones((2, 2))
    with pytest.raises(ValueError, match="one shape"):
        Panel(ok, ok, ok, one)
    with pytest.raises(ValueError, match="More people answered"):
        Panel(ok, ok + 1, ok, ok)
    with pytest.raises(ValueError, match="no mean"):
        Panel(ok, ok, ok, ok * np.nan)


def test_the_filter_is_an_estimator():
    """scikit-learn clones it with its parameters, without what it learnt; parameters are checked by name."""
    from sklearn.base import clone

    model = EngagementFilter(replace(SHIPPED, c=0.1), iterations=20).fit(panel(10, 3))
    copy = clone(model)
    assert copy.get_params() == model.get_params() and not hasattr(copy, "constants_")
    assert copy.set_params(iterations=30).iterations == 30
    with pytest.raises(ValueError, match="no parameter nonsense"):
        copy.set_params(nonsense=1)


def test_importing_risk_loads_nothing_heavy():
    """The whole of the risk core imports without scipy, scikit-learn, pandas or a database."""
    code = (
        "import sys, engagement.risk, engagement.risk.assess;"
        "print({'scipy', 'sklearn', 'pandas', 'sqlalchemy', 'streamlit', 'engagement.clock'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
