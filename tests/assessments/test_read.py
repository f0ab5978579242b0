"""Reading assessments: who may, what is checked, and what is said of one practice."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import text

from engagement.access import READERS, Actor, Role
from engagement.assessments import build, meetings, read
from engagement.errors import Conflict, NotAllowed, NotFound
from engagement.roster import practices
from engagement.worker import Worker
from tests import support
from tests.assessments.conftest import Installed, Invented
from tests.assessments.test_privacy import _numbers

READER = support.OPERATOR


@pytest.fixture
def body(installed) -> tuple[Installed, int]:
    """A body with three released and assessed rounds."""
    invented = Invented.make(3, ticking=0.3)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past())
    Worker(installed.database, installed.keys).run_once()
    return installed, body_id


def test_the_newest_and_all_of_them_are_read(body):
    """`latest` is the last of `history`; before the first assessment it is None."""
    installed, body_id = body
    other = installed.body(Invented.make(1), "B2")
    with installed.database.reading() as session:
        history = read.history(session, READER, body_id)
        assert [content["round"]["number"] for content in history] == [1, 2, 3]
        assert read.latest(session, READER, body_id) == history[-1]
        assert read.latest(session, READER, other) is None and read.history(session, READER, other) == []


def test_every_reader_of_the_body_may_read_and_nobody_else(body):
    """Lead, governing body and council read, a role that is no reader is refused; people of another body learn that there is nothing."""
    installed, body_id = body
    with installed.database.reading() as session:
        for role in READERS:
            actor = Actor("somebody", frozenset({(body_id, role)}))
            assert read.latest(session, actor, body_id)["of"] == 18
            assert read.one(session, actor, body_id, "P003")["name"] == "Practice 3"
        for role in set(Role) - set(READERS):
            with pytest.raises(NotAllowed):
                read.latest(session, Actor("somebody", frozenset({(body_id, role)})), body_id)
        stranger = Actor("stranger", frozenset({(body_id + 1, Role.LEAD)}))
        for verb in (read.latest, read.history):
            with pytest.raises(NotFound):
                verb(session, stranger, body_id)
        with pytest.raises(NotFound):
            read.one(session, stranger, body_id, "P003")
        with pytest.raises(NotFound):
            read.listed(session, stranger, body_id, date(2020, 1, 1))


def test_what_was_changed_behind_our_back_is_not_shown(body):
    """An assessment that does not match its hash is refused, and no later round is assessed on top of it."""
    installed, body_id = body
    with installed.database.session() as session:
        if installed.database.is_sqlite:
            session.execute(text("DROP TRIGGER assessment_frozen"))
        else:
            session.execute(text("ALTER TABLE assessment DISABLE TRIGGER assessment_frozen"))
        session.execute(text("UPDATE assessment SET content = content || ' '"))
    with pytest.raises(Conflict, match="hash"), installed.database.reading() as session:
        read.latest(session, READER, body_id)
    later = Invented.make(4, ticking=0.3)
    installed.bring(body_id, later.past(first=4))
    with pytest.raises(Conflict, match="hash"):
        build.ensure(installed.database, body_id)


def test_one_practice_shows_what_is_open_and_never_a_count(body):
    """Name, locality, size band, bands of taking part and meetings come with the row; no whole number is one of people."""
    installed, body_id = body
    with installed.database.session() as session:
        meeting = meetings.add(session, READER, body_id, date=date(2012, 1, 9), title="Council of members")
        meetings.record(session, READER, meeting.id, {"P007": 3, "P003": 0})
    with installed.database.reading() as session:
        pages = {code: read.one(session, READER, body_id, code) for code in ("P007", "P003", "P001")}
        row = next(
            r for r in read.latest(session, READER, body_id)["practices"] if r["practice_id"] == "P007"
        )
    page = pages["P007"]
    assert (page["name"], page["locality"], page["size"]) == ("Practice 7", "S", "medium")
    assert page["assessment"] == row and page["of"] == 18
    assert [each["round"] for each in page["participation"]] == [1, 2, 3]
    assert {each["band"] for each in page["participation"]} <= {"none", "low", "half", "most"}
    assert {each["band"] for each in pages["P001"]["participation"]} == {None}
    assert page["meetings"] == [{"date": "2012-01-09", "title": "Council of members", "came": True}]
    assert [pages[code]["meetings"][0]["came"] for code in ("P003", "P001")] == [False, None]
    for each in pages.values():
        assert {key for key, _ in _numbers(each)} <= {"round", "number", "of", "rank", "silent_rounds"}


def test_an_unknown_practice_is_not_found(body):
    """A code that is not on the body's roster is refused, one of another body's too."""
    installed, body_id = body
    with installed.database.reading() as session, pytest.raises(NotFound, match="practice"):
        read.one(session, READER, body_id, "P999")


def test_the_list_holds_every_practice_open_that_day(body):
    """A practice that was never invited is listed with nothing said; the body's own evidence is named by its code."""
    installed, body_id = body
    with installed.database.session() as session:
        practices.add_practice(session, READER, body_id, code="P900", name="New")
    with installed.database.reading() as session:
        rows = {row["practice_id"]: row for row in read.listed(session, READER, body_id, date(2020, 1, 1))}
    assert len(rows) == 19 and set(rows["P900"].values()) == {"P900", "New", None}
    said = [row for code, row in rows.items() if code != "P900"]
    assert all(row["segment"] and row["of"] == 18 for row in said)
    kinds = {row["evidence"].split(":")[0] for row in said}
    assert "agreed" in kinds and kinds <= {"practice", "agreed", "locality", "body"}


def test_the_probability_listed_is_that_of_the_segment_listed(body):
    """Where the label is held although another segment leads, the listed probability is the label's, below the leading one's."""
    installed, body_id = body
    with installed.database.reading() as session:
        rows = read.listed(session, READER, body_id, date(2020, 1, 1))
        kept = {row["practice_id"]: row for row in read.latest(session, READER, body_id)["practices"]}
    for row in rows:
        whole = kept[row["practice_id"]]
        assert row["segment_probability"] <= whole["segment_probability"]
        if whole["segment"] == whole["leading_segment"]:
            assert row["segment_probability"] == whole["segment_probability"]
