"""The script that Streamlit runs at every rerun: sign-in, navigation, the banner, and the chosen page."""

from __future__ import annotations

import streamlit as st

from engagement.access.actor import ALONE, READERS, Role
from engagement.access.audit import READ_BY as AUDIT_READ_BY
from engagement.ui import frame_tools
from engagement.ui.safe import safe_md

# Drawn here, for Streamlit fetches its own icons and emoji for the browser tab from elsewhere.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="#005eb8"/>'
    '<path d="M5 11h22M5 23h22" stroke="#fff" stroke-width="2"/><circle cx="21" cy="11" r="4.5" fill="#fff"/>'
    '<rect x="7" y="19" width="8" height="8" fill="#fff"/></svg>'
)
RESULTS = (
    ("overview.py", "Overview", ":material/home:", "The gap now, who took part, and what changed."),
    (
        "gap.py",
        "Gap over time",
        ":material/timeline:",
        "Each question, round by round, with its uncertainty.",
    ),
    (
        "practices.py",
        "Practices",
        ":material/local_hospital:",
        "Where each stands, whom to visit, and how far each took part.",
    ),
    (
        "outreach.py",
        "Outreach",
        ":material/handshake:",
        "Whom to visit, what came of it, and what comes next.",
    ),
    (
        "forecasts.py",
        "How well does it do?",
        ":material/fact_check:",
        "Forecasts of silence against what happened, and their model card.",
    ),
    (
        "soundness.py",
        "How sound is it?",
        ":material/verified:",
        "Who answered, and how far the figures carry.",
    ),
)
COUNCIL = (
    (
        "council.py",
        "Council review",
        ":material/account_balance:",
        "What was published, what the council asked about it, and the answers.",
    ),
    ("asks.py", "Asks", ":material/forum:", "What practices ask, what they get, and what is asked of them."),
)
REVIEWING = (
    ("comments.py", "Comments", ":material/reviews:", "Review open answers before any is published."),
)
OWN = (
    (
        "account.py",
        "My account",
        ":material/account_circle:",
        "How you sign in, and where you are signed in.",
    ),
)
# Reached from the list of practices and by its address, not from the menu.
ASIDE = (
    ("practice.py", "One practice", ":material/local_hospital:", "One practice, and why it stands there."),
)
RUNNING = (
    (
        "programme.py",
        "Programme",
        ":material/calendar_month:",
        "Rounds that run themselves: their dates, and what to do when one is held up.",
    ),
    ("rounds.py", "Rounds", ":material/event_repeat:", "Prepare, launch and close rounds."),
    ("messages.py", "Messages", ":material/mail:", "Invitations, reminders, and what did not arrive."),
    ("meetings.py", "Meetings", ":material/groups:", "When meetings were held, and who came."),
    ("roster.py", "Roster", ":material/badge:", "Practices, members and their dated roles."),
    ("instrument.py", "Instrument", ":material/quiz:", "The questions and their wordings."),
    ("people.py", "People", ":material/manage_accounts:", "Who may sign in, and as what."),
)

# For those who look on: who holds one of these roles holds no other.
PART = (("part.py", "Your part", ":material/assignment_ind:", "What your role may do here, and the rounds."),)
PEOPLE = RUNNING[-1:]
CODES = (
    (
        "codes.py",
        "Panel codes",
        ":material/key:",
        "Linking a person to their code: two people, the auditor told.",
    ),
)
AUDIT = (("audit.py", "Audit log", ":material/history:", "Who did what, and whether the log is whole."),)
# Looking at these is recorded, once a day for each person.
RECORDED = {title for _, title, *_ in (*RESULTS, *ASIDE, *COUNCIL, *REVIEWING)}


def pages_of(entries: tuple, *, default: str | None = None, visibility: str = "visible") -> list:
    """Streamlit pages of those files that are there."""
    return [
        st.Page(
            frame_tools.PAGES / file,
            title=title,
            icon=icon,
            help=about,
            default=file == default,
            visibility=visibility,
        )
        for file, title, icon, about in entries
        if (frame_tools.PAGES / file).is_file()
    ]


def main() -> None:
    """Draw the frame and run the chosen page."""
    st.set_page_config(page_title="Member engagement", page_icon=ICON, layout="wide")
    here = frame_tools.current()
    lead = here.actor.may(here.body.id, Role.LEAD)
    # One list, results first: Streamlit draws named sections as a list that screen readers cannot follow, and
    # links of our own in the sidebar would neither close it on a phone nor say which page is open.
    reads = here.actor.may(here.body.id, *READERS)
    reviews = here.actor.may(here.body.id, Role.REVIEWER)
    watches = here.actor.may(here.body.id, *ALONE)
    results = pages_of(RESULTS, default="overview.py") + pages_of(ASIDE, visibility="hidden")
    page = st.navigation(
        # A reviewer of comments who has no other role sees the comments and no results; nor do those who look on.
        ([] if (reviews or watches) and not reads else results)
        + (pages_of(PART, default="part.py") if watches and not reads else [])
        + (pages_of(COUNCIL) if reads else [])
        + (pages_of(REVIEWING, default=None if reads else "comments.py") if reviews else [])
        + (pages_of(RUNNING) if lead else [])
        + (pages_of(PEOPLE) if not lead and here.actor.may(here.body.id, Role.OPERATOR) else [])
        + (pages_of(CODES) if here.actor.may(here.body.id, Role.LEAD, Role.GOVERNING, Role.AUDITOR) else [])
        + (pages_of(AUDIT) if here.actor.may(here.body.id, *AUDIT_READ_BY) else [])
        + pages_of(OWN)
    )
    _sidebar(here)
    if here.body.is_demo:
        st.info("This is a demo: invented practices and people.", icon=":material/science:")
    st.session_state[frame_tools.PAGE_KEY] = page.title
    with frame_tools.calm_errors():
        if page.title in RECORDED and (reads or reviews):
            frame_tools.note_view(here, page.title)
        page.run()


def _sidebar(here: frame_tools.Current) -> None:
    with st.sidebar:
        frame_tools.choose_body(frame_tools.bodies_of(here))
        st.markdown(f"**{safe_md(here.body.name)}**")
        st.text(f"Signed in: {here.actor.name}\n{frame_tools.roles_in_words(here.actor, here.body.id)}")
        if st.button("Sign out", key="frame_sign_out", icon=":material/logout:"):
            frame_tools.sign_out(here)
            st.rerun()


if __name__ == "__main__":
    main()
