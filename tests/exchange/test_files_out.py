"""Files that leave hold what the release holds, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import pytest

from engagement.exchange import spreadsheet


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@x", "|x", "%x", "\t=1", "\u200b=1", " =1", "\ufeff@x", "\uff1d1", "\u202e=1"],
)
def test_a_formula_is_led_by_an_apostrophe(text):
    """Text that a spreadsheet would run, also behind invisible or wide signs, is made plain text."""
    assert spreadsheet.cell(text) == "'" + text


@pytest.mark.parametrize("value", ["plain", "a = b", 5, -10, None, "≥ 90"])
def test_other_cells_are_left_as_they_are(value):
    """Numbers stay numbers, also below zero, and ordinary text is not touched."""
    assert spreadsheet.cell(value) == ("" if value is None else value)


def test_a_table_survives_quotes_and_lines():
    """What goes in comes out of a CSV reader, commas, quotes and line ends included."""
    rows = [["a,b", 'c"d', "e\nf"], ["", "'", "x"]]
    read = list(csv.reader(io.StringIO(spreadsheet.table(["1", "2", "3"], rows))))
    assert read == [["1", "2", "3"], *rows]
