"""What mails say: our words or a body's own, filled in once, as plain text and as HTML made from the same. Pure."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from string import Formatter

from engagement.errors import Invalid

LINKS = ("link", "results", "practices", "page", "stop")
# In a letter, which is of no round, "practices" is the body's word and leads nowhere.
LETTER_LINKS = ("page", "stop")


@dataclass(frozen=True)
class Template:
    """A subject and a text with placeholders in curly brackets."""

    subject: str
    text: str


@dataclass(frozen=True)
class Words:
    """A mail's subject and its two bodies."""

    subject: str
    text: str
    html: str


KIND_NAMES = {
    "invitation": "Invitation",
    "reminder": "Reminder",
    "amendment": "Change to the round",
    "link": "Link asked for again",
    "published": "Results, to members",
    "results": "Results, to the governing body and the council",
    "widened": "The gap has widened, to the engagement lead",
}
# What a text must hold, so that the mail does what it is for.
NEEDED = {
    "invitation": ("link",),
    "reminder": ("link",),
    "amendment": ("link", "closes"),
    "link": ("link",),
    "published": ("results",),
    "results": ("verdict", "results"),
    "widened": ("verdict", "results"),
    "letter": (),
}
COMMON = ("person", "organisation", "round")
PLACEHOLDERS = {
    "invitation": (*COMMON, "closes", "link"),
    "reminder": (*COMMON, "closes", "link"),
    "amendment": (*COMMON, "closes", "link"),
    "link": (*COMMON, "closes", "link"),
    "published": (*COMMON, "results", "page"),
    "results": (*COMMON, "verdict", "results"),
    "widened": (*COMMON, "verdict", "results", "practices"),
    # Of no round, and with words of its own for each occasion.
    "letter": ("person", "organisation", "page"),
}

DEFAULTS = {
    "invitation": Template(
        "{organisation}: three minutes for your view",
        """Dear {person},

How far is {organisation} yours? All members are asked, and what they say is published to all of them. It takes about three minutes, on a phone too. Please answer by {closes}:

{link}

The first page says who can see what, before you are asked anything. The link is yours alone: please do not pass it on.""",
    ),
    "reminder": Template(
        "{organisation}: your view is still missing",
        """Dear {person},

{organisation} would like to hear from you too, whatever you think of it. It takes about three minutes, until {closes}:

{link}

The system sends reminders by itself, to links that were not used. Nobody at {organisation} is told who gets one, and reminders open no answers.""",
    ),
    "amendment": Template(
        "{organisation}: the survey stays open until {closes}",
        """Dear {person},

{round} now closes on {closes}, later than first announced. Nothing else of what was promised has changed. This is sent to everybody who was invited; if you have answered, there is nothing to do.

{link}""",
    ),
    "link": Template(
        "{organisation}: your link",
        """Dear {person},

Here is your link again, as it was asked for with this address. It works until {closes}:

{link}

If you did not ask for it, there is nothing to do.""",
    ),
    "published": Template(
        "{organisation}: the results are published",
        """Dear {person},

The results of {round} are published. This is sent to everybody who was invited:

{results}

On your own page you can ask {organisation} for something on behalf of your {practice}, stand behind what others ask, and see what was answered and done. It is another link than the ones by which you answer:

{page}""",
    ),
    "results": Template(
        "{organisation}: results of {round}",
        """Dear {person},

{verdict}

With the range around each figure, who took part, and every question:

{results}""",
    ),
    "widened": Template(
        "{organisation}: the gap has widened",
        """Dear {person},

{verdict}

What to do next:

1. See on which questions it has widened, and how sure that is: {results}

2. Choose the practices to visit first: {practices}

3. Put it on the agenda of the {governing_body} and of the {council}, with what will be done by when.""",
    ),
}
# Nobody writes their own: what became of the answers must not be said otherwise.
CANCELLED = Template(
    "{organisation}: the survey was cancelled",
    """Dear {person},

{round} was cancelled and takes no more answers. The reason given: {reason}

Answers that had been sent are destroyed unopened: nobody has read them, and nothing of them is published. This is sent to everybody who was invited. There is nothing to do, and your link has no more use.""",
)
FOOTERS = {
    "member": "You get this because you are on the roster of {organisation}. To get fewer messages or none: {stop}",
    "staff": "You get this because of your role at {organisation}.",
}


def pieces(template: str) -> list[tuple[str, str | None]]:
    """The template as (text, placeholder after it or None). Raises `Invalid` for stray brackets and formats."""
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise Invalid("Curly brackets must enclose a placeholder, like {link}") from error
    if any(spec or conversion for _, _, spec, conversion in parsed):
        raise Invalid("A placeholder is its name in curly brackets and nothing more, like {link}")
    return [(text, name) for text, name, _, _ in parsed]


def one_line(text: str) -> str:
    """Text fit for a header: no line ends, controls or marks that turn the reading direction."""
    kept = (" " if c in "\r\n\t" else c for c in text)
    return " ".join("".join(c for c in kept if unicodedata.category(c) not in ("Cc", "Cf", "Cs")).split())


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its placeholders filled in once: brackets in a value stay as they are."""
    out = []
    for text, name in pieces(template):
        out.append(text)
        if name is not None:
            out.append(values[name])
    return "".join(out)


def fill_html(template: str, values: Mapping[str, str], links: Collection[str] = LINKS) -> str:
    """The same as HTML paragraphs. Our links become links and show where they lead; all else is text."""
    out = []
    for text, name in pieces(template):
        out.append(html.escape(text))
        if name is None:
            continue
        value = html.escape(values[name])
        out.append(f'<a href="{value}" style="color:#005eb8">{value}</a>' if name in links else value)
    paragraphs = "".join(out).strip().split("\n\n")
    return "\n".join(f"<p>{paragraph.replace(chr(10), '<br>')}</p>" for paragraph in paragraphs)


PAGE = """<!DOCTYPE html>
<html lang="en-GB">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>{subject}</title></head>
<body style="margin:0;padding:16px;font-family:Arial,sans-serif;font-size:16px;line-height:1.5;color:#212b32">
<div style="max-width:600px">
{body}
<div style="margin-top:24px;border-top:1px solid #aeb7bd;font-size:14px;color:#4c6272">
{footer}
</div>
</div>
</body>
</html>
"""


def write(
    template: Template, values: Mapping[str, str], *, footer: str, links: Collection[str] = LINKS
) -> Words:
    """A mail from a template, with the footer that no template can leave out.

    `footer`: a key of FOOTERS; `links`: the placeholders that stand for addresses.
    """
    subject = one_line(fill(template.subject, values))
    below = FOOTERS[footer]
    page = PAGE.format(
        subject=html.escape(subject),
        body=fill_html(template.text, values, links),
        footer=fill_html(below, values),
    )
    text = f"{fill(template.text, values).strip()}\n\n-- \n{fill(below, values)}\n"
    return Words(subject, text, page)
