"""Outreach: the plan of contacts within the hours there are, the log, buddies and peer groups, and what they rest on."""

from __future__ import annotations

import streamlit as st

from engagement import clock
from engagement.access import Role
from engagement.outreach import catalogue, contacts, plan, team
from engagement.releases import read
from engagement.ui import (
    effect_section,
    frame_tools,
    outreach_log,
    outreach_messages,
    outreach_peers,
    outreach_plan,
    outreach_rules,
    outreach_words,
    show,
    steps,
)
from engagement.ui.outreach_tools import Outreach

TABS = [
    "Plan",
    "Log",
    outreach_messages.TITLE,
    "Buddies and peers",
    "Actions",
    "People and rules",
    effect_section.TITLE,
]


def counts(here) -> None:
    """What everybody in the body may know: how much is done, and nothing of where."""
    with here.database.reading() as session:
        found = contacts.counts(session, here.actor, here.body.id)
        actions = catalogue.actions(session, here.actor, here.body.id)
    for sentence in outreach_words.counts_sentences(found, here.words):
        st.text(sentence)
    if found.by_action:
        show.table(outreach_words.counts_table(found), alt="Contacts planned and made, by action")
    st.text(
        f"Which {here.words['practices']} are visited, and what was said there, stays with the engagement lead, so that "
        "a visit is help and no mark."
    )
    outreach_rules.ladder(here)
    st.header("What can be done", anchor=False)
    show.table(outreach_words.action_table(actions), alt="Actions, who does them, for whom they are meant")


def gather(here) -> Outreach:
    """All that the tabs draw, read once."""
    today = clock.today()
    with here.database.reading() as session:
        about = (session, here.actor, here.body.id)
        return Outreach(
            here=here,
            names=[row for row in read.practices(*about) if row["closed"] is None or row["closed"] > today],
            plan=plan.newest(*about),
            rows=contacts.rows(*about),
            people=team.people(*about),
            actions=catalogue.actions(*about),
            settings=team.settings(*about),
            excluded=team.exclusions(*about),
            localities=team.localities(*about),
        )


def main() -> None:
    """Draw the page."""
    here = frame_tools.current()
    st.title("Outreach", anchor=False)
    if not here.actor.may(here.body.id, Role.LEAD):
        counts(here)
        effect_section.section(here)
        return
    found = gather(here)
    steps.said()
    if "contact" in st.query_params:
        outreach_log.one(found)
        return
    if "practice" in st.query_params:
        outreach_plan.visit(found)
        return
    tabs = frame_tools.tabs(TABS, "outreach_tabs")
    draws = (
        outreach_plan.draw,
        outreach_log.draw,
        outreach_messages.draw,
        outreach_peers.draw,
        outreach_rules.actions,
        outreach_rules.people_and_rules,
        effect_section.tab,
    )
    for tab, draw in zip(tabs, draws, strict=True):
        with tab:
            if tab.open:
                draw(found)


main()
