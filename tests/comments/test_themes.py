"""Themes: a fixed frame, corrected by people; suggestions are words, never texts."""

from __future__ import annotations

import itertools

import pytest

from engagement.comments.themes import EACH_SIDE, FRAME, KEYS, LEARNT_FROM, Coder, by_seeds, suggest


@pytest.mark.parametrize(
    ("text", "themes"),
    [
        ("Too many forms and no time", {"workload"}),
        ("It is all one-way, we are told", {"one_way"}),
        ("Pay for the local scheme", {"local_schemes"}),
        ("We never see a district nurse", {"district_nurses"}),
        ("Waiting lists for the hospital", {"access"}),
        ("More training please", {"training"}),
        ("Who do we vote for?", {"representation"}),
        ("Send newsletters", {"communication"}),
        ("Thank you", set()),
        ("[name] was kind", set()),
    ],
)
def test_seed_words_find_the_theme(text, themes):
    """Each of the eight themes is found by its words, and a text may have none."""
    assert by_seeds(text) == themes


def test_the_frame_is_the_eight():
    """Eight themes, each with seeds that find it."""
    assert len(FRAME) == 8 and len(set(KEYS)) == 8
    for theme in FRAME:
        assert theme.key in by_seeds(theme.seeds[0].replace("*", ""))


def _corrected(count: int):
    """Texts about car parks and cake, which a person coded as workload and training against every seed."""
    about = itertools.cycle(["the car park is full again on {}", "cake was served on {}"])
    texts = [next(about).format(day) for day in range(count)]
    return texts, [{"workload"} if "car park" in text else {"training"} for text in texts]


def test_corrections_teach_once_there_are_enough():
    """Below the minimum the seeds decide; from it on new words follow the corrections."""
    few = Coder().fit(*_corrected(LEARNT_FROM - 1))
    assert few.predict(["a full car park"]) == [frozenset()]
    enough = Coder().fit(*_corrected(LEARNT_FROM))
    assert enough.predict(["a full car park", "nice cake"]) == [{"workload"}, {"training"}]
    assert set(enough.models_) == {"workload", "training"}


def test_a_theme_that_is_rarely_corrected_stays_with_its_seeds():
    """A theme with too few examples of one side is not learnt."""
    texts, themes = _corrected(LEARNT_FROM)
    themes = [found | ({"access"} if place < EACH_SIDE - 1 else set()) for place, found in enumerate(themes)]
    coder = Coder().fit(texts, themes)
    assert "access" not in coder.models_
    assert "access" in coder.predict(["the waiting list"])[0]


def test_corrections_and_texts_must_match():
    """Texts without their themes are refused."""
    with pytest.raises(ValueError):
        Coder().fit(["a"], [])


def test_suggestions_are_words_that_several_wrote():
    """New themes are suggested as words from at least three texts each; a word of one text never appears."""
    texts = [f"parking permits cost money unique{place}xyz" for place in range(20)]
    texts += [f"translation interpreters languages needed rare{place}abc" for place in range(20)]
    found = suggest(texts, count=2)
    words = {word for each in found for word in each}
    assert {"parking", "permits"} <= words and {"interpreters", "languages"} <= words
    assert not any(word.startswith(("unique", "rare")) for word in words)
    assert suggest(texts[:10]) == [] and suggest(["parking"] * 40, count=4) == []
