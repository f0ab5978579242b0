"""A filled-in form, read and checked against the promise of its round. Pure: text in, a sheet or its faults out."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

LIMIT = 1500
CHOICES = {
    "quote": "You may quote this without my name",
    "theme": "Use its theme only",
    "hide": "Do not show it",
}
REASONS = ("dont_know", "not_applicable")
OWNED = "owned"
_JOINER = "\u200d"


@dataclass(frozen=True)
class Sheet:
    """A complete form. `answers` holds every closed item; `comments` maps an open item to (text, choice)."""

    answers: dict[str, int | str]
    comments: dict[str, tuple[str, str]]
    practice_may_use: bool


@dataclass(frozen=True)
class Fault:
    """Something to put right: the form's field, the id of the input to go to, and the words to show."""

    field: str
    anchor: str
    message: str


def clean_text(text: str) -> str:
    """Text as it may be kept: NFC, plain line ends, nothing invisible except the joiners inside an emoji.

    Controls, bidirectional overrides and zero-width characters go: they hide words from whoever reads or
    redacts a comment. See RFC 8264 and Unicode TR36 for what they can do.
    """
    if text.isascii() and text.isprintable():
        # Nothing of the kind is in it, as in most comments.
        return text.strip()
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))
    kept = [
        character
        for place, character in enumerate(text)
        if character == "\n"
        or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
        or (character == _JOINER and _joins_emoji(text, place))
    ]
    return "".join(kept).strip()


def _joins_emoji(text: str, place: int) -> bool:
    before, after = text[:place].rstrip("\ufe0f")[-1:], text[place + 1 : place + 2]
    # Skin tones are modifier symbols (Sk), the pictures other symbols (So).
    return bool(
        before
        and after
        and unicodedata.category(before) in ("So", "Sk")
        and unicodedata.category(after) == "So"
    )


def _quoted(item: Mapping) -> str:
    return f"“{item['text'].rstrip('.')}”"


def is_open(item: Mapping) -> bool:
    """Whether an item takes text instead of a choice."""
    return item["kind"] == "text"


def read_sheet(promise: Mapping, form: Mapping[str, str]) -> tuple[Sheet | None, list[Fault]]:
    """Check a posted form against what the round promised to ask.

    The fields are `q-<item>` (a score or a reason), `t-<item>` and `c-<item>` (text and its author's choice)
    and `practice_may_use`. A sheet is complete when `owned`, if it is asked, and at least half of the other
    closed items carry a choice; "I do not know" is one. Returns the sheet, or None with the faults, in the
    order of the form.
    """
    answers: dict[str, int | str] = {}
    comments: dict[str, tuple[str, str]] = {}
    faults: list[Fault] = []
    blank: list[Mapping] = []
    for item in promise["items"]:
        if is_open(item):
            comment, found = _read_text(item, form)
            faults += found
            if comment:
                comments[item["key"]] = comment
            continue
        answer, fault = _read_choice(item, form)
        answers[item["key"]] = answer
        if fault:
            faults.append(fault)
        elif answer == "not_answered":
            blank.append(item)
    faults += _too_few(promise, blank, faults)
    if faults:
        return None, sorted(faults, key=lambda fault: _place(promise, fault))
    may_use = promise["tier"] == "confidential" and form.get("practice_may_use") == "yes"
    return Sheet(answers, comments, may_use), []


def _read_choice(item: Mapping, form: Mapping[str, str]) -> tuple[int | str, Fault | None]:
    field = f"q-{item['key']}"
    value = form.get(field, "")
    if value == "":
        return "not_answered", None
    for score, _ in item["labels"]:
        if value == str(score):
            return score, None
    if value in REASONS and item.get(value):
        return value, None
    return "not_answered", Fault(field, field, f"Choose one of the answers listed for {_quoted(item)}")


def _read_text(item: Mapping, form: Mapping[str, str]) -> tuple[tuple[str, str] | None, list[Fault]]:
    key = item["key"]
    text = clean_text(form.get(f"t-{key}", ""))
    if not text:
        return None, []
    faults = []
    limit = item.get("limit") or LIMIT
    if len(text) > limit:
        over = len(text) - limit
        faults.append(
            Fault(
                f"t-{key}",
                f"t-{key}",
                f"Your comment must be {limit:,} characters or fewer. It is {over:,} "
                f"character{'' if over == 1 else 's'} too long",
            )
        )
    choice = form.get(f"c-{key}", "")
    if choice not in CHOICES:
        faults.append(Fault(f"c-{key}", f"c-{key}", "Choose how your comment may be used"))
    return (text, choice), faults


def _too_few(promise: Mapping, blank: list[Mapping], faults: list[Fault]) -> list[Fault]:
    """What is missing for a complete sheet; an answer that was refused is its own fault, not a missing one."""
    if not blank and not faults:
        return []
    found = []
    refused = {fault.field for fault in faults}
    for item in blank:
        if item["key"] == OWNED:
            field = f"q-{OWNED}"
            found.append(Fault(field, field, f"Choose an answer for {_quoted(item)}. “I do not know” is one"))
    others = [item for item in promise["items"] if not is_open(item) and item["key"] != OWNED]
    empty = [item for item in blank if item["key"] != OWNED]
    needed = (len(others) + 1) // 2
    given = len(others) - len(empty) - sum(f"q-{item['key']}" in refused for item in others)
    if given < needed and empty:
        field = f"q-{empty[0]['key']}"
        besides = (
            "the other " if len(others) < sum(not is_open(item) for item in promise["items"]) else "the "
        )
        found.append(
            Fault(
                field,
                field,
                f"Choose an answer for at least {needed} of {besides}{len(others)} statements; you have answered "
                f"{given}. “I do not know” counts",
            )
        )
    return found


def _place(promise: Mapping, fault: Fault) -> int:
    keys = [item["key"] for item in promise["items"]]
    return keys.index(fault.field[2:])
