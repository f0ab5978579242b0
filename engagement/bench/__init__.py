"""Speed, each figure as a ratio to a named baseline that ran beside it: `engagement bench`.

Seconds say more about the machine than about the product; the ratio holds on a busy one too.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from engagement.bench.result import Result, shown
from engagement.errors import Invalid

# In the order in which they run; each is a module here with a function `run(say)`.
BENCHES = {
    "submit": "submit",
    "form": "form",
    "close": "close",
    "import-answers": "import_answers",
    "import-practices": "import_practices",
    "demo": "demo",
    "gate": "gate",
    "estimates": "estimates",
    "outreach-plan": "outreach_plan",
}


def run(only: list[str] | None = None, say: Callable[[str], None] = lambda _: None) -> list[dict[str, Any]]:
    """Run the benches named (all by default), and return their results.

    Raises `Invalid` for a name that is none.
    """
    unknown = [name for name in only or () if name not in BENCHES]
    if unknown:
        raise Invalid(f"There is no bench {unknown[0]}. There are: {', '.join(BENCHES)}.")
    results: list[Result] = []
    for name, module in BENCHES.items():
        if not only or name in only:
            results += import_module(f"engagement.bench.{module}").run(say)
    return [result.as_json() for result in results]


def table(results: list[dict[str, Any]]) -> str:
    """The results for a terminal, three lines each."""
    lines = []
    for found in results:
        verdict = {True: "met", False: "NOT met", None: "no goal" if not found["goal"] else "not judged"}
        lines.append(f"{found['name']}: {found['what']}")
        ratio = "no ratio" if found["ratio"] is None else f"ratio {found['ratio']:.3g}"
        lines.append(
            f"  {shown(found['figure'], found['unit'])} against {shown(found['baseline_figure'], found['unit'])} for "
            f"{found['baseline']}: {ratio}"
        )
        goal = f"goal: {found['goal']}: " if found["goal"] else ""
        note = f". {found['note']}" if found["note"] else ""
        lines.append(f"  {goal}{verdict[found['met']]}{note}")
    cores = {found["cores"] for found in results}
    return "\n".join([*lines, f"Measured on {', '.join(map(str, sorted(cores)))} cores."])
