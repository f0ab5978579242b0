"""Panel codes: linking a person to their code, by two people and with the auditor told."""

from __future__ import annotations

import streamlit as st

from engagement.access import Role
from engagement.clock import show_date
from engagement.intake import linking
from engagement.intake.keys import Keys
from engagement.ui import frame_tools, steps

CODE = "codes_code"
STATES = {
    "waiting": "Waits for a second person",
    "approved": "Approved: the code can be opened",
    "opened": "Opened",
    "refused": "Refused",
    "lapsed": "Lapsed",
}


def _opened() -> None:
    """The code that was just opened, until it is put away."""
    body_id, found = st.session_state.get(CODE, (None, None))
    if body_id is None:
        return
    with st.container(border=True):
        st.subheader("The code", anchor=False)
        st.text(f"Member {found.ref}, round {found.round}. Opening it stands in the audit log.")
        st.code(found.code, language=None)
        if st.button("Put it away", key="codes_away"):
            del st.session_state[CODE]
            st.rerun()


def _ask(here, keys: Keys, numbers: list[int]) -> None:
    st.header("Ask for a code", anchor=False)
    if not numbers:
        st.text(
            "There is no closed confidential round whose key still exists here. A round's key is destroyed when the "
            "next round closes; after that nobody can connect answers to people, and an access request is answered "
            "with exactly that (UK GDPR, Article 11)."
        )
        return
    with st.form("codes_ask", enter_to_submit=False):
        number = st.selectbox("Round", numbers, format_func=str, index=len(numbers) - 1)
        ref = st.text_input("Member number", max_chars=60)
        reason = st.text_area("Why it is needed", max_chars=linking.REASON_LIMIT)
        sent = st.form_submit_button("Ask")
    if sent:
        done = "A second person must approve it now. The auditor is told."
        steps.run(here, done, linking.ask, keys, here.body.id, number=number, ref=ref, reason=reason)


def _one(here, keys: Keys, request: linking.Request, approves: bool) -> None:
    with st.container(border=True):
        st.text(
            f"Request {request.id}: member {request.ref}, round {request.round}. {STATES[request.state]}."
        )
        st.text(f"Asked by {request.asked_by} on {show_date(request.asked_at)}. Reason: {request.reason}")
        if request.approved_by:
            st.text(f"Approved by {request.approved_by}.")
        mine = request.asked_by == here.actor.name
        with st.container(horizontal=True):
            if (
                approves
                and not mine
                and request.state == "waiting"
                and st.button("Approve", key=f"codes_approve_{request.id}")
            ):
                steps.run(here, "Approved. The auditor is told.", linking.approve, request.id)
            if (
                approves
                and request.state in ("approved", "opened")
                and st.button("Open the code", key=f"codes_open_{request.id}")
            ):

                def keep(code: linking.Linked) -> str:
                    st.session_state[CODE] = (here.body.id, code)
                    return "The code is below. The auditor is told."

                steps.run(here, keep, linking.open_code, keys, request.id)
            if request.state in ("waiting", "approved") and st.button(
                "Refuse", key=f"codes_refuse_{request.id}"
            ):
                steps.run(here, "Refused. The auditor is told.", linking.refuse, request.id)


def main() -> None:
    """Draw the page."""
    here = frame_tools.current()
    st.title("Panel codes", anchor=False)
    here.actor.require(here.body.id, *linking.READ_BY)
    keys = Keys(here.config.keys)
    st.text(
        "Answers in a confidential round carry a code that follows change between rounds and names nobody. Linking a "
        "person to their code needs two people, is told to the auditor at each step, and works only while the "
        "round's key exists: until the next round closes. No answers are shown here."
    )
    steps.said()
    _opened()
    with here.database.reading() as session:
        numbers = linking.possible(session, here.actor, keys, here.body.id)
        requests = linking.requests(session, here.actor, here.body.id)
    approves = here.actor.may(here.body.id, *linking.APPROVERS)
    if here.actor.may(here.body.id, Role.LEAD):
        _ask(here, keys, numbers)
    st.header("Requests", anchor=False)
    if not requests:
        st.text("Nobody has asked for a code.")
    for request in requests:
        _one(here, keys, request, approves)


main()
