"""Buddies, whom both sides agree to, and peer groups."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engagement.clock import show_date
from engagement.errors import EngagementError
from engagement.outreach import peers
from engagement.outreach.peers import PairRow
from engagement.ui import frame_tools, outreach_tools, show
from engagement.ui.outreach_tools import Outreach
from engagement.ui.safe import safe_md
from engagement.ui.steps import ask, run, turn

PAIR_STATES = {"proposed": "Proposed", "agreed": "Both agreed", "ended": "Ended"}


def draw(found: Outreach) -> None:
    """Both parts."""
    here = found.here
    with here.database.reading() as session:
        pairs = peers.pairs(session, here.actor, here.body.id)
        groups = peers.groups(session, here.actor, here.body.id)
    buddies(found, pairs)
    peer_groups(found, groups)


def buddies(found: Outreach, pairs: tuple[PairRow, ...]) -> None:
    """Pairs with why, who agreed, and the runner-up."""
    here = found.here
    st.header("Buddies", anchor=False)
    st.text(
        "A champion beside one that is withdrawn or critical, where both segments are clear: by what one is strong on and "
        "the other weak, by distance and by size of list. A pair begins when both agreed."
    )
    if st.button("Propose pairs", key="outreach_pairs", type="secondary" if pairs else "primary"):
        run(
            here,
            lambda count: f"{count} {'pair is' if count == 1 else 'pairs are'} proposed. Ask both sides.",
            peers.propose_pairs,
            here.body.id,
        )
    declined = [row for row in pairs if row.state == "declined"]
    if len(declined) == len(pairs):
        st.text("No pair is proposed yet.")
    for row in pairs:
        if row.state != "declined":
            with st.container(border=True):
                pair(here, row)
    if declined:
        with st.expander("Pairs that are not proposed again"):
            for row in declined:
                st.text(f"{row.strong_name} for {row.struggling_name}")
                if st.button("Propose it after all", key=f"pair_reopen_{row.id}"):
                    run(here, "The pair is proposed again.", peers.reopen, row.id)


def pair(here, row: PairRow) -> None:
    """One pair: what it is, and what can be done with it."""
    st.subheader(safe_md(f"{row.strong_name} for {row.struggling_name}"), anchor=False)
    st.text(f"{PAIR_STATES[row.state]}. {row.reason}")
    if row.state == "ended":
        if st.button("It goes on", key=f"pair_reopen_{row.id}"):
            run(here, "The pair goes on.", peers.reopen, row.id)
        return
    if row.runner_up_name and row.state == "proposed":
        st.text(f"Runner-up: {row.runner_up_name}. {row.runner_up_reason}")
    for strong, name, day in (
        (True, row.strong_name, row.strong_agreed_on),
        (False, row.struggling_name, row.struggling_agreed_on),
    ):
        agreed = st.checkbox(
            safe_md(f"{name} agreed" + (f" on {show_date(day)}" if day else "")),
            value=day is not None,
            key=f"pair_{row.id}_{strong}_{day}_{row.strong}",
        )
        if agreed != (day is not None):
            run(here, "Saved.", peers.agree, row.id, strong=strong, agreed=agreed)
    with st.container(horizontal=True):
        if (
            row.state == "proposed"
            and row.runner_up
            and st.button("Take the runner-up", key=f"pair_next_{row.id}")
        ):
            run(here, "The runner-up is in its place. Ask both sides.", peers.take_runner_up, row.id)
        label = "End the pair" if row.state == "agreed" else "Do not propose this pair"
        if st.button(label, key=f"pair_end_{row.id}"):
            run(here, "Saved.", peers.end, row.id)


def peer_groups(found: Outreach, groups: tuple[peers.GroupRow, ...]) -> None:
    """The groups that are kept, a way to move one member, and new ones to look at before they are kept."""
    here = found.here
    st.header("Peer groups", anchor=False)
    st.text(
        "By locality, each with the engaged and the less engaged, large and small, so that no group is left to itself."
    )
    if groups:
        show.table(
            pd.DataFrame(
                [(group.name, ", ".join(group.members.values())) for group in groups],
                columns=["Group", here.words["practices"].capitalize()],
            ),
            alt="Peer groups and who is in them",
        )
        with st.expander("Move one to another group"):
            code = outreach_tools.practice_box(
                found, here.words["practice"].capitalize(), f"outreach_move_{turn()}"
            )
            names = {group.id: group.name for group in groups}
            to = st.selectbox("To", list(names), format_func=names.get, key="outreach_move_to")
            if st.button("Move it", key="outreach_move_save") and code:
                run(here, f"{found.by_code[code]} is in {names[to]} now.", peers.move, to, code)
    else:
        st.text("No groups are kept yet.")
    with st.expander("Form groups anew" if groups else "Form groups", expanded=not groups):
        size = st.number_input("Members of a group, about", *peers.SIZES, 6, key="outreach_size")
        try:
            with here.database.reading() as session:
                proposed = peers.propose_groups(session, here.actor, here.body.id, size=int(size))
        except EngagementError as error:
            frame_tools.show_error(error)
            return
        names = found.by_code
        show.table(
            pd.DataFrame(
                [
                    (name, ", ".join(names.get(code, code) for code in codes))
                    for name, codes in proposed.groups
                ],
                columns=["Group", here.words["practices"].capitalize()],
            ),
            alt="Proposed peer groups and who would be in them",
        )
        for sentence in proposed.said:
            st.text(sentence)
        if not groups:
            if st.button("Keep these groups", type="primary", key="outreach_groups"):
                keep(here, int(size))
        elif ask(
            "outreach_groups",
            "Keep these groups instead",
            "The groups above will be gone, and so will what was moved in them by hand.",
            "Keep the new ones",
        ):
            keep(here, int(size))


def keep(here, size: int) -> None:
    run(here, lambda count: f"{count} groups are kept.", peers.keep_groups, here.body.id, size=size)
