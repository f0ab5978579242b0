"""The disclosure gate: how long its audits take, and what they leave of what was planned."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from engagement.bench.result import Result
from engagement.disclosure import Decision, Earlier, Plan, RoundAnswers, decide

THRESHOLD = 10
TABLES = ("standing", "locality", "size")
SIZES = ("large", "medium", "small")
# practices, people on the roster (of whom about 70% answer), leaders among them, localities, items, goal in seconds
SMALL = (40, 157, 24, 4, 10, 180)
LARGE = (400, 1570, 48, 8, 10, 1800)


def run(say, *, sizes: Sequence[tuple] = (SMALL, LARGE)) -> list[Result]:
    """Audit the second round of an invented body, with the first before it, of ten items and three planned tables."""
    out = []
    for practices, people, leaders, localities, items, goal in sizes:
        first, second = rounds(
            practices, people=people, leaders=leaders, localities=localities, items=items, number=2
        )
        plan = Plan(THRESHOLD, TABLES)
        start = time.perf_counter()
        earlier = Earlier(first, decide(plan, first).figures)
        before = time.perf_counter() - start
        say(f"gate: auditing a round of {practices} practices, {len(second.person)} answers, {items} items")
        start = time.perf_counter()
        decision = decide(
            plan, second, [earlier], progress=lambda step, done, of: say(f"  {step}: {done} of {of}")
        )
        took = time.perf_counter() - start
        start = time.perf_counter()
        rules_alone(second)
        bare = time.perf_counter() - start
        out.append(
            Result(
                bench="gate",
                name=f"gate-{practices}",
                what=f"what may be printed of a round of {practices} practices, {len(second.person)} answers, {items} "
                f"items and three tables, with the round before it",
                figure=took,
                unit="s",
                baseline="the fixed rules alone",
                baseline_figure=bare,
                goal=f"under {goal // 60} minutes",
                met=took < goal,
                note=f"the round before took {before:.1f} s; {share_shown(decision, second):.0%} of planned cells "
                f"are printed, after {len(decision.steps)} steps",
            )
        )
    return out


def rules_alone(answers: RoundAnswers, ends: bool = False) -> None:
    """The fixed rules without any audit, on the table by standing."""
    from engagement.disclosure import Count, publish_item

    for values in answers.favourable.values():
        counts = {}
        for arm in ("leader", "grassroots"):
            rows = ~np.isnan(values) & (answers.tables["standing"] == arm)
            counts[arm] = Count(int(values[rows].sum()), int(rows.sum()), answers.invited["standing"][arm])
        publish_item(counts, threshold=THRESHOLD, design_effect=None, df=None, ends=ends)


def share_shown(decision: Decision, answers: RoundAnswers, tables: Sequence[str] = TABLES) -> float:
    """Share of the planned cells (both arms, the gap, every category) that are printed; merged ones count once."""
    planned = len(answers.favourable) * (3 + sum(len(answers.invited[table]) for table in tables[1:]))
    shown = sum(
        sum(figure.mark == "shown" for figure in (*table.groups.values(), table.gap))
        for table in decision.standing.values()
    )
    shown += sum(
        group.mark == "shown"
        for items in decision.breakdowns.values()
        for groups in items.values()
        for group in groups.values()
    )
    return shown / planned


def rounds(
    seed: int,
    *,
    people: int,
    leaders: int,
    number: int,
    favourable: float = 0.7,
    localities: int = 4,
    items: int = 1,
    change: float = 0.15,
    respond: float = 0.75,
) -> list[RoundAnswers]:
    """An invented body's rounds: some leave and are replaced, some take over a leader's role, some change their mind."""
    chance = np.random.default_rng(seed)
    roster = [_member(chance, at, "leader" if at < leaders else "grassroots", favourable, localities, items) for at in range(people)]  # fmt: skip
    out = []
    for at in range(1, number + 1):
        if at > 1:
            _move_on(chance, roster, favourable, localities, items, change)
        came = [member for member in roster if chance.random() < respond]
        answers = np.array([member["answers"] for member in came], dtype=float).reshape(len(came), items)
        answers[chance.random(answers.shape) < 0.03] = np.nan
        names = ("standing", "locality", "size")
        out.append(
            RoundAnswers(
                number=at,
                person=np.array([member["person"] for member in came]),
                known=np.zeros(len(came), dtype=bool),
                tables={name: np.array([member[name] for member in came], dtype=object) for name in names},
                favourable={f"item {place + 1}": answers[:, place] for place in range(items)},
                invited={
                    name: {
                        value: sum(member[name] == value for member in roster)
                        for value in sorted({member[name] for member in roster})
                    }
                    for name in names
                },
            )
        )
    return out


def _member(chance, person: int, standing: str, favourable: float, localities: int, items: int) -> dict:
    return {
        "person": person,
        "standing": standing,
        "locality": f"Locality {chance.integers(localities) + 1}",
        "size": SIZES[chance.integers(len(SIZES))],
        "answers": (chance.random(items) < favourable).astype(int).tolist(),
    }


def _move_on(
    chance, roster: list[dict], favourable: float, localities: int, items: int, change: float
) -> None:
    """What happens between two rounds, in place."""
    newest = max(member["person"] for member in roster)
    for at, member in enumerate(roster):
        if chance.random() < 0.04:
            newest += 1
            roster[at] = _member(chance, newest, member["standing"], favourable, localities, items)
        for item in range(items):
            if chance.random() < change:
                roster[at]["answers"][item] = int(chance.random() < favourable)
    if chance.random() < 0.3:
        by_standing = {
            name: [m for m in roster if m["standing"] == name] for name in ("leader", "grassroots")
        }
        if all(by_standing.values()):
            chance.choice(by_standing["grassroots"])["standing"] = "leader"
            chance.choice(by_standing["leader"])["standing"] = "grassroots"


def usefulness(say, *, bodies: int, number: int, seed: int = 0) -> dict[str, float]:
    """What the gate leaves of bodies of 40 to 110 people, 50 to 95% favourable, over `number` rounds of one item.

    Rates over the rounds in which 12 leaders or more answered: `headline` (the gap is printed), `bound` (with a cap),
    `alone` (without its arms), `unclear` (both arms capped at the same end); `cells`, share of planned cells printed;
    `error`, mean absolute error of an uncapped gap in points; `rounds`, how many.
    """
    found: dict[str, list[float]] = {name: [] for name in ("headline", "bound", "alone", "unclear", "cells")}
    errors = []
    for body in range(seed, seed + bodies):
        chance = np.random.default_rng(body)
        past: list[Earlier] = []
        made = rounds(
            body,
            people=int(chance.integers(40, 111)),
            leaders=18,
            number=number,
            favourable=float(chance.uniform(0.5, 0.95)),
        )
        for answers in made:
            decision = decide(Plan(THRESHOLD, TABLES), answers, past)
            past.append(Earlier(answers, decision.figures))
            y, leader = answers.favourable["item 1"], answers.tables["standing"] == "leader"
            if np.sum(~np.isnan(y[leader])) < 12:
                continue
            gap = decision.standing["item 1"].gap
            found["headline"].append(gap.mark == "shown")
            found["alone"].append(gap.mark == "shown" and gap.analytic is None and gap.interval is None)
            found["bound"].append(gap.cap in ("at_least", "at_most"))
            found["unclear"].append(gap.cap == "unclear")
            found["cells"].append(share_shown(decision, answers))
            if gap.points is not None and gap.cap is None:
                errors.append(abs(gap.points - 100 * float(np.nanmean(y[leader]) - np.nanmean(y[~leader]))))
        say(f"gate: body {body}: " + ", ".join(f"{k} {np.mean(v):.2f}" for k, v in found.items() if v))
    rates = {name: float(np.mean(values)) for name, values in found.items()}
    return {
        **rates,
        "rounds": len(found["headline"]),
        "error": float(np.mean(errors)) if errors else float("nan"),
    }
