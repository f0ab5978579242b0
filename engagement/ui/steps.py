"""A verb behind a button: where it asks first, it is pressed again to be done; and the page says that it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from engagement.errors import EngagementError
from engagement.ui import frame_tools

DONE, ASKED, TURN = "steps_done", "steps_asked", "steps_turn"


def run(here: frame_tools.Current, done: str | Callable[[Any], str], verb, *args, **kwargs) -> None:
    """Call one verb in a transaction of its own. On success draw the page anew; on error keep what was typed.

    `done`: what to say then, or what makes it of the verb's result.
    """
    try:
        with here.database.session() as session:
            result = verb(session, here.actor, *args, **kwargs)
    except EngagementError as error:
        frame_tools.show_error(error)
        return
    st.session_state[DONE] = done(result) if callable(done) else done
    st.session_state[TURN] = turn() + 1
    give_up()


def turn() -> int:
    """A number in the keys of inputs: it goes up when something was saved, so that the next begins empty."""
    return st.session_state.setdefault(TURN, 0)


def said() -> None:
    """Say what was done in the run before, once."""
    if done := st.session_state.pop(DONE, None):
        with st.container(border=True):
            st.text(f"✓ {done}")


def give_up() -> None:
    """Take back what was asked and draw the page anew."""
    st.session_state.pop(ASKED, None)
    st.rerun()


def pressed(key: str, label: str, of: int | None = None) -> bool:
    """A button whose press, for the thing with this id, stays until it is confirmed or given up."""
    if st.button(label, key=key):
        st.session_state[ASKED] = (key, of)
    return st.session_state.get(ASKED) == (key, of)


def asked(key: str, label: str, of: int | None = None, *, primary: bool = False) -> bool:
    """The same, for a button that is gone while it is pressed."""
    if st.session_state.get(ASKED) == (key, of):
        return True
    if st.button(label, key=key, type="primary" if primary else "secondary"):
        st.session_state[ASKED] = (key, of)
        st.rerun()
    return False


def sure(key: str, warning: str, yes: str, no: str = "Do not change anything") -> bool:
    """What will happen, with a button that confirms it and one that gives up; True once it was confirmed."""
    with st.container(border=True):
        st.text(warning)
        with st.container(horizontal=True):
            confirmed = st.button(yes, key=f"{key}_yes", type="primary")
            if st.button(no, key=f"{key}_no"):
                give_up()
    return confirmed


def ask(key: str, label: str, warning: str, yes: str) -> bool:
    """A button that asks before something that cannot be taken back; True once it was confirmed."""
    return pressed(key, label) and sure(key, warning, yes)
