"""The log of meetings: by hand and from a file, all or nothing."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlmodel import func, select

from engagement import clock
from engagement.access import Actor, Role
from engagement.assessments import meetings
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.models import Attendance, AuditEntry, Meeting
from tests import support

LEAD = support.OPERATOR
DAY = date(2026, 3, 9)
FILE = """date,title,practice_id,people
2026-03-09,Council,Y00000,2
2026-03-09,Council,Y00001,0
9/6/2026,Locality meeting,Y00000,4
"""


@pytest.fixture
def body(database, monkeypatch):
    """A body of twelve practices."""
    monkeypatch.setattr(clock, "now", lambda: clock.datetime(2026, 11, 2, 12, tzinfo=clock.UTC))
    return support.small_body(database)


def _all(database, body_id):
    with database.reading() as session:
        return meetings.all(session, LEAD, body_id)


def _import(database, body_id, text, name="came.csv"):
    with database.session() as session:
        return meetings.apply(
            session, LEAD, meetings.preview(session, LEAD, body_id, text.encode(), name=name)
        )


def test_a_meeting_is_logged_with_who_came_and_taken_out_again(database, body):
    """Attendance is noted by practice, corrected, forgotten with None, and goes with its meeting; all is in the audit log."""
    with database.session() as session:
        meeting = meetings.add(session, LEAD, body, date=DAY, title="  Council   of members ")
        meetings.record(session, LEAD, meeting.id, {"Y00000": 2, "Y00001": 0, "Y00002": 1})
        meetings.record(session, LEAD, meeting.id, {"Y00000": 3, "Y00002": None})
    (row,) = _all(database, body)
    assert (row.title, row.date, row.people, row.practices) == (
        "Council of members", DAY, {"Y00000": 3, "Y00001": 0}, 1,
    )  # fmt: skip
    with database.session() as session:
        meetings.remove(session, LEAD, row.id)
    assert _all(database, body) == []
    with database.reading() as session:
        assert session.exec(select(func.count()).select_from(Attendance)).one() == 0
        actions = session.exec(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions[-4:] == ["meeting.add", "meeting.record", "meeting.record", "meeting.remove"]


@pytest.mark.parametrize(
    ("day", "title", "words"),
    [
        (date(2026, 11, 3), "Council", "still to come"),
        (DAY, " ", "title"),
        (DAY, "x" * 121, "120"),
        (DAY, "=1+1", "formula"),
    ],
)
def test_a_meeting_that_cannot_be_is_refused(database, body, day, title, words):
    """A day to come, no title, a long one and one that a spreadsheet would run are refused with what to do."""
    with pytest.raises(Invalid, match=words), database.session() as session:
        meetings.add(session, LEAD, body, date=day, title=title)
    assert _all(database, body) == []


def test_the_same_meeting_twice_is_refused(database, body):
    """One meeting of a title a day; the same title on another day is another meeting."""
    with database.session() as session:
        meetings.add(session, LEAD, body, date=DAY, title="Council")
        meetings.add(session, LEAD, body, date=DAY - timedelta(1), title="Council")
    with pytest.raises(Conflict, match="9 March 2026"), database.session() as session:
        meetings.add(session, LEAD, body, date=DAY, title="Council")
    assert [row.date for row in _all(database, body)] == [DAY, DAY - timedelta(1)]


def test_wrong_attendance_changes_nothing(database, body):
    """An unknown practice and a number below 0 are each named, and what was right beside them is not stored."""
    with database.session() as session:
        meeting = meetings.add(session, LEAD, body, date=DAY, title="Council")
    with pytest.raises(Invalid) as caught, database.session() as session:
        meetings.record(session, LEAD, meeting.id, {"Y00000": 2, "NOPE": 1, "Y00001": -1})
    assert len(caught.value.problems) == 2 and "NOPE" in caught.value.problems[0]
    assert _all(database, body)[0].people == {}


def test_only_the_lead_writes_and_every_reader_reads(database, body):
    """Council and governing body read the log; strangers learn that there is nothing."""
    with database.session() as session:
        meeting = meetings.add(session, LEAD, body, date=DAY, title="Council")
    for role in (Role.COUNCIL, Role.GOVERNING):
        actor = Actor("reader", frozenset({(body, role)}))
        with database.session() as session:
            assert len(meetings.all(session, actor, body)) == 1
            for verb in (
                lambda s, a: meetings.add(s, a, body, date=DAY, title="B"),
                lambda s, a: meetings.record(s, a, meeting.id, {}),
                lambda s, a: meetings.remove(s, a, meeting.id),
                lambda s, a: meetings.preview(s, a, body, FILE.encode(), name="f"),
            ):
                with pytest.raises(NotAllowed):
                    verb(session, actor)
    stranger = Actor("stranger", frozenset({(body + 1, Role.LEAD)}))
    with database.session() as session:
        for verb in (
            lambda: meetings.all(session, stranger, body),
            lambda: meetings.remove(session, stranger, meeting.id),
        ):
            with pytest.raises(NotFound):
                verb()


def test_a_file_adds_changes_and_leaves(database, body):
    """A file makes the meetings that it names; read again, only what differs is a change."""
    assert "2 meetings" in _import(database, body, FILE)
    assert [(row.date, row.title, row.people) for row in _all(database, body)] == [
        (date(2026, 6, 9), "Locality meeting", {"Y00000": 4}),
        (DAY, "Council", {"Y00000": 2, "Y00001": 0}),
    ]
    again = FILE.replace("Y00001,0", "Y00001,1") + "2026-03-09,Council,Y00002,5\n"
    with database.session() as session:
        preview = meetings.preview(session, LEAD, body, again.encode(), name="came.csv")
        assert preview.counts == {"refuse": 0, "note": 0, "change": 1, "add": 1, "same": 2}
        assert preview.new == 0 and "1 added, 1 changed, 2 as they are" in preview.summary
        meetings.apply(session, LEAD, preview)
    assert _all(database, body)[1].people == {"Y00000": 2, "Y00001": 1, "Y00002": 5}
    with database.session() as session:
        assert "Nothing" in meetings.preview(session, LEAD, body, again.encode(), name="came.csv").summary


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2026-03-09,Council,Y99999,2", "no such practice"),
        ("2026-13-09,Council,Y00003,2", "not a date"),
        ("2027-03-09,Council,Y00003,2", "still to come"),
        ("2026-03-09,,Y00003,2", "title is empty"),
        ("2026-03-09,Council,Y00003,", "people is empty"),
        ("2026-03-09,Council,Y00003,-1", "between 0 and"),
        ("2026-03-09,Council,Y00003,some", "whole number"),
        ("2026-03-09,Council,Y00000,2", "earlier line"),
        ('2026-03-09,"=HYPERLINK(1)",Y00003,2', "formula"),
        ("2026-03-09,Council,Y00003", "fields"),
    ],
)
def test_one_wrong_line_refuses_the_whole_file(database, body, line, words):
    """The fault is named with the file, the line and the remedy, and nothing of the file is stored."""
    with database.session() as session:
        preview = meetings.preview(session, LEAD, body, (FILE + line + "\n").encode(), name="came.csv")
        assert len(preview.refused) == 1 and preview.refused[0].startswith("came.csv, line 5: ")
        assert words in preview.refused[0]
        with pytest.raises(Invalid, match="1 line is refused"):
            meetings.apply(session, LEAD, preview)
        assert session.exec(select(func.count()).select_from(Meeting)).one() == 0


@pytest.mark.parametrize("text", ["", "date,title\n", "\x00", "date;title;practice_id;people\n"])
def test_a_file_of_another_kind_is_refused(database, body, text):
    """An empty file, missing columns, bytes that are no text and another separator are each refused in words."""
    with database.session() as session:
        preview = meetings.preview(session, LEAD, body, text.encode(), name="came.csv")
        assert preview.refused and preview.meetings == {}


def test_a_preview_of_an_older_log_is_refused(database, body):
    """When the log changed after the preview was made, it must be made again."""
    with database.session() as session:
        preview = meetings.preview(session, LEAD, body, FILE.encode(), name="came.csv")
        meetings.add(session, LEAD, body, date=DAY, title="Another")
        with pytest.raises(Conflict, match="again"):
            meetings.apply(session, LEAD, preview)
