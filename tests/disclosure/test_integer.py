"""The integer audit, held to an oracle that lists every possible body of answers."""

import itertools

import numpy as np
import pytest

from engagement.disclosure import Count, Limits, audit_integer, print_gap_points, print_share
from engagement.disclosure.views import (
    ASSUMED,
    TRUE,
    CountFigure,
    GapFigure,
    Ledger,
    ShareFigure,
    cells,
)
from tests.disclosure.oracle import exposed, possible

SAMPLED_MISS = 1  # seed of a body of 40 that four random trios leave unexposed, and another trio does not


def body(rng, people, rounds=1, *, known=0.0, change=0.2):
    """A random ledger with standing and two breakdowns; in later rounds some leave, join, move and change answers."""
    columns = {name: [] for name in ("person", "round", "y", "known", "standing", "place", "size")}
    share = rng.uniform(0.2, 0.95)
    answers = (rng.random(people + rounds) < share).astype(int)
    groups = {"standing": rng.integers(0, 2, people + rounds), "place": rng.integers(0, 2, people + rounds)}
    groups["size"] = rng.integers(0, 2, people + rounds)
    for round_ in range(rounds):
        for person in range(round_, people + round_):
            if rounds > 1 and rng.random() < 0.1:
                continue
            if round_ and rng.random() < change:
                answers[person] = int(rng.random() < share)
            columns["person"].append(person)
            columns["round"].append(round_)
            columns["y"].append(answers[person])
            columns["known"].append(rng.random() < known)
            for name, values in groups.items():
                columns[name].append(f"{name}{values[person]}")
    tables = {name: np.array(columns[name], dtype=object) for name in groups}
    arrays = (np.array(columns[name]) for name in ("person", "round", "y"))
    return Ledger(*arrays, np.array(columns["known"], dtype=bool), tables)


def printed(ledger, rng, *, widen=True):
    """A range around the true count of every group, from exact to wide."""
    views = []
    for round_ in sorted(set(ledger.round.tolist())):
        for table, column in ledger.tables.items():
            for category in sorted(set(column.tolist())):
                members = ledger.members(round_, table, (category,))
                count, n = int(ledger.favourable[members].sum()), int(members.sum())
                low, high = count, count
                if widen:
                    low, high = (
                        max(0, count - int(rng.integers(0, 4))),
                        min(n, count + int(rng.integers(0, 4))),
                    )
                if n:
                    views.append(CountFigure(round_, table, (category,), low, high).view(ledger))
    return views


def witness_is_true(ledger, found, witness, solutions, steady=False):
    """The people held really gave those answers, and every solution with them gives the rest of the cell one answer."""
    left = solutions
    taken = set()
    for cell, favourable, unfavourable in witness.held:
        for wanted, number in ((1, favourable), (0, unfavourable)):
            people = [p for p in found.rows[cell] if (ledger.favourable[list(p)] == wanted).all()]
            assert len(people) >= number
            for rows in people[:number]:
                left = left[left[:, rows[0]] == wanted]
                taken.add(rows)
    rest = [rows[0] for rows in found.rows[witness.cell] if rows not in taken]
    return len(left) and len(rest) and bool((left[:, rest] == int(witness.favourable)).all())


@pytest.mark.parametrize("held", [0, 1, 3])
@pytest.mark.parametrize("known", [False, True])
def test_agrees_with_listing_every_body(held, known):
    """On random small bodies the audit says safe exactly where no trio exposes anybody, and its witnesses are true."""
    outcomes = []
    for seed in range(40):
        rng = np.random.default_rng((seed, held, known))
        ledger = body(rng, int(rng.integers(7, 12)), known=0.3 * known)
        views = printed(ledger, rng)
        found = cells(ledger, views, known=known)
        verdict = audit_integer(found, Limits(intruder=held))
        solutions = possible(ledger, views, known=known)
        fewer = int((~ledger.known).sum()) if known else len(ledger.person)
        expected = exposed(ledger, solutions, held=min(held, max(fewer - 1, 0)), known=known)
        assert verdict.safe == (expected is None), (seed, verdict, expected)
        if not verdict.safe:
            assert witness_is_true(ledger, found, verdict.witness, solutions)
        outcomes.append(verdict.safe)
    assert {True, False} <= set(outcomes) or held == 3


@pytest.mark.parametrize("change", [0.0, 0.3])
def test_agrees_with_listing_over_two_rounds(change):
    """Taking it that nobody changed, the audit of two rounds agrees with listing, also where some did change."""
    outcomes, refuted = [], 0
    for seed in range(50):
        rng = np.random.default_rng((seed, int(10 * change)))
        ledger = body(rng, int(rng.integers(6, 9)), rounds=2, change=change)
        views = printed(ledger, rng)
        found = cells(ledger, views, steady=ASSUMED)
        verdict = audit_integer(found, Limits(intruder=1))
        solutions = possible(ledger, views, steady=True)
        expected = exposed(ledger, solutions, held=1, steady=True)
        assert verdict.safe == (expected is None), (seed, verdict, expected)
        if verdict.refuted:
            refuted += 1
            assert not len(solutions)
        outcomes.append(verdict.safe)
    assert {True, False} <= set(outcomes)
    assert (refuted > 0) == (change > 0)


@pytest.mark.parametrize("seed", range(40))
def test_knowing_who_kept_their_answer_agrees_with_listing(seed):
    """An intruder who knows who kept their answer, and holds one person's answers of both rounds, exposes somebody, by
    listing, exactly in what is refused."""
    rng = np.random.default_rng(seed)
    ledger = body(rng, int(rng.integers(6, 8)), rounds=2, change=0.4)
    views = printed(ledger, rng)
    verdict = audit_integer(cells(ledger, views, steady=TRUE), Limits(intruder=1))
    solutions = possible(ledger, views)
    rows = {p: np.flatnonzero(ledger.person == p) for p in set(ledger.person.tolist())}
    for own in rows.values():
        if len(set(ledger.favourable[own].tolist())) == 1:
            solutions = solutions[(solutions[:, own] == solutions[:, own[:1]]).all(axis=1)]
    found = False
    for held in [np.array([], dtype=int), *rows.values()]:
        left = solutions[(solutions[:, held] == ledger.favourable[held]).all(axis=1)]
        constant = (left == left[0]).all(axis=0)
        constant[held] = False
        found = found or bool(constant.any())
    assert verdict.safe != found


def test_a_safe_verdict_carries_its_proof():
    """For a body of 40, every trio of true answers leaves, in the pool, both answers open for everybody else."""
    checked = 0
    for seed in range(12):
        ledger, views = forty(seed, ends=True)
        found = cells(ledger, views)
        verdict = audit_integer(found)
        if not verdict.safe:
            continue
        checked += 1
        pool, width = verdict.pool, len(found.size)
        assert all(found.feasible(row) for row in pool)
        answers = [(cell, y) for cell in range(width) for y in (0, 1)]
        for trio in itertools.combinations_with_replacement(answers, 3):
            f, u = np.zeros(width, dtype=int), np.zeros(width, dtype=int)
            for cell, y in trio:
                (f if y else u)[cell] += 1
            if (f > found.favourable).any() or (u > found.unfavourable).any():
                continue
            left = pool[((pool >= f) & (found.size - pool >= u)).all(axis=1)]
            rest = found.size - f - u > 0
            assert ((left > f).any(axis=0) | ~rest).all() and (
                (found.size - left > u).any(axis=0) | ~rest
            ).all()
    assert checked >= 3


def forty(seed, ends, share=0.85):
    """A body of 40 with 12 leaders, three localities and two sizes, and its table as printed."""
    rng = np.random.default_rng(seed)
    standing = np.array(["leader"] * 12 + ["grassroots"] * 28, dtype=object)
    place = np.array([f"place{v}" for v in rng.permutation([0] * 14 + [1] * 13 + [2] * 13)], dtype=object)
    size = np.array([f"size{v}" for v in rng.permutation([0] * 20 + [1] * 20)], dtype=object)
    y = (rng.random(40) < share).astype(int)
    tables = {"standing": standing, "place": place, "size": size}
    ledger = Ledger(np.arange(40), np.zeros(40, int), y, np.zeros(40, bool), tables)
    views = []
    for table, column in tables.items():
        for category in sorted(set(column)):
            members = ledger.members(0, table, (category,))
            pair = print_share(int(y[members].sum()), int(members.sum()), ends=ends)
            views.append(ShareFigure(0, table, (category,), *pair).view(ledger))
    return ledger, views


def group(y, n, ends):
    ledger = Ledger(
        np.arange(n),
        np.zeros(n, int),
        np.array([1] * y + [0] * (n - y)),
        np.zeros(n, bool),
        {"standing": np.array(["leader"] * n, dtype=object)},
    )
    return cells(
        ledger, [ShareFigure(0, "standing", ("leader",), *print_share(y, n, ends=ends)).view(ledger)]
    )


def test_a_lone_dissenter_learns_that_all_others_agreed():
    """11 of 12 print as at least 90, which tells the twelfth how everybody answered; at least 60 does not."""
    verdict = audit_integer(group(11, 12, ends=False), Limits(intruder=1))
    assert (verdict.witness.favourable, verdict.witness.held) == (True, ((0, 0, 1),))
    assert audit_integer(group(11, 12, ends=True)).safe
    assert all(
        audit_integer(group(y, n, ends=True)).safe for n in (10, 12, 14, 16, 20, 31) for y in range(n + 1)
    )


def test_end_bands_make_one_sided_bodies_safe():
    """Of bodies of 40 at 85% favourable, capped at 90 hardly any pass; with end bands of four nearly all do."""
    plain = sum(audit_integer(cells(*forty(seed, ends=False))).safe for seed in range(10))
    ends = sum(audit_integer(cells(*forty(seed, ends=True))).safe for seed in range(10))
    assert plain <= 2 and ends >= 9


def test_a_few_sampled_trios_miss_one_that_exposes():
    """On a committed body four trios drawn at random expose nobody, yet one trio does, and the audit finds it."""
    ledger, views = forty(SAMPLED_MISS, ends=False, share=0.6)
    found = cells(ledger, views)
    verdict = audit_integer(found)
    assert verdict.witness is not None and sum(f + u for _, f, u in verdict.witness.held) <= 3
    rng = np.random.default_rng(SAMPLED_MISS)
    for _ in range(4):
        trio = rng.choice(40, 3, replace=False)
        held = np.zeros(40, dtype=bool)
        held[trio] = True
        told = Ledger(ledger.person, ledger.round, ledger.favourable, held, ledger.tables)
        assert audit_integer(cells(told, views, known=True), Limits(intruder=0)).safe


def test_giving_up_is_unsafe():
    """At its limits the audit says unsafe without a witness, and says that it gave up."""
    safe, exposed = cells(*forty(1, ends=True, share=0.6)), cells(*forty(1, ends=False))
    assert audit_integer(safe).safe and audit_integer(exposed).witness is not None
    for found, limits in ((safe, Limits(steps=0)), (exposed, Limits(steps=0)), (exposed, Limits(solves=0))):
        verdict = audit_integer(found, limits)
        assert (verdict.safe, verdict.witness) == (False, None) and verdict.why


def test_what_was_found_before_giving_up_starts_the_next_audit():
    """An audit that stopped in the middle hands its solutions on, the last found among them, and the next one has them."""
    found = cells(*forty(1, ends=True, share=0.6))
    at_once, later = audit_integer(found, Limits(steps=0)), audit_integer(found, Limits(steps=40))
    assert not later.safe and all(found.feasible(row) for row in later.pool)
    assert later.pool[-1].tolist() not in at_once.pool.tolist()
    again = audit_integer(found, Limits(steps=0), pool=later.pool)
    assert {tuple(row) for row in later.pool} <= {tuple(row) for row in again.pool}


def test_an_exact_arm_beside_its_share_exposes():
    """Shares of both arms that are safe on their own expose somebody once one arm's exact count stands beside them."""
    y1, n1, y0, n0 = 11, 12, 15, 30
    standing = np.array(["leader"] * n1 + ["grassroots"] * n0, dtype=object)
    y = np.array([1] * y1 + [0] * (n1 - y1) + [1] * y0 + [0] * (n0 - y0))
    ledger = Ledger(np.arange(42), np.zeros(42, int), y, np.zeros(42, bool), {"standing": standing})
    arms = print_share(y1, n1, ends=True), print_share(y0, n0, ends=True)
    leader, grassroots = (
        ShareFigure(0, "standing", (a,), *p) for a, p in zip(("leader", "grassroots"), arms, strict=True)
    )
    gap = GapFigure(0, *print_gap_points(Count(y1, n1, n1), Count(y0, n0, n0), ends=True), *arms)
    views = [figure.view(ledger) for figure in (leader, grassroots, gap)]
    assert audit_integer(cells(ledger, views)).safe
    views.append(CountFigure(0, "standing", ("leader",), y1, y1).view(ledger))
    assert audit_integer(cells(ledger, views)).witness.favourable
