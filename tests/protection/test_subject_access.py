"""A person sees and has erased what can be told to be theirs, and is told honestly what cannot."""

from __future__ import annotations

import json

import pytest
from sqlmodel import func, select

from engagement import clock
from engagement.access import Actor, Role
from engagement.errors import Conflict, NotFound
from engagement.intake import linking
from engagement.models import (
    Account,
    AccountRole,
    AuditEntry,
    AuditNotice,
    Bounce,
    DeadLetter,
    Member,
    OptOut,
    Practice,
    Response,
    RoundRoster,
    Spell,
)
from engagement.protection import subject_access
from tests import support


def staff(session, body_id: int, role: Role) -> Actor:
    """Somebody with a role in the body."""
    account = Account(email=f"{role}@example.org", name=role.value, password_hash="x", created_at=clock.now())
    session.add(account)
    session.flush()
    session.add(AccountRole(account_id=account.id, body_id=body_id, role=role.value))
    session.flush()
    return Actor(role.value, frozenset({(body_id, role)}), account.id)


def report(database, keys, body_id: int, who: str) -> dict:
    with database.session() as session:
        return subject_access.report(session, support.OPERATOR, keys, body_id, who)


def test_answers_are_given_out_only_when_two_people_approved_and_the_key_lives(database, config):
    """Open: sealed. Closed: not without two people. Approved: the answers of that person alone. Next round closed: Article 11."""
    keys = support.keys_of(config)
    body_id = support.small_body(database, practices=4, leaders=4)
    with database.session() as session:
        lead, governing = (staff(session, body_id, role) for role in (Role.LEAD, Role.GOVERNING))
        staff(session, body_id, Role.AUDITOR)
    first = support.launch(database, keys, body_id)
    doors = support.doors(database, keys, first)
    for place, door in enumerate(doors[:12]):
        support.answer(database, door, support.sheet(2 if place == 3 else 4))
    assert report(database, keys, body_id, "M004")["rounds"][0]["answer"] == subject_access.OPEN
    support.close(database, keys, first)
    closed = report(database, keys, body_id, "p4@example.org")
    assert closed["rounds"][0]["answer"] == subject_access.KEY_LIVES and "answers" not in closed["rounds"][0]
    assert closed["person"]["name"] == "Person 4" and closed["roles"][0]["practice"] == "Y00000"
    with database.session() as session:
        asked = linking.ask(session, lead, keys, body_id, number=1, ref="M004", reason="They asked to see it")
    assert "answers" not in report(database, keys, body_id, "M004")["rounds"][0]
    with database.session() as session:
        linking.approve(session, governing, asked.id)
    found = report(database, keys, body_id, "M004")["rounds"][0]
    assert [set(each["answers"].values()) for each in found["answers"]] == [{2}]
    assert "answers" not in report(database, keys, body_id, "M005")["rounds"][0]
    with database.session() as session:
        told = session.exec(select(AuditNotice.subject).where(AuditNotice.reference.like("report %"))).all()
        assert len(told) == 1
        logged = session.exec(select(AuditEntry.detail).where(AuditEntry.action == "subject.report")).all()
        assert [line["answers_of"] for line in logged] == [[], [], [], [1], []]
        subject_access.erase(session, support.OPERATOR, keys, body_id, "M004")
        left = session.exec(select(Response.answers)).all()
        assert len(left) == 11 and all(set(answers.values()) == {4} for answers in left)
    second = support.launch(database, keys, body_id)
    support.close(database, keys, second)
    assert report(database, keys, body_id, "M005")["rounds"][0]["answer"] == subject_access.KEY_GONE


def test_erasing_leaves_nothing_that_leads_to_the_person(database, config):
    """After erasing, no table but the log holds name, address or number; roles end today, and neighbours are as they were."""
    keys = support.keys_of(config)
    body_id = support.small_body(database, practices=2, leaders=2)
    round_id = support.launch(database, keys, body_id)
    support.close(database, keys, round_id)
    with database.session() as session:
        member = session.exec(select(Member).where(Member.ref == "M002")).one()
        session.add(Bounce(address="p2@example.org", hard=True))
        session.merge(OptOut(member_id=member.id, body_id=body_id, scope="all"))
        session.add(
            DeadLetter(
                body_id=body_id,
                round_id=round_id,
                member_id=member.id,
                address="p2@example.org",
                reason="full",
            )
        )
    with database.session() as session:
        before = subject_access.report(session, support.OPERATOR, keys, body_id, "M002")
        assert before["mail"]["came_back"] and before["mail"]["wants_no"] == "all"
        found = subject_access.erase(session, support.OPERATOR, keys, body_id, "M002")
    assert found["erased"]["person"] == 1 and found["erased"]["dead_letter"] == 1
    with database.reading() as session:
        held = json.dumps(
            [
                [str(row) for row in session.execute(table.select()).all()]
                for table in Member.metadata.sorted_tables
                if table.name != "audit_entry"
            ]
        )
        for word in ("Person 2'", "p2@example.org", "M002"):
            assert word not in held
        assert "Person 3'" in held and "M003" in held
        ends = session.exec(select(Spell.ends).where(Spell.member_id == member.id)).all()
        assert ends == [clock.today()]
        with pytest.raises(NotFound):
            subject_access.find(session, support.OPERATOR, body_id, "M002")


def test_who_was_alone_in_a_practice_can_have_it_erased_unseen(database, config):
    """Where one person was invited from a practice, what is stored with it is theirs: told, shown to nobody, erased at their word."""
    keys = support.keys_of(config)
    body_id = support.small_body(database, practices=4, leaders=4)
    with database.session() as session:
        practice = Practice(body_id=body_id, code="Y99999", name="Alone", list_size=900)
        member = Member(body_id=body_id, ref="ALONE", name="On Their Own", email="alone@example.org")
        session.add_all([practice, member])
        session.flush()
        session.add(
            Spell(
                body_id=body_id,
                member_id=member.id,
                practice_id=practice.id,
                role="gp_partner",
                representative=True,
            )
        )
        place = practice.id
    round_id = support.launch(database, keys, body_id)
    for door in support.doors(database, keys, round_id):
        support.answer(database, door, support.sheet())
    support.close(database, keys, round_id)
    said = report(database, keys, body_id, "ALONE")["rounds"][0]
    assert said["answer"].endswith(subject_access.ALONE) and "answers" not in said
    stored = select(func.count()).where(Response.practice_id == place)
    with database.session() as session:
        everybody = session.exec(select(func.count()).select_from(Response)).one()
        assert session.exec(stored).one() == 1
        subject_access.erase(session, support.OPERATOR, keys, body_id, "ALONE")
        assert session.exec(stored).one() == 0
        assert session.exec(select(func.count()).select_from(Response)).one() == everybody - 1
        assert session.exec(select(func.count()).where(RoundRoster.practice_id == place)).one() == 1


@pytest.mark.parametrize("tier", ["anonymous", "practice-view"])
def test_the_tier_decides_what_can_be_told(database, config, tier):
    """Anonymous: nobody can tell. Practice view: the representative sees the official answer, colleagues none."""
    keys = support.keys_of(config)
    body_id = support.small_body(database, practices=3, leaders=3)
    round_id = support.launch(database, keys, body_id, tier=tier)
    for door in support.doors(database, keys, round_id):
        support.answer(database, door, support.sheet(3))
    support.close(database, keys, round_id)
    said = report(database, keys, body_id, "M001")["rounds"][0]
    if tier == "anonymous":
        assert said["answer"] == subject_access.ANONYMOUS and "answers" not in said
    else:
        assert said["answer"] == subject_access.OFFICIAL
        assert [set(each["answers"].values()) for each in said["answers"]] == [{3}]
        assert report(database, keys, body_id, "M002")["rounds"] == []


def test_only_the_command_line_finds_people(database):
    """No role on a page may make a report; two people of one address are told apart by number."""
    body_id = support.small_body(database, practices=1, leaders=1)
    lead = Actor("lead", frozenset({(body_id, Role.LEAD)}))
    with database.session() as session:
        with pytest.raises(NotFound):
            subject_access.find(session, lead, body_id, "M001")
        session.add(Member(body_id=body_id, ref="TWIN", email="P1@example.org"))
        session.flush()
        with pytest.raises(Conflict, match="TWIN"):
            subject_access.find(session, support.OPERATOR, body_id, "p1@example.org")
