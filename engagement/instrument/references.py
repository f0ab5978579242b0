"""Published figures on questions like ours (`references.toml`), to be drawn as similar questions and never joined."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from engagement.errors import NotFound
from engagement.instrument.bank import bank

MARKS = {
    "read": "read in the source named",
    "derived": "derived by arithmetic from figures read in the source",
}
GROUPS = {
    "leaders": "leaders",
    "no_role": "GPs without a formal role",
    "all_gps": "all GPs",
    "all": "all who answered",
    "practices": "member practices",
    "gap": "leaders minus GPs without a formal role",
}
_ARMS = {"leaders": "leader", "no_role": "grassroots", "gap": "gap"}


@dataclass(frozen=True)
class Reference:
    """One published figure.

    `percent` (favourable answers; percentage points where `group` is "gap") is None where the source gives only
    words, which are in `quoted`. `half_width` is half of a 95% interval in points, where it could be derived.
    `distribution` is per cent from strongly disagree to strongly agree. `caveat` holds for the question and its
    series, `note` for this figure alone; `carries` says what the question's figures can bear, where they are few.
    """

    id: str
    question: str
    series: str
    series_name: str
    publisher: str
    year: int
    asked: str
    group: str
    percent: float | None
    quoted: str | None
    n: int | None
    n_mark: str | None
    half_width: float | None
    distribution: tuple[float, ...] | None
    source: str
    mark: str
    caveat: str
    note: str | None = None
    carries: str | None = None

    @property
    def group_name(self) -> str:
        """Who was asked, as people read it."""
        return GROUPS[self.group]

    @property
    def arm(self) -> str | None:
        """Which line of ours it may stand beside: "leader", "grassroots", "gap", or None for neither."""
        return _ARMS.get(self.group)

    @property
    def label(self) -> str:
        """Its label on a chart, which says that it answers another question."""
        return f"{self.series_name}, {self.group_name} (similar question)"


@cache
def references() -> dict[str, Reference]:
    """Every published figure by id, in the order of the file."""
    content = tomllib.loads(files(__package__).joinpath("references.toml").read_text(encoding="utf-8"))
    series = {row["id"]: row for row in content["series"]}
    found = {}
    for question in content["question"]:
        name = question["id"].split("/")[0]
        about = series[name]
        for figure in question["figures"]:
            caveats = (question.get("caveat"), about["caveat"])
            reference = Reference(
                id=f"{question['id']}/{figure['year']}/{figure['group']}",
                question=question["id"],
                series=name,
                series_name=about["name"],
                publisher=about["publisher"],
                year=figure["year"],
                asked=question["asked"],
                group=figure["group"],
                percent=figure.get("percent"),
                quoted=figure.get("quoted"),
                n=figure.get("n"),
                n_mark=figure.get("n_mark"),
                half_width=figure.get("half_width"),
                distribution=tuple(figure["distribution"]) if "distribution" in figure else None,
                source=about["source"],
                mark=figure["mark"],
                caveat=" ".join(caveat for caveat in caveats if caveat),
                note=figure.get("note"),
                carries=question.get("carries"),
            )
            if reference.id in found:
                raise ValueError(f"references.toml holds {reference.id} twice")
            found[reference.id] = reference
    return found


def for_questions(questions: Iterable[str]) -> tuple[Reference, ...]:
    """The figures of the published questions named, as a wording's or a promise's `parallels` names them.

    Raises `NotFound` for a question that is not in the file.
    """
    wanted = list(questions)
    known = {reference.question for reference in references().values()}
    if missing := [question for question in wanted if question not in known]:
        raise NotFound(f"There is no published question {missing[0]}.")
    return tuple(r for question in wanted for r in references().values() if r.question == question)


def for_item(key: str) -> tuple[Reference, ...]:
    """The figures that may stand beside a bank item, by its parallels; none for a body's own item.

    A body may have reworded the item: a chart takes the `parallels` in the round's promise and `for_questions`.
    """
    item = bank().get(key)
    return for_questions(item.parallels) if item else ()
