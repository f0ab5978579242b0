"""What a release says beside each round's table: weighted figures, the same people twice, how well the index measures.

All of it from exact answers, and all of it printed through `engagement.disclosure`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from engagement import disclosure, estimates
from engagement.models import Round
from engagement.releases import tally
from engagement.releases.compare import ARMS, LEVEL_WORDS, Past

CAP = 3.0
"""No weight above three times the mean: one answer may not speak for a crowd."""
TRUSTED_SPREAD = 100


def weighted(
    round_: Round,
    roster: tally.Invited,
    answers: tally.Answers,
    items: Sequence[dict[str, Any]],
    clustering: tuple[float | None, int | None],
) -> tuple[dict[str, Any] | None, dict[str, dict[str, Any]]]:
    """How the round was weighted, and by key of headline item its shares and gap weighted to the roster.

    `items`: those of the promise whose gap this round prints. Nothing in a round that keeps no role and locality,
    or whose weights cannot be made.
    """
    headline = [item for item in items if item.get("headline")]
    if not headline or round_.tier != "confidential":
        return None, {}
    member = (answers.arm == 0) | (answers.arm == 1)
    asked = np.isin(roster.standing.astype(str), ARMS)
    try:
        weights = estimates.weigh(
            {name: answers.strata[name][member] for name in tally.STRATA},
            {name: roster.strata[name][asked] for name in tally.STRATA},
            cap=CAP,
        )
    except ValueError:
        # An answer that the roster cannot place: the unweighted figures stand alone.
        return None, {}
    sizes = {arm: int(np.sum(roster.standing == arm)) for arm in ARMS}
    found = {}
    for item in headline:
        y = answers.favourable[item["key"]][member]
        stack = estimates.calibrated(weights, answers.practice[member], answers.arm[member], y, cells=2)
        counts = {
            arm: disclosure.WeightedShare(float(stack.shares[place]), int(stack.n[place]), sizes[arm])
            for place, arm in enumerate(ARMS)
        }
        found[item["key"]] = disclosure.print_weighted(counts, weights.deff, *clustering)
    how = {
        "to": list(tally.STRATA),
        "cap": CAP,
        "design_effect": disclosure.up_to_tenth(weights.deff),
        "approximate": weights.approximate,
    }
    return how, found


def panels(
    past: Sequence[Past],
    old: tally.Answers | None,
    answers: tally.Answers,
    items: Sequence[dict[str, Any]],
    threshold: int,
) -> dict[str, dict[str, Any]]:
    """By key of headline item: those who answered in both rounds, and what moved the total.

    `old`: the answers of the round before, whose panel codes join these. Nothing without codes.
    """
    if not past or old is None or answers.before is None or old.now is None:
        return {}
    waves, panels = {}, {}
    codes = {code: place for place, code in enumerate(sorted(filter(None, {*old.now, *answers.before})))}
    for item in items:
        if not item.get("headline") or not past[0].shows(item):
            continue
        pair = (
            _wave(old, old.now, item["key"], codes, 0),
            _wave(answers, answers.before, item["key"], codes, len(old.now)),
        )
        if np.isin(pair[1].person, pair[0].person).any():
            waves[item["key"]], panels[item["key"]] = pair, estimates.constant_role(*pair)
    gaps = estimates.verdicts({key: panel.gap for key, panel in panels.items()}, ())
    levels = estimates.verdicts(
        {(key, arm): (panel.arm1, panel.arm0)[arm] for key, panel in panels.items() for arm in (0, 1)}, ()
    )
    return {
        key: {
            "since": past[0].round.number,
            **_panel(*waves[key], panel, gaps[key], [levels[key, arm] for arm in (0, 1)], threshold),
            "moved": disclosure.print_decomposition(estimates.decompose(*waves[key]), threshold),
        }
        for key, panel in panels.items()
    }


def _wave(
    answers: tally.Answers, person: np.ndarray, key: str, codes: dict[str, int], others: int
) -> estimates.Wave:
    """People by their codes; those without one get numbers below 0, from below `-others` on, that no other has."""
    rows = answers.scored(key) & (answers.arm < 2)
    numbers = np.array(
        [codes.get(code, -1 - others - place) for place, code in enumerate(person)], dtype=np.int64
    )
    return estimates.Wave(
        numbers[rows],
        answers.practice[rows],
        1 - answers.arm[rows],
        answers.favourable[key][rows].astype(np.int64),
    )


def _panel(
    earlier: estimates.Wave,
    later: estimates.Wave,
    panel: estimates.Panel,
    gap: estimates.Verdict,
    levels: Sequence[estimates.Verdict],
    threshold: int,
) -> dict[str, Any]:
    """Shares of those who kept their arm, then and now, and what became of their gap."""
    _, at1, at2 = np.intersect1d(earlier.person, later.person, return_indices=True)
    at1, at2 = (at[earlier.arm[at1] == later.arm[at2]] for at in (at1, at2))
    groups = {}
    for place, name in enumerate(ARMS):
        arm = 1 - place
        parts = [
            disclosure.PanelCount(
                int(wave.y[at][wave.arm[at] == arm].sum()),
                int(np.sum(wave.arm[at] == arm)),
                int(np.sum(wave.arm == arm)),
            )
            for wave, at in ((earlier, at1), (later, at2))
        ]
        level = (panel.arm1, panel.arm0)[place]
        groups[name] = disclosure.print_panel(
            *parts, threshold, (level.change, level.low, level.high, levels[place].adjusted), LEVEL_WORDS
        )
    printed = {"mark": "hidden"}
    if all(group["mark"] == "shown" for group in groups.values()):
        capped = any(group[when]["cap"] for group in groups.values() for when in ("before", "now"))
        change = panel.gap
        printed = {
            "mark": "shown",
            **disclosure.print_change(change.change, change.low, change.high, gap.adjusted, capped),
        }
    return {"groups": groups, "gap": printed}


def representative(round_: Round, roster: tally.Invited, answers: tally.Answers) -> dict[str, Any]:
    """How evenly response is spread over role, locality and size: the R-indicator, to .05."""
    if round_.tier != "confidential":
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
