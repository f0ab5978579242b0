"""CSV that a spreadsheet opens without running anything in it."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence

_STARTS = ("=", "+", "-", "@", "|", "%", "\t", "\r", "\n")
_INVISIBLE = dict.fromkeys(
    [*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0x2066, 0x206A), 0xFEFF]
)


def cell(value: object) -> object:
    """A value as it may stand in a cell: text that would start a formula is led by an apostrophe."""
    if not isinstance(value, str):
        return "" if value is None else value
    folded = unicodedata.normalize("NFKC", value).translate(_INVISIBLE).lstrip(" ")
    return "'" + value if folded.startswith(_STARTS) else value


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV file as text: every cell quoted, lines ended as RFC 4180 says."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()
