"""The header of a CSV file, and its cells as values with one clear line for each fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from engagement.roster.preview import Lines
from engagement.roster.table_file import Fault, Limits, Source
from engagement.roster.text import clean, formula_start, hides_something, parse_date, parse_whole, shown


class Header:
    """The first line of a file: which column is where."""

    def __init__(self, cells: list[str]):
        cells = [cells[0].removeprefix("ï»¿").removeprefix("\ufeff"), *cells[1:]]
        self.titles = [clean(cell) for cell in cells]
        # A wrong separator leaves one long title; a tab would not survive the cleaning.
        self.whole_line = len(cells) == 1 and any(mark in cells[0] for mark in ";\t|")
        self.names = [title.casefold().replace(" ", "_").replace("-", "_") for title in self.titles]

    def faults(self, required: tuple[str, ...]) -> list[str]:
        """What is wrong with it, a sentence each."""
        if self.whole_line:
            return ["the columns are not separated by commas; save the file as comma-separated CSV"]
        found = [
            f'there is no column "{name}"; the first line must name the columns, {", ".join(required)} among them'
            for name in required
            if name not in self.names
        ]
        twice = sorted({name for name in self.names if name and self.names.count(name) > 1})
        found += [
            f'the column "{shown(name)}" is there twice; rename or remove one of them' for name in twice
        ]
        for title, name in zip(self.titles, self.names, strict=True):
            if formula_start(title):
                found.append(
                    f'the column title "{shown(title)}" starts with a sign that spreadsheets run; rename it'
                )
            elif len(name) > 60:
                found.append(f'the column title "{shown(title)}" is longer than 60 characters; shorten it')
        return found


class Row:
    """One record, cell by cell. Faults are collected in `faults`, so that one line can name several."""

    def __init__(self, number: int, cells: dict[str, str]):
        self.number = number
        self.cells = cells
        self.faults: list[str] = []
        self.hidden = False

    def text(self, column: str, longest: int) -> str | None:
        """A cell as clean text, None when empty."""
        raw = self.cells.get(column, "")
        if not raw:
            return None
        value = clean(raw)
        self.hidden = self.hidden or hides_something(raw)
        if (sign := formula_start(value)) is not None:
            self.faults.append(
                f'{column} starts with "{sign}", which spreadsheets run as a formula; take the sign away'
            )
        elif len(value) > longest:
            self.faults.append(f"{column} is longer than {longest} characters; shorten it")
        return value or None

    def parsed(self, column: str, parse: Callable[[str], Any]) -> Any:
        """A cell through a parser, None when empty."""
        value = clean(self.cells.get(column, ""))
        if not value:
            return None
        try:
            return parse(value)
        except ValueError as error:
            self.faults.append(f'{column} "{shown(value)}" {error}')
            return None

    def day(self, column: str) -> Any:
        """A cell as a date."""
        return self.parsed(column, parse_date)

    def whole(self, column: str, lowest: int, highest: int) -> int | None:
        """A cell as a whole number in bounds."""
        return self.parsed(column, lambda text: parse_whole(text, lowest, highest))

    def others(self, known: tuple[str, ...]) -> dict[str, str]:
        """The cells of the columns that we do not know, to be kept as they are."""
        return {
            column: value
            for column in self.cells
            if column and column not in known and (value := self.text(column, 2000)) is not None
        }


def records(rows: Iterator[tuple[int, list[str]]], header: Header, lines: Lines) -> Iterator[Row]:
    """The records under a header; one with too few or too many fields is refused."""
    width = len(header.names)
    for number, cells in rows:
        if len(cells) > width and not any(cells[width:]):
            cells = cells[:width]
        if len(cells) != width:
            lines.refuse(
                number,
                f"has {len(cells)} fields where the first line has {width}; put a field with a comma in it "
                'between "quotes", and write a comma for each empty field',
            )
            continue
        yield Row(number, dict(zip(header.names, cells, strict=True)))


def start(source: Source, limits: Limits) -> tuple[list[str], int, Iterator[tuple[int, list[str]]]]:
    """The first record, its line, and the rest. Raises `Fault` when there is none."""
    rows = source.rows(limits)
    for number, cells in rows:
        return cells, number, rows
    raise Fault(0, "the file is empty; choose the file that holds the rows")
