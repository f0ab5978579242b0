"""Words that would tell a reader why a letter came to them: what it may not say, and what to say in their place. Pure.

A letter goes to practices of one segment and to others drawn by lot, in the same words. It helps only where nobody who
reads it can tell which of the two they are, or that there are segments at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from engagement.errors import Invalid
from engagement.messaging import checks, templates
from engagement.words import DEFAULTS

KIND = "letter"
_BLANK = re.compile(r"\[[^\[\]\n]{1,80}\]")
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'"})
# What patterns may name. A body's own words for a practice are added to {practice} and {practices}.
_NAMED = {
    "{you}": r"(you|your {practice}|your team|your colleagues)",
    "{not}": r"(not|never|yet to|failed to|hardly|rarely|seldom)",
    "{answered}": r"(answer(ed|ing)?|repl(y|ied|ying)|respond(ed|ing)?|tak(e|en|ing) part|took part|participat(e|ed|ing)"
    r"|voted?|complet(e|ed|ing)|fill(ed|ing)? (it )?in|hear(d)? from)",
}


@dataclass(frozen=True)
class Giveaway:
    """What a letter may not say. `patterns`: regular expressions of whole words, in small letters; `why`: what they would
    tell, and what to write in their place."""

    patterns: tuple[str, ...]
    why: str


GIVEAWAYS = (
    Giveaway(
        (
            r"segment(s|ed|ing|ation)?",
            r"withdr(aw|aws|awn|awal|awing|ew)",
            r"critical(ly)?",
            r"vocal(ly)?",
            r"stead(y|ily|iness)",
            r"champion(s|ed|ing)?",
        ),
        "it is the name of a segment, or near it. Say what you offer, and not to whom",
    ),
    Giveaway(
        (
            r"risk(s|y|ed|ing)?",
            r"scor(e|es|ed|ing)",
            r"rank(s|ed|ing|ings)?",
            r"league tables?",
            r"forecast(s|ed|ing)?",
            r"predict(s|ed|ing|ion|ions|ive|ably)?",
            r"projections?",
            r"probabilit(y|ies)",
            r"likelihoods?",
            r"likely to",
            r"cluster(s|ed|ing)?",
            r"algorithms?",
            r"(our|the) (model|analysis|figures|data|records|system) (shows?|says?|suggests?|tells?)",
        ),
        "it shows that {practices} are measured one by one. Say what you offer, and not what it rests on",
    ),
    Giveaway(
        (
            r"{not} (been |have |be )?(to )?{answered}",
            r"(have|has|had|did|do|does|was|were)n't (been )?{answered}",
            r"no (answer|reply|response|word|news) from",
            r"silen(t|tly|ce)",
            r"non-? ?respon(se|ses|der|ders|dent|dents)",
            r"response rates?",
            r"(it has|it's) been (a|some) (long )?(while|time)",
            r"(how|what|when|whether) {you} (have |has )?(answered|replied|responded|voted|said)",
            r"your (answers?|responses?|replies|vote) (to|in|from)",
            r"(thank you|thanks) for (having )?(your (answers?|response|reply)|{answered})",
        ),
        "it sounds as if somebody at the {body} knew who answered a survey. Write alike to those who did and those who did "
        "not",
    ),
    Giveaway(
        (
            r"{practices} (like|such as|similar to) (yours|you)",
            r"(similar|certain|selected|a few|only some) {practices}",
            r"{you} (is|are|was|were) (one of|among)",
            r"one of (\w+ ){0,3}{practices}",
            r"(pre-?)?selected|chosen|picked|singled out|targeted|shortlisted|flagged|identified|earmarked",
            r"we (chose|choose|select|pick|target)",
            r"drawn (by lot|at random)|(control|comparison) groups?",
            r"writ(e|ing) to {you} because",
        ),
        "it says that some get this and others do not, and makes readers ask why. Write as you would to every {practice}",
    ),
    Giveaway(
        (
            r"struggl(e|es|ed|ing)",
            r"(dis|un|re)-?engag(e|es|ed|ing|ement)",
            r"(not|less|least|little|low|lowest|poor|poorly) (engaged|engagement|involved|involvement|participation|morale)",
            r"(level|levels) of (engagement|participation)|(engagement|participation) levels?",
            r"(lost|losing|lose) touch",
            r"drift(s|ed|ing)?",
            r"(un|dis)-?(happy|satisfied|affected|content|contented|illusioned|interested)",
            r"apath(y|etic)|indifferen(t|ce)|alienated|hostil(e|ity)|resent(ful|ment)",
            r"(fall|fallen|falling|fell|left) behind|under-?perform(s|ed|ing|ance)?|weak(er|est)?",
            r"(concerned|worried|anxious) (about|for) {you}",
        ),
        "it says that a {practice} is doing badly in your eyes. Offer the same to everybody, without a reason",
    ),
    Giveaway(
        (
            r"(strong|stronger|strongest|top|leading|enthusiastic|supportive|loyal) {practices}",
            r"(most|highly|well)-? ?engaged",
            r"{you} (is|are) (so |very |always )?(engaged|supportive|positive|loyal|enthusiastic|strong)",
            r"role models?|ambassadors?|exemplars?",
        ),
        "it says that a {practice} is doing well in your eyes, so that others learn that they are not. Ask without praise",
    ),
)


def faults(subject: str, text: str, words: Mapping[str, str] = DEFAULTS) -> list[str]:
    """What keeps a letter from being kept or sent, one line each: what any mail of ours may not hold, and what gives away
    why it was written. `words`: the body's own."""
    found = checks.template_faults(KIND, subject, text)
    for part, where in ((subject, "subject"), (text, "text")):
        said = plain(part, words)
        for each in GIVEAWAYS:
            hits = dict.fromkeys(
                match[0] for pattern in each.patterns for match in _regex(pattern, words).finditer(said)
            )
            if hits:
                named = ", ".join(f"“{hit}”" for hit in hits)
                found.append(f"Take {named} out of the {where}: {templates.fill(each.why, words)}")
    return found


def blanks(subject: str, text: str) -> list[str]:
    """What is still to be written before a letter can leave: places in square brackets, one line each."""
    found = dict.fromkeys(_BLANK.findall(subject) + _BLANK.findall(text))
    return [f"Write what belongs in the place of {blank}" for blank in found]


def plain(text: str, words: Mapping[str, str] = DEFAULTS) -> str:
    """Text as it is searched: the body's words filled in, one kind of dash, quote and space, nothing invisible, small."""
    try:
        pieces = templates.pieces(text)
    except Invalid:
        pieces = [(text, None)]
    filled = "".join(before + (words.get(name, "") if name else "") for before, name in pieces)
    folded = unicodedata.normalize("NFKC", filled).translate(_QUOTES)
    seen = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    return " ".join(_DASHES.sub("-", seen).casefold().split())


def _regex(pattern: str, words: Mapping[str, str]) -> re.Pattern[str]:
    own = {
        "{practices}": _any_of("practices", "surgeries", words["practices"]),
        "{practice}": _any_of("practice", "surgery", words["practice"]),
    }
    # Not str.format: a pattern may hold counts in braces.
    for name, value in {**_NAMED, **own}.items():
        pattern = pattern.replace(name, value)
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)")


def _any_of(*names: str) -> str:
    return "(" + "|".join(dict.fromkeys(re.escape(plain(name)) for name in names)) + ")"
