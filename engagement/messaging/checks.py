"""What is wrong with a template or a sender, one line each, remedy included. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from engagement.errors import Invalid
from engagement.messaging import templates
from engagement.roster.text import parse_email
from engagement.words import DEFAULTS as WORDS

LONGEST_SUBJECT, LONGEST_TEXT = 150, 4_000
_ADDRESS = re.compile(r"(?i)\bhttps?:|\bwww\.|\bdata:")
_MARKUP = re.compile(r"<\s*/?\s*[a-zA-Z!]|!\[|\]\(")


def template_faults(kind: str, subject: str, text: str) -> list[str]:
    """What keeps a template from being used: the link missing, something that could track, or unknown placeholders."""
    faults = []
    known = (*templates.PLACEHOLDERS[kind], *WORDS)
    addresses = templates.LETTER_LINKS if kind == "letter" else templates.LINKS
    links = " or ".join("{" + name + "}" for name in addresses if name in templates.PLACEHOLDERS[kind])
    for part, where in ((subject, "subject"), (text, "text")):
        try:
            names = {name for _, name in templates.pieces(part) if name is not None}
        except Invalid as error:
            faults.append(f"{error} (in the {where})")
            continue
        if unknown := sorted(names - set(known)):
            named = ", ".join("{" + name + "}" for name in unknown)
            faults.append(f"Take {named} out of the {where}: nothing is known to put there")
        if _ADDRESS.search(part):
            faults.append(
                f"Take the web address out of the {where}: other links could track who follows them. Use {links}"
                if where == "text"
                else "Take the web address out of the subject"
            )
        if _MARKUP.search(part):
            faults.append(f"Write the {where} as plain text: the HTML part is made from it, without images")
    if any("{" + name + "}" in subject for name in addresses):
        faults.append("Keep links out of the subject, which everybody can read over a shoulder")
    for name in templates.NEEDED[kind]:
        found = text.count("{" + name + "}")
        if found == 0:
            faults.append(f"Put {{{name}}} into the text: without it this message does not do its work")
        elif found > 1 and name in templates.LINKS:
            faults.append(f"Keep {{{name}}} once: the link twice looks like two different ones")
    if (
        not subject.strip()
        or len(subject) > LONGEST_SUBJECT
        or templates.one_line(subject) != subject.strip()
    ):
        faults.append(f"Give the message a subject of one line and at most {LONGEST_SUBJECT} characters")
    if not text.strip() or len(text) > LONGEST_TEXT:
        faults.append(f"Give the message a text of at most {LONGEST_TEXT} characters")
    return faults


def sender_faults(
    name: str | None, address: str | None, reply_to: str | None, *, needs_address: bool
) -> list[str]:
    """What keeps a sender from being used. `needs_address`: this installation has none of its own to fall back on."""
    faults = []
    if name and (templates.one_line(name) != name or len(name) > 100):
        faults.append("Give the sender a name of one line and at most 100 characters")
    for text, what in ((address, "sender’s"), (reply_to, "reply")):
        if not text:
            continue
        try:
            parse_email(text)
            plain = text.isascii() and text.isprintable()
        except ValueError:
            plain = False
        if not plain:
            faults.append(f"Enter the {what} address in the correct format, like name@example.org")
    if needs_address and not address:
        faults.append("Enter the sender’s address: without one no mail leaves")
    return faults


def raise_if(faults: Iterable[str]) -> None:
    """Raise `Invalid` with all faults, if there are any."""
    if found := list(faults):
        raise Invalid(". ".join(found) + ".", found)
