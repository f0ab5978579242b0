"""What is likely to spoil a question, found in its wording: said to whoever writes it, and never in the way.

Word lists find the usual faults and miss others; a reader still has to judge. Source: Krosnick and Presser 2010,
on the design of questions (one idea, no leading words, no negations, simple and short).
"""

from __future__ import annotations

import re

WORDS_MOST = 20
_JOINED = re.compile(r"\b(and/or|as well as|and|or)\b|\w/\w", re.IGNORECASE)
_LEADING = re.compile(
    r"\b(of course|obviously|clearly|surely|naturally|needless to say|as (?:we|you) (?:all )?know|everyone (?:knows|agrees)"
    r"|everybody (?:knows|agrees)|most people|do(?:n.t| not) you (?:agree|think)|would(?:n.t| not) you agree|is(?:n.t| it not)"
    r"|at last|finally|only fair|failed|failing|failure|shambles|excellent|terrible|disgraceful|outrageous|vital|essential)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(r"\b(not|never|no|nobody|nothing|none|cannot|without|\w+n['’]t)\b", re.IGNORECASE)
_ABSOLUTE = re.compile(r"\b(always|all|every|everything|completely|totally|entirely|fully)\b", re.IGNORECASE)
_VAGUE = re.compile(r"\b(recently|often|regularly|sometimes|usually|frequently|soon)\b", re.IGNORECASE)
_TITLED = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Miss|Prof|Professor)\.? [A-Z]\w*")
_SELF = re.compile(r"\b(I|my|me|mine)\b", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")


def wording(text: str, kind: str = "agree5") -> list[str]:
    """What a reader of a question's `text` should look at again, a sentence each; empty where nothing was found.

    `kind` as in the bank's scales. An open comment ("text") is looked at for leading words and names alone.
    """
    # What a body is called is no fault of the question: "the board and its committees" has an "and".
    plain = _PLACEHOLDER.sub("it", " ".join(text.split()))
    found = []
    if name := _TITLED.search(plain):
        found.append(f"“{name[0]}” names a person. Ask about the work, not about somebody.")
    if leading := _LEADING.search(plain):
        found.append(f"“{leading[0]}” leads to one answer. Put it so that both sides could have written it.")
    if kind == "text":
        return found
    if joined := _JOINED.search(plain):
        found.append(
            f"“{joined[0]}” may join two ideas: somebody who agrees with one alone cannot answer. Ask the one that matters more."
        )
    if kind == "agree5":
        if plain.endswith("?"):
            found.append("People agree or disagree with it, so write a statement and not a question.")
        elif not _SELF.search(plain):
            found.append("It speaks of nobody's own experience. Say “I” or “my”, as the other statements do.")
        if negation := _NEGATION.search(plain):
            found.append(
                f"“{negation[0]}” makes “disagree” a double negative, which people misread. Say what is so."
            )
    if absolute := _ABSOLUTE.search(plain):
        found.append(f"“{absolute[0]}” leaves no room: a single exception makes people disagree.")
    if vague := _VAGUE.search(plain):
        found.append(f"“{vague[0]}” means something else to each reader. Name a time, or leave it out.")
    if (length := len(plain.split())) >= WORDS_MOST:
        found.append(
            f"It has {length} words. Fewer than {WORDS_MOST} are read on a phone without a second look."
        )
    return found
