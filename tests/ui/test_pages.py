"""The result pages, drawn from real releases in both databases."""

from __future__ import annotations

import json

import pytest

from engagement.ui import frame_tools


@pytest.fixture
def open_page(frame):
    """A maker of a page for an actor: `open_page(actor, "gap.py")`, with what the address asks for."""

    def opener(actor, file, **query):
        app = frame(actor).run()
        app.switch_page(str(frame_tools.PAGES / file))
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()

    return opener


def charts_of(app) -> list:
    return [element.proto for element in app.get("vega_lite_chart")]


def links_of(app) -> list[str]:
    return [link.url for link in app.link_button]


def test_a_new_body_reads_its_first_steps_with_links_for_the_lead(stored, frame, said):
    """Without rounds the lead is led from roster to launch, and others are told what to expect."""
    app = frame(stored.lead).run()
    assert not app.exception
    assert "1. Bring in the practices and members." in said(app)
    assert {"Import the roster", "Launch a round"} <= {link.value for link in app.page_link}
    app = frame(stored.council).run()
    assert "Your engagement lead sets it up." in said(app) and not app.page_link


def test_an_open_round_says_no_more_than_the_bodys_total(database, stored, frame, said, store_round):
    """While a round is open there is its closing time and nothing that looks like a result."""
    store_round(database, stored.body_id, 1, "open")
    app = frame(stored.lead).run()
    assert "Round 1 is open until" in said(app) and "Results appear after it has closed" in said(app)
    assert not app.table and not charts_of(app)


@pytest.mark.parametrize("state", ["closing", "mixed"])
def test_a_closed_round_without_release_is_being_checked(
    database, released, frame, open_page, said, store_round, state
):
    """Between close and release both result pages say so, beside the results of the rounds before."""
    store_round(database, released.body_id, 10, state)
    app = frame(released.council).run()
    assert "Round 10 has closed and is being checked" in said(app)
    assert "In round 9, 80% of leaders and 20% of grassroots members agreed" in said(app)
    assert "Round 10 has closed and is being checked" in said(open_page(released.council, "gap.py"))


def test_trouble_is_for_the_lead(database, released, frame, said, store_round):
    """A round that is stuck is told to the person who can do something about it, and not to readers."""
    store_round(database, released.body_id, 10, "mixed", trouble="The worker found no key.")
    assert "The worker found no key." in said(frame(released.lead).run())
    assert "The worker found no key." not in said(frame(released.council).run())


def test_the_overview_says_the_gap_its_ranges_and_its_change(released, frame, said):
    """Each headline question has its sentence, a chart with an alternative, four ranges by name, and a verdict."""
    app = frame(released.council).run()
    assert not app.exception
    text = said(app)
    assert "a gap of 65 points (between 35 and 80 points had every member answered)" in text
    for question in (
        "Had every member on the roster answered",
        "For comparing with other rounds",
        "Worst case",
    ):
        assert text.count(question) == 2
    assert text.count("No clear change since round 8.") == 2
    assert "About 55% took part in round 9" in text
    charts = charts_of(app)
    assert len(charts) == 2 and all("In round 9" in chart.alt for chart in charts)


def test_downloads_go_through_the_export_route(released, frame):
    """The newest release is offered with all its charts, as CSV and as JSON at the addresses that check and log."""
    urls = links_of(frame(released.council).run())
    assert [url.rsplit(".", 1)[1] for url in urls] == ["zip", "csv", "json"]
    assert all(url.startswith("/export/release/") for url in urls)


def test_the_gap_page_draws_the_question_of_the_address(released, frame, open_page, said):
    """The question in the address is the one drawn; another choice draws another."""
    app = open_page(released.council, "gap.py", item="Knows its aims")
    assert not app.exception
    assert "Leaders are at least 30 points ahead of grassroots members in round 9" in said(app)
    app.selectbox(key="item").select("owned").run()
    assert "Leaders are 65 points ahead of grassroots members in round 9" in said(app)
    assert (
        open_page(released.council, "gap.py", item="no such question").selectbox(key="item").value == "owned"
    )


def test_the_gap_page_has_two_charts_their_words_and_their_tables(released, open_page, said):
    """Both charts have an alternative in words, and the tables hold every round with hidden told from zero."""
    app = open_page(released.council, "gap.py")
    assert [chart.alt.split(".")[0] for chart in charts_of(app)] == ["Line chart", "Line chart of the gap"]
    shares = app.table[0].value
    assert list(shares.iloc[:, 0]) == [str(number) for number in range(9, 0, -1)]
    assert "not published" in shares.to_csv() and "80% (45 to 100)" in shares.to_csv().replace("\\", "")
    assert "Wording 1, rounds 1 to 6" in said(app).replace("\\", "")
    assert "Wording 2, rounds 7 to 9" in said(app).replace("\\", "")


def test_published_figures_are_said_to_answer_a_similar_question(released, open_page, said):
    """Figures of other bodies are drawn and listed as such where the wording names a parallel, else not at all."""
    app = open_page(released.council, "gap.py")
    assert "Published elsewhere: similar question, other bodies" in said(app)
    assert "diamond" in charts_of(app)[0].spec
    app.selectbox(key="item").select("informed").run()
    assert "Published elsewhere" not in said(app)
    assert "diamond" not in charts_of(app)[0].spec


def test_a_body_without_releases_has_an_empty_gap_page(stored, open_page, said):
    """Before the first release the page says when its first point appears."""
    app = open_page(stored.council, "gap.py")
    assert not app.exception and "The first point appears once" in said(app) and not charts_of(app)


def test_charts_carry_the_one_style_in_dark_too(released, frame):
    """In the dark theme charts have the dark ground and light ink."""
    app = frame(released.council)
    app.context = {"theme": "dark"}
    app.run()
    config = json.loads(charts_of(app)[0].spec)["config"]
    assert config["background"] == "#12181D" and config["axis"]["labelColor"] == "#F0F4F5"


def test_practices_are_shown_in_bands_with_their_names(released, open_page, said):
    """Each practice has its name and its band of the last rounds, the signs are explained, no count of people."""
    app = open_page(released.council, "practices.py")
    assert not app.exception
    table = app.table[0].value
    assert list(table.columns) == ["Practice", "Round 9", "Round 8", "Round 7"]
    assert "Practice 10" in table.to_csv() and "●" in table.to_csv()
    assert "● most: more than two thirds of those invited answered" in said(app).replace("\u00a0", " ")
    assert "12 practices with fewer than five people invited, taken together" in said(app)
    assert "after the second round has closed" in said(app)


def test_a_practice_name_cannot_load_an_image(released, open_page, said):
    """A name with Markdown in it reaches the table with every mark escaped."""
    text = said(open_page(released.council, "practices.py"))
    assert "tracker" in text and "![" not in text and "](http" not in text and "://tracker" not in text


def test_practices_can_be_narrowed_to_a_locality_and_a_band(released, open_page):
    """The choosers keep one locality and one band of the newest round."""
    app = open_page(released.council, "practices.py")
    assert len(app.table) == 3
    app.selectbox(key="locality").select(1).run()
    assert len(app.table) == 2
    app.selectbox(key="band").select("most").run()
    newest = app.table[0].value["Round 9"]
    assert len(newest) and all("most" in cell for cell in newest)
    app.selectbox(key="rounds").select(9).run()
    assert "Round 1" in app.table[0].value.columns


def test_a_body_without_releases_has_an_empty_practices_page(stored, open_page, said):
    """Before the first release nothing is shown of any practice."""
    app = open_page(stored.council, "practices.py")
    assert not app.exception and "There is nothing to show yet" in said(app) and not app.table


@pytest.mark.parametrize("file", ["overview.py", "gap.py", "practices.py", "soundness.py"])
def test_no_page_raises_markdown_from_the_bodys_name(released, open_page, said, file):
    """The body's name is typed: nowhere on a page do its asterisks make italics."""
    text = said(open_page(released.council, file))
    assert "Example *Vale*" not in text
