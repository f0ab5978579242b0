"""A release as a flat table: one line a figure, nothing that the release does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engagement.exchange.spreadsheet import table

HEADER = (
    "round",
    "title",
    "closed_on",
    "item",
    "wording_version",
    "statement",
    "figure",
    "mark",
    "invited_N",
    "answered_n_band",
    "percent_or_points",
    "cap",
    "interval_roster_low",
    "interval_roster_high",
    "interval_change_low",
    "interval_change_high",
    "worst_case_low",
    "worst_case_high",
)


def release_csv(content: dict[str, Any]) -> str:
    """The release's figures as CSV. `mark` tells shown, hidden and missing apart; only shown lines hold numbers."""
    return table(HEADER, _rows(content))


def _rows(content: dict[str, Any]) -> Iterator[list[Any]]:
    round_ = content["round"]
    for item in content["items"]:
        figures = dict(item["groups"])
        if item["total"] is not None:
            figures["total"] = item["total"]
        figures["gap"] = item["gap"]
        for name, figure in figures.items():
            yield [
                round_["number"],
                round_["title"],
                round_["closed_on"],
                item["item"],
                item["version"],
                item["text"],
                name,
                figure["mark"],
                figure.get("N"),
                figure.get("n"),
                figure.get("points") if name == "gap" else figure.get("share"),
                figure.get("cap"),
                *(figure.get("interval") or (None, None)),
                *(figure.get("analytic") or (None, None)),
                *(figure.get("bounds") or (None, None)),
            ]
