"""Takes people, practices and contact details out of an open answer. Pure: names and text in, text with marks out.

The names come from the body's own roster, so that nothing has to be guessed by a language model. Rather a word too
many than one too few: a reviewer reads every text afterwards, and can take out more but put nothing back.

Sources: pattern of UK postcodes, BS 7666-2; NHS number, ten digits in groups of 3, 3 and 4 (NHS Data Dictionary);
misspellings, optimal string alignment distance (Damerau 1964) on candidates by symmetric deletion.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


NAME, PRACTICE, REMOVED = "[name]", "[practice]", "[removed]"
TITLES = _set(
    """
    dr drs doctor mr mrs ms miss mx prof professor sir dame lady lord rev revd reverend sister nurse
    """
)
# What practices are called apart from their own name.
GENERIC = _set(
    """
    the and of at a an st saint surgery surgeries practice practices medical health healthcare centre
    center clinic group partnership family doctor doctors gp gps house care primary community new old
    road street lane
    """
)
# Of these, what follows a practice's own name.
KIND_OF_PRACTICE = _set(
    """
    surgery surgeries practice practices medical health healthcare centre center clinic group
    partnership family doctors gps house
    """
)
# Ordinary words that are names too: taken for a name only with a capital inside a sentence, or beside a title.
ORDINARY = _set(
    """
    able all also am an and any are art as ask bell best big bill bird black blue bond boss both box
    bridge bright broad brook brown bush but butler can carter chance change chase church clear close
    coach coast come cook cooper could court cross day dean do down driver early east elder end even
    every fair faith field first fish for forest fox frank free freeman french friend from gale gardener
    gave gift give go gold good grace grant gray great green grey ground had hall hand hard has have
    head here high hill hold home hope house how hunt hunter if ill in is it jay join joy judge just
    keen kind king kitchen knight lake lamb large last late law little live long lord love low made main
    major make many mark market marsh mason may me meet mercy mile mill miller mine moon moore more most
    much must need new nice no noble north not now of off old on one only or order our out over own page
    park part pay penny people piper place plain plan pool poor pope porter potter pound power price
    quick rain ray rich ring river robin rock rose round rule said sale save say see sharp she short
    should silver singer skip small smart so some south spring square star station steel stone storm
    strong such summer swift take tanner taylor tell than that the them then there they thing think this
    time to too town turner two up use valley very victor walker wall ward was watch water way we weaver
    well were west what when where which white who why wild will winter wise with wolf wood woods work
    would year yes young your
    """
)
# Common words of this field that lie one slip away from some surname; a misspelling must not be any of them.
FIELD = _set(
    """
    about across after again agree agreed alter always answer answers appear asking aware baked because
    before being better between board brace budget button called cannot centre centres changes clearly
    clinical closer comes commissioning communication contract contracts cooks council decide decided
    decision decisions different district doing during earlier email emails enough every everyone
    everything faster feeling field fields filed filled fills follow footer former forms funding games
    general getting given giving going governing grade grades grants grave great group groups harder
    health hearing helped hills holes hospital hours hungry ideally interest issues itself keeping kinds
    leader leaders leading leads learning leave listen listened listening little local longer lower
    making manage managed manager managers margin marker marks matter matters meeting meetings members
    message meter miles minutes money month monthly months mother moving names never newsletter night
    nothing number nurses nursing often older online other others outside panel panels paper papers
    parked partner partners patient patients people person phone planning please points policy practical
    prime problem problems properly provide quality quarter question questions quickly rather reading
    really reason receive referral referrals register reply report reports results right rings roster
    running scheme schemes school sector service services session sessions share shared shares shorter
    should shown simple social somebody someone something staff started stations still support system
    talking targets tasks teams telling their these thing things think those though through times today
    together trace training treated trust trying turned under until using value views visit visits voice
    waiting wanted wards weekly weight weights welcome whether while winter without wonder worked worker
    workers working workload would write writing wrote years yield yours
    """
)
# Capitals that are no initials here.
ABBREVIATIONS = _set(
    """
    ai am asap ba bma bp ccg ccgs cpd cqc dna ecg ed ehr eu faq fyi gb gdpr gms gp gps hca hr icb ics id
    ip it lmc lmcs md mp nhs nice np ok ot pa pc pcn pcns pct pm pms ppg pr qof re sms stp tbc tv uk us
    vat
    """
)
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_PATTERNS = (
    ("[e-mail]", re.compile(r"[\w.+'-]+\s?@\s?[\w-]+(?:\s?\.\s?[\w-]+)+")),
    ("[web address]", re.compile(r"(?i)\b(?:https?://|www\.)\S+")),
    ("[NHS number]", re.compile(r"(?<![\d+])(?!0)\d{3}[\s.-]?\d{3}[\s.-]?\d{4}(?!\d)")),
    ("[phone]", re.compile(r"(?<!\d)(?:\+|00)\d{1,3}[\s.()-]*(?:\d[\s.()-]*){7,11}\d(?!\d)")),
    ("[phone]", re.compile(r"(?<!\d)\(?0(?:[\s.()-]*\d){8,10}(?!\d)")),
    ("[phone]", re.compile(r"(?i)\b(?:ext|extension|bleep|x)\.?\s*\d{3,6}\b")),
    ("[postcode]", re.compile(r"(?i)\b[A-Z]{1,2}\d[A-Z\d]?\s{0,2}\d[ABD-HJLNP-UW-Z]{2}\b")),
    ("[handle]", re.compile(r"(?<!\w)@\w{2,}")),
)
_TITLED = re.compile(
    r"(?i)\b(?:dr|drs|mr|mrs|ms|miss|mx|prof|professor|sir|dame|revd?)\b\.?\s*(?-i:[A-Z][\w'\u2019-]*)"
    r"(?:[ \t]+(?-i:[A-Z][\w'\u2019-]*))?"
)
_TITLE_END = re.compile(
    r"(?i)\b(?:dr|drs|doctor|mr|mrs|ms|miss|mx|prof|professor|sir|dame|revd?|nurse|sister)\b\.?\s*$"
)
_SENTENCE_END = re.compile(r"(?:^|[.!?:\n\u201c\"(\u2022-])\s*$")
_TRAILING_INITIAL = re.compile(r"[ \t]+[A-Z]\b\.?")


@dataclass(frozen=True)
class Mark:
    """A stretch of text to be taken out, and the mark that stands for it."""

    start: int
    end: int
    label: str


def fold(text: str) -> str:
    """Lower case without accents, with one kind of apostrophe and no possessive: how names are compared."""
    plain = unicodedata.normalize("NFKD", text.replace("\u2019", "'"))
    plain = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    return plain.removesuffix("'s").removesuffix("'")


def _words(text: str) -> list[re.Match]:
    return list(_WORD.finditer(text))


def _deletions(word: str, most: int) -> set[str]:
    """The word, and what is left of it when up to `most` letters are struck out."""
    return {
        "".join(letter for at, letter in enumerate(word) if at not in gone)
        for count in range(most + 1)
        for gone in map(set, combinations(range(len(word)), count))
    }


def distance(a: str, b: str) -> int:
    """Optimal string alignment: letters added, dropped, changed, or swapped with their neighbour."""
    rows = [list(range(len(b) + 1))]
    for i, one in enumerate(a, 1):
        row = [i]
        for j, other in enumerate(b, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (one != other))
            if i > 1 and j > 1 and one == b[j - 2] and a[i - 2] == other:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def slips(word: str) -> int:
    """How many slips of the pen a name of this length may be away: none below 5 letters, 2 from 8, 3 from 12."""
    return sum(len(word) >= length for length in (5, 8, 12))


class Redactor:
    """Finds the people and practices of one body in text.

    Parameters
    ----------
    people : names as on the roster, titles or not.
    practices : names of practices, and whatever else they are called.
    codes : practice codes.
    """

    def __init__(self, people: Iterable[str], practices: Iterable[str], codes: Iterable[str] = ()):
        self._names: set[str] = set()
        self._initials: dict[str, set[str]] = {NAME: set(), PRACTICE: set()}
        self._phrases: dict[str, set[tuple[str, ...]]] = {}
        self._own: set[str] = set()
        for person in people:
            self._add_person(person)
        for practice in practices:
            self._add_practice(practice)
        self._near = {
            label: self._index(words) for label, words in ((NAME, self._names), (PRACTICE, self._own))
        }
        found = sorted((re.escape(code) for code in set(codes) if len(code) > 3), key=len, reverse=True)
        self._codes = re.compile(rf"(?i)\b(?:{'|'.join(found)})\b") if found else None

    def _add_person(self, name: str) -> None:
        parts = [fold(match.group()) for match in _words(name)]
        parts = [part for part in parts if part not in TITLES and not part[0].isdigit()]
        for part in parts:
            pieces = [part, part.replace("'", ""), *part.split("-"), part.replace("-", "")]
            self._names |= {piece for piece in pieces if len(piece) > 1}
        letters = "".join(part[0] for part in parts)
        double = "".join(piece[0] for part in parts for piece in part.split("-"))
        ends = letters[:1] + letters[-1:]
        self._initials[NAME] |= {each for each in (letters, double, ends) if len(each) > 1}

    def _add_practice(self, name: str) -> None:
        words = tuple(fold(match.group()) for match in _words(name))
        own = [word for word in words if word not in GENERIC and len(word) > 1 and not word[0].isdigit()]
        numbered = any(word[0].isdigit() for word in words)
        if not words or not (own or numbered or len(words) > 2):
            return
        self._phrase(words)
        bare = tuple(word for word in words if word not in ("the", "and", "of", "at"))
        self._phrase(bare)
        if own:
            # "Alder Surgery" may be called "Alder", "the Alder" or "Alder practice".
            self._phrase(tuple(own))
            self._own |= {word for word in own if len(own) == 1 or word not in ORDINARY}
        if len(bare) > 2:
            self._initials[PRACTICE].add("".join(word[0] for word in bare))

    def _phrase(self, words: tuple[str, ...]) -> None:
        if len(words) > 1:
            self._phrases.setdefault(words[0], set()).add(words)

    @staticmethod
    def _index(words: Iterable[str]) -> dict[str, set[str]]:
        index: dict[str, set[str]] = {}
        for word in words:
            if most := slips(word):
                for left in _deletions(word, most):
                    index.setdefault(left, set()).add(word)
        return index

    def _resembles(self, word: str, label: str, most: int) -> bool:
        """Whether a word is a name with a slip or two, the first letter being right where there are two."""
        if len(word) < 4 or word in ORDINARY or word in FIELD or word in GENERIC:
            return False
        index = self._near[label]
        near = {name for left in _deletions(word, most) for name in index.get(left, ())}
        for name in near:
            away = distance(word, name)
            if away <= min(most, slips(name)) and (away < 2 or word[0] == name[0]):
                return True
        return False

    def marks(self, text: str) -> list[Mark]:
        """All stretches to be taken out, in order; none overlap."""
        found = [
            Mark(match.start(), match.end(), label)
            for label, pattern in _PATTERNS
            for match in pattern.finditer(text)
        ]
        if self._codes:
            found += [Mark(m.start(), m.end(), PRACTICE) for m in self._codes.finditer(text)]
        found += self._practices(text)
        found += [Mark(m.start(), m.end(), NAME) for m in _TITLED.finditer(text)]
        found += self._people(text)
        return _merged(found, text)

    def redact(self, text: str) -> str:
        """The text with a mark in place of everything found."""
        out, at = [], 0
        for mark in self.marks(text):
            out += [text[at : mark.start], mark.label]
            at = mark.end
        return "".join([*out, text[at:]])

    def _practices(self, text: str) -> list[Mark]:
        words = _words(text)
        folded = [fold(match.group()) for match in words]
        found = []
        for at, word in enumerate(folded):
            long = max(
                (len(p) for p in self._phrases.get(word, ()) if tuple(folded[at : at + len(p)]) == p),
                default=0,
            )
            if long:
                found.append(Mark(words[at].start(), _end(words[at + long - 1]), PRACTICE))
                continue
            generic = at + 1 < len(folded) and folded[at + 1] in KIND_OF_PRACTICE
            capital = words[at].group()[0].isupper()
            exact = word in self._own
            if exact:
                keep = generic or word not in ORDINARY or (capital and not _starts(text, words[at]))
            else:
                keep = (capital or generic) and self._resembles(word, PRACTICE, slips(word))
            if keep:
                end = at
                while end + 1 < len(folded) and folded[end + 1] in KIND_OF_PRACTICE:
                    end += 1
                found.append(Mark(words[at].start(), _end(words[end]), PRACTICE))
        return found

    def _people(self, text: str) -> list[Mark]:
        found = []
        for match in _words(text):
            word = match.group()
            if self._is_person(word, text, match):
                trailing = _TRAILING_INITIAL.match(text, match.end())
                # "Mary S." is Mary, but "Mary I" may be the writer.
                more = trailing.end() if trailing and "I" not in trailing.group() else _end(match)
                found.append(Mark(match.start(), more, NAME))
        dotted = re.finditer(r"\b(?:[A-Z]\.\s?){2,4}|\b[A-Z]{2,4}\b", text)
        for match in dotted:
            letters = "".join(c for c in match.group() if c.isalpha()).casefold()
            label = next((label for label, known in self._initials.items() if letters in known), None)
            if label and letters not in ABBREVIATIONS and not _shouted(text):
                found.append(Mark(match.start(), match.start() + len(match.group().rstrip()), label))
        return found

    def _is_person(self, word: str, text: str, match: re.Match) -> bool:
        plain = fold(word)
        titled = bool(_TITLE_END.search(text, max(0, match.start() - 12), match.start()))
        capital = word[0].isupper()
        glued = plain[2:] if plain.startswith("dr") else ""
        for piece in {plain, *plain.split("-"), plain.removesuffix("s"), glued} - {""}:
            if piece in self._names:
                if titled or (piece not in ORDINARY and piece not in FIELD):
                    return True
                if capital and not _starts(text, match) and not _shouted(text):
                    return True
        if titled and self._resembles(plain, NAME, 2):
            return True
        most = slips(plain) if capital else min(slips(plain), 1) if len(plain) > 5 else 0
        return bool(most) and self._resembles(plain, NAME, most)


def _end(match: re.Match) -> int:
    """Where a word ends without a possessive, so that "[name]'s" still reads."""
    word = match.group()
    return match.end() - 2 if word[-2:].casefold() in ("'s", "\u2019s") else match.end()


def _starts(text: str, match: re.Match) -> bool:
    """Whether a word begins a sentence, where any word has a capital."""
    return bool(_SENTENCE_END.search(text[: match.start()]))


def _shouted(text: str) -> bool:
    """Whether most letters are capitals, so that a capital says nothing."""
    letters = [c for c in text if c.isalpha()]
    return len(letters) > 20 and sum(c.isupper() for c in letters) > 0.6 * len(letters)


def _merged(found: list[Mark], text: str) -> list[Mark]:
    """Marks that overlap, or stand side by side for the same, as one; the earlier and longer gives its label."""
    out: list[Mark] = []
    for mark in sorted(found, key=lambda mark: (mark.start, -mark.end)):
        last = out[-1] if out else None
        if last is None:
            out.append(mark)
        elif mark.start < last.end or (
            mark.label == last.label and not text[last.end : mark.start].strip(" .,'\u2019-")
        ):
            out[-1] = Mark(last.start, max(last.end, mark.end), last.label)
        else:
            out.append(mark)
    return out


_TOKEN = re.compile(r"\[[A-Za-z -]+\]|[^\W_]+|[^\w\s]|_")


def cut(before: str, after: str) -> str:
    """A reviewer's edit: `before` without the words that `after` lacks, with a mark where words went.

    Words may only be taken out: adding, changing or moving one raises ValueError. The mark keeps a sentence honest
    whose "not" was taken out. Marks that the reviewer typed are taken as they are meant.
    """
    kept = [m.group() for m in _TOKEN.finditer(after) if m.group() != REMOVED]
    tokens = list(_TOKEN.finditer(before))
    stays, at = [], 0
    for token in tokens:
        same = at < len(kept) and token.group() == kept[at]
        at += same
        stays.append(same or token.group() == REMOVED)
    if at < len(kept):
        raise ValueError(kept[at])
    out, place, gap = [], 0, False
    for token, stay in zip(tokens, stays, strict=True):
        between = before[place : token.start()]
        if stay:
            out += [between if not gap or between.strip() else " " if out else "", token.group()]
        elif not gap:
            out += [between, REMOVED]
        gap = not stay
        place = token.end()
    text = "".join(out) + ("" if gap else before[place:])
    return re.sub(rf"(?:{re.escape(REMOVED)}\s*)+(?=\S)", REMOVED + " ", text).strip()
