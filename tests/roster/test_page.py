"""The Roster page through Streamlit's own test runner: what a lead sees, does and keeps on an error."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from engagement import clock
from engagement.access import Actor, Role
from engagement.messaging import bounces
from engagement.models import Body, Member, Practice
from engagement.roster import examples, people, standing
from engagement.ui import frame_tools
from engagement.words import words_of
from tests.roster.conftest import MEMBERS, PRACTICES

PAGE = Path(__file__).resolve().parents[2] / "pages" / "roster.py"
HOSTILE = "![x](https://evil.example/a.png)"


@pytest.fixture
def screen(database, lead, body_id, monkeypatch):
    """The page as the engagement lead of the body opens it."""

    def current():
        with database.reading() as session:
            body = session.get(Body, body_id)
        return SimpleNamespace(database=database, actor=lead, body=body, words=words_of(body.words))

    monkeypatch.setattr(frame_tools, "current", current)
    return AppTest.from_file(str(PAGE), default_timeout=60)


def texts(screen) -> str:
    return "\n".join(str(t.value) for t in [*screen.text, *screen.subheader, *screen.error, *screen.warning])


def table(screen, column: str):
    """The table that has this column."""
    return next(frame.value for frame in screen.dataframe if column in frame.value.columns)


def widget(found, key_start: str):
    """The widget whose key starts so."""
    return next(w for w in found if w.key and w.key.startswith(key_start))


def button(screen, label: str):
    return next(b for b in screen.button if b.label == label)


def upload(screen, kind: str, content: bytes, name: str = "file.csv"):
    widget(screen.radio, "roster_kind").set_value(kind).run()
    widget(screen.file_uploader, f"roster_file_{kind}").set_value((name, content, "text/csv")).run()
    assert not screen.exception


def no_markdown_of(screen, text: str) -> None:
    """Nothing that Streamlit takes as Markdown holds the text unescaped; a selectbox shows its options as plain text."""
    shown = [
        m.value for m in [*screen.markdown, *screen.caption, *screen.warning, *screen.error, *screen.info]
    ]
    shown += [h.value for h in [*screen.title, *screen.subheader]]
    shown += [tab.label for tab in screen.tabs]
    for name in ("selectbox", "radio", "button", "text_input", "date_input", "number_input", "checkbox"):
        for element in getattr(screen, name):
            shown += [element.label, element.proto.help]
            if name == "radio":
                shown += element.options
    assert shown and not [s for s in shown if text in s]


def test_an_empty_roster_says_what_to_do_first(screen):
    """With nothing on it, the page offers the import and no empty tables."""
    screen.run()
    assert not screen.exception
    assert "The roster is empty" in texts(screen) and "Import the practices first" in texts(screen)
    assert len(screen.dataframe) == 0 and len(screen.download_button) == 1


def test_files_are_previewed_and_imported(screen, database, body_id):
    """A file is shown line by line, imported with one press, and the result is said and seen."""
    screen.run()
    upload(screen, "practices", PRACTICES)
    assert "3 practices would be added." in texts(screen)
    assert list(table(screen, "Detail")["What"]) == ["Add"] * 3
    with database.reading() as session:
        assert session.exec(select(Practice)).all() == []
    button(screen, "Import these 3 changes").click().run()
    assert "✓ file.csv: 3 practices added." in texts(screen)
    assert list(table(screen, "List size")["Code"]) == ["P1", "P2", "P3"]
    upload(screen, "members", MEMBERS)
    button(screen, "Import these 3 changes").click().run()
    assert list(table(screen, "Number")["Number"]) == ["M1", "M2", "M3"]
    assert "Open: 3 practices. To be invited: leaders 0, grassroots members 2, staff 0, others 1." in texts(
        screen
    )


def test_a_refused_line_stands_first_and_stops_the_import(screen, stocked):
    """While a line is refused there is no import button, and the refusals can be taken away as a file."""
    screen.run()
    upload(
        screen, "members", b"member_id,practice_id,role,name\nM5,P1,GP partner,Good\nM6,P77,GP partner,=1+1\n"
    )
    shown = table(screen, "Detail")
    assert (shown["What"].iloc[0], shown["Line"].iloc[0]) == ("Refused", 3)
    assert not [b for b in screen.button if b.label.startswith("Import")]
    assert "Nothing can be imported while a line is refused" in texts(screen)
    assert "file.csv, line 3: M6: practice_id P77 is no practice of this body" in texts(screen)
    assert 'file.csv, line 3: M6: name starts with "="' in texts(screen)
    assert widget(screen.download_button, "roster_refused")


def test_refusals_download_safely(stocked):
    """The list of refused lines has line numbers and runs nothing in a spreadsheet."""
    preview = stocked.members(b"member_id,practice_id,role,name\n=M6,P1,GP partner,=1+1\n")
    rows = list(csv.reader(io.StringIO(examples.refusals(preview).decode("utf-8-sig"))))
    assert rows[0][0] == "line" and rows[1][:3] == ["2", "'=M6", "'=1+1"]


def test_a_roster_that_changed_gets_a_new_preview(screen, stocked, lead):
    """When somebody else was quicker, nothing is imported and the page shows the file against the new roster."""
    screen.run()
    upload(screen, "members", MEMBERS + b"M4,P3,Locum GP,Di,\n")
    with stocked.database.session() as session:
        people.add_person(session, lead, stocked.body_id, ref="M9", role="chair", name="Quick")
    button(screen, "Import this change").click().run()
    assert not screen.exception
    assert "Nothing was imported" in texts(screen) and "Run the preview again" in texts(screen)
    assert "M9" in list(table(screen, "Detail")["Code or number"])
    button(screen, "Import this change").click().run()
    assert "✓ file.csv: 1 person added." in texts(screen)


def test_a_person_is_added_and_nothing_is_lost_on_an_error(screen, stocked):
    """A form that is refused keeps what was typed; once it is taken it starts empty."""
    screen.run()
    widget(screen.radio, "roster_person_task").set_value("Add a person").run()
    widget(screen.text_input, "rm_ref").input("M4")
    widget(screen.text_input, "rm_name").input("Di")
    widget(screen.text_input, "rm_email").input("not an address")
    widget(screen.selectbox, "rm_role").set_value("chair")
    button(screen, "Add").click().run()
    assert "is not an e-mail address" in texts(screen)
    assert (widget(screen.text_input, "rm_ref").value, widget(screen.text_input, "rm_name").value) == (
        "M4",
        "Di",
    )
    widget(screen.text_input, "rm_email").input("di@example.org")
    button(screen, "Add").click().run()
    assert "✓ Di was added." in texts(screen)
    assert widget(screen.text_input, "rm_ref").value == ""
    shown = table(screen, "Number")
    assert list(shown[shown["Number"] == "M4"]["Counts as"]) == ["Leaders"]


def chosen_person(screen, task: str, ref: str, database) -> None:
    widget(screen.radio, "roster_person_task").set_value(task).run()
    with database.reading() as session:
        member = session.exec(select(Member.id).where(Member.ref == ref)).one()
    widget(screen.selectbox, "roster_person_chosen").set_value(member).run()


def test_a_person_is_moved_from_a_date(screen, stocked, database, body_id):
    """A new role from a date is seen from that date on, and not before."""
    screen.run()
    chosen_person(screen, "Change role or place", "M1", database)
    widget(screen.selectbox, "rm_Change role or place").set_value("chair")
    widget(screen.date_input, "rm_Change role or place").set_value(date(2026, 3, 1))
    button(screen, "Change").click().run()
    assert "✓ Ann (M1) was changed from 1 March 2026." in texts(screen)
    with database.reading() as session:
        found = [
            {p.ref: p.role for p in standing.at(session, body_id, day, 1)}["M1"]
            for day in (date(2026, 2, 28), date(2026, 3, 1))
        ]
    assert found == ["gp_partner", "chair"]


def test_ending_asks_first(screen, stocked, database, body_id):
    """Ending a membership happens only after the second press, and can be called off."""
    screen.run()
    for press, there in (("Do not change anything", True), ("End the membership", False)):
        chosen_person(screen, "End membership", "M1", database)
        widget(screen.date_input, "rm_End membership").set_value(date(2020, 1, 1))
        button(screen, "End membership").click().run()
        assert "Ann (M1) will not be invited to rounds launched from 1 January 2020" in texts(screen)
        with database.reading() as session:
            assert "M1" in [p.ref for p in standing.at(session, body_id, clock.today(), 1)]
        button(screen, press).click().run()
        with database.reading() as session:
            assert ("M1" in [p.ref for p in standing.at(session, body_id, clock.today(), 1)]) is there
    assert "✓ The membership of Ann (M1) ends on 1 January 2020." in texts(screen)


def test_closing_a_practice_says_what_happens_to_its_people(screen, stocked, database):
    """The question before a closing names the date, the people and where they go; then it is done."""
    screen.run()
    with database.reading() as session:
        ids = dict(session.exec(select(Practice.code, Practice.id)).all())
    widget(screen.radio, "roster_practice_task").set_value("Close or merge").run()
    widget(screen.selectbox, "roster_practice_chosen").set_value(ids["P1"]).run()
    widget(screen.date_input, "rp_Close or merge").set_value(date(2026, 3, 1))
    widget(screen.selectbox, "rp_Close or merge").set_value(ids["P2"])
    button(screen, "Close").click().run()
    assert (
        "First Surgery (P1) will be closed from 1 March 2026. Its 1 person will belong to Second Surgery (P2) from then."
        in texts(screen)
    )
    button(screen, "Close it").click().run()
    assert "✓ First Surgery (P1) is closed from 1 March 2026." in texts(screen)
    with database.reading() as session:
        first = session.get(Practice, ids["P1"])
    assert (first.closed, first.successor_id) == (date(2026, 3, 1), ids["P2"])


def test_a_practice_is_added_and_corrected(screen, stocked, database):
    """A practice added on the page can be corrected there; the form starts from what is held."""
    screen.run()
    widget(screen.radio, "roster_practice_task").set_value("Add").run()
    widget(screen.text_input, "rp_code").input("P9")
    widget(screen.text_input, "rp_name").input("Ninth")
    button(screen, "Add").click().run()
    assert "✓ Ninth (P9) was added." in texts(screen)
    with database.reading() as session:
        ninth = session.exec(select(Practice.id).where(Practice.code == "P9")).one()
    widget(screen.radio, "roster_practice_task").set_value("Correct").run()
    widget(screen.selectbox, "roster_practice_chosen").set_value(ninth).run()
    name = next(t for t in screen.text_input if t.key.endswith("_name") and t.value == "Ninth")
    name.input("Ninth Surgery")
    button(screen, "Save").click().run()
    assert "Ninth Surgery" in list(table(screen, "List size")["Name"])


def test_a_roles_standing_is_changed(screen, stocked):
    """The table of roles shows the arm of each and takes a new one."""
    screen.run()
    widget(screen.selectbox, "roster_role").set_value("practice_manager").run()
    widget(screen.radio, "roster_role_standing").set_value("staff")
    button(screen, "Save").click().run()
    assert "✓ Practice manager now counts as: staff." in texts(screen)
    shown = table(screen, "People at this date")
    assert list(shown[shown["Role"] == "Practice manager"]["Counts as"]) == ["Staff"]


def test_the_date_decides_what_is_shown(screen, stocked, lead, database):
    """An earlier date shows who was there then, and search narrows the table."""
    with database.session() as session:
        member = session.exec(select(Member.id).where(Member.ref == "M1")).one()
        people.end_person(session, lead, stocked.body_id, member, date(2026, 3, 1))
    screen.run()
    widget(screen.date_input, "roster_day").set_value(date(2026, 2, 28)).run()
    assert "M1" in list(table(screen, "Number")["Number"])
    widget(screen.date_input, "roster_day").set_value(date(2026, 3, 1)).run()
    assert list(table(screen, "Number")["Number"]) == ["M2", "M3"]
    widget(screen.text_input, "roster_people_search").input("practice manager bo").run()
    assert list(table(screen, "Number")["Number"]) == ["M2"]


def test_hostile_text_reaches_no_markdown(screen, stocked, lead, database, body_id):
    """Names that are images, formulas or reversed text are shown as text, in labels too."""
    with database.session() as session:
        session.get(Body, body_id).words = {"practices": HOSTILE, "practice": HOSTILE, "leaders": HOSTILE}
        session.get(Body, body_id).name = HOSTILE
        practice = session.exec(select(Practice).where(Practice.code == "P1")).one()
        practice.name = HOSTILE
        practice.closed = date(2020, 1, 1)
        session.exec(select(Member).where(Member.ref == "M1")).one().name = HOSTILE
    screen.run()
    chosen_person(screen, "Change role or place", "M1", database)
    assert not screen.exception
    no_markdown_of(screen, "![x](")
    upload(
        screen,
        "members",
        f"member_id,practice_id,role,name\nM7,P2,{HOSTILE},{HOSTILE}\n".encode(),
        f"{HOSTILE}.csv",
    )
    no_markdown_of(screen, "![x](")
    assert HOSTILE in list(table(screen, "Detail")["Name"])


def test_others_are_told_who_may(screen, database, body_id, monkeypatch):
    """Somebody without the role gets a calm refusal and no names."""
    monkeypatch.setattr(
        frame_tools,
        "current",
        lambda: SimpleNamespace(
            database=database,
            actor=Actor("C", roles=frozenset({(body_id, Role.COUNCIL)})),
            body=SimpleNamespace(id=body_id, name="B"),
            words=words_of({}),
        ),
    )
    screen.run()
    assert not screen.exception and "Only the engagement lead can do this." in texts(screen)
    assert len(screen.dataframe) == 0


def test_an_address_that_gets_no_mail_is_corrected_in_place(screen, stocked):
    """Whose mail came back is listed with the address; the same one is not taken, and a new one ends the matter."""
    with stocked.database.session() as session:
        bounces.bounced(session, Actor.operator(), "bo@example.org", hard=True)
    screen.run()
    assert "Mail cannot be delivered" in [heading.value for heading in screen.subheader]
    assert "Mail cannot be delivered to 1 person: correct the address under People." in texts(screen)
    shown = next(
        frame.value for frame in screen.dataframe if list(frame.value) == ["Number", "Name", "E-mail"]
    )
    assert shown.to_numpy().tolist() == [["M2", "Bo", "bo@example.org"]]
    button(screen, "Save this address").click().run()
    assert "Enter another" in screen.error[0].value
    widget(screen.text_input, "rm_address").set_value("bo@surgery.example")
    button(screen, "Save this address").click().run()
    assert not screen.exception and "✓ Bo (M2) was corrected." in texts(screen)
    assert "Mail cannot be delivered" not in [heading.value for heading in screen.subheader]
    with stocked.database.reading() as session:
        found = session.exec(select(Member).where(Member.ref == "M2")).one()
        assert (found.name, found.email) == ("Bo", "bo@surgery.example")
