"""The script that Streamlit runs at every rerun: sign-in, navigation, the banner, and the chosen page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from engagement.access.actor import Role
from engagement.ui import frame_tools

PAGES = Path(__file__).resolve().parents[2] / "pages"
RESULTS = (
    ("overview.py", "Overview", ":material/home:", "The gap now, who took part, and what changed."),
    (
        "gap.py",
        "Gap over time",
        ":material/timeline:",
        "Each question, round by round, with its uncertainty.",
    ),
    ("practices.py", "Practices", ":material/local_hospital:", "How far each practice took part, in bands."),
)
RUNNING = (
    ("rounds.py", "Rounds", ":material/event_repeat:", "Prepare, launch and close rounds."),
    ("roster.py", "Roster", ":material/badge:", "Practices, members and their dated roles."),
    ("instrument.py", "Instrument", ":material/quiz:", "The questions and their wordings."),
    ("people.py", "People", ":material/manage_accounts:", "Who may sign in, and as what."),
)


def pages_of(entries: tuple, *, default: str | None = None) -> list:
    """Streamlit pages of those files that are there."""
    return [
        st.Page(PAGES / file, title=title, icon=icon, help=about, default=file == default)
        for file, title, icon, about in entries
        if (PAGES / file).is_file()
    ]


def main() -> None:
    """Draw the frame and run the chosen page."""
    st.set_page_config(page_title="Member engagement", page_icon=":material/groups:", layout="wide")
    here = frame_tools.current()
    lead = here.actor.may(here.body.id, Role.LEAD)
    sections = {"Results": pages_of(RESULTS, default="overview.py")}
    if lead and (running := pages_of(RUNNING)):
        sections["Running it"] = running
    page = st.navigation(sections)
    _sidebar(here)
    if here.body.is_demo:
        st.info("This is a demo: invented practices and people.", icon=":material/science:")
    with frame_tools.calm_errors():
        page.run()


def _sidebar(here: frame_tools.Current) -> None:
    with st.sidebar:
        frame_tools.choose_body(frame_tools.bodies_of(here))
        st.text(here.body.name)
        st.text(f"Signed in: {here.actor.name}\n{frame_tools.roles_in_words(here.actor, here.body.id)}")
        if st.button("Sign out", key="frame_sign_out", icon=":material/logout:"):
            frame_tools.sign_out(here)
            st.rerun()


main()
