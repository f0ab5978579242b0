"""The council's review: who asks, who answers, who may read, and what is on record."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import select, text

from engagement.access import Actor, Role
from engagement.council import review
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.models import AuditEntry, CouncilQuestion


def actor(made, role: Role) -> Actor:
    return Actor(role.value, frozenset({(made.body_id, role)}), made.account_id)


def newest(database, made, who=None):
    with database.reading() as session:
        return review.releases(session, who or made.council, made.body_id)[-1]


def do(database, verb, *args, **options):
    with database.session() as session:
        return verb(session, *args, **options)


def test_every_round_comes_with_what_the_page_needs(database, released):
    """Nine releases in round order, each with content, hash, no questions and no reviews yet."""
    with database.reading() as session:
        found = review.releases(session, released.council, released.body_id)
    assert [each.content["round"]["number"] for each in found] == list(range(1, 10))
    assert all(len(each.content_hash) == 64 and each.questions == each.reviews == () for each in found)


def test_a_question_and_its_answer_stand_side_by_side(database, released):
    """The council asks, the governing body answers, and an addition stands after the first answer."""
    release = newest(database, released).id
    number = do(database, review.ask, released.council, release, " Why so\r\nwide? ", public=True)
    governing = actor(released, Role.GOVERNING)
    do(database, review.answer, governing, number, "We will look.")
    do(database, review.answer, released.lead, number, "And have looked.")
    (question,) = newest(database, released).questions
    assert (question.kind, question.text, question.public) == ("question", "Why so\nwide?", True)
    assert [answer.text for answer in question.answers] == ["We will look.", "And have looked."]
    assert question.answers[0].by == "governing_body"


@pytest.mark.parametrize("role", [Role.LEAD, Role.GOVERNING, Role.REVIEWER])
def test_only_the_council_asks_and_marks(database, released, role):
    """Nobody but a council representative puts a question, shows one to members, or marks results as reviewed."""
    release = newest(database, released).id
    number = do(database, review.ask, released.council, release, "Why?")
    who = actor(released, role)
    for verb, args in (
        (review.ask, (release, "x")),
        (review.set_public, (number, True)),
        (review.mark_reviewed, (release,)),
    ):
        with pytest.raises(NotAllowed):
            do(database, verb, who, *args)


def test_the_council_does_not_answer_itself(database, released):
    """Answers come from the governing body or its lead alone; a reviewer of comments does not even read."""
    number = do(database, review.ask, released.council, newest(database, released).id, "Why?")
    for who in (released.council, actor(released, Role.REVIEWER)):
        with pytest.raises(NotAllowed):
            do(database, review.answer, who, number, "Because")
    with pytest.raises(NotAllowed):
        newest(database, released, actor(released, Role.REVIEWER))


def test_other_bodies_find_nothing(database, released):
    """A stranger is told that there is nothing, whichever verb."""
    release = newest(database, released).id
    number = do(database, review.ask, released.council, release, "Why?")
    for verb, args in (
        (review.releases, (released.body_id,)),
        (review.ask, (release, "x")),
        (review.answer, (number, "x")),
        (review.set_public, (number, True)),
        (review.mark_reviewed, (release,)),
        (review.ask, (9_999, "x")),
        (review.answer, (9_999, "x")),
    ):
        with pytest.raises(NotFound):
            do(database, verb, released.stranger, *args)


@pytest.mark.parametrize("words", ["", "  \n ", "?!", "x" * 1001])
def test_a_question_needs_words_and_has_a_limit(database, released, words):
    """Nothing, marks alone, and too much are refused with what to do."""
    with pytest.raises(Invalid):
        do(database, review.ask, released.council, newest(database, released).id, words)
    with pytest.raises(Invalid, match="question or a remark"):
        do(database, review.ask, released.council, newest(database, released).id, "x", kind="motion")


def test_a_review_is_on_record_once(database, released):
    """Who reviewed which results when is kept and shown; a second time is refused."""
    release = newest(database, released).id
    do(database, review.mark_reviewed, released.council, release)
    assert [row.by for row in newest(database, released).reviews] == ["Bob Ray"]
    with pytest.raises(Conflict, match="already"):
        do(database, review.mark_reviewed, released.council, release)


def test_members_see_only_what_is_public(database, released):
    """A question is private until the council shows it, and can be taken off again."""
    number = do(database, review.ask, released.council, newest(database, released).id, "Why?")

    def shown():
        with database.reading() as session:
            return [question.id for question in review.questions(session, released.body_id, public=True)]

    assert shown() == []
    do(database, review.set_public, released.council, number, True)
    do(database, review.set_public, released.council, number, True)
    assert shown() == [number]
    do(database, review.set_public, released.council, number, False)
    assert shown() == []


def test_words_once_said_cannot_be_changed(database, released):
    """The database refuses to change or delete a question's words, an answer or a review; only `public` may change."""
    release = newest(database, released).id
    number = do(database, review.ask, released.council, release, "Why?")
    do(database, review.answer, released.lead, number, "Because")
    do(database, review.mark_reviewed, released.council, release)
    for statement in (
        "UPDATE council_question SET text = 'x'",
        "DELETE FROM council_question",
        "UPDATE council_answer SET text = 'x'",
        "DELETE FROM council_answer",
        "UPDATE council_review SET reviewed_by = 'x'",
        "DELETE FROM council_review",
    ):
        with pytest.raises(DBAPIError, match="frozen"), database.session() as session:
            session.exec(text(statement))
    with database.session() as session:
        session.exec(text("UPDATE council_question SET public = TRUE"))
        assert session.exec(select(CouncilQuestion.public)).one() is True


def test_every_act_is_in_the_log(database, released):
    """Asking, showing, answering and reviewing are recorded with their actor; words only by their hash."""
    release = newest(database, released).id
    number = do(database, review.ask, released.council, release, "Why so wide?")
    do(database, review.set_public, released.council, number, True)
    do(database, review.answer, released.lead, number, "Because of that")
    do(database, review.mark_reviewed, released.council, release)
    with database.reading() as session:
        rows = session.exec(select(AuditEntry).where(AuditEntry.action.like("council.%"))).all()
    assert [(row.action, row.actor) for row in rows] == [
        ("council.ask", "Bob Ray"),
        ("council.public", "Bob Ray"),
        ("council.answer", "Alice Moore"),
        ("council.reviewed", "Bob Ray"),
    ]
    assert "wide" not in str([row.detail for row in rows])
