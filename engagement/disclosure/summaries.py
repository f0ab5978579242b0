"""What may be printed beside the table by standing: answers in full for the body, response by group, the index,
weighted shares, the people who answered twice, and how well the index measures.

The index is made of printed figures alone and therefore adds nothing; the others have rules of their own.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import fmean
from typing import Protocol

from engagement.disclosure.intervals import PrintedShare, analytic_gap_interval, analytic_interval
from engagement.disclosure.publish import gap_of_shares
from engagement.disclosure.rules import (
    AT_LEAST,
    AT_MOST,
    STEP,
    UNCLEAR,
    band,
    band_floor,
    count_range,
    nearest_5,
    print_share,
    share_cell,
    whole,
)

DISTRIBUTION_FLOOR = 30
PANEL_FLOOR = 30
WEIGHTED_FLOOR = 30
RESPONSE_FLOOR = 10
ABOUT = "about"
_LEAST = 5


def print_distribution(
    counts: Mapping[int, int], favourable: Collection[int], dont_know: int, invited: int
) -> dict:
    """How the whole body answered an item, option by option, as JSON.

    `counts`: answers by score; `favourable`: which scores are. `dont_know`: answers "I do not know", which are no part of the shares but have a
    share of their own, among all who gave either. Percent to the nearest 5; an option of 5 or less prints as "at
    most 5" and of 90 or more as "at least 90", so that a true 0 or 100 is never seen. Under 30 answers nothing is
    shown. The shares need not add up to 100.

    Raises ValueError for counts that are no counts or exceed `invited`.
    """
    total, dont_know, invited = sum(map(whole, counts.values())), whole(dont_know), whole(invited)
    if total + dont_know > invited:
        raise ValueError("More people answered than were invited.")
    if total < DISTRIBUTION_FLOOR:
        return {"mark": "hidden", "N": invited}
    return {
        "mark": "shown",
        "N": invited,
        "n": band(total),
        "options": [
            {"score": score, "favourable": score in favourable, **_option(count, total)}
            for score, count in sorted(counts.items())
        ],
        "dont_know": _option(dont_know, total + dont_know),
    }


def _option(count: int, total: int) -> dict:
    value = nearest_5(Fraction(count, total))
    if value <= _LEAST:
        return {"share": _LEAST, "cap": AT_MOST}
    return {"share": min(value, 90), "cap": AT_LEAST if value >= 90 else None}


def favourable_range(options: Sequence[Mapping], answers: int) -> tuple[int, int]:
    """Fewest and most favourable answers among `answers` that print as these options. No errors."""
    least = {True: 0, False: 0}
    most = {True: 0, False: 0}
    for option in options:
        low, high = count_range(option["share"], option["cap"], answers)
        least[option["favourable"]] += low
        most[option["favourable"]] += high
    return max(least[True], answers - most[False]), min(most[True], answers - least[False])


@dataclass(frozen=True)
class Response:
    """Taking part of one group: `invited` and `answered` people. Exact, never for print."""

    invited: int
    answered: int

    def __add__(self, other: "Response") -> "Response":
        return Response(self.invited + other.invited, self.answered + other.answered)


def print_response(groups: Mapping[str, Response]) -> list[dict]:
    """Response rates of the groups of one breakdown, to the nearest 5 and capped at 10 and 90, as JSON.

    Groups with fewer than 10 invited are pooled, and a pool that is still too small takes in the smallest of the
    others, so that no group under 10 can be had by subtraction. An entry: {"groups": names, "N", "percent", "cap"}.

    Raises ValueError where more answered than were invited.
    """
    large = {name: r for name, r in groups.items() if r.invited >= RESPONSE_FLOOR}
    small = {name: r for name, r in groups.items() if 0 < r.invited < RESPONSE_FLOOR}
    if sum(r.invited for r in small.values()) in range(1, RESPONSE_FLOOR) and large:
        name = min(large, key=lambda name: (large[name].invited, name))
        small[name] = large.pop(name)
    pools = [([name], r) for name, r in sorted(large.items())]
    if small:
        pools.append((sorted(small), sum(small.values(), Response(0, 0))))
    out = []
    for names, r in pools:
        if r.invited < RESPONSE_FLOOR:
            out.append({"groups": names, "N": r.invited, "percent": None, "cap": None})
        else:
            percent, cap = print_share(r.answered, r.invited)
            out.append({"groups": names, "N": r.invited, "percent": percent, "cap": cap})
    return out


def publish_index(items: Sequence[Mapping]) -> dict | None:
    """The ownership index by standing: the mean of the printed shares of the core items, as an item's JSON.

    `items`: the core items' printed tables (`ItemPrint.as_json()`). Both arms must be shown on at least half of
    them; None otherwise. Ends of its intervals are the means of the items' ends: the standard error of a mean of
    figures is at most the mean of their standard errors, however the items hang together, so the interval is on the
    safe side. "about" as a cap says that items with capped shares are in it, at both ends.

    Raises nothing.
    """
    shown = [
        item
        for item in items
        if all(item["groups"][arm]["mark"] == "shown" for arm in ("leader", "grassroots"))
    ]
    if not shown or 2 * len(shown) < len(items):
        return None
    groups = {}
    for arm in ("leader", "grassroots"):
        figures = [item["groups"][arm] for item in shown]
        groups[arm] = {
            "mark": "shown",
            "N": figures[0]["N"],
            "n": min((f["n"] for f in figures), key=_first_number),
            "share": round(fmean(f["share"] for f in figures)),
            "cap": _joint_cap([f["cap"] for f in figures]),
            **_mean_ends(figures),
        }
    gaps = [item["gap"] for item in shown]
    caps = [gap["cap"] for gap in gaps]
    unclear = UNCLEAR in caps
    gap = {
        "mark": "shown",
        "points": None if unclear else round(fmean(g["points"] for g in gaps)),
        "cap": UNCLEAR if unclear else _joint_cap(caps),
        **_mean_ends(gaps),
    }
    return {"groups": groups, "total": None, "gap": gap}


def _joint_cap(caps: Sequence[str | None]) -> str | None:
    found = set(caps) - {None}
    return ABOUT if len(found) > 1 else next(iter(found), None)


def _mean_ends(figures: Sequence[Mapping]) -> dict:
    """Means of the ends of each kind of interval, outwards to whole points; None where an item lacks one."""
    out = {}
    for kind in ("interval", "analytic", "bounds"):
        pairs = [figure[kind] for figure in figures]
        if any(pair is None for pair in pairs):
            out[kind] = None
        else:
            low, high = sum(p[0] for p in pairs), sum(p[1] for p in pairs)
            out[kind] = [low // len(pairs), -(-high // len(pairs))]
    return out


def _first_number(name: str) -> int:
    return int("".join(c if c.isdigit() else " " for c in name).split()[0])


@dataclass(frozen=True)
class WeightedShare:
    """One arm's weighted share, a fraction, with the answers behind it and the number invited. Never for print."""

    share: Fraction
    n: int
    invited: int


def print_weighted(
    arms: Mapping[str, WeightedShare], kish: float, design_effect: float | None, df: int | None
) -> dict:
    """Weighted shares of "leader" and "grassroots" and their gap, for arms that are printed unweighted, as JSON.

    {"groups": {arm: {"mark", "share", "cap", "analytic"}}, "gap": {"mark", "points", "cap", "analytic"}}. An arm is shown
    from 30 answers: a second share of a smaller one, weighted otherwise, would tell its people apart. The gap is shown
    where both are, as the difference that they make. Rounded and capped as unweighted shares are. Intervals are those
    for comparing rounds, worked from what is printed, with the design effect of the weights (`kish`, up to a tenth) on
    top of the round's; None where the round has none.

    Raises ValueError for a share outside [0, 1].
    """
    effect = None if design_effect is None or not df else design_effect * up_to_tenth(kish)
    groups, shares = {}, {}
    for arm, figure in arms.items():
        if whole(figure.n) < WEIGHTED_FLOOR:
            groups[arm] = {"mark": "hidden"}
            continue
        exact = Fraction(figure.share)
        value, cap = print_share(exact.numerator, exact.denominator)
        shares[arm] = PrintedShare(value, cap, band_floor(figure.n), whole(figure.invited))
        groups[arm] = {
            "mark": "shown",
            "share": value,
            "cap": cap,
            "analytic": list(analytic_interval(shares[arm], effect, df)) if effect else None,
        }
    if len(shares) < 2:
        return {"groups": groups, "gap": {"mark": "hidden"}}
    points, cap, _ = gap_of_shares(shares["leader"], shares["grassroots"])
    gap = {"mark": "shown", "points": points, "cap": cap, "analytic": None}
    if effect:
        gap["analytic"] = list(analytic_gap_interval(shares["leader"], shares["grassroots"], effect, df))
    return {"groups": groups, "gap": gap}


def up_to_tenth(effect: float) -> float:
    """A design effect of 1 or more, upwards to .1; ValueError below 1 (by more than rounding error) or infinite."""
    if not 1 - 1e-9 <= effect < math.inf:
        raise ValueError("A design effect must be finite and at least 1.")
    return max(math.ceil(effect * 10 - 1e-9), 10) / 10


@dataclass(frozen=True)
class PanelCount:
    """Of one arm in one round: `favourable` of the `n` answers of the panel, and `total` answers of the whole arm."""

    favourable: int
    n: int
    total: int


def print_panel(before: PanelCount, now: PanelCount, threshold: int) -> dict:
    """Shares of the same people in two rounds, as JSON: {"mark", "n", "before", "now"}.

    Shown where the panel has at least 30 people and, in each round, all others of the arm are at least `threshold` (or
    there are no others): else the panel beside the whole arm would give a few people away.

    Raises ValueError for a threshold below 5.
    """
    if whole(threshold) < 5:
        raise ValueError("A threshold below 5 answers is never allowed.")
    for part in (before, now):
        rest = part.total - part.n
        if part.n < max(threshold, PANEL_FLOOR) or 0 < rest < threshold:
            return {"mark": "hidden"}
    printed = [
        dict(zip(("share", "cap"), print_share(p.favourable, p.n), strict=True)) for p in (before, now)
    ]
    return {
        "mark": "shown",
        "n": band(min(before.n, now.n)),
        "before": printed[0],
        "now": printed[1],
    }


class Decomposed(Protocol):
    """What `print_decomposition` reads: as `engagement.estimates.Decomposition`."""

    change: float
    mix: float
    turnover: float
    roles: float | None
    minds: float | None
    stayed: int
    moved: int
    left: int
    joined: int


def print_decomposition(parts: Decomposed, threshold: int) -> dict:
    """What moved the total, in points to the nearest 5, as JSON: {"mark", "change", "mix", "turnover", "minds"}.

    Shown where at least 30 people answered twice, and those who came or went are none or at least `threshold` each.
    "minds" takes in those who changed arm, who are nearly always too few to be shown apart.

    Raises nothing.
    """
    comers = [count for count in (parts.left, parts.joined) if count]
    if parts.stayed < PANEL_FLOOR or parts.minds is None or any(count < threshold for count in comers):
        return {"mark": "hidden"}
    figures = {
        "change": parts.change,
        "mix": parts.mix,
        "turnover": parts.turnover,
        "minds": parts.minds + (parts.roles or 0),
    }
    return {
        "mark": "shown",
        **{name: nearest_5(Fraction(value).limit_denominator(10**9)) for name, value in figures.items()},
    }


def print_representativeness(r: float | None, answers: int) -> dict:
    """The R-indicator to .05, from 30 answers up, as JSON: {"mark", "r"}. It speaks of taking part alone."""
    if r is None or whole(answers) < PANEL_FLOOR:
        return {"mark": "hidden"}
    return {"mark": "shown", "r": _to_twentieth(r)}


def print_tipping(groups: Mapping[str, Mapping], gap: Mapping) -> dict | None:
    """How different the silent would have to be for a printed gap to vanish, in points, as JSON.

    {"grassroots", "shared"}: if only the silent of the second arm differ, or those of both arms by the same amount
    towards each other; None where no such silence removes the gap. Made of printed figures alone: the smallest
    gap and the fewest answers that print so, downwards to 5, hence "at least". None altogether without a gap.

    Source: tipping-point analysis on a finite roster, d/(1 - n0/N0) and d/((1 - n1/N1) + (1 - n0/N0)).
    """
    points = gap.get("points")
    if gap["mark"] != "shown" or not points or gap["cap"] not in (None, AT_LEAST if points > 0 else AT_MOST):
        return None
    size = abs(Fraction(points, 100)) - Fraction(gap.get("within", Fraction(STEP, 2))) / 100
    leader, grassroots = ((_cell(groups[arm]), _silent(groups[arm])) for arm in ("leader", "grassroots"))
    towards = 1 if points > 0 else -1
    alone = _tipping(size, [(grassroots, towards)])
    shared = _tipping(size, [(leader, -towards), (grassroots, towards)])
    return {"grassroots": alone, "shared": shared}


def _cell(group: Mapping) -> tuple[Fraction, Fraction]:
    return share_cell(group["share"], group["cap"], group.get("step", STEP))


def _silent(group: Mapping) -> Fraction:
    return 1 - Fraction(_first_number(group["n"]), group["N"])


def _tipping(size: Fraction, arms: Sequence[tuple[tuple, int]]) -> int | None:
    silent = sum(share for (_, share), _ in arms)
    if not silent:
        return None
    delta = size / silent
    for ((low, high), _), sign in arms:
        # The share with most room to move decides: only where even that has none is it impossible.
        if (sign > 0 and low + delta > 1) or (sign < 0 and high - delta < 0):
            return None
    return 5 * math.floor(delta * 20)


class Measured(Protocol):
    """What `print_reliability` reads: as `engagement.estimates.Reliability`."""

    alpha: float | None
    alpha_low: float | None
    alpha_high: float | None
    omega: float | None
    n: int


def print_reliability(found: Measured, *, one_round: bool) -> dict:
    """Alpha with its interval and omega to .05, as JSON: {"mark", "n", "alpha", "alpha_interval", "omega"}.

    The interval takes answers as different people's, which rounds taken together are not: it is left out there.
    Such figures rest on 100 answers or more and have no place in the audit, for they are no sums of answers; to
    .05 they say next to nothing of one person.

    Raises nothing.
    """
    if found.alpha is None:
        return {"mark": "hidden"}
    interval = None
    if one_round and found.alpha_low is not None:
        interval = [math.floor(found.alpha_low * 20) / 20, math.ceil(found.alpha_high * 20) / 20]
    return {
        "mark": "shown",
        "n": band(found.n),
        "alpha": _to_twentieth(found.alpha),
        "alpha_interval": interval,
        "omega": None if found.omega is None else _to_twentieth(found.omega),
    }


def _to_twentieth(figure: float) -> float:
    return round(figure * 20) / 20
