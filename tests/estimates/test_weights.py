"""Class weights, raking, trimming and calibrated variances, against R's survey package and by property."""

import csv
import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.estimates import (
    Margin,
    analytic_gap,
    calibrated,
    classes,
    contrast,
    kish,
    linearised,
    margin,
    post_stratify,
    rake,
    trim,
    weigh,
)

FOLDER = Path(__file__).parents[1] / "fixtures" / "r"
GOLDEN = json.loads((FOLDER / "weights.json").read_text(encoding="utf-8"))
VARIABLES = ("role", "locality", "size")


def table(name, wave=None):
    with (FOLDER / name).open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if wave is None or row["round"] == str(wave)]
    return {column: np.array([row[column] for row in rows]) for column in rows[0]}


ROSTER, FIRST, SECOND = (
    table("weights_roster.csv"),
    *(table("weights_answers.csv", wave) for wave in (1, 2)),
)


def margins(answers):
    return [margin(name, answers[name], ROSTER[name]) for name in VARIABLES]


def class_margin(answers):
    sides = [tuple(side[name] for name in ("role", "locality")) for side in (answers, ROSTER)]
    return classes(("role", "locality"), *sides, fewest=1, largest_factor=np.inf)


def columns(*rounds):
    """Practice, cell and y of the rounds, cells as in weights.R."""
    practice = np.concatenate([r["practice"].astype(int) for r in rounds])
    cell = np.concatenate([2 * t + (r["role"] == "leader") for t, r in enumerate(rounds)])
    y = np.concatenate([[float(int(v) >= 4) if v else np.nan for v in r["score"]] for r in rounds])
    return practice, cell, y


def same(weights, golden, tolerance, rounds=(FIRST,)):
    """Weights, shares, covariance and gaps agree with R."""
    rounds_weights = [weights] if dataclasses.is_dataclass(weights) else weights
    close = {"rtol": tolerance, "atol": tolerance}
    ours = np.concatenate([w.weights for w in rounds_weights])
    np.testing.assert_allclose(ours, golden["weights"], **close)
    practice, cell, y = columns(*rounds)
    stack = calibrated(weights, practice, cell, y)
    assert stack.df == golden["df"]
    np.testing.assert_allclose(stack.shares, golden["shares"], **close)
    np.testing.assert_allclose(stack.covariance, golden["covariance"], **close)
    for theirs, coefficients in zip(
        golden["contrasts"].values(),
        [{0: -1, 1: 1}, {2: -1, 3: 1}, {0: 1, 1: -1, 2: -1, 3: 1}],
        strict=False,
    ):
        figure = contrast(stack, coefficients)
        np.testing.assert_allclose((figure.estimate, figure.se), (theirs["estimate"], theirs["se"]), **close)
    everyone = calibrated(weights, practice, np.zeros_like(cell), y)
    np.testing.assert_allclose(everyone.shares[0], golden["mean"], **close)
    np.testing.assert_allclose(np.sqrt(everyone.covariance[0, 0]), golden["mean_se"], **close)


def test_post_stratification_equals_survey():
    """Post-stratified weights, shares and standard errors equal R's postStratify, from equal and unequal weights."""
    cells = class_margin(FIRST)
    stratified = post_stratify(cells)
    same(stratified, GOLDEN["post_stratified"], 1e-9)
    again = post_stratify(margin("size", FIRST["size"], ROSTER["size"]), stratified.weights)
    same(again, GOLDEN["post_stratified_again"], 1e-9)


def test_raking_equals_survey():
    """Raked weights, shares, gaps and standard errors equal R's rake."""
    same(rake(margins(FIRST)), GOLDEN["raked"], 1e-6)


def test_raking_of_class_weights_equals_survey():
    """Raking class weights gives R's weights, and the standard errors of R's calibrate, which keeps them."""
    raked = rake(margins(FIRST), post_stratify(class_margin(FIRST)).weights)
    np.testing.assert_allclose(raked.weights, GOLDEN["raked_again_weights"], rtol=1e-6)
    same(raked, GOLDEN["calibrated"], 1e-6)


def test_two_raked_rounds_equal_survey():
    """Two rounds, each raked to the roster, give R's gaps and change on one design with the panel's overlap."""
    same([rake(margins(r)) for r in (FIRST, SECOND)], GOLDEN["panel"], 1e-6, (FIRST, SECOND))


@st.composite
def rosters(draw):
    """A roster of three variables and who answered: everybody of a full cross of categories, and more at will."""
    cross = list(itertools.product(("leader", "partner"), ("east", "north"), ("large", "small")))
    answered = cross + draw(st.lists(st.sampled_from(cross), max_size=30))
    silent = draw(st.lists(st.sampled_from(cross), max_size=60))
    return [
        dict(zip(VARIABLES, map(np.array, zip(*rows, strict=True)), strict=True))
        for rows in (answered, answered + silent)
    ]


@given(rosters(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_raking_meets_every_margin(sides, random):
    """Raked weights are positive and add up to the roster in every category; order and scale of base do not matter."""
    answered, roster = sides
    base = np.array([random.choice([0.5, 1.0, 2.0]) for _ in answered["role"]])
    fitted = rake([margin(name, answered[name], roster[name]) for name in VARIABLES], base)
    assert fitted.converged and fitted.margin_error <= 1e-10 and fitted.explanation is None
    assert np.all(fitted.weights > 0)
    for name in VARIABLES:
        for label in np.unique(roster[name]):
            total = fitted.weights[answered[name] == label].sum()
            assert total == pytest.approx(np.sum(roster[name] == label), rel=1e-9)
    order = random.sample(range(len(base)), len(base))
    again = rake([margin(name, answered[name][order], roster[name]) for name in VARIABLES], 2 * base[order])
    np.testing.assert_allclose(again.weights, fitted.weights[order], rtol=1e-9)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=40), st.floats(1, 5))
@settings(deadline=None)
def test_trimming_caps_keeps_the_sum_and_the_order(base, cap):
    """No trimmed weight is above the cap, the sum stays, and weights below it keep their proportions."""
    whole = post_stratify(margin("all", ["x"] * len(base), ["x"] * 7 * len(base)), base)
    cut = trim(whole, cap)
    assert cut.weights.max() <= cap * 7 * (1 + 1e-9)
    assert cut.weights.sum() == pytest.approx(7 * len(base))
    below = cut.weights < cap * 7 * (1 - 1e-9)
    ratio = cut.weights[below] / whole.weights[below]
    np.testing.assert_allclose(ratio, ratio[0] if below.any() else 1)
    assert cut.trimmed <= len(base) - below.sum()
    assert cut.deff <= whole.deff * (1 + 1e-9), "trimming never makes weights more unequal"


def test_trimming_goes_on_until_nothing_is_above_the_cap():
    """Excess that lifts another weight over the cap cuts that one too: 10, 4, 1, 1 at twice the mean."""
    whole = post_stratify(margin("all", ["x"] * 4, ["x"] * 16), [10, 4, 1, 1])
    cut = trim(whole, 2)
    # First 10 -> 8 spreads 2 over 6: 4 becomes 5.33, under 8. At 1.25 times the mean, 10 and 4 are both cut.
    np.testing.assert_allclose(cut.weights, [8, 16 / 3, 4 / 3, 4 / 3])
    assert (cut.trimmed, cut.cap, cut.approximate) == (1, 2, True)
    np.testing.assert_allclose(trim(whole, 1.25).weights, [5, 5, 3, 3])
    np.testing.assert_allclose(trim(whole, 1).weights, [4, 4, 4, 4])
    assert trim(whole, 3).trimmed == 0 and not trim(whole, 3).approximate
    with pytest.raises(ValueError, match="1 or more"):
        trim(whole, 0.9)


def test_kish_of_worked_weights():
    """Weights 1, 1, 2 carry (4 squared)/6 answers, equal ones all of them, and none at all no design effect."""
    assert kish([1, 1, 2]) == (pytest.approx(3 * 6 / 16), pytest.approx(16 / 6))
    assert kish([3, 3, 3, 3]) == (1, 4)
    assert kish([]) == (None, 0)
    with pytest.raises(ValueError, match="positive"):
        kish([1, 0])


def crossed(table):
    """Labels of two variables from {(role, locality): count}."""
    pairs = [pair for pair, count in table.items() for _ in range(count)]
    return tuple(np.array([pair[i] for pair in pairs]) for i in (0, 1))


def test_thin_classes_are_merged_within_their_role_and_reported():
    """A class under 5 answers joins the nearest response rate of its own role, whatever other roles look like."""
    roster = crossed({("gp", "a"): 20, ("gp", "b"): 20, ("gp", "c"): 10, ("manager", "a"): 8})
    answered = crossed({("gp", "a"): 16, ("gp", "b"): 8, ("gp", "c"): 4, ("manager", "a"): 3})
    cells = classes(("role", "locality"), answered, roster)
    assert cells.categories == (
        (("gp", "a"),),
        (("gp", "b"), ("gp", "c")),
        (("manager", "a"),),
    )
    (merged,) = cells.collapsed
    assert (merged.category, merged.into, merged.reason) == (("gp", "c"), ("gp", "b"), "few answers")
    weights = post_stratify(cells).weights
    np.testing.assert_allclose(np.unique(weights), [20 / 16, 30 / 12, 8 / 3])


def test_a_large_factor_and_an_empty_class_are_merged():
    """A class that would count more than three times the usual is merged, and so is one nobody answered in."""
    roster = crossed({("gp", "a"): 20, ("gp", "b"): 20, ("gp", "c"): 60, ("gp", "d"): 3})
    answered = crossed({("gp", "a"): 20, ("gp", "b"): 12, ("gp", "c"): 6})
    cells = classes(("role", "locality"), answered, roster)
    reasons = {c.category[1]: (c.into[1], c.reason) for c in cells.collapsed}
    assert reasons == {"d": ("c", "nobody answered"), "c": ("b", "large factor")}
    assert sorted(cells.targets.tolist()) == [20, 83]


def test_classes_at_the_limits_stay():
    """Five answers are enough, and a factor of just three times the usual is not too large."""
    roster = crossed({("gp", "a"): 10, ("gp", "b"): 60, ("gp", "c"): 10})
    answered = crossed({("gp", "a"): 5, ("gp", "b"): 10, ("gp", "c"): 25})
    # 80 members on 40 answers: the usual factor is 2, that of b is 6.
    assert classes(("role", "locality"), answered, roster).collapsed == ()
    assert len(classes(("role", "locality"), answered, roster, fewest=6).collapsed) == 1
    assert len(classes(("role", "locality"), answered, roster, largest_factor=2.9).collapsed) == 1


def test_an_empty_margin_category_is_merged_and_reported():
    """Weights cannot stand for a category without answers: it joins the one with the lowest response."""
    found = margin(
        "size", ["large", "large", "small"], ["large"] * 3 + ["medium"] * 2 + ["small"] * 4 + [None]
    )
    assert found.categories == ((("large",),), (("small",), ("",), ("medium",)))
    assert found.targets.tolist() == [3, 7]
    assert {c.category for c in found.collapsed} == {("",), ("medium",)}


def test_weigh_does_classes_raking_and_trimming():
    """The whole chain meets the margins of role, locality and size, then caps, and says what it cost."""
    whole = weigh(FIRST, ROSTER, cap=None)
    assert whole.converged and whole.margin_error < 1e-10 and not whole.approximate
    assert whole.weights.sum() == pytest.approx(len(ROSTER["role"]))
    assert whole.deff > 1 and whole.n_eff == pytest.approx(len(FIRST["role"]) / whole.deff)
    assert all(c.variables == ("role", "locality") and c.reason == "few answers" for c in whole.collapsed)
    cap = 1.2
    cut = weigh(FIRST, ROSTER, cap=cap)
    assert cut.trimmed > 0 and cut.weights.max() <= cap * cut.weights.mean() * (1 + 1e-9)
    assert cut.margin_error > 1e-3 and cut.approximate and cut.deff < whole.deff


def test_a_role_without_answers_is_left_out_and_said():
    """Members of a role in which nobody answered are not stood for, and a role with few answers is named."""
    roster = {
        "role": ["gp"] * 20 + ["nurse"] * 3 + ["manager"] * 6,
        "locality": ["a"] * 29,
        "size": ["small", "large"] * 14 + ["small"],
    }
    rows = [*range(10), 24, 25]
    answered = {name: [column[row] for row in rows] for name, column in roster.items()}
    weights = weigh(answered, roster, cap=3)
    assert weights.uncovered == (("nurse", 3),) and "nurse (3)" in weights.explanation
    assert "Fewer than 5 answers stand for all of: manager." in weights.explanation
    assert weights.weights.sum() == pytest.approx(26)
    strict = weigh(answered, roster, cap=3, fewest=1, largest_factor=1.3)
    assert "Each answer counts over 1.3 times the usual in: manager." in strict.explanation


def test_margins_that_contradict_each_other_do_not_converge_and_say_so():
    """Where no positive weights meet both margins, raking stops at its limit and explains itself."""
    answered = {"role": ["gp"] * 3 + ["manager"] * 3, "size": ["small"] * 3 + ["large"] * 3}
    fitted = rake(
        [
            margin("role", answered["role"], ["gp"] * 10 + ["manager"] * 10),
            margin("size", answered["size"], ["small"] * 5 + ["large"] * 15),
        ]
    )
    assert (fitted.converged, fitted.passes, fitted.approximate) == (False, 200, True)
    assert "did not settle" in fitted.explanation and fitted.margin_error > 0.1


def test_pooled_share_follows_the_roster_and_not_who_happened_to_answer():
    """Leaders 15% then 45% of answers, nothing else moved: the weighted share stays, the raw one does not."""
    roster = {"role": ["leader"] * 30 + ["gp"] * 170, "locality": ["a"] * 200, "size": ["s"] * 200}
    shares, raw = [], []
    for leaders, others in ((15, 85), (45, 55)):
        role = np.array(["leader"] * 20 * leaders + ["gp"] * 20 * others)
        y = np.concatenate(
            [np.arange(20 * n) < round(share * 20 * n) for n, share in ((leaders, 0.66), (others, 0.35))]
        )
        many = {name: np.repeat(column, 20) for name, column in roster.items()}
        weights = weigh(
            {"role": role, "locality": ["a"] * len(role), "size": ["s"] * len(role)}, many, cap=None
        )
        shares.append(calibrated(weights, np.arange(len(y)), np.zeros(len(y), int), y).shares[0])
        raw.append(np.mean(y))
    np.testing.assert_allclose(shares, 0.15 * 0.66 + 0.85 * 0.35, atol=1e-12)
    np.testing.assert_allclose(raw, [0.3965, 0.4895], atol=1e-12)


def test_calibration_takes_out_what_the_roster_knows():
    """Where the margins decide the answer, the weighted share is exact; without calibration it would not be."""
    role = np.array(["leader", "gp"] * 20)
    weights = post_stratify(margin("role", role, ["leader"] * 30 + ["gp"] * 70))
    y, practice, cell = (role == "leader").astype(float), np.arange(40) // 4 % 7, np.zeros(40, int)
    # Uneven practices: whether a leader is among its answers would pass for a difference between them.
    practice[::2] = np.arange(20) % 5
    stack = calibrated(weights, practice, cell, y)
    assert stack.shares[0] == pytest.approx(0.3) and stack.covariance[0, 0] == 0
    assert linearised(practice, cell, y, weights.weights).covariance[0, 0] > 1e-4


def test_one_stratum_changes_nothing():
    """Calibrating to the roster's size alone leaves the stack that unweighted answers give."""
    practice, cell, y = columns(FIRST)
    answered = ~np.isnan(y)
    practice, cell, y = practice[answered], cell[answered], y[answered]
    weights = post_stratify(margin("all", ["x"] * len(y), ["x"] * 400))
    ours, plain = calibrated(weights, practice, cell, y), linearised(practice, cell, y)
    for field in ("shares", "n", "kish", "practices", "covariance"):
        np.testing.assert_allclose(getattr(ours, field), getattr(plain, field), rtol=1e-9, atol=1e-15)
    assert (ours.m, ours.df, ours.binary) == (plain.m, plain.df, plain.binary)
    assert analytic_gap(ours, 1, 0).low == pytest.approx(analytic_gap(plain, 1, 0).low)


def test_order_and_names_change_nothing_in_a_calibrated_stack():
    """Permuting answers and renumbering practices leave shares and covariance as they were."""
    rng = np.random.default_rng(8)
    practice, cell, y = columns(FIRST)
    before = calibrated(weigh(FIRST, ROSTER, cap=2), practice, cell, y)
    order = rng.permutation(len(y))
    shuffled = {name: column[order] for name, column in FIRST.items()}
    after = calibrated(weigh(shuffled, ROSTER, cap=2), 1000 - practice[order], cell[order], y[order])
    np.testing.assert_allclose(after.shares, before.shares, rtol=1e-9)
    np.testing.assert_allclose(after.covariance, before.covariance, rtol=1e-7)


def test_degenerate_calibrated_stacks_are_explained():
    """One practice has shares without a covariance; a cell without a score has no share; no leaders, no gap."""
    weights = post_stratify(margin("role", ["a", "a", "b"], ["a"] * 4 + ["b"] * 2))
    alone = calibrated(weights, [1, 1, 1], [0, 0, 1], [1, 0, 1])
    assert (
        alone.shares.tolist() == [0.5, 1]
        and np.isnan(alone.covariance).all()
        and "one practice" in alone.explanation
    )
    unscored = calibrated(weights, [1, 2, 3], [0, 0, 1], [1, 0, np.nan])
    assert unscored.n.tolist() == [2, 0] and np.isnan(unscored.shares[1])
    assert "Nobody" in analytic_gap(unscored, 1, 0).explanation


def test_bad_input_is_refused():
    """Ragged rows, unknown categories, impossible base weights and empty rounds raise ValueError that says why."""
    good = margin("role", ["a", "b"], ["a", "b", "b"])
    other = margin("role", ["a", "b"], ["a", "b"])
    refused = {
        "which the roster does not hold": lambda: margin("role", ["c"], ["a"]),
        "nothing to weight": lambda: margin("role", [], ["a"]),
        "at least one margin": lambda: rake([]),
        "same number of members": lambda: rake([good, other]),
        "same answers": lambda: rake([good], [1, 1, 1]),
        "positive": lambda: rake([good], [1, -1]),
        "Nobody in b answered": lambda: classes(("r", "l"), (["a"], ["x"]), (["a", "b"], ["x", "x"])),
        "which the roster does not hold.": lambda: weigh(FIRST, {name: [] for name in VARIABLES}, cap=None),
        "each answer": lambda: weigh({**FIRST, "size": ["s"]}, ROSTER, cap=None),
        "one practice, cell": lambda: calibrated(rake([good]), [1], [0], [1]),
        "Cell codes": lambda: calibrated(rake([good]), [1, 2], [0, 3], [1, 0], cells=2),
        "must be a number": lambda: calibrated(rake([good]), [1, 2], [0, 0], [1, np.inf]),
    }
    for text, call in refused.items():
        with pytest.raises(ValueError, match=text):
            call()
    none = {name: [] for name in VARIABLES}
    with pytest.raises(ValueError, match="nothing to weight"):
        weigh(none, ROSTER, cap=None)
    assert isinstance(good, Margin) and not good.collapsed
    with pytest.raises(ValueError, match="read-only"):
        rake([good]).weights[0] = 1
