"""Text that people typed cannot act as Markdown."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.ui.safe import safe_md


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://tracker.example/x.png)",
        "[click](http://tracker.example)",
        "<img src=x onerror=alert(1)>",
        "**bold** _thin_ ~~gone~~ `code` $x$",
        ":red[alarm] :material/home: :smile:",
        "# Heading",
        "- list",
        "1. list",
        "a | b",
    ],
)
def test_every_special_mark_is_escaped(text):
    """No mark of Markdown, HTML or Streamlit's directives stands without a backslash before it."""
    assert re.search(r"(?<!\\)[!\[\]()<>*_~`$:#|.\-]", safe_md(text)) is None


@pytest.mark.parametrize(
    "text",
    ["http://tracker.example", "https://a.b", "www.tracker.example", "alice@example.com", "WWW.x.example"],
)
def test_addresses_are_not_made_links(text):
    """An address is cut by an invisible joiner where Markdown would recognise it, for escapes do not stop that."""
    bare = safe_md(text).replace("\\", "")
    assert "://" not in bare and "www." not in bare.lower() and not re.search(r"@\w", bare)


def test_what_is_read_stays_the_same():
    """Taking the escapes and joiners away gives back the text."""
    text = "Dr O'Neil & Partners (Vale) – 20% of £5"
    assert safe_md(text).replace("\\", "").replace("\u2060", "") == text


def test_lines_and_invisible_marks_go():
    """Line breaks become spaces, marks that turn the reading direction and control marks are dropped."""
    assert safe_md("a\n\n# b\u202ec\x07") == "a \\# bc"


def test_long_text_is_cut_with_a_sign():
    """A limit cuts before escaping, so that no escape is left half."""
    assert safe_md("abcdef", limit=4) == "abc…"
    assert safe_md("a" * 4, limit=4) == "aaaa"


@given(st.text(max_size=60))
def test_no_text_keeps_a_live_mark(text):
    """Whatever is typed, every ASCII punctuation mark is escaped and no control mark is left."""
    out = safe_md(text)
    assert re.search(r"[!-/:-@\[-`{-~]", re.sub(r"\\[!-/:-@\[-`{-~]", "", out)) is None
    assert not any(unicodedata.category(c) == "Cc" for c in out)
