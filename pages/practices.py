"""Practices: how far each took part, round by round, in bands."""

import streamlit as st

from engagement.releases import read
from engagement.ui import sentences, show, taking_part
from engagement.ui.frame_tools import current
from engagement.ui.safe import safe_md

EVERYWHERE = "All localities"
ANY_BAND = "any"
PER_PAGE = 50
RECENT = 3

here = current()
with here.database.reading() as session:
    history = read.history(session, here.actor, here.body.id)
    names = read.practices(session, here.actor, here.body.id)
practice, practices = here.words["practice"], here.words["practices"]

st.title(safe_md(practices.capitalize()), anchor=False)
if not history:
    st.text(
        "There is nothing to show yet. Participation appears here once a round has closed and been checked."
    )
    st.stop()

newest = history[-1]
st.text(sentences.participation_sentence(newest))
st.text(taking_part.summary(newest, here.words))
if pooled := taking_part.pool_sentence(newest, here.words):
    st.text(pooled)

st.header("What the signs mean", anchor=False)
st.text("\n".join(f"{sign}: {meaning}" for sign, meaning in taking_part.legend(history)))

st.header("Round by round", anchor=False)
places = taking_part.localities(history, names)
left, middle, right = st.columns(3)
with left:
    place = EVERYWHERE
    if places:
        # The place's number, not its name, is the value: names are typed by people and this goes into the address.
        number = st.selectbox(
            "Locality",
            range(len(places) + 1),
            format_func=lambda at: EVERYWHERE if at == 0 else places[at - 1],
            key="locality",
        )
        place = EVERYWHERE if number == 0 else places[number - 1]
with middle:
    wanted = st.selectbox(
        "Band in the newest round",
        [ANY_BAND, *taking_part.BANDS],
        format_func=lambda band: "Any" if band == ANY_BAND else taking_part.band_text(band),
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
    locality=None if place == EVERYWHERE else place,
    latest=None if wanted == ANY_BAND else wanted,
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
            part.loc[[locality]], alt=f"Participation by round, in bands: {locality or 'no locality given'}"
        )

st.header("All together", anchor=False)
st.text(
    f"How many {practices} were in each band. Pooled: the {practices} too small to show, and the band of their people "
    "taken together."
)
show.table(taking_part.counts_table(history), alt="Number of practices in each band by round")

with st.expander("How to read this"):
    st.markdown(
        "- The table says how many people took part, never who. Nobody can see who has not answered.\n"
        "- It counts closed rounds only, and only in bands. There is no band for “everybody”, because it would say "
        "of each person that they answered.\n"
        "- Where fewer than five people were invited, a band would speak of one or two people. Those are taken "
        "together, and shown only if they are at least ten people.\n"
        "- Taking part says nothing of what people answered."
    )
st.caption("Segments by risk are not part of this version yet.")
