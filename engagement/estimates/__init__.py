"""Shares, gaps, clustered change and multiplicity: arrays in, small dataclasses out.

Pure: no database, no clock, no input or output. Shares are fractions between 0 and 1. Everything here is
computed on exact counts and is therefore not for print; `engagement.disclosure` decides what may be printed.
"""

from engagement.estimates.clustered import (
    AnalyticGap,
    ChangeInGap,
    Stack,
    analytic_gap,
    change_in_gap,
    design_effect,
    effective_n,
    linearised,
    mover,
    round_design_effect,
    t_quantile,
)
from engagement.estimates.gap import DescriptiveGap, descriptive_gap, gap_bounds, newcombe, roster_bounds
from engagement.estimates.multiplicity import holm
from engagement.estimates.proportions import Z95, finite_n, wilson

__all__ = [
    "Z95",
    "AnalyticGap",
    "ChangeInGap",
    "DescriptiveGap",
    "Stack",
    "analytic_gap",
    "change_in_gap",
    "descriptive_gap",
    "design_effect",
    "effective_n",
    "finite_n",
    "gap_bounds",
    "holm",
    "linearised",
    "mover",
    "newcombe",
    "roster_bounds",
    "round_design_effect",
    "t_quantile",
    "wilson",
]
