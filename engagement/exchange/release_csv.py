"""A release as a flat table: one line a figure, nothing that the release does not hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from engagement.exchange.spreadsheet import table

HEADER = (
    "round",
    "title",
    "closed_on",
    "item",
    "wording_version",
    "statement",
    "table",
    "figure",
    "mark",
    "invited_N",
    "answered_n_band",
    "percent_or_points",
    "cap",
    "to_within",
    "interval_roster_low",
    "interval_roster_high",
    "interval_change_low",
    "interval_change_high",
    "worst_case_low",
    "worst_case_high",
    "verdict",
    "since_round",
    "verdict_points",
)
NOT_ASKED = "not asked"
STANDING = "standing"


def release_csv(content: dict[str, Any]) -> str:
    """The release's figures as CSV. `mark` tells shown, hidden and missing apart; only shown lines hold numbers."""
    return table(HEADER, _rows(content))


def history_csv(history: Sequence[dict[str, Any]]) -> str:
    """The figures of several releases as CSV, a line for each item that any of them asked: "not asked" is a mark too."""
    asked = {item["item"]: item for content in history for item in _items(content)}
    rows: list[list[Any]] = []
    for content in history:
        rows += _rows(content)
        here = {item["item"] for item in _items(content)}
        round_ = content["round"]
        rows += [
            [
                round_["number"],
                round_["title"],
                round_["closed_on"],
                key,
                None,
                item["text"],
                None,
                None,
                NOT_ASKED,
            ]
            + [None] * (len(HEADER) - 9)
            for key, item in asked.items()
            if key not in here
        ]
    return table(HEADER, rows)


def _items(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The items of a release, the index of the core questions after them."""
    return [*content["items"], *([content["index"]] if content.get("index") else [])]


def _rows(content: dict[str, Any]) -> Iterator[list[Any]]:
    round_ = content["round"]
    for item in _items(content):
        for by, name, figure in _figures(content, item):
            yield [
                round_["number"],
                round_["title"],
                round_["closed_on"],
                item["item"],
                item["version"],
                item["text"],
                by,
                name,
                figure["mark"],
                figure.get("N"),
                None if name == "gap" else figure.get("n"),
                figure.get("points") if name == "gap" else figure.get("share"),
                figure.get("cap"),
                _within(figure) if figure["mark"] == "shown" and not figure["cap"] else None,
                *(figure.get("interval") or (None, None)),
                *(figure.get("analytic") or (None, None)),
                *(figure.get("bounds") or (None, None)),
                *(_verdict(item, name) if by == STANDING else (None, None, None)),
            ]


def _figures(content: dict[str, Any], item: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Table, name and figure of everything that is printed of an item by group."""
    for name, group in item["groups"].items():
        yield STANDING, name, group
    if item.get("total") is not None:
        yield STANDING, "total", item["total"]
    yield STANDING, "gap", item["gap"]
    for breakdown in item.get("tables") or []:
        labels = (content.get("labels") or {}).get(breakdown["by"], {})
        for name, group in breakdown["groups"].items():
            yield breakdown["by"], " + ".join(labels.get(part, part) for part in name.split(" + ")), group


def _within(figure: dict[str, Any]) -> float:
    """How far from the printed figure the exact one may lie, in points."""
    return figure.get("within", figure.get("step", 5) / 2)


def _verdict(item: dict[str, Any], figure: str) -> tuple[Any, Any, Any]:
    """What became of a figure since an earlier round: verdict, round, points."""
    said = item.get("change") if figure == "gap" else (item.get("levels") or {}).get(figure)
    return (said["verdict"], said.get("since"), said.get("points")) if said else (None, None, None)
