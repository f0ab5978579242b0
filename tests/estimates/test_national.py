"""The national job: every body, round, arm and item at once, with the numbers of one body-round at a time."""

import dataclasses

import numpy as np
import pytest

from engagement.estimates import (
    analytic_gap,
    descriptive_gap,
    linearised,
    national_gaps,
    partial_sums,
    trend_in_gap,
)
from tests.estimates.golden_change import GOLDEN, answers, close

ITEMS = 4


@pytest.fixture(params=[False, True], ids=["unweighted", "weighted"])
def job(request):
    """Responses of 30 body-rounds: item 2 is unanimous among leaders, domain 1000 has one practice, 1001 one arm."""
    rng = np.random.default_rng(3)
    rows = 4000
    domain, practice = rng.integers(0, 30, rows) * 7 - 50, rng.integers(-5, 12, rows) * 10**15
    arm, y = (rng.random(rows) < 0.3).astype(int), (rng.random((rows, ITEMS)) < 0.5).astype(int)
    y[rng.random(y.shape) < 0.1] = -1
    y[:, 2] = np.where(arm == 1, 1, y[:, 2])
    y[:, 3] = np.where(domain == 6, -1, y[:, 3])
    domain[:9], practice[:4] = [1000] * 4 + [1001] * 5, 1
    arm[4:9] = 0
    return domain, practice, arm, y, rng.uniform(0.5, 3, rows) if request.param else None


def one_at_a_time(job, domain, item, arms=2):
    domains, practice, arm, y, weights = job
    rows = (domains == domain) & (y[:, item] >= 0)
    return linearised(
        practice[rows], arm[rows], y[rows, item], None if weights is None else weights[rows], cells=arms
    )


def test_numbers_are_those_of_one_body_round_at_a_time(job):
    """Shares, counts, variances, gaps and intervals equal `linearised` and `analytic_gap` within 1e-12."""
    found = national_gaps(partial_sums(*job))
    assert found.domain.tolist() == sorted(set(job[0].tolist()))

    def same(ours, theirs):
        np.testing.assert_allclose(ours, np.nan if theirs is None else theirs, rtol=1e-12, atol=1e-12)

    for i, domain in enumerate(found.domain):
        for j in range(ITEMS):
            stack = one_at_a_time(job, domain, j)
            gap = analytic_gap(stack, 1, 0)
            same(found.shares[j, :, i], stack.shares)
            assert found.n[j, :, i].tolist() == stack.n.tolist()
            assert found.practices[j, :, i].tolist() == stack.practices.tolist()
            assert found.m[j, i] == stack.m
            same(found.variance[j, :, i], np.diag(stack.covariance))
            same(found.covariance[j, i], stack.covariance[0, 1])
            for name in ("gap", "se", "r", "low", "high"):
                same(getattr(found, name)[j, i], getattr(gap, name))
            if gap.ci1:
                same([found.arm_low[j, 1, i], found.arm_high[j, 1, i]], gap.ci1)
                same([found.arm_low[j, 0, i], found.arm_high[j, 0, i]], gap.ci0)
                same(found.n_c[j, :, i], [gap.n_c0, gap.n_c1])


def test_what_cannot_be_known_is_nan(job):
    """One practice has a gap and no interval, one arm a share and no gap, an item nobody answered nothing."""
    found = national_gaps(partial_sums(*job))
    one, half, silent = (found.domain.tolist().index(code) for code in (1000, 1001, 6))
    assert found.m[2, one] == 1 and np.isnan(found.variance[2, :, one]).all()
    assert np.isnan([found.low[2, one], found.high[2, one], found.se[2, one], found.r[2, one]]).all()
    assert not np.isnan(found.shares[0, 0, half]) and np.isnan(found.gap[0, half])
    assert found.n[3, :, silent].tolist() == [0, 0] and np.isnan(found.shares[3, :, silent]).all()
    assert found.roster_low is None


@pytest.mark.parametrize("weighted", [False, True])
def test_every_domain_equals_survey(weighted):
    """Shares, covariance, gaps and standard errors of twelve body-rounds equal R survey's."""
    rows = answers()
    sums = partial_sums(
        [10 * row["body"] + row["round"] for row in rows],
        [row["practice"] for row in rows],
        [row["leader"] for row in rows],
        [[row["y"]] for row in rows],
        [row["weight"] for row in rows] if weighted else None,
    )
    found = national_gaps(sums)
    golden = [case for case in GOLDEN["domains"] if case["weighted"] == weighted]
    assert len(golden) == len(found.domain) == 12
    for case in golden:
        i = found.domain.tolist().index(10 * case["body"] + case["round"])
        V = np.array(case["covariance"][0])
        assert found.m[0, i] == case["m"]
        close(found.shares[0, :, i], case["shares"])
        close(found.variance[0, :, i], np.diag(V))
        close(found.covariance[0, i], V[0, 1])
        close((found.gap[0, i], found.se[0, i]), (case["estimate"], case["se"]))


def test_the_descriptive_interval_is_that_of_one_gap_at_a_time(job):
    """With a roster each gap has Newcombe's interval; a full roster gives a point, weights are refused."""
    domain, practice, arm, y, weights = job
    sums = partial_sums(domain, practice, arm, y)
    most = sums.n.max(axis=0)
    of_domain = np.searchsorted(sums.domains, sums.domain)
    roster = np.stack([np.bincount(of_domain, each) for each in most]).astype(int)
    roster[:, ::2] += 9
    found = national_gaps(sums, roster)
    for i in range(0, len(found.domain), 5):
        for j in range(ITEMS):
            n, favourable = found.n[j, :, i], np.rint(found.n[j, :, i] * found.shares[j, :, i])
            if n.min():
                gap = descriptive_gap(favourable[1], n[1], roster[1, i], favourable[0], n[0], roster[0, i])
                assert found.roster_low[j, i] == pytest.approx(gap.low, abs=1e-12)
                assert found.roster_high[j, i] == pytest.approx(gap.high, abs=1e-12)
    with pytest.raises(ValueError, match="order of the domains"):
        national_gaps(sums, roster[:, 1:])
    with pytest.raises(ValueError, match="number invited"):
        national_gaps(sums, roster - 9)
    if weights is not None:
        with pytest.raises(ValueError, match="unweighted"):
            national_gaps(partial_sums(*job), roster)


def test_a_new_round_is_added_to_the_sums(job):
    """Sums of parts, added in any order, give what the whole gives; overlapping practices are added up."""
    domain, practice, arm, y, weights = job
    whole = national_gaps(partial_sums(*job))
    for first in (domain < 50, np.arange(len(domain)) % 3 == 0):
        parts = [
            partial_sums(
                domain[rows], practice[rows], arm[rows], y[rows], None if weights is None else weights[rows]
            )
            for rows in (first, ~first)
        ]
        for sums in (parts[0].plus(parts[1]), parts[1].plus(parts[0])):
            added = national_gaps(sums)
            for field in dataclasses.fields(added):
                if getattr(added, field.name) is not None:
                    np.testing.assert_allclose(
                        getattr(added, field.name), getattr(whole, field.name), rtol=1e-9, atol=1e-9
                    )
    with pytest.raises(ValueError, match="same items"):
        partial_sums(domain, practice, arm, y[:, :2]).plus(partial_sums(domain, practice, arm, y))


def test_sums_give_the_stack_of_several_rounds(job):
    """A trend over rounds needs the sums only: shares, covariance and slope equal those from the answers."""
    domain, practice, arm, y, weights = job
    sums, chosen = partial_sums(*job), [-50, 13, -36, 999]
    rows = np.isin(domain, chosen) & (y[:, 1] >= 0)
    direct = linearised(
        practice[rows],
        2 * np.array([chosen.index(code) for code in domain[rows]]) + arm[rows],
        y[rows, 1],
        None if weights is None else weights[rows],
        cells=8,
    )
    stack = sums.stack(1, chosen)
    assert (stack.m, stack.binary, stack.n.tolist()) == (direct.m, True, direct.n.tolist())
    np.testing.assert_allclose(stack.shares, direct.shares, rtol=1e-12)
    np.testing.assert_allclose(stack.covariance, direct.covariance, rtol=1e-10, atol=1e-15)
    slopes = [trend_in_gap(each, [1, 3, 5, 7], [0, 2, 4, 6]).slope for each in (stack, direct)]
    assert slopes[0] == pytest.approx(slopes[1])
    assert sums.stack(0, []).m == 0
    with pytest.raises(ValueError, match="once"):
        sums.stack(0, [13, 13])


def test_missing_may_be_nan_or_negative():
    """Whole numbers, floats and truth values say the same, and a response without any answer counts nowhere."""
    domain, practice, arm = [1, 1, 1, 1], [1, 2, 3, 4], [1, 0, 0, 0]
    whole = partial_sums(domain, practice, arm, [[1, 0], [0, -1], [1, 1], [-1, -1]])
    floats = partial_sums(domain, practice, arm, [[1, 0], [0, np.nan], [1, 1], [np.nan, np.nan]])
    np.testing.assert_array_equal(whole.n, floats.n)
    np.testing.assert_array_equal(whole.wy, floats.wy)
    assert national_gaps(whole).m[:, 0].tolist() == [3, 2]
    truth = partial_sums([1, 1], [1, 2], [1, 0], np.array([[True], [False]]))
    assert national_gaps(truth).gap[0, 0] == 1


def test_no_answers_at_all_give_no_domains():
    """An empty survey has no domains, and adding to it changes nothing."""
    nothing = partial_sums([], [], [], np.empty((0, 2)))
    assert national_gaps(nothing).gap.shape == (2, 0)
    some = partial_sums([1, 1], [1, 2], [1, 0], [[1, 1], [0, 1]])
    np.testing.assert_array_equal(national_gaps(nothing.plus(some)).gap, national_gaps(some).gap)


@pytest.mark.parametrize(
    "job",
    [
        ([1, 1], [1, 2], [1, 0], [1, 0]),
        ([1], [1, 2], [1, 0], [[1], [0]]),
        ([1, 1], [1, 2], [1, 2], [[1], [0]]),
        ([1, 1], [1, 2], [1, 0], [[4], [0]]),
        ([1, 1], [1, 2], [1, 0], [[0.5], [0]]),
        ([1, 1], [1.5, 2], [1, 0], [[1], [0]]),
        ([1, 1], [1, 2], [1, 0], [[1], [0]], [1, 0]),
        ([1, 1], [1, 2], [1, 0], [[1], [0]], [1]),
    ],
)
def test_bad_rows_are_refused(job):
    """Ragged rows, arms and answers that are not 0 or 1, and weights that are no numbers raise ValueError."""
    with pytest.raises(ValueError, match=r"must|each|row"):
        partial_sums(*job)


def test_results_cannot_be_changed(job):
    """Sums and figures are read-only through and through."""
    sums = partial_sums(*job)
    for array in (sums.wy, national_gaps(sums).gap):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
