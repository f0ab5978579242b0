"""The gate: what is left of a plan, held to an intruder who lists every body of answers."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from engagement.bench.gate import usefulness
from engagement.disclosure import (
    Count,
    CountFigure,
    Earlier,
    Limits,
    Plan,
    RoundAnswers,
    decide,
    end_bands,
    print_share,
    publish_item,
)
from engagement.disclosure.gate import FEW, GIVES_AWAY, NOT_CHECKED
from engagement.disclosure.publish import GAP_STEPS, gap_alone_cell, print_gap_alone
from engagement.disclosure.rules import count_range
from engagement.disclosure.views import ASSUMED, Ledger, ShareFigure, cells
from engagement.estimates import roster_bounds
from tests.disclosure.oracle import exposed, possible


def a_round(standing, y, number=1, person=None, known=(), **tables):
    """A round of one or more items: `standing` a text of l and g, `y` by item or one list."""
    items = y if isinstance(y, dict) else {"owned": y}
    people = len(standing)
    names = {"standing": ["leader" if letter == "l" else "grassroots" for letter in standing], **tables}
    invited = {
        name: {category: list(values).count(category) for category in set(values)}
        for name, values in names.items()
    }
    invited["standing"] = {"leader": 0, "grassroots": 0} | invited["standing"]
    open_ = np.zeros(people, dtype=bool)
    open_[list(known)] = True
    return RoundAnswers(
        number,
        np.arange(people) if person is None else np.array(person),
        open_,
        {name: np.array(list(values), dtype=object) for name, values in names.items()},
        {item: np.array(values, dtype=float) for item, values in items.items()},
        invited,
    )


def ledger_of(answers, item="owned"):
    return Ledger(
        answers.person,
        np.full(len(answers.person), answers.number),
        answers.favourable[item].astype(int),
        answers.known,
        answers.tables,
    )


# End bands of four


def test_end_bands_hold_four_people():
    """12 answers give at most 35 and at least 65; at every size each end holds four people and one more would not fit."""
    assert end_bands(12) == (35, 65) and end_bands(8) == (50, 50) and end_bands(50) == (10, 90)
    for n in range(9, 200):
        bottom, top = end_bands(n)
        assert bottom < top
        assert count_range(bottom, "at_most", n)[1] >= 4 and n - count_range(top, "at_least", n)[0] >= 4
        assert bottom == 10 or count_range(bottom - 5, "at_most", n)[1] < 4
        assert top == 90 or n - count_range(top + 5, "at_least", n)[0] < 4


def test_shares_with_end_bands_tell_of_n_no_more_than_its_band():
    """The ends follow from the band of answers, and every count lies in the range that its print stands for."""
    for n in range(10, 120):
        caps = {print_share(y, n, ends=True) for y in range(n + 1)}
        assert {pair for pair in caps if pair[1]} <= {
            pair for y in range(130) for pair in [print_share(y * n // 129, n, ends=True)] if pair[1]
        }
        for y in range(n + 1):
            low, high = count_range(*print_share(y, n, ends=True), n)
            assert low <= y <= high
            assert {print_share(z, n, ends=True) for z in range(low, high + 1)} == {
                print_share(y, n, ends=True)
            }
    assert {print_share(n, n, ends=True) for n in range(10, 15)} == {(60, "at_least")}
    with pytest.raises(ValueError, match="need 10"):
        print_share(3, 9, ends=True)


def test_a_gap_alone_holds_its_exact_gap():
    """Every pair of counts has its exact gap in the printed cell, and both ends of the scale are open."""
    for y1, y0 in itertools.product(range(13), range(21)):
        first, second = Count(y1, 12, 20), Count(y0, 20, 40)
        exact = y1 / 12 - y0 / 20
        for show, (step, end) in GAP_STEPS.items():
            low, high = gap_alone_cell(*print_gap_alone(first, second, step, end), step)
            assert low - 1e-9 <= exact <= high + 1e-9 and high - low >= step / 100 - 1e-9
            table = publish_item(
                {"leader": first, "grassroots": second}, threshold=10, design_effect=None, df=None, show=show
            )
            assert table.gap.bounds[0] / 100 <= y1 / 20 - (y0 + 20) / 40 + 1e-9
            assert (y1 + 8) / 20 - y0 / 40 <= table.gap.bounds[1] / 100 + 1e-9
            assert {group.mark for group in (*table.groups.values(), table.total)} == {"hidden"}


# What passes


def test_a_large_mixed_body_is_printed_as_the_fixed_rules_say():
    """Where nothing more is asked, the table is the one that the rules alone give."""
    chance = np.random.default_rng(3)
    standing = "l" * 60 + "g" * 140
    answers = a_round(standing, (chance.random(200) < 0.55).astype(int))
    decision = decide(Plan(10), answers, design_effect=1.4, df=30)
    y = answers.favourable["owned"]
    counts = {
        "leader": Count(int(y[:60].sum()), 60, 60),
        "grassroots": Count(int(y[60:].sum()), 140, 140),
    }
    assert decision.standing["owned"] == publish_item(counts, threshold=10, design_effect=1.4, df=30)
    assert decision.settled and not decision.suppressed and decision.steps[-1] == "Standing: accepted."


def one_sided(items=2):
    """12 leaders and 30 members; all but one agree on the first item, opinions on the second are mixed."""
    chance = np.random.default_rng(8)
    y = {"owned": [1] * 41 + [0], "heard": (chance.random(42) < 0.5).astype(int).tolist()}
    place = ["north", "south"] * 21
    return a_round("l" * 12 + "g" * 30, dict(list(y.items())[:items]), place=place)


def test_one_failing_item_changes_all_items_of_the_table():
    """A one-sided item brings end bands to the mixed item beside it too, so that nothing singles it out."""
    decision = decide(Plan(10), one_sided())
    assert "refused" in decision.steps[0] and "end bands" in decision.steps[1]
    tops = {
        group.share for table in decision.standing.values() for group in table.groups.values() if group.cap
    }
    assert tops <= {15, 40, 60, 85} and decision.standing["owned"].groups["leader"].share == 60


def test_breakdowns_go_before_the_headline():
    """Where a breakdown gives somebody away it is dropped from the last of the plan, and the headline stays."""
    chance = np.random.default_rng(2)
    y = (chance.random(42) < 0.6).astype(int)
    tables = {f"table{i}": ["abc"[v] for v in chance.permutation([0, 1, 2] * 14)] for i in range(5)}
    answers = a_round("l" * 12 + "g" * 30, y, **tables)
    decision = decide(Plan(10, ("standing", *tables)), answers)
    kept = list(decision.breakdowns)
    assert decision.standing["owned"].gap.mark == "shown" and 0 < len(kept) < 5
    assert kept == list(tables)[: len(kept)]
    dropped = {s.table: s.why for s in decision.suppressed}
    assert dropped == {name: GIVES_AWAY for name in list(tables)[len(kept) :]}


def test_small_categories_are_merged_by_counts():
    """Categories under the threshold are merged until none is left, whatever was answered; a table of one goes."""
    place = ["north"] * 20 + ["south"] * 16 + ["east"] * 4 + ["west"] * 2
    chance = np.random.default_rng(5)
    seen = set()
    for _ in range(4):
        y = (chance.random(42) < 0.6).astype(int)
        mixed = chance.permutation(place).tolist()
        decision = decide(Plan(10, ("standing", "place")), a_round("l" * 12 + "g" * 30, y, place=mixed))
        for items in decision.breakdowns.values():
            seen |= set(items["owned"])
    assert seen == {("north",), ("east", "south", "west")}
    lone = decide(
        Plan(10, ("standing", "place")), a_round("l" * 12 + "g" * 30, y, place=["north"] * 36 + ["west"] * 6)
    )
    assert [(s.table, s.why) for s in lone.suppressed] == [("place", FEW)]


def test_too_few_leaders_leave_the_total():
    """With nine leaders both arms and the gap are hidden for too few answers, and the total is shown."""
    answers = a_round("l" * 9 + "g" * 30, [1, 0, 1] * 13)
    decision = decide(Plan(10), answers)
    assert decision.standing["owned"].total.mark == "shown"
    assert {(s.what, s.why) for s in decision.suppressed} == {
        (w, FEW) for w in ("leader", "grassroots", "gap")
    }


# It fails closed


def nothing_shown(decision):
    return (
        not decision.settled
        and not decision.standing
        and not decision.breakdowns
        and not decision.further
        and not any(decision.figures.values())
        and {s.why for s in decision.suppressed} == {NOT_CHECKED}
        and "Stopped" in decision.steps[-1]
    )


def test_whatever_goes_wrong_publishes_nothing():
    """An unknown table, a table without a roster, a plan without the headline and a broken figure publish nothing."""
    answers = one_sided()
    assert nothing_shown(decide(Plan(10, ("standing", "postcode")), answers))
    assert nothing_shown(decide(Plan(10, ("place", "standing")), answers))
    assert nothing_shown(decide(Plan(4), answers))
    assert nothing_shown(decide(Plan(10), replace(answers, invited={})))
    wrong = CountFigure(1, "standing", ("leader",), 0, 3)
    assert nothing_shown(
        decide(Plan(10, ("standing", "more")), answers, further={"more": {"owned": [wrong]}})
    )
    past = Earlier(replace(answers, number=0), {"owned": (replace(wrong, round=0),)})
    assert nothing_shown(decide(Plan(10), answers, [past]))


def test_an_audit_that_gives_up_counts_as_refused():
    """With no steps allowed only a release that shows nothing is accepted."""
    decision = decide(Plan(10, ("standing", "place")), one_sided(), limits=Limits(steps=0))
    assert decision.settled and decision.steps[-1] == "Nothing: accepted."
    figures = [*decision.standing["owned"].groups.values(), decision.standing["owned"].gap]
    assert {figure.mark for figure in (*figures, decision.standing["owned"].total)} == {"hidden"}
    assert not any(decision.figures.values())


def test_progress_counts_items_of_each_step():
    """The callback is told the step, and how many of its items have been checked."""
    told = []
    decide(Plan(10), one_sided(), progress=lambda *args: told.append(args))
    assert told[-2:] == [("Standing with end bands of four", 1, 2), ("Standing with end bands of four", 2, 2)]


# Further figures, answers that are open, earlier rounds


def test_further_figures_are_audited_and_dropped_as_they_are():
    """A table of ready figures is kept where it says little, and dropped with all its items where it gives away."""
    answers = one_sided()
    plan = Plan(10, ("standing", "more"))
    total = ("leader", "grassroots")
    little = {"more": {"owned": [CountFigure(1, "standing", total, 20, 42)]}}
    assert decide(plan, answers, further=little).further == ("more",)
    much = {"more": {"owned": [CountFigure(1, "standing", total, 41, 41)]}}
    decision = decide(plan, answers, further=much)
    assert decision.further == () and decision.standing["owned"].gap.mark == "shown"


def test_open_answers_are_taken_as_known():
    """Where so many ticked that the rest can be worked out, what passes for nobody ticking is not printed."""
    y = [1] * 6 + [0] * 6 + [1, 0] * 10
    ticked = [0, 1, 2, 3, 4, 6, 7]
    plain = decide(Plan(10), a_round("l" * 12 + "g" * 20, y))
    knowing = decide(Plan(10), a_round("l" * 12 + "g" * 20, y, known=ticked))
    arms = [decision.standing["owned"].groups["leader"] for decision in (plain, knowing)]
    assert arms[0].mark == "shown" and arms[0].step == 5
    assert arms[1].mark == "hidden" or arms[1].step > 5
    assert any("open answers" in step for step in knowing.steps)


TINY = Limits(intruder=0)


def joiner():
    """Five leaders and five members, then one leader more, who is favourable; nobody changes their answer."""
    first = a_round("lllllggggg", [1, 1, 1, 0, 0, 1, 1, 0, 0, 0], number=1)
    second = a_round("llllllggggg", [1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0], number=2, person=[10, *range(10)])
    return first, second


def test_a_release_is_audited_beside_the_earlier_ones():
    """A joiner whom each round hides is given away by the two together, so the second table is not printed beside the first."""
    first, second = joiner()
    plan = Plan(5)
    before = decide(plan, first, limits=TINY)
    naive = decide(plan, second, limits=TINY)
    shares = [decision.standing["owned"].groups["leader"].share for decision in (before, naive)]
    assert shares == [60, 65]
    rows = Ledger(
        np.concatenate([first.person, second.person]),
        np.repeat([1, 2], [10, 11]),
        np.concatenate([first.favourable["owned"], second.favourable["owned"]]).astype(int),
        np.zeros(21, dtype=bool),
        {"standing": np.concatenate([first.tables["standing"], second.tables["standing"]])},
    )

    def seen(*decisions):
        return [figure.view(rows) for decision in decisions for figure in decision.figures["owned"]]

    found = exposed(rows, possible(rows, seen(before, naive), steady=True), held=0, steady=True)
    assert found == (10, ()), "the naive gate gives the joiner away"
    gated = decide(plan, second, [Earlier(first, before.figures)], limits=TINY)
    assert gated.standing["owned"].groups["leader"].mark == "hidden"
    assert exposed(rows, possible(rows, seen(before, gated), steady=True), held=0, steady=True) is None


@pytest.mark.parametrize("seed", range(24))
def test_nobody_is_exposed_by_what_two_rounds_print(seed):
    """For random small bodies the oracle, holding one answer, exposes nobody in what the gate lets out of two rounds."""
    chance = np.random.default_rng(seed)
    limits, plan = Limits(intruder=1), Plan(5, ("standing", "place"))
    favourable = chance.uniform(0.4, 0.95)
    y = (chance.random(12) < favourable).astype(int)
    place = [("north", "south")[v] for v in chance.permutation([0, 1] * 6)]
    first_people, second_people = list(range(11)), [*range(1, 12)]
    standing = "lllllgggggggg"[:12]

    def made(number, people, answers):
        return a_round(
            [standing[p] for p in people],
            [answers[p] for p in people],
            number,
            people,
            place=[place[p] for p in people],
        )

    first = made(1, first_people, y)
    later = y.copy()
    if seed % 2:
        later[chance.integers(12)] ^= 1
    second = made(2, second_people, later)
    before = decide(plan, first, limits=limits)
    after = decide(plan, second, [Earlier(first, before.figures)], limits=limits)
    assert before.settled and after.settled
    for answers, decision in ((first, before), (second, after)):
        ledger = ledger_of(answers)
        views = [figure.view(ledger) for figure in decision.figures["owned"]]
        assert exposed(ledger, possible(ledger, views), held=1) is None
    rows = Ledger(
        np.array(first_people + second_people),
        np.repeat([1, 2], 11),
        np.concatenate([first.favourable["owned"], second.favourable["owned"]]).astype(int),
        np.zeros(22, dtype=bool),
        {name: np.concatenate([first.tables[name], second.tables[name]]) for name in ("standing", "place")},
    )
    views = [figure.view(rows) for decision in (before, after) for figure in decision.figures["owned"]]
    assert exposed(rows, possible(rows, views, steady=True), held=1, steady=True) is None
    assert cells(rows, views, steady=ASSUMED).size.sum() == 12


# Naive variants, each broken by the oracle on a committed example


def views_of(ledger, figures):
    return [figure.view(ledger) for figure in figures]


def test_a_threshold_alone_is_broken():
    """Every group of five or more printed exactly, with the total: the three hidden members are had by subtraction."""
    answers = a_round("lllllllllggg", [1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1])
    ledger = ledger_of(answers)
    figures = [
        CountFigure(1, "standing", ("leader",), 5, 5),
        CountFigure(1, "standing", ("leader", "grassroots"), 8, 8),
    ]
    assert exposed(ledger, possible(ledger, views_of(ledger, figures)), held=0) is not None


def test_a_remainder_rule_is_broken():
    """Groups and their remainders all have five or more, yet two of the filters differ by one person."""
    filters = {"place": "aaaaaabbbbbb", "size": "aaaaaaabbbbb"}
    answers = a_round("l" * 12, [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0], **filters)
    ledger = ledger_of(answers)
    figures = []
    for name, values in filters.items():
        assert values.count("a") >= 5 and values.count("b") >= 5
        members = ledger.members(1, name, ("a",))
        count = int(ledger.favourable[members].sum())
        figures.append(CountFigure(1, name, ("a",), count, count))
    assert exposed(ledger, possible(ledger, views_of(ledger, figures)), held=0) == (6, ())


def test_unrounded_shares_are_broken():
    """A unanimous group printed as 100% gives all its members away; capped at 90 it does not."""
    ledger = ledger_of(a_round("l" * 12, [1] * 12))
    exact = [CountFigure(1, "standing", ("leader",), 12, 12)]
    assert exposed(ledger, possible(ledger, views_of(ledger, exact)), held=0) is not None
    rounded = [ShareFigure(1, "standing", ("leader",), *print_share(12, 12))]
    assert exposed(ledger, possible(ledger, views_of(ledger, rounded)), held=0) is None


def test_exact_bounds_beside_a_rounded_share_are_broken():
    """Worst-case bounds of the exact count, even outwards to 5, tell 12 of 12 from 11 of 12 that print alike."""
    ledger = ledger_of(a_round("l" * 12, [1] * 12))
    share = ShareFigure(1, "standing", ("leader",), *print_share(12, 12))

    def bounds(y):
        low, high = roster_bounds(y, 12, 13)
        return 5 * int(np.floor(low * 20 + 1e-9)), 5 * int(np.ceil(high * 20 - 1e-9))

    alike = [y for y in range(13) if bounds(y) == bounds(12)]
    figures = [share, CountFigure(1, "standing", ("leader",), min(alike), max(alike))]
    assert exposed(ledger, possible(ledger, views_of(ledger, figures[:1])), held=0) is None
    assert exposed(ledger, possible(ledger, views_of(ledger, figures)), held=0) is not None


def test_sampled_trios_are_broken():
    """Four trios drawn at random find nobody in a table that another trio solves."""
    ledger = ledger_of(a_round("l" * 12, [1] * 9 + [0] * 3))
    figures = [ShareFigure(1, "standing", ("leader",), *print_share(9, 12))]
    solutions = possible(ledger, views_of(ledger, figures))
    chance = np.random.default_rng(0)
    for _ in range(4):
        trio = chance.choice(12, 3, replace=False)
        left = solutions[(solutions[:, trio] == ledger.favourable[trio]).all(axis=1)]
        rest = np.setdiff1d(np.arange(12), trio)
        assert not (left[:, rest] == left[0, rest]).all(axis=0).any()
    assert exposed(ledger, solutions, held=3)[1] == (9, 10, 11)


# Usefulness


@pytest.mark.slow
def test_the_headline_is_printed_where_enough_leaders_answer():
    """Over invented bodies of three rounds, with 12 leaders or more answering, the gap is printed in at least 95%, most
    planned cells with it, and an uncapped gap is off by no more than its step allows."""
    found = usefulness(lambda line: None, bodies=3, number=3)
    assert found["rounds"] >= 6 and found["headline"] >= 0.95
    assert found["cells"] > 0.4 and found["error"] <= 5
