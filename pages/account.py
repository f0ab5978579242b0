"""My account: how I sign in, my second factor, and where I am signed in now. For everybody."""

from __future__ import annotations

import streamlit as st

from engagement import clock
from engagement.access import accounts, sessions
from engagement.access.sessions import OwnSession
from engagement.ui import frame_tools, steps

WAYS = {
    "password": "with a password",
    "provider": "through the provider",
    "link": "with a link by e-mail",
    "demo": "as a demo account",
}


def _ways_in(mine: accounts.OwnAccount) -> None:
    st.subheader("How you sign in")
    if mine.is_demo:
        st.text(
            "This is a demo account: everybody signs in to it with one press, and it has no secrets of its own."
        )
        return
    if mine.connected is not None:
        st.text(f"Connected with the provider since {clock.show_date(mine.connected)}.")
    # In the same tab: both pages lead back here or to the results.
    st.markdown("[Choose another password](/password)")
    if mine.second_factor:
        codes = "1 recovery code is" if mine.codes_left == 1 else f"{mine.codes_left} recovery codes are"
        st.text(f"Second factor: set up. {codes} left.")
        st.markdown("[New recovery codes, another phone](/sign-in/second-factor)")
    else:
        st.text(
            "Second factor: none. With one, nobody can sign in with your password alone: you also enter a code from "
            "your phone."
        )
        st.markdown("[Set up a second factor](/sign-in/second-factor)")


def _sessions(here, mine: list[OwnSession]) -> None:
    st.subheader("Where you are signed in")
    st.text(
        "A session ends after 30 minutes without use, and after 8 hours at most. End any that is not yours."
    )
    steps.said()
    for number, one in enumerate(mine):
        with st.container(border=True):
            name = one.device or "A browser"
            st.text(f"{name}, this one" if one.here else name)
            st.text(
                f"Signed in {WAYS.get(one.way, 'here')} on {clock.show_instant(one.started_at)}, last used on "
                f"{clock.show_instant(one.seen_at)}"
            )
            # The button of this browser is in the menu: it says that it signs out.
            if not one.here and st.button("End this session", key=f"account_end_{number}"):
                done = "The session was ended. Its tabs are signed out."
                steps.run(here, done, sessions.end_own, one.key)


def main() -> None:
    """Draw the page."""
    st.title("My account")
    here = frame_tools.current()
    cookie = next(iter(frame_tools.cookies(here.config).values()), None)
    with frame_tools.calm_errors(), here.database.reading() as session:
        mine = accounts.own(session, here.actor)
        live = sessions.own(session, here.actor, cookie)
    st.text(f"{mine.name}, {mine.email}")
    _ways_in(mine)
    _sessions(here, live)


main()
