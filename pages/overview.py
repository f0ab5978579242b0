"""Overview: how the gap stands, who took part, and what changed."""

import pandas as pd
import streamlit as st

from engagement.access.actor import Role
from engagement.instrument.bank import short_name
from engagement.releases import read
from engagement.ui import beside, charts, sentences, show
from engagement.ui.frame_tools import current, link_to
from engagement.ui.safe import safe_md


def notices(status: read.Status, lead: bool) -> None:
    """What is going on: rounds being checked, rounds open, and trouble for those who can do something about it."""
    for brief in status.checking:
        st.info(sentences.checking_sentence(brief.number, brief.checking), icon=":material/hourglass_top:")
    for brief in status.open:
        if brief.state == "launching":
            st.info(
                sentences.launching_sentence(brief.number, brief.opens_at), icon=":material/hourglass_top:"
            )
            continue
        with st.container(border=True):
            st.header("Open now", anchor=False)
            st.text(
                sentences.open_sentence(brief.number, brief.closes_at, brief.invited, brief.answered_percent)
            )
    if status.trouble and lead:
        with st.container(border=True):
            st.header("Something needs your attention", anchor=False)
            st.text(status.trouble)
            link_to("rounds.py", "Go to Rounds", ":material/arrow_forward:")


def nothing_yet(status: read.Status, lead: bool) -> None:
    """A body without a release: what comes next, and for the lead where to do it."""
    if status.checking or status.open:
        st.text("The first results appear here once a round has closed and been checked.")
        return
    st.header("No results yet", anchor=False)
    if not lead:
        st.text("The first results appear here after the first round. Your engagement lead sets it up.")
        return
    st.text("Three steps lead to the first results.")
    st.text("1. Bring in the practices and members.")
    link_to("roster.py", "Import the roster", ":material/badge:")
    st.text("2. Choose the questions, or keep the ones we suggest.")
    link_to("instrument.py", "Look at the questions", ":material/quiz:")
    st.text("3. Launch a round. Members answer on their phones in about three minutes.")
    link_to("rounds.py", "Launch a round", ":material/event_repeat:")


def gap_now(content: dict, item: dict, history: list[dict]) -> None:
    """One headline question of the newest round: its message, chart, ranges and change."""
    key = item["item"]
    st.subheader(safe_md(sentences.standing(content, item)), anchor=False)
    show.quote(item["text"])
    show.note(
        f"Share who {sentences.favourable(item)}, {content['body']['name']}, {sentences.round_name(content)}. "
        "Bars: the range had every member on the roster answered."
    )
    left, right = st.columns([5, 4], gap="large")
    with left:
        # A gap whose two shares are not shown is drawn by itself.
        drawn = show.chart("now", history, key, charts.now_alt(content, key)) or (
            item["gap"]["mark"] == "shown" and show.chart("gap", history, key, charts.gap_alt(history, key))
        )
        if not drawn:
            st.text("There is no figure to draw.")
        st.text(sentences.gap_sentence(content, item))
    with right:
        if rows := sentences.interval_rows(content, item):
            show.table(
                pd.DataFrame(rows, columns=["What is asked", "The gap"]),
                alt=f"The gap on {short_name(key)} by the question that each range answers",
            )
        for said in filter(None, (sentences.change_sentence(item), beside.trend_sentence(content, item))):
            st.text(said)
        link_to("gap.py", "See it over time", ":material/timeline:", item=short_name(key))


def every_question(content: dict) -> None:
    """All items of the newest round in one table."""
    st.header("Every question in this round", anchor=False)
    leaders, members = (sentences.group_label(content, arm) for arm in charts.ARMS)
    show.table(
        pd.DataFrame(
            [
                {
                    "Question": short_name(item["item"]),
                    leaders: sentences.share(item["groups"]["leader"]),
                    members: sentences.share(item["groups"]["grassroots"]),
                    "Gap": sentences.gap_points(item["gap"]),
                }
                for item in content["items"]
            ]
        ),
        alt=f"Shares and gap of every question in round {content['round']['number']}",
    )
    show.note(
        "Shares and gaps are rounded to the nearest 5, or less finely where “about” stands before them, each on its own, "
        "so they need not add up. “Not published” "
        "means that a figure could point at people; it says nothing about how large or small it is."
    )


here = current()
with here.database.reading() as session:
    status = read.status(session, here.actor, here.body.id)
lead = here.actor.may(here.body.id, Role.LEAD)

st.title("Overview", anchor=False)
notices(status, lead)
if status.latest is None:
    nothing_yet(status, lead)
    st.stop()

content = status.latest
st.header("The gap now", anchor=False)
closed = sentences.closed_on(content)
st.text(f"{sentences.round_name(content)}{f', closed {closed}' if closed else ''}")
for item in sentences.headline_items(content):
    with st.container(border=True):
        gap_now(content, item, [content])

st.header("Who took part", anchor=False)
st.text(sentences.participation_sentence(content))
link_to("practices.py", "See it by practice", ":material/local_hospital:")

every_question(content)
show.downloads(status.latest_id, content["round"]["number"])
