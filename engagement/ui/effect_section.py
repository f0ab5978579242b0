"""“Did it work?”: what visits did beyond the forecast, the order drawn by lot, and what so many visits could show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import streamlit as st

from engagement.access import READERS, Role
from engagement.assessments import read
from engagement.clock import show_date
from engagement.outreach import evaluation, order
from engagement.outreach.contacts import MET
from engagement.outreach.evaluation import BODIES, FORECAST, LOT, NAMES, ROUNDS, Change, Evaluation, Figure
from engagement.risk.effect import FEWEST, MEASURES, SCORE, SHARE
from engagement.ui import charts, frame_tools, show
from engagement.ui.frame_tools import Current
from engagement.ui.outreach_tools import Outreach
from engagement.ui.safe import safe_md
from engagement.ui.steps import ask, run

if TYPE_CHECKING:
    import altair
    import pandas

TITLE = "Did it work?"
BY = {
    LOT: "As drawn by lot",
    FORECAST: "As visited",
    ROUNDS: "All rounds",
    BODIES: "All bodies",
}
AXES = {SHARE: "Percentage points more who answer", SCORE: "Points of the mean score"}
VISITS_KEY = "effect_visits"


def section(here: Current, found: Outreach | None = None) -> None:
    """The whole section. `found`: what the engagement lead's page holds; without it nothing can be drawn or opened."""
    st.header(TITLE, anchor=False)
    visits = st.number_input(
        "Visits before the next round",
        min_value=1,
        max_value=200,
        value=evaluation.VISITS,
        key=VISITS_KEY,
    )
    bodies = [body.id for body in frame_tools.bodies_of(here) if here.actor.may(body.id, *READERS)]
    asked = len(bodies) >= evaluation.POOLED_FROM and st.toggle(
        f"Take my {len(bodies)} bodies together too", key="effect_together"
    )
    with here.database.reading() as session:
        said = evaluation.evaluate(session, here.actor, here.body.id, visits=visits)
        together = evaluation.pooled(session, here.actor, bodies) if asked else None
    if together and together.why:
        st.text(together.why)
    draw(said, together.figures if together else ())
    if found is not None and here.actor.may(here.body.id, Role.LEAD):
        drawn_order(found, visits)


def tab(found: Outreach) -> None:
    """The section as a tab of the engagement lead's page."""
    section(found.here, found)


def draw(said: Evaluation, together: Sequence[Figure] = ()) -> None:
    """One evaluation: what so many visits could show, what visits did, and what before and after would have pretended."""
    st.subheader("What visits could show", anchor=False)
    for sentence in said.power:
        st.text(sentence)
    figures = [*said.lot, *said.figures, *said.rounds, *together]
    st.subheader(safe_md(said.headline), anchor=False)
    if said.before is not None:
        st.text(
            f"Visits between rounds {said.after} and {said.before}, by how round {said.before} was answered."
        )
    if said.why:
        st.text(said.why)
    for sentence in said.order:
        st.text(sentence)
    shown = [each for each in figures if each.estimate is not None]
    for figure in figures:
        st.text(f"{BY[figure.by]}. {figure.text}" if figure.why is None else figure.text)
    if shown:
        _pictures(shown)
        show.table(table(shown), alt="Effects of visits, with intervals and what stands behind them")
        show.note(
            "Shares to 5 percentage points, scores to 0.1, interval ends rounded outwards; people in bands. A practice's own forecast "
            "stands for what would have come without a visit."
            + (
                " By lot is the figure to go by: it does not rest on the forecast being right."
                if said.lot
                else ""
            )
        )
    if said.changes:
        before_and_after(said.changes, said.regression)
    elif said.regression:
        show.note(said.regression)


def before_and_after(changes: Sequence[Change], regression: str) -> None:
    """Before and after, never without the sentence on regression to the mean."""
    st.subheader("Before and after is no test", anchor=False)
    st.text(regression)
    for change in changes:
        st.text(change.text)


def table(figures: Sequence[Figure]) -> pandas.DataFrame:
    """A row a figure, as text."""
    import pandas as pd

    def behind(figure: Figure) -> str:
        practices = f"{figure.treated} and {figure.others}"
        return (
            practices
            if figure.n_treated is None
            else f"{practices} ({figure.n_treated} and {figure.n_others})"
        )

    return pd.DataFrame(
        {
            "Compared": [
                f"{NAMES[each.measure]}, {BY[each.by][0].lower()}{BY[each.by][1:]}" for each in figures
            ],
            "Effect and 95% interval": [
                f"{evaluation.amount(each.measure, each.estimate)} ({evaluation.interval(each)})"
                for each in figures
            ],
            "Practices (people who answered)": [behind(each) for each in figures],
        }
    )


# --- pictures ---------------------------------------------------------------------------------------------------


def _pictures(figures: Sequence[Figure]) -> None:
    """A small chart for each measure, side by side where there is room."""
    kinds = [
        (name, mine) for name in MEASURES if (mine := [each for each in figures if each.measure == name])
    ]
    for column, (name, mine) in zip(st.columns(len(kinds)), kinds, strict=True):
        with column:
            st.vega_lite_chart(
                chart(mine, show.theme()).to_dict(), theme=None, alt=alt(mine), key=f"chart_effect_{name}"
            )


def chart(figures: Sequence[Figure], theme: str | None = None) -> altair.LayerChart:
    """Effects of one measure as points with their intervals, and a line at no effect."""
    import altair as alt_
    import pandas as pd

    look = charts.style(theme)
    scale = 100 if figures[0].measure == SHARE else 1
    frame = pd.DataFrame(
        [
            {
                "name": BY[each.by],
                "estimate": scale * each.estimate,
                "low": scale * each.low,
                "high": scale * each.high,
                "said": f"{evaluation.amount(each.measure, each.estimate)}, {evaluation.interval(each)}",
            }
            for each in figures
        ]
    )
    y = alt_.Y("name:N", sort=list(frame["name"]), title=None, axis=alt_.Axis(labelLimit=170, grid=False))
    digits = ".0f" if figures[0].measure == SHARE else ".1f"
    signed = f"datum.value == 0 ? '0' : format(datum.value, '+{digits}')"
    x = alt_.X(
        "estimate:Q",
        title=AXES[figures[0].measure],
        axis=alt_.Axis(tickCount=5, labelExpr=signed),
        scale=alt_.Scale(padding=12),
    )
    tip = [alt_.Tooltip("name:N", title="Compared"), alt_.Tooltip("said:N", title="Effect")]
    base = alt_.Chart(frame)
    nothing = (
        alt_.Chart(pd.DataFrame({"zero": [0]}))
        .mark_rule(color=look.ink, strokeDash=[4, 3])
        .encode(x=alt_.X("zero:Q"))
    )
    spans = base.mark_rule(color=look.leader, strokeWidth=2).encode(
        x=alt_.X("low:Q"), x2="high:Q", y=y, tooltip=tip
    )
    points = base.mark_point(color=look.leader, filled=True, size=110, opacity=1).encode(
        x=x, y=y, tooltip=tip
    )
    return charts._dress(alt_.layer(nothing, spans, points), look, 70 + 45 * len(figures))


def alt(figures: Sequence[Figure]) -> str:
    """A chart in words."""
    each = (
        f"{BY[one.by].lower()}: {evaluation.amount(one.measure, one.estimate)}, interval {evaluation.interval(one)}"
        for one in figures
    )
    return f"{NAMES[figures[0].measure]}, effect of visits. {'; '.join(each)}."


# --- the order by lot -------------------------------------------------------------------------------------------


def drawn_order(found: Outreach, visits: int) -> None:
    """Draw an order, open it, check it. For the engagement lead."""
    here = found.here
    st.header("An order by lot", anchor=False)
    st.text(
        "Not everybody can be visited at once, so somebody comes later anyway. If the lot says who, those who come first and "
        "those who come later differ by chance alone, and the next round shows what visits do without any model being "
        "right. The order is sealed in the audit log before anybody can see it, and once it was seen it stays."
    )
    with here.database.reading() as session:
        drawn = order.of(session, here.actor, here.body.id)
        newest = read.latest(session, here.actor, here.body.id)
        not_now = order.not_now(session, here.actor, here.body.id)
    if drawn is None and not_now:
        st.text(not_now)
    elif drawn is None:
        _to_draw(found, newest, visits)
    elif drawn.opened_at is None:
        _sealed(here, drawn)
    else:
        _opened(found, drawn)


def _to_draw(found: Outreach, newest: Mapping, visits: int) -> None:
    here, practices = found.here, found.here.words["practices"]
    closed_on = date.fromisoformat(newest["round"]["closed_on"])
    out = {each.practice for each in found.excluded}
    out |= {row.practice for row in found.rows if row.outcome == MET and row.done_on > closed_on}
    ranked = sorted(
        (
            row
            for row in newest["practices"]
            if row["practice_id"] in found.by_code and row["practice_id"] not in out
        ),
        key=lambda row: (row["engagement"], row["practice_id"]),
    )
    first, fewest = max(visits, FEWEST), max(visits, FEWEST) + FEWEST
    if len(ranked) < fewest:
        st.text(
            f"It takes {fewest} {practices} that may be visited: {first} to come before the next round and {FEWEST} to come later."
        )
        return
    number = st.number_input(
        f"How many {safe_md(practices)} to choose among, the least engaged first",
        min_value=fewest,
        max_value=len(ranked),
        value=min(2 * first, len(ranked)),
        key="effect_eligible",
    )
    st.text(
        f"{first} of these {number} would come before the next round, each segment with about the same share. "
        + ("" if first == visits else f"Fewer than {FEWEST} visits cannot be compared. ")
        + "Those that asked not to be visited, or were met since the last round, are left out."
    )
    if st.button("Draw and seal the order", type="primary", key="effect_draw"):
        run(
            here,
            lambda row: f"The order is drawn and sealed as {row.seal[:12]}… Open it when the visits begin.",
            order.draw,
            here.body.id,
            [row["practice_id"] for row in ranked[:number]],
            capacity=first,
        )


def _sealed(here: Current, drawn: order.OrderRow) -> None:
    st.text(
        f"Drawn and sealed on {show_date(drawn.sealed_at)}, {len(drawn.strata)} {here.words['practices']}, "
        f"{drawn.capacity} of them before the next round. The seal stands in the audit log:"
    )
    st.code(drawn.seal, language=None, wrap_lines=True)
    if ask(
        "effect_open",
        "Open the order",
        "An order that was seen stays, and no other can be drawn before the next round.",
        "Open it",
    ):
        run(here, "The order is open.", order.reveal, drawn.id)
    if ask(
        "effect_discard",
        "Throw it away unseen",
        "Another can be drawn then. That this one was thrown away stays in the audit log.",
        "Throw it away",
    ):
        run(here, "The order was thrown away unseen.", order.discard, drawn.id)


def _opened(found: Outreach, drawn: order.OrderRow) -> None:
    import pandas as pd

    here = found.here
    st.text(
        f"Sealed on {show_date(drawn.sealed_at)}, opened on {show_date(drawn.opened_at)}. Visit the first {drawn.capacity} before "
        "the next round, the others after it."
    )
    show.table(
        pd.DataFrame(
            {
                "Place": [str(place) for place in range(1, len(drawn.order) + 1)],
                here.words["practice"].capitalize(): [found.by_code.get(code, code) for code in drawn.order],
                "When": [
                    "Before the next round" if place < drawn.capacity else "After it"
                    for place in range(len(drawn.order))
                ],
            }
        ),
        alt="The drawn order of visits",
    )
    st.text(
        "Anybody can check it: the SHA-256 of the file is the seal, and within each segment the practices stand in the order of "
        "the SHA-256 of “salt:code”."
    )
    with st.container(horizontal=True):
        st.download_button(
            "Download what was sealed",
            drawn.content,
            f"order-after-round-{drawn.after_round}.json",
            "application/json",
            on_click="ignore",
            key="effect_file",
        )
        check = st.button("Check the draw", key="effect_check")
    st.code(drawn.seal, language=None, wrap_lines=True)
    if check:
        with here.database.reading() as session:
            checks = order.verify(session, here.actor, drawn.id)
        for each in checks:
            st.text(f"{'✓' if each.holds else '✗ NOT:'} {each.text}")
