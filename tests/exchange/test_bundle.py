"""A release as files: all numbers are the release's, every column is explained, and spreadsheets run nothing."""

from __future__ import annotations

import csv
import io
import json
import zipfile

from engagement.access.audit import canonical
from engagement.exchange import bundle, charts, codebook, release_csv

NUMBERS = (
    "invited_N",
    "percent_or_points",
    "interval_roster_low",
    "interval_roster_high",
    "interval_change_low",
    "interval_change_high",
    "worst_case_low",
    "worst_case_high",
    "since_round",
    "verdict_points",
)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_each_number_of_the_table_is_the_figure_that_it_names(history):
    """Walk the table: every cell equals the release's own value for that item and figure; the rest of it is empty."""
    for content in history:
        rows = rows_of(release_csv.release_csv(content))
        walked = 0
        for row in rows:
            item = charts.item_of(content, row["item"])
            name = row["figure"]
            figure = (
                item["gap"] if name == "gap" else item["total"] if name == "total" else item["groups"][name]
            )
            said = (item.get("change") if name == "gap" else (item.get("levels") or {}).get(name)) or {}
            pairs = [figure.get(key) or (None, None) for key in ("interval", "analytic", "bounds")]
            expected = [
                figure.get("N"),
                figure.get("points") if name == "gap" else figure.get("share"),
                *(end for pair in pairs for end in pair),
                said.get("since"),
                said.get("points"),
            ]
            assert [row[column] for column in NUMBERS] == ["" if v is None else str(v) for v in expected]
            assert row["mark"] == figure["mark"] and row["answered_n_band"] == (figure.get("n") or "")
            walked += 1
        assert walked == sum(len(i["groups"]) + 1 + (i["total"] is not None) for i in content["items"])


def test_only_shown_lines_hold_figures(history):
    """A hidden line has the number invited and no other number, so that empty cannot be read as zero."""
    rows = [row for row in rows_of(release_csv.release_csv(history[3])) if row["mark"] == "hidden"]
    assert rows and all(not row[column] for row in rows for column in NUMBERS[1:8])


def test_a_round_that_did_not_ask_says_so(history):
    """Over several rounds the item that a round left out has a line with the mark "not asked"."""
    rows = rows_of(release_csv.history_csv(history))
    left_out = [row["round"] for row in rows if row["mark"] == "not asked"]
    assert left_out == ["1", "2"] and {row["mark"] for row in rows} == {"shown", "hidden", "not asked"}


def test_the_codebook_explains_every_column_mark_and_question(history):
    """No column, mark or question of the figures is without its line in the codebook."""
    rows = rows_of(codebook.codebook_csv(history[-1]))
    explained = {
        about: [row["name"] for row in rows if row["about"] == about] for about in ("column", "mark", "item")
    }
    assert explained["column"] == list(release_csv.HEADER) == list(codebook.MEANINGS)
    assert explained["mark"] == ["shown", "hidden", "missing", "not asked"]
    assert explained["item"] == charts.keys_of(history[-1])
    assert all(row["meaning"] for row in rows)


def test_the_zip_holds_the_release_its_table_and_every_chart(history):
    """One file with figures, codebook, the exact release, and each chart as SVG and PNG; the same bytes every time."""
    text = canonical(history[-1])
    made = bundle.release_zip(history, text)
    assert made == bundle.release_zip(history, text)
    archive = zipfile.ZipFile(io.BytesIO(made))
    assert archive.read("release.json").decode() == text
    names = {
        f"charts/{key}-{kind}.{suffix}"
        for key in charts.keys_of(history[-1])
        for kind in ("round", "shares", "gap")
        for suffix in ("svg", "png")
    }
    tables = {"figures.csv", "codebook.csv", "figures-of-all-rounds.csv"}
    assert set(archive.namelist()) == names | tables | {"release.json"}
    assert all(archive.read(name).startswith(b"\xef\xbb\xbf") for name in tables)
    assert json.loads(archive.read("release.json")) == history[-1]


def test_charts_are_had_one_by_one_and_no_others(history):
    """A kind or an item that there is not gives no chart."""
    assert bundle.chart(history, "gap", "owned").title.startswith("Belongs to its members: gap")
    assert bundle.chart(history, "pie", "owned") is None and bundle.chart(history, "gap", "none") is None


def test_formulas_in_typed_text_do_not_run(release, item):
    """A statement, a title, a group and a quote that begin a formula are led by an apostrophe in every table."""
    content = release(1, item(text="=1+1"), title="+cmd")
    content["groups"][0]["label"] = "@x"
    comments = {
        "items": [
            {"item": "one_thing", "text": "-x", "mark": "shown", "writers": "10–14", "quotes": ["=HYPERLINK(1)"],
             "themes": [{"theme": "access", "label": "Access", "mark": "hidden"}]},
            {"item": "other", "text": "y", "mark": "hidden"},
        ]
    }  # fmt: skip
    tables = (
        release_csv.release_csv(content),
        codebook.codebook_csv(content),
        release_csv.history_csv([content]),
        bundle.comments_csv(comments),
    )
    cells = [cell for text in tables for row in csv.reader(io.StringIO(text)) for cell in row]
    assert {"'=1+1", "'+cmd", "'@x", "'=HYPERLINK(1)", "'-x"} <= set(cells)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
    marks = [(row["what"], row["mark"], row["authors_band"]) for row in rows_of(tables[3])]
    assert marks == [
        ("writers", "shown", "10–14"),
        ("quote", "shown", ""),
        ("theme", "hidden", ""),
        ("writers", "hidden", ""),
    ]
