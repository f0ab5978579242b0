"""Practices: where each stands on attitude and participation, whom to visit, and how far each took part in bands."""

import streamlit as st

from engagement.access import Role
from engagement.assessments import read as assessments
from engagement.releases import read
from engagement.ui import risk_charts, risk_words, sentences, show, taking_part
from engagement.ui.frame_tools import current, link_to
from engagement.ui.safe import safe_md

EVERYWHERE = "All localities"
ANY = "any"
PER_PAGE = 50
# Beside the map a table of eight is as tall as the map, and on a phone it is not endless.
BESIDE_MAP = 8
RECENT = 3

READING = """
- **The map** shows where each one stands today: attitude across, counted from the body's mean, and participation up,
  the probability that a member answers. The faint bars hold the true place with a probability of 80%.
- **The dashed lines** are the published rules. They cut a continuum; they are not types that were found.
- **A filled mark** has a clear segment: its probability by rule is at least 60%. **A hollow mark** has none. “Moving”
  means that another segment has become the likeliest, yet not by enough to change the label.
- **The engagement rank** joins both axes as far as silence goes with attitude in this body. 1st is the least engaged.
  The interval holds the true rank with a probability of 90%; where intervals overlap, do not read an order into them.
- **The probability that nobody answers** is another question with a list of its own. Small ones lead that list
  because fewer people need to be silent, not because they are less engaged.
- Probabilities are rounded to 5%, attitude to a tenth of a point.
- Nothing here is a judgement of care, and it is not meant for contract action, expulsion or ranking of GPs.
"""


def choose_locality(places: list[str]) -> str | None:
    """The locality that the whole page is kept to, None for all."""
    if not places:
        return None
    # The place's number is the value, so that no address can ask for one that is not there.
    number = st.selectbox(
        "Locality",
        range(len(places) + 1),
        format_func=lambda at: EVERYWHERE if at == 0 else places[at - 1],
        key="locality",
        bind="query-params",
    )
    return None if number == 0 else places[number - 1]


def segments(content, names, place) -> None:
    """The map with its table, two lists, movement and rules."""
    if warning := risk_words.provisional(content):
        st.warning(warning, icon=":material/hourglass_top:")
    st.header(safe_md(risk_words.headline(content, here.words)), anchor=False)
    st.text(risk_words.counts_sentence(content, here.words))
    st.text(risk_words.correlation(content, here.words))
    left, right = st.columns(2)
    with left:
        kind = st.selectbox(
            "Segment",
            [ANY, *risk_words.KINDS],
            format_func=lambda kind: "Any segment" if kind == ANY else risk_words.KIND_NAMES[kind],
            key="segment",
            bind="query-params",
        )
    with right:
        sort = st.selectbox(
            "Sort the table by",
            risk_words.SORTS,
            format_func=risk_words.SORT_NAMES.get,
            key="sort",
            bind="query-params",
        )
    shown = risk_words.practices(
        content, names, locality=place, kind=None if kind == ANY else kind, sort=sort
    )
    if not shown:
        st.text(f"No {practice} fits this choice.")
    else:
        map_and_table(content, shown)
        lists(content, shown)
    movement(content)
    basis(content)


def map_and_table(content, shown) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(safe_md(f"Attitude and participation of {len(shown)} {practices}"), anchor=False)
        show.note(
            "Filled: a clear segment. Hollow: not clear. Dashed: the rules. Faint bars: 80% intervals. Attitude is in "
            f"points of the 1 to 5 scale from the mean of the {here.words['body']}."
        )
        drawn = risk_charts.engagement_map(shown, content, show.theme())
        st.vega_lite_chart(
            drawn.to_dict(),
            theme=None,
            alt=risk_charts.map_alt(shown, content, here.words),
            key="chart_map",
        )
    with right:
        st.subheader("As a table", anchor=False)
        table = risk_words.practice_table(shown, content, here.words)
        pages = -(-len(table) // BESIDE_MAP)
        page = st.pagination(pages, key="segments_page") if pages > 1 else 1
        part = table.iloc[(page - 1) * BESIDE_MAP : page * BESIDE_MAP]
        show.table(part, alt=f"Segment, engagement rank and probability of silence by {practice}")
        by_code = {each.code: each.name for each in shown}
        code = st.selectbox(
            f"Look at one {safe_md(practice)}",
            list(by_code),
            format_func=by_code.get,
            index=None,
            placeholder="Choose a name",
            key="look_at",
        )
        if code:
            link_to(
                "practice.py", f"Open {safe_md(by_code[code])}", ":material/arrow_forward:", practice=code
            )


def lists(content, shown) -> None:
    """Two lists that are never mixed: whom to visit, and where to chase answers."""
    visit, chase = st.columns(2, gap="large")
    with visit:
        st.header("For a visit", anchor=False)
        show.note(
            "The least engaged first, by the engagement rank. Its interval is the reason not to be strict."
        )
        found = risk_words.for_visit(shown, content)
        if not found:
            st.text(
                f"Silence says little about attitude here, and no {practice} in this choice has answers of the newest "
                "round that count towards its position: they cannot be ranked. Visit in a random order."
            )
        for each in found:
            entry(each, f"{risk_words.rank(each.row)} of {content['of']}")
        if here.actor.may(here.body.id, Role.LEAD):
            link_to("outreach.py", "Plan contacts within the hours there are", ":material/handshake:")
    with chase:
        st.header("For chasing answers", anchor=False)
        show.note("Where most likely nobody answers next time. It says nothing about what they think.")
        found = risk_words.for_chasing(shown)
        if not found:
            st.text(f"In no {practice} of this choice is that more than a bare chance.")
        for each in found:
            entry(each, risk_words.percent(each.row["p_silent_next"]))


def entry(each, figure: str) -> None:
    link_to("practice.py", f"{safe_md(each.name)}: {figure}", practice=each.code)


def movement(content) -> None:
    """Who moved between the segments since the round before."""
    if content["movement"] is None:
        return
    st.header(safe_md(risk_words.movement_headline(content, here.words)), anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        st.vega_lite_chart(
            risk_charts.movement_chart(content, show.theme()).to_dict(),
            theme=None,
            alt=risk_words.movement_alt(content),
            key="chart_movement",
        )
    with right:
        show.table(risk_words.movement_table(content), alt=f"Movement of {practices} between segments")
        show.note(
            f"Number of {practices}. Labels wait until a move is clear, so they show too little movement; probabilities "
            "show too much."
        )


def basis(content) -> None:
    """The rules, the evidence, and whether the data show groups."""
    st.header("The rules", anchor=False)
    st.text("The first rule that fits names the segment.")
    show.table(risk_words.rules_table(content, here.words), alt="The rule of each segment and what to do")
    st.header("What it rests on", anchor=False)
    st.text(risk_words.evidence(content, here.words))
    if price := risk_words.price(content, here.words):
        st.text(price)
    if ticked := risk_words.ticked(content, here.words):
        st.text(ticked)
    st.text(content["audit"]["verdict"])
    with st.expander("Free clustering beside the rules"):
        if explanation := content["audit"]["explanation"]:
            st.text(explanation)
        figures = risk_words.audit_table(content)
        if figures is not None:
            show.table(figures, alt="Free clustering by method and number of groups")
            show.note(
                "✓: the number of groups that the method would choose. †: a group would be too small. Gap: higher speaks for groups. BIC: lower "
                "does. Stability: similarity of the least stable group when the data are drawn again; from 0.75 a group "
                "is called stable. None of these can prove that groups exist."
            )
    with st.expander("How to read segments and ranks"):
        st.markdown(READING)
    link_to("forecasts.py", "How well do these forecasts do?", ":material/fact_check:")


def participation(place) -> None:
    """How far each took part, round by round, in the bands of releases."""
    newest = history[-1]
    st.header("Who took part", anchor=False)
    st.text(sentences.participation_sentence(newest))
    st.text(taking_part.summary(newest, here.words))
    if pooled := taking_part.pool_sentence(newest, here.words):
        st.text(pooled)
    st.subheader("What the signs mean", anchor=False)
    st.text("\n".join(f"{sign}: {meaning}" for sign, meaning in taking_part.legend(history)))

    st.subheader("Round by round", anchor=False)
    left, right = st.columns(2)
    with left:
        wanted = st.selectbox(
            "Band in the newest round",
            [ANY, *taking_part.BANDS],
            format_func=lambda band: "Any" if band == ANY else taking_part.band_text(band),
            key="band",
            bind="query-params",
        )
    with right:
        recent = RECENT
        if len(history) > RECENT:
            recent = st.selectbox(
                "Rounds shown",
                [RECENT, len(history)],
                format_func=lambda count: f"The last {count}" if count < len(history) else f"All {count}",
                key="rounds",
            )
    table = taking_part.practice_table(
        history[-recent:],
        names,
        here.words,
        locality=place,
        latest=None if wanted == ANY else wanted,
    )
    if table.empty:
        st.text(f"No {practice} fits this choice.")
    else:
        pages = -(-len(table) // PER_PAGE)
        page = st.pagination(pages, key="practices_page") if pages > 1 else 1
        part = table.iloc[(page - 1) * PER_PAGE : page * PER_PAGE]
        for locality in dict.fromkeys(part.index):
            if places:
                st.markdown(f"**{safe_md(locality) or 'No locality given'}**")
            show.table(
                part.loc[[locality]],
                alt=f"Participation by round, in bands: {locality or 'no locality given'}",
            )

    st.subheader("All together", anchor=False)
    st.text(
        f"How many {practices} were in each band. Pooled: the {practices} too small to show, and the band of their "
        "people taken together."
    )
    show.table(taking_part.counts_table(history), alt="Number of practices in each band by round")
    with st.expander("How to read participation"):
        st.markdown(
            "- The table says how many people took part, never who. Nobody can see who has not answered.\n"
            "- It counts closed rounds only, and only in bands. There is no band for “everybody”, because it would say "
            "of each person that they answered.\n"
            "- Where fewer than five people were invited, a band would speak of one or two people. Those are taken "
            "together, and shown only if they are at least ten people.\n"
            "- Taking part says nothing of what people answered."
        )


here = current()
with here.database.reading() as session:
    history = read.history(session, here.actor, here.body.id)
    names = read.practices(session, here.actor, here.body.id)
    content = assessments.latest(session, here.actor, here.body.id)
practice, practices = here.words["practice"], here.words["practices"]

st.title(safe_md(practices.capitalize()), anchor=False)
if not history and content is None:
    st.text(
        "There is nothing to show yet. Participation appears here once a round has closed and been checked."
    )
    st.stop()

assessed = {row["practice_id"] for row in content["practices"]} if content else set()
places = sorted(
    {*taking_part.localities(history, names)}
    | {row["locality"] for row in names if row["practice_id"] in assessed and row["locality"]}
)
place = choose_locality(places)
if waiting := risk_words.not_yet(content, here.words):
    st.text(waiting)
else:
    segments(content, names, place)
if history:
    participation(place)
