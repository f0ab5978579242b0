"""The intruder himself: he reads every figure, finds all that can be found, and breaks each careless publisher."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adversary.attacker import publishers, reading, solver
from tests.adversary.attacker.bodies import GRASSROOTS, LEADER, invent
from tests.adversary.attacker.campaign import Outcome, attacks, campaign, stacks
from tests.adversary.attacker.inversion import invert
from tests.adversary.attacker.reading import View
from tests.studies import attack as study

SMALL = {"people": (20, 40), "rounds": (1, 1), "items": (1, 1), "favourable": (0.5, 0.95)}
SOME_ROUNDS = SMALL | {"rounds": (2, 4), "steady": True}
# Seeds found by trying them one after another; how many colleagues the intruder has.
UNANIMOUS = 18
EXAMPLES = {
    "threshold only": (0, SMALL, 0),
    "threshold with remainder rule": (0, SMALL, 0),
    "no rounding": (0, SMALL, 0),
    "exact bounds": (25, SMALL, 0),
    "exact intervals": (25, SMALL, 0),
    "total beside both arms": (2, SMALL, 0),
    "sampled trios": (2, SMALL, 3),
    "gate without earlier views": (40, SOME_ROUNDS, 0),
}


def example(name):
    """A careless publisher's body, its documents and the intruder's number of colleagues."""
    seed, kind, colleagues = EXAMPLES[name]
    body = invent(seed, **kind)
    return body, publishers.CARELESS[name](body, range(len(body.rounds))), colleagues


def confirm(body, item, problem, finding):
    """That a claim follows without a look at the truth, from the figures and these colleagues, and is true."""
    claim, truth = finding.claim, body.truth(item)

    def given(person, rounds):
        return {bool(truth[n][person]) for n in rounds if problem.answered[n][person]}

    def said(person):
        asked = problem.asked[problem.type_of[person]]
        return tuple(
            int(yes and True in given(person, s)) for s, yes in zip(problem.slots, asked, strict=True)
        )

    assert claim.person not in claim.colleagues and len(set(claim.colleagues)) == len(claim.colleagues) <= 3
    known = {person: said(person) for person in claim.colleagues}
    concluded = solver.deduce(problem, known, claim.person, problem.slots.index(claim.rounds))
    assert concluded == claim.favourable and given(claim.person, claim.rounds) == {concluded}


# Reading. -------------------------------------------------------------------------------------------------------------


def document_of(seed=3, **kind):
    body = invent(seed, **(SMALL | {"leaders": (12, 15), "people": (40, 40), "response": (1, 1)} | kind))
    return body, publishers.fixed_rules(body, range(len(body.rounds)))


def test_every_number_of_a_release_has_a_class(database, config):
    """Each number of a real release, down to the bands of practices, lies at a place that the reading knows."""
    from sqlmodel import select

    from engagement.models import Release
    from tests import support
    from tests.adversary.attacker.reading import FIGURE, classify

    keys = support.keys_of(config)
    body_id = support.small_body(database)
    for score in (4, 2):
        round_id = support.launch(database, keys, body_id)
        for number, door in enumerate(support.doors(database, keys, round_id)):
            support.answer(database, door, support.sheet(score if number % 3 else 3))
        support.close(database, keys, round_id)
    with database.reading() as session:
        import json

        contents = [json.loads(text) for text in session.exec(select(Release.content)).all()]
    assert len(contents) == 2
    for content in contents:
        assert FIGURE in classify(content).values()
    assert reading.check_made(contents) > 0


@pytest.mark.parametrize(
    "place, number",
    [
        (("items", 0, "groups", "leader", "exact_n"), 13),
        (("items", 0, "weighted"), {"leader": 64}),
        (("items", 0, "tables", 0, "groups", "L0", "note"), "13 of 14"),
        (("standard_error",), 0.04),
        (("items", 0, "gap", "intervals"), [5]),
        (("items", 0, "by_person"), {"7": "yes"}),
    ],
)
def test_an_unknown_figure_is_a_leak(place, number):
    """A number, or a text with a number in it, at a place that nobody classed stops the reading."""
    _, documents = document_of()
    target = documents[0]
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = number
    with pytest.raises(reading.Unclassified):
        reading.classify(documents[0])


def test_a_new_figure_is_taken_up_in_one_line(monkeypatch):
    """A figure under a new name is read once its place is classed and its rule given."""
    body, documents = document_of()
    who = body.rounds[0]
    leader = documents[0]["items"][0]["groups"][LEADER]
    leader["tenths"] = 10 * body.count(0, "item 1", who.groups["standing"] == LEADER)[0]
    monkeypatch.setitem(reading.PLACES, "items.*.groups.*.tenths", reading.FIGURE)
    monkeypatch.setitem(reading.READERS, "tenths", lambda figure, y, n, invited: figure["tenths"] == 10 * y)
    view = next(v for v in reading.views(documents, [who], "item 1") if v.name == f"standing {LEADER}")
    assert 10 * view.low == 10 * view.high == leader["tenths"]


@pytest.mark.parametrize("seed", range(14))
def test_the_reading_is_exactly_what_the_rules_print(seed):
    """Counts that the reading allows are those, and only those, that the product prints alike, in every sort of steps."""
    from engagement.disclosure import Count, publish_item
    from engagement.disclosure.publish import SHOW

    small = SMALL | {"leaders": (10, 18), "people": (26, 44), "response": (0.9, 1), "favourable": (0.2, 0.9)}
    body = invent(seed, **small)
    who, show = body.rounds[0], SHOW[seed % (len(SHOW) - 1)]
    rows = {arm: who.answered["item 1"] & (who.groups["standing"] == arm) for arm in (LEADER, GRASSROOTS)}
    arms = {arm: body.count(0, "item 1", who.groups["standing"] == arm) for arm in rows}
    assert min(n for _, n, _ in arms.values()) >= 10, "both arms can be printed"

    def printed(counts):
        counts = {arm: Count(y, *arms[arm][1:]) for arm, y in zip(rows, counts, strict=True)}
        table = publish_item(
            counts, threshold=10, design_effect=1.5, df=8, ends=show != "arms" or seed % 2 == 1, show=show
        )
        return table.as_json()

    document = {"items": [{"item": "item 1", **printed([y for y, _, _ in arms.values()])}]}
    views = reading.views([document], [who], "item 1")
    assert views

    def fits(counts):
        answers = np.zeros(body.people, bool)
        for members, count in zip(rows.values(), counts, strict=True):
            answers[np.flatnonzero(members)[:count]] = True
        return all(view.low <= view.value({who.number: answers}) <= view.high for view in views)

    for counts in product(*(range(n + 1) for _, n, _ in arms.values())):
        same = printed(counts) == {key: document["items"][0][key] for key in ("groups", "total", "gap")}
        assert fits(counts) == same, (show, counts)


def test_caps_may_stand_anywhere():
    """An end cell that starts at 65 allows all counts from there on; an open share allows its own cell only."""
    assert reading.allowed({"share": 65, "cap": "at_least"}, 12, 15) == (8, 12)
    assert reading.allowed({"share": 35, "cap": "at_most"}, 12, 15) == (0, 4)
    assert reading.allowed({"share": 65, "cap": None}, 12, 15) == (8, 8)
    assert reading.nearest_5(Fraction(5, 8)) == 65, "ties go up"
    with pytest.raises(reading.Misread):
        reading.allowed({"share": 55, "cap": None}, 10, 15)


LARGER = {"people": (85, 110), "leaders": (34, 40), "response": (0.95, 1), "favourable": (0.5, 0.8)}


def test_the_true_answers_satisfy_every_view():
    """Whatever is printed over several rounds, its reading holds for the answers that it was made from."""
    seen = set()
    for seed in range(6):
        body = invent(seed, **LARGER, rounds=(2, 3), items=(1, 2), steady=bool(seed % 2))
        for publish in (publishers.beside, publishers.fixed_rules):
            documents = publish(body, range(len(body.rounds)))
            for item in body.rounds[0].answered:
                for view in reading.views(documents, list(body.rounds), item):
                    assert _fits(view, body), view.name
                    seen.add(view.name.split()[0])
    assert {"standing", "gap", "locality", "size", "panel", "weighted", "moved"} <= seen


@pytest.mark.parametrize("part", ["change", "mix", "turnover", "minds"])
def test_what_moved_the_total_is_read_as_a_sum_over_two_rounds(part):
    """Each part of a change bounds the answers of both rounds together; points beside it do not fit the true answers."""
    body = invent(7, **LARGER, rounds=(2, 2), items=(1, 1), steady=False)
    documents = publishers.beside(body, [0, 1])
    moved = documents[1]["items"][0]["panel"]["moved"]
    for shift in (5, -5, 0):
        moved[part] += shift
        found = {view.name: view for view in reading.views(documents, list(body.rounds), "item 1")}
        assert set(found[f"moved {part}"].weights) == {1, 2}
        assert _fits(found[f"moved {part}"], body) == (shift == 0)
        moved[part] -= shift


def _fits(view, body):
    return view.low <= view.value(body.truth(view.item)) <= view.high


def test_a_gap_without_its_arms_is_read():
    """A gap alone binds both arms as far as it reaches, and at an end on one side only."""
    body, documents = document_of(people=(60, 60))
    entry = documents[0]["items"][0]
    arms = {
        arm: body.count(0, "item 1", body.rounds[0].groups["standing"] == arm) for arm in (LEADER, GRASSROOTS)
    }
    gap = 100 * (Fraction(*arms[LEADER][:2]) - Fraction(*arms[GRASSROOTS][:2]))
    nearest = 10 * round(gap / 10)
    entry["groups"] = {arm: {"mark": "hidden", "N": 30} for arm in arms}
    for points, cap, fits in (
        (nearest, None, True),
        (nearest + 10, None, False),
        (nearest - 5, "at_least", True),
        (nearest + 15, "at_least", False),
        (nearest + 15, "at_most", True),
        (nearest - 15, "at_most", False),
    ):
        entry["gap"] = {"mark": "shown", "points": points, "cap": cap, "step": 10}
        view = next(v for v in reading.views(documents, list(body.rounds), "item 1") if v.name == "gap")
        assert _fits(view, body) == fits


def test_answers_in_full_bound_the_favourable():
    """Shares of five options, added up, bound the favourable answers from both sides."""
    from engagement.disclosure import print_distribution

    body, documents = document_of(people=(60, 60))
    who, n = body.rounds[0], int(body.rounds[0].answered["item 1"].sum())
    y = body.count(0, "item 1", who.invited)[0]
    counts = {1: 0, 2: n - y, 3: 0, 4: y - y // 2, 5: y // 2}
    documents[0]["items"][0]["distribution"] = print_distribution(counts, {4, 5}, 0, 60)
    view = next(v for v in reading.views(documents, [who], "item 1") if v.name == "distribution")
    assert 0 < view.low <= y <= view.high < n


def test_intervals_that_follow_from_what_is_printed_pass_and_others_do_not():
    """Of the product's intervals nothing new is learnt; one end that is moved by 5 is noticed."""
    body = invent(11, people=(50, 58), leaders=(15, 15), rounds=(6, 6), items=(3, 3), response=(0.9, 0.9))
    documents = publishers.fixed_rules(body, range(6))
    assert reading.check_made(documents) > 50
    worse = copy.deepcopy(documents)
    arms = [e["groups"][GRASSROOTS] for d in documents for e in d["items"]]
    keys = [(g["N"], g.get("n"), g.get("share")) for g in arms if g["mark"] == "shown"]
    twice = next(key for key in keys if keys.count(key) > 1)
    for document in worse:
        for entry in document["items"]:
            group = entry["groups"][GRASSROOTS]
            if (group["N"], group.get("n"), group.get("share")) == twice:
                group["bounds"][0] += 5
                with pytest.raises(reading.Misread, match="bounds"):
                    reading.check_made(worse)
                return


# Solving. -------------------------------------------------------------------------------------------------------------


def brute_force(views, rounds, item, truth, colleagues, kept):
    """Person and slot of everybody solved by some choice of colleagues, over all assignments of answers.

    `kept` (people,): whose answers over the rounds are one unknown. Who changed all the same is nobody to speak of.
    """
    people = rounds[0].invited.size
    cells = [(p, r) for p in range(people) for r, who in enumerate(rounds) if who.answered[item][p]]
    key = {(p, r): (p, -1 if kept[p] else r) for p, r in cells}
    unknown = sorted(set(key.values()))
    place = {cell: unknown.index(key[cell]) for cell in cells}
    everything = np.array(list(product((0, 1), repeat=len(unknown))))
    good = np.ones(len(everything), bool)
    for view in views:
        weights = np.zeros(len(unknown), np.int64)
        for p, r in cells:
            weights[place[p, r]] += view.weights.get(rounds[r].number, np.zeros(people, np.int64))[p]
        good &= (everything @ weights >= view.low) & (everything @ weights <= view.high)
    everything = everything[good]
    answers = [{truth[rounds[r].number][p] for p, r in cells if key[p, r] == u} for u in unknown]
    steadfast = np.array([len(given) == 1 for given in answers], bool)
    real = np.array([max(given) for given in answers])
    owner = np.array([p for p, _ in unknown])
    solved = set()
    for size in range(colleagues + 1):
        for trio in combinations(sorted(set(owner[steadfast].tolist())), size):
            known = np.isin(owner, trio)
            agree = everything[np.all(everything[:, known] == real[known], axis=1)]
            certain = np.all(agree == real, axis=0) & ~known & steadfast
            solved |= {unknown[u] for u in np.flatnonzero(certain)} if len(agree) else set()
    return solved


@st.composite
def riddles(draw):
    """A handful of people over one or two rounds, and views of all sorts around their true answers."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    people, rounds_ = draw(st.sampled_from([(6, 1), (9, 1), (6, 2)]))
    steady, belief = draw(st.booleans()), draw(st.sampled_from(["none", "true", "wrong"]))
    from tests.adversary.attacker.bodies import Who

    groups = {"standing": np.array(["leader"] * people)}
    rounds = [Who(r + 1, groups, {"i": rng.random(people) < 0.85}) for r in range(rounds_)]
    answers = rng.random(people) < draw(st.sampled_from([0.5, 0.8, 0.95]))
    truth = {
        who.number: answers if steady or not r else np.where(rng.random(people) < 0.3, ~answers, answers)
        for r, who in enumerate(rounds)
    }
    views = []
    for number in range(draw(st.integers(0, 4))):
        over = [who for who in rounds if rng.random() < 0.7] or rounds[:1]
        most = draw(st.sampled_from([1, 1, 3]))
        weights = {
            w.number: rng.integers(-(most > 1) * most, most + 1, people) * w.answered["i"] for w in over
        }
        value = View("", "i", weights, 0, 0).value(truth)
        views.append(
            View(f"view {number}", "i", weights, value - int(rng.integers(3)), value + int(rng.integers(3)))
        )
    came = np.array([who.answered["i"] for who in rounds])
    changed = came.all(axis=0) & (truth[1] != truth[rounds_])
    kept = {"none": np.zeros(people, bool), "true": ~changed, "wrong": np.ones(people, bool)}[belief]
    return views, rounds, truth, kept


@settings(max_examples=120, deadline=None, derandomize=True)
@given(riddles(), st.integers(0, 3))
def test_the_attack_finds_exactly_what_brute_force_finds(riddle, colleagues):
    """On small riddles of every sort, under true and wrong beliefs about who kept their answer, the people solved are
    those that trying all answers and all colleagues solves."""
    views, rounds, truth, kept = riddle
    expected = brute_force(views, rounds, "i", truth, colleagues, kept)
    problem = solver.problem(views, {who.number: who.answered["i"] for who in rounds}, steady=kept)
    result = solver.attack(problem, truth, colleagues=colleagues)
    numbers = [who.number for who in rounds]
    found = {
        (person, -1 if kept[person] else numbers.index(finding.claim.rounds[0]))
        for finding in result.findings
        for person in finding.people
    }
    assert result.timed_out == 0
    assert found == expected


@pytest.mark.parametrize("seed", range(10))
def test_the_attack_agrees_with_a_list_of_all_worlds(seed):
    """On real tables small enough to list every world, both ways of solving name the same kinds of people."""
    body = invent(seed, people=(24, 30), leaders=(10, 12), rounds=(1, 1), items=(1, 1), response=(0.9, 1))
    truth = body.truth("item 1")
    for documents in (publishers.by_standing(body, [0]), publishers.fixed_rules(body, [0])):
        problem, _ = next(iter(stacks(documents, body.rounds, "item 1", body.truth("item 1"))))
        if np.prod(problem.sizes + 1.0) > 20_000:
            continue
        inside = problem.type_of >= 0
        true = np.bincount(
            problem.type_of[inside], weights=truth[1][inside], minlength=len(problem.sizes)
        ).astype(int)
        expected = solver.solved_among(solver.worlds(problem), problem.sizes, true)
        found = {
            (int(problem.type_of[f.claim.person]), int(f.claim.favourable))
            for f in solver.attack(problem, truth).findings
        }
        assert found == expected


def test_a_time_out_is_reported_as_one():
    """Without time nobody is called solved, and nobody who needs a search is called safe."""
    body, documents, _ = example("no rounding")
    _, _, result = next(iter(attacks(body, documents, seconds=0)))
    assert result.timed_out > 0 and result.solved == 0


def test_every_belief_is_tried():
    """Three rounds are attacked without a belief, knowing who kept their answer, and taking it, wrongly, that nobody
    changed over each pair and over all; a person who skipped the second round is one unknown in the first and third."""
    body = invent(5, rounds=(3, 3), people=(60, 60), items=(1, 1), response=(0.6, 0.6), steady=False)
    documents = publishers.by_standing(body, range(3))
    found = [given for given, _ in stacks(documents, body.rounds, "item 1", body.truth("item 1"))]
    assert [given.slots for given in found if not given.belief] == [((1,),), ((2,),), ((3,),)]
    (true,) = [given for given in found if "known" in given.belief]
    wrong = [given for given in found if "taken" in given.belief]
    assert {given.slots[0] for given in wrong} == {(1, 2), (1, 3), (2, 3), (1, 2, 3)}
    came = [who.answered["item 1"] for who in body.rounds]
    truth = body.truth("item 1")
    skipped = came[0] & ~came[1] & came[2]
    for person in np.flatnonzero(skipped):
        slots = [
            slot for slot, asked in zip(true.slots, true.asked[true.type_of[person]], strict=True) if asked
        ]
        assert slots == ([(1, 2, 3)] if truth[1][person] == truth[3][person] else [(1,), (3,)])
    assert 0 < sum(truth[1][skipped] != truth[3][skipped]) < skipped.sum()


def test_nothing_is_claimed_of_who_changed():
    """Who takes changed answers for unchanged learns what is true of others, and it is not said of those who changed."""
    body = invent(40, **SOME_ROUNDS | {"steady": False})
    rounds = range(len(body.rounds))
    truth, claims = body.truth("item 1"), 0
    for _, problem, result in attacks(body, publishers.fixed_rules(body, rounds)):
        for finding in result.findings:
            for person in finding.people:
                answers = {
                    bool(truth[n][person]) for n in finding.claim.rounds if problem.answered[n][person]
                }
                assert answers == {finding.claim.favourable}
                claims += "taken" in problem.belief
    assert claims


def test_invented_bodies_are_what_they_are_said_to_be():
    """Bodies keep to their ranges, have joiners, leavers and changes of role, and are drawn by their seed alone."""
    joined = left = moved = steady = 0
    for seed in range(40):
        body, again = invent(seed), invent(seed)
        assert all(
            np.array_equal(a[i], b[i])
            for a, b in zip(body.favourable, again.favourable, strict=True)
            for i in a
        )
        assert 1 <= len(body.rounds) <= 12 and 1 <= len(body.rounds[0].answered) <= 3
        assert 20 <= body.rounds[0].invited.sum() <= 120
        assert 1 <= (body.rounds[0].groups["standing"] == LEADER).sum() <= 15
        steady += body.steady
        for a, b in zip(body.rounds, body.rounds[1:], strict=False):
            joined += int((b.invited & ~a.invited).sum())
            left += int((a.invited & ~b.invited).sum())
            both = a.invited & b.invited
            moved += int((a.groups["standing"][both] != b.groups["standing"][both]).sum())
    assert joined and left and moved and 10 < steady < 30


# Breaking. ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", publishers.CARELESS)
def test_each_careless_publisher_is_broken(name):
    """A committed body solves somebody; every claim follows without the truth, and is true."""
    body, documents, colleagues = example(name)
    claims = 0
    for item, problem, result in attacks(body, documents, colleagues=colleagues):
        for finding in result.findings:
            confirm(body, item, problem, finding)
            claims += 1
    assert claims


@pytest.mark.parametrize("steady", [False, True])
def test_what_stands_beside_a_table_gives_people_away_without_its_floors(steady, monkeypatch):
    """Weighted shares and the same people twice, printed of arms under 30 without a gate, solve more than with their
    floors. Each claim holds."""
    kind = SMALL | {"people": (36, 40), "leaders": (12, 15), "rounds": (2, 2), "favourable": (0.8, 0.9)}
    bodies = [invent(seed, **kind, response=(0.95, 1), steady=steady) for seed in range(3)]
    with_floors, _ = _solved_beside(bodies)
    monkeypatch.setattr("engagement.disclosure.summaries.WEIGHTED_FLOOR", 0)
    monkeypatch.setattr("engagement.disclosure.summaries.PANEL_FLOOR", 0)
    without_floors, claims = _solved_beside(bodies)
    assert without_floors > with_floors and claims > 4


def _solved_beside(bodies):
    """Answers solved in what is printed beside the table by standing, and how many claims were confirmed."""
    solved = claims = 0
    for body in bodies:
        for item, problem, result in attacks(body, publishers.beside(body, [0, 1])):
            solved += result.solved
            for finding in result.findings[:2]:
                confirm(body, item, problem, finding)
                claims += 1
    return solved, claims


@pytest.mark.parametrize("name", ["exact bounds", "exact intervals", "total beside both arms"])
def test_it_is_the_flaw_that_breaks_it(name):
    """The same answers without the careless figure solve nobody."""
    body, documents, colleagues = example(name)
    for document in documents:
        for entry in document["items"]:
            entry["total"] = None
            for figure in entry["groups"].values():
                figure.pop("exact_bounds", None)
                figure.pop("exact_interval", None)
    assert campaign(body, documents, colleagues=colleagues).solved == 0


def test_it_is_the_earlier_round_that_breaks_it():
    """Each of the documents alone withstands any three colleagues; all together solve somebody without any."""
    body, documents, _ = example("gate without earlier views")
    for at, document in enumerate(documents):
        assert all(not result.findings for _, _, result in attacks(body, [document], rounds=[at]))
    assert any(result.findings for _, _, result in attacks(body, documents, colleagues=0))


ONE_SMALL = SMALL | {"people": (20, 26), "leaders": (10, 12), "response": (1, 1)}


@pytest.mark.parametrize("seed", range(3))
def test_fixed_rules_tell_nothing_beyond_their_figures(seed):
    """Trying every set of answers leaves exactly the worlds that the figures leave: what is hidden depends on no answer."""
    body = invent(seed, **ONE_SMALL)
    problem, _ = next(
        iter(stacks(publishers.by_standing(body, [0]), body.rounds, "item 1", body.truth("item 1")))
    )
    found = invert(publishers.by_standing, body)
    assert found.listed.shape[1] == 2
    listed = solver.worlds(problem)
    # Where only the total is printed, the intruder has no need to tell the arms apart.
    assert {world.sum() for world in found.listed} == {world.sum() for world in listed}
    assert listed.shape[1] == 1 or len(listed) == len(found.listed)


def test_hiding_the_unanimous_tells_who_is():
    """A figure that is hidden just where all agree breaks nothing that is printed, and tells all of it."""
    body = invent(UNANIMOUS, **ONE_SMALL)
    documents = publishers.hides_the_unanimous(body, [0])
    hidden = {arm for arm, figure in documents[0]["items"][0]["groups"].items() if figure["mark"] == "hidden"}
    assert hidden and campaign(body, documents, colleagues=0).solved == 0
    # One answer that the intruder has anyway says which way they all agreed.
    assert invert(publishers.hides_the_unanimous, body).solved(colleagues=1)


def test_four_sampled_trios_miss_the_worst_one():
    """What was printed withstood the trios drawn, and not the one that the search finds."""
    body, documents, _ = example("sampled trios")
    _, problem, result = next(iter(attacks(body, documents)))
    worst = max(result.findings, key=lambda finding: len(finding.claim.colleagues))
    assert worst.claim.colleagues
    assert solver.settled(problem, body.truth("item 1"), worst.claim.colleagues)


def test_a_small_group_is_counted():
    """Exact shares give away how many of fewer than ten people were favourable, without anybody's help."""
    body, documents, _ = example("threshold only")
    _, _, result = next(iter(attacks(body, documents, colleagues=0)))
    truth = body.truth("item 1")
    assert result.counted
    for group in result.counted:
        assert 2 <= len(group.people) < 10
        assert group.favourable == sum(int(truth[1][person]) for person in group.people)


# The product. ---------------------------------------------------------------------------------------------------------


def test_what_the_product_prints_gives_nobody_away(tmp_path):
    """A seeded sample of the study goes through the gate, with either plan, and nobody is solved; a run that was stopped
    goes on where it was."""
    out = tmp_path / "state"
    first = study.run(out, bodies=SAMPLE, kind="sample", processes=1, say=lambda _line: None)
    lines = (out / study.STATE).read_text(encoding="utf-8").splitlines()
    assert first.body_rounds >= SAMPLE and first.attacked > 1000 and first.published > 20
    assert first.solved == first.counted == first.timed_out == first.groups_timed_out == 0
    again = out / study.STATE
    again.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:9], encoding="utf-8")
    resumed = study.run(out, bodies=SAMPLE, kind="sample", processes=1, say=lambda _line: None)
    assert (resumed.attacked, resumed.published) == (first.attacked, first.published)
    assert len(again.read_text(encoding="utf-8").splitlines()) == SAMPLE + 1, "one body was done again"
    longer = {"bodies": SAMPLE, "kind": "sample", "processes": 1, "seconds": 600.0}
    study.run(out, **longer, say=lambda _line: None)
    assert len(again.read_text(encoding="utf-8").splitlines()) == SAMPLE + 1, "nobody's time had run out"
    ran_out = json.loads(again.read_text(encoding="utf-8").splitlines()[-1])
    ran_out["outcome"]["timed_out"] = 1
    again.write_text("\n".join([*lines[:-1], json.dumps(ran_out)]) + "\n", encoding="utf-8")
    assert study.run(out, **longer, say=lambda _line: None).timed_out == 0
    assert len(again.read_text(encoding="utf-8").splitlines()) == SAMPLE + 1, (
        "whose time ran out was done again"
    )
    table = study.table({"shipped": first})
    assert f"| {first.body_rounds} | {first.attacked} | {first.solved} |" in table


SAMPLE = 4


@pytest.mark.parametrize(
    "publish, seed", [(publishers.forgets_earlier_rounds, 1), (publishers.trusts_everybody, 0)]
)
def test_the_same_sample_breaks_a_lesser_gate(publish, seed):
    """Bodies of the sample, of whom the gate gives nobody away, are solved where it forgets what was printed before, or
    reckons with nobody who holds an answer; each claim follows without the truth, and is true."""
    assert seed < SAMPLE
    body = invent(seed, **study.KINDS["sample"])
    claims = 0
    for item, problem, result in attacks(body, publish(body, range(len(body.rounds)))):
        for finding in result.findings[:1]:
            confirm(body, item, problem, finding)
            claims += 1
    assert claims


def test_outcomes_add_up():
    """The sum of two outcomes is the outcome of both."""
    one = Outcome(body_rounds=1, attacked=3, gap_error=1.5)
    assert one + one == Outcome(body_rounds=2, attacked=6, gap_error=3.0)
