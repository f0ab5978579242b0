"""How sound is it? Who answered, how even that was, and how well the questions measure."""

import streamlit as st

from engagement.instrument.bank import short_name
from engagement.releases import read
from engagement.ui import beside, sentences, show
from engagement.ui.frame_tools import current
from engagement.ui.safe import safe_md

RESPONSE = """
The rate is AAPOR's RR1: those who sent a complete form, of all who were invited. On a kept roster nobody's eligibility
is unknown, so RR1, RR3 and RR5 are one figure. A form counts as complete when at least half of the statements have an
answer, “I do not know” included; the form takes no other. Whoever withdrew counts as not having answered. People who had
left before the round was launched were not on its roster. Rates are to the nearest 5 and end at 10 and 90; groups of
fewer than 10 people are taken together.
"""

CONTROL = """
It is made of the printed figures and asks whether they do more than wobble. Up to 11 rounds it is a run chart: a median,
with a long run on one side of it or too few crossings as signs of change (Anhøj). From 12 rounds on it is an XmR chart with
limits at 2.66 times the mean moving range, as NHS England's “Making Data Count” draws it: one point beyond a limit, a run
of points on one side of the mean, a run of rises or falls, or two in three near a limit. Run lengths are those of the rule
set chosen. It begins anew where the wording or the tier changes. It knows nothing of how many answered: for that, each
gap has its own range on the page Gap over time.
"""
PARTICIPATION = "Share taking part"

here = current()
with here.database.reading() as session:
    history = read.history(session, here.actor, here.body.id)

st.title("How sound is it?", anchor=False)
if not history:
    st.text("There is nothing to judge yet. This fills once a round has closed and been checked.")
    st.stop()

content = history[-1]
st.text(f"{sentences.round_name(content)}, closed on {sentences.closed_on(content)}.")

st.header("Who answered", anchor=False)
st.text(sentences.participation_sentence(content))
st.text(beside.representative_sentence(content))
tables = {by: beside.response_table(content, by) for by in beside.BREAKDOWNS}
found = [(by, table) for by, table in tables.items() if table is not None]
if not found:
    st.text("Response by group is not kept in a round of this tier, or the round is older than this page.")
for pair in (found[:2], found[2:]):
    for column, (by, table) in zip(st.columns(2, gap="large"), pair, strict=False):
        with column:
            show.table(table, alt=f"Response rates by {beside.BREAKDOWNS[by].lower()}")
with st.expander("How response is counted"):
    st.markdown(RESPONSE)

st.header("Weights", anchor=False)
st.text(beside.weighting_sentence(content) or "No weights were made for this round.")

st.header("More than the usual ups and downs?", anchor=False)
series = {PARTICIPATION: beside.participation_series(history)} | {
    f"Gap: {short_name(item['item'])}": beside.gap_series(history, item["item"])
    for item in sentences.headline_items(content)
}
left, right = st.columns(2)
with left:
    chosen = st.selectbox("Figure", list(series), key="series")
with right:
    rules = st.selectbox("Rule set, from 12 rounds on", beside.rule_sets(), key="rules", bind="query-params")
verdict = beside.in_control(series[chosen], rules)
if verdict is None:
    st.text("This takes two rounds with a figure.")
else:
    show.control_chart(series[chosen], rules, verdict)
    st.text(verdict)
with st.expander("How to read this chart"):
    st.markdown(CONTROL)

st.header("Do the questions measure one thing?", anchor=False)
names = {item["item"]: short_name(item["item"]) for item in content["items"]}
for sentence in beside.measuring_sentences(content, names):
    st.markdown(safe_md(sentence))
with st.expander("How this was worked out"):
    st.markdown(
        """
- Alpha after Cronbach, its range after Feldt, and omega of one factor by maximum likelihood, from answers that are
  complete on the core questions; to the nearest .05, and never from fewer than 100. Where one round has fewer, rounds
  before it that asked the same are taken with it; the range is then left out, for the same people count more than once.
- A question goes along little with the others where its item–rest correlation is under .3.
- Leaders and grassroots members read a question differently where its gap is larger than the other questions explain:
  each answer is regressed on the mean of the others and the group, practices left out one at a time for the error,
  with Holm's correction. Under 30 complete answers in a group nothing is said.
"""
    )
