"""Asks from raising to rating, on both databases: who may do what, what is refused, and what everybody reads."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import select, text

from engagement import clock
from engagement.access import Role
from engagement.asks import alike, answers, ledger, members, requests, you_said
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.models import Ask, AskEndorsement, AskRating, AuditEntry, Practice, Spell
from engagement.worker import Worker
from tests import support
from tests.asks.conftest import an_ask

READERS = (Role.LEAD, Role.GOVERNING, Role.COUNCIL)


def only(town, ask_id: int) -> ledger.Ask:
    """One ask as the lead reads it."""
    return next(ask for ask in town.do(ledger.listed, town.lead, town.body_id) if ask.id == ask_id)


def test_an_ask_lives_from_raising_to_rating(town):
    """Raised, endorsed once a practice, answered in part, then yes, done, rated; the newest word is where it stands."""
    ask = town.do(members.raise_ask, town.of(0), an_ask())
    assert only(town, ask).state == "waiting" and only(town, ask).answer_by == clock.today() + timedelta(28)
    town.do(members.endorse, town.of(1, 0), ask)
    town.do(members.endorse, town.of(1, 4), ask, together=True)
    town.do(members.endorse, town.of(2), ask)
    town.do(members.take_back, town.of(2, 1), ask)
    assert [(b.practice, b.together) for b in only(town, ask).backers] == [("Practice 1", True)]
    town.do(answers.answer, town.lead, ask, "part", "One day a week")
    town.do(answers.answer, town.lead, ask, "yes", "The trust agreed", due_on=clock.today() + timedelta(30))
    with pytest.raises(Conflict, match="nothing to rate yet"):
        town.do(members.rate, town.of(0), ask, 5)
    town.do(answers.mark_done, town.lead, ask, "She comes on Tuesdays")
    town.do(members.rate, town.of(0), ask, 2, "Once in a month")
    town.do(members.rate, town.of(0), ask, 3)
    town.do(members.rate, town.of(1), ask, 5, "Very good")
    with pytest.raises(NotAllowed, match="asked or endorsed"):
        town.do(members.rate, town.of(3), ask, 1)
    found = only(town, ask)
    assert found.state == "done" and found.answer.text == "The trust agreed" and found.rated == 4
    assert sorted((r.score, r.text) for r in found.ratings) == [(3, ""), (5, "Very good")]
    assert [reply.kind for reply in found.replies] == ["part", "yes", "done"]


def test_only_the_lead_answers_and_only_readers_read(town):
    """Governing body and council read; others of the body are refused by role, strangers are told that there is nothing."""
    ask = town.do(members.raise_ask, town.of(0), an_ask())
    for role in READERS:
        assert town.do(ledger.listed, town.actor(role), town.body_id)
        assert town.do(requests.balance, town.actor(role), town.body_id)
    for role in set(Role) - {Role.LEAD}:
        for verb in (
            lambda s, a: answers.answer(s, a, ask, "yes", "x"),
            lambda s, a: answers.mark_done(s, a, ask, "x"),
            lambda s, a: answers.hide(s, a, ask, "x"),
            lambda s, a: answers.publish_action(s, a, town.body_id, said="x", did="y"),
            lambda s, a: requests.log_request(
                s, a, town.body_id, kind="data", title="x", practices=["Y00000"]
            ),
        ):
            with pytest.raises(NotAllowed):
                town.do(verb, town.actor(role))
    stranger = type(town.lead)("stranger", frozenset({(town.body_id + 1, Role.LEAD)}))
    for verb, about in ((ledger.listed, town.body_id), (requests.balance, town.body_id)):
        with pytest.raises(NotFound):
            town.do(verb, stranger, about)
    with pytest.raises(NotFound):
        town.do(answers.answer, stranger, ask, "yes", "x")


def test_what_cannot_be_done_is_refused_in_words(town):
    """Wrong tokens, own endorsements, too many (the same twice is one), empty answers and days gone by: each says what to do."""
    ask = town.do(members.raise_ask, town.of(0), an_ask())
    for verb, what, why in (
        ((members.endorse, town.of(0, 2), ask), Conflict, "your own practice"),
        ((members.withdraw, town.of(1), ask), NotFound, "your practice"),
        ((members.endorse, town.of(1), ask + 1), NotFound, "no such ask"),
        ((members.raise_ask, "a" * 26, an_ask()), NotFound, "no such page"),
        ((answers.answer, town.lead, ask, "", "x"), Invalid, "Choose yes"),
        ((answers.answer, town.lead, ask, "no", "  "), Invalid, "Enter why"),
        ((answers.mark_done, town.lead, ask, "x"), Conflict, "Answer the ask"),
    ):
        with pytest.raises(what, match=why):
            town.do(*verb)
    with pytest.raises(Invalid, match="is over"):
        town.do(answers.answer, town.lead, ask, "yes", "x", due_on=clock.today() - timedelta(1))
    assert town.do(members.raise_ask, town.of(0, 3), an_ask()) == ask
    for number in range(members.MOST_WAITING - 1):
        town.do(members.raise_ask, town.of(0), an_ask(f"Ask {number}"))
    with pytest.raises(Conflict, match="wait for an answer"):
        town.do(members.raise_ask, town.of(0), an_ask("One more"))
    town.do(members.withdraw, town.of(0, 1), ask)
    with pytest.raises(Conflict, match="taken this ask back"):
        town.do(answers.answer, town.lead, ask, "yes", "x")
    assert only(town, ask).state == "withdrawn"


def test_overdue_is_the_day_after(town, monkeypatch):
    """An ask is overdue on the day after its day, not on it, and no more once it is answered."""
    ask = town.do(members.raise_ask, town.of(0), an_ask())
    found = only(town, ask)
    assert not found.overdue(found.answer_by) and found.overdue(found.answer_by + timedelta(1))
    town.do(answers.answer, town.lead, ask, "no", "No money")
    assert not only(town, ask).overdue(found.answer_by + timedelta(1))


def test_who_wrote_it_is_the_leads_to_know_where_they_ticked(town):
    """Without the tick no row says who wrote an ask; with it the lead reads the name and nobody else."""
    silent = town.do(members.raise_ask, town.of(0), an_ask())
    named = town.do(members.raise_ask, town.of(0), an_ask("Another", named=True))
    assert only(town, silent).raised_by is None and only(town, named).raised_by == "Person 1"
    for role in (Role.GOVERNING, Role.COUNCIL):
        assert not any(a.raised_by for a in town.do(ledger.listed, town.actor(role), town.body_id))
    with town.database.reading() as session:
        assert session.get(Ask, silent).member_id is None
        lines = session.exec(select(AuditEntry).where(AuditEntry.action == "ask.raise")).all()
    assert {line.actor.split()[0] for line in lines} == {"practice"} and "member" not in str(
        [line.detail for line in lines]
    )


def test_the_words_of_an_ask_and_of_a_reply_are_frozen(town):
    """The database itself refuses to rewrite an ask, a reply or a published action, or to delete a reply."""
    ask = town.do(members.raise_ask, town.of(0), an_ask())
    town.do(answers.answer, town.lead, ask, "no", "No money")
    town.do(answers.publish_action, town.lead, town.body_id, said="a", did="b")
    for change in (
        "UPDATE ask SET need = 'x'",
        "UPDATE ask SET practice_id = 2",
        "UPDATE ask_reply SET kind = 'yes'",
        "DELETE FROM ask_reply",
        "UPDATE published_action SET did = 'x'",
    ):
        with pytest.raises(DBAPIError, match="frozen"):
            town.do(lambda session, change=change: session.exec(text(change)))


def test_a_merged_practice_asks_through_its_successor(town):
    """People of the successor see, take back and rate what the merged practice asked, and the balance counts it there."""
    ask = town.do(members.raise_ask, town.of(0), an_ask())
    town.do(members.endorse, town.of(1), ask)
    with town.database.session() as session:
        merged, into = session.exec(select(Practice).order_by(Practice.id).limit(2)).all()
        merged.closed, merged.successor_id = clock.today(), into.id
        session.add(merged)
    with town.database.reading() as session:
        visitor = members.visitor(session, town.of(0))
        assert visitor.practice == "Practice 1" and len(visitor.practices) == 2
        lines = {line.practice: line for line in requests.balances(session, town.body_id)}
    assert "Practice 0" not in lines and lines["Practice 1"].asked == 1
    town.do(members.withdraw, town.of(1, 2), ask)


def test_people_who_left_read_and_do_not_ask(town):
    """Somebody whose role has ended still opens the page and cannot put anything on behalf of the practice."""
    with town.database.session() as session:
        for spell in session.exec(select(Spell).order_by(Spell.id).limit(1)):
            spell.ends = clock.today()
            session.add(spell)
    with town.database.reading() as session:
        assert members.visitor(session, town.of(0)).practice_id is None
    with pytest.raises(NotAllowed, match="at a practice"):
        town.do(members.raise_ask, town.of(0), an_ask())


def test_the_balance_counts_both_ways(town):
    """Asks by where they stand, endorsements, requests and who gave them, for each practice and in all."""
    first = town.do(members.raise_ask, town.of(0), an_ask())
    second = town.do(members.raise_ask, town.of(0), an_ask("Something else"))
    third = town.do(members.raise_ask, town.of(1), an_ask("A third"))
    town.do(members.raise_ask, town.of(1), an_ask("A fourth"))
    gone = town.do(members.raise_ask, town.of(2), an_ask("A fifth"))
    town.do(members.endorse, town.of(2), first)
    town.do(answers.answer, town.lead, first, "yes", "x")
    town.do(answers.mark_done, town.lead, first, "x")
    town.do(answers.answer, town.lead, second, "no", "x")
    town.do(answers.answer, town.lead, third, "part", "x")
    town.do(members.withdraw, town.of(2), gone)
    request = town.do(
        requests.log_request,
        town.lead,
        town.body_id,
        kind="data",
        title="Winter plans",
        practices=["Y00000", "Y00003"],
    )
    town.do(requests.set_given, town.lead, request, ["Y00003"])
    lines = {line.code: line for line in town.do(requests.balance, town.lead, town.body_id)}
    counts = {
        code: (b.asked, b.waiting, b.part, b.no, b.done, b.endorsed, b.requests, b.given)
        for code, b in lines.items()
    }
    assert counts == {
        "Y00000": (2, 0, 0, 1, 1, 0, 1, 0),
        "Y00001": (2, 1, 1, 0, 0, 0, 0, 0),
        "Y00002": (0, 0, 0, 0, 0, 1, 0, 0),
        "Y00003": (0, 0, 0, 0, 0, 0, 1, 1),
    }
    total = requests.in_all(lines.values())
    assert (total.asked, total.answered, total.done, total.requests, total.given) == (4, 3, 1, 2, 1)
    with pytest.raises(Invalid) as refused:
        town.do(
            requests.log_request,
            town.lead,
            town.body_id,
            kind="x",
            title=" ",
            practices=["Z"],
            asked_on=clock.today() + timedelta(1),
        )
    assert len(refused.value.problems) == 4
    town.do(requests.remove_request, town.lead, request)
    assert town.do(requests.logged, town.lead, town.body_id) == []


def test_you_said_we_did_holds_what_all_may_read(town):
    """Answered asks and published actions, done ones first; nothing kept from members, and nothing from before a day."""
    shown = town.do(members.raise_ask, town.of(0), an_ask())
    private = town.do(members.raise_ask, town.of(1), an_ask("For leaders", public=False))
    hidden = town.do(members.raise_ask, town.of(1), an_ask("Mrs Jones"))
    town.do(members.raise_ask, town.of(2), an_ask("Not answered"))
    long_ago = clock.now() - timedelta(400)
    for ask in (private, hidden):
        town.do(answers.answer, town.lead, ask, "yes", "x")
    town.do(answers.answer, town.lead, shown, "no", "No money", at=long_ago)
    town.do(answers.hide, town.lead, hidden, "It names a patient")
    action = town.do(
        answers.publish_action, town.lead, town.body_id, said="You tell us nothing", did="Now we do"
    )
    found = town.do(you_said.you_said, town.body_id)
    assert [(s.said, s.kind) for s in found] == [("You tell us nothing", "done"), (an_ask().need, "no")]
    assert len(town.do(you_said.you_said, town.body_id, since=clock.now() - timedelta(1))) == 1
    town.do(answers.show, town.lead, hidden)
    town.do(answers.remove_action, town.lead, action)
    assert {s.said for s in town.do(you_said.you_said, town.body_id)} == {"Mrs Jones", an_ask().need}


def test_like_asks_of_other_practices_are_found(config, town):
    """The worker pairs asks that are alike, of two practices, that all may read; it compares anew when one goes."""
    first = town.do(members.raise_ask, town.of(0), an_ask())
    second = town.do(
        members.raise_ask,
        town.of(1),
        an_ask("The same district nurse each week", effect="Housebound patients see different nurses"),
    )
    same = town.do(members.raise_ask, town.of(0), an_ask("A district nurse for housebound patients"))
    town.do(
        members.raise_ask,
        town.of(2),
        an_ask("Two more consulting rooms", topic="premises", effect="No clinic can be held here"),
    )
    private = town.do(members.raise_ask, town.of(3), an_ask(public=False))
    worker = Worker(town.database, support.keys_of(config))
    assert worker.run_once() == 1 and worker.run_once() == 0
    pairs = {(a.id, like.ask_id) for a in town.do(ledger.listed, town.lead, town.body_id) for like in a.alike}
    assert pairs == {(first, second), (second, first), (second, same), (same, second)}
    town.do(members.withdraw, town.of(1), second)
    assert alike.refresh(town.database) == 1
    assert not any(a.alike for a in town.do(ledger.listed, town.lead, town.body_id)) and private


def test_nothing_is_alike_where_nothing_is_said():
    """No asks, one ask, empty words and words of one practice alone make no pairs; equal asks of two practices do."""
    assert alike.alike([], []) == [] == alike.alike(["nurse"], [1])
    assert alike.alike(["the", "and 12"], [1, 2]) == []
    assert alike.alike(["a district nurse", "a district nurse"], [1, 1]) == []
    ((i, j, cosine),) = alike.alike(["district nurse", "district nurse"], [1, 2])
    assert (i, j) == (0, 1) and cosine == pytest.approx(1)


def test_no_table_of_ratings_or_endorsements_names_a_person():
    """The schema has nowhere to keep who endorsed or rated."""
    for table in (AskEndorsement, AskRating):
        assert not {"member_id", "account_id"} & set(table.__table__.columns.keys())
