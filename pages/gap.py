"""Gap over time: one question, both arms and the gap, round by round."""

import pandas as pd
import streamlit as st

from engagement.instrument.bank import short_name
from engagement.releases import read
from engagement.ui import beside, charts, sentences, show
from engagement.ui.frame_tools import current
from engagement.ui.safe import safe_md

READING = """
Each point is a share or gap of one round, rounded to the nearest 5. Look first at the bars, then at the points.

- **Bars through the points** show how far a figure may lie from the long-run state of things. They are the bars to
  use when you ask whether something has changed, and they allow for people of one practice thinking alike.
- **“Had every member answered”** is a narrower range. It speaks of this roster in this round only, and it supposes
  that those who stayed silent think like those of their group who answered.
- **“Worst case”** supposes nothing: it is what the gap would be if all who stayed silent had answered one way.
- **The pale band** behind a gap is the worst case.
- Two ranges that overlap do not mean “no change”. The change from round to round has its own test, and so has the
  trend over all rounds.
- **“No clear change”** is the usual outcome of one step. It does not say that nothing changed.
- **“At least” and “at most”** stand at the ends of what is ever shown: 90% and 10%, and nearer the middle in small groups.
  Nobody is shown as 100% or 0%.
- **“About”** stands before a figure that is rounded to the nearest 10 or 20, because a finer one would have let somebody's
  answer be worked out. In some rounds the gap is shown so, and its two shares are not shown at all.
- **“Not published”** means that the figure could point at people. It is not zero, and it gives no hint of the figure.
- **“Not asked”** means that the round left the question out. **“Nobody invited”** means that a group was empty.
"""

PRINTED = """
Every range is worked out from all counts that would print the same share, then widened to the next 5, so that it says
no more about anybody than the share does. That makes it a little wider than a textbook would have it. “I do not know”
and blank answers count as no answer. Both groups are published or neither. Before anything is published, every question is
checked against a reader who knows who answered and holds any three other people's answers, over this round and all
before it; where somebody's answer could be worked out, all questions are shown less exactly. The verdicts on change and
trend come from the printed figures, so they tell no more than those; with few answers they seldom find a change.
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
    for text in dict.fromkeys(figure.carries for figure in figures if figure.carries):
        st.text(text)
    with st.expander("The figures, with sources and cautions"):
        show.table(pd.DataFrame(rows), alt="Published figures on similar questions")
        for asked, source, caveat in dict.fromkeys((f.asked, f.source, f.caveat) for f in figures):
            st.text(f"{asked}. {source}. {caveat}")


def behind(history, content, item) -> None:
    """What lies behind the newest gap: change, trend, silence, weights, the same people, answers in full."""
    number = content["round"]["number"]
    st.header(f"What is behind it in round {number}", anchor=False)
    said = {
        "The last step": sentences.change_sentence(item),
        "The trend": beside.trend_sentence(content, item),
        "Each group": beside.levels_sentence(content, item),
        "The silent": beside.tipping_sentence(content, item),
        "The same people": beside.panel_sentence(content, item),
        "What moved": beside.moved_sentence(item),
        "Ups and downs": beside.in_control(beside.gap_series(history, item["item"])),
    }
    for about, sentence in said.items():
        if sentence:
            st.markdown(f"**{about}.** {safe_md(sentence)}")
    left, right = st.columns(2, gap="large")
    options = beside.distribution_table(item)
    if remark := beside.distribution_sentence(item):
        with left:
            st.markdown("**Answers in full**")
            if options is not None:
                show.table(options, alt=f"Answers in full in round {number}")
            show.note(remark)
    weights = beside.weighted_table(content, item)
    if weights is not None:
        with right:
            st.markdown("**Weighted and unweighted**")
            show.table(weights, alt=f"Weighted and unweighted figures of round {number}")
            show.note(beside.weighting_sentence(content))


def by_group(content, item) -> None:
    """The breakdowns that this round published."""
    found = beside.breakdowns(content, item)
    if not found:
        return
    st.header(f"By group in round {content['round']['number']}", anchor=False)
    show.note(
        "Leaders and grassroots members together. Bars: the range had every member answered; where bars overlap "
        "much, a difference may be chance. Small groups are merged so that nobody's answer can be worked out."
    )
    for by, groups in found:
        st.subheader(safe_md(beside.breakdown_headline(item, by, groups)), anchor=False)
        show.groups_chart(by, groups, item["item"])
        with st.expander("The figures"):
            show.table(
                beside.breakdown_table(by, groups),
                alt=f"Shares by {by} in round {content['round']['number']}",
            )


def each_group(headline: str) -> None:
    """The shares of leaders and grassroots members over the rounds, and how many answered."""
    st.header(safe_md(headline), anchor=False)
    show.note(
        f"Share who {sentences.favourable(newest)}, {place}, {when}. Bars: the range for comparing rounds."
    )
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


def the_gap(headline: str) -> None:
    """Leaders minus grassroots members over the rounds, with each round's ranges."""
    st.header(safe_md(headline), anchor=False)
    show.note(
        f"{sentences.group_label(history[-1], 'leader')} minus {sentences.group_name(history[-1], 'grassroots')} in "
        f"percentage points, {place}, {when}. Bars: the range for comparing rounds. Pale bands: the worst case, whatever "
        "the silent think. At 0 there is no gap."
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


here = current()
with here.database.reading() as session:
    status = read.status(session, here.actor, here.body.id)
    history = read.history(session, here.actor, here.body.id)

st.title("Gap over time", anchor=False)
if not history:
    st.text("There is nothing to draw yet. The first point appears once a round has closed and been checked.")
    for brief in status.checking:
        st.info(sentences.checking_sentence(brief.number, brief.checking), icon=":material/hourglass_top:")
    st.stop()

keys = sentences.item_keys(history)
key = st.selectbox("Question", keys, format_func=short_name, key="item", bind="query-params")
asked = [item for content in history if (item := sentences.item_of(content, key))]
newest = asked[-1]
figures = show.figures_for(newest)
versions = charts.wordings(history, key)
place, when = here.body.name, sentences.period(history)

if key == beside.INDEX:
    st.text("Mean over the core questions: " + ", ".join(short_name(of) for of in newest["of"]) + ".")
else:
    show.quote(newest["text"])
# Where figures of one group by itself are mostly held back, the gap is what there is to see.
alone = [
    item["gap"]["mark"] == "shown" and all(item["groups"][arm]["mark"] != "shown" for arm in charts.ARMS)
    for item in asked
]
if sum(alone) > len(alone) / 2:
    the_gap(sentences.headline(history, key))
    each_group("Each group by itself")
else:
    each_group(sentences.headline(history, key))
    the_gap(sentences.change_heading(history, key))

for brief in status.checking:
    st.info(sentences.checking_sentence(brief.number, brief.checking), icon=":material/hourglass_top:")

last = next(content for content in reversed(history) if sentences.item_of(content, key) is newest)
by_group(last, newest)
behind(history, last, newest)

if figures:
    published(figures)

if key != beside.INDEX:
    st.header("Wordings", anchor=False)
    if len(versions) > 1:
        st.text("The line is broken where the wording changed: answers to different words are not compared.")
    for name, text in versions:
        st.markdown(f"**{safe_md(name)}**")
        show.quote(text)

with st.expander("How to read this"):
    st.markdown(READING)
with st.expander(f"How it was worked out in round {last['round']['number']}"):
    show.table(
        beside.worked_out(last, newest), alt="Each figure with its formula, its answers and its source"
    )
    st.markdown(PRINTED)
show.downloads(status.latest_id, history[-1]["round"]["number"])
