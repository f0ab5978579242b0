"""What may be printed of one table by standing: bands, rounded and capped shares, and intervals that add nothing.

Pure: exact counts in, printable dataclasses out. Whatever leaves `as_json()` may be seen by anybody who may see
the release; nothing else of this package's input may. The audit of a whole release against an attacker is a
step of its own, and takes these printed values as its views.
"""

from engagement.disclosure.intervals import (
    DF_LADDER,
    PrintedShare,
    analytic_gap_interval,
    analytic_interval,
    descriptive_gap_interval,
    descriptive_interval,
    df_floor,
    gap_roster_bounds,
    roster_interval,
)
from engagement.disclosure.publish import (
    Count,
    GapPrint,
    GroupPrint,
    ItemPrint,
    print_gap_points,
    publish_item,
)
from engagement.disclosure.rules import (
    AT_LEAST,
    AT_MOST,
    CHANGE_VERDICTS,
    SMALLEST_THRESHOLD,
    UNCLEAR,
    band,
    band_floor,
    participation_band,
    participation_percent,
    print_change,
    print_share,
    share_cell,
)
from engagement.disclosure.summaries import (
    Response,
    print_distribution,
    print_response,
    publish_index,
)

__all__ = [
    "AT_LEAST",
    "AT_MOST",
    "CHANGE_VERDICTS",
    "DF_LADDER",
    "SMALLEST_THRESHOLD",
    "UNCLEAR",
    "Count",
    "GapPrint",
    "GroupPrint",
    "ItemPrint",
    "PrintedShare",
    "Response",
    "analytic_gap_interval",
    "analytic_interval",
    "band",
    "band_floor",
    "descriptive_gap_interval",
    "descriptive_interval",
    "df_floor",
    "gap_roster_bounds",
    "participation_band",
    "participation_percent",
    "print_change",
    "print_distribution",
    "print_gap_points",
    "print_response",
    "print_share",
    "publish_index",
    "publish_item",
    "roster_interval",
    "share_cell",
]
