"""The national job: gaps and their errors for every body, round and item, beside the package svy on a slice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from engagement.bench.closing import megabytes
from engagement.bench.result import Result
from engagement.errors import EngagementError
from engagement.estimates import National, national_gaps, partial_sums

BODIES, ROUNDS, PRACTICES, ITEMS = 211, 40, 8_000, 15
ROWS = (100_000, 300_000, 1_000_000)
SLICE = 4
SECONDS, TIMES, MEMORY, SAME = 1.5, 100, 2_000, 1e-9
REPEATS = 12
SEED = 1_000_000
NO_SVY = "svy is not installed (pip install -e .[test]): nothing to compare with"


def run(say, *, rows=ROWS, slice_=SLICE) -> list[Result]:
    """Time the job at each size in a process of its own, then svy on the first bodies of the largest."""
    sizes = {}
    for size in rows:
        say(f"estimates: {size:,} responses")
        sizes[size] = _child(size)
    largest, smallest = max(sizes), min(sizes)
    job, theirs = sizes[largest], None
    if find_spec("svy"):
        say(f"estimates: svy on {slice_} of {BODIES} bodies")
        theirs = against_svy(largest, slice_)
    whole = largest >= ROWS[-1]
    met = None
    if whole and job["seconds"] >= SECONDS:
        met = False
    elif whole and theirs:
        met = theirs["whole"] >= TIMES * job["seconds"] and theirs["difference"] < SAME
    grown = ", ".join(f"{size / 1e6:g} million {each['seconds']:.2f} s" for size, each in sizes.items())
    note = f"best of {REPEATS} each: {grown}, of it {job['processor']:.2f} s of processor time; " + (
        f"{theirs['whole'] / job['seconds']:,.0f} times faster than svy, whose quickest of {slice_} bodies "
        f"took {theirs['body']:.2f} s; largest difference in any number {theirs['difference']:.1g}"
        if theirs
        else NO_SVY
    )
    return [
        Result(
            bench="estimates",
            name="estimates",
            what=f"{largest:,} responses, {ITEMS} items, {BODIES} bodies, {ROUNDS} rounds, 2 standings: "
            "shares, clustered errors, gaps and intervals",
            figure=job["seconds"],
            unit="s",
            baseline=f"svy called body by body, extrapolated from a slice of {slice_}",
            baseline_figure=theirs["whole"] if theirs else None,
            goal=f"under {SECONDS} s for {ROWS[-1]:,}, {TIMES} times faster than svy, the same numbers",
            met=met,
            note=note,
            detail={"sizes": {str(size): each for size, each in sizes.items()}, "svy": theirs},
        ),
        Result(
            bench="estimates",
            name="estimates-growth",
            what=f"seconds for a million responses, at {largest:,}",
            figure=job["seconds"] / largest * 1e6,
            unit="s",
            baseline=f"the same at {smallest:,}",
            baseline_figure=sizes[smallest]["seconds"] / smallest * 1e6,
            note="below 1 the time grows more slowly than the responses, above 1 faster",
        ),
        Result(
            bench="estimates",
            name="estimates-memory",
            what="the most memory that the process held, answers included",
            figure=job["memory"],
            unit="MB",
            baseline="the same process with the answers alone",
            baseline_figure=job["answers"],
            goal=f"under {MEMORY:,} MB for {ROWS[-1]:,}",
            met=job["memory"] < MEMORY if whole else None,
        ),
    ]


def invented(rows: int) -> tuple[np.ndarray, ...]:
    """Body, round, practice, arm and answers (rows, items) of so many responses; -1 where one was not given."""
    chance = np.random.default_rng(SEED)
    practice, wave = chance.integers(0, PRACTICES, rows), chance.integers(0, ROUNDS, rows)
    leader = (chance.random(rows) < 0.15).astype(np.int64)
    leaning = chance.normal(0, 0.15, PRACTICES)[practice] + np.where(leader, 0.66, 0.35)
    y = np.empty((rows, ITEMS), np.int8)
    for item in range(ITEMS):
        y[:, item] = chance.random(rows) < leaning
        y[chance.random(rows) < 0.03, item] = -1
    return practice % BODIES, wave, practice, leader, y


def job(body: np.ndarray, wave: np.ndarray, practice: np.ndarray, arm: np.ndarray, y: np.ndarray) -> National:
    """All of it: from the answers to the intervals."""
    return national_gaps(partial_sums(body * ROUNDS + wave, practice, arm, y))


def against_svy(rows: int, bodies: int) -> dict[str, float]:
    """What svy needs for the first bodies, once it is warm, and how far its numbers lie from ours.

    A call is one item of one body by round and standing, with the gap of every round read off its covariance: of
    the ways to get there its quickest, for a call a round costs ten times that. It then counts the practices of
    all rounds in m/(m-1), we those of the round: an exact factor, which the comparison takes out.
    """
    answers = invented(rows)
    ours = job(*(each[answers[0] < bodies] for each in answers))
    _body_by_svy(*answers, 0, items=1)
    took, apart = [], []
    for body in range(bodies):
        start = time.perf_counter()
        found = _body_by_svy(*answers, body)
        took.append(time.perf_counter() - start)
        apart += [_apart(ours, item, body, *each) for item, each in enumerate(found)]
    return {"body": min(took), "whole": min(took) * BODIES, "difference": float(np.max(apart))}


def _body_by_svy(bodies, wave, practice, arm, y, body: int, items: int = ITEMS) -> list[tuple[Any, dict]]:
    """svy's estimate and gaps by round, for every item of one body."""
    svy, pl = import_module("svy"), import_module("polars")
    rows = bodies == body
    scored = {f"y{item}": np.where(y[rows, item] < 0, np.nan, y[rows, item]) for item in range(items)}
    frame = pl.DataFrame({"round": wave[rows], "arm": arm[rows], "practice": practice[rows], **scored})
    sample = svy.Sample(frame.fill_nan(None), svy.Design(psu="practice"))
    found = []
    for name in scored:
        estimate = sample.estimation.mean(name, by=["round", "arm"], drop_nulls=True)
        cells = set(estimate.keys())
        waves = [t for t in range(ROUNDS) if {(t, 0), (t, 1)} <= cells]
        gaps = estimate.contrast({str(t): {(t, 1): 1, (t, 0): -1} for t in waves}).estimates
        found.append((estimate, dict(zip(waves, gaps, strict=True))))
    return found


def _apart(ours: National, item: int, body: int, estimate: Any, gaps: dict) -> float:
    """The largest difference between our numbers and svy's for one item of one body; NaN where one has none."""
    at = np.searchsorted(ours.domain, body * ROUNDS + np.arange(ROUNDS))
    theirs = dict(zip(estimate.keys(), estimate.estimates, strict=True))
    apart = [ours.shares[item, arm, at[t]] - row.est for (t, arm), row in theirs.items()]
    for t, gap in gaps.items():
        i, m = at[t], ours.m[item, at[t]]
        apart.append(ours.gap[item, i] - gap.est)
        if m >= 2:
            factor = (estimate.n_psus - 1) / estimate.n_psus * m / (m - 1)
            apart.append(ours.se[item, i] - gap.se * factor**0.5)
            apart += [ours.variance[item, arm, i] - theirs[t, arm].se ** 2 * factor for arm in (0, 1)]
    return float(np.abs(apart).max())


def _child(rows: int) -> dict[str, float]:
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "engagement.bench.estimates", str(rows)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EngagementError(f"The estimating process failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def main(rows: int) -> None:
    """Do the job in this process and print what it took."""
    job(*invented(1_000))  # scipy is loaded once, and not timed
    answers = invented(rows)
    held, took = megabytes(), []
    for _ in range(REPEATS):
        wall, processor = time.perf_counter(), time.process_time()
        job(*answers)
        took.append((time.perf_counter() - wall, time.process_time() - processor))
    best, processor = min(took)
    print(json.dumps({"seconds": best, "processor": processor, "memory": megabytes(), "answers": held}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
