"""Turning the text of a cell or a form field into a value, or into one line that says what to do."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

FORMULA_STARTS = ("=", "+", "-", "@")
_PLAIN_NUMBER = re.compile(r"[+-]?[\d .,()]*\d[\d .,()]*([eE][+-]?\d+)?")
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})([T ][\d:.]+Z?)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_BRITISH = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})")
_WHOLE = re.compile(r"([+-]?\d{1,15})(\.0*)?")
_EMAIL = re.compile(r"[^@\s<>\"',;]+@[^@\s<>\"',;]+\.[^@\s<>\"',;]+")
# Joins the parts of one emoji; the other invisible characters only hide things.
_JOINER = "\u200d"


def clean(text: str) -> str:
    """The text with spaces collapsed and without what cannot be seen: controls, text-direction overrides and zero-width characters."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    text = unicodedata.normalize("NFC", text)
    kept = []
    for character in text:
        category = unicodedata.category(character)
        if character in "\t\r\n" or category in ("Zs", "Zl", "Zp"):
            kept.append(" ")
        elif category in ("Cf", "Cc", "Cs") and not (
            character == _JOINER and kept and ord(kept[-1]) > 0x2000
        ):
            continue
        else:
            kept.append(character)
    return " ".join("".join(kept).split())


def hides_something(text: str) -> bool:
    """Whether cleaning takes out characters that nobody can see (spaces and line ends do not count)."""
    return not text.isascii() and len("".join(clean(text).split())) < len(
        "".join(unicodedata.normalize("NFC", text).split())
    )


def formula_start(text: str) -> str | None:
    """The first character if a spreadsheet would run the text as a formula; plain numbers such as -1.5 are safe."""
    if not text or (text[0].isalnum() and text[0].isascii()):
        return None
    folded = unicodedata.normalize("NFKC", text).lstrip()
    if folded.startswith(FORMULA_STARTS) and not _PLAIN_NUMBER.fullmatch(folded):
        return folded[0]
    return None


def slug(text: str) -> str:
    """A role as it is stored: "GP Partner" is `gp_partner`."""
    return re.sub(r"[\W_]+", "_", clean(text).casefold()).strip("_")


def parse_date(text: str) -> date:
    """A date written 2026-08-06, 20260806 or 6/8/2026 (day first). Raises `ValueError` with the remedy."""
    try:
        if match := _ISO.fullmatch(text) or _COMPACT.fullmatch(text):
            found = date(*(int(part) for part in match.groups()[:3]))
        elif match := _BRITISH.fullmatch(text):
            day, month, year = (int(part) for part in match.groups())
            found = date(year, month, day)
        else:
            raise ValueError
    except ValueError:
        raise ValueError("is not a date; write it as 2026-08-06 or 6/8/2026 (day first)") from None
    if not 1800 <= found.year <= 2199:
        raise ValueError("is not a year between 1800 and 2199; correct the year")
    return found


def parse_whole(text: str, lowest: int, highest: int) -> int:
    """A whole number in bounds ("7930" and "7930.0" alike). Raises `ValueError` with the remedy."""
    match = _WHOLE.fullmatch(text)
    if match is None:
        raise ValueError("is not a whole number; write digits only")
    number = int(match.group(1))
    if not lowest <= number <= highest:
        raise ValueError(f"must be between {lowest} and {highest}; correct the number")
    return number


def parse_yes(text: str) -> bool:
    """1 or 0 (also yes and no, true and false; empty is no). Raises `ValueError` with the remedy."""
    word = text.casefold()
    if word in ("1", "1.0", "yes", "y", "true"):
        return True
    if word in ("", "0", "0.0", "no", "n", "false"):
        return False
    raise ValueError("is not 0 or 1; write 1 for yes and 0 for no")


def parse_email(text: str) -> str:
    """An e-mail address. Raises `ValueError` with the remedy."""
    if len(text) > 254 or not _EMAIL.fullmatch(text):
        raise ValueError("is not an e-mail address; write one like name@example.org, or leave it empty")
    return text


def shown(text: str) -> str:
    """A stranger's text as part of a message: cleaned and short."""
    text = clean(text)
    return text if len(text) <= 40 else text[:39] + "…"


def safe_cell(text: str) -> str:
    """A cell for a CSV file that somebody opens in a spreadsheet: what would run as a formula gets an apostrophe."""
    folded = "".join(
        c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf"
    ).lstrip(" ")
    return f"'{text}" if folded.startswith((*FORMULA_STARTS, "|", "%", "\t", "\r", "\n")) else text
