"""The item bank that the product ships (`bank.toml`), the scales, and how a wording is rendered for a form."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from engagement.errors import Invalid, NotFound
from engagement.words import render

TEXT_LIMIT = 500
NOT_APPLICABLE_LIMIT = 120
COMMENT_LIMIT = 1500
DONT_KNOW = "I do not know"
HINT = "You do not have to answer. Do not name people."
# No slash, which parts a series id; otherwise what the files of other survey tools use.
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")

# Value and label, in the order in which a form shows them.
SCALES: dict[str, tuple[tuple[int, str], ...]] = {
    "agree5": (
        (5, "Strongly agree"),
        (4, "Agree"),
        (3, "Neither agree nor disagree"),
        (2, "Disagree"),
        (1, "Strongly disagree"),
    ),
    "engage4": (
        (4, "Highly engaged"),
        (3, "Somewhat engaged"),
        (2, "Not very engaged"),
        (1, "Not at all engaged"),
    ),
}
# The two most favourable answers of a scale, before reversal.
FAVOURABLE = {"agree5": frozenset({4, 5}), "engage4": frozenset({3, 4})}
KIND_NAMES = {
    "agree5": "Agreement, five points",
    "engage4": "Engagement, four points",
    "text": "Open comment",
}


@dataclass(frozen=True)
class BankItem:
    """An item as the bank ships it; `text`, `not_applicable` and `hint` hold the body's words as placeholders."""

    key: str
    version: int
    name: str
    kind: str
    text: str
    not_applicable: str | None
    hint: str | None
    limit: int | None
    reverse: bool
    core: bool
    order: int
    headline: bool
    from_round: int
    parallels: tuple[str, ...]
    differs: str
    licence: str

    def origin(self) -> dict[str, Any]:
        """What is stored with the wording about where it comes from."""
        return {
            "source": "bank",
            "parallels": list(self.parallels),
            "differs": self.differs,
            "licence": self.licence,
            **({"hint": self.hint, "limit": self.limit} if self.kind == "text" else {}),
        }


@cache
def bank() -> dict[str, BankItem]:
    """All items of the bank by key, in their default order."""
    content = tomllib.loads(files(__package__).joinpath("bank.toml").read_text(encoding="utf-8"))
    found = [
        BankItem(
            **(
                {"not_applicable": None, "hint": None, "limit": None, "from_round": 1}
                | row
                | {"parallels": tuple(row["parallels"]), "licence": content["licence"]}
            )
        )
        for row in content["item"]
    ]
    return {item.key: item for item in sorted(found, key=lambda item: item.order)}


def bank_item(key: str) -> BankItem:
    """One item of the bank. Raises `NotFound` for a key that it lacks."""
    try:
        return bank()[key]
    except KeyError:
        raise NotFound(f"The item bank has no item {key}.") from None


def series_id(key: str, version: int, kind: str) -> str:
    """The name of a line that may be drawn through rounds: another wording or scale is another series."""
    return f"{key}/{version}/{kind}"


def short_name(key: str) -> str:
    """An item in a few words for charts and lists; a body's own item is called by its key."""
    item = bank().get(key)
    return item.name if item else key.replace("_", " ").capitalize()


def favourable(kind: str, value: int, *, reverse: bool = False) -> bool:
    """Whether a score is one of the two most favourable answers of its scale, or of the other end when reversed.

    Raises `Invalid` for a scale without scores.
    """
    if kind not in FAVOURABLE:
        raise Invalid(f"Answers of kind {kind} have no score")
    return (len(SCALES[kind]) + 1 - value if reverse else value) in FAVOURABLE[kind]


def render_item(
    *,
    key: str,
    version: int,
    kind: str,
    text: str,
    words: Mapping[str, str],
    not_applicable: str | None = None,
    reverse: bool = False,
    headline: bool = False,
    core: bool = False,
    origin: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """An item as a round's promise freezes it and a form shows it, in the body's words.

    Raises `Invalid` for a placeholder that is not one of the words, and for a text that is too long in them.
    """
    origin = origin or {}
    rendered = {
        "key": key,
        "version": version,
        "series": series_id(key, version, kind),
        "kind": kind,
        "text": render(text, words),
    }
    if len(rendered["text"]) > TEXT_LIMIT:
        raise Invalid(
            f"The wording of {key} has more than {TEXT_LIMIT} characters in this body's words; shorten it"
        )
    if kind == "text":
        return rendered | {
            "hint": render(origin.get("hint") or HINT, words),
            "limit": min(int(origin.get("limit") or COMMENT_LIMIT), COMMENT_LIMIT),
        }
    return rendered | {
        "labels": [list(pair) for pair in SCALES[kind]],
        "dont_know": DONT_KNOW,
        "not_applicable": render(not_applicable, words) if not_applicable else None,
        "reverse": reverse,
        "headline": headline,
        "core": core,
        "parallels": list(origin.get("parallels") or []),
    }
