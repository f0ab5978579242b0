"""How well does it do? Forecasts of silence against what happened, in aggregate only, and the model's card."""

import streamlit as st

from engagement.assessments import read as assessments
from engagement.ui import model_card, risk_charts, risk_words, show
from engagement.ui.frame_tools import current, link_to
from engagement.ui.safe import safe_md

WARNINGS = """
- **Early warning of newly disengaged {practices} is weak.** Forecasts mostly say that what was so will stay so.
- **A segment's probability is “by rule”**: how sure it is that the two estimates fall within published cuts. It is not
  the probability of being a certain type.
- **One round of one body is little evidence.** Look at the intervals and at several rounds before you praise or blame.
- **Attitude itself is never observed.** What is judged here is silence, which everybody can see afterwards, and mean
  scores of those who answered.
"""


def last_round(performance) -> None:
    """Last round's forecasts against what happened."""
    number = content["round"]["number"]
    st.header(safe_md(risk_words.judged_headline(performance, number, here.words)), anchor=False)
    st.text(risk_words.judged_sentence(performance, number, here.words))
    bands = performance["last"]["bands"]
    left, right = st.columns(2, gap="large")
    with left:
        drawn = risk_charts.calibration_chart(bands, show.theme())
        if drawn is None:
            st.text("There is no band with enough forecasts to draw.")
        else:
            show.note(
                "Probability given that nobody answers, against how often that happened, with its 95% interval and the "
                "number of forecasts. On the dashed line the two agree."
            )
            st.vega_lite_chart(
                drawn.to_dict(), theme=None, alt=risk_words.calibration_alt(bands), key="chart_calibration"
            )
    with right:
        show.table(risk_words.calibration_table(bands), alt="What was said and what happened, in bands")


def all_rounds(performance) -> None:
    """Every round forecast from those before it, by this model and by simple rules; intervals; drift."""
    st.header(safe_md(risk_words.models_headline(performance)), anchor=False)
    show.table(risk_words.models_table(performance), alt="Forecasts and simple rules over all rounds")
    show.note(risk_words.models_note(performance))
    st.text(risk_words.coverage_sentence(performance))
    st.text(risk_words.drift_sentence(performance))
    with st.expander("Drift, round by round"):
        show.table(risk_words.drift_table(performance), alt="What was said and what happened, round by round")


def fairness(performance) -> None:
    """By kind of practice, and who stands on the two lists."""
    st.header(safe_md(risk_words.visits_headline(performance, here.words)), anchor=False)
    show.table(risk_words.visits_table(performance), alt="Share of the two lists by number of people invited")
    show.note(
        f"The first eight of each list. A small {practice} falls silent more easily without being less engaged: that is "
        "why there are two lists."
    )
    st.header("By kind", anchor=False)
    left, right = st.columns(2, gap="large")
    kinds = performance["subgroups"]
    with left:
        table = risk_words.subgroup_table(kinds["roster"], "People invited", risk_words.ROSTERS)
        show.table(table, alt="Forecasts by number of people invited")
    with right:
        table = risk_words.subgroup_table(kinds["size"], "List size", risk_words.SIZES)
        show.table(table, alt="Forecasts by list size")
    show.note(
        "Silent: share in which nobody answered. Listed: share of them that a list of eight by this probability would "
        "have named. Rural or urban: not known, as the roster does not say it."
    )


here = current()
practice, practices = here.words["practice"], here.words["practices"]
with here.database.reading() as session:
    content = assessments.latest(session, here.actor, here.body.id)

st.title("How well does it do?", anchor=False)
st.text(f"Forecasts against what happened, over all {practices} together and never for one.")
performance = content["performance"] if content else None
if performance is None:
    st.text(
        "There is nothing to judge yet. It takes three closed rounds: two to forecast from and one to compare with."
    )
else:
    if warning := risk_words.provisional(content):
        st.warning(warning, icon=":material/hourglass_top:")
    last_round(performance)
    all_rounds(performance)
    fairness(performance)
    show.note(content["layer"]["why"])
st.header("What it cannot do", anchor=False)
st.markdown(WARNINGS.format(practices=safe_md(practices)))
with st.expander("Model card"):
    st.markdown(model_card.CARD)
link_to("practices.py", safe_md(practices.capitalize()), ":material/local_hospital:")
