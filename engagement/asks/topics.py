"""What an ask is about, and help to put it in terms of the body's goals. Pure: text in, text or its faults out.

Source of the topics: The King's Fund and Nuffield Trust (2013), seven asks of practices and three themes of business
strategy; of the habit of naming a goal of the CCG: the same.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from engagement.intake.sheet import clean_text
from engagement.words import render

GROUPS = {
    "help": "Help for practices",
    "business": "Business of the practices",
    "free": "Anything else",
}
# Field, its longest text, and what to call it in a message.
FIELDS = {
    "need": (200, "what you need"),
    "effect": (600, "what the problem does now"),
    "change": (600, "what should change"),
    "improvement": (600, "what would be better"),
    "interest": (300, "who may stand to gain"),
}
NEEDED = ("need", "effect")


@dataclass(frozen=True)
class Goal:
    """A goal of the body that an ask may serve; `served` reads within a sentence."""

    key: str
    label: str
    served: str


@dataclass(frozen=True)
class Topic:
    """What an ask may be about, with an example beside each field. `interest`: a declaration of interest is asked for."""

    key: str
    group: str
    label: str
    need: str
    effect: str
    improvement: str
    interest: bool = False

    def in_words(self, words: Mapping[str, str]) -> Topic:
        """The topic with the body's words in place."""
        texts = {
            name: render(getattr(self, name), words) for name in ("label", "need", "effect", "improvement")
        }
        return Topic(self.key, self.group, interest=self.interest, **texts)


@dataclass(frozen=True)
class Draft:
    """An ask as it was written, cleaned. `named`: the lead may know who wrote it; `public`: all members may read it."""

    topic: str
    need: str
    effect: str
    change: str = ""
    improvement: str = ""
    goal: str | None = None
    interest: str = ""
    public: bool = True
    named: bool = False


@cache
def _file() -> dict:
    return tomllib.loads((files("engagement.asks") / "topics.toml").read_text(encoding="utf-8"))


@cache
def goals() -> dict[str, Goal]:
    """The goals by key, in order."""
    return {row["key"]: Goal(**row) for row in _file()["goal"]}


@cache
def topics() -> dict[str, Topic]:
    """The topics by key, in order."""
    return {row["key"]: Topic(**row) for row in _file()["topic"]}


def label(topic: str, words: Mapping[str, str]) -> str:
    """A topic's name in the body's words; an old key that is no topic any more reads as it stands."""
    found = topics().get(topic)
    return render(found.label, words) if found else topic


def written(text: str) -> bool:
    """Whether a text holds a letter or a number."""
    return any(unicodedata.category(character)[0] in "LN" for character in text)


def draft(form: Mapping[str, str]) -> tuple[Draft | None, dict[str, str]]:
    """Read a posted ask: the draft, or what is to be put right by field."""
    texts = {name: clean_text(form.get(name, "")) for name in FIELDS}
    # What is needed stands as a heading, so it is one line.
    texts["need"] = " ".join(texts["need"].split())
    faults = {}
    for name, (limit, what) in FIELDS.items():
        if name in NEEDED and not written(texts[name]):
            faults[name] = f"Enter {what}"
        elif len(texts[name]) > limit:
            faults[name] = f"Shorten {what} to {limit} characters. It has {len(texts[name]):,}"
    topic = topics().get(form.get("topic", ""))
    if topic is None:
        faults["topic"] = "Choose what your ask is about"
    elif topic.interest and topic.key != "other" and not written(texts["interest"]):
        faults["interest"] = "Enter who may stand to gain, or write None"
    goal = form.get("goal") or None
    if goal is not None and goal not in goals():
        faults["goal"] = "Choose one of the goals, or none"
    if faults:
        return None, faults
    return (
        Draft(
            topic=topic.key,
            goal=goal,
            public=form.get("private") != "yes",
            named=form.get("named") == "yes",
            **texts,
        ),
        {},
    )


def advice(ask: Draft, words: Mapping[str, str]) -> list[str]:
    """How the ask could say more to the body, none where it says what can be said."""
    said = f"{ask.need} {ask.effect} {ask.improvement}"
    out = []
    if not any(character.isdigit() for character in said):
        out.append("A number says how much it matters: how many patients, calls or hours a week?")
    if ask.goal is None:
        out.append(
            f"Which goal of the {words['body']} would it serve? Fewer referrals, fewer A&E attendances and better "
            "outcomes are what it is asked about itself."
        )
    elif not written(ask.improvement):
        out.append(f"Say how it would lead to {goals()[ask.goal].served}.")
    return out


def in_terms_of_goals(ask: Draft) -> str:
    """The ask in one line of the body's own terms, empty where no goal is named."""
    return f"Serves: {goals()[ask.goal].served}." if ask.goal in goals() else ""
