"""Example files to start from, and the refused lines of a preview as a file to work through."""

from __future__ import annotations

import csv
import io

from engagement.roster.preview import Preview
from engagement.roster.text import safe_cell

PRACTICES = (
    ("practice_id", "name", "locality_id", "list_size", "postcode", "opened", "closed", "successor_id"),
    ("Y90001", "Example Surgery", "north", "7930", "EX1 1AA", "2013-04-01", "", ""),
    ("Y90002", "Old Mill Practice", "north", "4100", "EX1 2AB", "2013-04-01", "2025-10-01", "Y90001"),
    ("Y90003", "Station Road Practice", "south", "11250", "EX2 3BC", "", "", ""),
)
MEMBERS = (
    ("member_id", "practice_id", "role", "group", "representative", "name", "email", "from", "to"),
    (
        "1001",
        "Y90001",
        "GP partner",
        "",
        "1",
        "Dr Ann Example",
        "ann@example.org",
        "2019-04-01",
        "2024-04-01",
    ),
    ("1001", "Y90001", "Chair", "", "1", "Dr Ann Example", "ann@example.org", "2024-04-01", ""),
    ("1002", "Y90002", "Practice manager", "", "0", "Bo Example", "bo@example.org", "", ""),
    ("1003", "", "Lay member", "none", "0", "Cal Example", "cal@example.org", "2023-01-01", ""),
)


def as_csv(rows) -> bytes:
    """Rows as a CSV file that spreadsheets open as UTF-8 and run nothing of."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([safe_cell(str(cell)) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def example_practices() -> bytes:
    """A practices file with one merger, which imports as it is."""
    return as_csv(PRACTICES)


def example_members() -> bytes:
    """A members file with somebody who became chair, which imports after the example practices."""
    return as_csv(MEMBERS)


def refusals(preview: Preview) -> bytes:
    """The refused lines of a preview, to be worked through."""
    rows = [
        (line.number or "", line.key, line.label, line.detail)
        for line in preview.lines
        if line.what == "refuse"
    ]
    return as_csv([("line", "key", "name", "what is wrong and what to do"), *rows])
