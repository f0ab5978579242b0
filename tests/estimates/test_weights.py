"""Class weights, raking, trimming and calibrated variances, against R's survey package and by property."""

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.estimates import analytic_gap, linearised
from engagement.estimates.change import contrast
from engagement.estimates.weights import (
    calibrated,
    classes,
    kish,
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
    y = np.concatenate([[float(v) if v else np.nan for v in r["y"]] for r in rounds])
    return practice, cell, y


def same(weights, golden, tolerance, rounds=(FIRST,)):
    """Weights, shares, covariance and gaps agree with R."""
    rounds_weights = [weights] if dataclasses.is_dataclass(weights) else weights
    close = {"rtol": tolerance, "atol": tolerance}
    ours = np.concatenate([w.weights for w in rounds_weights])
    # R keeps both rounds in file order, which is practice by round here too.
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
        np.testing.assert_allclose(
            (figure.estimate, figure.se), (theirs["estimate"], theirs["se"]), **close
        )
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
