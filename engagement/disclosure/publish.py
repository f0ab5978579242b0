"""The gate of one item's table by standing: which groups, total and gap may be printed, and as what.

Three marks are told apart everywhere: "shown", "hidden" (which gives no reason) and "missing" (nobody of the
group was invited). A share of 0% is a shown share, printed "at most 10".
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from engagement.disclosure.intervals import (
    PrintedShare,
    analytic_gap_interval,
    analytic_interval,
    check_design_effect,
    descriptive_gap_interval,
    descriptive_interval,
    df_floor,
    gap_alone_intervals,
    gap_roster_bounds,
    roster_interval,
)
from engagement.disclosure.rules import (
    AT_LEAST,
    AT_MOST,
    ENDS_FROM,
    SMALLEST_THRESHOLD,
    STEP,
    UNCLEAR,
    band,
    band_floor,
    nearest_5,
    share_cell,
    whole,
)

Interval = tuple[int, int]
_ARMS = ("leader", "grassroots")
# How a gap alone is printed: its step, and from which rounded gap on it is capped.
GAP_STEPS = {"gap": (10, 70), "capped gap": (10, 40), "wide gap": (20, 40)}
_ARMS_IN = {"arms": None, "arms in tens": "tens", "arms in broad classes": "broad"}
SHOW = (*_ARMS_IN, *GAP_STEPS, "total", "nothing")


@dataclass(frozen=True)
class Count:
    """Exact counts of one group on one item: `favourable` of `n` answers of `invited`. Never for print.

    Raises ValueError unless they are whole and 0 <= favourable <= n <= invited.
    """

    favourable: int
    n: int
    invited: int

    def __post_init__(self):
        # Plain ints, so that exact fractions can be made of counts that arrive as numpy numbers.
        for field in ("favourable", "n", "invited"):
            object.__setattr__(self, field, whole(getattr(self, field)))
        if not self.favourable <= self.n <= self.invited:
            raise ValueError("Counts must satisfy 0 <= favourable <= answered <= invited.")

    def __add__(self, other: "Count") -> "Count":
        return Count(self.favourable + other.favourable, self.n + other.n, self.invited + other.invited)


@dataclass(frozen=True)
class GroupPrint:
    """One group as printed. Percent in fives, or in steps of `step` where that is not 5; all fields after `invited` are
    None unless shown."""

    mark: str
    invited: int
    n: str | None = None
    share: int | None = None
    cap: str | None = None
    interval: Interval | None = None
    analytic: Interval | None = None
    bounds: Interval | None = None
    step: int = STEP

    def as_json(self) -> dict:
        """{"mark", "N"} and, where shown, "n" (a band), "share", "cap", "interval", "analytic", "bounds", and "step"
        where it is not 5."""
        if self.mark != "shown":
            return {"mark": self.mark, "N": self.invited}
        return {
            **({} if self.step == STEP else {"step": self.step}),
            "mark": self.mark,
            "N": self.invited,
            "n": self.n,
            "share": self.share,
            "cap": self.cap,
            "interval": _list(self.interval),
            "analytic": _list(self.analytic),
            "bounds": _list(self.bounds),
        }


@dataclass(frozen=True)
class GapPrint:
    """The leader-minus-grassroots gap as printed. Percentage points in fives; None unless shown. `points` is
    also None where both arms are capped so that not even the direction is sure (`cap` "unclear"). `within`: set
    where the gap stands alone, its arms hidden, or beside arms in wide steps: the exact gap lies within so many points of
    `points`, unless capped, where it lies anywhere beyond. `of_shares`: made of the
    printed arms and nothing else. `step`, `n`: of a gap that stands alone, to what it is rounded, and the bands of answers
    of its arms."""

    mark: str
    points: int | None = None
    cap: str | None = None
    interval: Interval | None = None
    analytic: Interval | None = None
    bounds: Interval | None = None
    within: Fraction | None = None
    of_shares: bool = False
    step: int | None = None
    n: Mapping[str, str] | None = None

    def as_json(self) -> dict:
        """{"mark"} and, where shown, "points", "cap", "interval", "analytic", "bounds"; "within", "of_shares", "step" and
        "n" where they are set."""
        if self.mark != "shown":
            return {"mark": self.mark}
        return {
            **({} if self.within is None else {"within": float(self.within)}),
            **({"of_shares": True} if self.of_shares else {}),
            **({} if self.step is None else {"step": self.step, "n": dict(self.n)}),
            "mark": self.mark,
            "points": self.points,
            "cap": self.cap,
            "interval": _list(self.interval),
            "analytic": _list(self.analytic),
            "bounds": _list(self.bounds),
        }


@dataclass(frozen=True)
class ItemPrint:
    """One item's table by standing as printed. `total` is None exactly where the two arms are shown."""

    groups: Mapping[str, GroupPrint]
    total: GroupPrint | None
    gap: GapPrint

    def as_json(self) -> dict:
        """{"groups": {name: group}, "total": group or None, "gap": gap}."""
        return {
            "groups": {name: group.as_json() for name, group in self.groups.items()},
            "total": self.total.as_json() if self.total else None,
            "gap": self.gap.as_json(),
        }


def publish_item(
    counts: Mapping[str, Count],
    *,
    threshold: int,
    design_effect: float | None,
    df: int | None,
    ends: bool = False,
    show: str = "arms",
    staff: bool = True,
) -> ItemPrint:
    """What may be printed of one item, by standing.

    `counts`: exact counts of "leader", "grassroots" and, where the round has them, "staff"; a group of which
    nobody was invited is Count(0, 0, 0). `threshold`: fewest answers to the item, and fewest invited, of a
    printed group; the round's promise, 5 or more. `design_effect`: the round's one figure; `df`: the round's
    practices minus one. Where either is None, or df is 0, analytic intervals are None. `ends`: print shares with
    end bands of four, which need 10 answers.

    `show` is one of `SHOW`, what the audit left: the arms with their gap; the arms in wider steps, with the gap that
    those make; the gap alone, in steps of 10 or of 20 points; the total of both arms; nothing. `staff`: whether the staff group may be shown.

    Leader and grassroots are printed both or neither. If neither, their total is printed where it clears the
    threshold; it never stands beside the arms, for total minus arm is the other arm.

    Raises ValueError for a threshold below 5, an unknown or lacking group, a design effect below 1, a
    negative df, or a `show` that is none.

    Source: notes, privacy 5.
    """
    if show not in SHOW:
        raise ValueError(f"Show one of {', '.join(SHOW)}.")
    if whole(threshold) < SMALLEST_THRESHOLD:
        raise ValueError(f"A threshold below {SMALLEST_THRESHOLD} answers is never allowed.")
    if not set(_ARMS) <= set(counts) <= {*_ARMS, "staff"}:
        raise ValueError(
            "Give counts for leader and grassroots, for staff where there are any, and no others."
        )
    clustering = _clustering(design_effect, df)
    leader, grassroots = counts["leader"], counts["grassroots"]
    both = all(_clears(arm, threshold, ends and show in _ARMS_IN) for arm in (leader, grassroots))
    arms, coarse = both and show in _ARMS_IN, _ARMS_IN.get(show)
    groups = {name: _group(counts[name], arms, clustering, ends, coarse) for name in _ARMS}
    if "staff" in counts:
        clear = staff and _clears(counts["staff"], threshold, ends)
        groups["staff"] = _group(counts["staff"], clear, clustering, ends, coarse)

    if arms:
        return ItemPrint(groups, None, _gap(leader, grassroots, clustering, ends, coarse))
    # The total holds leaders and grassroots only. Staff are in no other printed figure, so a printed staff group
    # has nothing to be subtracted from, and the total has no printed part.
    total = leader + grassroots
    if both and show in GAP_STEPS:
        hidden = GroupPrint("hidden", total.invited)
        return ItemPrint(groups, hidden, _gap_alone(leader, grassroots, clustering, *GAP_STEPS[show]))
    gap = GapPrint("missing" if 0 in (leader.invited, grassroots.invited) else "hidden")
    shown = show != "nothing" and _clears(total, threshold, ends)
    return ItemPrint(groups, _group(total, shown, clustering, ends), gap)


def publish_group(
    count: Count, *, threshold: int, design_effect: float | None, df: int | None, ends: bool = False
) -> GroupPrint:
    """What may be printed of one group of a breakdown, by the rules of `publish_item`; arguments and errors as there."""
    if whole(threshold) < SMALLEST_THRESHOLD:
        raise ValueError(f"A threshold below {SMALLEST_THRESHOLD} answers is never allowed.")
    return _group(count, _clears(count, threshold, ends), _clustering(design_effect, df), ends)


def _clears(count: Count, threshold: int, ends: bool) -> bool:
    return min(count.n, count.invited) >= threshold and (not ends or count.n >= ENDS_FROM)


def _clustering(design_effect: float | None, df: int | None) -> tuple[float, int] | None:
    if design_effect is None or df is None or whole(df) == 0:
        return None
    return check_design_effect(design_effect), df_floor(df)


def print_gap_points(
    leader: Count, grassroots: Count, *, ends: bool = False
) -> tuple[int | None, str | None]:
    """Printed gap in percentage points and its cap: None, "at_least", "at_most", or "unclear" with points None.

    The exact gap to the nearest 5 where neither arm is capped. A capped arm enters as the inner end of its cell
    (87.5% or 12.5%), whatever its true share: then the gap says of it nothing but that it is capped, even to
    somebody who knows every answer of the other arm, and the cap is always true. The true share clipped at 90%
    would not do: it sets 14 of 16 (87.5%) apart from 15 of 16. `ends`: the arms are printed with end bands of four.

    Raises ValueError where an arm has no answers.
    """
    arms = [PrintedShare.of(c.favourable, c.n, c.invited, ends=ends) for c in (leader, grassroots)]
    # A higher grassroots share makes the gap smaller, so its cap points the other way.
    turned = {AT_LEAST: AT_MOST, AT_MOST: AT_LEAST, None: None}
    caps = {arms[0].cap, turned[arms[1].cap]} - {None}
    if len(caps) == 2:
        return None, UNCLEAR
    first, second = (
        _inner_end(arm) if arm.cap else Fraction(c.favourable, c.n)
        for arm, c in zip(arms, (leader, grassroots), strict=True)
    )
    return nearest_5(first - second), next(iter(caps), None)


def print_gap_alone(leader: Count, grassroots: Count, step: int, end: int) -> tuple[int, str | None]:
    """Printed gap in points, and its cap, where the arms are hidden: to the nearest `step`, capped from `end` on.

    Ties go upwards. The two arms blend into one figure, so that it leaves each of them open; the ends keep a gap
    that takes (nearly) everybody's answers in one direction from being told apart from one that does not.

    Raises ValueError where an arm has no answers, or for a step and end that are none of `GAP_STEPS`.
    """
    if 0 in (leader.n, grassroots.n):
        raise ValueError("A gap needs answers in both arms.")
    if (step, end) not in GAP_STEPS.values():
        raise ValueError(f"A gap alone is printed with step and end of {sorted(GAP_STEPS.values())} points.")
    gap = Fraction(leader.favourable, leader.n) - Fraction(grassroots.favourable, grassroots.n)
    points = step * math.floor(gap * 100 / step + Fraction(1, 2))
    if points >= end:
        return end - step // 2, AT_LEAST
    if points <= -end:
        return -end + step // 2, AT_MOST
    return points, None


def _gap_alone(
    leader: Count, grassroots: Count, clustering: tuple[float, int] | None, step: int, end: int
) -> GapPrint:
    points, cap = print_gap_alone(leader, grassroots, step, end)
    low, high = gap_alone_cell(points, cap, step)
    answers = [(band_floor(c.n), c.invited) for c in (leader, grassroots)]
    plain, clustered = gap_alone_intervals((low, high), *answers, clustering)
    answering = [Fraction(*of) for of in answers]
    # Low: share1 * a1 - (1 - (1 - share0) * a0), least on the line share1 - share0 = low; high is its mirror image.
    lows = [a * answering[0] + (1 - b) * answering[1] - 1 for a, b in _ends_of_line(low)]
    highs = [1 - (1 - a) * answering[0] - b * answering[1] for a, b in _ends_of_line(high)]
    bounds = 5 * math.floor(min(lows) * 20), 5 * math.ceil(max(highs) * 20)
    return GapPrint(
        "shown",
        points,
        cap,
        interval=plain,
        analytic=clustered,
        bounds=bounds,
        within=None if cap else Fraction(step, 2),
        step=step,
        n={"leader": band(leader.n), "grassroots": band(grassroots.n)},
    )


def gap_alone_cell(points: int, cap: str | None, step: int) -> tuple[Fraction, Fraction]:
    """Smallest and largest exact gap (fractions) that print as `points` with `cap`; the largest is the edge that is
    no longer reached, except 1. No errors."""
    half = Fraction(0 if cap else step, 200)
    low, high = Fraction(points, 100) - half, Fraction(points, 100) + half
    return (Fraction(-1) if cap == AT_MOST else low), (Fraction(1) if cap == AT_LEAST else high)


def _ends_of_line(gap: Fraction) -> tuple[tuple[Fraction, Fraction], ...]:
    """The two ends of the line of pairs of shares that differ by `gap`."""
    return (max(gap, Fraction(0)), max(-gap, Fraction(0))), (
        min(1 + gap, Fraction(1)),
        min(1 - gap, Fraction(1)),
    )


def _inner_end(share: PrintedShare) -> Fraction:
    smallest, largest = share_cell(share.value, share.cap)
    return smallest if share.cap == AT_LEAST else largest


def _group(
    count: Count, shown: bool, clustering: tuple[float, int] | None, ends: bool, coarse: str | None = None
) -> GroupPrint:
    if count.invited == 0:
        return GroupPrint("missing", 0)
    if not shown:
        return GroupPrint("hidden", count.invited)
    share = PrintedShare.of(count.favourable, count.n, count.invited, ends=ends, coarse=coarse)
    return GroupPrint(
        "shown",
        count.invited,
        band(count.n),
        share.value,
        share.cap,
        descriptive_interval(share),
        analytic_interval(share, *clustering) if clustering else None,
        roster_interval(share),
        share.step,
    )


def _gap(
    leader: Count, grassroots: Count, clustering: tuple[float, int] | None, ends: bool, coarse: str | None
) -> GapPrint:
    first, second = (
        PrintedShare.of(c.favourable, c.n, c.invited, ends=ends, coarse=coarse) for c in (leader, grassroots)
    )
    points, cap = print_gap_points(leader, grassroots, ends=ends)
    within = None
    if coarse:
        points, cap, within = gap_of_shares(first, second)
    return GapPrint(
        "shown",
        points,
        cap,
        descriptive_gap_interval(first, second),
        analytic_gap_interval(first, second, *clustering) if clustering else None,
        gap_roster_bounds(first, second),
        within,
        coarse is not None,
    )


def gap_of_shares(
    first: PrintedShare, second: PrintedShare
) -> tuple[int | None, str | None, Fraction | None]:
    """The gap that two printed shares make, which says nothing that they do not: points, cap, and within how many
    points of them the exact gap lies (None beside a cap). With a cap, the points are the end that is sure. No errors."""
    turned = {AT_LEAST: AT_MOST, AT_MOST: AT_LEAST, None: None}
    caps = {first.cap, turned[second.cap]} - {None}
    if len(caps) == 2:
        return None, UNCLEAR, None
    cap = next(iter(caps), None)
    if cap == AT_LEAST:
        return 5 * math.floor((first.cell[0] - second.cell[1]) * 20), cap, None
    if cap == AT_MOST:
        return 5 * math.ceil((first.cell[1] - second.cell[0]) * 20), cap, None
    widths = sum(share.cell[1] - share.cell[0] for share in (first, second))
    return first.value - second.value, None, Fraction(math.ceil(widths * 50 * 2), 2)


def _list(interval: Interval | None) -> list[int] | None:
    return list(interval) if interval else None
