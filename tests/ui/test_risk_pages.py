"""The pages of the risk model, drawn from real assessments in both databases."""

from __future__ import annotations

import re

import pytest
from sqlmodel import select

from engagement import clock
from engagement.access import audit
from engagement.assessments import meetings
from engagement.models import Assessment, AuditEntry, Round
from engagement.ui import frame_tools, risk_words
from tests.ui import risk_content

# What a page of one practice may never hold: a number of people.
COUNT = re.compile(r"\b\d+ (people|members|person|answers|answered|invited)\b")


def store(database, body_id: int, content: dict) -> None:
    """Write an assessment as the worker would have left it, on the body's newest round."""
    text = audit.canonical(content)
    with database.session() as session:
        round_id = session.exec(
            select(Round.id).where(Round.body_id == body_id).order_by(Round.number.desc())
        ).first()
        session.add(
            Assessment(
                body_id=body_id,
                round_id=round_id,
                content=text,
                content_hash=audit.sha256(text),
                software="0.1.0",
                created_at=clock.now(),
            )
        )


@pytest.fixture
def assessed(database, released):
    """The body of nine released rounds with an assessment of its thirty practices."""
    store(database, released.body_id, risk_content.content())
    return released


@pytest.fixture
def open_page(frame):
    """A maker of a page for an actor, with what the address asks for."""

    def opener(actor, file, **query):
        app = frame(actor).run()
        app.switch_page(str(frame_tools.PAGES / file))
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()

    return opener


def charts_of(app) -> list:
    return [element.proto for element in app.get("vega_lite_chart")]


def table_with(app, column: str):
    return next(table.value for table in app.table if column in table.value.columns)


def plain(text: str) -> str:
    """What was said, without the marks that keep Markdown out."""
    return text.replace("\\", "").replace("\u2060", "").replace("\u00a0", " ")


def test_practices_are_led_by_a_sentence_and_a_map_with_words(assessed, open_page, said):
    """The page says how many are clearly withdrawn, what silence means here, and gives the map in words and numbers."""
    app = open_page(assessed.council, "practices.py")
    assert not app.exception
    content, text = risk_content.content(), plain(said(app))
    words = {"practice": "practice", "practices": "practices", "body": "CCG"}
    assert risk_words.headline(content, words) in text
    assert risk_words.correlation(content, words) in text and risk_words.price(content, words) in text
    assert [chart.alt.split(" ")[0] for chart in charts_of(app)] == ["Map", "Grid"]
    table = table_with(app, "Rank of 30")
    assert len(table) == 8 and table.columns[0] == "Practice"
    assert "1st to " in table.iloc[0, 2]
    assert "For a visit" in text and "For chasing answers" in text and "Who took part" in text


def test_names_reach_map_lists_and_tables_without_markdown(assessed, open_page, said):
    """A name that is an image in Markdown is escaped wherever Markdown would be read."""
    app = open_page(assessed.council, "practices.py", sort="Name")
    app.selectbox(key="look_at").select("Y00007").run()
    text = said(app) + "".join(link.label for link in app.page_link)
    assert "![" not in text and "](http" not in text and "://tracker" not in text


def test_practices_narrow_to_a_locality_and_a_segment_by_the_address(assessed, open_page):
    """Locality and segment are taken from the address and keep map and table to them."""
    app = open_page(assessed.council, "practices.py", segment="Not clear", locality="South Vale")
    assert app.selectbox(key="segment").value == risk_words.UNCLEAR
    assert app.selectbox(key="locality").value == 2
    rows = table_with(app, "Rank of 30")
    assert len(rows) and all(cell.startswith(("Not clear", "Moving")) for cell in rows["Segment"])
    south = {f"Y{number:05d}" for number in range(1, 31, 2)}
    shown = [each for each in risk_words.practices(risk_content.content(), []) if each.code in south]
    fits = sum(each.kind == risk_words.UNCLEAR for each in shown)
    assert charts_of(app)[0].alt.startswith(f"Map of {fits} practices")


@pytest.mark.parametrize("sort, column", [("silence", "Nobody answers"), ("name", "Practice")])
def test_the_table_sorts_by_choice(assessed, open_page, sort, column):
    """The table comes in the order that was asked for."""
    app = open_page(assessed.council, "practices.py")
    before = list(table_with(app, "Rank of 30")["Practice"])
    app.selectbox(key="sort").select(sort).run()
    table = table_with(app, "Rank of 30")
    assert list(table["Practice"]) != before
    if sort == "name":
        assert list(table["Practice"]) == sorted(table["Practice"], key=str.casefold)
    else:
        content = risk_content.content()
        most = max(row["p_silent_next"] for row in content["practices"])
        assert plain(table[column].iloc[0]) == risk_words.percent(most)


def test_the_two_lists_lead_to_the_practices(assessed, open_page):
    """Eight stand on each list with a link to their page; the lists are in different orders."""
    app = open_page(assessed.council, "practices.py")
    links = [link for link in app.page_link if "practice=" in (link.query_string or "")]
    assert len(links) == 16
    visit, chase = ([link.query_string for link in part] for part in (links[:8], links[8:]))
    assert visit != chase


@pytest.mark.parametrize("rounds, waits", [(None, True), (1, True), (2, False)])
def test_segments_wait_for_the_second_round(database, released, open_page, said, rounds, waits):
    """Without an assessment, and with one round, the page says when segments appear; from two it is provisional."""
    if rounds:
        store(database, released.body_id, risk_content.content(rounds))
    app = open_page(released.council, "practices.py")
    assert not app.exception
    assert ("after the second round has closed" in said(app)) == waits
    assert any("Provisional" in warning.value for warning in app.warning) != waits
    assert bool(charts_of(app)) != waits


def test_where_silence_says_nothing_practices_without_own_answers_are_not_ranked(
    database, released, open_page, said
):
    """With group evidence alone and no correlation there is no list of visits, and the page says why."""
    content = risk_content.content(agreeing=0.0)
    content["correlation"] = {"c": 0.1, "low": -0.1, "high": 0.3}
    store(database, released.body_id, content)
    text = plain(said(open_page(released.council, "practices.py")))
    assert "silence says little about attitude" in text and "cannot be ranked at all" in text
    assert "Visit in a random order" in text


def test_one_practice_says_where_it_stands_and_no_count(assessed, open_page, said):
    """Segment by rule, rank with its interval, forecast, history and participation in bands, and never a count."""
    app = open_page(assessed.council, "practice.py", practice="Y00003")
    assert not app.exception
    row = next(r for r in risk_content.content()["practices"] if r["practice_id"] == "Y00003")
    text = plain(said(app))
    assert risk_words.standing_headline(row) in text and f"{risk_words.rank(row)} of 30" in text
    assert risk_words.strip_sentence(row) in text and "South Vale" in text
    assert [chart.alt for chart in charts_of(app)] == [risk_words.strip_sentence(row)]
    assert len(table_with(app, "Took part")) == 9
    assert not COUNT.search(text)


def test_the_address_names_the_practice(assessed, open_page):
    """The page opens on the practice of the address, and choosing another puts that one into the address."""
    app = open_page(assessed.council, "practice.py", practice="Y00003")
    assert app.selectbox(key="practice_chosen").value == "Y00003"
    app.selectbox(key="practice_chosen").select("Y00005").run()
    assert app.query_params["practice"] == "Y00005" and app.title[0].value == "Practice 5"
    app = open_page(assessed.council, "practice.py", practice="nowhere")
    assert not app.exception and app.selectbox(key="practice_chosen").value is None


def test_a_practice_without_assessment_shows_what_is_open(released, open_page, said):
    """Before the second round a practice's page says when segments appear, beside its participation."""
    app = open_page(released.council, "practice.py", practice="Y00003")
    assert not app.exception and "appear after the second round" in said(app)
    assert len(table_with(app, "Took part")) == 9 and not charts_of(app)


def test_forecasts_are_judged_in_aggregate_only(assessed, open_page, said):
    """The page has calibration, rules to beat, kinds, both lists, warnings and the card, and names no practice."""
    app = open_page(assessed.council, "forecasts.py")
    assert not app.exception
    text = said(app)
    assert not re.search(r"Practice \d|Y000", text)
    models = table_with(app, "We are ahead by")
    assert models["Rule"].iloc[0] == "These forecasts" and len(models) == 6
    assert "Early warning of newly disengaged practices is weak" in text
    assert "not known, as the roster does not say it" in plain(text)
    assert len(table_with(app, "For chasing")) == len(
        risk_content.content()["performance"]["visits"]["roster"]
    )


def test_before_three_rounds_there_is_nothing_to_judge(database, released, open_page, said):
    """With two rounds the page says what it takes, and still shows limits and card."""
    store(database, released.body_id, risk_content.content(2))
    app = open_page(released.council, "forecasts.py")
    assert not app.exception and "It takes three closed rounds" in said(app)
    assert not app.table and "contract action" in said(app)


@pytest.mark.parametrize("file", ["practices.py", "practice.py", "forecasts.py"])
def test_strangers_see_nothing(assessed, open_page, said, frame, file):
    """Somebody of another body is refused calmly on every page and reads no figure."""
    app = frame(assessed.stranger).run()
    app.switch_page(str(frame_tools.PAGES / file)).run()
    assert not app.exception and "This is not here" in [s.value for s in app.subheader]
    assert not app.table and not charts_of(app)


def test_meetings_are_the_leads(assessed, frame):
    """Readers have no page to log meetings on."""
    app = frame(assessed.council).run()
    with pytest.raises(ValueError):
        app.switch_page(str(frame_tools.PAGES / "meetings.py"))


def test_a_meeting_is_logged_changed_and_removed(database, assessed, open_page, said):
    """Date, title and who came are saved in one go; a change and a confirmed removal follow, each in the audit log."""
    app = open_page(assessed.lead, "meetings.py")
    assert not app.exception and "No meeting is logged yet." in said(app)
    app.text_input(key="meetings_new_0_title").input("Council *of* members")
    app.multiselect(key="meetings_new_0_who").select("Y00001").select("Y00002").run()
    app.number_input(key="meetings_new_0_people_Y00002").set_value(3)
    app.button(key="meetings_save").click().run()
    assert not app.exception and "was saved, with 2 practices" in said(app)
    assert "*of*" not in table_with(app, "Title").to_csv()
    found = log_of(database, assessed)
    assert found[0].people == {"Y00001": 1, "Y00002": 3} and found[0].date == clock.today()

    app.selectbox(key="meetings_chosen_1").select(found[0].id).run()
    app.multiselect(key=f"meetings_change_{found[0].id}_1_who").unselect("Y00001").run()
    app.button(key="meetings_record").click().run()
    assert log_of(database, assessed)[0].people == {"Y00002": 3}

    app.selectbox(key="meetings_chosen_2").select(found[0].id).run()
    app.button(key="meetings_remove").click().run()
    assert log_of(database, assessed)
    app.button(key="meetings_remove_yes").click().run()
    assert not app.exception and log_of(database, assessed) == []
    with database.reading() as session:
        actions = session.exec(select(AuditEntry.action).where(AuditEntry.action.startswith("meeting"))).all()
    assert actions == ["meeting.add", "meeting.record", "meeting.record", "meeting.remove"]


def test_a_meeting_without_a_title_keeps_what_was_typed(database, assessed, open_page):
    """A refused meeting changes nothing, and the practices chosen stay chosen."""
    app = open_page(assessed.lead, "meetings.py")
    app.multiselect(key="meetings_new_0_who").select("Y00001").run()
    app.button(key="meetings_save").click().run()
    assert "There is a problem" in [s.value for s in app.subheader]
    assert app.multiselect(key="meetings_new_0_who").value == ["Y00001"] and log_of(database, assessed) == []


@pytest.mark.parametrize("practice, taken", [("Y00001", True), ("nobody", False)])
def test_attendance_is_imported_after_a_look_or_not_at_all(
    database, assessed, open_page, said, practice, taken
):
    """A file shows what it would do; a refused line is named and leaves nothing to press."""
    app = open_page(assessed.lead, "meetings.py")
    file = f"date,title,practice_id,people\n2026-03-12,Council,{practice},2\n".encode()
    app.file_uploader(key="meetings_file_0").upload("attendance.csv", file, "text/csv").run()
    assert not app.exception and "What this file would do" in [s.value for s in app.subheader]
    assert log_of(database, assessed) == []
    if not taken:
        assert "attendance.csv" in said(app) and not [b for b in app.button if b.key == "meetings_import"]
        return
    app.button(key="meetings_import").click().run()
    assert log_of(database, assessed)[0].people == {practice: 2}


def test_meetings_stand_on_the_practices_page_as_a_yes(database, assessed, open_page):
    """A practice's page says whether somebody came, not how many."""
    with database.session() as session:
        meeting = meetings.add(session, assessed.lead, assessed.body_id, date=clock.today(), title="Council")
        meetings.record(session, assessed.lead, meeting.id, {"Y00003": 4})
    came = table_with(open_page(assessed.council, "practice.py", practice="Y00003"), "Came")
    assert list(came["Came"]) == ["yes"] and "4" not in came[["Meeting", "Came"]].to_csv(index=False)


def log_of(database, people) -> list:
    with database.reading() as session:
        return meetings.all(session, people.lead, people.body_id)
