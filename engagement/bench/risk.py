"""How good the assessment of practices is, on invented bodies whose truth is known: `engagement bench --risk`.

Each run is one body of 40 practices and 8 rounds: the filter is scored after the seventh, with constants learnt from
the first six, and held against the truth of the eighth. Empirical Bayes and the simple rules read the same data.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from engagement.bench import worlds
from engagement.errors import Invalid
from engagement.risk.assess import Assessment, assess, refit
from engagement.risk.evidence import Inputs, RoundAnswers, inputs, sealed_panel
from engagement.risk.filter import Constants, State, draws_of
from engagement.risk.judge import average_precision, calibration

# None of them served while the model was built.
FIRST_SEED = 30_001
SEEDS = 60
KNOWN = 7
SHARES = (0.0, 0.3, 0.6, 1.0)
LEVELS = (0.5, 0.8, 0.95)
# The goal for flips speaks of bodies in which about 9% of practices truly move a round.
CALM = 0.12
FILTER = "filter"
BAYES = ("shrunken score", "shrunken share", "shrunken both")
SILENT = ("silent last round", "silent streak")
RULES = (*SILENT, "last raw mean")
METHODS = (FILTER, *BAYES, *RULES)
UNRELATED = "unrelated"


@dataclass(frozen=True)
class Goal:
    """One goal, what was found, and whether that meets it."""

    goal: str
    found: str
    met: bool


def run(
    seeds: int = SEEDS,
    say: Callable[[str], None] = lambda _: None,
    *,
    practices: int = 40,
    large: int = 8_000,
) -> dict[str, Any]:
    """Run all worlds over so many seeds, on two processes; returns figures, goals and what was run, as plain data.

    `practices`: of each body; `large`: of the one that is timed.

    Raises `Invalid` for fewer than two seeds: there would be no standard error.
    """
    if seeds < 2:
        raise Invalid("It takes two seeds at least to say how far a difference is by chance.")
    found: dict[str, Any] = {"seeds": seeds, "practices": practices, "worlds": {}}
    with ProcessPoolExecutor(2, initializer=_one_thread) as pool:
        for world in worlds.WORLDS:
            say(f"risk: {seeds} bodies of the world “{world}”")
            each = list(pool.map(partial(_once, world, practices), range(FIRST_SEED, FIRST_SEED + seeds)))
            found["worlds"][world] = _summary(each)
    say(f"risk: one body, and {large:,} practices")
    found["seconds"] = {
        "one body": _timed(practices, 8),
        f"{large:,} practices × 12 rounds": _timed(large, 12),
    }
    found["goals"] = [asdict(goal) for goal in _goals(found)]
    return found


def _one_thread() -> None:
    """Keep a process to one core: two that each start threads for both only wait for each other."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


# --- one body ---------------------------------------------------------------------------------------------------


def _once(world: str, practices: int, seed: int) -> dict[str, Any]:
    """All that one body is measured by."""
    body = worlds.body(world, seed, practices)
    constants = refit(body.rounds[: KNOWN - 1])
    next_ = body.rounds[KNOWN]
    truth = body.truth.disengaged[:, KNOWN]
    found: dict[str, Any] = {"ap": {}, "not clear": {}, "base rate": float(truth.mean()), "c": constants.c}
    for share in SHARES:
        known = body.agreeing(share)[:KNOWN]
        said = assess(known, constants, invited_next=next_.invited)
        scores = {FILTER: -said.engagement} | _baselines(known, inputs(known, constants), constants)
        found["ap"][share] = [average_precision(truth, scores[name]) for name in METHODS]
        found["not clear"][share] = float((said.clarity != "clear").mean())
        if share in (0.0, 1.0):
            found[f"score {share:g}"] = _score_pits(said, next_, constants)
    # The last share is 1: the assessment and its inputs are those of own answers.
    found["answers"] = _answer_pits(said.next, next_, constants)
    at_risk = next_.invited > 0
    found["p silent"], found["silent"] = said.p_silent_next[at_risk], (next_.answered == 0)[at_risk]
    found["flips"] = _moves(said.history[:, 1:])
    found["flips of k-means"] = _moves(_raw_clusters(known, constants)[:, 1:])
    found["true moves"] = _moves(body.truth.segment[:, 1:KNOWN])
    return found


def _baselines(rounds: tuple[RoundAnswers, ...], read: Inputs, constants: Constants) -> dict[str, np.ndarray]:
    """Scores, high is disengaged, of empirical Bayes and of the simple rules on what the filter read."""
    deviations = read.deviations
    score, spread_a = _shrunken(
        (deviations.scored * np.nan_to_num(deviations.mean)).sum(axis=1),
        deviations.scored.sum(axis=1),
        constants.s2,
    )
    levels = (read.levels.scored * np.nan_to_num(read.levels.mean)).sum(axis=1)
    levels = np.append(levels / np.maximum(read.levels.scored.sum(axis=1), 1), 0.0)[read.group_at[:, -1]]
    mean = deviations.share
    answered, invited = deviations.answered.sum(axis=1), deviations.invited.sum(axis=1)
    share, spread_q = _shrunken(answered - mean * invited, invited, mean * (1 - mean))
    spread_a = max(spread_a, constants.v_group)
    silent = (deviations.invited > 0) & (deviations.answered == 0)
    streak = np.cumprod(silent[:, ::-1], axis=1).sum(axis=1)
    raw = deviations.mean[:, -1] + levels
    return {
        "shrunken score": -(score + levels),
        "shrunken share": -share,
        "shrunken both": -(
            (score + levels) / np.sqrt(spread_a) + (share / np.sqrt(spread_q) if spread_q else 0)
        ),
        "silent last round": silent[:, -1].astype(float),
        "silent streak": streak.astype(float),
        "last raw mean": -np.where(deviations.scored[:, -1] > 0, raw, levels),
    }


def _shrunken(total: np.ndarray, n: np.ndarray, variance: float) -> tuple[np.ndarray, float]:
    """Means over all rounds shrunk to 0, and the variance between practices that they are shrunk by.

    Source: DerSimonian & Laird 1986, Controlled Clinical Trials 7, for the variance between; Efron & Morris 1973.
    """
    seen = n > 0
    mean, weight = total[seen] / n[seen], n[seen] / variance
    if len(mean) < 2:
        return np.zeros(len(n)), 0.0
    centre = np.average(mean, weights=weight)
    excess = (weight * (mean - centre) ** 2).sum() - (len(mean) - 1)
    between = max(0.0, excess / (weight.sum() - (weight**2).sum() / weight.sum()))
    found = np.zeros(len(n))
    if between:
        found[seen] = mean * between / (between + 1 / weight)
    return found, float(between)


def _score_pits(said: Assessment, next_: RoundAnswers, constants: Constants) -> np.ndarray:
    """Where each practice's mean score of the next round fell in its forecast, from 0 to 1."""
    from scipy.special import ndtr

    panel = sealed_panel([next_], constants)
    n, mean = panel.scored[:, 0], panel.mean[:, 0]
    seen = n > 0
    variance = said.next.covariance[seen, 0, 0] + constants.s2 / n[seen] + 0.01
    fell = ndtr((mean[seen] - said.next.mean[seen, 0]) / np.sqrt(variance))
    return np.stack([fell, fell], axis=1)


def _answer_pits(forecast: State, next_: RoundAnswers, constants: Constants) -> np.ndarray:
    """The same for the number who answered: the stretch of the forecast's distribution that the number takes up.

    Given p, the number is binomial, overdispersed by kappa as in the filter: beta-binomial of the same variance.

    Source: Czado, Gneiting & Held 2009, Biometrics 65: a count's non-randomised PIT.
    """
    from scipy.stats import betabinom

    invited = next_.invited > 0
    n, r = next_.invited[invited, None], next_.answered[invited, None]
    p = draws_of(forecast)[invited, :, 1]
    # Variance p(1-p)(1+kappa)/n; a beta-binomial cannot exceed n times the binomial's.
    rho = np.minimum(constants.kappa / np.maximum(n - 1, 1), 0.99)
    size = (1 - rho) / rho
    below, up_to = (betabinom.cdf(r - less, n, p * size, (1 - p) * size).mean(axis=1) for less in (1, 0))
    return np.stack([below, up_to], axis=1)


def _moves(labels: np.ndarray) -> float:
    """Share of practices that change label from one round to the next."""
    return float((labels[:, 1:] != labels[:, :-1]).mean())


def _raw_clusters(rounds: tuple[RoundAnswers, ...], constants: Constants) -> np.ndarray:
    """k-means with four groups on each round's raw means and shares, aligned from round to round, (P, T)."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.cluster import KMeans

    panel = sealed_panel(rounds, constants)
    labels = np.zeros(panel.shape, np.int64)
    for t in range(panel.shape[1]):
        share = panel.answered[:, t] / np.maximum(panel.invited[:, t], 1)
        raw = np.stack([np.where(panel.scored[:, t] > 0, panel.mean[:, t], 0.0), share], axis=1)
        raw /= raw.std(axis=0)
        labels[:, t] = KMeans(4, n_init=5, random_state=0).fit_predict(raw)
        if t:
            shared = np.zeros((4, 4))
            np.add.at(shared, (labels[:, t], labels[:, t - 1]), 1)
            labels[:, t] = linear_sum_assignment(-shared)[1][labels[:, t]]
    return labels


def _timed(practices: int, rounds: int) -> float:
    """Seconds to learn the constants of a body and to assess it at its last round."""
    body = worlds.body("continuum", FIRST_SEED, practices, rounds)
    known = body.agreeing(0.6)
    start = time.perf_counter()
    assess(known, refit(known[:-1]), invited_next=known[-1].invited)
    return time.perf_counter() - start


# --- all bodies -------------------------------------------------------------------------------------------------


def _summary(each: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of one world: means over bodies, and paired differences with their standard errors."""

    def mean(name: str) -> float:
        return float(np.mean([one[name] for one in each]))

    summary: dict[str, Any] = {
        name: mean(name) for name in ("base rate", "c", "true moves", "flips", "flips of k-means")
    }
    summary["ap"], summary["ahead"], summary["not clear"] = {}, {}, {}
    for share in SHARES:
        found = np.array([one["ap"][share] for one in each])
        found = found[np.isfinite(found).all(axis=1)]
        ahead = found[:, :1] - found
        error = (
            ahead.std(axis=0, ddof=1) / np.sqrt(len(found))
            if len(found) > 1
            else np.full(len(METHODS), np.nan)
        )
        key = f"{share:.0%}"
        summary["ap"][key] = dict(zip(METHODS, found.mean(axis=0).tolist(), strict=True))
        summary["ahead"][key] = {
            name: [float(d), float(2 * e)]
            for name, d, e in zip(METHODS[1:], ahead.mean(axis=0)[1:], error[1:], strict=True)
        }
        summary["not clear"][key] = float(np.mean([one["not clear"][share] for one in each]))
    for name in ("score 1", "score 0", "answers"):
        summary[f"covered, {name}"] = [
            _covered(np.concatenate([one[name] for one in each]), level) for level in LEVELS
        ]
    silent, said = (np.concatenate([one[name] for one in each]) for name in ("silent", "p silent"))
    summary["slope"] = calibration(silent, said)[0]
    return summary


def _covered(pits: np.ndarray, level: float) -> float:
    """Share of observations within the central interval of a level; one on its edge enters by the part inside."""
    low, high = (1 - level) / 2, (1 + level) / 2
    below, up_to = pits.T
    width = up_to - below
    inside = np.clip(np.minimum(up_to, high) - np.maximum(below, low), 0, None)
    return float(
        np.where(width > 0, inside / np.where(width > 0, width, 1), (below >= low) & (below <= high)).mean()
    )


def _goals(found: dict[str, Any]) -> list[Goal]:
    goals: list[Goal] = []
    for name, world in found["worlds"].items():
        own, none = world["ahead"]["100%"], world["ahead"]["0%"]
        if name == UNRELATED:
            worst = min(own[rival][0] for rival in BAYES)
            goals.append(
                Goal(
                    f"{name}: at 100% agreeing within .02 of empirical Bayes or better",
                    f"{worst:+.3f}",
                    worst >= -0.02,
                )
            )
        else:
            goals.append(_ahead(f"{name}: at 100% agreeing clearly above empirical Bayes", own, BAYES))
            goals.append(_ahead(f"{name}: at 100% agreeing clearly above every simple rule", own, RULES))
            goals.append(_ahead(f"{name}: at 0% clearly above the two rules of silence", none, SILENT))
        slope = world["slope"]
        goals.append(
            Goal(
                f"{name}: slope of the probability of silence .85 to 1.15",
                f"{slope:.2f}",
                0.85 <= slope <= 1.15,
            )
        )
        if world["true moves"] <= CALM:
            flips, raw = world["flips"], world["flips of k-means"]
            goals.append(
                Goal(
                    f"{name}: under 8% of practices change segment a round, k-means over 30%",
                    f"{flips:.1%}, k-means {raw:.1%}, truly {world['true moves']:.1%}",
                    flips < 0.08 and raw > 0.30,
                )
            )
    goals += [_calibrated(found, "score 1", "score"), _calibrated(found, "answers", "number who answer")]
    for (name, seconds), most in zip(found["seconds"].items(), (2, 15), strict=True):
        goals.append(Goal(f"{name} in under {most} s", f"{seconds:.2f} s", seconds < most))
    return goals


def _calibrated(found: dict[str, Any], what: str, label: str) -> Goal:
    """Coverage over all worlds together: in one world alone, a perfect 50% interval would miss the 50 every other time."""
    worlds_ = list(found["worlds"].values())
    covered = np.array([world[f"covered, {what}"] for world in worlds_])
    mean = covered.mean(axis=0)
    wanted = ((0.50, 0.60), (0.78, 0.88), (0.93, 0.98))
    return Goal(
        f"all worlds: 50, 80, 95% intervals of the {label} cover 50–60, 78–88, 93–98%",
        ", ".join(
            f"{m:.1%} ({low:.1%} to {high:.1%})"
            for m, low, high in zip(mean, covered.min(axis=0), covered.max(axis=0), strict=True)
        ),
        all(low <= m <= high for m, (low, high) in zip(mean, wanted, strict=True)),
    )


def _ahead(goal: str, ahead: dict[str, list[float]], rivals: tuple[str, ...]) -> Goal:
    """Met where the mean paired difference exceeds two standard errors against each rival; shows the closest."""
    closest = min(rivals, key=lambda rival: ahead[rival][0] - ahead[rival][1])
    difference, error = ahead[closest]
    return Goal(goal, f"{difference:+.3f} ± {error:.3f} against {closest}", difference > error)


def table(found: dict[str, Any]) -> str:
    """The findings for a terminal."""
    lines = [
        f"{found['seeds']} bodies a world, {found['practices']} practices, {KNOWN} rounds known, the next forecast.",
        "",
        "Average precision for truly disengaged practices, by share of respondents who agree",
    ]
    width = max(map(len, METHODS)) + 2
    for name, world in found["worlds"].items():
        lines += ["", f"{name} (base rate {world['base rate']:.2f}, mean c {world['c']:.2f})"]
        lines.append(
            " " * width + "".join(f"{share:>8}" for share in world["ap"]) + "   filter ahead at 100%, ± 2 SE"
        )
        for method in METHODS:
            row = "".join(f"{world['ap'][share][method]:8.3f}" for share in world["ap"])
            ahead = world["ahead"]["100%"].get(method)
            lines.append(
                f"{method:<{width}}{row}" + (f"   {ahead[0]:+.3f} ± {ahead[1]:.3f}" if ahead else "")
            )
        lines.append(f"{'not clear':<{width}}" + "".join(f"{s:8.0%}" for s in world["not clear"].values()))
        for what, label in (
            ("score 1", "score, all agreeing"),
            ("score 0", "score, nobody agreeing"),
            ("answers", "answers"),
        ):
            covered = " / ".join(f"{share:.1%}" for share in world[f"covered, {what}"])
            lines.append(f"50/80/95% intervals one round ahead cover, {label}: {covered}")
        lines.append(f"slope of the probability of silence: {world['slope']:.2f}")
        lines.append(
            f"practices that change segment a round: {world['flips']:.1%}; k-means on raw means "
            f"{world['flips of k-means']:.1%}; truly {world['true moves']:.1%}"
        )
    lines += ["", *(f"{name}: {seconds:.2f} s" for name, seconds in found["seconds"].items()), "", "Goals"]
    lines += [f"  {'met' if g['met'] else 'NOT met':<8}{g['goal']}: {g['found']}" for g in found["goals"]]
    return "\n".join(lines)
