"""Text that people typed, made fit for Streamlit's Markdown.

Almost every Streamlit label, heading, caption, option and table cell is Markdown, which loads remote images and
takes links: a member's name could call home from every reader's browser. Only `st.text`, `st.code` and
`st.dataframe` show text as it is; anything else takes it through `safe_md`.
"""

from __future__ import annotations

import re
import unicodedata

# Every ASCII punctuation mark may be escaped in CommonMark; escaping all of them leaves nothing to mean anything.
_SPECIAL = re.compile(r"([!-/:-@\[-`{-~])")
# A backslash cannot stop these: an address or e-mail is made a link wherever it stands, and ":material/x:" or
# ":red[x]" is looked for after escapes are gone. An invisible word joiner inside the tell-tale marks can.
_JOINER = "\u2060"
_LINKERS = re.compile(r"(?i)(?<=www)(?=\\\.)|(?<=\\[:@])")


def safe_md(text: object, *, limit: int | None = None) -> str:
    """`text` on one line, with nothing in it that Markdown, HTML or Streamlit's directives would act on.

    Shows the same characters to the reader; images and links become plain words. Control characters and marks
    that reverse the reading direction are dropped. `limit` cuts long text and ends it with "…".
    """
    # Not str.split() alone: a no-break space is there on purpose.
    plain = re.sub(r"[^\S\u00a0]+", " ", str(text)).strip()
    plain = "".join(c for c in plain if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    if limit is not None and len(plain) > limit:
        plain = plain[: limit - 1].rstrip() + "…"
    escaped = _SPECIAL.sub(r"\\\1", plain)
    return _LINKERS.sub(_JOINER, escaped)
