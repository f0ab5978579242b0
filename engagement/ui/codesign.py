"""Questions that the council proposes, as the council's page and the Instrument page draw them."""

from __future__ import annotations

import streamlit as st

from engagement.clock import show_date
from engagement.council import proposals
from engagement.instrument import bank, checks
from engagement.ui import frame_tools, show, steps

TURN, SEEN = "codesign_turn", "codesign_seen"
KIND_NAMES = {"agree5": "A statement to agree or disagree with", "text": "An open comment"}
STATES = {"accepted": "Taken up", "declined": "Not taken up", "withdrawn": "Taken back"}


def council_section(here: frame_tools.Current, found: list[proposals.Proposal], council: bool) -> None:
    """The proposals with what became of each; representatives propose and endorse."""
    st.header("Questions for the next round", anchor=False)
    st.text(
        "Council representatives propose questions and stand behind each other’s. The engagement lead takes each up, or "
        "says why not."
    )
    waiting = [proposal for proposal in found if proposal.state == proposals.WAITING]
    if not waiting:
        st.text("No question waits for an answer.")
    for place, proposal in enumerate(waiting, start=1):
        with st.container(border=True):
            _draw(proposal, place)
            if council and proposal.mine:
                if st.button(f"Take question {place} back", key=f"codesign_back_{proposal.id}"):
                    steps.run(here, "Your question is taken back.", proposals.withdraw, proposal.id)
            elif council:
                label = "No longer stand behind" if proposal.endorsed else "Stand behind"
                if st.button(f"{label} question {place}", key=f"codesign_endorse_{proposal.id}"):
                    said = "Your name is off it." if proposal.endorsed else "You stand behind this question."
                    steps.run(here, said, proposals.endorse, proposal.id, behind=not proposal.endorsed)
    _past(found)
    if council:
        _propose(here)


def lead_section(here: frame_tools.Current, found: list[proposals.Proposal]) -> None:
    """The proposals that wait, each with a form to take it up and one to decline it."""
    waiting = [proposal for proposal in found if proposal.state == proposals.WAITING]
    if not waiting:
        st.text("No question of the council waits for your answer.")
    for place, proposal in enumerate(waiting, start=1):
        with st.container(border=True):
            _draw(proposal, place)
            with st.expander(f"Take question {place} up"):
                _accept(here, proposal)
            with (
                st.expander(f"Decline question {place}"),
                st.form(f"codesign_decline_{proposal.id}", enter_to_submit=False),
            ):
                reason = st.text_area("Why it will not be asked", max_chars=proposals.REASON_LIMIT)
                st.text("The council reads it. An answer is given once.")
                if st.form_submit_button("Decline it"):
                    steps.run(
                        here,
                        "Declined; the council can read why.",
                        proposals.decline,
                        proposal.id,
                        reason,
                    )
    _past(found)


def _draw(proposal: proposals.Proposal, place: int | None = None) -> None:
    number = f"Question {place} · " if place else ""
    show.note(f"{number}{KIND_NAMES[proposal.kind]} · proposed by {proposal.by}, {show_date(proposal.at)}")
    show.quote(proposal.rendered)
    st.text(f"What it is for: {proposal.why}")
    if proposal.endorsed_by:
        st.text(f"Behind it too: {', '.join(proposal.endorsed_by)}")
    if proposal.state == proposals.WAITING:
        _notes(proposal.notes)


def _notes(notes) -> None:
    """What to look at again in a wording."""
    if notes:
        st.text("\n".join(["Look again at the wording:", *(f"• {note}" for note in notes)]))


def _past(found: list[proposals.Proposal]) -> None:
    past = [proposal for proposal in found if proposal.state != proposals.WAITING]
    if not past:
        return
    with st.expander(f"Answered or taken back: {len(past)}"):
        for proposal in past:
            with st.container(border=True):
                _draw(proposal)
                reply = proposal.reply
                if reply is None:
                    st.text("Taken back by its author.")
                    continue
                st.text(f"{STATES[reply.verdict]} by {reply.by}, {show_date(reply.at)}.")
                if reply.wording and reply.wording != proposal.rendered:
                    st.text(f"Worded as: {reply.wording}")
                if reply.reason:
                    st.text(reply.reason)


def _propose(here: frame_tools.Current) -> None:
    """The form of a proposal. A wording with something to look at again is shown that once before it is sent."""
    st.subheader("Propose a question", anchor=False)
    turn = st.session_state.setdefault(TURN, 0)
    with st.form(f"codesign_propose_{turn}", enter_to_submit=False):
        kind = st.radio(
            "What it is", proposals.KINDS, format_func=KIND_NAMES.get, key=f"codesign_kind_{turn}"
        )
        text = st.text_area(
            "Wording: one idea, in the words of a member (“I …”, “My practice …”)",
            max_chars=bank.TEXT_LIMIT,
            key=f"codesign_text_{turn}",
        )
        why = st.text_area(
            "What would the council do with the answers?",
            max_chars=proposals.WHY_LIMIT,
            key=f"codesign_why_{turn}",
        )
        st.text(
            f"At most {proposals.OPEN_MOST} of your questions wait at a time. Your name stands beside it."
        )
        sent = st.form_submit_button("Propose it", type="primary")
    if not sent:
        return
    notes = checks.wording(text, kind)
    if notes and st.session_state.get(SEEN) != (kind, text):
        st.session_state[SEEN] = (kind, text)
        with st.container(border=True):
            st.text("Nothing was sent yet.")
            _notes(notes)
            st.text("Change it, or press “Propose it” again to send it as it is.")
        return

    def sent_off(_) -> str:
        st.session_state[TURN] = turn + 1
        st.session_state.pop(SEEN, None)
        return "Your question waits for the engagement lead."

    steps.run(here, sent_off, proposals.propose, here.body.id, text, why, kind=kind)


def _accept(here: frame_tools.Current, proposal: proposals.Proposal) -> None:
    with st.form(f"codesign_accept_{proposal.id}", enter_to_submit=False):
        text = st.text_area("Wording as it will be asked", proposal.text, max_chars=bank.TEXT_LIMIT)
        st.text(
            "Words of the body: " + ", ".join(f"{{{word}}} = {here.words[word]}" for word in proposals.NAMED)
        )
        key = st.text_input("Short key of the question, for files and charts, such as “reach”", max_chars=40)
        choice, reverse = None, False
        if proposal.kind != "text":
            choice = st.text_input(
                "“Not applicable” choice (leave empty for none)", max_chars=bank.NOT_APPLICABLE_LIMIT
            )
            reverse = st.checkbox("Agreeing is unfavourable")
        ask = st.checkbox("Ask it in the next round", value=True)
        reason = st.text_area("A word to the council (may stay empty)", max_chars=proposals.REASON_LIMIT)
        st.text("An answer is given once. The wording can be changed later, as any other.")
        if st.form_submit_button("Take it up", type="primary"):
            steps.run(
                here,
                lambda said: f"The question {key.strip()} is added. {said}",
                proposals.accept,
                proposal.id,
                key,
                text=text,
                not_applicable=choice,
                reverse=reverse,
                ask=ask,
                reason=reason,
            )
