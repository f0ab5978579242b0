"""Your part: what the returning officer, the auditor and the operator may do here, and the rounds there are."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engagement import clock
from engagement.access import ROLE_NAMES, Role
from engagement.access.actor import ALONE
from engagement.rounds import verbs
from engagement.ui import frame_tools, show

DOES = {
    Role.RETURNING: "You run ballots of members and declare what they decided. You see which rounds there are, and "
    "none of their results beyond what every member reads.",
    Role.AUDITOR: "You watch over what is done here: the audit log, and each request to link a panel code to a "
    "person, which you can refuse. You see no results beyond what every member reads, and nobody’s part in a round.",
    Role.OPERATOR: "You look after the installation and its accounts: who may sign in, and as what. You see no "
    "results beyond what every member reads.",
}


def main() -> None:
    """Draw the page."""
    here = frame_tools.current()
    st.title("Your part", anchor=False)
    here.actor.require(here.body.id, *ALONE)
    for role in ALONE:
        if here.actor.may(here.body.id, role):
            st.subheader(ROLE_NAMES[role], anchor=False)
            st.text(DOES[role])
    with here.database.reading() as session:
        rounds = verbs.rounds(session, here.actor, here.body.id)
    st.header("Rounds", anchor=False)
    if not rounds:
        st.text("There are no rounds yet.")
        return
    for round_ in rounds:
        if round_.trouble:
            with st.container(border=True):
                st.subheader(f"Round {round_.number} is held up", icon=":material/error:", anchor=False)
                st.text(round_.trouble)
    show.table(
        pd.DataFrame(
            {
                "Round": [f"{r.number}: {r.title}" for r in rounds],
                "State": [verbs.STATE_NAMES[r.state] for r in rounds],
                "Opens or opened": [clock.show_date(r.opens_at) if r.opens_at else "Not set" for r in rounds],
                "Closes or closed": [
                    clock.show_date(r.closed_at or r.closes_at) if r.closed_at or r.closes_at else "Not set"
                    for r in rounds
                ],
            }
        ),
        alt=f"The {len(rounds)} rounds of this body with state and dates.",
    )


main()
