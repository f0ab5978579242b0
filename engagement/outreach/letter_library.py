"""The library of letters that is shipped (`letter_library.toml`)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class LibraryLetter:
    """A letter of the library. `key`: its name for ever; `segment`: whom it was written for, of the risk model's."""

    key: str
    segment: str
    name: str
    subject: str
    text: str


@cache
def library() -> tuple[LibraryLetter, ...]:
    """All letters, in the order of the file."""
    rows = tomllib.loads(files("engagement.outreach").joinpath("letter_library.toml").read_text("utf-8"))
    return tuple(LibraryLetter(**row) for row in rows["letter"])
