"""Each bench runs, at a size that takes a moment, and prints a ratio beside its baseline. No timing is judged here."""

from __future__ import annotations

import json
import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import inspect

from engagement import bench, cli
from engagement.bench import clients, close, closing, demo, form, import_answers, import_practices, submit
from engagement.errors import EngagementError, Invalid


def quiet(_line: str) -> None:
    """Says nothing."""


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """The folder beside which the benches make theirs."""
    monkeypatch.setenv("ENGAGEMENT_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("ENGAGEMENT_DATABASE_URL", raising=False)
    return tmp_path / "data"


def printed(results) -> list[dict]:
    """The results as they are printed, each checked to have a figure, a baseline and their ratio."""
    found = [result.as_json() for result in results]
    text = bench.table(found)
    for each in found:
        assert each["figure"] > 0 and each["baseline_figure"] > 0 and each["baseline"]
        assert each["ratio"] == pytest.approx(each["figure"] / each["baseline_figure"], rel=0.01)
        assert each["name"] in text and f"ratio {each['ratio']:.3g}" in text and each["cores"] >= 1
    return found


def test_submitting_is_measured_against_commits(data):
    """The real server takes answers from real clients, all of them are found stored, and the ratio is printed."""
    found = printed(submit.run(quiet, clients_=2, length=0.5, repeats=1, members=600))
    assert [each["name"] for each in found] == ["submit", "submit-http"]
    assert "were found stored, once" in found[0]["note"] and found[0]["met"] in (True, False)
    assert not list(data.glob("bench-*")), "the folder of the bench is left behind"


def test_a_client_reads_the_whole_of_each_answer():
    """A client takes an answer that comes in pieces as one, asks again on the same connection, and minds a hang-up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ask = clients._asker(server.getsockname()[1])
        connection, _ = server.accept()
        with connection, ThreadPoolExecutor(1) as pool:
            for status in ("200", "303"):
                said = pool.submit(ask, b"GET / HTTP/1.1\r\n\r\n")
                assert connection.recv(100)
                for piece in (f"HTTP/1.1 {status} So", "\r\nContent-Length: 4\r\n\r\nab", "cd"):
                    assert not said.done()
                    connection.sendall(piece.encode())
                    time.sleep(0.02)
                assert said.result(timeout=10) == status
            said = pool.submit(ask, b"GET / HTTP/1.1\r\n\r\n")
            assert connection.recv(100)
            connection.shutdown(socket.SHUT_WR)
            with pytest.raises(ConnectionError, match="hung up"):
                said.result(timeout=10)


def test_a_lost_answer_stops_the_bench(database):
    """An acknowledged answer that is not in the database is an error, however fast the route was."""
    with pytest.raises(EngagementError, match="1 answers were acknowledged, 0 links used, 0 stored"):
        submit._check(database, 1, 1)


@pytest.mark.browser
@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
def test_the_form_is_measured_in_a_browser():
    """With a browser the bytes, the first paint and the first question are measured for both forms."""
    with ThreadPoolExecutor(
        1
    ) as pool:  # away from the event loop that other tests' browsers leave in this thread
        found = printed(pool.submit(form.run, quiet, repeats=1, members=160, walkers=5).result())
    assert [each["name"] for each in found[:3]] == ["form-bytes", "form-paint", "form-ready"]


def test_without_a_browser_bytes_are_counted_all_the_same(monkeypatch):
    """Without Chromium the bytes come from HTTP, what could not be measured says so, and the walk is walked."""
    monkeypatch.setattr(form, "_chromium", lambda: None)
    results = form.run(quiet, members=160, walkers=10)
    size, paint, ready = [result.as_json() for result in results[:3]]
    assert 0 < size["figure"] < size["baseline_figure"] and form.NO_CHROMIUM in size["note"]
    assert paint["figure"] is None and ready["ratio"] is None and paint["note"] == form.NO_CHROMIUM
    assert "not measured" in bench.table([size, paint, ready])
    pages, sent, most_pages, most_sent = printed(results[3:])
    # Of ten, two are sent back once: three pages in the middle, and one more for the ninth.
    assert (pages["figure"], most_pages["figure"]) == (3, 4)
    assert sent["figure"] < sent["baseline_figure"] / 2 and sent["figure"] < most_sent["figure"]


def test_closing_is_measured_in_a_process_of_its_own():
    """A small round is closed by a child whose time and memory stand beside those of the bare decryption."""
    seconds, memory = printed(close.run(quiet, responses=160))
    assert set(seconds["detail"]) == {"open and mix", "scrub", "keys", "release", "afterwards"}
    assert memory["unit"] == "MB" and seconds["met"] is None, "a small round says nothing of the goal"


def test_the_peak_memory_is_that_of_this_process():
    """The peak is at least what the interpreter needs, in millions of bytes."""
    assert 5 < closing.megabytes() < 100_000


def test_importing_answers_is_measured():
    """Every answer of the file is imported, beside the bare reading of it."""
    (found,) = printed(import_answers.run(quiet, waves=2, members=120, answers=1_500))
    assert "1,500 answers of 2 rounds" in found["what"] and found["met"] is None


@pytest.mark.parametrize("here", [True, False])
def test_importing_practices_says_when_the_file_is_invented(tmp_path, monkeypatch, here):
    """The real file is used where it is; where it is not, an invented one is, and the result says so."""
    monkeypatch.setattr(import_practices, "_real", lambda: None)
    real = None
    if here:
        real = tmp_path / import_practices.FILE
        import_practices._write(real, 400)
    (found,) = printed(import_practices.run(quiet, rows=300, real=real, repeats=1))
    assert ("invented" in found["note"]) is not here
    assert ("400 rows" if here else "300 rows") in found["what"]


def test_the_real_file_is_looked_for_where_the_setting_says(tmp_path, monkeypatch):
    """ENGAGEMENT_REAL_DATA names the folder of the real files."""
    (tmp_path / import_practices.FILE).write_text("")
    monkeypatch.setenv(import_practices.FOLDER, str(tmp_path))
    assert import_practices._real() == tmp_path / import_practices.FILE


def test_the_demo_is_measured(monkeypatch):
    """Building the demo is timed, in a migrated database of its own; that it is built has tests of its own."""
    built = []
    monkeypatch.setattr("engagement.demo.ensure", lambda database, config: built.append(migrated(database)))
    (found,) = printed(demo.run(quiet))
    assert found["name"] == "demo" and found["figure"] < found["baseline_figure"]
    assert built == [True]


def migrated(database) -> bool:
    """Whether a database has its tables."""
    return "release" in inspect(database.engine).get_table_names()


def test_only_those_asked_for_run_and_unknown_ones_are_refused(monkeypatch, capsys):
    """The command runs the benches it is given, prints them as JSON, and refuses a name that is none."""
    said = []
    monkeypatch.setattr("engagement.bench.demo.run", lambda say: said.append("demo") or [])
    assert cli.main(["bench", "--only", "demo", "--json"]) == 0
    assert said == ["demo"] and json.loads(capsys.readouterr().out) == []
    with pytest.raises(Invalid, match="There is no bench speed"):
        bench.run(["speed"])
