"""Golden figures from R; estimates.R beside the fixture makes them, and these tests need no R."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from engagement.estimates import analytic_gap, change_in_gap, holm, linearised, t_quantile, wilson

FOLDER = Path(__file__).parents[1] / "fixtures" / "r"
GOLDEN = json.loads((FOLDER / "estimates.json").read_text(encoding="utf-8"))
CLUSTERED = {(case["item"], case["weighted"]): case for case in GOLDEN["clustered"]}


@pytest.fixture(params=CLUSTERED, ids=lambda key: f"{key[0]}-{'weighted' if key[1] else 'unweighted'}")
def case(request):
    item, weighted = request.param
    with (FOLDER / "input.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["item"] == item]
    stack = linearised(
        [int(row["practice"]) for row in rows],
        [2 * (int(row["round"]) - 1) + (row["arm"] == "leader") for row in rows],
        [int(row["y"]) for row in rows],
        [float(row["weight"]) for row in rows] if weighted else None,
    )
    return stack, CLUSTERED[request.param]


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_wilson_equals_prop_test():
    """Wilson's limits equal R's prop.test without continuity correction."""
    y, n, low, high = (
        np.array([row[name] for row in GOLDEN["wilson"]]) for name in ("y", "n", "low", "high")
    )
    close(wilson(y / n, n), (low, high))


def test_holm_equals_p_adjust():
    """Holm's adjustment equals R's p.adjust."""
    for family in GOLDEN["holm"]:
        close(holm(family["p"]), family["adjusted"])


def test_student_t_equals_qt():
    """The 97.5% point of Student's t equals R's qt."""
    close(t_quantile([row["df"] for row in GOLDEN["t_quantile"]]), [row["t"] for row in GOLDEN["t_quantile"]])


def test_shares_and_covariance_equal_survey(case):
    """Shares, degrees of freedom and the stacked covariance equal R survey's, weighted or not."""
    stack, golden = case
    assert stack.df == golden["df"]
    close(stack.shares, golden["shares"])
    close(stack.covariance, golden["covariance"])


def test_gaps_equal_survey(case):
    """Each round's gap and standard error equal R's svycontrast."""
    stack, golden = case
    for name, a, b in (("gap_round_1", 1, 0), ("gap_round_2", 3, 2)):
        gap = analytic_gap(stack, a, b)
        close((gap.gap, gap.se), (golden[name]["estimate"], golden[name]["se"]))


def test_change_equals_survey(case):
    """The change, its standard error, t interval and p-value equal R's; an arm at 100% takes the wider MOVER."""
    stack, golden = case
    change, theirs = change_in_gap(stack, 1, 0, 3, 2), golden["change"]
    close((change.change, change.se), (theirs["estimate"], theirs["se"]))
    if golden["item"] == "plain":
        assert change.method == "contrast"
        close((change.low, change.high, change.p_value), (theirs["low"], theirs["high"], theirs["p_value"]))
    else:
        assert change.method == "MOVER" and stack.shares[3] == 1
        assert change.low < theirs["low"], "leaders at 100% must not pass for certain"


def test_fixture_holds_the_hard_cases():
    """The input has a practice with a lone answer and an arm at 100% on an overlapping panel."""
    with (FOLDER / "input.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["item"] == "unanimous"]
    assert sum(row["practice"] == "901" for row in rows) == 1
    assert all(row["y"] == "1" for row in rows if (row["arm"], row["round"]) == ("leader", "2"))
    rounds = [{row["practice"] for row in rows if row["round"] == wave} for wave in "12"]
    assert rounds[0] & rounds[1] and rounds[0] ^ rounds[1]
