"""What every column, mark and question of a downloaded release means, as a second table beside the figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engagement.exchange.release_csv import HEADER
from engagement.exchange.spreadsheet import table

COLUMNS = ("about", "name", "meaning", "values")
MEANINGS = {
    "round": ("number of the round in this body", "whole number"),
    "title": ("title of the round", "text"),
    "closed_on": ("day on which the round closed", "year-month-day"),
    "item": ("key of the question, the same over all rounds", "text"),
    "wording_version": ("wording of the question; figures of different wordings are not one line", "whole number"),
    "statement": ("the question as members read it", "text"),
    "table": ("what the groups are groups of", "standing, locality, size, role"),
    "figure": ("whose share, both together (total), or the gap (leader minus grassroots); in other tables the group, merged groups joined by +", "leader, grassroots, staff, total, gap, or the name of a group"),
    "mark": ("whether there is a figure; an empty cell is never zero", "see the marks below"),
    "invited_N": ("people of the group on the roster of this round", "whole number"),
    "answered_n_band": ("how many of them answered this question, as a band", "5–9, 10–14, 15–19, 20–29, 30–49, 50+"),
    "percent_or_points": ("share who answered favourably in percent, or the gap in percentage points", "to the nearest 5; to the nearest 10 or 20 where to_within says so"),
    "cap": ("the figure stands at an end of what is printed", "at_least, at_most, about, or empty"),
    "to_within": ("how far from the figure the exact one may lie", "points"),
    "interval_roster_low": ("where it would be had every member on the roster answered, lower end", "percent or points, 95% confidence"),
    "interval_roster_high": ("the same, upper end", "percent or points"),
    "interval_change_low": ("range for comparing rounds, clustered by practice, lower end", "percent or points, 95% confidence"),
    "interval_change_high": ("the same, upper end", "percent or points"),
    "worst_case_low": ("least that it can be, whatever those think who did not answer", "percent or points"),
    "worst_case_high": ("most that it can be", "percent or points"),
    "verdict": ("what became of the figure since an earlier round", "for a gap: wider, narrower, no clear change, cannot say; for a share: up, down, no clear change, cannot say"),
    "since_round": ("the round that the verdict compares with", "whole number"),
    "verdict_points": ("by how much, only where the verdict is a change", "percentage points, to the nearest 5"),
}  # fmt: skip
MARKS = {
    "shown": "the figure is published; 0 is a figure",
    "hidden": "not published, because it could point at people; says nothing of how large it is",
    "missing": "nobody of this group was invited",
    "not asked": "the round did not ask this question",
}
SCALES = {
    "agree5": ("agree or strongly agree", "disagree or strongly disagree"),
    "engage4": ("somewhat or highly engaged", "not very or not at all engaged"),
    "mean": ("mean over the core questions", "mean over the core questions"),
}


def codebook_csv(content: dict[str, Any]) -> str:
    """The codebook of one release's table: its columns, its marks, its groups and its questions."""
    return table(COLUMNS, _rows(content))


def _rows(content: dict[str, Any]) -> Iterator[list[Any]]:
    for column in HEADER:
        yield ["column", column, *MEANINGS[column]]
    for mark, meaning in MARKS.items():
        yield ["mark", mark, meaning, None]
    for group in content.get("groups", []):
        yield ["figure", group["id"], group["label"], None]
    yield [
        "figure",
        "total",
        "leaders and grassroots members together, where they cannot be shown apart",
        None,
    ]
    yield ["figure", "gap", "share of leaders minus share of grassroots members, in percentage points", None]
    index = content.get("index")
    for item in [*content["items"], *([index] if index else [])]:
        scale = item.get("series", "").rsplit("/", 1)[-1]
        favourable = SCALES.get(scale, ("", ""))[bool(item.get("reverse"))]
        yield ["item", item["item"], item["text"], f"favourable: {favourable}" if favourable else None]
