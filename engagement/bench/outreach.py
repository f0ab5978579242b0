"""Whether the evaluation of outreach tells the truth, on invented bodies that know it: `engagement bench --outreach`.

Each body has 40 practices and seven rounds; then eight practices are visited, and the eighth round is compared with the
forecast. Visits do nothing, or a known amount. Practices are picked in three ways: the eight that did worst in the last
round, as people do; the eight that the product would list; eight of the sixteen that it would list, by a drawn order.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from engagement.bench import worlds
from engagement.bench.risk import Goal, _one_thread
from engagement.errors import Invalid
from engagement.outreach.order import in_order
from engagement.risk import effect
from engagement.risk.assess import Assessment, assess, refit
from engagement.risk.effect import SCORE, SHARE, Effect, Measure

# None of them served while the estimator was built.
FIRST_SEED = 50_001
SEEDS = 60
KNOWN, VISITS, ELIGIBLE, POOLED = 7, 8, 16, 20
WORST, LISTED, BY_LOT = DESIGNS = "worst last time", "on the list", "by lot"
NOTHING, SOMETHING = EFFECTS = "no effect", "known effect"
# What a visit adds to the probability that a member answers, and to what members think, in points.
SIZES = {NOTHING: (0.0, 0.0), SOMETHING: (0.15, 0.5)}
ALLOWED = {SHARE: 0.05, SCORE: 0.08}
SHOWS = 0.15


def run(
    seeds: int = SEEDS, say: Callable[[str], None] = lambda _: None, *, practices: int = 40
) -> dict[str, Any]:
    """Run all worlds over so many seeds, on two processes; returns figures, goals and what was run, as plain data.

    Raises `Invalid` for fewer than two seeds: there would be no standard error.
    """
    if seeds < 2:
        raise Invalid("It takes two seeds at least to say how far a mean is off by chance.")
    cases: dict[str, list[list[Case]]] = {}
    with ProcessPoolExecutor(2, initializer=_one_thread) as pool:
        for world in worlds.WORLDS:
            say(f"outreach: {seeds} bodies of the world “{world}”")
            cases[world] = list(
                pool.map(partial(_once, world, practices), range(FIRST_SEED, FIRST_SEED + seeds), chunksize=4)
            )
    found: dict[str, Any] = {"seeds": seeds, "practices": practices, "sizes": SIZES, "designs": {}}
    for design in DESIGNS:
        found["designs"][design] = {
            name: {size: _summary(cases, (design, size, name)) for size in EFFECTS}
            for name in effect.MEASURES
        }
    found["pooled"] = {
        name: {size: _pooled(cases, (WORST, size, name)) for size in EFFECTS} for name in effect.MEASURES
    }
    found["goals"] = [asdict(goal) for goal in _goals(found)]
    return found


# --- one body ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One evaluation of one body. `truth`: what visits added in the visited practices; `naive`: before and after; `double`:
    the same less that of the others, difference in differences; `found` None where too few were seen. `low`, `high`: the interval that the product
    prints."""

    key: tuple[str, str, str]
    truth: float
    naive: float
    double: float
    found: float | None
    low: float
    high: float
    effect: Effect | None


def _once(world: str, practices: int, seed: int) -> list[Case]:
    """All evaluations of one body."""
    history = worlds.body(world, seed, practices).agreeing(1.0)
    constants = refit(history[: KNOWN - 1])
    said = assess(history[:KNOWN], constants, invited_next=history[KNOWN].invited)
    found = []
    for design in DESIGNS:
        visited, strata = _picked(design, history[KNOWN - 1], said, seed)
        for size, (share, attitude) in SIZES.items():
            body = worlds.body(
                world,
                seed,
                practices,
                visit=lambda _, share=share, attitude=attitude, visited=visited: worlds.Visits(
                    share * visited, attitude * visited
                ),
            )
            rounds = body.agreeing(1.0)
            measures = effect.measures(rounds[:KNOWN], constants, rounds[KNOWN])
            for column, (name, measure) in enumerate(measures.items()):
                found.append(
                    _case((design, size, name), measure, visited, strata, body.gain[visited, column].mean())
                )
    return found


def _picked(design: str, last, said: Assessment, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Who is visited, and the strata that a drawn order has, -1 outside of it, each (P,)."""
    visited, strata = np.zeros(len(said.open), bool), np.full(len(said.open), -1)
    if design == WORST:
        n = np.bincount(last.practice, minlength=len(visited))
        score = np.bincount(last.practice, np.nan_to_num(last.score, nan=3.0), len(visited)) / np.maximum(
            n, 1
        )
        # Nobody answered: as bad as a low score, to people who look at last round's table.
        score = np.where(n > 0, score, score[n > 0].mean() - score[n > 0].std())
        share = last.answered / np.maximum(last.invited, 1)
        visited[np.argsort(score / score.std() + share / share.std(), kind="stable")[:VISITS]] = True
    elif design == LISTED:
        visited[np.argsort(said.engagement, kind="stable")[:VISITS]] = True
    else:
        eligible = np.argsort(said.engagement, kind="stable")[:ELIGIBLE]
        strata[eligible] = said.leading[eligible]
        drawn = in_order(str(seed), {str(place): str(strata[place]) for place in eligible})
        visited[[int(place) for place in drawn[:VISITS]]] = True
    return visited, strata


def _case(key, measure: Measure, visited: np.ndarray, strata: np.ndarray, truth: float) -> Case:
    compared = effect.compare(measure, visited)
    shown = effect.by_lot(measure, visited, strata) if key[0] == BY_LOT else compared
    return Case(
        key=key,
        truth=float(truth),
        naive=_change(measure, visited),
        double=_change(measure, visited) - _change(measure, ~visited),
        found=shown and shown.estimate,
        low=shown.low if shown else np.nan,
        high=shown.high if shown else np.nan,
        effect=compared,
    )


def _change(measure: Measure, rows: np.ndarray) -> float:
    """Mean change since the last round of practices seen both times, by what their values rest on; NaN where there is none."""
    rows = rows & measure.known & np.isfinite(measure.before)
    change = (measure.observed - measure.before)[rows]
    return float(np.average(change, weights=1 / measure.variance[rows])) if rows.any() else float("nan")


# --- all bodies -------------------------------------------------------------------------------------------------


def _summary(cases: dict[str, list[list[Case]]], key: tuple[str, str, str]) -> dict[str, Any]:
    """The figures of one design, size and measure: of each world, and of all together."""
    by_world = {
        world: [case for body in bodies for case in body if case.key == key and case.found is not None]
        for world, bodies in cases.items()
    }
    return {
        "worlds": {world: _figures(mine) for world, mine in by_world.items()},
        "all": _figures([case for mine in by_world.values() for case in mine]),
    }


def _figures(mine: list[Case]) -> dict[str, float]:
    """Means over bodies; errors are differences from the truth. NaN where there is no body to speak of."""
    if not mine:
        return dict.fromkeys(_FIGURES, float("nan")) | {"bodies": 0}
    truth, found, low, high = (
        np.array([getattr(case, name) for case in mine]) for name in ("truth", "found", "low", "high")
    )
    error = found - truth

    def mean(name: str) -> float:
        errors = np.array([getattr(case, name) - case.truth for case in mine])
        return float(np.nanmean(errors)) if np.isfinite(errors).any() else float("nan")

    spread = error.std(ddof=1) / np.sqrt(len(mine)) if len(mine) > 1 else np.nan
    values = (
        truth.mean(), mean("naive"), mean("double"), error.mean(), 2 * spread,
        ((low <= truth) & (truth <= high)).mean(), np.median(high - low), ((low > 0) | (high < 0)).mean(),
    )  # fmt: skip
    return dict(zip(_FIGURES, map(float, values), strict=True)) | {"bodies": len(mine)}


_FIGURES = (
    "truth",
    "before and after",
    "difference in differences",
    "bias",
    "± 2 SE",
    "covered",
    "width",
    "shows",
)


def _pooled(cases: dict[str, list[list[Case]]], key: tuple[str, str, str]) -> dict[str, float]:
    """Bodies of one world taken together twenty at a time."""
    found = []
    for bodies in cases.values():
        mine = [
            case
            for body in bodies
            for case in body
            if case.key == key and case.effect is not None and case.effect.se > 0
        ]
        for start in range(0, len(mine) - POOLED + 1, POOLED):
            group = mine[start : start + POOLED]
            pooled = effect.pool([case.effect for case in group])
            truth = float(np.mean([case.truth for case in group]))
            found.append(
                (
                    pooled.estimate - truth,
                    pooled.low <= truth <= pooled.high,
                    pooled.low > 0,
                    pooled.high - pooled.low,
                )
            )
    if not found:
        return {"groups": 0}
    error, covered, shows, width = np.array(found, float).T
    return {
        "groups": len(found),
        "bias": float(error.mean()),
        "covered": float(covered.mean()),
        "shows": float(shows.mean()),
        "width": float(np.median(width)),
    }


def _goals(found: dict[str, Any]) -> list[Goal]:
    goals = []
    for design in (WORST, LISTED):
        for name, most in ALLOWED.items():
            each = found["designs"][design][name][NOTHING]["worlds"]
            # Where before and after shows little, there is no trap to fall into.
            if not (shown := {w: f for w, f in each.items() if f["before and after"] > SHOWS}):
                continue
            worst = max(shown, key=lambda world: abs(shown[world]["bias"]))
            goals.append(
                Goal(
                    f"{design}, {name}: where before and after shows more than +{SHOWS}, mean bias at no effect within ±{most}",
                    f"worst of {len(shown)} worlds {shown[worst]['bias']:+.3f} ± {shown[worst]['± 2 SE']:.3f}",
                    abs(shown[worst]["bias"]) <= most,
                )
            )
    for design in DESIGNS:
        for name in effect.MEASURES:
            for size in EFFECTS:
                all_ = found["designs"][design][name][size]["all"]
                goals.append(
                    Goal(
                        f"{design}, {name}, {size}: 95% intervals cover 92–98%",
                        f"{all_['covered']:.1%} of {all_['bodies']}",
                        0.92 <= all_["covered"] <= 0.98,
                    )
                )
    return goals


def table(found: dict[str, Any]) -> str:
    """The findings for a terminal."""
    share, attitude = found["sizes"][SOMETHING]
    lines = [
        f"{found['seeds']} bodies a world, {found['practices']} practices, {KNOWN} rounds known, {VISITS} visited, the next "
        "round compared.",
        f"The known effect: +{share} on each member's probability to answer, +{attitude} points on what members think.",
        "Mean errors against the truth; ± is twice the standard error; “shows” is the share of intervals that leave out 0.",
    ]
    for design, by_measure in found["designs"].items():
        for name, by_size in by_measure.items():
            lines += ["", f"{design}, {name}"]
            lines.append(
                f"{'':<30}{'truth':>7}{'bef-aft':>9}{'diff-diff':>10}{'shipped':>9}{'±':>7}{'covered':>9}{'width':>7}{'shows':>7}"
                f"{'bodies':>8}"
            )
            for size, summary in by_size.items():
                for world, f in (summary["worlds"] | {"all": summary["all"]}).items():
                    lines.append(
                        f"{size + ', ' + world:<30}{f['truth']:7.3f}{f['before and after']:+9.3f}"
                        f"{f['difference in differences']:+10.3f}{f['bias']:+9.3f}{f['± 2 SE']:7.3f}{f['covered']:9.1%}"
                        f"{f['width']:7.2f}{f['shows']:7.0%}{f['bodies']:8}"
                    )
    lines += ["", f"Pooled over {POOLED} bodies, {WORST}"]
    for name, by_size in found["pooled"].items():
        for size, f in by_size.items():
            if f["groups"]:
                lines.append(
                    f"{name + ', ' + size:<30}bias {f['bias']:+.3f}, covered {f['covered']:.0%}, shows {f['shows']:.0%}, "
                    f"width {f['width']:.2f}, {f['groups']} groups"
                )
    lines += ["", "Goals"]
    lines += [f"  {'met' if g['met'] else 'NOT met':<8}{g['goal']}: {g['found']}" for g in found["goals"]]
    return "\n".join(lines)
