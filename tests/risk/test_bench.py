"""The bench of risk and the invented bodies it runs on. No figure is judged here; the bench prints its own verdicts."""

import json

import numpy as np
import pytest

from engagement import cli
from engagement.bench import risk, worlds


@pytest.mark.parametrize("world", worlds.WORLDS)
def test_a_body_is_the_same_each_time_and_unlike_others(world):
    """A world and a seed give one body; its people, items and ticks are as the generator promises."""
    body, again, other = (worlds.body(world, seed, rounds=4) for seed in (1, 1, 2))
    assert np.array_equal(body.rounds[3].score, again.rounds[3].score)
    assert not np.array_equal(body.truth.attitude, other.truth.attitude)
    for round_ in body.rounds:
        assert (round_.answered <= round_.invited).all() and round_.invited.max() <= worlds.LARGEST
        assert np.array_equal(np.bincount(round_.practice, minlength=40), round_.answered)
        assert np.nanmin(round_.score) >= 1 and np.nanmax(round_.score) <= 5
    assert body.truth.disengaged.any() and not body.truth.disengaged.all()
    assert len(set(body.rounds[0].groups["locality"])) == 3


def test_a_share_agrees_and_more_agree_at_a_larger_one():
    """About the stated share of respondents agrees, everybody at 100% and nobody at 0%, always the same people first."""
    body = worlds.body("continuum", 4, practices=200, rounds=3)
    ticks = {share: np.concatenate([r.agreed for r in body.agreeing(share)]) for share in (0, 0.3, 0.6, 1)}
    assert not ticks[0].any() and ticks[1].all() and not (ticks[0.3] & ~ticks[0.6]).any()
    assert ticks[0.3].mean() == pytest.approx(0.3, abs=0.05) and ticks[0.6].mean() == pytest.approx(
        0.6, abs=0.05
    )


def test_silence_speaks_of_attitude_save_in_the_unrelated_world():
    """True attitude and the probability of answering go together in each world but the one made otherwise."""
    for world in worlds.WORLDS:
        truth = worlds.body(world, 5, practices=2_000, rounds=2).truth
        r = np.corrcoef(truth.attitude[:, 1], truth.probability[:, 1])[0, 1]
        assert abs(r) < 0.1 if world == "unrelated" else r > 0.3, world


def test_tiny_practices_are_tiny():
    """In the tiny world rosters start at 1 to 3, elsewhere some are larger than 6."""
    assert worlds.body("tiny", 1).rounds[0].invited.max() <= 3
    assert worlds.body("groups", 1, practices=200).rounds[0].invited.max() > 6


def test_shrinkage_follows_the_variance_between():
    """Means that differ only by noise shrink to nothing; where they truly differ, small samples shrink the more."""
    rng = np.random.default_rng(0)
    n = np.tile([2.0, 50.0], 200)
    noise = rng.normal(0, 1, 400) * np.sqrt(n)
    nothing, between = risk._shrunken(noise, n, 1.0)
    assert between < 0.03 and np.abs(nothing).max() < 0.5
    truth = rng.normal(0, 1, 400)
    found, between = risk._shrunken(noise + truth * n, n, 1.0)
    assert between == pytest.approx(1, rel=0.25)
    kept = found / ((noise + truth * n) / n)
    np.testing.assert_allclose(
        [kept[0], kept[1]], [between / (between + 1 / 2), between / (between + 1 / 50)]
    )


def test_coverage_counts_a_stretch_by_its_part_inside():
    """A count's stretch on the edge of an interval enters in part; over uniform stretches coverage is nominal."""
    assert risk._covered(np.array([[0.2, 0.3]]), 0.5) == pytest.approx(0.5)
    edges = np.linspace(0, 1, 8)
    stretches = np.stack([edges[:-1], edges[1:]], axis=1)
    for level in risk.LEVELS:
        assert risk._covered(stretches, level) == pytest.approx(level, abs=1e-12)
    points = np.repeat(np.linspace(0, 1, 1001)[:, None], 2, axis=1)
    assert risk._covered(points, 0.8) == pytest.approx(0.8, abs=0.002)


def test_a_goal_is_met_only_beyond_two_standard_errors():
    """The closest rival decides, by its difference less two standard errors."""
    ahead = {"a": [0.10, 0.02], "b": [0.03, 0.04], "c": [0.02, 0.01]}
    assert risk._ahead("g", ahead, ("a", "c")).met and not risk._ahead("g", ahead, ("a", "b", "c")).met
    assert "against b" in risk._ahead("g", ahead, ("a", "b", "c")).found


@pytest.mark.slow
def test_the_bench_runs_from_the_command_line(tmp_path, monkeypatch, capsys):
    """`engagement bench --risk` prints every world, method and goal, and the same as JSON."""
    monkeypatch.setenv("ENGAGEMENT_DATA", str(tmp_path))
    monkeypatch.delenv("ENGAGEMENT_DATABASE_URL", raising=False)
    honest = risk.run
    monkeypatch.setattr(risk, "run", lambda seeds, say: honest(seeds, say, practices=26, large=60))
    assert cli.main(["bench", "--risk", "--seeds", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["worlds"]) == set(worlds.WORLDS) and len(found["goals"]) > 20
    for world in found["worlds"].values():
        assert set(world["ap"]["0%"]) == set(risk.METHODS) and 0 < world["base rate"] < 1
        assert set(world["ap"]) == {"0%", "30%", "60%", "100%"}
    text = risk.table(found)
    assert (
        all(method in text for method in risk.METHODS)
        and "met" in text
        and "60 practices × 12 rounds" in text
    )
