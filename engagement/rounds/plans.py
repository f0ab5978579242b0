"""The reporting plan: which tables a round will publish, in order of priority. Frozen with the promise.

The table by standing, with the gap, is always the first. The gate drops the others from the last, so that what matters
most should come early.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engagement.disclosure import STANDING
from engagement.errors import Invalid


@dataclass(frozen=True)
class Table:
    """A table that a plan may name. `breakdown`: it shows groups of members; only confidential rounds keep those."""

    name: str
    title: str
    about: str
    breakdown: bool = False
    people: int = 0


TABLES = (
    Table(STANDING, "Leaders and grassroots", "Both shares with their gap, and staff where there are any."),
    Table("locality", "Localities", "Members by the locality of their practice.", breakdown=True),
    Table("size", "Practice size", "Members by the size of their practice.", breakdown=True),
    Table("role", "Roles", "Members by role.", breakdown=True),
    Table(
        "options",
        "Answers in full",
        "How all members together answered, option by option, from 30 answers.",
        people=30,
    ),
    Table(
        "weighted",
        "Weighted shares",
        "The headline questions weighted to roles, localities and sizes, from 30 answers in a group.",
        people=30,
    ),
    Table(
        "panel",
        "The same people twice",
        "Those who answered the headline questions in two rounds running, from 30 people.",
        people=30,
    ),
)
NAMES = tuple(table.name for table in TABLES)
BREAKDOWNS = tuple(table.name for table in TABLES if table.breakdown)
# Two breakdowns at most unless somebody asks for more: each further one makes it likelier that one must be dropped.
DEFAULT = (STANDING, "locality", "size", "options", "weighted", "panel")
SMALL = (STANDING,)
_TIERS = {
    "confidential": NAMES,
    "practice-view": (STANDING, "options"),
    "anonymous": (STANDING, "options"),
}


def allowed(tier: str) -> tuple[str, ...]:
    """The tables that a round of this tier can publish, by what it keeps of its people."""
    return _TIERS[tier]


def default(tier: str) -> tuple[str, ...]:
    """The plan that a new round starts with."""
    return tuple(name for name in DEFAULT if name in allowed(tier))


def checked(names: Sequence[str] | None, tier: str) -> tuple[str, ...]:
    """A plan as it may be promised: the table by standing first, nothing twice, nothing that the tier does not keep.

    None gives the default. Raises `Invalid` for a name that is no table.
    """
    if names is None:
        return default(tier)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise Invalid(f"There is no table {unknown[0]}. Choose from: {', '.join(NAMES)}.")
    wanted = dict.fromkeys((STANDING, *names))
    return tuple(name for name in wanted if name in allowed(tier))


def of_promise(promise: Mapping[str, Any]) -> tuple[str, ...]:
    """The tables that a promise names; promises of before plans were chosen name the table by standing."""
    return tuple(dict.fromkeys((STANDING, *(name for name in promise["plan"] if name in NAMES))))


LIKELY, PARTLY, UNLIKELY = "likely", "partly", "unlikely"
# Below this many answers in the smaller arm, the check often leaves the gap in wide steps or as a bound.
_COMFORTABLE = 20


@dataclass(frozen=True)
class Outlook:
    """What is to be expected of one planned table: "likely", "partly" (as fewer groups, or less exactly) or "unlikely"."""

    table: str
    title: str
    level: str
    text: str


def outlook(
    plan: Sequence[str], people: Sequence[Mapping[str, Any]], response: float, threshold: int
) -> list[Outlook]:
    """What may be published of each planned table, if members answer as they are expected to.

    `people`: those who would be invited, each with "standing" and their categories of the breakdowns. `response`: the
    share expected to answer, 0 to 1. Counts alone: the check at close looks at the answers too, and may drop a table
    that is likely here.
    """
    members = [person for person in people if person["standing"] in ("leader", "grassroots")]
    titles = {table.name: table for table in TABLES}
    out = []
    for name in plan:
        table = titles[name]
        if name == STANDING:
            level, text = _arms(Counter(person["standing"] for person in members), response, threshold)
        elif table.breakdown:
            sizes = Counter(person[name] for person in members if person.get(name) is not None)
            level, text = _groups(list(sizes.values()), response, threshold)
        else:
            expected = round(len(members) * response)
            enough = expected >= table.people
            level = LIKELY if enough else UNLIKELY
            text = f"About {expected} answers are expected; {table.people} are needed."
        out.append(Outlook(name, table.title, level, text))
    return out


def _arms(sizes: Counter, response: float, threshold: int) -> tuple[str, str]:
    expected = {arm: round(sizes[arm] * response) for arm in ("leader", "grassroots")}
    least = min(expected.values())
    said = f"About {expected['leader']} leaders and {expected['grassroots']} grassroots members are expected to answer"
    if least < threshold:
        return UNLIKELY, f"{said}; each needs {threshold}. Only both together could be shown."
    if least < _COMFORTABLE:
        return PARTLY, f"{said}. So few can often be shown in wide steps only, or as “at least 30 points”."
    return LIKELY, f"{said}."


def _groups(sizes: list[int], response: float, threshold: int) -> tuple[str, str]:
    """How many groups are left when those expected to stay under the threshold are merged, smallest first."""
    expected = sorted(size * response for size in sizes)
    before = len(expected)
    while len(expected) > 1 and expected[0] < threshold:
        expected = sorted([expected[0] + expected[1], *expected[2:]])
    if len(expected) < 2 or expected[0] < threshold:
        return UNLIKELY, "Fewer than two groups are expected to have enough answers."
    if len(expected) < before:
        return PARTLY, f"The smaller of {before} groups would be merged: {len(expected)} would be left."
    return LIKELY, f"All {before} groups are expected to have enough answers."
