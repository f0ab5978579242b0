"""Audit log: who did what, whether the log is whole, and its newest line to note. For the auditor and the lead."""

from __future__ import annotations

import streamlit as st

from engagement import clock
from engagement.access import Role, audit
from engagement.errors import EngagementError
from engagement.ui import audit_words, frame_tools, show

MOST = 50
BEFORE, CHECKED = "audit_before", "audit_checked"


def _check(here) -> None:
    st.header("Is it whole?", anchor=False)
    with here.database.reading() as session:
        lines, head = audit.newest(session, here.actor, here.body.id)
    if head is None:
        st.text("The log is empty.")
        return
    st.text(
        f"{lines:,} lines, of all bodies of this installation. The newest line and its fingerprint, to be noted:"
    )
    st.code(str(head), language=None, wrap_lines=True)
    with st.form("audit_check", enter_to_submit=False):
        noted = st.text_input(
            "A line that you noted earlier or were mailed (optional)",
            max_chars=90,
            placeholder="line:fingerprint",
            help="With it, lines cut from the end are found too, and a log that was written anew.",
        )
        if st.form_submit_button("Check the log", type="primary"):
            _run_check(here, noted)
    if (verdict := st.session_state.get(CHECKED)) is not None:
        with st.container(border=True):
            st.subheader(
                "The log is whole" if verdict.whole else "The log is not whole",
                icon=":material/check_circle:" if verdict.whole else ":material/error:",
                anchor=False,
            )
            st.text(verdict.sentence)


def _run_check(here, noted: str) -> None:
    st.session_state.pop(CHECKED, None)
    try:
        with here.database.session() as session:
            st.session_state[CHECKED] = audit.inspect(session, here.actor, here.body.id, noted)
    except EngagementError as error:
        frame_tools.show_error(error)


def _entries(here) -> None:
    import pandas as pd

    st.header("What was done", anchor=False)
    before = st.session_state.get(BEFORE)
    with here.database.reading() as session:
        found = audit.entries(session, here.actor, here.body.id, before=before, most=MOST)
    if not found:
        st.text("There is nothing older." if before else "Nothing has been done yet.")
    else:
        show.table(
            pd.DataFrame(
                # Two columns, for a phone has no room for more.
                {
                    "Line, when and who": [
                        f"{entry.id}. {clock.show_instant(entry.at)}, {entry.actor}" for entry in found
                    ],
                    "What": [_what(entry) for entry in found],
                }
            ),
            alt=f"{len(found)} lines of the audit log: line, time, person, what was done and to what.",
        )
    with st.container(horizontal=True):
        if before and st.button("Newest", key="audit_newest"):
            st.session_state.pop(BEFORE)
            st.rerun()
        if len(found) == MOST and st.button("Older", key="audit_older"):
            st.session_state[BEFORE] = found[-1].id
            st.rerun()


def _what(entry: audit.Entry) -> str:
    details = audit_words.details(entry)
    return f"{audit_words.what(entry)} ({details})" if details else audit_words.what(entry)


def main() -> None:
    """Draw the page."""
    here = frame_tools.current()
    st.title("Audit log", anchor=False)
    here.actor.require(here.body.id, *audit.READ_BY)
    st.text(
        "Every change, export, look at results and refusal is one line here, and no line can be changed or taken out "
        "without breaking the ones after it. Who answered a survey, and when, is never in it."
    )
    if here.actor.may(here.body.id, Role.AUDITOR):
        st.text(
            "You are mailed the newest line once a day. Keep those messages: they show whether lines were cut from "
            "the end of the log."
        )
    _check(here)
    _entries(here)
    st.link_button(
        "Export the log of this body",
        f"/export/audit/{here.body.id}.jsonl",
        icon=":material/download:",
    )
    show.note(
        "One line of JSON for each line of the log; of other bodies only the fingerprints. "
        "To check a file: engagement audit verify --file FILE."
    )


main()
