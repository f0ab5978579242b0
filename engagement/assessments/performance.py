"""How well did it do? Past forecasts against what happened, in aggregate only.

Each past round is forecast again with the constants that were in force then, from the rounds before it, unrounded:
probabilities that were printed to 0.05 can be 0 or 1, and have no logit. What happened to one practice is in no
figure that stands on fewer than ten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from engagement.assessments.figures import MEASURE, PROBABILITY, count, printed, share
from engagement.assessments.gather import Arranged
from engagement.risk import judge
from engagement.risk.assess import Assessment, assess
from engagement.risk.evidence import sealed_panel
from engagement.risk.filter import FEWEST_ROUNDS as _USABLE
from engagement.risk.filter import Constants

FEWEST_ROUNDS = _USABLE + 1
FILTER = "Engagement filter"
NOT_KNOWN = "not known"
ROSTERS = ("≤ 2", "3–5", "≥ 6")
ORDER = (*ROSTERS, "small", "medium", "large", NOT_KNOWN)
# What a member's mean over a few items leaves out, in squared points, as in the filter.
UNSAID = 0.01
REPLICATES = judge.REPLICATES
TOO_FEW = f"Too few to say: it takes {judge.FEWEST_PRACTICES} practices."
EDGES = (0, 0.1, 0.2, 0.4, 0.6, 1)


def of(arranged: Arranged, said: Assessment, used: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """How well the rounds so far were forecast; None before the third.

    `used`: the constants that each earlier round was assessed with, in their order. The result: {"last": measures of
    the last round's forecasts with their bands, "models": the walk-forward table, "coverage", "drift",
    "subgroups": {"roster", "size"}, "visits": {"roster"}}; `n` is a number of forecasts, None below five.
    """
    if len(arranged.rounds) < FEWEST_ROUNDS:
        return None
    past = _walk(arranged, used)
    silent, raw = _seen(arranged)
    happened = _outcomes(arranged, silent)
    filter_ = judge.Model(lambda t: past[t].p_silent_next)
    forecasts = judge.walk_forward(filter_, happened)
    last = forecasts.where(forecasts.round == len(arranged.rounds) - 1)
    compared = judge.compare(
        {FILTER: filter_} | judge.baselines(silent, raw, happened), happened, replicates=REPLICATES
    )
    kinds = {"roster": _rosters(arranged), "size": [size or NOT_KNOWN for size in arranged.size]}
    return {
        "last": _judgement(judge.judge(last, replicates=REPLICATES)) | {"bands": _bands(last)},
        "models": [
            {"name": each.name, **_judgement(each.judgement), "ahead": _figure(each.ahead)}
            for each in compared
        ],
        "coverage": _coverage(arranged, past),
        "drift": [_drift(point, arranged.numbers) for point in judge.drift(forecasts, replicates=REPLICATES)],
        "subgroups": {
            kind: [
                {
                    "name": each.name,
                    "share_listed": printed(each.share_chosen, PROBABILITY),
                    **_judgement(each.judgement),
                }
                for each in sorted(
                    judge.by_subgroup(forecasts, names, replicates=REPLICATES),
                    key=lambda each: ORDER.index(each.name),
                )
            ]
            for kind, names in kinds.items()
        },
        "visits": _visits(said, kinds["roster"]),
    }


def _walk(arranged: Arranged, used: Sequence[Mapping[str, Any]]) -> dict[int, Assessment]:
    """The assessment after each earlier round from the second on, by the round's place."""
    return {
        t: assess(
            arranged.rounds[: t + 1],
            Constants.from_json(used[t]),
            invited_next=arranged.invited[t],
        )
        for t in range(_USABLE - 1, len(arranged.rounds) - 1)
    }


def _seen(arranged: Arranged) -> tuple[np.ndarray, np.ndarray]:
    """Silence, 1 or 0, NaN where nobody was asked, and mean scores, NaN where there are none, each (T, P)."""
    asked = np.array([round_.invited for round_ in arranged.rounds])
    answered = np.array([round_.answered for round_ in arranged.rounds])
    # The leader gap moves these scores hardly, and the simple rules do without it.
    panel = sealed_panel(arranged.rounds, Constants())
    return (
        np.where(asked > 0, answered == 0, np.nan),
        np.where(panel.scored > 0, panel.mean, np.nan).T,
    )


def _outcomes(arranged: Arranged, silent: np.ndarray) -> np.ndarray:
    """What is forecast, (T, P): nobody answered. No outcome where the practice was not open at the close, and where the
    round asked other people than the one before, being of another tier."""
    happened = np.where([round_.open for round_ in arranged.rounds], silent, np.nan)
    tiers = [round_.tier for round_ in arranged.rounds]
    for t in range(1, len(tiers)):
        if tiers[t] != tiers[t - 1]:
            happened[t] = np.nan
    return happened


def _rosters(arranged: Arranged) -> list[str]:
    """Size of each practice's roster when it was last on one."""
    invited = arranged.invited
    last = len(invited) - 1 - np.argmax(invited[::-1] > 0, axis=0)
    people = invited[last, np.arange(invited.shape[1])]
    return [ROSTERS[np.searchsorted((2, 5), n)] for n in people]


def _coverage(arranged: Arranged, past: Mapping[int, Assessment]) -> list[dict[str, Any]]:
    """Share of the practices' mean scores that fell within the interval forecast a round before."""
    mean, sd, observed, practice = [], [], [], []
    for t, said in past.items():
        panel = sealed_panel([arranged.rounds[t + 1]], said.constants)
        n = panel.scored[:, 0]
        rows = np.flatnonzero((n > 0) & said.open)
        variance = said.next.covariance[rows, 0, 0] + said.constants.s2 / n[rows] + UNSAID
        mean.append(said.next.mean[rows, 0])
        sd.append(np.sqrt(variance))
        observed.append(panel.mean[rows, 0])
        practice.append(rows)
    mean, sd, observed, practice = map(np.concatenate, (mean, sd, observed, practice))
    found = judge.coverage(observed, judge.normal_intervals(mean, sd), practice, replicates=REPLICATES)
    return [
        {"level": each.nominal, "n": count(each.n), "share": _figure(each.share, share)} for each in found
    ]


def _visits(said: Assessment, rosters: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Which practices the two lists of today name, by size of roster: each kind's share of the visits beside its share of
    all practices."""
    rows = np.flatnonzero(said.open & np.isfinite(said.p_silent_next))
    kinds = np.asarray(rosters, str)[rows]
    nothing = np.zeros(len(rows))
    lists = {
        name: judge.chosen(judge.Forecasts(rows, nothing, value, nothing, probability=False), judge.CAPACITY)
        for name, value in (("engagement", -said.engagement[rows]), ("silence", said.p_silent_next[rows]))
    }
    return {
        "roster": [
            {
                "name": kind,
                "n": count((kinds == kind).sum()),
                "share": printed((kinds == kind).mean(), PROBABILITY),
                **{name: printed(x[kinds == kind].sum() / x.sum(), PROBABILITY) for name, x in lists.items()},
            }
            for kind in ROSTERS
            if (kinds == kind).any()
        ]
    }


# --- printed ----------------------------------------------------------------------------------------------------


def _judgement(found: judge.Judgement) -> dict[str, Any]:
    """Measures to 0.01, shares to 0.05."""
    steps = dict.fromkeys(("precision", "recall"), share)
    steps |= dict.fromkeys(("brier", "slope", "intercept", "net_benefit"), _measure)
    steps["ap"] = lambda value: share(value, MEASURE)
    return {
        **asdict(found),
        **{name: _figure(getattr(found, name), step) for name, step in steps.items()},
        "n": count(found.n),
        "practices": count(found.practices),
        "base_rate": share(found.base_rate),
        "brier_reference": _measure(found.brier_reference),
    }


def _measure(value: float | None) -> float | None:
    return printed(value, MEASURE)


def _figure(
    figure: judge.Figure | None, step: Callable[[float | None], float | None] = _measure
) -> dict[str, Any] | None:
    if figure is None:
        return None
    return asdict(figure) | {name: step(getattr(figure, name)) for name in ("value", "low", "high")}


def _bands(forecasts: judge.Forecasts) -> list[dict[str, Any]]:
    """What was said against what happened, in bands of probability."""
    return [
        {
            "low": band.low,
            "high": band.high,
            "n": count(band.n),
            "said": printed(band.said, PROBABILITY),
            "happened": share(band.happened),
            "ci": band.ci and [printed(end, PROBABILITY) for end in band.ci],
            "explanation": None if band.said is not None else TOO_FEW,
        }
        for band in judge.calibration_table(forecasts, EDGES)
    ]


def _drift(point: judge.DriftPoint, numbers: Sequence[int]) -> dict[str, Any]:
    return {
        "round": numbers[point.round],
        "n": count(point.n),
        "said": printed(point.said, PROBABILITY),
        "happened": share(point.happened),
        "difference": _figure(point.difference, lambda value: printed(value, PROBABILITY)),
        "drifted": point.drifted,
    }
