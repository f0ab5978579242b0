"""What has been kept long enough is counted, deleted at a word, and nothing else."""

from __future__ import annotations

import os
from datetime import date, timedelta

import pytest
from sqlmodel import func, select

from engagement import clock
from engagement.access import Actor, audit
from engagement.assessments import gather
from engagement.errors import NotFound
from engagement.models import AuditEntry, Comment, CommentReview, Member, Release, Response, Round, Spell
from engagement.protection import retention
from tests import support


def count(session, table) -> int:
    return session.exec(select(func.count()).select_from(table)).one()


def test_answers_are_kept_as_long_as_promised_and_results_for_ever(database, config, monkeypatch):
    """A day before the promised five years nothing goes; a day after, answers and comments do, results stay and practices can be assessed."""
    keys = support.keys_of(config)
    body_id = support.small_body(database, practices=4, leaders=4)
    round_id = support.launch(database, keys, body_id)
    for door in support.doors(database, keys, round_id)[:12]:
        support.answer(database, door, support.sheet(4, comment="More time"))
    support.close(database, keys, round_id)
    with database.session() as session:
        comment = session.exec(select(Comment.id).limit(1)).one()
        session.add(CommentReview(comment_id=comment, body_id=body_id, round_id=round_id))
    now = clock.now()
    for days, left in ((5 * 365, 12), (5 * 365 + 3, 0)):
        monkeypatch.setattr(clock, "now", lambda days=days: now + timedelta(days=days))
        with database.session() as session:
            seen = {line.rule.kind: line.due for line in retention.look(session, support.OPERATOR, config)}
            assert seen["answers"] == (0 if left else 24)
            assert count(session, Response) == 12 if left else True
            done = retention.carry_out(session, support.OPERATOR, config)
            assert {line.rule.kind: line.due for line in done} == seen
            assert [count(session, table) for table in (Response, Comment)] == [left, left]
            assert count(session, CommentReview) == bool(left)
    with database.session() as session:
        assert count(session, Release) == 1
        gathered = gather.read(session, session.get(Round, round_id))
        assert gathered.practice.size == 0 and sum(gathered.answered.values()) == 12
        lines = session.exec(select(AuditEntry.detail).where(AuditEntry.action == "retention")).all()
        assert [line["deleted"]["answers"] for line in lines] == [24] and audit.verify(session) is None
        again = retention.carry_out(session, support.OPERATOR, config)
        assert not any(line.due for line in again if line.rule.by == retention.COMMAND)


def test_names_of_people_who_left_go_a_year_later(database, config):
    """Who left more than a year ago loses name and address; who left lately, has another role, or never had one keeps them."""
    body_id = support.small_body(database, practices=2, leaders=2)
    today = clock.today()
    with database.session() as session:
        members = session.exec(select(Member).order_by(Member.id)).all()
        long_gone, lately, returned = members[:3]
        for member, ended in ((long_gone, 400), (lately, 300), (returned, 400)):
            spell = session.exec(select(Spell).where(Spell.member_id == member.id)).one()
            spell.ends = today - timedelta(days=ended)
            session.add(spell)
        session.add(Spell(body_id=body_id, member_id=returned.id, role="gp_partner", starts=date(2020, 1, 1)))
        session.add(Member(body_id=body_id, ref="new", name="No role yet"))
    with database.session() as session:
        retention.carry_out(session, support.OPERATOR, config)
    with database.reading() as session:
        assert session.exec(select(Member.ref).where(Member.name.is_(None))).all() == [long_gone.ref]


def test_old_files_go_and_the_newest_backup_stays(database, config, monkeypatch):
    """Old mail files and backups are deleted, the newest backup never, however old; only the command line may look."""
    for folder, names in (
        (config.outbox, ("old.eml", "new.eml", "other.txt")),
        (config.backups, ("engagement-1.sqlite", "engagement-2.sqlite")),
    ):
        folder.mkdir(mode=0o700)
        for age, name in enumerate(names):
            path = folder / name
            path.write_text("x")
            old = clock.now() - timedelta(days=200 - age if name != "new.eml" else 1)
            os.utime(path, (old.timestamp(), old.timestamp()))
    assert retention.delete_files(config) == 2
    left = {path.name for folder in (config.outbox, config.backups) for path in folder.iterdir()}
    assert left == {"new.eml", "other.txt", "engagement-2.sqlite"}
    with database.reading() as session, pytest.raises(NotFound):
        retention.look(session, Actor("somebody"), config)
