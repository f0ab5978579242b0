"""The package svy behind one function, for the tests that compare. It is young: only this file knows its ways."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import svy


@dataclass(frozen=True)
class Theirs:
    """What svy says: shares (k,) and covariance (k, k) in the order of the cell codes, degrees of freedom."""

    shares: np.ndarray
    covariance: np.ndarray
    df: int
    estimate: svy.Estimate

    def contrast(self, coefficients):
        """Estimate, standard error, interval and p-value of the sum of coefficient times share."""
        (found,) = self.estimate.contrast(coefficients).estimates
        return found.est, found.se, found.lci, found.uci, found.p_value


def means_by_cell(practice, cell, y, weights=None):
    """Means of y by cell, linearised with practices as clusters; every cell from 0 to k-1 has an answer.

    The weight is not named `wr`, on which svy stumbles, and y is a number: of proportions at 0 and 1 it gives NaN.
    """
    frame = pl.DataFrame(
        {
            "practice": np.asarray(practice),
            "cell": np.asarray(cell),
            "y": np.asarray(y, float),
            "weight": np.ones(len(y)) if weights is None else np.asarray(weights, float),
        }
    )
    sample = svy.Sample(frame, svy.Design(psu="practice", wgt="weight"))
    estimate = sample.estimation.mean("y", by="cell")
    order = np.argsort(estimate.keys())
    return Theirs(
        np.array([row.est for row in estimate.estimates])[order],
        np.asarray(estimate.covariance)[np.ix_(order, order)],
        int(estimate.design_df),
        estimate,
    )
