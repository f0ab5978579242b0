"""Meetings: when they were held and who came, practice by practice, logged here or from a file. For the engagement lead."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engagement import clock
from engagement.assessments import meetings
from engagement.clock import show_date
from engagement.releases import read
from engagement.roster import BROWSER
from engagement.ui import frame_tools, show, steps
from engagement.ui.safe import safe_md

PREVIEW = "meetings_preview"
WHAT = {
    "refuse": "Refused",
    "note": "To know",
    "change": "Change",
    "add": "Add",
    "same": "Stays as it is",
}
EXAMPLE = "date,title,practice_id,people\n2026-03-12,Council of members,Y00001,2\n2026-03-12,Council of members,Y00002,0\n"
MOST_SENTENCES = 10
FEW = 12


def log_one(session, actor, body_id, *, date, title, people) -> None:
    """A meeting and who came to it, both or neither."""
    meeting = meetings.add(session, actor, body_id, date=date, title=title)
    meetings.record(session, actor, meeting.id, people)


def who_came(key: str, options: dict[str, str], before: dict[str, int]) -> dict[str, int]:
    """Choose who came and how many of each; every one chosen counts as one person until said otherwise."""
    came = st.multiselect(
        f"{safe_md(here.words['practices'].capitalize())} that came",
        list(options),
        default=[code for code in before if before[code] and code in options],
        format_func=options.get,
        placeholder="Type a few letters of the name",
        key=f"{key}_who",
    )
    people = {}
    if came:
        with st.expander("How many people from each", expanded=len(came) <= FEW):
            for code in came:
                people[code] = st.number_input(
                    safe_md(options[code]),
                    min_value=1,
                    max_value=meetings.MOST_PEOPLE,
                    value=before.get(code) or 1,
                    key=f"{key}_people_{code}",
                )
    return people


def names_on(day) -> dict[str, str]:
    """Practice code to name, those open on a day."""
    return {row["practice_id"]: row["name"] for row in names if row["closed"] is None or row["closed"] > day}


def log() -> None:
    """Log a meeting that was held."""
    key = f"meetings_new_{steps.turn()}"
    today = clock.today()
    day = st.date_input("Date", value=today, max_value=today, format="DD/MM/YYYY", key=f"{key}_day") or today
    title = st.text_input("Title", max_chars=meetings.TITLE_LIMIT, key=f"{key}_title")
    people = who_came(key, names_on(day), {})
    if st.button("Save the meeting", type="primary", key="meetings_save"):
        steps.run(
            here,
            f"“{title.strip()}” on {show_date(day)} was saved, with {len(people)} {practices if len(people) != 1 else here.words['practice']}.",
            log_one,
            here.body.id,
            date=day,
            title=title,
            people=people,
        )


def change(found: list[meetings.MeetingRow]) -> None:
    """Correct who came to a meeting, or remove it."""
    by_id = {meeting.id: meeting for meeting in found}
    chosen = st.selectbox(
        "Meeting",
        list(by_id),
        format_func=lambda at: f"{show_date(by_id[at].date)}, {by_id[at].title}",
        index=None,
        placeholder="Choose a meeting",
        key=f"meetings_chosen_{steps.turn()}",
    )
    meeting = by_id.get(chosen)
    if meeting is None:
        return
    options = names_on(meeting.date) | {
        row["practice_id"]: row["name"] for row in names if row["practice_id"] in meeting.people
    }
    people = who_came(f"meetings_change_{meeting.id}_{steps.turn()}", options, meeting.people)
    with st.container(horizontal=True):
        if st.button("Save who came", type="primary", key="meetings_record"):
            gone = {code: None for code, number in meeting.people.items() if number and code not in people}
            steps.run(
                here, f"Who came to “{meeting.title}” was saved.", meetings.record, meeting.id, gone | people
            )
        removing = steps.pressed("meetings_remove", "Remove the meeting", meeting.id)
    if removing and steps.sure(
        "meetings_remove",
        f"“{meeting.title}” on {show_date(meeting.date)} and its attendance will be gone from the log.",
        "Remove it",
    ):
        steps.run(here, f"“{meeting.title}” was removed.", meetings.remove, meeting.id)


def from_file() -> None:
    """Import attendance, reading first what the file would do."""
    st.text(
        "A CSV file whose first line names the columns date (2026-03-12), title, practice_id and people. A meeting that "
        "has the date and the title of one in the log is that one."
    )
    st.download_button(
        "Download an example", EXAMPLE, "attendance-example.csv", "text/csv", on_click="ignore"
    )
    file = st.file_uploader("File", type=["csv", "txt"], key=f"meetings_file_{steps.turn()}")
    if file is None:
        st.session_state.pop(PREVIEW, None)
        return
    preview = previewed(file)
    st.subheader("What this file would do", anchor=False)
    st.text(preview.summary)
    if preview.refused:
        st.error(
            "Nothing can be imported while a line is refused. Put the lines right in the file, then choose it again.",
            icon=":material/error:",
        )
        for text in preview.refused[:MOST_SENTENCES]:
            st.text(text)
        if (more := len(preview.refused) - MOST_SENTENCES) > 0:
            st.text(f"… and {more:,} more: they are in the table below.")
    lines = sorted(preview.lines, key=lambda line: (list(WHAT).index(line.what), line.number))
    st.dataframe(
        pd.DataFrame(
            {
                "What": [WHAT[line.what] for line in lines],
                "Line": pd.array([line.number or None for line in lines], dtype="Int64"),
                "Code": [line.key for line in lines],
                "Detail": [line.detail for line in lines],
            }
        ),
        hide_index=True,
        placeholder="",
        alt="What the file would do, a line each, refused lines first.",
    )
    changes = preview.counts["add"] + preview.counts["change"]
    if preview.refused or not changes:
        return
    if st.button("Import these lines", type="primary", key="meetings_import"):
        steps.run(here, str, meetings.apply, preview)


def previewed(file) -> meetings.Preview:
    """The preview of this file, made once: what is shown is what will be applied."""
    asked = (here.body.id, file.file_id)
    kept = st.session_state.get(PREVIEW)
    if kept is None or kept[0] != asked:
        with here.database.reading() as session:
            preview = meetings.preview(
                session, here.actor, here.body.id, file, name=file.name, limits=BROWSER
            )
        kept = st.session_state[PREVIEW] = (asked, preview)
    return kept[1]


here = frame_tools.current()
with here.database.reading() as session:
    found = meetings.all(session, here.actor, here.body.id)
    names = read.practices(session, here.actor, here.body.id)
practices = here.words["practices"]

st.title("Meetings", anchor=False)
st.text(
    f"When meetings were held and which {practices} came. It stands on each one's page as an open fact; it does not "
    "enter segments or forecasts."
)
steps.said()
tabs = frame_tools.tabs(["Log a meeting", "Change one", "Import a file"], "meetings_tabs")
with tabs[0]:
    log()
with tabs[1]:
    change(found)
with tabs[2]:
    from_file()

st.header("The log", anchor=False)
if not found:
    st.text("No meeting is logged yet.")
else:
    show.table(
        pd.DataFrame(
            [(show_date(meeting.date), meeting.title, f"{meeting.practices}") for meeting in found],
            columns=["Date", "Title", f"{practices.capitalize()} that came"],
        ),
        alt="Meetings, newest first",
    )
