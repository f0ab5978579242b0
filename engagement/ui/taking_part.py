"""Who took part, practice by practice, in the bands of releases. Pure: never a count of people, never an "all".

Practices with fewer than five people invited are not in a release by themselves: it pools them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

# From most to fewest; each with a sign that is read without colour.
BANDS = {
    "most": ("●", "most", "more than two thirds of those invited answered"),
    "half": ("◐", "half", "between one third and two thirds answered"),
    "low": ("◔", "low", "some, but fewer than one third, answered"),
    "none": ("○", "none", "nobody answered"),
}
# A practice view asks one official answer of each, attributed and said to be so: it came or it did not.
OFFICIAL = {"most": "●\u00a0answered", "none": "○\u00a0no\u00a0answer"}
NO_BAND = "–"


def is_official(content: Mapping[str, Any]) -> bool:
    """Whether the round took one official answer from each practice."""
    return content["round"]["tier"] == "practice-view"


def band_text(band: str | None, *, official: bool = False) -> str:
    """A band as it stands in a table: its sign and its word."""
    if band is None:
        return NO_BAND
    return OFFICIAL[band] if official else f"{BANDS[band][0]}\u00a0{BANDS[band][1]}"


def legend(history: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The signs that these rounds use, and what they mean."""
    rows = []
    if not all(is_official(content) for content in history):
        rows += [(band_text(band), meaning) for band, (*_, meaning) in BANDS.items()]
    if any(is_official(content) for content in history):
        rows += [
            (OFFICIAL["most"], "its official answer came, in a round that asked for one"),
            (OFFICIAL["none"], "it sent no official answer"),
        ]
    return [
        *rows,
        (NO_BAND, "too few people invited to show on its own, not a member then, or an anonymous round"),
    ]


def bands_of(content: Mapping[str, Any]) -> dict[str, str]:
    """Practice code to band in one release, pooled practices left out."""
    return {row["practice_id"]: row["band"] for row in content["practices"] if row["practice_id"] is not None}


def pool_of(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The smaller practices of one release taken together, None where it pooled none."""
    return next((row for row in content["practices"] if row["practice_id"] is None), None)


def pool_sentence(content: Mapping[str, Any], words: Mapping[str, str]) -> str | None:
    """What may be said of the smaller practices of a round."""
    pool = pool_of(content)
    if pool is None:
        return None
    number = pool["pooled"]
    noun = words["practice"] if number == 1 else words["practices"]
    who = f"{number} {noun} with fewer than five people invited"
    if pool["band"] is None:
        return f"{who} {'is' if number == 1 else 'are'} not shown: even together they are too few people."
    together = "" if number == 1 else ", taken together"
    return f"{who}{together}: {band_text(pool['band'])} ({BANDS[pool['band']][2]})."


def counts_table(history: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    """How many practices were in each band, newest round first; the pool of small ones apart."""
    import pandas as pd

    rows = []
    for content in reversed(list(history)):
        counts, pool = Counter(bands_of(content).values()), pool_of(content)
        # A practice view has no bands: its answers stand under the outer two, and its round says so.
        row = {
            "Round": str(content["round"]["number"]) + (" (official answers)" if is_official(content) else "")
        }
        row |= {band.capitalize(): str(counts[band]) for band in BANDS}
        row["Pooled"] = f"{pool['pooled']}: {band_text(pool['band'])}" if pool else "0"
        rows.append(row)
    return pd.DataFrame(rows)


def practice_table(
    history: Sequence[Mapping[str, Any]],
    names: Sequence[Mapping[str, Any]],
    words: Mapping[str, str],
    *,
    locality: str | None = None,
    latest: str | None = None,
) -> pandas.DataFrame:
    """Each practice that a release names, with its bands, newest round first, by locality and name.

    The index is the locality, "" where none is known, so that a page can part the table there. `locality` keeps
    one locality; `latest` keeps one band of the newest round.
    """
    import pandas as pd

    known = {row["practice_id"]: row for row in names}
    by_round = [(content, bands_of(content)) for content in reversed(list(history))]
    found = []
    for code in {code for _, bands in by_round for code in bands}:
        place, name = known.get(code, {}).get("locality") or "", known.get(code, {}).get("name") or code
        if locality not in (None, place):
            continue
        if latest is not None and by_round[0][1].get(code) != latest:
            continue
        row = {words["practice"].capitalize(): name}
        row |= {
            f"Round {content['round']['number']}": band_text(bands.get(code), official=is_official(content))
            for content, bands in by_round
        }
        found.append((place, str(name).casefold(), code, row))
    found.sort(key=lambda each: each[:3])
    return pd.DataFrame([row for *_, row in found], index=[place for place, *_ in found])


def localities(history: Sequence[Mapping[str, Any]], names: Sequence[Mapping[str, Any]]) -> list[str]:
    """The localities of practices that a release names."""
    codes = {code for content in history for code in bands_of(content)}
    return sorted({row["locality"] for row in names if row["practice_id"] in codes and row["locality"]})


def summary(content: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """The newest round in one sentence: "In round 9, more than two thirds answered in 12 of 30 practices"."""
    counts = Counter(bands_of(content).values())
    everyone = sum(counts.values())
    number = content["round"]["number"]
    if content["round"]["tier"] == "anonymous":
        return f"Round {number} was anonymous: nothing is kept about which {words['practices']} took part."
    if is_official(content) and everyone:
        return f"In round {number}, {counts['most']} of {everyone} {words['practices']} gave their official answer."
    if not everyone:
        return f"Round {number} has no {words['practice']} with five or more people invited."
    return (
        f"Of the {everyone} {words['practices']} with five or more people invited to round {number}, most people "
        f"answered in {counts['most']}, about half in {counts['half']}, few in {counts['low']}, nobody in "
        f"{counts['none']}."
    )
