"""What an import would do, line by line, before anything is done."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from engagement.roster.table_file import Source

WHATS = ("refuse", "note", "close", "end", "change", "add", "same")
MOST_REFUSALS = 1000


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that the preview has to say: what would happen to which practice or person, and why.

    `number` is the line of the file, 0 for what the file does not mention. `what` is one of `WHATS`.
    """

    number: int
    what: str
    key: str
    label: str
    detail: str


@dataclass(frozen=True)
class Plan:
    """The rows to write. Localities and successors are codes here, for they may not have ids yet."""

    practices_add: tuple[dict[str, Any], ...] = ()
    practices_change: tuple[tuple[int, dict[str, Any]], ...] = ()
    members_add: tuple[dict[str, Any], ...] = ()
    members_change: tuple[tuple[int, dict[str, Any]], ...] = ()
    spells_add: tuple[tuple[str, dict[str, Any]], ...] = ()
    spells_change: tuple[tuple[int, dict[str, Any]], ...] = ()
    localities: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Preview:
    """A file read against the roster as it is. `apply` does what it says, or nothing.

    `body_id` is None when applying it will make the body with `body_code`.
    """

    kind: str
    name: str
    body_id: int | None
    body_code: str
    lines: tuple[Line, ...]
    fingerprint: str
    sha256: str
    plan: Plan = field(repr=False)

    @property
    def counts(self) -> dict[str, int]:
        """How many lines of each kind, every kind of `WHATS` included."""
        found = Counter(line.what for line in self.lines)
        return {what: found[what] for what in WHATS}

    @property
    def refused(self) -> list[str]:
        """One sentence for each refused line, naming the file, the line and the remedy."""
        return [sentence(self.name, line) for line in self.lines if line.what == "refuse"]

    @property
    def notes(self) -> list[str]:
        """One sentence for each thing to know, naming the file and the line where there is one."""
        return [sentence(self.name, line) for line in self.lines if line.what == "note"]

    @property
    def changes(self) -> int:
        """How many practices or people would be added, changed, closed or ended."""
        counts = self.counts
        return sum(counts[what] for what in ("add", "change", "close", "end"))

    @property
    def summary(self) -> str:
        """The counts as one sentence."""
        return sentence_of_counts(self.kind, self.counts)

    def ordered(self) -> list[Line]:
        """The lines with those that need a person first."""
        return sorted(self.lines, key=lambda line: (WHATS.index(line.what), line.number))


def sentence(name: str, line: Line) -> str:
    """A line of the preview as it is printed: "practices.csv, line 7: A81001: ..."."""
    place = f"{name}, line {line.number}: " if line.number else f"{name}: "
    return place + (f"{line.key}: " if line.key else "") + line.detail


def sentence_of_counts(kind: str, counts: dict[str, int]) -> str:
    """ "2 practices would be added and 1 changed; 40 stay as they are; 1 line is refused." """
    one, many = ("practice", "practices") if kind == "practices" else ("person", "people")
    verbs = {"add": "added", "change": "changed", "close": "closed", "end": "ended"}
    parts = []
    for what, verb in verbs.items():
        n = counts[what]
        if n:
            parts.append(f"{n:,} {one if n == 1 else many} would be {verb}" if not parts else f"{n:,} {verb}")
    said = [" and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)] if parts else []
    if not said and not counts["refuse"]:
        said.append("Nothing would change")
    if n := counts["same"]:
        said.append(f"{n:,} {'stays' if n == 1 else 'stay'} as {'it is' if n == 1 else 'they are'}")
    if n := counts["refuse"]:
        said.append(f"{n:,} {'line is' if n == 1 else 'lines are'} refused, so nothing can be imported yet")
    if n := counts["note"]:
        said.append(f"{n:,} {'thing' if n == 1 else 'things'} to know")
    return "; ".join(said) + "."


class TooManyRefusals(Exception):
    """Reading on would only repeat the same fault."""


class Lines:
    """Collects the lines of a preview while a file is read."""

    def __init__(self) -> None:
        self.all: list[Line] = []
        self.refusals = 0

    def add(self, number: int, what: str, key: str = "", label: str = "", detail: str = "") -> None:
        """Note one line. Raises `TooManyRefusals` when a person has enough to do already."""
        self.all.append(Line(number, what, key, label, detail))
        if what == "refuse":
            self.refusals += 1
            if self.refusals >= MOST_REFUSALS:
                self.all.append(
                    Line(
                        number,
                        "note",
                        "",
                        "",
                        f"reading stopped here after {MOST_REFUSALS:,} refused lines; put these right first",
                    )
                )
                raise TooManyRefusals

    def refuse(self, number: int, detail: str, key: str = "", label: str = "") -> None:
        """Note a fault with its remedy."""
        self.add(number, "refuse", key, label, detail)


def preview_of(
    kind: str,
    name: str,
    body: tuple[int | None, str],
    lines: Lines,
    fingerprint: str,
    source: Source | None,
    plan: Plan,
) -> Preview:
    """Put a preview together; a plan with refused lines is thrown away."""
    return Preview(
        kind=kind,
        name=name,
        body_id=body[0],
        body_code=body[1],
        lines=tuple(lines.all),
        fingerprint=fingerprint,
        sha256=source.sha256 if source else "",
        plan=Plan() if lines.refusals else plan,
    )


def digest(*tables: Iterable[tuple]) -> str:
    """A fingerprint of rows, in any order."""
    total = hashlib.sha256()
    for table in tables:
        for row in sorted(map(repr, table)):
            total.update(row.encode())
            total.update(b"\n")
        total.update(b"\0")
    return total.hexdigest()
