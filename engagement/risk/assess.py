"""One round's assessment of every practice: the one function that the rest of the product calls.

    constants = SHIPPED
    for each round t:  assessment = assess(rounds[:t], constants, …);  constants = refit(rounds[:t])

A round is scored with the constants that the release before put in force, and only then are they learnt again.
Whatever is computed for round t reads rounds up to t and nothing later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engagement.risk.evidence import (
    Inputs,
    RoundAnswers,
    inputs,
    last_centre,
    leader_gap,
    sealed_panel,
    variance_within,
)
from engagement.risk.filter import (
    FEWEST_ROUNDS,
    SHIPPED,
    Constants,
    EngagementFilter,
    State,
    draws_of,
    probability,
    silence,
)
from engagement.risk.segments import (
    NONE,
    RULES,
    SEGMENTS,
    EngagementSegments,
    Rules,
    Transitions,
    transitions,
)

PROVISIONAL_BELOW = 4
RANK_DRAWS = 400
_RANK_LEVELS = (5, 95)


@dataclass(frozen=True, eq=False)
class Assessment:
    """What is said of P practices after the last of T rounds. Arrays have a row per practice, also for the closed,
    whose figures are NaN, ranks 0, labels -1. Texts of `evidence` as in `engagement.risk.evidence`.

    `usable`: at least two rounds; otherwise every figure is missing. `provisional`: fewer than four rounds.
    `open`: (P,) practices spoken of. `evidence`: (P,) whose answers spoke in the last round.
    `engagement`: (P,) on the forecast, higher is more engaged. `rank`: (P,) 1 is the least engaged of the open;
    `rank_low`, `rank_high`: its 90% interval. `p_silent_next`: (P,) probability that nobody answers next round, NaN
    where nobody can be reached.
    `now`, `next`: States, today's and one round on. `centre`: body's mean score by round, (T,).
    `probabilities`: (P, 4) of the segments today; `leading`, `labels`: (P,) places in `SEGMENTS`, likeliest and sticky;
    `probability`: (P,) of the leading; `clarity`: (P,) texts. `history`: (P, T) sticky labels by round, -1 before
    the second round. `transitions`: from the round before, None before the third round.
    """

    usable: bool
    provisional: bool
    open: np.ndarray
    evidence: np.ndarray
    engagement: np.ndarray
    rank: np.ndarray
    rank_low: np.ndarray
    rank_high: np.ndarray
    p_silent_next: np.ndarray
    now: State
    next: State
    centre: np.ndarray
    probabilities: np.ndarray
    leading: np.ndarray
    labels: np.ndarray
    probability: np.ndarray
    clarity: np.ndarray
    history: np.ndarray
    transitions: Transitions | None
    constants: Constants

    def row(self, practice: int) -> dict[str, Any]:
        """One practice as files and pages may print it: probabilities to 0.05, engagement and attitude to 0.1."""
        known = self.usable and bool(self.open[practice])
        a, q = self.next.mean[practice]
        return {
            "segment": SEGMENTS[self.labels[practice]] if known else None,
            "segment_probability": _to(self.probability[practice], 0.05) if known else None,
            "leading_segment": SEGMENTS[self.leading[practice]] if known else None,
            "clarity": self.clarity[practice] if known else None,
            "p_silent_next": _to(self.p_silent_next[practice], 0.05) if known else None,
            "engagement": _to(self.engagement[practice], 0.1) if known else None,
            "rank": [int(self.rank_low[practice]), int(self.rank_high[practice])] if known else None,
            "forecast": {
                "attitude": _to(a, 0.1),
                "participation": _to(float(probability(self.next.share + q)), 0.05),
            }
            if known
            else None,
            "evidence": self.evidence[practice],
            "provisional": self.provisional,
        }


def assess(
    rounds: Sequence[RoundAnswers],
    constants: Constants = SHIPPED,
    *,
    invited_next: np.ndarray,
    held: np.ndarray | None = None,
    rules: Rules = RULES,
) -> Assessment:
    """Assess every practice after the last of `rounds` (oldest first); practices open at its close are spoken of.

    `constants`: those in force, from the release before, or `SHIPPED`. `invited_next`, (P,): members who could be
    invited next. `held`, (P,): sticky labels of the release before, -1 for none; worked out from the rounds where left out.

    Raises ValueError for no rounds and for arrays that do not fit.
    """
    read = inputs(rounds, constants)
    count, length = read.deviations.shape
    invited_next = np.asarray(invited_next, float)
    if invited_next.shape != (count,):
        raise ValueError("Invited next must have one number per practice.")
    open_ = rounds[-1].open
    usable = length >= FEWEST_ROUNDS

    history, moved, probabilities = np.full((count, length), NONE), None, None
    segments = EngagementSegments(rules)
    for t in range(min(FEWEST_ROUNDS, length), length + 1):
        estimate = _estimate(read, constants, t)
        last = history[:, t - 2] if t > 1 else None
        if t == length and held is not None:
            last = np.asarray(held, np.int64)
        segments.fit(draws_of(estimate.now), held=last)
        if usable:
            history[:, t - 1] = np.where(rounds[t - 1].open, segments.labels_, NONE)
        if t > FEWEST_ROUNDS and t == length:
            moved = transitions(probabilities, segments.probabilities_, last, history[:, -1])
        probabilities = segments.probabilities_

    known = open_ & usable
    engagement = np.where(known, estimate.engagement, np.nan)
    rank, low, high = (np.where(known, each, 0) for each in _ranks(estimate, known, read.group_at[:, -1]))
    return Assessment(
        usable=usable,
        provisional=length < PROVISIONAL_BELOW,
        open=open_,
        evidence=read.evidence[-1].labels,
        engagement=engagement,
        rank=rank,
        rank_low=low,
        rank_high=high,
        p_silent_next=np.where(known, silence(estimate.next, invited_next), np.nan),
        now=estimate.now,
        next=estimate.next,
        centre=read.centres,
        probabilities=np.where(known[:, None], segments.probabilities_, np.nan),
        leading=np.where(known, segments.leading_, NONE),
        labels=history[:, -1],
        probability=np.where(known, segments.probability_, np.nan),
        clarity=np.where(known, segments.clarity_, None),
        history=history,
        transitions=moved,
        constants=constants,
    )


def refit(rounds: Sequence[RoundAnswers]) -> Constants:
    """The constants to put in force for the round after the last of `rounds`, rounded.

    Reads all answers, whoever agreed, inside the sealed store: what comes out is a dozen figures of the body. Before
    two rounds only the leader gap and the variance between members are learnt, the rest is as shipped.

    Raises ValueError for no rounds.
    """
    gap = leader_gap(rounds, SHIPPED.leader_gap)
    within = variance_within(rounds, gap)
    start = replace(SHIPPED, leader_gap=gap, s2=SHIPPED.s2 if within is None else within)
    learnt = EngagementFilter(start, score_noise=within is None).fit(sealed_panel(rounds, start)).constants_
    return replace(learnt, centre=last_centre(rounds, gap), rounds=len(rounds)).rounded()


@dataclass(frozen=True, eq=False)
class _Estimate:
    """States after a round and one on, level and deviation added up. Of next round's engagement: its mean by practice,
    (P,), the variance of the deviation, (P,), and of the level, by group with the body last, (G + 1,)."""

    now: State
    next: State
    engagement: np.ndarray
    deviation_variance: np.ndarray
    level_variance: np.ndarray


def _estimate(read: Inputs, constants: Constants, rounds: int) -> _Estimate:
    """What the first so many rounds say of each practice."""
    at = read.group_at[:, rounds - 1]
    level_filter = EngagementFilter(_of_levels(constants))
    level = level_filter.filter(read.levels.until(rounds))
    deviation_filter = EngagementFilter(constants)
    deviation = deviation_filter.filter(read.deviations.until(rounds))
    level_next, next_ = level_filter.forecast(level), deviation_filter.forecast(deviation)
    weights, total = deviation_filter.weights, _added(next_, level_next, at)
    return _Estimate(
        now=_added(deviation, level, at),
        next=total,
        engagement=deviation_filter.engagement(total),
        deviation_variance=np.einsum("i,pij,j->p", weights, next_.covariance, weights),
        level_variance=weights[0] ** 2 * np.append(level_next.covariance[:, 0, 0], 0.0),
    )


def _of_levels(constants: Constants) -> Constants:
    """The constants of groups: attitude only, observed through people who differ within and between practices."""
    between = max(constants.v_a - constants.v_group, 0.0)
    return replace(
        constants,
        phi_a=constants.phi_group,
        v_a=constants.v_group,
        c=0.0,
        s2=constants.s2 + between,
    )


def _added(deviation: State, level: State, at: np.ndarray) -> State:
    """Attitude of the practices: their deviation and the level of their group; the body's level is 0 and certain."""
    mean, covariance = deviation.mean.copy(), deviation.covariance.copy()
    mean[:, 0] += np.append(level.mean[:, 0], 0.0)[at]
    covariance[:, 0, 0] += np.append(level.covariance[:, 0, 0], 0.0)[at]
    return State(mean, covariance, deviation.share)


def _ranks(estimate: _Estimate, open_: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, ...]:
    """Rank among the open by engagement, least engaged first, and its interval from draws, each (P,); 0 for the others.

    Practices of a group share the draw of its level. Draws are dealt out by engagement, not by row, so that the
    order of the practices changes nothing.
    """
    found = np.zeros((3, len(open_)), np.int64)
    chosen = np.flatnonzero(open_)
    if not len(chosen):
        return tuple(found)
    mean, sd = estimate.engagement[chosen], np.sqrt(estimate.deviation_variance[chosen])
    order = np.lexsort((sd, mean))
    chosen, mean, sd = chosen[order], mean[order], sd[order]
    rng = np.random.default_rng(0)
    levels = rng.standard_normal((RANK_DRAWS, len(estimate.level_variance))) * np.sqrt(
        estimate.level_variance
    )
    draws = mean + sd * rng.standard_normal((RANK_DRAWS, len(chosen))) + levels[:, at[chosen]]
    ranks = np.empty(draws.shape, np.int64)
    np.put_along_axis(ranks, draws.argsort(axis=1), np.arange(1, len(chosen) + 1), axis=1)
    found[0, chosen] = np.searchsorted(mean, mean, side="left") + 1
    found[1:, chosen] = np.percentile(ranks, _RANK_LEVELS, axis=0, method="nearest")
    return tuple(found)


def _to(value: float, step: float) -> float | None:
    """Rounded to a multiple of a step, None for NaN."""
    return None if math.isnan(value) else round(round(value / step) * step, 2) + 0.0
