"""What comments are about: a fixed code frame, corrected by people. Pure: texts in, themes out.

Seed words code a comment until a reviewer has corrected enough of them; then a logistic regression, learnt from the
corrections, does. New themes are only ever suggested, as words.

Sources: content analysis with a code frame, Krippendorff (2018); TF-IDF, Salton & Buckley (1988); non-negative matrix
factorisation, Lee & Seung (1999).
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from engagement.comments.redact import fold

LEARNT_FROM = 40
EACH_SIDE = 8
SUGGESTED_FROM = 30
IN_TEXTS = 3


@dataclass(frozen=True)
class Theme:
    """A theme of the frame. A seed ending in `*` stands for every word that begins so; of several words, for them in a row."""

    key: str
    label: str
    seeds: tuple[str, ...]

    def pattern(self) -> re.Pattern:
        """What its seeds match, in folded text."""
        each = (re.escape(seed).replace(r"\*", r"\w*").replace(r"\ ", r"\s+") for seed in self.seeds)
        return re.compile(rf"\b(?:{'|'.join(each)})\b")


FRAME = (
    Theme(
        "workload",
        "Workload",
        ("workload*", "work load", "overload*", "no time", "time", "hours", "busy", "pressure*", "burn*out", "burnout", "paperwork", "admin*", "bureaucra*", "form", "forms", "deadline*", "capacity", "overwhelm*", "tick box*", "staffing"),
    ),
    Theme(
        "one_way",
        "One-way relations",
        ("one way", "one-way", "top down", "top-down", "told", "imposed", "dictat*", "ignored", "not listen*", "never listen*", "listen*", "tokenis*", "fait accompli", "tick-box", "no feedback", "never hear back", "already decided", "gives nothing"),
    ),
    Theme(
        "local_schemes",
        "Local schemes",
        ("local scheme*", "scheme*", "enhanced service*", "les", "locally commissioned", "incentive*", "funding", "payment*", "prescribing", "contract*", "locality", "budget*", "pilot*"),
    ),
    Theme(
        "district_nurses",
        "District nurses",
        ("district nurs*", "community nurs*", "dn", "dns", "nursing team*", "health visitor*", "home visit*", "housebound"),
    ),
    Theme(
        "access",
        "Access to services",
        ("access*", "appointment*", "waiting", "wait", "referral*", "waiting list*", "clinic*", "hospital*", "outpatient*", "mental health", "camhs", "physio*", "diagnostic*", "discharge*"),
    ),
    Theme(
        "training",
        "Training",
        ("train*", "education*", "teach*", "learn*", "protected time", "plt", "course*", "cpd", "workshop*", "mentor*", "skill*"),
    ),
    Theme(
        "representation",
        "Representation",
        ("represent*", "elect*", "vote*", "voting", "voice", "council", "board", "governing body", "my view*", "our view*", "views", "small practice*", "democra*", "accountab*", "members"),
    ),
    Theme(
        "communication",
        "Communication",
        ("communicat*", "email*", "e-mail*", "newsletter*", "inform*", "update*", "website*", "contact*", "reply", "replies", "answer*", "phone*", "meeting*", "minutes", "explain*", "transparen*", "clear*"),
    ),
)  # fmt: skip
KEYS = tuple(theme.key for theme in FRAME)
_PATTERNS = {theme.key: theme.pattern() for theme in FRAME}
_MARK = re.compile(r"\[[A-Za-z -]+\]")


def plain(text: str) -> str:
    """Folded text without the marks of redaction, for both ways of coding."""
    return fold(_MARK.sub(" ", text))


def by_seeds(text: str) -> frozenset[str]:
    """The themes whose seed words stand in a text; none is a fair outcome."""
    words = plain(text)
    return frozenset(key for key, pattern in _PATTERNS.items() if pattern.search(words))


class Coder:
    """Codes texts with the frame: by seed words, and by what corrections taught where they are enough.

    A theme is learnt from `LEARNT_FROM` corrected texts of which at least `EACH_SIDE` have it and as many have not.

    Attributes
    ----------
    models_ : the logistic regression of each learnt theme.
    """

    def fit(self, texts: Sequence[str], themes: Sequence[Collection[str]]) -> Coder:
        """Learn from texts that a person coded. `texts` and `themes` are of one length; raises ValueError otherwise."""
        if len(texts) != len(themes):
            raise ValueError("Each text needs its themes.")
        self.models_: dict[str, object] = {}
        counts = Counter(key for found in themes for key in set(found))
        able = [key for key in KEYS if EACH_SIDE <= counts[key] <= len(texts) - EACH_SIDE]
        if len(texts) < LEARNT_FROM or not able:
            return self
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        self._vectors = TfidfVectorizer(
            preprocessor=plain, ngram_range=(1, 2), sublinear_tf=True, stop_words="english"
        )
        table = self._features(texts, self._vectors.fit_transform([*texts]))
        for key in able:
            model = LogisticRegression(C=4.0, class_weight="balanced", max_iter=1_000)
            self.models_[key] = model.fit(table, [key in found for found in themes])
        return self

    def _features(self, texts: Sequence[str], words):
        """Words by TF-IDF, and which themes the seeds find, so that what was known is not forgotten."""
        from scipy.sparse import csr_matrix, hstack

        seeds = [[float(key in found) for key in KEYS] for found in map(by_seeds, texts)]
        return hstack([words, csr_matrix(seeds)]).tocsr()

    def predict(self, texts: Sequence[str]) -> list[frozenset[str]]:
        """The themes of each text."""
        found = [by_seeds(text) for text in texts]
        if not self.models_ or not texts:
            return found
        table = self._features(texts, self._vectors.transform(texts))
        learnt = {key: model.predict(table) for key, model in self.models_.items()}
        return [
            frozenset(key for key in KEYS if (learnt[key][at] if key in learnt else key in found[at]))
            for at in range(len(texts))
        ]


def suggest(texts: Sequence[str], count: int = 4, words: int = 6) -> list[tuple[str, ...]]:
    """Word lists that may be themes the frame lacks, each word from at least three texts; nothing below 30 texts.

    For a reviewer to think about: words, never texts.
    """
    bare = [_without_seeds(text) for text in texts]
    bare = [text for text in bare if text]
    if len(bare) < SUGGESTED_FROM:
        return []
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfVectorizer

    word = r"(?u)\b[^\W\d_]{3,}\b"
    vectors = TfidfVectorizer(stop_words="english", min_df=IN_TEXTS, max_df=0.5, token_pattern=word)
    try:
        table = vectors.fit_transform(bare)
    except ValueError:
        # No word stands in three texts.
        return []
    if table.shape[1] < count:
        return []
    with warnings.catch_warnings():
        # A rough factorisation suggests as well as a fine one.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = NMF(count, init="nndsvd", max_iter=500, random_state=0).fit(table)
    names = vectors.get_feature_names_out()
    lists = [
        tuple(names[at] for at in row.argsort()[::-1][:words] if row[at] > 0) for row in found.components_
    ]
    return [each for each in lists if len(each) > 1]


def _without_seeds(text: str) -> str:
    words = plain(text)
    for pattern in _PATTERNS.values():
        words = pattern.sub(" ", words)
    return words.strip()
