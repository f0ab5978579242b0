"""What one measurement found, beside the baseline that ran in the same run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

UNITS = {
    "/s": "{:,.0f}/s",
    "s": "{:,.2f} s",
    "MB": "{:,.0f} MB",
    "KB": "{:,.1f} KB",
    "ms": "{:,.0f} ms",
    "pages": "{:,.3g} pages",
}


def shown(figure: float | None, unit: str) -> str:
    """ "412/s", "18.20 s", or "not measured"."""
    return "not measured" if figure is None else UNITS[unit].format(figure)


@dataclass(frozen=True)
class Result:
    """One figure and the baseline that it is held against.

    `goal` is in words; `met` is None where there is no goal, or where the figure could not be measured.
    `note` says what a reader must know: how large it ran, what was absent.
    """

    bench: str
    name: str
    what: str
    figure: float | None
    unit: str
    baseline: str
    baseline_figure: float | None
    goal: str = ""
    met: bool | None = None
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """The figure over its baseline's."""
        if self.figure is None or not self.baseline_figure:
            return None
        return self.figure / self.baseline_figure

    def as_json(self) -> dict[str, Any]:
        """The result as `engagement bench --json` prints it."""
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        return {
            "bench": self.bench,
            "name": self.name,
            "what": self.what,
            "figure": _round(self.figure),
            "unit": self.unit,
            "baseline": self.baseline,
            "baseline_figure": _round(self.baseline_figure),
            "ratio": _round(self.ratio),
            "goal": self.goal,
            "met": self.met,
            "cores": os.cpu_count(),
            "load": _round(load),
            "note": self.note,
            **({"detail": self.detail} if self.detail else {}),
        }


def _round(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.4g}")


def seconds(work: Callable[[], Any]) -> float:
    """How long a piece of work takes, by the wall's clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
