"""What may be printed beside the table by standing: answers in full for the body, response by group, the index.

The first two have rules of their own. The index is made of printed figures alone and therefore adds nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import fmean

from engagement.disclosure.rules import AT_LEAST, AT_MOST, UNCLEAR, band, nearest_5, print_share, whole

DISTRIBUTION_FLOOR = 30
RESPONSE_FLOOR = 10
ABOUT = "about"
_LEAST = 5


def print_distribution(counts: Mapping[int, int], dont_know: int, invited: int) -> dict:
    """How the whole body answered an item, option by option, as JSON.

    `counts`: answers by score. `dont_know`: answers "I do not know", which are no part of the shares but have a
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
        "options": [{"score": score, **_option(count, total)} for score, count in sorted(counts.items())],
        "dont_know": _option(dont_know, total + dont_know),
    }


def _option(count: int, total: int) -> dict:
    value = nearest_5(Fraction(count, total))
    if value <= _LEAST:
        return {"share": _LEAST, "cap": AT_MOST}
    return {"share": min(value, 90), "cap": AT_LEAST if value >= 90 else None}


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
    shown = [item for item in items if item["gap"]["mark"] == "shown"]
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
