"""Member files: people and their spells, checked line by line and fitted to what is held."""

from __future__ import annotations

from datetime import date

import pytest
from sqlmodel import select

from engagement.access import Actor, Role
from engagement.errors import Conflict, NotAllowed
from engagement.models import Member, Spell
from engagement.roster import people, preview_members, standing
from tests.roster.conftest import MEMBERS

ON = date(2026, 3, 1)


def said(preview, what):
    return [(x.number, x.key, x.detail) for x in preview.lines if x.what == what]


def spells(desk, ref) -> list[tuple]:
    with desk.database.reading() as session:
        rows = session.exec(
            select(Spell)
            .join(Member, Member.id == Spell.member_id)
            .where(Member.ref == ref)
            .order_by(Spell.id)
        ).all()
        return [(s.role, s.practice_id, s.starts, s.ends, s.joined_wave, s.left_wave) for s in rows]


def at(desk, day=ON, wave=1) -> dict:
    with desk.database.reading() as session:
        return {p.ref: p for p in standing.at(session, desk.body_id, day, wave)}


def test_members_are_added_with_all_that_the_file_says(stocked):
    """Every column lands where it belongs; spells of one number make one person."""
    preview = stocked.members(
        b"member_id,practice_id,role,group,representative,name,email,joined_wave,left_wave,from,to,Pronoun\n"
        b"M9,P1,GP Partner,,1,Di,di@example.org,0,3,2020-01-01,,she\n"
        b"M9,P2,Chair,leader,,Di,,3,0,,,\n"
        b"M8,,CCG staff,none,no,Ed,,,,1/4/2024,1/4/2025,\n",
    )
    assert preview.refused == []
    assert said(preview, "add") == [
        (2, "M9", "GP partner at P1 from 1 January 2020 until round 3; Chair at P2 from round 3"),
        (4, "M8", "CCG staff from 1 April 2024 until 1 April 2025"),
    ]
    assert stocked.apply(preview).sentence == "2 people added."
    assert [(s[0], s[2:]) for s in spells(stocked, "M9")] == [
        ("gp_partner", (date(2020, 1, 1), None, None, 3)),
        ("chair", (None, None, 3, None)),
    ]
    now = at(stocked, wave=1)["M9"]
    assert (now.practice_code, now.standing, now.representative, now.name) == ("P1", "grassroots", True, "Di")
    later = at(stocked, wave=3)["M9"]
    assert (later.practice_code, later.standing, later.representative) == ("P2", "leader", False)
    with stocked.database.reading() as session:
        di = session.exec(select(Member).where(Member.ref == "M9")).one()
        assert (di.email, di.attributes) == ("di@example.org", {"pronoun": "she"})
    assert at(stocked, day=date(2024, 4, 1))["M8"].standing == "none"
    assert "M8" not in at(stocked, day=date(2025, 4, 1))


def test_the_same_file_again_changes_nothing(stocked):
    """A second preview of an imported file offers no change, also with spells."""
    assert stocked.members(MEMBERS).changes == 0
    more = (
        b"member_id,practice_id,role,from,to\n"
        b"M7,P1,gp_partner,2020-01-01,2024-01-01\nM7,P1,chair,2024-01-01,\nM7,P2,chair,2030-01-01,2031-01-01\n"
    ).replace(b"2024-01-01,\n", b"2024-01-01,2029-01-01\n")
    stocked.apply(stocked.members(more))
    assert stocked.members(more).changes == 0


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("M9,P1,gp,,,,,,,,\nM9,P1,gp,,,,,,,,", "line 3: M9: says the same as line 2"),
        (
            "M9,P1,gp,,,,,,,2020-01-01,\nM9,P2,chair,,,,,,,2021-01-01,",
            "line 3: M9: overlaps line 2 (Gp at P1 from 1",
        ),
        ("M9,P1,gp,,,,,1,4,,\nM9,P2,gp,,,,,3,0,,", "overlaps line 2 (Gp at P1 from round 1 until round 4)"),
        ("M9,P1,gp,,,,,1,4,,\nM9,P2,gp,,,,,,,2020-01-01,", "overlaps line 2"),
        ("M9,P77,gp,,,,,,,,", "practice_id P77 is no practice of this body; import the practices first"),
        ("M9,p1,gp,,,,,,,,", "practice_id p1 is no practice of this body; write it as P1"),
        (",P1,gp,,,,,,,,", "member_id is empty"),
        ("M9,P1,,,,,,,,,", "role is empty"),
        ("M9,P1,gp,boss,,,,,,,", 'group "boss" is no standing; write one of leader, grassroots, staff, none'),
        ("M9,P1,gp,,2,,,,,,", 'representative "2" is not 0 or 1'),
        ("M9,P1,gp,,,=cmd|x,,,,,", 'name starts with "="'),
        ("M9,P1,@gp,,,,,,,,", 'role starts with "@"'),
        ("M9,P1,gp,,,,nobody,,,,", 'email "nobody" is not an e-mail address'),
        ("M9,P1,gp,,,,=a@b.org,,,,", "email"),
        ("M9,P1,gp,,,,,x,,,", 'joined_wave "x" is not a whole number'),
        ("M9,P1,gp,,,,,5,2,,", "left_wave 2 is before joined_wave 5"),
        ("M9,P1,gp,,,,,,,2025-01-01,2024-01-01", "to 1 January 2024 is before from 1 January 2025"),
        ("M9,P1,gp,,,,,,,31/6/2025,", 'from "31/6/2025" is not a date'),
        (
            "M9,P1,gp,,,Di,,,2,,\nM9,P1,gp,,,Jo,,2,,,",
            "has the name Jo, and line 2 has Di under the same member_id",
        ),
    ],
)
def test_a_bad_line_is_refused_with_its_number_and_remedy(stocked, rows, says):
    """Each fault is one clear line with what to do, and good lines beside it are not applied."""
    before = at(stocked)
    head = "member_id,practice_id,role,group,representative,name,email,joined_wave,left_wave,from,to"
    preview = stocked.members(f"{head}\n{rows}\nM10,P1,gp,,,Good,,,,,\n".encode())
    assert len(preview.refused) == 1
    assert says in preview.refused[0] and ";" in preview.refused[0]
    with pytest.raises(Exception, match=r"members\.csv was not imported: 1 line is refused"):
        stocked.apply(preview)
    assert at(stocked) == before


@pytest.mark.parametrize("column", ["member_id", "practice_id", "role"])
def test_missing_columns_are_named(stocked, column):
    """A file without a needed column says which, at its first line."""
    header = [c for c in ("member_id", "practice_id", "role") if c != column]
    preview = stocked.members(f"{','.join(header)}\na,b\n".encode())
    assert said(preview, "refuse")[0][0] == 1
    assert f'no column "{column}"' in preview.refused[0]


def test_things_to_know_do_not_stop_an_import(stocked):
    """Unmapped roles, shared addresses, empty spells and closed practices are noted, and the rest goes in."""
    stocked.apply(stocked.practices(b"practice_id,name,closed\nP3,,2020-01-01\n"))
    preview = stocked.members(
        b"member_id,practice_id,role,email,from,to\n"
        b"M7,P1,Poet,ANN@example.org,,\n"
        b"M8,P3,GP partner,,,\n"
        b"M9,P1,GP partner,,2024-01-01,2024-01-01\n"
    )
    notes = "\n".join(preview.notes)
    assert 'the role "Poet" (1 row) has no standing' in notes
    assert "line 2: M7: has the same e-mail address as M1" in notes
    assert "line 3: M8: P3 is closed and was not merged" in notes
    assert "line 4: M9: ends where it starts" in notes
    assert preview.refused == [] and preview.counts["add"] == 3


def test_people_are_matched_by_number_alone(stocked):
    """The same name and practice under another number is another person."""
    preview = stocked.members(b"member_id,practice_id,role,name\nM1B,P1,GP partner,Ann\n")
    assert [key for _, key, _ in said(preview, "add")] == ["M1B"]


def test_a_move_without_a_date_counts_from_the_day_of_the_import(stocked):
    """The old spell ends and the new begins on the day given, so the past still says what was."""
    preview = stocked.members(b"member_id,practice_id,role,name\nM1,P2,Chair,Anna\n", on=ON)
    assert said(preview, "change") == [
        (
            2,
            "M1",
            "name: Ann → Anna; GP partner at P1 → until 1 March 2026; new: Chair at P2 from 1 March 2026",
        )
    ]
    stocked.apply(preview)
    before, after = at(stocked, day=date(2026, 2, 28))["M1"], at(stocked)["M1"]
    assert (before.practice_code, before.standing) == ("P1", "grassroots")
    assert (after.practice_code, after.standing, after.name) == ("P2", "leader", "Anna")


def test_an_end_in_the_file_is_an_end_in_the_preview(stocked):
    """A person whose spell only gets an end is listed as ended."""
    preview = stocked.members(b"member_id,practice_id,role,to\nM1,P1,GP partner,2026-04-01\n")
    assert said(preview, "end") == [(2, "M1", "GP partner at P1 → until 1 April 2026")]
    assert stocked.apply(preview).ended == 1
    assert "M1" not in at(stocked, day=date(2026, 4, 1))


def test_a_spell_that_cannot_be_fitted_is_refused(stocked, lead):
    """The refusal names what is held, with its dates."""
    with stocked.database.session() as session:
        member = session.exec(select(Member.id).where(Member.ref == "M1")).one()
        people.move_person(session, lead, stocked.body_id, member, on=ON, role="chair")
    preview = stocked.members(b"member_id,practice_id,role,from\nM1,P2,GP partner,2025-01-01\n")
    assert "overlaps what is held here (Chair from 1 March 2026)" in preview.refused[0]


def test_who_the_file_leaves_out_stays_unless_asked(stocked):
    """Absent people are listed and left; with a day their membership ends then."""
    content = b"member_id,practice_id,role\nM1,P1,GP partner\n"
    preview = stocked.members(content, on=ON)
    assert said(preview, "note") == [(0, r, "not in this file, left as they are") for r in ("M2", "M3")]
    assert preview.changes == 0
    preview = stocked.members(content, end_absent=ON)
    assert [key for _, key, _ in said(preview, "end")] == ["M2", "M3"]
    stocked.apply(preview)
    assert set(at(stocked)) == {"M1"}
    assert set(at(stocked, day=date(2026, 2, 28))) == {"M1", "M2", "M3"}
    assert stocked.members(content, on=ON).notes == []


def test_a_roster_that_changed_since_needs_a_new_preview(stocked, lead):
    """A person corrected in between refuses the import."""
    preview = stocked.members(b"member_id,practice_id,role,name\nM1,P1,GP partner,Anna\n")
    with stocked.database.session() as session:
        member = session.exec(select(Member.id).where(Member.ref == "M2")).one()
        people.correct_person(session, lead, stocked.body_id, member, name="Bob", email=None)
    with pytest.raises(Conflict, match="Run the preview again"):
        stocked.apply(preview)


def test_only_the_lead_may_preview(stocked, body_id):
    """The preview holds names, so it needs the engagement lead's role."""
    with stocked.database.reading() as session, pytest.raises(NotAllowed):
        preview_members(
            session, Actor("C", roles=frozenset({(body_id, Role.COUNCIL)})), body_id, MEMBERS, name="x"
        )


def test_hostile_text_is_kept_as_text(stocked):
    """Markup is stored as typed, direction overrides are dropped, and neither stops an import."""
    content = "member_id,practice_id,role,name\nM9,P1,GP partner,![x](https://evil.example/a.png) \u202eabc\n"
    preview = stocked.members(content.encode())
    assert preview.refused == []
    stocked.apply(preview)
    assert at(stocked)["M9"].name == "![x](https://evil.example/a.png) abc"


def test_the_example_files_import_as_they_are(desk):
    """What the page offers to download can be uploaded again."""
    from engagement.roster import examples

    first = desk.practices(examples.example_practices())
    assert first.refused == []
    desk.apply(first)
    second = desk.members(examples.example_members())
    assert second.refused == [] and second.counts["add"] == 3
    desk.apply(second)
    assert at(desk)["1002"].practice_code == "Y90001"
