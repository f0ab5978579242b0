"""What a release says beside the gap comes from the exact answers of its rounds, and leaves as the rules say."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from sqlmodel import select

from engagement import disclosure, estimates
from engagement.models import Locality, Practice, Round
from engagement.releases import build, gating, measures, read, tally
from tests import support
from tests.releases import facts

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


def test_a_trend_over_three_rounds_is_found_where_no_step_is_clear():
    """A gap that grows by small steps is told as widening, by the points that it came in all."""
    rounds = facts.rounds([{"leader": (66, 100), "grassroots": (y, 300)} for y in (150, 132, 114, 96, 78)])
    assert facts.owned(rounds[1])["trend"] is None
    trend = facts.owned(rounds[4])["trend"]
    assert (trend["verdict"], trend["since"], trend["rounds"]) == ("widening", 1, 5)
    assert trend["points"] > 0 and trend["points"] % 5 == 0
    assert all(facts.owned(each)["change"]["verdict"] == "no clear change" for each in rounds[1:])
    assert facts.owned(rounds[4], "informed")["trend"] is None


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


def test_weights_undo_an_uneven_response():
    """Where a locality that agrees less answers less, the weighted share lies below the unweighted one, as its exact
    counts say: 75 grassroots members each side, 75 answering in the north and 30 in the south."""
    (content,) = facts.rounds(
        [{"leader": (12, 20), "grassroots": (75, 105)}],
        plan=("standing", "weighted"),
        places=lambda arm, place: "N" if arm == "leader" or place < 75 else "S",
        invited=[("grassroots", "S")] * 45,
        shuffled=False,
    )
    item = facts.owned(content)
    assert item["groups"]["grassroots"]["share"] == 70
    assert item["weighted"]["groups"]["grassroots"]["share"] == 50
    assert item["weighted"]["groups"]["leader"] == {"mark": "hidden"}
    assert item["weighted"]["gap"] == {"mark": "hidden"}
    assert content["weighting"]["to"] == ["role", "locality", "size"]
    assert content["weighting"]["design_effect"] >= 1.1


def test_the_same_people_are_told_only_where_the_others_are_none_or_enough():
    """With all answering twice the panel is the arm and is shown; with three who answered once it is hidden."""
    same = {"leader": (24, 40), "grassroots": (60, 120)}
    later = same | {"grassroots": (30, 120)}
    panel = facts.owned(facts.rounds([same, later], plan=("standing", "panel"), panel=True)[1])["panel"]
    assert panel["groups"]["grassroots"] == panel["groups"]["grassroots"] | {
        "mark": "shown",
        "before": {"share": 50, "cap": None},
        "now": {"share": 25, "cap": None},
        "verdict": "down",
    }
    assert panel["moved"]["mark"] == "shown" and panel["moved"]["mix"] == panel["moved"]["turnover"] == 0
    assert panel["moved"]["minds"] == panel["moved"]["change"] == -20
    fewer = same | {"grassroots": (30, 117)}
    hidden = facts.owned(facts.rounds([same, fewer], plan=("standing", "panel"), panel=True)[1])["panel"]
    assert hidden["groups"]["grassroots"] == {"mark": "hidden"}
    assert hidden["moved"] == {"mark": "hidden"} and hidden["gap"] == {"mark": "hidden"}


@pytest.mark.parametrize("arms", [(2, 2), (1, 2), (2, 1), (1, 1)])
def test_what_moved_the_total_is_audited_as_the_sums_that_it_is(arms):
    """The weights by which the audit reads each part give, on the exact answers, what `decompose` gives; also where an
    arm is empty in one of the rounds."""
    rng = np.random.default_rng(4)
    earlier, later = (
        estimates.Wave(
            rng.permutation(90)[:n], np.zeros(n, int), rng.integers(0, of, n), rng.integers(0, 2, n)
        )
        for n, of in zip((70, 60), arms, strict=True)
    )
    exact = estimates.decompose(earlier, later)
    both = [np.isin(a.person, b.person) for a, b in ((earlier, later), (later, earlier))]
    for name, weights in measures._moved_weights(earlier, later).items():
        total = sum(
            weights[wave, f"{('leader', 'grassroots')[1 - arm]} {'twice' if twice else 'once'}"]
            for wave, one in enumerate((earlier, later))
            for arm, twice, y in zip(one.arm.tolist(), both[wave].tolist(), one.y.tolist(), strict=True)
            if y
        )
        whole = getattr(exact, name) + (exact.roles if name == "minds" else 0)
        assert float(total) == pytest.approx(whole), name


def test_codes_join_the_same_people_and_nobody_else(body):
    """The panel of two rounds holds exactly those who answered both; answers without a code join nobody."""
    database, body_id, run = body
    run(lambda door, place: True, lambda door: door.row.member_id % 3 != 0)
    run(lambda door, place: True, lambda door: door.row.member_id % 2 != 0)
    with database.reading() as session:
        rounds = session.exec(select(Round).where(Round.body_id == body_id).order_by(Round.number)).all()
        old, new = (tally.read(session, round_) for round_ in rounds)
        roster = {d for d in range(1, 61)}
    was, are = gating.people([old, new])
    both = [member for member in roster if member % 3 and member % 2]
    assert np.isin(are, was).sum() == len(both)
    assert len(set(was.tolist())) == len(was) and len(set(are.tolist())) == len(are)


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
        gathered = build.gather(session, last)
    assert [earlier.number for earlier in gathered.past] == [2, 1]
    assert all(earlier.asks(gathered.now.scored) for earlier in gathered.past)


def test_weighted_shares_print_like_any_other():
    """A weighted share is rounded and capped, and an arm at its cap enters the gap by the end of its cell."""
    arms = {
        "leader": disclosure.WeightedShare(Fraction(97, 100), 30, 34),
        "grassroots": disclosure.WeightedShare(Fraction(3349, 10_000), 60, 150),
    }
    printed = disclosure.print_weighted(arms, 1.31, 1.2, 30)
    assert printed["groups"]["leader"]["share"] == 90 and printed["groups"]["leader"]["cap"] == "at_least"
    assert (printed["gap"]["points"], printed["gap"]["cap"]) == (50, "at_least")
    low, high = printed["gap"]["analytic"]
    assert low % 5 == high % 5 == 0 and low < 50 < high
    assert disclosure.print_weighted(arms, 1.31, None, None)["gap"]["analytic"] is None
    wider = disclosure.print_weighted(arms, 4.0, 1.2, 30)["gap"]["analytic"]
    assert wider[0] < low
    few = arms | {"leader": disclosure.WeightedShare(Fraction(97, 100), 29, 34)}
    assert disclosure.print_weighted(few, 1.31, 1.2, 30)["gap"] == {"mark": "hidden"}
