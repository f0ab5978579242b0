"""One practice: where it stands, why, what to do next, and what is known of it openly. Never an answer or a count."""

from datetime import date

import pandas as pd
import streamlit as st

from engagement.access import Role
from engagement.assessments import read as assessments
from engagement.clock import show_date
from engagement.releases import read
from engagement.ui import risk_charts, risk_words, show, taking_part
from engagement.ui.frame_tools import current, link_to
from engagement.ui.safe import safe_md

CHOSEN, ASKED = "practice_chosen", "practice_asked"
CAME = {True: "yes", False: "no", None: "not known"}


def choose(names) -> str | None:
    """The practice that the address asks for, or one chosen here, which the address then names."""
    by_code = {row["practice_id"]: f"{row['name']} ({row['practice_id']})" for row in names}
    asked = st.query_params.get("practice")
    if asked != st.session_state.get(ASKED):
        # The address changed, by a link or by hand: it decides.
        st.session_state[CHOSEN] = asked if asked in by_code else None
    code = st.selectbox(
        safe_md(practice.capitalize()),
        list(by_code),
        format_func=by_code.get,
        index=None,
        placeholder="Choose a name",
        key=CHOSEN,
    )
    if code:
        st.query_params["practice"] = code
    st.session_state[ASKED] = st.query_params.get("practice")
    return code


def stands(row, of) -> None:
    """Segment, reasons, what to do, forecast and history."""
    st.header(safe_md(risk_words.standing_headline(row)), anchor=False)
    st.text(risk_words.standing(row, here.words))
    for reason in risk_words.reasons(row, here.words):
        st.text(reason)
    st.subheader("What to do next", anchor=False)
    st.text(risk_words.next_step(row, here.words))
    st.subheader("The estimate and the forecast", anchor=False)
    for sentence in risk_words.forecast_sentences(row, of, here.words):
        st.text(sentence)
    drawn = risk_charts.strip_chart(row, show.theme())
    if drawn is not None:
        st.subheader("Segments round by round", anchor=False)
        said = risk_words.strip_sentence(row)
        st.vega_lite_chart(drawn.to_dict(), theme=None, alt=said, key="chart_strip")
        st.text(said)
        show.note("The label held after each round. It changes only when another segment is clear.")


def openly(found, official) -> None:
    """What anybody in the body may know: participation in bands, and meetings."""
    st.header("What is known openly", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Who took part", anchor=False)
        rows = [
            (str(each["round"]), taking_part.band_text(each["band"], official=each["round"] in official))
            for each in reversed(found["participation"])
        ]
        if rows:
            show.table(
                pd.DataFrame(rows, columns=["Round", "Took part"]), alt="Participation by round, in bands"
            )
            if any(each["band"] is None for each in found["participation"]):
                show.note(f"{taking_part.NO_BAND}: {dict(taking_part.legend(history))[taking_part.NO_BAND]}.")
        else:
            st.text("No round is published yet.")
    with right:
        st.subheader("Meetings", anchor=False)
        rows = [
            (show_date(date.fromisoformat(each["date"])), each["title"], CAME[each["came"]])
            for each in found["meetings"]
        ]
        if rows:
            show.table(pd.DataFrame(rows, columns=["Date", "Meeting", "Came"]), alt="Meetings, newest first")
        else:
            st.text("No meeting is logged yet.")


here = current()
practice = here.words["practice"]
with here.database.reading() as session:
    names = read.practices(session, here.actor, here.body.id)
heading = st.empty()
code = choose(names)
if code is None:
    heading.title(safe_md(f"One {practice}"), anchor=False)
    st.text(f"Choose a {practice}, or open one from the list of {here.words['practices']}.")
    st.stop()
with here.database.reading() as session:
    found = assessments.one(session, here.actor, here.body.id, code)
    history = read.history(session, here.actor, here.body.id)

row = found["assessment"]
heading.title(safe_md(found["name"]), anchor=False)
st.text(risk_words.about(found))
if row is None or row["segment"] is None:
    st.text(risk_words.no_segment(found, here.words))
else:
    if found["provisional"]:
        st.warning(risk_words.PROVISIONAL, icon=":material/hourglass_top:")
    stands(row, found["of"])
if here.actor.may(here.body.id, Role.LEAD) and found["closed"] is None:
    link_to("outreach.py", "Plan a visit", ":material/event:", practice=code)
openly(found, {content["round"]["number"] for content in history if taking_part.is_official(content)})
show.note(
    "Nothing on this page says what anybody answered or how many did. It is not meant for contract action, expulsion or "
    "ranking of GPs."
)
link_to("practices.py", f"All {safe_md(here.words['practices'])}", ":material/arrow_back:")
