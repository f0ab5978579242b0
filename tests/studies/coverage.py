"""Do nominal 95% intervals cover what they speak of? Many invented bodies, each asked twice.

Run it from the root of the repository:

    python -m tests.studies.coverage --runs 4000 --processes 2

Each run draws a body anew: practices with a leaning of their own, members with opinions in two rounds, some of whom
are replaced in between. The opinions are then fixed, and chance decides who answers. Four figures are held against
their own targets, which the run knows:

- the descriptive interval of the gap: the gap of this very roster, had every member answered;
- the analytic interval of the gap: the gap of the population that practices and members were drawn from;
- the interval of the change in the gap: the change of that population between the rounds;
- the worst-case bounds: the gap of this very roster.

Opinions are latent and normal, cut where the share of the population lies, so that the population's shares are exact:
latent = sqrt(icc) practice + sqrt(person) member + the rest anew each round. Response is latent and normal in the same
way, or depends on the opinion.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import expit, logit, ndtri

from engagement.estimates import analytic_gap, change_in_gap, descriptive_gap, gap_bounds, linearised

SEED = 20260304
CHUNK = 250
LOW, HIGH = 0.93, 0.97


@dataclass(frozen=True)
class Setting:
    """One kind of body. Pairs are (grassroots, leaders); shares, response and correlations are fractions.

    `after`: shares in the second round. `icc`, `response_icc`: correlation of opinions, and of answering, between
    members of a practice on the latent scale. `person`: share of the latent opinion that a member keeps.
    `stay`: chance that a member of the first round is asked in the second. `candour`: how much agreeing adds to
    the log-odds of answering.
    """

    name: str
    practices: int = 40
    members: tuple[int, int] = (176, 24)
    share: tuple[float, float] = (0.35, 0.66)
    after: tuple[float, float] = (0.40, 0.62)
    response: tuple[float, float] = (0.40, 0.70)
    icc: float = 0.15
    response_icc: float = 0.0
    person: float = 0.45
    stay: float = 0.85
    candour: float = 0.0


SETTINGS = (
    Setting("usual body"),
    Setting("leaders at 95%", share=(0.35, 0.95), after=(0.40, 0.92)),
    Setting("high response", response=(0.85, 0.95)),
    Setting("low response, more members", members=(528, 72), response=(0.15, 0.40)),
    Setting("small body", practices=20, members=(88, 16)),
    Setting("many leaders", members=(120, 80)),
    Setting("few leaders", members=(190, 10)),
    Setting("response clustered", response_icc=0.25),
    Setting("opinions strongly clustered", icc=0.35),
    Setting("both clustered strongly", icc=0.35, response_icc=0.25),
    Setting("large body, new members each round", practices=160, members=(800, 100), stay=0.0),
    Setting("agreeing makes answering likelier", candour=0.7),
)
USUAL = tuple(s for s in SETTINGS if s.candour == 0)


@dataclass(frozen=True)
class Coverage:
    """How often each figure held its own target over the runs that gave it, fractions, with the mean width.

    `misread`: how often the descriptive interval held the population's gap, which it does not speak of. `bias`:
    mean of the estimated gap less the roster's. `silent`: runs in which an arm did not answer, or no interval
    could be given.
    """

    setting: Setting
    runs: int
    silent: int
    descriptive: float
    analytic: float
    change: float
    bounds: float
    misread: float
    width_descriptive: float
    width_analytic: float
    width_change: float
    bias: float

    @property
    def error(self) -> float:
        """Monte Carlo standard error of a coverage of 95%, a fraction."""
        return float(np.sqrt(0.95 * 0.05 / self.runs))


def measure(setting: Setting, runs: int, *, processes: int = 1, seed: int = SEED) -> Coverage:
    """Coverage of one setting over `runs` bodies; the same for any number of processes."""
    sizes = [min(CHUNK, runs - start) for start in range(0, runs, CHUNK)]
    # The name, not the place in the list, so that a setting added above changes no other.
    seeds = [[seed, chunk, *setting.name.encode()] for chunk in range(len(sizes))]
    if processes == 1:
        parts = list(map(partial(_chunk, setting), sizes, seeds))
    else:
        with ProcessPoolExecutor(processes) as pool:
            parts = list(pool.map(partial(_chunk, setting), sizes, seeds))
    rows = np.concatenate(parts)
    means = np.nanmean(rows, axis=0)
    return Coverage(setting, runs, int(np.isnan(rows).any(axis=1).sum()), *map(float, means))


def _chunk(setting: Setting, runs: int, seed: list[int]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([_run(setting, rng) for _ in range(runs)])


def _run(setting: Setting, rng: np.random.Generator) -> list[float]:
    """One body, two rounds: did each figure hold its target (1, 0, NaN where it was not given), and widths."""
    arm, practice, opinion, answered = _body(setting, rng)
    counts = []
    for a in (1, 0):
        here = arm[0] == a
        counts += [opinion[0][here & answered[0]].sum(), (here & answered[0]).sum(), here.sum()]
    roster = opinion[0][arm[0] == 1].mean() - opinion[0][arm[0] == 0].mean()
    population = setting.share[1] - setting.share[0]
    moved = setting.after[1] - setting.after[0] - population

    described = descriptive_gap(*map(int, counts))
    low, high = gap_bounds(*counts)
    cells = [arm[t] + 2 * t for t in (0, 1)]
    first, both = (
        linearised(
            np.concatenate([practice[t][answered[t]] for t in rounds]),
            np.concatenate([cells[t][answered[t]] for t in rounds]),
            np.concatenate([opinion[t][answered[t]] for t in rounds]).astype(int),
            cells=4,
        )
        for rounds in ((0,), (0, 1))
    )
    analytic, change = analytic_gap(first, 1, 0), change_in_gap(both, 1, 0, 3, 2)
    return [
        _holds(described.low, described.high, roster),
        _holds(analytic.low, analytic.high, population),
        _holds(change.low, change.high, moved),
        _holds(low, high, roster),
        _holds(described.low, described.high, population),
        _width(described),
        _width(analytic),
        _width(change),
        np.nan if described.gap is None else described.gap - roster,
    ]


def _body(setting: Setting, rng: np.random.Generator):
    """Arm, practice, opinion and whether they answered, of all members in each of the two rounds."""
    size = sum(setting.members)
    arm = np.repeat([0, 1], setting.members)
    practice = rng.integers(0, setting.practices, size)
    leaning = rng.standard_normal(setting.practices)
    member = rng.standard_normal(size)
    eager = rng.standard_normal(setting.practices)
    opinions, answers = [], []
    for t, shares in enumerate((setting.share, setting.after)):
        if t == 1:
            new = rng.random(size) >= setting.stay
            member = np.where(new, rng.standard_normal(size), member)
        rest = np.sqrt(1 - setting.icc - setting.person) * rng.standard_normal(size)
        latent = np.sqrt(setting.icc) * leaning[practice] + np.sqrt(setting.person) * member + rest
        opinion = latent < ndtri(np.array(shares))[arm]
        opinions.append(opinion)
        answers.append(_answered(setting, rng, arm, eager[practice], opinion))
    return [arm, arm], [practice, practice], opinions, answers


def _answered(setting: Setting, rng: np.random.Generator, arm, eager, opinion) -> np.ndarray:
    chance = np.array(setting.response)[arm]
    if setting.candour:
        return rng.random(len(arm)) < expit(logit(chance) + setting.candour * opinion)
    latent = np.sqrt(setting.response_icc) * eager
    latent = latent + np.sqrt(1 - setting.response_icc) * rng.standard_normal(len(arm))
    return latent < ndtri(chance)


def _holds(low, high, target) -> float:
    # A hair's breadth, for an interval that is a point is right.
    return np.nan if low is None else float(low - 1e-12 <= target <= high + 1e-12)


def _width(figure) -> float:
    return np.nan if figure.low is None else figure.high - figure.low


def table(results: list[Coverage]) -> str:
    """The study's table in Markdown: coverage in per cent, mean widths in percentage points."""
    head = (
        "| setting | practices; members, leaders | response | descriptive: its roster | analytic: the population "
        "| change: the population's | bounds: the roster | descriptive misread as analytic | widths (pp) | bias (pp) |"
    )
    lines = [head, "|" + "---|" * 10]
    for r in results:
        s = r.setting
        cells = [
            s.name,
            f"{s.practices}; {s.members[0]}, {s.members[1]}",
            f"{s.response[0]:.0%}, {s.response[1]:.0%}",
            *(_marked(x) for x in (r.descriptive, r.analytic, r.change)),
            f"{100 * r.bounds:.1f}",
            f"{100 * r.misread:.1f}",
            f"{100 * r.width_descriptive:.0f}, {100 * r.width_analytic:.0f}, {100 * r.width_change:.0f}",
            f"{100 * r.bias:+.1f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _marked(coverage: float) -> str:
    return f"{100 * coverage:.1f}" if LOW <= coverage <= HIGH else f"**{100 * coverage:.1f}**"


def main() -> None:
    parser = argparse.ArgumentParser(description="Coverage of the intervals of engagement.estimates.")
    parser.add_argument("--runs", type=int, default=4000, help="bodies a setting")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--setting", help="only the settings whose name contains this")
    chosen = parser.parse_args()
    started, results = time.perf_counter(), []
    for setting in SETTINGS:
        if chosen.setting is None or chosen.setting in setting.name:
            results.append(measure(setting, chosen.runs, processes=chosen.processes))
            print(f"{setting.name}: {results[-1].silent} runs without a figure", file=sys.stderr)
    print(table(results))
    print(
        f"\n{chosen.runs} runs a setting; Monte Carlo error {100 * results[0].error:.2f} points at 95%; "
        f"{time.perf_counter() - started:.0f} s. Bold: outside {100 * LOW:.0f} to {100 * HIGH:.0f}."
    )


if __name__ == "__main__":
    main()
