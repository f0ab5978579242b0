"""The plan as it is kept: proposed, changed by hand, accepted, taken back, and logged."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from sqlmodel import select

from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.models import (
    Assessment,
    AuditEntry,
    Bounce,
    Locality,
    Member,
    PlannedContact,
    Practice,
    Programme,
    Round,
)
from engagement.outreach import calendar, catalogue, contacts, peers, plan, team
from tests import support

LEAD = support.OPERATOR
TODAY = date(2026, 11, 2)


@pytest.fixture
def body(database, monkeypatch):
    """Twelve practices in two localities, assessed after a round, and two people who make contacts."""
    monkeypatch.setattr(clock, "now", lambda: clock.datetime(2026, 11, 2, 12, tzinfo=clock.UTC))
    body_id = support.small_body(database)
    with database.session() as session:
        south = Locality(body_id=body_id, code="S", name="South")
        session.add(south)
        session.flush()
        for at, practice in enumerate(practices(session, body_id)):
            practice.locality_id = south.id if at >= 6 else practice.locality_id
            practice.attributes = {"rural": "yes"} if at < 3 else {}
            practice.easting, practice.northing = (400_000 + 1_000 * at, 300_000) if at < 6 else (None, None)
            session.add(practice)
        assess(session, body_id)
        team.save_person(session, LEAD, body_id, name="Dr Visitor", hours=6)
        team.save_person(session, LEAD, body_id, name="South only", hours=3, locality="S", practice="Y00007")
    return body_id


def practices(session, body_id):
    return session.exec(select(Practice).where(Practice.body_id == body_id).order_by(Practice.code)).all()


def assess(session, body_id, *, c: float = 0.5) -> None:
    """A round that closed on 1 September, and what its assessment says: the first two withdrawn, the next two critical,
    then two champions, one that drifts, and the rest not clear."""
    kinds = ["withdrawn"] * 2 + ["critical"] * 2 + ["champion"] * 2 + ["withdrawn"] + ["steady"] * 5
    rows = [
        {
            "practice_id": practice.code,
            "leading_segment": kinds[at],
            "clarity": "clear" if at < 6 else "moving" if at == 6 else "not_clear",
            "evidence": "agreed" if at < 6 else "locality:S",
            "rank": [at + 1, min(at + 3, 12)],
            "engagement": at / 10 - 0.5,
            "p_silent_next": 0.8 if at < 2 else 0.1,
            "now": {"attitude": at / 10 - 0.5, "participation": at / 12},
            "reasons": {"silent_rounds": None, "trend": "down" if at == 6 else None},
        }
        for at, practice in enumerate(practices(session, body_id))
    ]
    content = {"usable": True, "of": 12, "correlation": {"c": c}, "practices": rows, "round": {"number": 1}}
    programme = Programme(body_id=body_id, name="P", created_at=clock.now())
    session.add(programme)
    session.flush()
    round_ = Round(
        body_id=body_id, programme_id=programme.id, public_id=f"r{c}", number=1, title="One", state="released",
        opens_at=at_noon(date(2026, 8, 1)), closes_at=at_noon(date(2026, 9, 1)), promise="{}", promise_hash="x",
    )  # fmt: skip
    session.add(round_)
    session.flush()
    text = audit.canonical(content)
    session.add(
        Assessment(
            body_id=body_id, round_id=round_.id, content=text, content_hash=audit.sha256(text), software="0", created_at=clock.now()
        )
    )  # fmt: skip


def at_noon(day: date):
    return clock.from_london(day, time(12))


def rows_of(database, body_id, *states):
    with database.reading() as session:
        return contacts.rows(session, LEAD, body_id, states=states)


def do(database, verb, *args, **kwargs):
    with database.session() as session:
        return verb(session, LEAD, *args, **kwargs)


def proposed(database, body_id, **kwargs):
    """A proposal, read back."""
    do(database, plan.propose, body_id, **kwargs)
    with database.reading() as session:
        return plan.newest(session, LEAD, body_id)


def test_a_proposal_says_why_keeps_hours_and_is_not_yet_a_plan(database, body):
    """Reasons are sentences about segment, trend and last contact; nobody has more hours than they gave or goes where they
    may not; nothing is planned before it is accepted; the seed and share stand in the plan and the audit log."""
    made = proposed(database, body, seed=7)
    rows = rows_of(database, body)
    assert {row.state for row in rows} == {"proposed"} and made.round == 1 and made.seed == 7
    assert made.first_month == date(2026, 12, 1) and made.found["contacts"] == len(rows) == 12
    by_code = {row.practice: row for row in rows}
    segment = [row for row in rows if row.why == "segment"]
    assert {row.practice for row in rows if row.why == "random"} and made.found["drawn"] == 2
    for row in segment:
        if row.practice in ("Y00000", "Y00001"):
            assert row.reason == "Withdrawn and likely to stay silent; no contact known."
        if row.practice == "Y00006":
            assert row.reason.startswith("Drifting towards withdrawn and attitude falling by its segments;")
    assert by_code["Y00004"].action == "buddying" and by_code["Y00002"].action == "visit"
    hours: dict = {}
    for row in rows:
        hours[row.person, row.month] = hours.get((row.person, row.month), 0) + row.hours
        assert row.person != "South only" or (row.locality == "South" and row.practice != "Y00007")
    assert all(used <= {"Dr Visitor": 6, "South only": 3}[who] for (who, _), used in hours.items())
    groups = {row["name"]: row for row in made.found["groups"]}
    assert groups.keys() == {"North", "South", "Rural"} - ({"Small lists"} - groups.keys())
    with database.reading() as session:
        (detail,) = session.exec(select(AuditEntry.detail).where(AuditEntry.action == "outreach.propose"))
    assert detail["seed"] == 7 and detail["random_share"] == 10


def test_changes_by_hand_outlive_a_new_proposal_and_can_be_taken_back(database, body):
    """A contact moved, one taken out and one added by hand stay so when the plan is proposed again with the same seed; each
    change is undone by one verb; accepting and taking that back move all of them together."""
    first = proposed(database, body)
    one, two, *_ = rows_of(database, body)
    june = date(2027, 5, 1)
    do(database, plan.change, one.id, action="training", month=june, person_id=None)
    do(database, plan.cancel, two.id)
    added = do(
        database, plan.add, body, two.practice, action="papers", month=june, reason="They asked for it."
    )
    do(database, plan.cancel, added)
    again = proposed(database, body)
    assert again.seed == first.seed and again.id != first.id
    rows = {row.id: row for row in rows_of(database, body)}
    assert (rows[one.id].action, rows[one.id].month, rows[one.id].person, rows[one.id].by_hand) == (
        "training", june, None, True,
    )  # fmt: skip
    assert rows[two.id].state == "cancelled" and rows[one.id].plan_id == again.id
    assert sum(row.practice == two.practice for row in rows.values() if row.state == "proposed") == 0

    do(database, plan.undo, two.id)
    do(database, plan.undo, one.id)
    rows = {row.id: row for row in rows_of(database, body)}
    assert rows[two.id].state == "proposed" and not rows[one.id].by_hand
    assert (rows[one.id].action, rows[one.id].month, rows[one.id].person_id) == (
        one.action, one.month, one.person_id,
    )  # fmt: skip
    with pytest.raises(Conflict, match="no change"):
        do(database, plan.undo, one.id)

    count = do(database, plan.accept, again.id)
    assert count == len(rows_of(database, body, "planned"))
    with pytest.raises(Conflict):
        do(database, plan.accept, again.id)
    do(database, plan.undo_accept, again.id)
    assert not rows_of(database, body, "planned")
    do(database, plan.discard, again.id)
    assert {row.id for row in rows_of(database, body)} == {added}
    with database.reading() as session:
        assert plan.newest(session, LEAD, body) is None


def test_a_contact_cancelled_in_a_proposal_comes_back_as_the_plan_is(database, body):
    """What was taken out of a proposal and is put back after it was accepted is planned, not proposed."""
    made = proposed(database, body)
    one = rows_of(database, body)[0]
    do(database, plan.cancel, one.id)
    do(database, plan.accept, made.id)
    do(database, plan.undo, one.id)
    assert next(row for row in rows_of(database, body) if row.id == one.id).state == "planned"


def test_floors_and_rests_count_from_the_last_contact(database, body):
    """One met eleven months ago is due in the first month and says so; one met last month rests; a visit that found nobody
    counts for nothing; one never met is due a floor after the first plan."""
    do(
        database,
        team.save_settings,
        body,
        months=3,
        floor_months=12,
        rest_months=6,
        random_share=0,
        slack=100,
    )
    for code, months, outcome in (("Y00005", 11, "met"), ("Y00004", 1, "met"), ("Y00000", 1, "missed")):
        day = contacts.add_months(TODAY, -months)
        do(database, contacts.log_unplanned, body, code, action="visit", done_on=day, outcome=outcome)
    proposed(database, body)
    rows = {row.practice: row for row in rows_of(database, body, "proposed")}
    due = rows["Y00005"]
    assert (due.why, due.month) == ("floor", date(2026, 12, 1))
    assert due.reason == "Due: every practice once in 12 months. Champion; last contact 12 months ago."
    assert "Y00004" not in rows and rows["Y00000"].reason.endswith("no contact known.")
    assert all(row.why == "segment" for code, row in rows.items() if code != "Y00005")
    with database.reading() as session:
        assert team.settings(session, LEAD, body).counted_from == date(2026, 12, 1)


def test_one_met_lately_waits_behind_one_that_was_not(database, body):
    """With hours for one visit, the least engaged has it; met four months ago, it waits for the next in rank."""
    do(
        database,
        team.save_settings,
        body,
        months=1,
        floor_months=12,
        rest_months=0,
        random_share=0,
        slack=100,
    )
    people = {person.name: person.id for person in read(database, team.people, body)}
    do(database, team.save_person, body, person_id=people["Dr Visitor"], name="Dr Visitor", hours=3)
    do(database, team.save_person, body, person_id=people["South only"], name="South only", hours=0)
    proposed(database, body)
    assert [row.practice for row in rows_of(database, body)] == ["Y00000"]
    day = contacts.add_months(TODAY, -4)
    do(database, contacts.log_unplanned, body, "Y00000", action="visit", done_on=day, outcome="met")
    proposed(database, body)
    assert [row.practice for row in rows_of(database, body, "proposed")] == ["Y00001"]


def test_what_could_not_be_kept_is_said(database, body):
    """With too few hours the floor gives and names whom; a locality that nobody covers is named."""
    do(database, team.save_settings, body, months=1, floor_months=1, rest_months=0, random_share=0, slack=0)
    people = {person.name: person.id for person in read(database, team.people, body)}
    do(database, team.save_person, body, person_id=people["Dr Visitor"], name="Dr Visitor", hours=0)
    do(
        database, team.save_person, body, person_id=people["South only"], name="South only", hours=12, locality="S",
        practice="Y00007",
    )  # fmt: skip
    made = proposed(database, body)
    north = [f"Y{at:05d}" for at in range(6)]
    assert set(made.found["nobody"]) == {*north, "Y00007"} and set(north) < set(made.found["no_floor"])
    assert made.found["over"] == ["South"]
    assert [row.why for row in rows_of(database, body)] == ["floor"] * made.found["contacts"]
    do(
        database,
        team.save_person,
        body,
        person_id=people["South only"],
        name="South only",
        hours=3,
        active=False,
    )
    with pytest.raises(Invalid, match="Nobody has hours"):
        do(database, plan.propose, body)
    with pytest.raises(Invalid, match="this month or within a year"):
        do(database, plan.propose, body, first_month=date(2026, 10, 1))


def read(database, verb, *args, **kwargs):
    with database.reading() as session:
        return verb(session, LEAD, *args, **kwargs)


def test_one_that_asked_not_to_be_visited_is_left_out_until_taken_back(database, body):
    """An exclusion needs a reason, clears what was proposed, refuses planning by hand, and is lifted by a verb; "declined" in
    the log makes one."""
    proposed(database, body)
    with pytest.raises(Invalid, match="why"):
        do(database, team.exclude, body, "Y00001", " ")
    do(database, team.exclude, body, "Y00001", "Asked not to be visited.")
    assert all(row.practice != "Y00001" for row in rows_of(database, body))
    proposed(database, body)
    assert all(row.practice != "Y00001" for row in rows_of(database, body))
    with pytest.raises(Conflict, match="Asked not to be visited"):
        do(database, plan.add, body, "Y00001", action="visit", month=TODAY)
    do(database, team.include, body, "Y00001")
    proposed(database, body)
    assert any(row.practice == "Y00001" for row in rows_of(database, body))
    do(database, contacts.log_unplanned, body, "Y00002", action="visit", done_on=TODAY, outcome="declined")
    assert [each.practice for each in read(database, team.exclusions, body)] == ["Y00002"]


def test_a_practice_that_mail_cannot_reach_has_its_contact_mended_first(database, body):
    """Where every address of a practice bounced, the plan mends the contact before anybody drives there."""
    with database.session() as session:
        for number in range(1, 6):
            address = f"p{number}@example.org"
            session.add(Bounce(address=address, hard=True, reason="unknown", at=clock.now()))
        assert session.exec(select(Member.email).where(Member.email == "p1@example.org")).one()
    proposed(database, body)
    row = next(row for row in rows_of(database, body) if row.practice == "Y00000")
    assert row.action == "contact" and "no address there works" in row.reason


def test_a_contact_is_logged_corrected_and_taken_back(database, body):
    """Outcome, what was heard and the next step are kept, corrected, ticked off and taken back; what is wrong is named and
    nothing is stored; what was heard never reaches the audit log."""
    made = proposed(database, body)
    one = rows_of(database, body)[0]
    with pytest.raises(Conflict, match="Accept the plan"):
        do(database, contacts.log, one.id, done_on=TODAY, outcome="met")
    do(database, plan.accept, made.id)
    with pytest.raises(Invalid) as caught:
        do(database, contacts.log, one.id, done_on=TODAY + timedelta(1), outcome="fine", next_on=TODAY)
    assert len(caught.value.problems) == 3
    do(
        database, contacts.log, one.id, done_on=TODAY, outcome="met", heard=" They want\n a nurse ", next_step="Ring",
        next_on=TODAY,
    )  # fmt: skip
    (row,) = rows_of(database, body, "done")
    assert (row.heard, row.next_step, row.done_on, row.outcome) == (
        "They want\na nurse",
        "Ring",
        TODAY,
        "met",
    )
    do(database, contacts.next_done, one.id)
    do(database, contacts.log, one.id, done_on=TODAY, outcome="met", heard="A nurse", next_step="Ring")
    (row,) = rows_of(database, body, "done")
    assert row.next_done_on == TODAY and row.heard == "A nurse" and row.next_on is None
    with database.reading() as session:
        log = session.exec(
            select(AuditEntry.detail).where(AuditEntry.action.startswith("outreach.log"))
        ).all()
    assert len(log) == 2 and "nurse" not in str(log)
    do(database, contacts.unlog, one.id)
    assert rows_of(database, body, "done") == () and len(rows_of(database, body, "planned")) == len(
        rows_of(database, body)
    )


def test_treated_are_those_met_between_two_rounds(database, body):
    """Counted from the day after the first closed to the day before the second opened, with the actions in order; nobody
    found, or declined, is no treatment."""
    with database.session() as session:
        first = session.exec(select(Round).where(Round.body_id == body)).one()
        session.add(
            Round(
                body_id=body, programme_id=first.programme_id, public_id="r2", number=2, title="Two", state="open",
                opens_at=at_noon(date(2026, 11, 1)), closes_at=at_noon(date(2026, 12, 1)), promise="{}", promise_hash="x",
            )
        )  # fmt: skip
    for code, action, day, outcome in (
        ("Y00001", "papers", date(2026, 10, 31), "met"),
        ("Y00001", "visit", date(2026, 9, 2), "met"),
        ("Y00002", "visit", date(2026, 9, 1), "met"),
        ("Y00003", "visit", date(2026, 11, 1), "met"),
        ("Y00004", "visit", date(2026, 10, 1), "missed"),
    ):
        do(database, contacts.log_unplanned, body, code, action=action, done_on=day, outcome=outcome)
    with database.reading() as session:
        assert contacts.treated(session, body, 1, 2) == {"Y00001": ("visit", "papers")}
        with pytest.raises(NotFound):
            contacts.treated(session, body, 1, 3)


def test_others_read_counts_alone_and_strangers_nothing(database, body):
    """Governing body and council learn how much is done; every verb that names a practice or changes something refuses them,
    and tells a stranger that there is nothing."""
    made = proposed(database, body)
    one = rows_of(database, body)[0]
    do(database, plan.accept, made.id)
    do(database, contacts.log, one.id, done_on=TODAY, outcome="met")
    verbs = [
        lambda s, a: contacts.rows(s, a, body),
        lambda s, a: plan.newest(s, a, body),
        lambda s, a: plan.propose(s, a, body),
        lambda s, a: plan.undo_accept(s, a, made.id),
        lambda s, a: plan.add(s, a, body, "Y00001", action="visit", month=TODAY),
        lambda s, a: plan.cancel(s, a, one.id),
        lambda s, a: contacts.log(s, a, one.id, done_on=TODAY, outcome="met"),
        lambda s, a: team.people(s, a, body),
        lambda s, a: team.exclude(s, a, body, "Y00001", "x"),
        lambda s, a: catalogue.save(s, a, body, name="x", who="x", hours=1),
        lambda s, a: peers.pairs(s, a, body),
        lambda s, a: peers.keep_groups(s, a, body),
    ]
    for role in (Role.GOVERNING, Role.COUNCIL):
        reader = Actor("reader", frozenset({(body, role)}))
        with database.session() as session:
            counts = contacts.counts(session, reader, body)
            assert (counts.made, counts.reached, counts.of) == (1, 1, 12)
            assert counts.planned == 11 and catalogue.actions(session, reader, body)
            for verb in verbs:
                with pytest.raises(NotAllowed):
                    verb(session, reader)
    stranger = Actor("stranger", frozenset({(body + 1, Role.LEAD)}))
    with database.session() as session:
        for verb in [*verbs, lambda s, a: contacts.counts(s, a, body)]:
            with pytest.raises(NotFound):
                verb(session, stranger)


def test_actions_are_the_bodys_to_change(database, body):
    """A body changes hours and words of an action, adds its own, takes one out of use and goes back; faults are named."""
    assert [action.key for action in read(database, catalogue.actions, body)] == [
        "contact", "asks", "visit", "buddying", "peer_group", "shorter", "papers", "training", "placement",
    ]  # fmt: skip
    do(
        database,
        catalogue.save,
        body,
        key="visit",
        name="A call",
        who="Us",
        hours=0.5,
        segments=["withdrawn"],
    )
    key = do(database, catalogue.save, body, name="Open day", who="All", hours=5, segments=["not_clear"])
    do(database, catalogue.save, body, key="contact", name="Mend", who="Us", hours=1, used=False)
    now = {action.key: action for action in read(database, catalogue.actions, body)}
    assert (now["visit"].name, now["visit"].hours, now[key].own, now["contact"].used) == (
        "A call",
        0.5,
        True,
        False,
    )
    assert catalogue.for_kind(tuple(now.values()), "not_clear").key == key
    do(database, catalogue.reset, body, "visit")
    assert read(database, catalogue.actions, body)[2].hours == 3
    with pytest.raises(Invalid) as caught:
        do(database, catalogue.save, body, name="=1", who="", hours=0, segments=["angry"])
    assert len(caught.value.problems) == 4
    with pytest.raises(NotFound):
        do(database, catalogue.reset, body, key)
    words = {"body": "sub-ICB", "practice": "surgery", "practices": "surgeries"}
    rungs = catalogue.ladder(words)
    assert rungs[0].what.startswith("Support") and rungs[0].who == "The sub-ICB"
    assert rungs[-1].who == "NHS England alone"


def test_pairs_begin_when_both_agreed(database, body):
    """Clear champions are matched with clear strugglers, never one that is not clear; both sides agree before it runs; one
    that is declined is not proposed again; the runner-up can take its place."""
    assert do(database, peers.propose_pairs, body) == 2
    pairs = read(database, peers.pairs, body)
    assert {pair.strong for pair in pairs} == {"Y00004", "Y00005"}
    assert {pair.struggling for pair in pairs} <= {"Y00000", "Y00001", "Y00002", "Y00003"}
    assert all("km apart" in pair.reason and pair.runner_up for pair in pairs)
    one, two = pairs
    do(database, peers.agree, one.id, strong=True)
    assert next(p for p in read(database, peers.pairs, body) if p.id == one.id).state == "proposed"
    do(database, peers.agree, one.id, strong=False)
    assert next(p for p in read(database, peers.pairs, body) if p.id == one.id).state == "agreed"
    with pytest.raises(Conflict, match="already"):
        do(database, peers.take_runner_up, two.id)
    do(database, peers.end, two.id)
    do(database, peers.propose_pairs, body)
    now = [pair for pair in read(database, peers.pairs, body) if pair.state != "declined"]
    assert len(now) == 2 and (two.strong, two.struggling) not in {(p.strong, p.struggling) for p in now}
    do(database, peers.end, one.id)
    do(database, peers.reopen, one.id)
    assert {p.state for p in read(database, peers.pairs, body)} == {"agreed", "proposed", "declined"}
    with pytest.raises(Conflict, match="another pair"):
        do(database, peers.reopen, two.id)


def test_peer_groups_are_shown_before_they_are_kept(database, body):
    """A proposal stores nothing; kept, every practice is in one group of its locality, and can be moved."""
    found = read(database, peers.propose_groups, body, size=3)
    assert [name for name, _ in found.groups] == ["North 1", "North 2", "South 1", "South 2"]
    assert read(database, peers.groups, body) == ()
    do(database, peers.keep_groups, body, size=3)
    do(database, peers.keep_groups, body, size=3)
    groups = {group.name: group for group in read(database, peers.groups, body)}
    assert sorted(len(group.members) for group in groups.values()) == [3, 3, 3, 3]
    code = next(iter(groups["North 1"].members))
    do(database, peers.move, groups["South 1"].id, code)
    groups = {group.name: group for group in read(database, peers.groups, body)}
    assert code in groups["South 1"].members and code not in groups["North 1"].members
    with pytest.raises(Invalid):
        read(database, peers.propose_groups, body, size=40)


def test_a_calendar_file_says_where_and_when_and_not_why(database, body):
    """Only planned contacts with a time are in the file, in UTC, with an id that stays; nothing of segments or reasons is."""
    from icalendar import Calendar

    at = clock.from_london(date(2027, 6, 8), time(12, 30))
    made = do(
        database,
        plan.add,
        body,
        "Y00001",
        action="visit",
        month=TODAY,
        visit_at=at,
        reason="Withdrawn, they say",
    )
    do(database, plan.add, body, "Y00002", action="visit", month=TODAY)
    rows = rows_of(database, body)
    assert next(row for row in rows if row.id == made).month == date(2027, 6, 1)
    text = calendar.file(rows, body="TEST", address="https://example.org")
    (event,) = Calendar.from_ical(text).walk("VEVENT")
    assert event["SUMMARY"] == "Visit by an engagement GP: Practice 1" and event.decoded("dtstart") == at
    assert b"20270608T113000Z" in text and event["UID"] == f"contact-{made}@test.engagement"
    assert f"contact={made}" in event["DESCRIPTION"] and "ithdrawn" not in text.decode()
    with pytest.raises(Invalid, match="gone by"):
        do(database, plan.change, made, action="visit", month=date(2026, 1, 1), person_id=None)


def test_people_and_rules_are_checked(database, body):
    """Names, hours, localities and rules that cannot be are refused with what to do."""
    for error, fields in (
        (Invalid, {"name": "", "hours": 1}),
        (Invalid, {"name": "=x", "hours": 500}),
        (Invalid, {"name": "A", "hours": 1, "actions": ["dance"]}),
        (Conflict, {"name": "Dr Visitor", "hours": 1}),
        (NotFound, {"name": "A", "hours": 1, "locality": "nowhere"}),
        (NotFound, {"name": "A", "hours": 1, "practice": "nowhere"}),
        (NotFound, {"name": "A", "hours": 1, "person_id": 9_999}),
    ):
        with pytest.raises(error):
            do(database, team.save_person, body, **fields)
    with pytest.raises(Invalid) as caught:
        do(
            database,
            team.save_settings,
            body,
            months=0,
            floor_months=3,
            rest_months=9,
            random_share=101,
            slack=5,
        )
    assert len(caught.value.problems) == 3
    with database.reading() as session:
        assert session.exec(select(PlannedContact)).all() == []
