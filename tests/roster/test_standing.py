"""Standing is always asked at a date: dates, rounds, mergers, overrides, and a large body."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert
from sqlmodel import select

from engagement import clock
from engagement.errors import NotFound
from engagement.models import Body, Locality, Member, Practice, Programme, Round, Spell
from engagement.roster import standing

DAY = date(2026, 3, 1)


@pytest.fixture
def body_id(database):
    """A body with one locality."""
    with database.session() as session:
        body = Body(code="B", name="Body", created_at=clock.now())
        session.add(body)
        session.flush()
        session.add(Locality(body_id=body.id, code="north", name="North"))
        return body.id


def practice(session, body_id, code, **more) -> int:
    row = Practice(body_id=body_id, code=code, name=f"Practice {code}", **more)
    session.add(row)
    session.flush()
    return row.id


def person(session, body_id, ref, *spells) -> int:
    row = Member(body_id=body_id, ref=ref, name=f"Person {ref}")
    session.add(row)
    session.flush()
    for spell in spells:
        session.add(Spell(body_id=body_id, member_id=row.id, **({"role": "gp_partner"} | spell)))
    session.flush()
    return row.id


def refs(people):
    return [p.ref for p in people]


def test_one_person_as_they_stand(database, body_id):
    """A spell gives the person, their practice, their arm and their strata."""
    with database.session() as session:
        north = session.exec(select(Locality.id)).one()
        p = practice(session, body_id, "P1", locality_id=north, list_size=6025)
        m = person(session, body_id, "M1", {"practice_id": p, "representative": True})
        assert standing.at(session, body_id, DAY, 1) == [
            standing.Standing(
                member_id=m,
                ref="M1",
                name="Person M1",
                practice_id=p,
                practice_code="P1",
                practice_name="Practice P1",
                role="gp_partner",
                standing="grassroots",
                representative=True,
                strata={"role": "gp_partner", "locality": "north", "size": "small"},
            )
        ]


@pytest.mark.parametrize(
    ("size", "band"),
    [(None, None), (0, "small"), (6025, "small"), (6026, "medium"), (10217, "medium"), (10218, "large")],
)
def test_size_bands(size, band):
    """The cuts are the tertiles, each belonging to the smaller band; an unknown size has no band."""
    assert standing.size_band(size) == band


@pytest.mark.parametrize(
    ("day", "there"),
    [
        (date(2025, 12, 31), False),
        (date(2026, 1, 1), True),
        (date(2026, 6, 30), True),
        (date(2026, 7, 1), False),
    ],
)
def test_dates_include_the_start_and_not_the_end(database, body_id, day, there):
    """The first day of a spell counts, the last named day does not."""
    with database.session() as session:
        person(session, body_id, "M", {"starts": date(2026, 1, 1), "ends": date(2026, 7, 1)})
        assert bool(standing.at(session, body_id, day, 1)) is there


@pytest.mark.parametrize(("wave", "there"), [(1, False), (2, True), (4, True), (5, False)])
def test_round_numbers_include_the_first_and_not_the_last(database, body_id, wave, there):
    """A member is invited from the round they joined up to the one before they left."""
    with database.session() as session:
        person(session, body_id, "M", {"joined_wave": 2, "left_wave": 5})
        assert bool(standing.at(session, body_id, DAY, wave)) is there


def test_every_bound_that_is_given_must_hold(database, body_id):
    """A spell in dates and rounds holds only where both do; no bound at all always holds."""
    with database.session() as session:
        person(session, body_id, "both", {"starts": date(2026, 1, 1), "joined_wave": 3})
        person(session, body_id, "free", {})
        assert refs(standing.at(session, body_id, date(2025, 1, 1), 3)) == ["free"]
        assert refs(standing.at(session, body_id, DAY, 2)) == ["free"]
        assert refs(standing.at(session, body_id, DAY, 3)) == ["both", "free"]


def test_a_role_change_is_seen_from_its_date(database, body_id):
    """Somebody who became chair is grassroots the day before and a leader on the day, once each."""
    with database.session() as session:
        person(session, body_id, "M", {"ends": DAY}, {"role": "chair", "starts": DAY})
        (before,) = standing.at(session, body_id, DAY - timedelta(days=1), 1)
        (after,) = standing.at(session, body_id, DAY, 1)
        assert (before.standing, after.standing) == ("grassroots", "leader")


def test_what_decides_the_arm(database, body_id):
    """The spell's override wins, then the mapping given, then the body's own over the default, then none."""
    with database.session() as session:
        session.get(Body, body_id).standing_map = {"practice_manager": "staff"}
        session.flush()
        for ref, spell in {
            "override": {"standing": "leader"},
            "body": {"role": "practice_manager"},
            "default": {"role": "salaried_gp"},
            "unknown": {"role": "poet"},
        }.items():
            person(session, body_id, ref, spell)

        def arms(mapping=None):
            return {p.ref: p.standing for p in standing.at(session, body_id, DAY, 1, mapping)}

        assert arms() == {"override": "leader", "body": "staff", "default": "grassroots", "unknown": "none"}
        assert arms({"poet": "leader", "gp_partner": "none"}) == {
            "override": "leader",
            "body": "none",
            "default": "none",
            "unknown": "leader",
        }


def test_a_closing_day_is_the_first_day_outside(database, body_id):
    """People of a practice that closes with no successor are invited until the day before."""
    with database.session() as session:
        p = practice(session, body_id, "P", opened=date(2020, 1, 1), closed=DAY)
        person(session, body_id, "M", {"practice_id": p})
        assert refs(standing.at(session, body_id, DAY - timedelta(days=1), 1)) == ["M"]
        assert standing.at(session, body_id, DAY, 1) == []
        assert standing.at(session, body_id, date(2019, 12, 31), 1) == []


def test_people_follow_a_chain_of_mergers(database, body_id):
    """Each day has its practice: their own, then the one it was merged into, then the one after that."""
    with database.session() as session:
        c = practice(session, body_id, "C", list_size=20000)
        b = practice(session, body_id, "B", closed=date(2026, 6, 1), successor_id=c)
        a = practice(session, body_id, "A", closed=date(2026, 3, 1), successor_id=b)
        person(session, body_id, "M", {"practice_id": a})
        found = [
            standing.at(session, body_id, date(2026, month, 1), 1)[0].practice_code for month in (2, 3, 5, 6)
        ]
        assert found == ["A", "B", "B", "C"]
        assert standing.at(session, body_id, date(2026, 6, 1), 1)[0].strata["size"] == "large"
        assert [p.code for p in standing.practices_at(session, body_id, date(2026, 3, 1))] == ["B", "C"]


def test_a_chain_that_ends_nowhere_invites_nobody(database, body_id):
    """No open successor, one that has not opened yet, and a circle all mean not invited."""
    with database.session() as session:
        late = practice(session, body_id, "LATE", opened=date(2026, 9, 1))
        shut = practice(session, body_id, "SHUT", closed=DAY)
        one = practice(session, body_id, "ONE", closed=DAY)
        two = practice(session, body_id, "TWO", closed=DAY, successor_id=one)
        session.get(Practice, one).successor_id = two
        for ref, successor in {"late": late, "shut": shut, "circle": two}.items():
            p = practice(session, body_id, ref, closed=DAY, successor_id=successor)
            person(session, body_id, ref, {"practice_id": p})
        person(session, body_id, "unopened", {"practice_id": late})
        assert standing.at(session, body_id, DAY, 1) == []
        assert refs(standing.at(session, body_id, date(2026, 9, 1), 1)) == ["late", "unopened"]


def test_the_bodys_own_people_need_no_practice(database, body_id):
    """A lay member of the body has no practice, no locality and no size."""
    with database.session() as session:
        person(session, body_id, "L", {"role": "lay_member"})
        (found,) = standing.at(session, body_id, DAY, 1)
        assert (found.practice_id, found.standing) == (None, "none")
        assert found.strata == {"role": "lay_member", "locality": None, "size": None}


def test_overlapping_spells_give_one_person(database, body_id):
    """Should spells overlap after all, a person is invited once, in their formal role."""
    with database.session() as session:
        person(session, body_id, "M", {"role": "chair"}, {"role": "gp_partner", "starts": date(2025, 1, 1)})
        assert [p.standing for p in standing.at(session, body_id, DAY, 1)] == ["leader"]


def test_another_body_is_not_seen(database, body_id):
    """A roster holds its own body's people only, and a body that does not exist is not found."""
    with database.session() as session:
        other = Body(code="O", name="Other", created_at=clock.now())
        session.add(other)
        session.flush()
        person(session, other.id, "theirs", {})
        assert standing.at(session, body_id, DAY, 1) == []
        with pytest.raises(NotFound):
            standing.at(session, 999, DAY, 1)


def test_round_number_of_a_day(database, body_id):
    """A day belongs to the newest round that had opened by then; without rounds, to the last that anyone joined."""
    with database.session() as session:
        assert standing.wave_at(session, body_id, DAY) == 1
        person(session, body_id, "M", {"joined_wave": 7})
        assert standing.wave_at(session, body_id, DAY) == 7
        programme = Programme(body_id=body_id, name="P", created_at=clock.now())
        session.add(programme)
        session.flush()
        for number, month in ((6, 1), (7, 7)):
            session.add(
                Round(
                    body_id=body_id,
                    programme_id=programme.id,
                    public_id=f"r{number}",
                    number=number,
                    title="R",
                    opens_at=datetime(2026, month, 1, 9, tzinfo=UTC),
                )
            )
        session.flush()
        asked = [standing.wave_at(session, body_id, d) for d in (date(2025, 1, 1), DAY, date(2026, 7, 1))]
        assert asked == [6, 6, 7]
        assert standing.for_wave(session, body_id, 6) == []
        assert refs(standing.for_wave(session, body_id, 7)) == ["M"]


def test_sixty_thousand_members_take_seconds(database, body_id):
    """A country-sized body is read in one query a table: well inside the time of a launch."""
    with database.session() as session:
        p = practice(session, body_id, "P")
        session.exec(
            insert(Member),
            params=[{"body_id": body_id, "ref": str(n), "attributes": {}} for n in range(60_000)],
        )
        ids = session.exec(standing.select(Member.id).order_by(Member.id)).all()
        session.exec(
            insert(Spell),
            params=[
                {
                    "body_id": body_id,
                    "member_id": m,
                    "practice_id": p,
                    "role": "gp_partner",
                    "representative": False,
                }
                for m in ids
            ],
        )
        began = time.perf_counter()
        people = standing.at(session, body_id, DAY, 1)
        assert len(people) == 60_000
        assert time.perf_counter() - began < 10
