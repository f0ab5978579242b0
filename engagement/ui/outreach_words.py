"""What a plan of contacts says, in sentences and tables. Pure: rows in, plain text and frames out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from engagement import clock
from engagement.outreach.catalogue import NOT_CLEAR, Action, Rung
from engagement.outreach.contacts import ContactRow, Counts, add_months
from engagement.outreach.plan import PlanRow
from engagement.risk.segments import NAMES

if TYPE_CHECKING:
    import pandas

KIND_NAMES = NAMES | {NOT_CLEAR: "Not clear"}
WHY_NAMES = {"segment": "Segment", "floor": "Floor", "random": "By lot", "hand": "By hand"}
OUTCOME_NAMES = {
    "met": "We talked",
    "missed": "Nobody was free",
    "declined": "They do not want to be visited",
}
STATE_NAMES = {"proposed": "Proposed", "planned": "Planned", "done": "Made", "cancelled": "Taken out"}
MOST_NAMED = 6


def month_name(month: date) -> str:
    """ "December 2026"."""
    return f"{month:%B %Y}"


def span(plan: PlanRow) -> str:
    """ "December 2026 to May 2027"."""
    last = add_months(plan.first_month, plan.months - 1)
    if plan.months == 1:
        return month_name(plan.first_month)
    return f"{month_name(plan.first_month)} to {month_name(last)}"


def many(number: int, one: str, more: str) -> str:
    """ "1 contact", "12 contacts"."""
    return f"{number:,} {one if number == 1 else more}"


def headline(plan: PlanRow, rows: Sequence[ContactRow]) -> str:
    """What the plan is: how many contacts, for when, and whether it is accepted."""
    own = [row for row in rows if row.plan_id == plan.id and row.state in ("proposed", "planned", "done")]
    said = f"{many(len(own), 'contact', 'contacts')}, {span(plan)}"
    return f"Proposal of {said}" if plan.accepted_at is None else f"Plan of {said}"


def made(plan: PlanRow) -> str:
    """Who made it, when, and from which round."""
    after = "before any round was assessed" if plan.round is None else f"after round {plan.round}"
    said = f"Proposed on {clock.show_date(plan.made_at)} by {plan.made_by}, {after}."
    if plan.accepted_at is not None:
        said += f" Accepted on {clock.show_date(plan.accepted_at)}."
    return said


def rules(plan: PlanRow, words: Mapping[str, str]) -> str:
    """The rules that it was made with, in one paragraph."""
    found = plan.rules
    return (
        f"Every {words['practice']} once in {found['floor_months']} months, not again within {found['rest_months']}. "
        f"{found['random_share']}% of contacts by lot, whatever the segment (seed {plan.seed}; it stays until the plan is "
        f"accepted). No group more than its share of {words['practices']} and {found['slack']} points."
    )


def lots(plan: PlanRow) -> str:
    """How many were drawn."""
    drawn, placed = plan.found["drawn"], plan.found["drawn"] - len(plan.found["no_random"])
    if not drawn:
        return "Nobody was drawn by lot."
    return f"{placed} of {plan.found['contacts']} contacts proposed were drawn by lot."


def gave(plan: PlanRow, names: Mapping[str, str], words: Mapping[str, str]) -> list[str]:
    """Which rules gave, a sentence each, in the order in which they give; empty where all were kept."""
    found, said = plan.found, []
    rows = {row["name"]: row for row in found["groups"]}
    for group in found["over"]:
        row = rows[group]
        said.append(
            f"{group}: {many(row['contacts'], 'contact', 'contacts')}, {row['contacts'] - row['allowed']} above the fair "
            "share. Floors, lots or contacts that stood before made it so."
        )
    if found["no_random"]:
        said.append(f"Drawn by lot, and no hours left: {listed(found['no_random'], names)}.")
    if found["no_floor"]:
        said.append(
            f"The floor gave for {many(len(found['no_floor']), words['practice'], words['practices'])}, for want of "
            f"hours or because they were taken out: {listed(found['no_floor'], names)}."
        )
    if found["nobody"]:
        said.append(
            f"Nobody on the list of people covers {listed(found['nobody'], names)}. Give somebody that locality or action."
        )
    return said


def pace(plan: PlanRow, words: Mapping[str, str]) -> str:
    """Whether the hours are enough for the floor in the long run."""
    needed, there = plan.found["floor_hours"], plan.found["capacity"] / plan.months
    verdict = (
        "That is enough."
        if there >= needed
        else f"That is too few: add hours, or see each {words['practice']} less often."
    )
    return (
        f"To see each of them once in {plan.rules['floor_months']} months takes about {needed:.0f} hours a month; "
        f"{there:.0f} are there. {verdict}"
    )


def listed(codes: Sequence[str], names: Mapping[str, str]) -> str:
    """Names in a row, the first few."""
    said = [names.get(code, code) for code in codes[:MOST_NAMED]]
    more = len(codes) - len(said)
    return ", ".join(said) + (f" and {more} more" if more else "")


def group_table(plan: PlanRow, words: Mapping[str, str]) -> pandas.DataFrame:
    """Each group's share of practices and of contacts."""
    import pandas as pd

    return pd.DataFrame(
        [
            (
                row["name"],
                f"{row['practices']} of {row['of']}",
                f"{row['contacts']} of {plan.found['total']}",
                str(row["allowed"]),
            )
            for row in plan.found["groups"]
        ],
        columns=["Group", words["practices"].capitalize(), "Contacts", "At most"],
    )


def when(row: ContactRow) -> str:
    """The day and time of a contact, else its month."""
    return clock.show_instant(row.visit_at) if row.visit_at else month_name(row.month)


def what(row: ContactRow) -> str:
    """What is done and by whom."""
    return f"{row.action_name}, {row.person}" if row.person else row.action_name


def contact_table(rows: Sequence[ContactRow], words: Mapping[str, str]) -> pandas.DataFrame:
    """Contacts of one month: where, what and who, why."""
    import pandas as pd

    return pd.DataFrame(
        [
            (
                row.name + (f", {clock.show_instant(row.visit_at)}" if row.visit_at else ""),
                what(row),
                ("By hand. " if row.by_hand and row.why != "hand" else "") + row.reason,
            )
            for row in rows
        ],
        columns=[words["practice"].capitalize(), "What and who", "Why"],
    )


def log_table(rows: Sequence[ContactRow], words: Mapping[str, str]) -> pandas.DataFrame:
    """The log, newest first."""
    import pandas as pd

    return pd.DataFrame(
        [
            (
                clock.show_date(row.done_on),
                f"{row.name}: {row.action_name}",
                OUTCOME_NAMES[row.outcome],
                row.next_step or "",
            )
            for row in rows
        ],
        columns=["Day", words["practice"].capitalize(), "What came of it", "Next step"],
    )


def label(row: ContactRow) -> str:
    """A contact in a list to choose from."""
    day = f"{clock.london_date(row.visit_at).day} {row.visit_at:%b}" if row.visit_at else f"{row.month:%b %Y}"
    return f"{row.name} · {row.action_name} · {day}"


def counts_sentences(found: Counts, words: Mapping[str, str]) -> list[str]:
    """How much outreach there is, for everybody in the body."""
    months = "month" if found.floor_months == 1 else f"{found.floor_months} months"
    said = [
        f"{found.reached} of {found.of} {words['practices']} were met in the last {months}.",
        f"{many(found.planned, 'contact is', 'contacts are')} planned; {found.made} were made so far"
        + (f", and {found.missed} came to nothing." if found.missed else "."),
    ]
    if found.overdue:
        said.append(f"{many(found.overdue, 'planned contact is', 'planned contacts are')} overdue.")
    if found.excluded:
        said.append(
            f"{many(found.excluded, words['practice'], words['practices'])} asked not to be visited, or is left out."
            if found.excluded == 1
            else f"{found.excluded} {words['practices']} asked not to be visited, or are left out."
        )
    return said


def counts_table(found: Counts) -> pandas.DataFrame:
    """Planned and made, by action."""
    import pandas as pd

    return pd.DataFrame(
        [(name, str(planned), str(made_)) for name, planned, made_ in found.by_action],
        columns=["Action", "Planned", "Made"],
    )


def action_table(actions: Sequence[Action]) -> pandas.DataFrame:
    """The catalogue in use: what, who and how long, for whom."""
    import pandas as pd

    return pd.DataFrame(
        [
            (
                action.name,
                f"{action.who}, {action.hours:g} hours" if action.hours != 1 else f"{action.who}, 1 hour",
                ", ".join(KIND_NAMES[kind] for kind in action.segments) or "As needed",
            )
            for action in actions
            if action.used
        ],
        columns=["Action", "Who and how long", "For"],
    )


def ladder_table(rungs: Sequence[Rung]) -> pandas.DataFrame:
    """Who acts on what, support first."""
    import pandas as pd

    return pd.DataFrame(
        [(str(at), rung.who, f"{rung.what}. {rung.then}") for at, rung in enumerate(rungs, start=1)],
        columns=["Step", "Who acts", "On what"],
    )
