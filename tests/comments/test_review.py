"""The review of comments: who sees what, what a reviewer may do, and the one publication."""

from __future__ import annotations

import json

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import select, text

from engagement import clock
from engagement.access import Actor, Role
from engagement.comments import review
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.models import Account, AuditEntry, Comment, CommentRelease, Member


def entries(made, who="reviewer"):
    """The entries of the one open question."""
    with made.database.reading() as session:
        return review.queue(session, made.people[who], made.round_id).questions[0].entries


def act(made, verb, *args, who="reviewer"):
    """Call one verb in a transaction of its own."""
    with made.database.session() as session:
        return verb(session, made.people[who], *args)


def approve_all(made):
    for entry in entries(made):
        if entry.choice == "quote" and entry.status == "waiting":
            act(made, review.approve, entry.id)


def test_the_reviewer_sees_redacted_words_and_never_what_an_author_hid(commented):
    """People, practices and numbers are taken out before the reviewer reads, and a hidden comment is not there."""
    made = commented()
    found = entries(made)
    words = " ".join(entry.text for entry in found)
    assert len(found) == 12 and "SECRET" not in words
    assert "Person" not in words and "960123" not in words and "Practice 3" not in words
    assert "[name]" in words and "[phone]" in words and "[practice]" in words
    assert [e.id for e in found] == sorted(e.id for e in found)


@pytest.mark.parametrize("who", ["council", "governing", "lead", "both", "lead_too"])
def test_nobody_else_reviews(commented, who):
    """Readers without the role, and leaders and leads with it, neither see nor decide."""
    made = commented()
    comment_id = entries(made)[0].id
    for verb, args in (
        (review.queue, (made.round_id,)),
        (review.approve, (comment_id,)),
        (review.publish, (made.round_id,)),
    ):
        with pytest.raises(NotAllowed):
            act(made, verb, *args, who=who)


def test_a_leader_of_the_roster_does_not_review(commented):
    """Somebody whose e-mail address is a leader's on the roster may not review under an account of their own."""
    made = commented()
    with made.database.session() as session:
        leader = session.exec(select(Member).where(Member.ref == "M001")).one()
        account = Account(email=leader.email, name="X", password_hash="x", created_at=clock.now())
        session.add(account)
        session.flush()
        actor = Actor("X", frozenset({(made.body_id, Role.REVIEWER)}), account.id)
    with made.database.reading() as session, pytest.raises(NotAllowed, match="neither leads"):
        review.queue(session, actor, made.round_id)


def test_other_bodies_find_nothing(commented):
    """The reviewer of another body is told that there is nothing."""
    made = commented()
    comment_id = entries(made)[0].id
    for verb, arg in (
        (review.queue, made.round_id),
        (review.approve, comment_id),
        (review.publish, made.round_id),
    ):
        with made.database.session() as session, pytest.raises(NotFound):
            verb(session, made.stranger, arg)


def test_below_ten_writers_nobody_sees_anything(commented):
    """Nine writers are too few, whatever they allowed; the tenth may be one who hides."""
    made = commented(quotes=8, themes=1, hidden=0)
    with made.database.reading() as session:
        question = review.queue(session, made.people["reviewer"], made.round_id).questions[0]
        hidden = session.exec(select(Comment.id)).first()
    assert question.writers is None and question.entries == ()
    with pytest.raises(Conflict, match="Too few"):
        act(made, review.publish, made.round_id)
    with pytest.raises(NotFound):
        act(made, review.approve, hidden)


def test_a_hidden_comment_counts_as_a_writer(commented):
    """Ten writers of whom one hides are enough."""
    made = commented(quotes=8, themes=1, hidden=1)
    assert len(entries(made)) == 9


def test_an_edit_takes_words_out_and_marks_the_gap(commented):
    """A reviewer can drop words but not add or change one, and an edited text waits for approval again."""
    made = commented()
    entry = next(e for e in entries(made) if "Emails" in e.text and e.choice == "quote")
    act(made, review.approve, entry.id)
    act(made, review.edit, entry.id, entry.text.replace("clear, ", ""))
    after = next(e for e in entries(made) if e.id == entry.id)
    assert (
        after.text.startswith("Emails are [removed] thank you.")
        and after.status == "waiting"
        and after.edited
    )
    with pytest.raises(Invalid, match="unclear"):
        act(made, review.edit, entry.id, "Emails are unclear, thank you.")
    act(made, review.undo, entry.id)
    again = next(e for e in entries(made) if e.id == entry.id)
    assert again.text == entry.text and again.status == "waiting" and not again.edited


def test_a_rejection_needs_a_reason_and_can_be_taken_back(commented):
    """Rejecting says why; undoing lets the comment wait again."""
    made = commented()
    entry = next(e for e in entries(made) if e.choice == "quote")
    with pytest.raises(Invalid, match="why"):
        act(made, review.reject, entry.id, "  ")
    act(made, review.reject, entry.id, "Points at one person")
    assert next(e for e in entries(made) if e.id == entry.id).reason == "Points at one person"
    act(made, review.undo, entry.id)
    assert next(e for e in entries(made) if e.id == entry.id).status == "waiting"


def test_a_comment_for_its_theme_only_is_never_quoted(commented):
    """What an author gave for its theme can be coded, but neither approved nor published."""
    made = commented()
    entry = next(e for e in entries(made) if e.choice == "theme")
    for verb, args in ((review.approve, ()), (review.edit, ("",)), (review.reject, ("x",))):
        with pytest.raises(Invalid, match="theme"):
            act(made, verb, entry.id, *args)
    act(made, review.code, entry.id, ["training"])
    assert next(e for e in entries(made) if e.id == entry.id).themes == {"training"}
    with pytest.raises(Invalid, match="list"):
        act(made, review.code, entry.id, ["gossip"])
    act(made, review.code, entry.id, None)
    assert not next(e for e in entries(made) if e.id == entry.id).coded


def test_publishing_waits_for_every_quote_and_happens_once(commented):
    """Undecided quotes stop it; what is published holds approved quotes and banded themes, and is never changed."""
    made = commented(quotes=14)
    with pytest.raises(Conflict, match="14 comments still wait"):
        act(made, review.publish, made.round_id)
    rejected = next(e for e in entries(made) if e.choice == "quote")
    act(made, review.reject, rejected.id, "x")
    approve_all(made)
    for entry in entries(made):
        act(made, review.code, entry.id, ["workload"])
    act(made, review.publish, made.round_id)
    with made.database.reading() as session:
        content = review.published(session, made.body_id)[1]
        raw = session.exec(select(CommentRelease.content)).one()
        ids = session.exec(select(Comment.id)).all()
    item = content["items"][0]
    assert len(item["quotes"]) == 13 and item["writers"] == "15–19"
    assert rejected.text not in item["quotes"] and "SECRET" not in raw
    assert not any(comment_id in raw for comment_id in ids)
    themes = {row["theme"]: row for row in item["themes"]}
    assert themes["workload"]["n"] == "15–19" and themes["workload"]["mark"] == "shown"
    assert themes["training"] == {"theme": "training", "label": "Training", "mark": "hidden"}
    for verb, args in (
        (review.publish, (made.round_id,)),
        (review.undo, (rejected.id,)),
        (review.code, (rejected.id, [])),
    ):
        with pytest.raises(Conflict, match="published"):
            act(made, verb, *args)
    for statement in ("UPDATE comment_release SET content = '{}'", "DELETE FROM comment_release"):
        with pytest.raises(DBAPIError, match="frozen"), made.database.session() as session:
            session.exec(text(statement))


def test_quotes_are_not_published_in_the_order_in_which_they_are_stored(commented):
    """Twenty quotes keep their stored order with a chance of one in twenty factorial."""
    made = commented(quotes=20, themes=0, hidden=0)
    approve_all(made)
    stored = [e.text for e in entries(made)]
    act(made, review.publish, made.round_id)
    with made.database.reading() as session:
        quotes = review.published(session, made.body_id)[1]["items"][0]["quotes"]
    assert sorted(quotes) == sorted(stored) and quotes != stored


def test_somebody_who_joined_since_is_taken_out_of_an_approved_quote(commented):
    """Redaction runs again at publication, with the roster of that day."""
    made = commented()
    approve_all(made)
    with made.database.session() as session:
        session.add(Member(body_id=made.body_id, ref="NEW", name="Thora Reach"))
    act(made, review.publish, made.round_id)
    with made.database.reading() as session:
        quotes = review.published(session, made.body_id)[1]["items"][0]["quotes"]
    assert any("nurses never [name] [practice]" in quote for quote in quotes)


def test_every_act_is_in_the_log_without_a_word_of_the_text(commented):
    """Approving, editing, rejecting, undoing, coding and publishing are recorded; no comment can be read there."""
    made = commented()
    entry = next(e for e in entries(made) if "Emails" in e.text and e.choice == "quote")
    act(made, review.edit, entry.id, entry.text.replace("clear, ", ""))
    act(made, review.reject, entry.id, "Emails again")
    act(made, review.undo, entry.id)
    act(made, review.code, entry.id, ["communication"])
    approve_all(made)
    act(made, review.publish, made.round_id)
    with made.database.reading() as session:
        rows = session.exec(select(AuditEntry).where(AuditEntry.action.like("comment.%"))).all()
    assert {row.action for row in rows} == {
        f"comment.{act}" for act in ("approve", "edit", "reject", "undo", "code", "publish")
    }
    assert all(row.actor == "reviewer" for row in rows)
    logged = json.dumps([row.detail for row in rows])
    assert not any(word in logged for word in ("Emails", "thank", "paperwork", "nurses", "listens"))


def test_published_comments_that_were_tampered_with_are_not_shown(commented):
    """Content that does not match its hash is refused."""
    made = commented()
    approve_all(made)
    act(made, review.publish, made.round_id)
    with made.database.session() as session:
        on = "" if made.database.is_sqlite else " ON comment_release"
        session.exec(text(f"DROP TRIGGER comment_release_frozen{on}"))
        session.exec(text("UPDATE comment_release SET content = '{}'"))
    with made.database.reading() as session, pytest.raises(Conflict, match="hash"):
        review.published(session, made.body_id)


def test_suggestions_are_the_reviewers_and_words_alone(commented):
    """From thirty comments on, words that at least three wrote are suggested, to the reviewer and to nobody else."""
    made = commented(quotes=40, themes=0, hidden=0)
    with made.database.reading() as session:
        lists = review.suggestions(session, made.people["reviewer"], made.round_id, "one_thing")
        with pytest.raises(NotFound):
            review.suggestions(session, made.people["reviewer"], made.round_id, "owned")
        with pytest.raises(NotAllowed):
            review.suggestions(session, made.people["council"], made.round_id, "one_thing")
    words = {word for each in lists for word in each}
    assert {"parking", "permits"} <= words and not any(
        "featherstone" in word or len(word) < 3 for word in words
    )


def test_a_round_without_results_has_no_review(commented):
    """An open round, or one still being checked, has no review."""
    made = commented()
    with made.database.session() as session:
        session.exec(text("UPDATE round SET state = 'mixed'"))
    with made.database.reading() as session, pytest.raises(NotFound):
        review.queue(session, made.people["reviewer"], made.round_id)
    with made.database.reading() as session:
        assert review.rounds(session, made.people["reviewer"], made.body_id) == []
