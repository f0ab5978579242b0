"""Each mixed round is assessed once, from what was known at its close."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import func, select

from engagement.access.audit import canonical
from engagement.assessments import build, gather, performance
from engagement.models import Assessment, AuditEntry, Practice, Release, Round
from engagement.risk.filter import SHIPPED, Constants
from engagement.roster import practices as verbs
from engagement.roster.standing import read_practices
from engagement.worker import Worker
from tests import support
from tests.assessments.conftest import Invented, ref


def test_rounds_are_assessed_in_order_each_with_the_constants_of_the_one_before(installed):
    """Three mixed rounds need no release to be assessed; round 1 uses what was shipped, the others what was put in force."""
    invented = Invented.make(3, ticking=0.4)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past())
    assert build.ensure(installed.database, body_id) == 3
    found = installed.assessed(body_id)
    assert list(found) == [1, 2, 3] and [found[n]["usable"] for n in found] == [False, True, True]
    assert Constants.from_json(found[1]["constants"]["used"]) == SHIPPED
    for number in (2, 3):
        assert found[number]["constants"]["used"] == found[number - 1]["constants"]["next"]
    assert found[2]["constants"]["next"]["rounds"] == 2
    newest = found[3]
    assert newest["of"] == len(newest["practices"]) == 18 and newest["provisional"]
    assert newest["performance"] is not None and found[2]["performance"] is None
    assert found[2]["movement"] is None and np.sum(newest["movement"]["raw"]) == 18
    for row in newest["practices"]:
        assert [each["round"] for each in row["history"]] == [2, 3]
        assert row["history"][:1] == next(
            old["history"] for old in found[2]["practices"] if old["practice_id"] == row["practice_id"]
        )
    assert build.ensure(installed.database, body_id) == 0


def test_nothing_that_comes_later_moves_an_assessment(installed):
    """Later rounds, and later changes of the roster, change no byte of an earlier round's assessment, stored or built anew."""
    invented = Invented.make(5, ticking=0.3)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past(last=3))
    before = (installed.assessed(body_id), installed.stored(body_id))[1]
    installed.bring(body_id, invented.past(first=4))
    with installed.database.session() as session:
        ids = dict(session.exec(select(Practice.code, Practice.id)).all())
        verbs.close_practice(
            session, support.OPERATOR, body_id, ids["P004"], date(2012, 9, 1), successor_id=ids["P007"]
        )
        verbs.add_practice(session, support.OPERATOR, body_id, code="P900", name="Later", locality="N")
        verbs.correct_practice(
            session, support.OPERATOR, body_id, ids["P002"], name="Moved", locality="W", list_size=1
        )
    after = (installed.assessed(body_id), installed.stored(body_id))[1]
    assert {number: after[number] for number in before} == before
    with installed.database.reading() as session:
        rounds = session.exec(select(Round).where(Round.number <= 3).order_by(Round.number)).all()
        gathered = [gather.read(session, each) for each in rounds]
        practices = read_practices(session, body_id)
    past = [json.loads(before[number]) for number in (1, 2)]
    assert canonical(build.content_of(gathered, practices, past)) == before[3]
    # Another body with the same files, imported at once.
    twin = installed.body(invented, "B2")
    installed.bring(twin, invented.past())
    installed.assessed(twin)
    assert {number: installed.stored(twin)[number] for number in before} == before


def test_two_workers_store_each_assessment_once(installed):
    """Four at once over the same body store one assessment and one line in the log for each round."""
    invented = Invented.make(3)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past())
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: build.ensure(installed.database, body_id), range(4)))
    assert sum(made) == 3
    with installed.database.reading() as session:
        assert session.exec(select(func.count()).select_from(Assessment)).one() == 3
        lines = session.exec(select(AuditEntry.detail).where(AuditEntry.action == "assessment")).all()
    assert sorted(line["round"] for line in lines) == [1, 2, 3]


def test_a_slower_worker_gives_way(installed, monkeypatch):
    """A worker that finds another's assessment when it stores its own keeps the other's and goes on."""
    invented = Invented.make(2)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past())
    store, raced = build._store, []

    def slow(database, round_, content):
        if not raced:
            raced.append(True)
            raced.append(build.ensure(database, body_id))
        return store(database, round_, content)

    monkeypatch.setattr(build, "_store", slow)
    assert build.ensure(installed.database, body_id) == 0 and raced == [True, 2]


@pytest.mark.parametrize(
    "statement", ["UPDATE assessment SET content = '{}'", "DELETE FROM assessment"], ids=["change", "delete"]
)
def test_an_assessment_cannot_be_changed(installed, statement):
    """The database itself refuses to change or delete an assessment."""
    invented = Invented.make(1)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past())
    build.ensure(installed.database, body_id)
    with pytest.raises(DBAPIError, match="frozen"), installed.database.session() as session:
        session.execute(text(statement))


def test_the_worker_assesses_after_it_has_released(installed, monkeypatch):
    """Trouble with an assessment holds no release up, and the worker tries again after a rest."""
    invented = Invented.make(2)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past())
    worker, ensure = Worker(installed.database, installed.keys), build.ensure

    def broken(database, body_id):
        raise ValueError("broken")

    monkeypatch.setattr(build, "ensure", broken)
    worker.run_once()
    with installed.database.reading() as session:
        assert session.exec(select(func.count()).select_from(Release)).one() == 2
    assert installed.stored(body_id) == {} and worker.run_once() == 0
    monkeypatch.setattr(build, "ensure", ensure)
    worker._unwell.clear()
    assert worker.run_once() == 2 and set(installed.stored(body_id)) == {1, 2}


def test_a_round_waits_for_an_earlier_one_that_is_being_mixed(installed):
    """While round 1 is closing, round 2 is not assessed."""
    invented = Invented.make(2)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past())
    with installed.database.session() as session:
        session.execute(text("UPDATE round SET state = 'closing' WHERE number = 1"))
    assert build.ensure(installed.database, body_id) == 0


def test_a_merged_practice_ends_and_its_successor_carries_on(installed):
    """Before the closing day both are assessed; after it only the successor, with the people who went over."""
    invented = Invented.make(4)
    body_id = installed.body(invented)
    with installed.database.session() as session:
        ids = dict(session.exec(select(Practice.code, Practice.id)).all())
        verbs.close_practice(
            session, support.OPERATOR, body_id, ids["P004"], date(2011, 9, 1), successor_id=ids["P007"]
        )
    installed.bring(body_id, invented.past())
    found = installed.assessed(body_id)
    codes = {n: {row["practice_id"] for row in content["practices"]} for n, content in found.items()}
    assert "P004" in codes[2] and "P004" not in codes[3] | codes[4] and "P007" in codes[4]
    assert [found[n]["of"] for n in found] == [18, 18, 17, 17]
    with installed.database.reading() as session:
        rounds = session.exec(select(Round).order_by(Round.number)).all()
        counts = [gather.read(session, each).invited[ids["P007"]] for each in rounds]
    assert counts == [8, 8, 8 + 5, 8 + 5]


def test_silence_is_counted_only_where_it_cannot_speak_of_people(installed):
    """A practice of eight in which nobody answers twice has two silent rounds; one of four has none that is said."""
    invented = Invented.make(3)
    for p in (3, 7):  # of four and of eight people
        for m in range(8):
            for number in (2, 3):
                for item in ("owned", "influence"):
                    invented.answers.pop((number, ref(p, m), item), None)
    invented.answers[1, ref(7, 0), "owned"] = 4
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past())
    rows = {row["practice_id"]: row for row in installed.assessed(body_id)[3]["practices"]}
    assert rows["P007"]["reasons"]["silent_rounds"] == 2
    assert rows["P003"]["reasons"]["silent_rounds"] is None


def test_a_practice_view_rests_on_the_practice(installed):
    """In practice views every answer is the practice's own, and one person is asked in each."""
    invented = Invented.make(3)
    kept = {}
    for (number, member, item), value in invented.answers.items():
        kept.setdefault((number, member[:4]), member)
        if kept[number, member[:4]] == member:
            kept[number, member, item] = value
    invented.answers = {key: value for key, value in kept.items() if len(key) == 3}
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past(), tier="practice-view")
    newest = installed.assessed(body_id)[3]
    assert {row["evidence"] for row in newest["practices"]} == {"practice", "body"}
    assert newest["ticked"] == {"mark": "hidden"}


@pytest.mark.parametrize(
    ("labels", "reverse", "points"),
    [
        ((5, 4, 3, 2, 1), False, {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}),
        ((5, 4, 3, 2, 1), True, {1: 5, 2: 4, 3: 3, 4: 2, 5: 1}),
        ((4, 3, 2, 1), False, {1: 1, 2: 7 / 3, 3: 11 / 3, 4: 5}),
        ((4, 3, 2, 1), True, {4: 1, 3: 7 / 3, 2: 11 / 3, 1: 5}),
    ],
)
def test_every_scale_is_carried_to_five_points_favourable_high(labels, reverse, points):
    """Reverse-worded items are turned, and a scale of four points is stretched."""
    item = {"labels": [[value, "words"] for value in labels], "reverse": reverse}
    assert gather._points(item) == pytest.approx(points)


def _gathered(count: int = 24, *, score=3.0, agreed=None, number=1, tier="confidential") -> gather.Gathered:
    people = dict.fromkeys(range(12), 3)
    return gather.Gathered(
        number=number,
        closed_on=date(2020, 1, number),
        tier=tier,
        threshold=10,
        invited=people,
        asked=people,
        answered=dict.fromkeys(range(12), 2),
        locality={},
        size={},
        practice=np.arange(count) % 12,
        score=np.broadcast_to(np.asarray(score, float), count),
        leader=np.zeros(count, bool),
        agreed=np.zeros(count, bool) if agreed is None else agreed,
    )


def _practices():
    fields = {name: None for name in gather.PracticeRow.__dataclass_fields__}
    return {n: gather.PracticeRow(**fields | {"id": n, "code": f"P{n:02d}", "name": "A"}) for n in range(12)}


def test_those_who_agreed_are_compared_for_the_body_or_not_at_all():
    """Twelve of either kind are compared, to 0.1; with nine of one kind nothing is shown."""
    agreed = np.arange(24) < 12
    score = np.where(agreed, 3.57, 3.0)
    found = build._ticked(_gathered(score=score, agreed=agreed), 0.8)
    assert found == {"mark": "shown", "difference": 0.6}
    assert build._ticked(_gathered(score=score, agreed=np.arange(24) < 9), 0.8) == {"mark": "hidden"}
    assert build._ticked(_gathered(score=score, agreed=np.arange(24) >= 9), 0.8) == {"mark": "hidden"}


def test_a_round_with_few_answers_says_nothing_of_the_body_and_teaches_nothing():
    """With nine answers, under a threshold of ten, no mean is printed and the constants stay as they were."""
    first = build.content_of([_gathered()], _practices())
    second = build.content_of([_gathered(), _gathered(9, score=5.0, number=2)], _practices(), [first])
    assert [each["mean"] for each in second["centre"]] == [3.0, None]
    assert second["constants"]["next"] == second["constants"]["used"] == first["constants"]["next"]


def test_a_trend_comes_from_released_labels_alone():
    """Up and down between critical, steady and champion over three rounds; withdrawn says nothing of attitude."""

    def trend(*labels):
        return build._trend([{"round": n, "segment": label} for n, label in enumerate(labels)])

    assert trend("critical", "steady", "steady") == "up"
    assert trend("critical", "champion", "steady", "critical") == "down"
    assert trend("critical", "steady", "steady", "steady") == "steady"
    assert trend("champion", "withdrawn", "steady") is None and trend("steady", "steady") is None


def test_a_round_of_another_tier_is_no_outcome_of_the_one_before():
    """Where a practice view follows confidential rounds there is nothing to judge, and it is said so."""
    rounds = [_gathered(), _gathered(number=2), _gathered(number=3)]
    past = []
    for length in (1, 2):
        past.append(build.content_of(rounds[:length], _practices(), past))
    same = build.content_of(rounds, _practices(), past)["performance"]
    other = build.content_of([*rounds[:2], replace(rounds[2], tier="practice-view")], _practices(), past)
    assert same["last"]["n"] == 12
    assert other["performance"]["last"]["n"] is None and other["performance"]["last"]["explanation"]


def test_an_anonymous_round_moves_no_practice_and_keeps_labels():
    """After an anonymous round every practice still has its label, on the body's evidence, and its roster's forecast."""
    rounds = [_gathered(), _gathered(number=2)]
    past = []
    for length in (1, 2):
        past.append(build.content_of(rounds[:length], _practices(), past))
    hidden = replace(_gathered(number=3, tier="anonymous"), asked={}, answered={}, practice=np.full(24, -1))
    found = build.content_of([*rounds, hidden], _practices(), past)
    for before, after in zip(past[1]["practices"], found["practices"], strict=True):
        assert after["segment"] == before["segment"] and after["evidence"] == "body"
        assert 0 <= after["p_silent_next"] <= 1


def test_shares_of_practices_are_never_all_or_none():
    """A share is printed within 0.05 and 0.95, and small numbers of practices are not printed at all."""
    assert [performance.share(x) for x in (0.0, 0.02, 0.5, 0.99, 1.0)] == [0.05, 0.05, 0.5, 0.95, 0.95]
    assert [performance.count(n) for n in (0, 4, 5, 40)] == [None, None, 5, 40]
    assert performance.share(float("nan")) is None


def test_the_forecasts_judged_are_those_that_were_printed(installed):
    """Each earlier round is forecast again to what its own assessment said, and judged by who then answered."""
    invented = Invented.make(4, ticking=0.3)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past())
    found = installed.assessed(body_id)
    with installed.database.reading() as session:
        rounds = session.exec(select(Round).order_by(Round.number)).all()
        gathered = [gather.read(session, each) for each in rounds]
        arranged = gather.arrange(gathered, read_practices(session, body_id))
    past = performance._walk(arranged, [found[n]["constants"]["used"] for n in (1, 2, 3)])
    assert sorted(past) == [1, 2]
    for t, said in past.items():
        printed = [row["p_silent_next"] for row in found[t + 1]["practices"]]
        assert [build.printed(p, 0.05) for p in said.p_silent_next] == printed
    silent = [each.answered[i] == 0 for each in gathered[2:] for i in each.asked]
    judged = found[4]["performance"]["models"][0]
    assert (judged["name"], judged["n"], judged["practices"]) == (performance.FILTER, 36, 18)
    assert judged["base_rate"] == performance.share(np.mean(silent))
    # Four silent practices in one round are too few to be counted.
    last = found[4]["performance"]["last"]
    assert sum(silent[18:]) == 4 and last["n"] == 18 and last["base_rate"] is None and last["explanation"]


def test_visits_are_shared_out_by_size_of_roster(installed):
    """The shares of either list, and of all practices, add up to one over the sizes of roster."""
    invented = Invented.make(3)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past())
    visits = installed.assessed(body_id)[3]["performance"]["visits"]["roster"]
    assert [each["name"] for each in visits] == ["≤ 2", "3–5", "≥ 6"]
    for name in ("share", "engagement", "silence"):
        assert abs(sum(each[name] for each in visits) - 1) < 0.08


def test_the_pooled_layer_is_not_used_and_says_why():
    """With few bodies it cannot be learnt; with enough, nobody has trained it. How many there are is not said."""
    few, enough = build._layer(3), build._layer(20)
    assert not few["used"] and not enough["used"] and few["why"] != enough["why"]
    assert " 3 bodies" not in few["why"]
