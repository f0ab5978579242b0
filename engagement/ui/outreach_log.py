"""The contact log: quick to fill on a phone after a visit, and what was said before."""

from __future__ import annotations

import streamlit as st

from engagement import clock
from engagement.outreach import contacts
from engagement.outreach.contacts import ContactRow
from engagement.ui import outreach_tools, outreach_words, show
from engagement.ui.outreach_tools import Outreach
from engagement.ui.safe import safe_md
from engagement.ui.steps import run, turn

SHOWN = 20


def draw(found: Outreach) -> None:
    """Log a contact, steps that are due, and the log."""
    today = clock.today()
    st.header("Log a contact", anchor=False)
    planned = sorted(
        found.state("planned"), key=lambda row: (not row.overdue(today), row.month, row.name.casefold())
    )
    by_id = {row.id: row for row in planned}
    other = "A contact that was not planned"
    chosen = st.selectbox(
        "Contact",
        [*by_id, 0],
        format_func=lambda at: other if at == 0 else outreach_words.label(by_id[at]),
        index=None,
        placeholder="Choose a contact",
        key=f"outreach_log_{turn()}",
    )
    if chosen == 0:
        unplanned(found)
    elif chosen is not None:
        entry(found, by_id[chosen])
    steps(found)
    past(found, found.state("done"))


def one(found: Outreach) -> None:
    """One contact, by its address: from a calendar, a link or a button."""
    outreach_tools.leave()
    asked = st.query_params.get("contact", "")
    row = next((row for row in found.rows if str(row.id) == asked), None)
    if row is None or row.state not in ("planned", "done"):
        st.text("There is no such contact that is planned or made.")
        return
    st.header(safe_md(row.name), anchor=False)
    st.text(f"{outreach_words.what(row)}, {outreach_words.when(row)}\n{row.reason}")
    entry(found, row)


def entry(found: Outreach, row: ContactRow) -> None:
    """What came of a planned contact; for one that is logged, its correction."""
    fields = outcome_fields(found, f"outreach_entry_{row.id}_{turn()}", row)
    with st.container(horizontal=True):
        if st.button("Save", type="primary", key="outreach_log_save"):
            run(found.here, saved(row.name, fields), contacts.log, row.id, **fields)
        if row.state == "done" and st.button("It was not made: plan it again", key="outreach_unlog"):
            run(
                found.here,
                f"{row.name} is planned again; what was typed about it is gone.",
                contacts.unlog,
                row.id,
            )


def unplanned(found: Outreach) -> None:
    """A contact that nobody had planned."""
    key = f"outreach_unplanned_{turn()}"
    code = outreach_tools.practice_box(found, found.here.words["practice"].capitalize(), f"{key}_where")
    action = outreach_tools.action_box(found, f"{key}_action")
    person = outreach_tools.person_box(found, f"{key}_who")
    fields = outcome_fields(found, key, None)
    if st.button("Save", type="primary", key="outreach_log_save"):
        if code is None:
            st.error(f"Choose a {safe_md(found.here.words['practice'])} first.")
            return
        run(
            found.here,
            saved(found.by_code[code], fields),
            contacts.log_unplanned,
            found.here.body.id,
            code,
            action=action,
            person_id=person,
            **fields,
        )


def outcome_fields(found: Outreach, key: str, row: ContactRow | None) -> dict:
    """The four things to say: when, what came of it, what was heard, what comes next."""
    today = clock.today()
    # Wide buttons: rows of a radio are too close together for a thumb.
    outcome = st.segmented_control(
        "What came of it",
        list(outreach_words.OUTCOME_NAMES),
        format_func=outreach_words.OUTCOME_NAMES.get,
        default=row.outcome if row and row.outcome else contacts.MET,
        required=True,
        key=f"{key}_outcome",
    )
    day = (
        st.date_input(
            "When",
            value=(row.done_on if row else None) or today,
            max_value=today,
            format="DD/MM/YYYY",
            key=f"{key}_day",
        )
        or today
    )
    heard = st.text_area(
        "What was heard",
        (row.heard if row else None) or "",
        max_chars=contacts.HEARD_LIMIT,
        help=f"What the {safe_md(found.here.words['practice'])} needs. Do not write about people or patients.",
        key=f"{key}_heard",
    )
    step = st.text_input(
        "Next step",
        (row.next_step if row else None) or "",
        max_chars=contacts.STEP_LIMIT,
        key=f"{key}_step",
    )
    until = st.date_input(
        "Next step by", value=row.next_on if row else None, format="DD/MM/YYYY", key=f"{key}_by"
    )
    if outcome == contacts.DECLINED:
        st.text(
            f"No plan will hold this {found.here.words['practice']} from then on. That can be changed under “People and "
            "rules”."
        )
    return {"done_on": day, "outcome": outcome, "heard": heard, "next_step": step, "next_on": until}


def saved(name: str, fields: dict) -> str:
    """What a saved entry says."""
    said = f"{name} is logged for {clock.show_date(fields['done_on'])}."
    return said + (f" Next: {fields['next_step'].strip()}" if fields["next_step"].strip() else "")


def steps(found: Outreach) -> None:
    """Next steps that wait, those due first."""
    waiting = [row for row in found.state("done") if row.next_step and row.next_done_on is None]
    if not waiting:
        return
    st.header("Next steps", anchor=False)
    today = clock.today()
    for row in sorted(waiting, key=lambda row: (row.next_on is None, row.next_on, row.name.casefold())):
        with st.container(border=True):
            by = ""
            if row.next_on:
                by = f"\n{'Overdue since' if row.next_on < today else 'By'} {clock.show_date(row.next_on)}"
            st.text(f"{row.name}: {row.next_step}{by}")
            if st.button("Done", key=f"outreach_step_{row.id}"):
                run(
                    found.here,
                    f"The next step with {row.name} is done.",
                    contacts.next_done,
                    row.id,
                )


def past(found: Outreach, rows: list[ContactRow]) -> None:
    """The log, newest first, with one of its entries to read in full and correct."""
    st.header("The log", anchor=False)
    if not rows:
        st.text("No contact is logged yet.")
        return
    newest = sorted(rows, key=lambda row: (row.done_on, row.id), reverse=True)
    show.table(
        outreach_words.log_table(newest[:SHOWN], found.here.words),
        alt="Contacts made, newest first, with what came of them and the next step",
    )
    if len(newest) > SHOWN:
        show.note(f"The newest {SHOWN} of {len(newest)}; the list below holds all.")
    by_id = {row.id: row for row in newest}
    chosen = st.selectbox(
        "Read or correct an entry",
        list(by_id),
        format_func=lambda at: f"{by_id[at].name} · {clock.show_date(by_id[at].done_on)}",
        index=None,
        placeholder="Choose an entry",
        key=f"outreach_past_{turn()}",
    )
    if chosen is not None:
        entry(found, by_id[chosen])
