"""A verb behind a button: pressed once it asks, pressed again it is done, and the page says so."""

from __future__ import annotations

import streamlit as st

from engagement.errors import EngagementError
from engagement.ui import frame_tools

DONE, ASKED = "rounds_done", "rounds_asked"


def run(here: frame_tools.Current, done: str, verb, *args, **kwargs) -> None:
    """Call one verb in a transaction of its own; on success say so and draw the page anew."""
    try:
        with here.database.session() as session:
            verb(session, here.actor, *args, **kwargs)
    except EngagementError as error:
        frame_tools.show_error(error)
        return
    st.session_state[DONE] = done
    give_up()


def said() -> str | None:
    """What was done in the run before, once."""
    return st.session_state.pop(DONE, None)


def give_up() -> None:
    """Take back what was asked and draw the page anew."""
    st.session_state.pop(ASKED, None)
    st.rerun()


def asked(what: str, round_id: int, label: str, *, primary: bool = False) -> bool:
    """A button whose press stays pressed until it is confirmed or given up."""
    mark = (what, round_id)
    if st.session_state.get(ASKED) == mark:
        return True
    if st.button(label, key=f"rounds_{what}", type="primary" if primary else "secondary"):
        st.session_state[ASKED] = mark
        st.rerun()
    return False


def confirm(what: str, label: str) -> bool:
    """A button that confirms, and one that gives up."""
    with st.container(horizontal=True):
        sure = st.button(label, key=f"rounds_{what}_yes", type="primary")
        if st.button("Cancel", key=f"rounds_{what}_no"):
            give_up()
    return sure
