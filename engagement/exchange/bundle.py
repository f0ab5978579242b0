"""A release as one file to hand on: figures with their codebook, the release itself, and every chart as SVG and PNG."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engagement.exchange import charts
from engagement.exchange.codebook import codebook_csv
from engagement.exchange.drawing import Drawing, to_png, to_svg
from engagement.exchange.release_csv import history_csv, release_csv
from engagement.exchange.spreadsheet import table

# The same release makes the same bytes, whenever it is asked for.
_DATE = (2000, 1, 1, 0, 0, 0)
# Spreadsheets take UTF-8 for something else without it.
_BOM = "\ufeff"
KINDS: dict[str, Callable[[Sequence[dict[str, Any]], str], Drawing]] = {
    "round": lambda history, key: charts.shares_now(history[-1], key),
    "shares": charts.shares_by_round,
    "gap": charts.gap_by_round,
}


def chart(history: Sequence[dict[str, Any]], kind: str, key: str) -> Drawing | None:
    """One chart of the newest release of `history`: "round" of it alone, "shares" and "gap" with the rounds before it.

    None for a kind or an item that there is not.
    """
    if kind not in KINDS or charts.item_of(history[-1], key) is None:
        return None
    return KINDS[kind](history, key)


def release_zip(
    history: Sequence[dict[str, Any]], text: str, comments: Mapping[str, Any] | None = None
) -> bytes:
    """The newest release of `history` as a zip file.

    `text`: the release as it was hashed; `comments`: what was published of the round's comments.
    """
    newest = history[-1]
    files: dict[str, str | bytes] = {
        "figures.csv": _BOM + release_csv(newest),
        "codebook.csv": _BOM + codebook_csv(newest),
        "release.json": text,
        "figures-of-all-rounds.csv": _BOM + history_csv(history),
    }
    if comments is not None:
        files["comments.csv"] = _BOM + comments_csv(comments)
    for key in charts.keys_of(newest):
        for kind, draw in KINDS.items():
            drawing = draw(history, key)
            files[f"charts/{key}-{kind}.svg"] = to_svg(drawing)
            files[f"charts/{key}-{kind}.png"] = to_png(drawing)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def comments_csv(comments: Mapping[str, Any]) -> str:
    """Published comments as CSV: quotes in their published order, and themes with bands of authors."""
    rows = []
    for item in comments["items"]:
        asked = [item["item"], item["text"]]
        rows.append([*asked, "writers", item["mark"], item.get("writers"), None])
        rows += [[*asked, "quote", "shown", None, quote] for quote in item.get("quotes", [])]
        rows += [
            [*asked, "theme", theme["mark"], theme.get("n"), theme["label"]]
            for theme in item.get("themes", [])
        ]
    return table(("item", "question", "what", "mark", "authors_band", "words"), rows)
