"""Past answers come in whole or not at all, by the same door as every answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from sqlmodel import func, select

from engagement import clock
from engagement.errors import Conflict, Invalid
from engagement.exchange.answers import import_answers
from engagement.models import Item, PanelSkip, PracticeParticipation, Release, Response, Round, RoundRoster
from engagement.releases import gating, tally
from engagement.worker import Worker
from tests import support

HEADER = "wave,member_id,item,value\n"


@pytest.fixture
def body(database, config):
    """A body of 12 practices with five members each, and a function that imports text into it."""
    body_id = support.small_body(database)
    keys = support.keys_of(config)

    def bring(text, **options):
        content = text if isinstance(text, bytes) else text.encode()
        return import_answers(database, keys, support.OPERATOR, body_id, content, name="past.csv", **options)

    return database, keys, bring


def everybody(waves, score=4, item="owned", members=60):
    """Lines in which every member gives one score to one item in each wave."""
    return "".join(f"{w},M{m:03d},{item},{score}\n" for w in waves for m in range(1, members + 1))


def test_past_rounds_are_mixed_and_released_in_order(body):
    """Three waves become three closed rounds six months apart, with a release each, in round order."""
    database, keys, bring = body
    summary = bring(HEADER + everybody([1, 2, 3]) + everybody([1, 2, 3], 2, "influence"))
    assert summary.rounds == (1, 2, 3) and summary.people == 180 and summary.answers == 360
    Worker(database, keys).run_once()
    with database.reading() as session:
        rounds = session.exec(select(Round).order_by(Round.number)).all()
        assert [r.state for r in rounds] == ["released"] * 3
        assert all(r.imported and r.promise_hash and r.keys_destroyed_at for r in rounds)
        assert clock.london_date(rounds[2].closed_at) == clock.today()
        assert 350 < (rounds[2].closed_at - rounds[0].closed_at).days < 380
        assert session.exec(select(Release.round_id).order_by(Release.id)).all() == [r.id for r in rounds]
        content = json.loads(session.exec(select(Release.content)).first())
        assert {item["item"] for item in content["items"]} == {"owned", "influence"}


def test_nothing_of_the_file_names_a_member(body):
    """Stored answers carry panel codes, not the file's numbers, and the codes join adjacent waves only."""
    database, _, bring = body
    bring(HEADER + everybody([1, 2, 3]))
    with database.reading() as session:
        rows = session.exec(select(Response)).all()
        waves = {r.id: r.number for r in session.exec(select(Round))}
    text = " ".join(str(row.model_dump()) for row in rows)
    assert "M001" not in text
    now = {w: {r.panel_now for r in rows if waves[r.round_id] == w} for w in (1, 2, 3)}
    before = {w: {r.panel_before for r in rows if waves[r.round_id] == w} for w in (1, 2, 3)}
    assert now[1] == before[2] and now[2] == before[3] and not now[1] & before[3]


def test_who_is_missing_from_a_wave_is_joined_over_it(body):
    """Somebody on the roster without a line in the second wave is the same person in the first and the third."""
    database, _, bring = body
    lines = [line for line in everybody([1, 2, 3]).splitlines() if not line.startswith("2,M001,")]
    bring(HEADER + "\n".join(lines) + "\n")
    with database.reading() as session:
        rounds = session.exec(select(Round).order_by(Round.number)).all()
        one, two, three = gating.people([tally.read(session, round_) for round_ in rounds])
        (skip,) = session.exec(select(PanelSkip)).all()
    assert skip.round_id == rounds[1].id
    assert set(one) == set(three) and len(set(one) - set(two)) == 1


def test_a_round_after_the_import_joins_its_panel(body, config):
    """The next live round finds the codes that the last imported wave gave out."""
    database, keys, bring = body
    bring(HEADER + everybody([1, 2]))
    with database.reading() as session:
        body_id = session.exec(select(Round.body_id)).first()
        codes = set(session.exec(select(Response.panel_now).join(Round).where(Round.number == 2)))
    Worker(database, keys).run_once()
    round_id = support.launch(database, keys, body_id)
    for door in support.doors(database, keys, round_id):
        support.answer(database, door, support.sheet())
    support.close(database, keys, round_id)
    with database.reading() as session:
        assert set(session.exec(select(Response.panel_before).where(Response.round_id == round_id))) == codes


def test_unknown_items_become_items_of_the_body(body):
    """An item that the bank lacks is kept and released; items that were not answered have no score."""
    database, _keys, bring = body
    bring(HEADER + everybody([1], 5, "our_own_question") + "1,M001,owned,4\n")
    with database.reading() as session:
        assert session.exec(select(Item).where(Item.key == "our_own_question")).one()
        answers = session.exec(select(Response.answers)).all()
    assert sum(a["owned"] == "not_answered" for a in answers) == 59


@pytest.mark.parametrize(
    "text, told",
    [
        ("wave,member_id,item\n1,M001,owned\n", 'no column "value"'),
        (HEADER + "1,M001,owned,6\n", "line 2: value"),
        (HEADER + "1,M001,owned,4\n1,M001,owned,3\n", "line 3: M001 answered"),
        (HEADER + "0,M001,owned,4\n", "line 2: wave"),
        (HEADER + "1,NOBODY,owned,4\n", "line 2: member NOBODY is not on the roster"),
        (HEADER + "1,,owned,4\n", "member_id is empty"),
        (HEADER + "1,M001,=cmd(),4\n", "line 2: item"),
        (HEADER + "1,M001,owned\n", "line 2: the line has 3 fields"),
        (HEADER + "1,M001,engaged,5\n", "off its scale"),
        (HEADER + "1,M001,one_thing,5\n", "open question"),
        ("wave,member_id,item,value,date\n1,M001,owned,4,31/02/2020\n", "line 2: date"),
        ("wave,member_id,item,value,date\n1,M001,owned,4,2199-01-01\n", "not past"),
        (
            "wave,member_id,item,value,date\n1,M001,owned,4,2020-05-01\n2,M001,owned,4,2020-04-01\n",
            "not after round 1",
        ),
        (HEADER, "no answers"),
    ],
)
def test_faults_name_the_line_and_change_nothing(body, text, told):
    """Each fault of a file is told with its line, and nothing of the file is stored."""
    database, _, bring = body
    with pytest.raises(Invalid) as caught:
        bring(HEADER.strip() and text)
    assert any(told in problem for problem in [str(caught.value), *caught.value.problems]), (
        caught.value.problems
    )
    with database.reading() as session:
        for table in (Round, Response, RoundRoster):
            assert session.exec(select(func.count()).select_from(table)).one() == 0


def test_a_round_that_exists_is_refused(body):
    """Importing the same wave again changes nothing."""
    database, _, bring = body
    bring(HEADER + everybody([1]))
    with pytest.raises(Conflict, match="round 1 exists"):
        bring(HEADER + everybody([1, 2]))
    with database.reading() as session:
        assert session.exec(select(func.count()).select_from(Round)).one() == 1


def test_dates_of_the_file_win(body):
    """A date column says when a round closed; --first-date and --every place rounds that have none."""
    database, _, bring = body
    bring("wave,member_id,item,value,date\n1,M001,owned,4,2019-05-01\n1,M002,owned,4,2019-05-04\n")
    bring(
        HEADER + "2,M001,owned,4\n4,M001,owned,4\n",
        first_date=clock.today().replace(year=2020, day=1),
        every=3,
    )
    with database.reading() as session:
        closed = {r.number: r.closed_at for r in session.exec(select(Round))}
    assert closed[1] == datetime(2019, 5, 4, 16, tzinfo=UTC)
    assert 175 < (closed[4] - closed[2]).days < 190


def test_practice_view_takes_one_answer_a_practice(body):
    """In a practice view the second answer of a practice is refused, and every practice counts as invited once."""
    database, _, bring = body
    with pytest.raises(Invalid, match="second from their practice"):
        bring(HEADER + "1,M001,owned,4\n1,M002,owned,4\n", tier="practice-view")
    bring(HEADER + "1,M002,owned,4\n1,M006,owned,2\n", tier="practice-view", practice_may_use=True)
    with database.reading() as session:
        totals = session.exec(select(PracticeParticipation)).all()
        responses = session.exec(select(Response)).all()
    assert len(totals) == 12 and sum(t.invited for t in totals) == 12 and sum(t.answered for t in totals) == 2
    assert len({r.practice_id for r in responses}) == 2 and not any(r.panel_now for r in responses)


def test_agreement_is_taken_from_any_line_of_a_member(body):
    """One line with practice_may_use 1 is agreement for that round; the switch agrees for all."""
    database, _, bring = body
    bring(
        "wave,member_id,item,value,practice_may_use\n1,M001,owned,4,0\n1,M001,influence,4,1\n1,M002,owned,4,\n"
    )
    bring(HEADER + "2,M001,owned,4\n2,M002,owned,4\n", practice_may_use=True)
    with database.reading() as session:
        rows = session.exec(select(Round.number, Response.practice_may_use).join(Response)).all()
    assert sorted(rows) == [(1, False), (1, True), (2, True), (2, True)]


def test_strangers_may_not_import(body, database):
    """A lead of another body, and a reader of this one, are refused before the file is read."""
    from engagement.access import Actor, Role
    from engagement.errors import NotAllowed, NotFound

    _, keys, _ = body
    reader = Actor("reader", frozenset({(1, Role.GOVERNING)}))
    stranger = Actor("stranger", frozenset({(2, Role.LEAD)}))
    for actor, error in ((reader, NotAllowed), (stranger, NotFound)):
        with pytest.raises(error):
            import_answers(database, keys, actor, 1, b"", name="x.csv")
