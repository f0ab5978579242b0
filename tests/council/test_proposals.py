"""Questions that the council proposes: who may, how many, what becomes of them, and how both pages show it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from sqlalchemy import text as sql
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from engagement import clock, instrument
from engagement.access import Actor, Role
from engagement.council import proposals
from engagement.errors import Conflict, Invalid, NotAllowed
from engagement.models import Account, Item, ItemVersion, Round
from engagement.rounds import verbs as rounds
from engagement.ui import frame_tools

TRAP = "I trust the CCG ![x](x.png)."
WHY = "We would put it on our agenda."


@pytest.fixture
def cast(database, stored):
    """A body with the item bank, its lead, and two council representatives with accounts of their own."""
    with database.session() as session:
        people = {}
        for name in ("Ann", "Bo"):
            account = Account(
                email=f"{name.lower()}@example.org", name=name, password_hash="x", created_at=clock.now()
            )
            session.add(account)
            session.flush()
            roles = frozenset({(stored.body_id, Role.COUNCIL)})
            people[name] = Actor(name, roles, account.id, bodies=(stored.body_id,))
        core = instrument.seed(session, stored.lead, stored.body_id).id
    return SimpleNamespace(
        body=stored.body_id, lead=stored.lead, ann=people["Ann"], bo=people["Bo"], core=core
    )


@pytest.fixture
def call(database):
    """Calls one verb in a transaction of its own."""

    def do(verb, actor, *args, **kwargs):
        with database.session() as session:
            return verb(session, actor, *args, **kwargs)

    return do


def test_a_question_goes_from_the_council_into_the_next_round(database, cast, call):
    """Proposed, endorsed, taken up into the draft before the open comment, in words that follow the body's name."""
    made = call(proposals.propose, cast.ann, cast.body, "I can reach the CCG from my practice.", WHY)
    call(proposals.endorse, cast.bo, made)
    call(proposals.endorse, cast.bo, made)
    (found,) = call(proposals.listed, cast.bo, cast.body)
    assert (found.text, found.rendered) == (
        "I can reach the {body} from my {practice}.",
        "I can reach the CCG from my practice.",
    )
    assert (found.endorsed_by, found.endorsed, found.mine, found.state) == (("Bo",), True, False, "waiting")
    with database.session() as session:
        draft = rounds.new(
            session,
            cast.lead,
            cast.body,
            title="Next",
            opens_at=clock.now() + clock.days(1),
            closes_at=clock.now() + clock.days(20),
        )
        number, draft_id = draft.number, draft.id
    said = call(
        proposals.accept, cast.lead, made, "reach", text="I can reach the {body}.", ask=True, reason="Good."
    )
    assert said == f"Round {number}, which is drafted, asks it."
    with database.reading() as session:
        form = instrument.rendered(session, cast.body, session.get(Round, draft_id).instrument_id)
        assert [item["kind"] for item in form][-1] == "text"
        assert form[-2]["key"] == "reach" and form[-2]["text"] == "I can reach the CCG."
    (found,) = call(proposals.listed, cast.ann, cast.body)
    assert found.state == "accepted" and found.mine
    assert (found.reply.item, found.reply.wording, found.reply.reason) == (
        "reach",
        "I can reach the CCG.",
        "Good.",
    )
    for verb, actor, more in (
        (proposals.decline, cast.lead, ("Too late.",)),
        (proposals.withdraw, cast.ann, ()),
        (proposals.endorse, cast.bo, ()),
    ):
        with pytest.raises(Conflict, match="answered already"):
            call(verb, actor, made, *more)


def test_an_answer_holds_and_a_refused_one_leaves_nothing(database, cast, call):
    """A decline gives its reason and the database keeps it; a question that finds no room is not added at all."""
    made = call(proposals.propose, cast.ann, cast.body, "I can reach the CCG.", WHY)
    with pytest.raises(Invalid, match="why it will not be asked"):
        call(proposals.decline, cast.lead, made, " ")
    with database.session() as session:
        extra = ["decisions_mine", "contact", "meetings", "engaged"]
        now = instrument.instrument_of(session, cast.lead, cast.body)
        instrument.set_items(session, cast.lead, cast.body, cast.core, [*now.keys, *extra], now.headline)
    with pytest.raises(Invalid, match="at most 12"):
        call(proposals.accept, cast.lead, made, "reach", ask=True)
    with database.reading() as session:
        assert session.exec(select(Item).where(Item.key == "reach")).first() is None
    call(proposals.decline, cast.lead, made, "We asked it last year.")
    (found,) = call(proposals.listed, cast.lead, cast.body)
    assert (found.state, found.reply.reason, found.reply.item) == ("declined", "We asked it last year.", None)
    for statement in (
        "UPDATE item_answer SET reason = 'x'",
        "DELETE FROM item_answer",
        "UPDATE item_proposal SET text = 'x'",
    ):
        with pytest.raises(DBAPIError, match="frozen"), database.session() as session:
            session.execute(sql(statement))
    again = call(proposals.propose, cast.ann, cast.body, "I can reach the CCG.", WHY)
    assert "chosen under" in call(proposals.accept, cast.lead, again, "reach")
    with database.reading() as session:
        assert (
            session.exec(select(ItemVersion.text).join(Item).where(Item.key == "reach")).one()
            == "I can reach the {body}."
        )


def test_what_may_not_be_proposed(cast, call):
    """Three wait at most, nothing twice nor what is asked already, only by the council, and each takes back their own."""
    for words in ("I know who decides.", "I meet the CCG.", "I have what I need."):
        made = call(proposals.propose, cast.ann, cast.body, words, WHY)
    with pytest.raises(Conflict, match="3 of your questions wait"):
        call(proposals.propose, cast.ann, cast.body, "I am heard.", WHY)
    with pytest.raises(Conflict, match="Endorse that proposal"):
        call(proposals.propose, cast.bo, cast.body, "I meet the ccg", WHY)
    with pytest.raises(Conflict, match="has this question already"):
        call(
            proposals.propose, cast.bo, cast.body, "I feel that the CCG belongs to its member practices.", WHY
        )
    for words, why, message in (
        ("", WHY, "Write the question"),
        ("I see {nothing}.", WHY, "not one of the words"),
        ("I am heard.", "…", "what the council would do"),
        ("x" * 501, WHY, "500"),
    ):
        with pytest.raises(Invalid, match=message):
            call(proposals.propose, cast.bo, cast.body, words, why)
    with pytest.raises(NotAllowed):
        call(proposals.propose, cast.lead, cast.body, "I am heard.", WHY)
    with pytest.raises(Invalid, match="your own account"):
        call(proposals.propose, Actor.operator(), cast.body, "I am heard.", WHY)
    with pytest.raises(Conflict, match="Only they"):
        call(proposals.withdraw, cast.bo, made)
    with pytest.raises(Conflict, match="your name already"):
        call(proposals.endorse, cast.ann, made)
    call(proposals.endorse, cast.bo, made)
    call(proposals.endorse, cast.bo, made, behind=False)
    call(proposals.withdraw, cast.ann, made)
    with pytest.raises(Conflict, match="taken back"):
        call(proposals.accept, cast.lead, made, "need")
    call(proposals.propose, cast.ann, cast.body, "I am heard.", WHY)
    assert [p.state for p in call(proposals.listed, cast.lead, cast.body)] == ["waiting"] * 3 + ["withdrawn"]


def test_the_two_pages_carry_a_question_and_its_answer(cast, call, frame, said):
    """A representative is shown what to look at again before it is sent, another endorses, the lead takes it up."""

    def page(actor, file):
        app = frame(actor).run()
        app.switch_page(str(frame_tools.PAGES / file))
        return app.run()

    def labelled(elements, start):
        return next(element for element in elements if element.label.startswith(start))

    app = page(cast.ann, "council.py")
    labelled(app.text_area, "Wording").set_value("I trust the CCG and its staff.")
    labelled(app.text_area, "What would the council").set_value(WHY)
    labelled(app.button, "Propose it").click().run()
    assert "Nothing was sent yet." in said(app) and "“and” may join two ideas" in said(app)
    labelled(app.text_area, "Wording").set_value(TRAP)
    labelled(app.button, "Propose it").click().run()
    assert not app.exception and "waits for the engagement lead" in said(app)
    assert "Take question 1 back" in {button.label for button in app.button}
    app = page(cast.bo, "council.py")
    labelled(app.button, "Stand behind question 1").click().run()
    assert "Behind it too: Bo" in said(app)
    app = page(cast.lead, "instrument.py")
    assert "waiting for your answer: 1" in said(app)
    labelled(app.text_input, "Short key").set_value("trust")
    labelled(app.button, "Take it up").click().run()
    assert not app.exception and "The question trust is added. The next round" in said(app)
    app = page(cast.ann, "council.py")
    text = said(app)
    assert (
        "Answered or taken back: 1" in {e.label for e in app.expander} and "Taken up by Alice Moore" in text
    )
    assert "![x](" not in "".join(m.value for m in [*app.markdown, *app.caption])
