"""One person and one practice at a time: dated, checked, logged, and only for the engagement lead."""

from __future__ import annotations

from datetime import date

import pytest
from sqlmodel import select

from engagement.access import Actor, Role
from engagement.access.audit import verify
from engagement.errors import Conflict, EngagementError, Invalid, NotAllowed, NotFound
from engagement.models import AuditEntry, Body, Member, Practice, Spell
from engagement.roster import ensure_body, people, practices, standing, view

ON = date(2026, 3, 1)
BEFORE = date(2026, 2, 28)


def practice_id(session, code: str) -> int:
    return session.exec(select(Practice.id).where(Practice.code == code)).one()


def member_id(session, ref: str) -> int:
    return session.exec(select(Member.id).where(Member.ref == ref)).one()


def at(session, body_id, day=ON) -> dict:
    return {p.ref: (p.practice_code, p.role, p.standing) for p in standing.at(session, body_id, day, 1)}


def actions(session) -> list[str]:
    return list(session.exec(select(AuditEntry.action).order_by(AuditEntry.id)))


@pytest.fixture
def world(stocked, database, lead, body_id):
    """A writing session on a stocked roster."""
    with database.session() as session:
        yield session, lead, body_id


def test_a_practice_is_added_and_corrected(world):
    """A practice gets what was typed; a correction says in the log which fields changed."""
    session, lead, body = world
    added = practices.add_practice(
        session, lead, body, code=" P9 ", name="Ninth  Surgery", locality="east", list_size=10
    )
    assert (added.code, added.name) == ("P9", "Ninth Surgery")
    practices.correct_practice(
        session, lead, body, added.id, name="Ninth", locality="north", list_size=None, postcode="EX1 1AA"
    )
    row = standing.read_practices(session, body)[added.id]
    assert (row.name, row.locality, row.list_size) == ("Ninth", "north", None)
    last = session.exec(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert last.detail == {"practice": "P9", "fields": ["list_size", "locality_id", "name", "postcode"]}
    practices.correct_practice(
        session, lead, body, added.id, name="Ninth", locality="north", postcode="EX1 1AA"
    )
    assert session.exec(select(AuditEntry).order_by(AuditEntry.id.desc())).first().id == last.id


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"code": "", "name": "A"}, "Enter the practice's code"),
        ({"code": "P9", "name": " "}, "Enter the practice's name"),
        ({"code": "P9", "name": "=A1"}, 'starts with "="'),
        ({"code": "P9", "name": "A", "list_size": -1}, "list size must be between"),
        ({"code": "P9", "name": "A", "postcode": "x" * 11}, "Postcode is longer"),
    ],
)
def test_a_practice_that_cannot_be_taken_says_why(world, values, says):
    """Each fault in the form is a sentence, and nothing is stored."""
    session, lead, body = world
    with pytest.raises(Invalid, match=says):
        practices.add_practice(session, lead, body, **values)
    assert len(standing.read_practices(session, body)) == 3


def test_a_code_is_taken_once(world):
    """A second practice with the same code is a conflict that says what to do."""
    session, lead, body = world
    with pytest.raises(Conflict, match="Correct or reopen"):
        practices.add_practice(session, lead, body, code="P1", name="Again")


def test_closing_merging_and_reopening(world):
    """People follow the merger from its day; closing without one leaves them out; reopening takes both back."""
    session, lead, body = world
    p1, p2 = practice_id(session, "P1"), practice_id(session, "P2")
    practices.close_practice(session, lead, body, p1, ON, successor_id=p2)
    assert (at(session, body, BEFORE)["M1"][0], at(session, body)["M1"][0]) == ("P1", "P2")
    practices.close_practice(session, lead, body, p1, ON)
    assert "M1" not in at(session, body)
    practices.reopen_practice(session, lead, body, p1)
    assert at(session, body)["M1"][0] == "P1"
    with pytest.raises(Conflict, match="not closed"):
        practices.reopen_practice(session, lead, body, p1)
    assert actions(session)[-3:] == ["practice.close", "practice.close", "practice.reopen"]


def test_mergers_that_make_no_sense_are_refused(world):
    """Into itself, in a circle, into one that is closed by then, and before it opened: each says what to choose."""
    session, lead, body = world
    p1, p2, p3 = (practice_id(session, code) for code in ("P1", "P2", "P3"))
    with pytest.raises(Invalid, match="merged into it"):
        practices.close_practice(session, lead, body, p1, ON, successor_id=p1)
    practices.close_practice(session, lead, body, p2, date(2026, 1, 1), successor_id=p3)
    with pytest.raises(Invalid, match="is closed from 1 January 2026"):
        practices.close_practice(session, lead, body, p1, ON, successor_id=p2)
    with pytest.raises(Invalid, match="Choose another"):
        practices.close_practice(session, lead, body, p3, date(2025, 1, 1), successor_id=p2)
    practices.correct_practice(session, lead, body, p1, name="First", opened=ON)
    with pytest.raises(Invalid, match="opened on 1 March 2026"):
        practices.close_practice(session, lead, body, p1, BEFORE)
    with pytest.raises(Invalid, match="must not be after the closing date"):
        practices.correct_practice(session, lead, body, p2, name="Second", opened=ON)


def test_a_person_is_added_from_a_date(world):
    """A new person counts from their first day, in the role as it is mapped or as overridden."""
    session, lead, body = world
    p1 = practice_id(session, "P1")
    people.add_person(
        session, lead, body, ref="N1", role="Salaried GP", practice_id=p1, name="New", starts=ON
    )
    people.add_person(session, lead, body, ref="N2", role="Adviser", standing="staff", email="a@example.org")
    assert "N1" not in at(session, body, BEFORE)
    assert at(session, body)["N1"] == ("P1", "salaried_gp", "grassroots")
    assert at(session, body)["N2"] == (None, "adviser", "staff")


@pytest.mark.parametrize(
    ("values", "error", "says"),
    [
        ({"ref": "", "role": "x"}, Invalid, "the number that you know this person by"),
        ({"ref": "N", "role": " "}, Invalid, "Enter the role"),
        ({"ref": "N", "role": "x", "standing": "boss"}, Invalid, "Choose a standing"),
        ({"ref": "N", "role": "x", "email": "nobody"}, Invalid, "is not an e-mail address"),
        ({"ref": "N", "role": "x", "name": "@x"}, Invalid, 'starts with "@"'),
        ({"ref": "M1", "role": "x"}, Conflict, "Number M1 is on the roster already"),
        ({"ref": "N", "role": "x", "practice_id": 999_999}, NotFound, "no such practice"),
    ],
)
def test_a_person_who_cannot_be_taken_says_why(world, values, error, says):
    """Each fault in the form is a sentence, and nobody is stored."""
    session, lead, body = world
    with pytest.raises(error, match=says):
        people.add_person(session, lead, body, **values)
    assert len(at(session, body)) == 3


def test_a_correction_changes_name_and_address_only(world):
    """What is left empty is taken away, and the log repeats neither name nor address."""
    session, lead, body = world
    member = member_id(session, "M1")
    people.correct_person(session, lead, body, member, name="Anna", email=None)
    found = session.get(Member, member)
    assert (found.name, found.email) == ("Anna", None)
    last = session.exec(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert last.detail == {"member": member, "fields": ["name", "email"]}


def test_a_move_ends_one_spell_and_starts_another(world):
    """The day before is as it was; the day itself is new; a second move on the same day corrects the first."""
    session, lead, body = world
    member, p2, p3 = member_id(session, "M1"), practice_id(session, "P2"), practice_id(session, "P3")
    people.move_person(session, lead, body, member, on=ON, role="Chair", practice_id=p2)
    assert at(session, body, BEFORE)["M1"] == ("P1", "gp_partner", "grassroots")
    assert at(session, body)["M1"] == ("P2", "chair", "leader")
    people.move_person(session, lead, body, member, on=ON, role="Chair", practice_id=p3)
    assert at(session, body)["M1"] == ("P3", "chair", "leader")
    assert len(session.exec(select(Spell).where(Spell.member_id == member)).all()) == 2
    with pytest.raises(Invalid, match="Nothing would change"):
        people.move_person(session, lead, body, member, on=date(2026, 5, 1), role="chair", practice_id=p3)
    with pytest.raises(Conflict, match="starts on 1 March 2026"):
        people.move_person(session, lead, body, member, on=date(2026, 1, 1), role="locum_gp")
    practices.close_practice(session, lead, body, p2, ON)
    with pytest.raises(Invalid, match="P2 is closed from 1 March 2026"):
        people.move_person(session, lead, body, member, on=date(2026, 6, 1), role="chair", practice_id=p2)


def test_an_end_can_be_taken_back_and_a_person_can_return(world):
    """Ending is dated; taking it back joins up again; moving somebody who left brings them back from a date."""
    session, lead, body = world
    member = member_id(session, "M2")
    people.end_person(session, lead, body, member, ON)
    assert "M2" in at(session, body, BEFORE) and "M2" not in at(session, body)
    with pytest.raises(Conflict, match="left by then already"):
        people.end_person(session, lead, body, member, ON)
    people.reinstate_person(session, lead, body, member)
    assert "M2" in at(session, body)
    with pytest.raises(Conflict, match="no end"):
        people.reinstate_person(session, lead, body, member)
    people.end_person(session, lead, body, member, ON)
    people.move_person(session, lead, body, member, on=date(2026, 6, 1), role="chair")
    assert "M2" not in at(session, body, date(2026, 5, 1))
    assert at(session, body, date(2026, 6, 1))["M2"] == (None, "chair", "leader")
    with pytest.raises(Invalid, match="starts on 1 June 2026"):
        people.end_person(session, lead, body, member, date(2026, 5, 1))


def test_a_roles_standing_is_set_for_the_body(world):
    """The arm of a role changes for everybody with it who has no standing of their own; the same again is no entry."""
    session, lead, body = world
    people.set_standing(session, lead, body, "Practice manager", "staff")
    assert at(session, body)["M2"][2] == "staff"
    before = len(actions(session))
    people.set_standing(session, lead, body, "practice_manager", "staff")
    assert len(actions(session)) == before
    with pytest.raises(Invalid, match="Choose one of leader"):
        people.set_standing(session, lead, body, "chair", "boss")
    with pytest.raises(Invalid, match="Give the role"):
        people.set_standing(session, lead, body, " - ", "leader")
    assert session.get(Body, body).standing_map["practice_manager"] == "staff"


def test_the_audit_chain_holds_after_all_of_it(world):
    """Every verb leaves a line in a log whose chain verifies."""
    session, lead, body = world
    member = member_id(session, "M1")
    people.move_person(session, lead, body, member, on=ON, role="chair")
    people.end_person(session, lead, body, member, date(2026, 9, 1))
    practices.close_practice(session, lead, body, practice_id(session, "P1"), ON)
    assert actions(session)[-3:] == ["member.move", "member.end", "practice.close"]
    assert verify(session) is None


def verbs(session, body, of) -> list:
    """Every verb with arguments that would be right for the lead of body `of`."""
    p, m = practice_id(session, "P1"), member_id(session, "M1")
    return [
        (practices.add_practice, (), {"code": "Z", "name": "Z"}),
        (practices.correct_practice, (p,), {"name": "Z"}),
        (practices.close_practice, (p, ON), {}),
        (practices.reopen_practice, (p,), {}),
        (people.add_person, (), {"ref": "Z", "role": "z"}),
        (people.correct_person, (m,), {"name": "Z"}),
        (people.move_person, (m,), {"on": ON, "role": "z"}),
        (people.end_person, (m, ON), {}),
        (people.reinstate_person, (m,), {}),
        (people.set_standing, ("chair", "none"), {}),
        (view.roster_now, (ON,), {}),
    ]


def test_every_verb_is_for_the_lead_alone(world):
    """Governing body, council and strangers are refused by each verb, and so is a thing of another body."""
    session, _, body = world
    other = ensure_body(session, Actor.operator(), "OTHER").id
    for role in (Role.GOVERNING, Role.COUNCIL):
        actor = Actor("x", roles=frozenset({(body, role), (other, Role.LEAD)}))
        for verb, args, kwargs in verbs(session, body, body):
            with pytest.raises(NotAllowed):
                verb(session, actor, body, *args, **kwargs)
    stranger = Actor("x", roles=frozenset({(other, Role.LEAD)}))
    for verb, args, kwargs in verbs(session, body, body):
        with pytest.raises(NotFound):
            verb(session, stranger, body, *args, **kwargs)
        if args and isinstance(args[0], int):
            with pytest.raises(EngagementError, match="no such"):
                verb(session, stranger, other, *args, **kwargs)


def test_the_roster_at_a_date(world):
    """The page's view has practices with people by standing, everybody with what holds then, and who is left out."""
    session, lead, body = world
    p1, m2 = practice_id(session, "P1"), member_id(session, "M2")
    practices.close_practice(session, lead, body, p1, ON)
    people.end_person(session, lead, body, m2, date(2026, 6, 1))
    before = view.roster_now(session, lead, body, BEFORE)
    assert [(p.code, p.open, p.counts["grassroots"]) for p in before.practices] == [
        ("P1", True, 1),
        ("P2", True, 1),
        ("P3", True, 0),
    ]
    assert before.counts == {"leader": 0, "grassroots": 2, "staff": 0, "none": 1}
    assert before.stranded == [] and not before.by_waves and not before.empty
    after = view.roster_now(session, lead, body, date(2026, 6, 1))
    assert [p.code for p in after.open_practices] == ["P2", "P3"]
    assert [p.ref for p in after.stranded] == ["M1"]
    assert {p.ref: (p.current, p.invited, p.ends) for p in after.people} == {
        "M1": (True, False, None),
        "M2": (False, False, date(2026, 6, 1)),
        "M3": (True, True, None),
    }
    assert [p.ref for p in after.current] == ["M1", "M3"]
    roles = {r.role: (r.standing, r.people) for r in before.roles}
    assert roles["gp_partner"] == ("grassroots", 1) and roles["chair"] == ("leader", 0)


def test_a_move_shows_the_role_of_the_date(world):
    """Before the day of a move the view has the old role, from it the new, and the person once."""
    session, lead, body = world
    people.move_person(session, lead, body, member_id(session, "M1"), on=ON, role="chair")
    for day, role in ((BEFORE, "gp_partner"), (ON, "chair")):
        assert [p.role for p in view.roster_now(session, lead, body, day).people if p.ref == "M1"] == [role]
