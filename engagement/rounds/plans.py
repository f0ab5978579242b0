"""The reporting plan: which tables a round will publish, in order of priority. Frozen with the promise.

The table by standing, with the gap, is always the first. The gate drops the others from the last, so that what matters
most should come early.
"""

from __future__ import annotations

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
