"""The gate of one item's table by standing: which groups, total and gap may be printed, and as what.

Three marks are told apart everywhere: "shown", "hidden" (which gives no reason) and "missing" (nobody of the
group was invited). A share of 0% is a shown share, printed "at most 10".
"""

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
    gap_roster_bounds,
    roster_interval,
)
from engagement.disclosure.rules import (
    AT_LEAST,
    AT_MOST,
    SMALLEST_THRESHOLD,
    UNCLEAR,
    band,
    nearest_5,
    share_cell,
    whole,
)

Interval = tuple[int, int]
_ARMS = ("leader", "grassroots")


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
    """One group as printed. Percent in fives; all fields after `invited` are None unless shown."""

    mark: str
    invited: int
    n: str | None = None
    share: int | None = None
    cap: str | None = None
    interval: Interval | None = None
    analytic: Interval | None = None
    bounds: Interval | None = None

    def as_json(self) -> dict:
        """{"mark", "N"} and, where shown, "n" (a band), "share", "cap", "interval", "analytic", "bounds"."""
        if self.mark != "shown":
            return {"mark": self.mark, "N": self.invited}
        return {
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
    also None where both arms are capped so that not even the direction is sure (`cap` "unclear")."""

    mark: str
    points: int | None = None
    cap: str | None = None
    interval: Interval | None = None
    analytic: Interval | None = None
    bounds: Interval | None = None

    def as_json(self) -> dict:
        """{"mark"} and, where shown, "points", "cap", "interval", "analytic", "bounds"."""
        if self.mark != "shown":
            return {"mark": self.mark}
        return {
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
    counts: Mapping[str, Count], *, threshold: int, design_effect: float | None, df: int | None
) -> ItemPrint:
    """What may be printed of one item, by standing.

    `counts`: exact counts of "leader", "grassroots" and, where the round has them, "staff"; a group of which
    nobody was invited is Count(0, 0, 0). `threshold`: fewest answers to the item, and fewest invited, of a
    printed group; the round's promise, 5 or more. `design_effect`: the round's one figure; `df`: the round's
    practices minus one. Where either is None, or df is 0, analytic intervals are None.

    Leader and grassroots are printed both or neither. If neither, their total is printed where it clears the
    threshold; it never stands beside the arms, for total minus arm is the other arm.

    Raises ValueError for a threshold below 5, an unknown or lacking group, a design effect below 1, or a
    negative df.

    Source: notes, privacy 5.
    """
    if whole(threshold) < SMALLEST_THRESHOLD:
        raise ValueError(f"A threshold below {SMALLEST_THRESHOLD} answers is never allowed.")
    if not set(_ARMS) <= set(counts) <= {*_ARMS, "staff"}:
        raise ValueError(
            "Give counts for leader and grassroots, for staff where there are any, and no others."
        )
    clustering = None
    if design_effect is not None and df is not None and whole(df) > 0:
        clustering = check_design_effect(design_effect), df_floor(df)

    def clears(count: Count) -> bool:
        return count.n >= threshold and count.invited >= threshold

    leader, grassroots = counts["leader"], counts["grassroots"]
    both = clears(leader) and clears(grassroots)
    groups = {name: _group(counts[name], both, clustering) for name in _ARMS}
    if "staff" in counts:
        groups["staff"] = _group(counts["staff"], clears(counts["staff"]), clustering)

    if both:
        return ItemPrint(groups, None, _gap(leader, grassroots, clustering))
    # The total holds leaders and grassroots only. Staff are in no other printed figure, so a printed staff group
    # has nothing to be subtracted from, and the total has no printed part.
    total = leader + grassroots
    gap = GapPrint("missing" if 0 in (leader.invited, grassroots.invited) else "hidden")
    return ItemPrint(groups, _group(total, clears(total), clustering), gap)


def print_gap_points(leader: Count, grassroots: Count) -> tuple[int | None, str | None]:
    """Printed gap in percentage points and its cap: None, "at_least", "at_most", or "unclear" with points None.

    The exact gap to the nearest 5 where neither arm is capped. A capped arm enters as the inner end of its cell
    (87.5% or 12.5%), whatever its true share: then the gap says of it nothing but that it is capped, even to
    somebody who knows every answer of the other arm, and the cap is always true. The true share clipped at 90%
    would not do: it sets 14 of 16 (87.5%) apart from 15 of 16.

    Raises ValueError where an arm has no answers.
    """
    arms = [PrintedShare.of(c.favourable, c.n, c.invited) for c in (leader, grassroots)]
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


def _inner_end(share: PrintedShare) -> Fraction:
    smallest, largest = share_cell(share.value, share.cap)
    return smallest if share.cap == AT_LEAST else largest


def _group(count: Count, shown: bool, clustering: tuple[float, int] | None) -> GroupPrint:
    if count.invited == 0:
        return GroupPrint("missing", 0)
    if not shown:
        return GroupPrint("hidden", count.invited)
    share = PrintedShare.of(count.favourable, count.n, count.invited)
    return GroupPrint(
        "shown",
        count.invited,
        band(count.n),
        share.value,
        share.cap,
        descriptive_interval(share),
        analytic_interval(share, *clustering) if clustering else None,
        roster_interval(share),
    )


def _gap(leader: Count, grassroots: Count, clustering: tuple[float, int] | None) -> GapPrint:
    first, second = (PrintedShare.of(c.favourable, c.n, c.invited) for c in (leader, grassroots))
    return GapPrint(
        "shown",
        *print_gap_points(leader, grassroots),
        descriptive_gap_interval(first, second),
        analytic_gap_interval(first, second, *clustering) if clustering else None,
        gap_roster_bounds(first, second),
    )


def _list(interval: Interval | None) -> list[int] | None:
    return list(interval) if interval else None
