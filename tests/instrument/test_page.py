"""The Instrument page: choosing, ordering, rewording with a warning, previewing, comparing."""

from __future__ import annotations

import pytest
from sqlmodel import select

from engagement import instrument
from engagement.instrument import bank
from engagement.models import Body
from tests.instrument.test_bank import CORE

PAGE = "instrument.py"


def texts(at) -> str:
    return "\n".join(element.value for element in at.text)


def chosen(database, setting) -> instrument.InstrumentView:
    with database.reading() as session:
        return instrument.instrument_of(session, setting.lead, setting.body)


def wording(database, setting, key: str) -> instrument.ItemView:
    with database.reading() as session:
        return next(i for i in instrument.items(session, setting.lead, setting.body) if i.key == key)


def labelled(elements, start: str):
    return next(element for element in elements if element.label.startswith(start))


def pick(box, part: str):
    return box.select_index([part in str(option) for option in box.options].index(True))


def propose(at, text: str):
    at.text_area[0].set_value(text)
    return labelled(at.button, "Compare").click().run()


def test_lead_reorders_and_saves(open_page, database, setting):
    """Moving an item changes nothing stored until the choice is saved."""
    at = open_page(PAGE, setting.lead, setting.body)
    assert not at.exception
    at.button(key="instrument_down_owned").click().run()
    assert chosen(database, setting).keys == tuple(CORE) and "not saved yet" in texts(at)
    at.button(key="instrument_save").click().run()
    assert chosen(database, setting).keys[:2] == ("decisions_members", "owned")
    assert "The choice is saved" in texts(at) and "not saved yet" not in texts(at)


def test_lead_adds_removes_and_marks(open_page, database, setting):
    """Items come from the bank and go back to it, and headline marks are stored with the choice."""
    at = open_page(PAGE, setting.lead, setting.body)
    at.button(key="instrument_drop_legitimate").click().run()
    pick(at.selectbox(key="instrument_add"), "Has the time")
    at.button(key="instrument_take").click().run()
    at.checkbox(key="instrument_headline_time").check().run()
    at.button(key="instrument_save").click().run()
    assert not at.exception
    stored = chosen(database, setting)
    assert "legitimate" not in stored.keys and stored.keys[-1] == "time"
    assert stored.headline == ("owned", "decisions_members", "time")


def test_choice_with_faults_is_refused_on_the_page(open_page, database, setting):
    """More headline items than allowed get a clear line, and nothing is stored."""
    at = open_page(PAGE, setting.lead, setting.body)
    for key in ("influence", "informed"):
        at.checkbox(key=f"instrument_headline_{key}").check().run()
    assert "4 of at most 3 headline items" in texts(at)
    at.button(key="instrument_save").click().run()
    assert "Mark at most 3 headline items; there are 4" in texts(at)
    assert chosen(database, setting).headline == ("owned", "decisions_members")


def test_undo_forgets_the_draft(open_page, database, setting):
    """Undoing brings back the stored choice on the screen."""
    at = open_page(PAGE, setting.lead, setting.body)
    at.button(key="instrument_drop_informed").click().run()
    assert "instrument_up_informed" not in [button.key for button in at.button]
    at.button(key="instrument_undo").click().run()
    assert "instrument_up_informed" in [button.key for button in at.button]


def test_owned_cannot_be_left_out(open_page, setting):
    """The item whose gap every round measures offers no way out."""
    at = open_page(PAGE, setting.lead, setting.body)
    assert at.button(key="instrument_drop_owned").disabled
    assert not at.button(key="instrument_drop_influence").disabled


def test_rewording_shows_old_and_new_and_asks_before_the_trend_breaks(open_page, database, setting):
    """A new wording is stored only after old and new were shown side by side with the warning."""
    at = propose(open_page(PAGE, setting.lead, setting.body), "I own the {body}.")
    assert "I own the CCG." in texts(at) and "I feel that the CCG belongs" in texts(at)
    assert "trend line of this item breaks" in at.warning[0].value
    assert wording(database, setting, "owned").version == 1
    at.button(key="instrument_new_yes").click().run()
    assert not at.exception and "Version 2 of owned is made" in texts(at)
    assert wording(database, setting, "owned").rendered == "I own the CCG."


def test_rewording_can_be_left(open_page, database, setting):
    """Keeping the old version stores nothing and leaves the comparison."""
    at = propose(open_page(PAGE, setting.lead, setting.body), "I own the {body}.")
    at.button(key="instrument_new_no").click().run()
    assert not at.warning and wording(database, setting, "owned").version == 1


@pytest.mark.parametrize(
    ("text", "message"), [("I like {nothing}.", "not one of the words"), ("", "Enter the wording")]
)
def test_faulty_wording_is_explained_and_kept_on_the_screen(open_page, setting, text, message):
    """A wording that cannot be asked gets its error, and what was typed stays."""
    at = propose(open_page(PAGE, setting.lead, setting.body), text)
    assert message in texts(at) and at.text_area[0].value == text


def test_wording_changed_by_another_meanwhile_is_a_conflict_on_the_page(open_page, database, setting):
    """Confirming a comparison that is out of date stores nothing and says so."""
    at = propose(open_page(PAGE, setting.lead, setting.body), "I own the {body}.")
    with database.session() as session:
        instrument.new_wording(session, setting.lead, setting.body, "owned", "It is mine.")
    at.button(key="instrument_new_yes").click().run()
    assert "meanwhile" in texts(at)
    assert wording(database, setting, "owned").rendered == "It is mine."


def test_lead_adds_a_question_of_the_body(open_page, database, setting):
    """A question of the body's own is stored and offered for choosing."""
    at = open_page(PAGE, setting.lead, setting.body)
    labelled(at.text_input, "Key").set_value("burden")
    labelled(at.text_area, "Wording, one idea").set_value("I find the {body} a burden.")
    labelled(at.checkbox, "Agreeing is unfavourable").check()
    labelled(at.button, "Add the question").click().run()
    assert not at.exception and "The question burden is added" in texts(at)
    assert wording(database, setting, "burden").reverse
    assert any("burden" in option for option in at.selectbox(key="instrument_add").options)


@pytest.mark.parametrize("role", ["governing", "council"])
def test_readers_see_and_change_nothing(open_page, setting, role):
    """Other roles see the preview and the figures, and are offered nothing to change."""
    at = open_page(PAGE, getattr(setting, role), setting.body)
    assert not at.exception and not at.button and not at.text_area
    assert [tab.label for tab in at.tabs] == ["Preview", "Published figures"]


def test_stranger_sees_nothing(open_page, setting):
    """A lead of another body gets the calm page that there is nothing, and no item."""
    at = open_page(PAGE, setting.stranger, setting.body)
    assert at.subheader[0].value == "This is not here" and "CCG" not in texts(at)


def test_preview_reads_like_the_form(open_page, setting):
    """The preview holds every wording, its choices with the ways out, and the comment's warning."""
    shown = texts(open_page(PAGE, setting.council, setting.body))
    assert "1. I feel that the CCG belongs to its member practices." in shown
    assert "○ Strongly agree\n○ Agree\n○ Neither agree nor disagree\n○ Disagree\n○ Strongly disagree" in shown
    assert "○ I do not know\n○ I have not been in touch with the CCG" in shown
    assert "Do not name people" in shown


def test_published_figures_stand_with_source_and_caveat(open_page, setting):
    """The figures beside an item show what was asked, of whom, and what to take care of, as another question."""
    at = open_page(PAGE, setting.council, setting.body)
    figures = at.dataframe[0].value
    row = figures[(figures["Series"] == "GP Worklife Survey 2015") & (figures["Group"] == "leaders")].iloc[0]
    assert (row["Favourable"], row["Answers"]) == ("58%", "about 226")
    assert "BMJ Open" in texts(at) and "Take care: About 65%" in texts(at)
    assert "None of them asked this wording" in texts(at)
    assert "31 points ± 23" in set(figures["Favourable"]) and "“one in three”" in set(figures["Favourable"])
    at.selectbox(key="instrument_compared").select_index(CORE.index("informed")).run()
    assert "2015, leaders minus GPs without a formal role: The two rounded shares differ by 32." in texts(at)
    at.selectbox(key="instrument_compared").select_index(CORE.index("two_way")).run()
    assert not at.dataframe and "No published figure" in texts(at)


def test_body_without_items_is_set_up_from_the_page(open_page, database, setting):
    """A new body's lead puts the bank in with one button; a page never does it unasked."""
    with database.reading() as session:
        hill = session.exec(select(Body.id).where(Body.code == "HILL")).one()
    at = open_page(PAGE, setting.stranger, hill)
    assert [button.label for button in at.button] == ["Set up the item bank"]
    at.button[0].click().run()
    assert not at.exception
    with database.reading() as session:
        assert len(instrument.items(session, setting.stranger, hill)) == len(bank.bank())


def test_typed_text_never_becomes_markdown(open_page, database, setting):
    """A wording or key with an image or a link in it loads nothing and links nowhere, wherever it is shown."""
    trap = "I see ![x](https://evil.example/x.png) <b>and</b> [this](https://evil.example)."
    with database.session() as session:
        instrument.new_wording(
            session, setting.lead, setting.body, "owned", trap, not_applicable="![y](https://evil.example/y)"
        )
        instrument.add_own_item(session, setting.lead, setting.body, key="trap", text=trap)
    at = open_page(PAGE, setting.lead, setting.body)
    at = propose(at, trap + " More.")
    assert not at.exception
    shown = [*at.markdown, *at.caption, *at.warning, *at.subheader, *at.title, *at.error]
    labels = [element.label for kind in ("button", "checkbox", "selectbox") for element in at.get(kind)]
    for text in [*(element.value for element in shown), *labels]:
        assert "![" not in text and "](" not in text and "<b>" not in text
    assert trap in texts(at)
