"""How long a plan of contacts takes for 400 practices, against handing out the hours in the order of need."""

from __future__ import annotations

import time

import numpy as np

from engagement.bench.result import Result
from engagement.outreach.planning import NEVER, Demand, Group, Rules, propose

PRACTICES, PEOPLE, MONTHS, LOCALITIES = 400, 6, 6, 8
HOURS = 24.0
GOAL = 2.0
SEEDS = 5
# What typical actions take, and how often each is what a segment asks for.
LENGTHS, SHARES = (0.5, 1.0, 1.5, 3.0), (0.05, 0.2, 0.4, 0.35)


def run(say, *, practices: int = PRACTICES, seeds: int = SEEDS) -> list[Result]:
    """Plan half a year of several bodies, and hand out the same hours greedily beside it."""
    took, greedy, kept, met = [], [], [], []
    for seed in range(seeds):
        demand = a_body(seed, practices)
        say(f"outreach-plan: planning half a year for {practices} practices, body {seed + 1} of {seeds}")
        start = time.process_time()
        plan = propose(demand, Rules())
        took.append(time.process_time() - start)
        start = time.process_time()
        missed = by_need(demand)
        greedy.append(time.process_time() - start)
        kept.append((len(plan.no_floor), missed))
        met.append(plan.value / plan.bound if plan.bound else 1.0)
    slowest = max(took)
    floors, without = (int(np.mean(each)) for each in zip(*kept, strict=True))
    return [
        Result(
            bench="outreach-plan",
            name=f"outreach-plan-{practices}",
            what=f"a plan for {practices} practices, {PEOPLE} people and {MONTHS} months, with floors, lots and fair "
            f"shares, processor time of the slowest of {seeds}",
            figure=slowest,
            unit="s",
            baseline="handing out the hours in the order of need, without any of the rules",
            baseline_figure=max(greedy),
            goal=f"under {GOAL:g} s",
            met=slowest < GOAL if practices == PRACTICES else None,
            note=f"at least {min(met):.1%} of the best that any plan could do; due practices left out: {floors} on average, "
            f"{without} by need alone",
            detail={"seconds": [round(each, 2) for each in took]},
        )
    ]


def a_body(seed: int, practices: int = PRACTICES) -> Demand:
    """An invented body: a fifth due within the plan, some resting, some left out, each person with some localities."""
    rng = np.random.default_rng(seed)
    place = rng.integers(0, LOCALITIES, practices)
    covers = rng.random((LOCALITIES, PEOPLE)) < 0.6
    covers[np.arange(LOCALITIES), rng.integers(0, PEOPLE, LOCALITIES)] = True
    return Demand(
        need=rng.random(practices),
        hours=rng.choice(LENGTHS, practices, p=SHARES),
        can=covers[place],
        first=np.where(rng.random(practices) < 0.2, rng.integers(0, MONTHS + 1, practices), 0),
        due=np.where(rng.random(practices) < 0.2, rng.integers(0, MONTHS, practices), NEVER),
        excluded=rng.random(practices) < 0.05,
        held=rng.random(practices) < 0.05,
        capacity=np.full((PEOPLE, MONTHS), HOURS),
        groups=(
            *(Group(f"locality {at}", place == at) for at in range(LOCALITIES)),
            Group("small", rng.random(practices) < 0.33),
            Group("rural", rng.random(practices) < 0.15),
        ),
    )


def by_need(demand: Demand) -> int:
    """How many due practices are left out when the neediest simply come first, each into the first gap."""
    left = demand.capacity.astype(float).copy()
    month = np.full(len(demand.need), NEVER)
    for at in np.argsort(-demand.need, kind="stable").tolist():
        if not demand.open[at]:
            continue
        fits = demand.can[at][:, None] & (left >= demand.hours[at])
        fits &= np.arange(left.shape[1])[None] >= demand.first[at]
        if fits.any():
            when = int(fits.any(axis=0).argmax())
            who = int(fits[:, when].argmax())
            left[who, when] -= demand.hours[at]
            month[at] = when
    due = demand.open & (demand.due < left.shape[1])
    return int((due & (month > demand.due)).sum())
