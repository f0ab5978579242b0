"""Shares, gaps, clustered change and multiplicity: arrays in, small dataclasses out.

Pure: no database, no clock, no input or output. Shares are fractions between 0 and 1. Everything here is
computed on exact counts and is therefore not for print; `engagement.disclosure` decides what may be printed.
"""

from engagement.estimates.change import (
    ChangeInGap,
    ChangeInLevel,
    Contrast,
    Trend,
    Verdict,
    change_in_gap,
    change_in_level,
    contrast,
    trend_in_gap,
    trend_in_level,
    verdicts,
)
from engagement.estimates.clustered import (
    AnalyticGap,
    Stack,
    analytic_gap,
    design_effect,
    effective_n,
    linearised,
    mover,
    round_design_effect,
    t_quantile,
)
from engagement.estimates.gap import (
    DescriptiveGap,
    agresti_caffo,
    descriptive_gap,
    gap_bounds,
    newcombe,
    roster_bounds,
)
from engagement.estimates.multiplicity import benjamini_hochberg, holm
from engagement.estimates.proportions import Z95, finite_n, wilson

__all__ = [
    "Z95",
    "AnalyticGap",
    "ChangeInGap",
    "ChangeInLevel",
    "Contrast",
    "DescriptiveGap",
    "Stack",
    "Trend",
    "Verdict",
    "agresti_caffo",
    "analytic_gap",
    "benjamini_hochberg",
    "change_in_gap",
    "change_in_level",
    "contrast",
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
    "trend_in_gap",
    "trend_in_level",
    "verdicts",
    "wilson",
]
