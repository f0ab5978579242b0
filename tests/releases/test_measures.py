"""What a release says beside the gap comes from the exact answers of its rounds, and leaves as the rules say."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sqlmodel import select

from engagement import disclosure
from engagement.models import Locality, Practice, Round
from engagement.releases import compare, measures, read, tally
from tests import support

LEADERS, OTHERS = 14, 46


@pytest.fixture
def body(database, config):
    """Two localities, and a function that runs a round in which `agrees(door, place)` answers 4, else 2."""
    keys = support.keys_of(config)
    body_id = support.small_body(database)
    with database.session() as session:
        south = Locality(body_id=body_id, code="S", name="South")
        session.add(south)
        session.flush()
        for place, practice in enumerate(session.exec(select(Practice).order_by(Practice.code))):
            if place % 2:
                practice.locality_id = south.id
                session.add(practice)

    def run(agrees, answers=lambda door: True, **options):
        round_id = support.launch(database, keys, body_id, **options)
        for place, door in enumerate(support.doors(database, keys, round_id)):
            if answers(door):
                support.answer(database, door, support.sheet(4 if agrees(door, place) else 2))
        support.close(database, keys, round_id)
        with database.reading() as session:
            return read.history(session, support.OPERATOR, body_id)[-1]

    return database, body_id, run


def owned(content):
    """The table of the item `owned`."""
    return next(item for item in content["items"] if item["item"] == "owned")


def leader(door) -> bool:
    return door.row.standing == "leader"


def test_a_trend_over_three_rounds_is_found_where_no_step_is_clear(body):
    """A gap that grows by small steps is told as widening, by the points that it came in all."""
    _, _, run = body
    contents = [
        run(lambda door, place, share=share: leader(door) or door.row.member_id * 7 % 46 < share)
        for share in (40, 30, 20, 10)
    ]
    assert owned(contents[1])["trend"] is None
    trend = owned(contents[3])["trend"]
    assert (trend["verdict"], trend["since"], trend["rounds"]) == ("widening", 1, 4)
    assert trend["points"] > 0 and trend["points"] % 5 == 0
    assert next(i for i in contents[3]["items"] if i["item"] == "informed")["trend"] is None


def test_another_mapping_of_roles_ends_the_line(body):
    """Where other roles count as leaders than the round before, neither change nor trend nor panel is told."""
    from engagement.models import Body

    database, body_id, run = body
    run(lambda door, place: leader(door))
    run(lambda door, place: leader(door))
    with database.session() as session:
        found = session.get(Body, body_id)
        found.standing_map = {"practice_nurse": "staff"}
        session.add(found)
    item = owned(run(lambda door, place: leader(door)))
    assert item["change"] is item["levels"] is item["trend"] is item["panel"] is None


def test_weights_undo_an_uneven_response(body):
    """Where a locality that agrees less answers less, the weighted share lies below the unweighted one, as its exact
    counts say: 23 grassroots members each side, 20 answering in the north and 10 in the south."""
    _, _, run = body
    silent: dict[str, int] = {}

    def answers(door):
        if leader(door):
            return True
        place = door.row.strata["locality"]
        silent[place] = silent.get(place, 0) + 1
        return silent[place] <= (20 if place == "N" else 10)

    content = run(lambda door, place: leader(door) or door.row.strata["locality"] == "N", answers)
    weighted = owned(content)["weighted"]
    assert owned(content)["groups"]["grassroots"]["share"] == 65
    assert weighted["groups"]["grassroots"] == weighted["groups"]["grassroots"] | {"share": 50, "cap": None}
    assert weighted["groups"]["leader"] == {"mark": "hidden"} and weighted["gap"] == {"mark": "hidden"}
    assert content["weighting"]["to"] == ["role", "locality", "size"]
    assert content["weighting"]["design_effect"] >= 1.1


def test_the_same_people_are_told_only_where_the_others_are_none_or_enough(body):
    """With all answering twice the panel is the arm and is shown; with three who answered once it is hidden."""
    _, _, run = body
    run(lambda door, place: leader(door) or door.row.member_id % 2)
    panel = owned(run(lambda door, place: leader(door)))["panel"]
    assert panel["groups"]["grassroots"] == panel["groups"]["grassroots"] | {
        "mark": "shown",
        "verdict": "down",
    }
    assert panel["moved"]["mark"] == "shown" and panel["moved"]["mix"] == panel["moved"]["turnover"] == 0
    assert panel["moved"]["minds"] == panel["moved"]["change"] < 0
    absent = iter(range(3))
    hidden = owned(
        run(lambda door, place: leader(door), lambda door: leader(door) or next(absent, None) is None)
    )["panel"]
    assert hidden["groups"]["grassroots"] == {"mark": "hidden"}
    assert hidden["moved"] == {"mark": "hidden"} and hidden["gap"] == {"mark": "hidden"}


def test_codes_join_the_same_people_and_nobody_else(body):
    """The panel of two rounds holds exactly those who answered both; answers without a code join nobody."""
    database, body_id, run = body
    run(lambda door, place: True, lambda door: door.row.member_id % 3 != 0)
    run(lambda door, place: True, lambda door: door.row.member_id % 2 != 0)
    with database.reading() as session:
        rounds = session.exec(select(Round).where(Round.body_id == body_id).order_by(Round.number)).all()
        old, new = (tally.read(session, round_) for round_ in rounds)
        roster = {d for d in range(1, 61)}
    codes = {code: place for place, code in enumerate({*old.now, *new.before} - {None})}
    earlier = measures._wave(old, old.now, "owned", codes, 0)
    later = measures._wave(new, new.before, "owned", codes, len(old.now))
    both = [member for member in roster if member % 3 and member % 2]
    assert np.isin(later.person, earlier.person).sum() == len(both)


def test_response_by_group_and_its_evenness_are_told(body):
    """Rates by group, role, locality and size are there, and an even response has an R-indicator near 1."""
    _, _, run = body
    even = run(lambda door, place: True, lambda door: door.row.member_id % 5 != 3)
    by = {(row["by"], *row["groups"]): row["percent"] for row in even["participation"]["by"]}
    assert {kind for kind, *_ in by} == {"standing", "role", "locality", "size"}
    assert by["locality", "North"] == by["locality", "South"] == 80
    uneven = run(lambda door, place: True, lambda door: door.row.strata["locality"] == "N" or leader(door))
    told = [content["participation"]["representative"]["r"] for content in (even, uneven)]
    assert told[0] > told[1] and all(round(r * 20) == pytest.approx(r * 20) for r in told)


def test_an_anonymous_round_has_nothing_that_needs_a_place(body):
    """No response by group, no weights, no panel, no trend; answers in full and the index are there."""
    _, _, run = body
    run(lambda door, place: leader(door), tier="anonymous")
    content = run(lambda door, place: leader(door), tier="anonymous")
    item = owned(content)
    assert content["participation"]["by"] == [] and content["weighting"] is None
    assert content["participation"]["representative"] == {"mark": "hidden"}
    assert item["change"] is item["weighted"] is item["panel"] is item["trend"] is None
    assert item["distribution"]["mark"] == "shown" and content["index"]["gap"]["mark"] == "shown"


def test_rounds_are_taken_together_until_answers_are_enough(body):
    """60 complete answers say nothing of alpha; with the round before there are 120, and its range is left out."""
    _, _, run = body
    first = run(lambda door, place: place % 2)
    assert first["measuring"] == first["measuring"] | {"mark": "hidden", "rounds": [1]}
    second = run(lambda door, place: place % 2)["measuring"]
    assert second["mark"] == "hidden" or (second["rounds"] == [1, 2] and second["alpha_interval"] is None)


def test_past_rounds_go_back_in_order(body):
    """Earlier rounds come newest first and know what they showed."""
    database, body_id, run = body
    for _ in range(3):
        run(lambda door, place: leader(door))
    with database.reading() as session:
        last = session.exec(select(Round).where(Round.body_id == body_id, Round.number == 3)).one()
        promise = json.loads(last.promise)
        past = compare.past_rounds(session, last, promise)
    assert [p.round.number for p in past] == [2, 1]
    assert all(p.shows(item) for p in past for item in promise["items"] if item["key"] == "owned")


def test_weighted_shares_print_like_any_other():
    """A weighted share is rounded and capped, and an arm at its cap enters the gap by the end of its cell."""
    arms = {
        "leader": disclosure.WeightedShare(0.97, 30, 34),
        "grassroots": disclosure.WeightedShare(0.3349, 60, 150),
    }
    printed = disclosure.print_weighted(arms, 1.31, 1.2, 30)
    assert printed["groups"]["leader"]["share"] == 90 and printed["groups"]["leader"]["cap"] == "at_least"
    assert (printed["gap"]["points"], printed["gap"]["cap"]) == (55, "at_least")
    low, high = printed["gap"]["analytic"]
    assert low % 5 == high % 5 == 0 and low < 55 < high
    assert disclosure.print_weighted(arms, 1.31, None, None)["gap"]["analytic"] is None
    wider = disclosure.print_weighted(arms, 4.0, 1.2, 30)["gap"]["analytic"]
    assert wider[0] < low
    few = arms | {"leader": disclosure.WeightedShare(0.97, 29, 34)}
    assert disclosure.print_weighted(few, 1.31, 1.2, 30)["gap"] == {"mark": "hidden"}
