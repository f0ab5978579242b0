"""What a release says beside each round's table: weighted figures, the same people twice, how well the index measures.

All of it from exact answers, and all of it printed through `engagement.disclosure`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from engagement import disclosure, estimates
from engagement.releases import compare, gating, tally
from engagement.releases.compare import ARMS, Facts
from engagement.releases.gating import Pair

CAP = 3.0
"""No weight above three times the mean: one answer may not speak for a crowd."""
TRUSTED_SPREAD = 100


@dataclass(frozen=True, eq=False)
class Weighting:
    """How a round was weighted to its roster: `column` (people,), each member's weight as text to the hundredth, None for
    others; `how`: what the release says of it; `kish`: the design effect of the weights."""

    column: np.ndarray
    how: dict[str, Any]
    kish: float


def weigh(tier: str, roster: tally.Invited, answers: tally.Answers) -> Weighting | None:
    """Weights of a round's members; None in a round that keeps no role and locality, or whose weights cannot be made."""
    if tier != "confidential":
        return None
    member = (answers.arm == 0) | (answers.arm == 1)
    asked = np.isin(roster.standing.astype(str), ARMS)
    try:
        made = estimates.weigh(
            {name: answers.strata[name][member] for name in tally.STRATA},
            {name: roster.strata[name][asked] for name in tally.STRATA},
            cap=CAP,
        )
    except ValueError:
        # An answer that the roster cannot place: the unweighted figures stand alone.
        return None
    column = np.full(len(member), None, dtype=object)
    # To the hundredth, so that the audit can work with the very weights that were printed with.
    column[member] = [f"{max(weight, 0.01):.2f}" for weight in made.weights.tolist()]
    how = {
        "to": list(tally.STRATA),
        "cap": CAP,
        "design_effect": disclosure.up_to_tenth(made.deff),
        "approximate": made.approximate,
    }
    return Weighting(column, how, made.deff)


def weighted(
    weighting: Weighting,
    roster: tally.Invited,
    answers: tally.Answers,
    items: Sequence[dict[str, Any]],
    clustering: tuple[float | None, int | None],
) -> dict[str, dict[str, Any]]:
    """By key of headline item its shares and gap weighted to the roster."""
    sizes = {arm: int(np.sum(roster.standing == arm)) for arm in ARMS}
    found = {}
    for item in items:
        if not item.get("headline"):
            continue
        counts = {}
        for place, arm in enumerate(ARMS):
            rows = answers.scored(item["key"]) & (answers.arm == place)
            weights = [Fraction(weight) for weight in weighting.column[rows].tolist()]
            good = answers.favourable[item["key"]][rows].tolist()
            total = sum(weights, Fraction(0))
            share = sum((w for w, y in zip(weights, good, strict=True) if y), Fraction(0)) / (total or 1)
            counts[arm] = disclosure.WeightedShare(share, int(rows.sum()), sizes[arm])
        found[item["key"]] = disclosure.print_weighted(counts, weighting.kish, *clustering)
    return found


def panels(
    pair: Pair | None,
    past: Sequence[Facts],
    items: Sequence[dict[str, Any]],
    threshold: int,
    effects: tuple[float | None, int | None],
) -> tuple[dict[str, dict[str, Any]], dict[str, tuple[disclosure.SumFigure, ...]]]:
    """By key of headline item: those who answered in both rounds, and what moved the total; and what the audit has to
    know of the latter. Nothing where nobody's codes join the rounds."""
    if pair is None or not np.isin(pair.are, pair.was).any():
        return {}, {}
    found, sums, readings, factors = {}, {}, {}, []
    for item in items:
        key = item["key"]
        if not item.get("headline") or not past[0].asks([item]):
            continue
        at1, at2 = pair.same_arm(key)
        groups = {name: _panel_group(pair, key, arm, at1, at2, threshold) for arm, name in enumerate(ARMS)}
        if len(at1):
            factors.append(_panel_stack(pair, key, at1, at2))
        moved, figures = _moved(pair, key, threshold)
        found[key] = {"since": pair.since, "groups": groups, "moved": moved}
        sums[key] = figures
        readings[key] = {
            name: _ends(group, int(np.sum(pair.now.arm[at2] == arm)), effects[0])
            for arm, (name, group) in enumerate(groups.items())
        }
    gap_factor = disclosure.print_factor([compare.factor(stack, [-1, 1, 1, -1]) for stack in factors])
    level = disclosure.print_factor(
        [compare.factor(stack, c) for stack in factors for c in ([-1, 0, 1, 0], [0, -1, 0, 1])]
    )
    df = effects[1]
    levels = {
        (key, name): disclosure.moved(ends, (-1, 1), level, df)
        for key, by in readings.items()
        for name, ends in by.items()
    }
    gaps = {
        key: disclosure.moved((*by["leader"], *by["grassroots"]), (-1, 1, 1, -1), gap_factor, df)
        for key, by in readings.items()
    }
    told, told_levels = (
        disclosure.say(gaps, (), disclosure.GAP_WORDS),
        disclosure.say(levels, (), disclosure.LEVEL_WORDS),
    )
    for key, panel in found.items():
        shown = all(group["mark"] == "shown" for group in panel["groups"].values())
        panel["gap"] = {"mark": "shown", **_said(told[key])} if shown else {"mark": "hidden"}
        for name, group in panel["groups"].items():
            if group["mark"] == "shown":
                group |= _said(told_levels[key, name])
    return found, sums


def _said(verdict: dict[str, Any]) -> dict[str, Any]:
    return {"verdict": verdict["verdict"], "points": verdict["points"]}


def _panel_group(
    pair: Pair, key: str, arm: int, at1: np.ndarray, at2: np.ndarray, threshold: int
) -> dict[str, Any]:
    parts = []
    for answers, at in ((pair.before, at1), (pair.now, at2)):
        of_arm = at[answers.arm[at] == arm]
        total = int(np.sum(answers.scored(key) & (answers.arm == arm)))
        parts.append(disclosure.PanelCount(int(answers.favourable[key][of_arm].sum()), len(of_arm), total))
    return disclosure.print_panel(*parts, threshold)


def _ends(group: dict[str, Any], n: int, effect: float | None) -> tuple:
    """The panel's printed shares as readings, (None, None) where it is hidden."""
    if group["mark"] != "shown":
        return None, None
    return tuple(
        disclosure.read_share({"mark": "shown", **group[when]}, n, effect) for when in ("before", "now")
    )


def _panel_stack(pair: Pair, key: str, at1: np.ndarray, at2: np.ndarray) -> estimates.Stack:
    return estimates.linearised(
        np.concatenate([pair.before.practice[at1], pair.now.practice[at2]]),
        np.concatenate([pair.before.arm[at1], pair.now.arm[at2] + 2]),
        np.concatenate([pair.before.favourable[key][at1], pair.now.favourable[key][at2]]),
        cells=4,
    )


def _moved(pair: Pair, key: str, threshold: int) -> tuple[dict[str, Any], tuple[disclosure.SumFigure, ...]]:
    """What moved the total, printed, and each part of it as a figure that the audit reads."""
    waves = []
    for answers, people in ((pair.before, pair.was), (pair.now, pair.are)):
        rows = answers.scored(key) & (answers.arm < 2)
        waves.append(
            estimates.Wave(
                people[rows],
                answers.practice[rows],
                1 - answers.arm[rows],
                answers.favourable[key][rows].astype(np.int64),
            )
        )
    printed = disclosure.print_decomposition(estimates.decompose(*waves), threshold)
    if printed["mark"] != "shown":
        return printed, ()
    weights = _moved_weights(*waves)
    figures = [
        disclosure.SumFigure(
            f"{name} of {key}",
            pair.number,
            pair.since,
            gating.stay_table(pair.number, key),
            tuple(
                ((pair.since, pair.number)[wave], category, weight)
                for (wave, category), weight in of.items()
                if weight
            ),
            printed[name],
        )
        for name, of in weights.items()
    ]
    return printed, tuple(figures)


def _moved_weights(
    earlier: estimates.Wave, later: estimates.Wave
) -> dict[str, dict[tuple[int, str], Fraction]]:
    """By part of `estimates.decompose`, the weight of a favourable answer by wave (0, 1) and category of `gating.stay_table`.

    Every part is a weighted sum of answers, with weights that hang on who answered alone: those are found here, in
    exact fractions, by the same steps.
    """
    stayed = [np.isin(a.person, b.person) for a, b in ((earlier, later), (later, earlier))]
    cells = [(wave, arm, twice) for wave in (0, 1) for arm in (0, 1) for twice in (True, False)]
    count = {
        (wave, arm, twice): int(np.sum((one.arm == 1 - arm) & (stayed[wave] == twice)))
        for wave, one in enumerate((earlier, later))
        for arm, twice in ((a, t) for a in (0, 1) for t in (True, False))
    }
    n = [sum(count[wave, arm, twice] for arm in (0, 1) for twice in (True, False)) for wave in (0, 1)]
    stay = sum(count[0, arm, True] for arm in (0, 1))
    change, minds, mix = ({cell: Fraction(0) for cell in cells} for _ in range(3))
    for wave, arm, twice in cells:
        sign = (-1, 1)[wave]
        change[wave, arm, twice] = Fraction(sign, n[wave])
        if twice:
            minds[wave, arm, twice] = Fraction(sign, stay)
        of_arm, of_stayers = (
            count[wave, arm, True] + count[wave, arm, False],
            count[wave, arm, True],
        )
        # Of the whole wave to its stayers (leaving), or of the stayers to the whole wave (joining).
        half = sign * (Fraction(of_arm, n[wave]) - Fraction(of_stayers, stay)) / 2
        if of_stayers:
            mix[wave, arm, twice] = half / of_arm + (half / of_stayers if twice else 0)
        elif of_arm:
            # Where nobody of an arm stayed, its share on the empty side is taken to be that of the other.
            mix[wave, arm, twice] = 2 * half / of_arm
    turnover = {cell: change[cell] - minds[cell] - mix[cell] for cell in cells}
    parts = {"change": change, "mix": mix, "turnover": turnover, "minds": minds}
    return {
        name: {
            (wave, f"{ARMS[arm]} {'twice' if twice else 'once'}"): weight
            for (wave, arm, twice), weight in of.items()
        }
        for name, of in parts.items()
    }


def representative(tier: str, roster: tally.Invited, answers: tally.Answers) -> dict[str, Any]:
    """How evenly response is spread over role, locality and size: the R-indicator, to .05."""
    if tier != "confidential":
        return {"mark": "hidden"}
    asked, came = (
        Counter(zip(*(map(str, strata[name]) for name in tally.STRATA), strict=True))
        for strata in (roster.strata, answers.strata)
    )
    if not asked or any(number > asked[cell] for cell, number in came.items()):
        return {"mark": "hidden"}
    labels = dict(zip(tally.STRATA, zip(*asked, strict=True), strict=True))
    found = estimates.representativeness(labels, list(asked.values()), [came[cell] for cell in asked])
    return disclosure.print_representativeness(found.r_adjusted, len(answers.arm))


def measuring(parts: Iterable[tuple[int, tally.Answers]], items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How well the core items measure one thing, from this round and, if need be, rounds before it.

    `parts`: number and answers of this round and earlier ones of the same core items, newest first; as many are
    taken as give 100 complete answers. Figures are to .05.
    """
    used: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = []
    for number, answers in parts:
        scores = np.column_stack([_favourable_score(answers, item) for item in items])
        member = (answers.arm == 0) | (answers.arm == 1)
        used.append((number, scores[member], answers.arm[member] == 0, answers.practice[member]))
        if sum(int(np.isfinite(s).all(axis=1).sum()) for _, s, _, _ in used) >= TRUSTED_SPREAD:
            break
    numbers = [number for number, *_ in used]
    scores, leader, practice = (np.concatenate([row[place] for row in used]) for place in (1, 2, 3))
    found = estimates.scale_reliability(scores)
    compared = estimates.compare_measurement(scores, leader.astype(int), practice)
    keys = [item["key"] for item in items]
    return {
        "rounds": sorted(numbers),
        **disclosure.print_reliability(found, one_round=len(numbers) == 1),
        "weak": [keys[i] for i in found.weak],
        "compared": compared.verdict,
        "different": [keys[i] for i in compared.different],
    }


def _favourable_score(answers: tally.Answers, item: dict[str, Any]) -> np.ndarray:
    score = answers.score[item["key"]]
    return len(item["labels"]) + 1 - score if item["reverse"] else score
