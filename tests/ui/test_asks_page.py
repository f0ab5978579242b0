"""The page of asks, as each role sees and uses it."""

from __future__ import annotations

import pytest

from engagement.access import Actor, Role
from engagement.asks import answers, ledger, members, requests
from engagement.ui import asks as drawing
from engagement.ui import frame_tools
from engagement.words import words_of
from tests.asks.conftest import an_ask, make_town

HOSTILE = "Why? ![x](http://tracker.example/x.png) **now**"


@pytest.fixture
def town(config, database):
    """A body of four practices whose members have pages, with an ask that tries to be markup."""
    made = make_town(config, database)
    made.first = made.do(members.raise_ask, made.of(0), an_ask(HOSTILE, effect=HOSTILE, named=True))
    made.do(members.endorse, made.of(1), made.first, together=True)
    return made


@pytest.fixture
def open_page(frame):
    """A maker of the page for an actor."""

    def opener(actor, file="asks.py"):
        app = frame(actor).run()
        app.switch_page(str(frame_tools.PAGES / file))
        return app.run()

    return opener


@pytest.fixture
def plain(said):
    """A reader of all text of a page, without the marks that keep it from being Markdown."""
    return lambda app: said(app).replace("\\", "").replace("\u2060", "")


def labels(app) -> set[str]:
    return {button.label for button in app.button} | {each.label for each in app.expander}


def test_the_lead_answers_and_says_what_was_done(town, open_page, said, plain):
    """What practices typed stays characters; the answer and what was done stand there, a missing reason is asked for."""
    app = open_page(town.lead)
    assert not app.exception
    text = plain(app)
    assert HOSTILE in [each.value for each in app.text]
    assert not any("![" in str(each.value) for kind in ("markdown", "subheader") for each in app.get(kind))
    assert "Written by Person 1" in text and "1 ask: 1 waits for an answer" in text
    assert "Practice 1" in text

    def press(app, label):
        return next(button for button in app.button if button.label == label).click().run()

    press(app, "Send the answer")
    assert "Choose yes, in part or no" in said(app)
    app.radio[0].set_value("yes")
    app.text_area[0].set_value("We **will**")
    press(app, "Send the answer")
    assert not app.exception and "The answer was sent." in said(app)
    app.selectbox(key="asks_filter").select("agreed").run()
    assert "We **will**" in [each.value for each in app.text]
    app.text_area[0].set_value("Done on Tuesday")
    press(app, "It is done")
    assert town.do(ledger.listed, town.lead, town.body_id)[0].state == "done"


def test_readers_read_and_do_not_answer(town, open_page, plain):
    """Governing body and council read the ask and the balance, without a name, a form or a button to change anything."""
    for role in (Role.GOVERNING, Role.COUNCIL):
        app = open_page(town.actor(role))
        text = plain(app)
        assert not app.exception and "Endorsed by 1 practice" in text and "Person 1" not in text
        assert not labels(app) & {"Answer", "Send the answer", "Log a request", "Take it off"}
        assert len(app.get("vega_lite_chart")) == 1
        assert app.get("vega_lite_chart")[0].proto.alt.startswith("Bar chart of what is asked each way")
        assert "1: 1 waiting" in text


def test_others_of_the_body_have_no_such_page(town, frame):
    """A reviewer of comments is not led to asks, and has no way to them by the address."""
    with pytest.raises(ValueError):
        app = frame(Actor("R", frozenset({(town.body_id, Role.REVIEWER)}), bodies=(town.body_id,))).run()
        app.switch_page(str(frame_tools.PAGES / "asks.py"))
        app.run()


def test_the_lead_logs_what_the_body_asks(town, open_page, plain):
    """A request is logged for all practices, who gave it is noted, and it goes out of the log only when confirmed."""
    app = open_page(town.lead)
    app.text_input(key="asks_request_0_title").set_value("Winter plans").run()
    app.button(key="asks_log").click().run()
    (request,) = town.do(requests.logged, town.lead, town.body_id)
    assert request.title == "Winter plans" and len(request.given) == 4 and "not noted, of 4" in plain(app)
    app.selectbox(key="asks_picked_1").select(request.id).run()
    app.multiselect(key=f"asks_gave_{request.id}_1").select("Y00002").run()
    app.button(key="asks_given").click().run()
    assert "1 of 4" in plain(app)
    app.selectbox(key="asks_picked_2").select(request.id).run()
    app.button(key="asks_remove").click().run()
    assert town.do(requests.logged, town.lead, town.body_id)
    app.button(key="asks_remove_yes").click().run()
    assert not town.do(requests.logged, town.lead, town.body_id)


def test_the_council_reads_what_was_said_and_done(town, open_page, said):
    """The council's page says how asks stand and what was done, before there is any result to review."""
    town.do(answers.answer, town.lead, town.first, "no", "No *money*")
    app = open_page(town.actor(Role.COUNCIL), "council.py")
    text = said(app)
    assert not app.exception and "1 ask: 0 wait for an answer" in text and "We said no" in text
    assert "No *money*" in [each.value for each in app.text]


def test_the_balance_is_said_drawn_and_listed_alike():
    """The sentences, the chart's alternative and the table give the same counts, and no practices at all are no error."""
    words = words_of({})
    lines = [
        requests.Balance(1, "A", "Ash", asked=3, waiting=1, no=1, done=1, surveys=8, meetings=2, came=1),
        requests.Balance(2, "B", "Box", endorsed=1, surveys=8, meetings=2, requests=2, given=1),
    ]
    total = requests.in_all(lines)
    assert drawing.asked_sentence(total, words) == "3 asks of the CCG: 2 answered, 1 done, 1 waiting."
    assert "8.0 surveys, 2.0 meetings and 1.0 other" in drawing.wanted_sentence(total, 2, words)
    assert "asks raised 1.5, answered 1.0, done 0.5, surveys 8.0" in drawing.balance_alt(total, 2, words)
    table = drawing.balance_table(lines, words)
    assert list(table["Its asks"]) == [
        "3: 1 done, 1 no, 1 waiting; endorsed 1",
        "3: 1 done, 1 no, 1 waiting",
        "none; endorsed 1",
    ]
    assert list(table["Given by it"]) == ["1 meetings, 1 other", "1 meetings, 0 other", "0 meetings, 1 other"]
    drawn = drawing.balance_chart(total, 2, words).to_dict()
    assert "1.5" in str(drawn["datasets"]) and drawing.balance_chart(requests.in_all([]), 0, words).to_dict()
