"""The command line does what an operator would script, says why when it will not, and never in a traceback."""

from __future__ import annotations

import json
import stat

import pytest

from engagement import cli, clock, db
from engagement.models import Round
from tests import support

PRACTICES = "practice_id,name,list_size\n" + "".join(f"Y{p:05d},Practice {p},{5000 + p}\n" for p in range(12))
MEMBERS = "member_id,practice_id,role,joined_wave,left_wave\n" + "".join(
    f"M{n:03d},Y{n // 5:05d},{'clinical_lead' if n % 4 == 0 else 'gp_partner'},1,0\n" for n in range(60)
)
ANSWERS = "wave,member_id,item,value\n" + "".join(
    f"{wave},M{n:03d},owned,{4 if (n % 4 == 0) != (n % 3 == 0) else 2}\n"
    for wave in (1, 2)
    for n in range(60)
)


@pytest.fixture
def run(database, tmp_path, capsys, monkeypatch):
    """Run a command in this process; returns its exit code, what it printed, and what it printed as errors."""
    files = {"practices": PRACTICES, "members": MEMBERS, "answers": ANSWERS}
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text)

    def call(*arguments):
        code = cli.main([str(tmp_path / a) if a.endswith(".csv") and "/" not in a else a for a in arguments])
        out = capsys.readouterr()
        return code, out.out, out.err

    call.folder = tmp_path
    return call


@pytest.fixture
def imported(run):
    """A body with two past rounds, imported and released at the command line."""
    for what in ("practices", "members"):
        code, _, error = run(
            "import", what, f"{what}.csv", "--yes", *(["--body", "CCG1"] if what == "practices" else [])
        )
        assert code == 0, error
    code, out, error = run("import", "answers", "answers.csv", "--wait", "--json")
    assert code == 0, error
    assert json.loads(out) == {"rounds": [1, 2], "forms": 120, "answers": 120}
    return run


def test_from_files_to_a_gap(imported):
    """Three imports make a body with released rounds; gap and results print bands of n, and N as a number."""
    code, out, _ = imported("gap", "--json")
    rows = json.loads(out)
    assert code == 0 and [(row["round"], row["item"]) for row in rows] == [(1, "owned"), (2, "owned")]
    for row in rows:
        assert row["leader"]["N"] == 15 and row["leader"]["n"] == "15–19"
        assert row["gap"]["mark"] == "shown" and len(row["gap"]["bounds"]) == 2 and row["suppressed"] == []
    code, out, _ = imported("results", "--json")
    assert code == 0 and json.loads(out)["round"]["number"] == 2
    code, out, _ = imported("results", "--round", "1")
    assert code == 0 and "Round 1" in out


def test_answers_without_wait_are_left_to_the_worker(run):
    """Without --wait nothing is released until a worker passes."""
    run("import", "practices", "practices.csv", "--yes", "--body", "CCG1")
    run("import", "members", "members.csv", "--yes")
    code, out, _ = run("import", "answers", "answers.csv")
    assert code == 0 and "worker" in out
    assert run("results")[0] == 1
    assert run("worker", "--once")[0] == 0
    assert run("results")[0] == 0


FIELDS = [
    "practice_id",
    "name",
    "segment",
    "segment_probability",
    "p_silent_next",
    "engagement",
    "forecast",
    "evidence",
]


def test_practices_need_only_the_mix(run):
    """Right after two past rounds are imported, before any worker passed, every open practice is printed with its fields."""
    run("import", "practices", "practices.csv", "--yes", "--body", "CCG1")
    run("import", "members", "members.csv", "--yes")
    code, out, _ = run("practices", "--json")
    assert code == 0 and all(list(row.values())[2:] == [None] * 6 for row in json.loads(out))
    run("import", "answers", "answers.csv")
    code, out, _ = run("practices", "--json")
    rows = json.loads(out)
    assert code == 0 and [row["practice_id"] for row in rows] == [f"Y{p:05d}" for p in range(12)]
    for row in rows:
        assert list(row) == FIELDS and row["segment"] in ("withdrawn", "critical", "champion", "steady")
        assert set(row["forecast"]) == {"attitude", "participation"} and row["evidence"] == "body:CCG1"
        for name in ("segment_probability", "p_silent_next"):
            assert 0 <= row[name] <= 1 and abs(row[name] * 20 - round(row[name] * 20)) < 1e-9
        assert abs(row["engagement"] * 10 - round(row["engagement"] * 10)) < 1e-9
    code, out, _ = run("practices")
    assert code == 0 and " of 12" in out and "Practice 11" in out and "expulsion" in out


def test_nothing_is_said_of_practices_before_two_rounds(run):
    """After one round every figure is null, and the table says from when on practices are assessed."""
    (run.folder / "one.csv").write_text(
        "".join(line for line in ANSWERS.splitlines(True) if line[:2] != "2,")
    )
    run("import", "practices", "practices.csv", "--yes", "--body", "CCG1")
    run("import", "members", "members.csv", "--yes")
    assert run("import", "answers", "one.csv")[0] == 0
    code, out, _ = run("practices", "--json")
    assert code == 0 and all(list(row.values())[2:] == [None] * 6 for row in json.loads(out))
    assert "second closed round" in run("practices")[1]


def test_meetings_come_from_a_file_whole_or_not_at_all(run):
    """A dry run stores nothing, a wrong line is named with its number, and a right file is taken and counted."""
    run("import", "practices", "practices.csv", "--yes", "--body", "CCG1")
    file = run.folder / "came.csv"
    file.write_text("date,title,practice_id,people\n2026-01-09,Council,Y00000,2\n2026-01-09,Council,NOPE,1\n")
    code, _, error = run("import", "meetings", "came.csv", "--yes")
    assert code == 1 and "came.csv, line 3: NOPE" in error
    file.write_text(
        "date,title,practice_id,people\n2026-01-09,Council,Y00000,2\n2026-01-09,Council,Y00001,1\n"
    )
    counts = {"refuse": 0, "note": 0, "change": 0, "add": 2, "same": 0}
    for options in (("--dry-run",), ("--yes",)):
        code, out, _ = run("import", "meetings", "came.csv", "--json", *options)
        assert code == 0 and json.loads(out) == {"counts": counts}
    code, out, _ = run("import", "meetings", "came.csv", "--json", "--yes")
    assert code == 0 and json.loads(out)["counts"]["same"] == 2


def test_a_round_from_draft_to_close(imported, database):
    """new, launch, links, close and list carry a round through its life; links are for the owner's eyes."""
    closes = (clock.today() + clock.days(14)).isoformat()
    code, out, _ = imported("round", "new", "--title", "Third", "--closes", closes, "--json")
    data = json.loads(out)
    assert code == 0 and data["round"] == 3 and {c["title"] for c in data["checks"]} >= {"Roster", "Dates"}
    assert imported("round", "launch", "3")[0] == 1  # no terminal to confirm on
    assert imported("round", "launch", "3", "--yes", "--wait")[0] == 0
    code, out, _ = imported("round", "links", "3", "--out", str(imported.folder / "links.out"))
    assert code == 0 and "60 personal links" in out
    file = imported.folder / "links.out"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and file.read_text("utf-8-sig").count("/a/") == 60
    assert imported("round", "links", "3", "--out", str(file))[0] == 1
    assert imported("round", "close", "3", "--yes", "--wait")[0] == 0
    code, out, _ = imported("round", "list", "--json")
    states = {row["round"]: row["state"] for row in json.loads(out)}
    assert states == {1: "released", 2: "released", 3: "released"}
    with database.reading() as session:
        assert all(r.trouble is None for r in session.exec(support.select(Round)))


def test_refusals_say_why_and_change_nothing(imported):
    """A bad file, a missing file and an unknown round exit 1 with words on the error stream."""
    (imported.folder / "bad.csv").write_text("practice_id,name\nY1,=HYPERLINK()\nY1,\n")
    code, out, error = imported("import", "practices", "bad.csv", "--yes")
    assert code == 1 and "bad.csv, line 2" in error and "line 3" in error and out == ""
    assert imported("import", "practices", "none.csv")[0] == 1
    code, _, error = imported("round", "close", "9", "--yes")
    assert code == 1 and "no round 9" in error
    code, _, error = imported("gap", "--body", "NOPE")
    assert code == 1 and "CCG1" in error


def test_a_dry_run_changes_nothing(run):
    """--dry-run shows what an import would do and leaves the roster as it is."""
    code, out, _ = run("import", "practices", "practices.csv", "--body", "CCG1", "--dry-run", "--json")
    assert code == 0 and json.loads(out)["counts"]["add"] == 12
    assert run("practices")[0] == 1


def test_an_account_is_printed_once(run):
    """The first administrator is made at the command line, with a password to be changed at sign-in."""
    code, out, _ = run(
        "account",
        "new",
        "--email",
        "Ann@Example.org",
        "--name",
        "Ann",
        "--role",
        "engagement_lead",
        "--body",
        "NEW",
        "--json",
    )
    data = json.loads(out)
    assert code == 0 and data["email"] == "ann@example.org" and len(data["password"]) >= 12
    code, _, error = run(
        "account", "new", "--email", "ann@example.org", "--name", "Ann", "--role", "engagement_lead"
    )
    assert code == 1 and "already has this role" in error


def test_somebody_who_cannot_sign_in_is_helped_at_the_command_line(run, monkeypatch):
    """Only where there is a provider is an invitation made; a password is made anew; without a second factor it says so."""
    ann = ("--email", "ann@example.org")
    run("account", "new", *ann, "--name", "Ann", "--role", "engagement_lead", "--body", "NEW")
    assert "set ENGAGEMENT_OIDC_ISSUER first" in run("account", "invite", *ann)[2]
    assert "no account in" in run("account", "password", "--email", "bob@example.org")[2]
    assert "needs --name and --role" in run("account", "new", "--email", "bob@example.org")[2]
    assert len(json.loads(run("account", "password", *ann, "--json")[1])["password"]) >= 12
    assert "has no second factor" in run("account", "remove-second-factor", *ann)[2]
    monkeypatch.setenv("ENGAGEMENT_OIDC_ISSUER", "https://id.example.org")
    monkeypatch.setenv("ENGAGEMENT_OIDC_CLIENT_ID", "x")
    link = json.loads(run("account", "invite", *ann, "--json")[1])["link"]
    assert link.startswith("http://localhost:8501/sign-in/invitation/") and len(link.rsplit("/", 1)[1]) == 43


def test_the_doctor_finds_what_is_wrong(imported, config):
    """A healthy installation exits 0; without the keys of an open round it exits 3 and says so."""
    assert imported("doctor")[0] == 0
    closes = (clock.today() + clock.days(14)).isoformat()
    imported("round", "new", "--title", "Third", "--closes", closes)
    imported("round", "launch", "3", "--yes", "--wait")
    assert "no sender of mail has been seen yet" in imported("doctor")[1]
    imported("worker", "--once")
    assert imported("doctor")[0] == 0
    for key in config.keys.glob("round-*.key"):
        key.unlink()
    for key in config.keys.glob("link-*.key"):
        key.unlink()
    code, out, _ = imported("doctor")
    assert code == 3 and "NOT" in out and "keys of round 3" in out


def test_export_writes_what_is_released(imported):
    """CSV and JSON hold every release; other kinds of file are refused."""
    assert imported("export", "--out", str(imported.folder / "all.json"))[0] == 0
    assert [c["round"]["number"] for c in json.loads((imported.folder / "all.json").read_text())] == [1, 2]
    target = imported.folder / "exported"
    assert imported("export", "--out", f"{target}.CSV".lower())[0] == 0
    assert imported("export", "--out", str(imported.folder / "all.xlsx"))[0] == 1


def test_a_copy_holds_no_keys(imported, database):
    """backup copies an SQLite database that can be opened, and sends PostgreSQL to its own tool."""
    folder = imported.folder / "copies"
    code, out, error = imported("backup", "--out", str(folder), "--json")
    if not database.is_sqlite:
        assert code == 1 and "pg_dump" in error
        return
    copy = db.Database(f"sqlite:///{json.loads(out)['file']}")
    with copy.reading() as session:
        assert len(session.exec(support.select(Round)).all()) == 2
    copy.dispose()
    assert not list(folder.glob("*.key"))


def test_help_and_usage(run, capsys):
    """--help shows examples; wrong usage exits 2."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0 and "engagement import practices" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        cli.main(["round", "new"])
    assert caught.value.code == 2
