"""Gap over time: one question, both arms and the gap, round by round."""

import pandas as pd
import streamlit as st

from engagement.instrument.bank import short_name
from engagement.releases import read
from engagement.ui import charts, sentences, show
from engagement.ui.frame_tools import current
from engagement.ui.safe import safe_md

READING = """
Each point is a share or gap of one round, rounded to the nearest 5. Look first at the bars, then at the points.

- **Bars through the points** show how far a figure may lie from the long-run state of things. They are the bars to
  use when you ask whether something has changed, and they allow for people of one practice thinking alike.
- **“Had every member answered”** is a narrower range. It speaks of this roster in this round only, and it supposes
  that those who stayed silent think like those of their group who answered.
- **“Worst case”** supposes nothing: it is what the gap would be if all who stayed silent had answered one way.
- Two ranges that overlap do not mean “no change”. The change has its own test, in the last column of the gap table.
- **≥ 90 and ≤ 10** are as far as a share is ever shown. Nobody is shown as 100% or 0%.
- **“Not published”** means that the figure could point at people. It is not zero, and it gives no hint of the figure.
- **“Not asked”** means that the round left the question out. **“Nobody invited”** means that a group was empty.
"""

WORKED_OUT = """
- A share is the number of favourable answers (agree and strongly agree) over all answers to the question.
  “I do not know” and blank answers count as no answer.
- The gap is the leaders' share minus the grassroots members' share. A member's group is the role held when the round
  was launched.
- Range had every member answered: Wilson limits on each share, with the finite number of members taken into account,
  joined by Newcombe's method 10 (1998).
- Range for comparing rounds: Wilson limits on each share after dividing the number of answers by the round's design
  effect, joined in the same way. The design effect says how much alike people of one practice answer.
- Worst case: bounds after Manski.
- Every range is worked out from all counts that would print the same share, then widened to the next 5, so that it
  says no more about anybody than the share does. That makes it a little wider than a textbook would have it.
- The verdict on change comes from the exact answers of both rounds, clustered on practices, with Holm's correction
  for the number of headline questions.
- Both groups are published or neither. Where neither is, the two together are shown if they are enough.
"""


def published(figures) -> None:
    """The published figures behind the diamonds, and those that could not be drawn."""
    st.header("Published elsewhere: similar question, other bodies", anchor=False)
    st.text(
        "These answer a similar question in other words, asked of other people. Compare with care, and never as one line."
    )
    rows = []
    for figure in sorted(figures, key=lambda figure: (figure.year, figure.series, figure.group)):
        unit = " points" if figure.arm == "gap" else "%"
        said = figure.quoted if figure.percent is None else f"{figure.percent:g}{unit}"
        width = f" (± {figure.half_width:g})" if figure.half_width else ""
        rows.append(
            {
                "Year": str(figure.year),
                "Who": figure.group_name[:1].upper() + figure.group_name[1:],
                "Figure": f"{said}{width}",
                "Asked by": figure.publisher,
            }
        )
    with st.expander("The figures, with sources and cautions"):
        show.table(pd.DataFrame(rows), alt="Published figures on similar questions")
        for asked, source, caveat in dict.fromkeys((f.asked, f.source, f.caveat) for f in figures):
            st.text(f"{asked}. {source}. {caveat}")


here = current()
with here.database.reading() as session:
    status = read.status(session, here.actor, here.body.id)
    history = read.history(session, here.actor, here.body.id)

st.title("Gap over time", anchor=False)
if not history:
    st.text("There is nothing to draw yet. The first point appears once a round has closed and been checked.")
    for brief in status.checking:
        st.info(sentences.checking_sentence(brief.number), icon=":material/hourglass_top:")
    st.stop()

keys = sentences.item_keys(history)
key = st.selectbox("Question", keys, format_func=short_name, key="item", bind="query-params")
asked = [item for content in history if (item := sentences.item_of(content, key))]
newest = asked[-1]
figures = show.figures_for(newest)
versions = charts.wordings(history, key)
place, when = here.body.name, sentences.period(history)

show.quote(newest["text"])
st.header(safe_md(sentences.headline(history, key)), anchor=False)
show.note(f"Share who {sentences.favourable(newest)}, {place}, {when}. Bars: the range for comparing rounds.")
show.chart("trend", history, key, charts.trend_alt(history, key), figures)
leaders, members = (sentences.group_label(history[-1], arm) for arm in charts.ARMS)
drawn = [figure for figure in figures if figure.arm in charts.ARMS and figure.percent is not None]
show.note(
    f"{leaders}: circles, solid line. {members}: squares, dashed line."
    + (" Diamonds: similar question, other bodies; the sources are listed below." if drawn else "")
)
left, right = st.columns(2, gap="large")
with left:
    st.markdown("**Share, and in brackets the range for comparing rounds**")
    show.table(charts.share_table(history, key), alt=f"Shares on {short_name(key)} by round and group")
with right:
    st.markdown("**How many answered, in bands, of all invited**")
    show.table(charts.answers_table(history, key), alt=f"Answers on {short_name(key)} by round and group")

st.header(safe_md(sentences.change_heading(history, key)), anchor=False)
show.note(
    f"{leaders} minus {sentences.group_name(history[-1], 'grassroots')} in percentage points, {place}, {when}. "
    "Bars: the range for comparing rounds. At 0 there is no gap."
)
show.chart("gap", history, key, charts.gap_alt(history, key), figures)
left, right = st.columns(2, gap="large")
with left:
    st.markdown("**The gap, its change from the round before, and the range for comparing rounds**")
    show.table(charts.gap_table(history, key), alt=f"The gap on {short_name(key)} by round")
with right:
    st.markdown("**The gap in this round alone: two further ranges**")
    show.table(
        charts.range_table(history, key), alt=f"Further ranges of the gap on {short_name(key)} by round"
    )

for brief in status.checking:
    st.info(sentences.checking_sentence(brief.number), icon=":material/hourglass_top:")

if figures:
    published(figures)

st.header("Wordings", anchor=False)
if len(versions) > 1:
    st.text("The line is broken where the wording changed: answers to different words are not compared.")
for name, text in versions:
    st.markdown(f"**{safe_md(name)}**")
    show.quote(text)

with st.expander("How to read this"):
    st.markdown(READING)
with st.expander("How it was worked out"):
    st.markdown(WORKED_OUT)
show.downloads(status.latest_id, history[-1]["round"]["number"])
