"""The answers of change.csv and R's figures for them: change.R beside them makes the figures."""

import csv
import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / "fixtures" / "r"
GOLDEN = json.loads((FOLDER / "change.json").read_text(encoding="utf-8"))


def answers(**only):
    """Rows of the fixture that were answered, as numbers; `leader` and `y` are 0 or 1."""
    with (FOLDER / "change.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["score"]]
    rows = [
        {
            **{name: int(row[name]) for name in ("body", "round", "practice", "visited", "score")},
            "leader": int(row["arm"] == "leader"),
            "weight": float(row["weight"]),
            "y": int(int(row["score"]) >= 4),
        }
        for row in rows
    ]
    return [row for row in rows if all(row[name] in values for name, values in only.items())]


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
