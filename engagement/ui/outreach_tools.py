"""What the parts of the outreach page share: all that they draw, and boxes to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import streamlit as st

from engagement import clock
from engagement.outreach.catalogue import Action
from engagement.outreach.contacts import ContactRow, add_months
from engagement.outreach.plan import PlanRow
from engagement.outreach.team import Exclusion, Person, Settings
from engagement.ui import outreach_words
from engagement.ui.frame_tools import Current
from engagement.ui.safe import safe_md

MONTHS_AHEAD = 18


@dataclass(frozen=True)
class Outreach:
    """What the engagement lead's page holds. `names`: of `engagement.releases.read.practices`, those that are open."""

    here: Current
    names: list[dict[str, Any]]
    plan: PlanRow | None
    rows: tuple[ContactRow, ...]
    people: tuple[Person, ...]
    actions: tuple[Action, ...]
    settings: Settings
    excluded: tuple[Exclusion, ...]
    localities: dict[str, str]

    @property
    def by_code(self) -> dict[str, str]:
        """Names by code."""
        return {row["practice_id"]: row["name"] for row in self.names}

    def state(self, *states: str) -> list[ContactRow]:
        """The contacts in some states, in order."""
        return [row for row in self.rows if row.state in states]


def leave() -> None:
    """A way back from one contact or practice to the whole page."""
    if st.button("All of outreach", key="outreach_leave", icon=":material/arrow_back:"):
        st.query_params.clear()
        st.rerun()


def practice_box(found: Outreach, label: str, key: str, *, index: int | None = None) -> str | None:
    """Choose one of the practices that are open. `label` may hold the body's own words."""
    names = found.by_code
    return st.selectbox(
        safe_md(label),
        list(names),
        format_func=names.get,
        index=index,
        placeholder="Type a few letters of the name",
        key=key,
    )


def action_box(found: Outreach, key: str, *, chosen: str | None = None) -> str:
    """Choose an action in use; one that a contact has already is offered too."""
    names = {action.key: action.name for action in found.actions if action.used or action.key == chosen}
    keys = list(names)
    default = (
        chosen if chosen in names else next((k for k in keys if k == "visit"), keys[0] if keys else None)
    )
    return st.selectbox(
        "Action",
        keys,
        format_func=names.get,
        index=keys.index(default) if default in names else None,
        key=key,
    )


def person_box(found: Outreach, key: str, *, chosen: int | None = None) -> int | None:
    """Choose who makes a contact, or nobody yet."""
    names = {person.id: person.name for person in found.people if person.active or person.id == chosen}
    keys: list[int | None] = [None, *names]
    return st.selectbox(
        "Who",
        keys,
        format_func=lambda at: "Not decided yet" if at is None else names[at],
        index=keys.index(chosen) if chosen in names else 0,
        key=key,
    )


def month_box(key: str, *, chosen: date | None = None, label: str = "Month") -> date:
    """Choose a month, from this one on; one that has gone by only where it is the contact's own."""
    first = clock.today().replace(day=1)
    months = [add_months(first, at) for at in range(MONTHS_AHEAD)]
    if chosen is not None and chosen not in months:
        months.insert(0, chosen)
    return st.selectbox(
        label,
        months,
        format_func=outreach_words.month_name,
        index=months.index(chosen) if chosen else 0,
        key=key,
    )


def time_boxes(key: str, *, chosen: datetime | None = None) -> datetime | None:
    """Choose a day and time, or none; an instant. Raises `Invalid` for a time that the clocks skip or repeat."""
    wall = chosen.astimezone(clock.LONDON) if chosen else None
    left, right = st.columns(2)
    with left:
        day = st.date_input(
            "Day, where it is fixed",
            value=wall.date() if wall else None,
            format="DD/MM/YYYY",
            key=f"{key}_day",
        )
    with right:
        at = st.time_input("Time", value=wall.time() if wall else time(12, 30), key=f"{key}_time")
    return clock.from_london(day, at) if day and at else None
