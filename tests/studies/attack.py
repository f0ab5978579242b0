"""The full attack on published results: many invented bodies, the worst three colleagues, a table in Markdown.

    python -m tests.studies.attack --out FOLDER --bodies 500 --large 20

Each body's outcome is one line of JSON in the folder, so a run that was stopped goes on where it was, and the same
folder may be asked for more bodies later, or with more `--seconds` for those whose time ran out. What was found with
other sources is not counted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from tests.adversary.attacker import publishers
from tests.adversary.attacker.bodies import invent
from tests.adversary.attacker.campaign import Outcome, campaign

STATE = "attack.jsonl"
KINDS = {
    "bodies": {"people": (20, 120), "rounds": (1, 3)},
    "large": {"people": (20, 300), "rounds": (12, 12), "items": (1, 1)},
    "one-sided": {
        "people": (40, 40),
        "favourable": (0.85, 0.85),
        "leaders": (10, 15),
        "rounds": (1, 1),
        "items": (1, 1),
        "response": (1, 1),
    },
    "small": {"people": (20, 50), "rounds": (1, 4)},
    "sample": {
        "people": (40, 60),
        "leaders": (10, 15),
        "rounds": (2, 3),
        "items": (2, 2),
        "response": (0.8, 1),
    },
}
"""What `invent` is asked for; where nothing else is said one to three items, 50 to 99% favourable."""
PUBLISHERS = {
    "shipped": (publishers.shipped, publishers.ONE_WAY),
    "by standing": (publishers.by_standing, ()),
    "fixed rules": (publishers.fixed_rules, publishers.ONE_WAY),
}
"""A publisher, and the breakdowns that it plans to print."""
COLUMNS = {
    "body-rounds": lambda o: o.body_rounds,
    "answers attacked": lambda o: o.attacked,
    "solved": lambda o: o.solved,
    "small groups counted": lambda o: o.counted,
    "time-outs": lambda o: o.timed_out + o.groups_timed_out,
    "rounds that the gate left undecided": lambda o: o.unchecked,
    "planned cells published": lambda o: _percent(o.published, o.planned),
    "headline gap as a figure": lambda o: _percent(o.gap_figures, o.headlines),
    "as a bound": lambda o: _percent(o.gap_bounds, o.headlines),
    "no direction": lambda o: _percent(o.gap_unclear, o.headlines),
    "alone": lambda o: _percent(o.gap_alone, o.headlines),
    "error of a figure, points": lambda o: f"{o.gap_error / o.gap_figures:.1f}" if o.gap_figures else "none",
}


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}%" if whole else "none"


def one_body(seed: int, *, publisher: str, kind: str, colleagues: int, seconds: float) -> Outcome:
    """Invent a body, publish all its rounds and attack them."""
    body = invent(seed, **KINDS[kind])
    publish, tables = PUBLISHERS[publisher]
    started = time.process_time()
    documents = publish(body, range(len(body.rounds)))
    found = campaign(body, documents, tables, colleagues=colleagues, seconds=seconds)
    return found + Outcome(seconds=time.process_time() - started)


def run(
    out: Path,
    *,
    bodies: int,
    publisher: str = "shipped",
    kind: str = "bodies",
    colleagues: int = 3,
    seconds: float = 300.0,
    processes: int = 2,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Attack the bodies of seeds 0 to `bodies` that the folder does not hold yet; the sum over all of them.

    `seconds` is the most that one item of one body may take. Raises whatever a body raises, after naming its seed.
    """
    out.mkdir(parents=True, exist_ok=True)
    asked = {"publisher": publisher, "kind": kind, "colleagues": colleagues, "seconds": seconds}
    settings = {**asked, "sources": sources()}
    state = out / STATE
    known = {line.pop("seed"): Outcome(**line["outcome"]) for line in _read(state) if _same(line, settings)}
    missing = [seed for seed in range(bodies) if seed not in known]
    # A line that a stopped run left half written must not swallow the next.
    if state.exists() and not state.read_text(encoding="utf-8").endswith("\n"):
        state.write_text(state.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    started = time.monotonic()
    with state.open("a", encoding="utf-8") as file:
        for done, (seed, outcome) in enumerate(_outcomes(missing, partial(one_body, **asked), processes), 1):
            known[seed] = outcome
            file.write(json.dumps({"seed": seed, **settings, "outcome": outcome.as_json()}) + "\n")
            file.flush()
            if done % 10 == 0 or done == len(missing):
                say(
                    f"{publisher}, {kind}: {done} of {len(missing)} bodies in {time.monotonic() - started:.0f} s"
                )
            if outcome.solved or outcome.counted:
                say(f"{publisher}, {kind}: seed {seed} gives somebody away: {outcome}")
    return sum((known[seed] for seed in range(bodies)), Outcome())


def sources() -> str:
    """A hash of the code that prints and of the code that attacks."""
    root = Path(__file__).resolve().parents[2]
    folders = (
        "engagement/disclosure",
        "engagement/estimates",
        "engagement/releases",
        "tests/adversary/attacker",
    )
    files = sorted(file for folder in folders for file in (root / folder).glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _read(state: Path) -> Iterator[dict]:
    if not state.exists():
        return
    for line in state.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def _same(line: dict, settings: dict) -> bool:
    """Whether a line says what a run with these settings would; where time did not run out, more of it changes nothing."""
    if any(line.get(name) != value for name, value in settings.items() if name != "seconds"):
        return False
    found = Outcome(**line["outcome"])
    ran_out = found.timed_out or found.groups_timed_out
    return line["seconds"] == settings["seconds"] or (not ran_out and line["seconds"] < settings["seconds"])


def _outcomes(
    seeds: list[int], work: Callable[[int], Outcome], processes: int
) -> Iterator[tuple[int, Outcome]]:
    if processes == 1:
        for seed in seeds:
            yield seed, work(seed)
        return
    with ProcessPoolExecutor(processes) as pool:
        asked = {pool.submit(work, seed): seed for seed in seeds}
        for future in as_completed(asked):
            yield asked[future], future.result()


def table(outcomes: dict[str, Outcome]) -> str:
    """A Markdown table, one row an outcome."""
    rows = [["set", *COLUMNS], ["---"] * (len(COLUMNS) + 1)]
    rows += [
        [name, *(str(column(outcome)) for column in COLUMNS.values())] for name, outcome in outcomes.items()
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(arguments: list[str] | None = None) -> None:
    """Run the study from the command line and print its table."""
    parser = argparse.ArgumentParser(description="Attack what is published of invented bodies.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the state")
    for kind, what in KINDS.items():
        parser.add_argument(f"--{kind}", type=int, default=0, dest=kind, metavar="N", help=str(what))
    parser.add_argument(
        "--publisher", choices=PUBLISHERS, action="append", help="shipped unless said otherwise"
    )
    parser.add_argument("--colleagues", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=300.0, help="most time for one item of one body")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args(arguments)
    outcomes = {}
    for publisher in asked.publisher or ["shipped"]:
        for kind in KINDS:
            if bodies := getattr(asked, kind):
                outcomes[f"{publisher}, {kind}"] = run(
                    asked.out,
                    bodies=bodies,
                    publisher=publisher,
                    kind=kind,
                    colleagues=asked.colleagues,
                    seconds=asked.seconds,
                    processes=asked.processes,
                )
    print(table(outcomes))


if __name__ == "__main__":
    main()
