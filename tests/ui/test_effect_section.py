"""“Did it work?” as it is drawn: figures with their intervals, and before and after never without its warning."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from engagement import clock
from engagement.access.audit import canonical, sha256
from engagement.models import Assessment, OutreachEvaluation, Round
from engagement.outreach import basis
from engagement.outreach.evaluation import Change, Evaluation, Figure
from engagement.ui import effect_section, frame_tools
from tests.ui import risk_content

REGRESSION = "Practices are picked for a bad round (regression to the mean)."


def figure(measure: str, by: str, estimate: float | None = 0.1) -> Figure:
    """A figure, or why there is none."""
    if estimate is None:
        return Figure(measure, by, None, None, None, 3, 30, None, None, "Too few.", "Too few.")
    return Figure(
        measure, by, estimate, -0.05, 0.3, 8, 32, "15–19", "50+", None, f"{measure} {by} in a sentence."
    )


EVALUATION = Evaluation(
    after=7,
    before=8,
    headline="Whether visits worked cannot be told yet",
    why=None,
    figures=(figure("share", "forecast"), figure("score", "forecast", None)),
    lot=(figure("share", "lot", 0.15), figure("score", "lot", 0.2)),
    order=("The order was drawn and sealed on 1 July 2026.",),
    changes=(Change("share", 0.3, 0.25, 8, "Answering: +30 percentage points."),),
    regression=REGRESSION,
    power=("8 visits can show an effect only if it is very large.",),
)


def page(said) -> None:
    """A page with nothing but the section."""
    from engagement.ui import effect_section

    effect_section.draw(said)


def test_the_section_says_power_first_and_the_lot_before_the_forecast():
    """The power stands above the result, the drawn order above what was visited, and each figure is in the table."""
    app = AppTest.from_function(page, default_timeout=30, args=(EVALUATION,)).run()
    assert not app.exception
    texts = [each.value for each in app.text]
    places = [
        texts.index(text)
        for text in (
            EVALUATION.power[0],
            EVALUATION.order[0],
            "As drawn by lot. share lot in a sentence.",
            "As visited. share forecast in a sentence.",
            "Too few.",
            REGRESSION,
            EVALUATION.changes[0].text,
        )
    ]
    assert places == sorted(places)
    shown = app.table[0].value
    assert [cell.replace("\\", "") for cell in shown["Compared"]] == [
        "Answering, as drawn by lot",
        "Score, as drawn by lot",
        "Answering, as visited",
    ]
    cells = " ".join(shown.iloc[0]).replace("\\", "")
    assert "+15 percentage points (−5 to +30)" in cells and "8 and 32 (15–19 and 50+)" in cells


def test_without_figures_there_is_no_table_and_the_warning_stays():
    """Where nothing can be said there is only why, the power and the warning."""
    empty = Evaluation(
        after=1,
        before=2,
        headline="Too few",
        why="4 practices were met.",
        regression=REGRESSION,
        power=EVALUATION.power,
    )
    app = AppTest.from_function(page, default_timeout=30, args=(empty,)).run()
    assert not app.exception and not app.table
    assert "4 practices were met." in [each.value for each in app.text]
    assert any("regression to the mean" in each.value for each in app.caption)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_chart_and_its_words_hold_the_same_figures(theme):
    """Each figure is a point with its interval in the chart, and stands in its alternative."""
    figures = [figure("share", "lot", 0.15), figure("share", "forecast")]
    spec = effect_section.chart(figures, theme).to_dict()
    rows = next(rows for rows in spec["datasets"].values() if "estimate" in rows[0])
    assert [(row["name"], row["estimate"]) for row in rows] == [("As drawn by lot", 15), ("As visited", 10)]
    assert [(row["low"], row["high"]) for row in rows] == [(-5, 30)] * 2
    words = effect_section.alt(figures)
    assert "as drawn by lot: +15 percentage points, interval −5 to +30" in words


def keep(database, row_of, **fields) -> None:
    """Write a row with its content and hash as the worker would have left it."""
    text = canonical(fields.pop("content"))
    with database.session() as session:
        session.add(row_of(content=text, content_hash=sha256(text), created_at=clock.now(), **fields))


@pytest.fixture
def assessed(database, released):
    """The body of nine rounds, of which three are assessed."""
    with database.reading() as session:
        rounds = session.exec(select(Round.id).where(Round.body_id == released.body_id).limit(3)).all()
    for round_id in rounds:
        keep(
            database,
            Assessment,
            body_id=released.body_id,
            round_id=round_id,
            software="0.1.0",
            content=risk_content.content(),
        )
    return released


def test_the_page_shows_what_is_stored_to_lead_and_council(database, assessed, frame, said):
    """Until something is stored the page says that it is being worked out; then lead and council find the figures, and the
    power of as many visits as they ask about."""

    def open_page(actor) -> AppTest:
        app = frame(actor).run()
        app.switch_page(str(frame_tools.PAGES / "outreach.py"))
        app.session_state["outreach_tabs"] = effect_section.TITLE
        app.run()
        assert not app.exception
        return app

    early = said(open_page(assessed.council))
    assert "Being worked out" in early and "Look again in a minute" in early
    assert "As visited" not in early and "regression to the mean" not in early
    with database.reading() as session:
        wanted = basis.now(session, [assessed.body_id])[assessed.body_id]
    kept = {name: value for name, value in asdict(EVALUATION).items() if name != "power"}
    power = {"share": {"practices": 40, "variance": 0.05}, "score": {"practices": 22, "variance": 0.36}}
    keep(
        database,
        OutreachEvaluation,
        body_id=assessed.body_id,
        basis=wanted,
        content={"software": "0.1.0", "said": kept, "power": power, "effects": {}},
    )
    for actor in (assessed.lead, assessed.council):
        app = open_page(actor)
        found = said(app)
        assert "As drawn by lot. share lot in a sentence." in found and REGRESSION in found
        assert "8 visits before the next round can show an effect only if it is very large" in found
        assert "Being worked out" not in found
        app.number_input(key=effect_section.VISITS_KEY).set_value(20).run()
        assert "20 visits before the next round can show" in said(app)
