"""The process: light to start, ready only when it can work, and silent about links in its logs."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from engagement import db, web
from engagement.web.limits import Limiter, network_of
from engagement.web.logs import NoLinks, hide_links

ROOT = Path(__file__).resolve().parents[2]


def test_importing_the_app_pulls_in_nothing_heavy(tmp_path):
    """`import app` loads no statistics, no data frames and no charts: the process must answer at once."""
    code = (
        "import sys, json, app; "
        "print(json.dumps([type(app.app).__name__, [m for m in "
        "('scipy', 'sklearn', 'statsmodels', 'pandas', 'altair', 'pyarrow', 'matplotlib') if m in sys.modules]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"ENGAGEMENT_DATA": str(tmp_path / "data"), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == ["App", []]
    assert not (tmp_path / "data").exists()


def test_healthy_and_ready(client):
    """A migrated database makes the process ready."""
    assert client.get("/healthz").json() == {"status": "up"}
    assert client.get("/readyz").status_code == 200


def test_not_ready_before_migration(config, tmp_path):
    """An empty database is not ready, though the process is up."""
    from dataclasses import replace

    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    empty = replace(config, database_url=f"sqlite:///{tmp_path / 'empty.sqlite'}")
    app = Starlette(routes=web.routes(empty), middleware=web.middleware(empty))
    client = TestClient(app, base_url="http://localhost:8501")
    assert client.get("/healthz").status_code == 200 and client.get("/readyz").status_code == 503
    db.get(empty).dispose()
    db._open.pop(empty.database_url)


def test_not_ready_without_a_database(config):
    """A database that cannot be reached is said in one word, with nothing of its address."""
    from dataclasses import replace

    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    lost = replace(config, database_url="postgresql+psycopg://user:secret@localhost:1/none")
    app = Starlette(routes=web.routes(lost), middleware=web.middleware(lost))
    reply = TestClient(app, base_url="http://localhost:8501").get("/readyz")
    assert reply.status_code == 503 and "secret" not in reply.text
    db.get(lost).dispose()
    db._open.pop(lost.database_url)


@pytest.mark.parametrize("name", ["uvicorn.access", "uvicorn.error"])
def test_server_logs_never_hold_a_link(caplog, name):
    """A line of the server about an answer page is dropped; others pass."""
    hide_links()
    hide_links()
    logger = logging.getLogger(name)
    assert sum(isinstance(found, NoLinks) for found in logger.filters) == 1
    with caplog.at_level(logging.INFO, logger=name):
        logger.info(
            '%s - "%s %s HTTP/%s" %d',
            "192.0.2.1:5",
            "GET",
            "/a/k3j9x2mq5t7a/secrettoken?page=done",
            "1.1",
            200,
        )
        logger.info('%s - "%s %s HTTP/%s" %d', "192.0.2.1:5", "GET", "/sign-in", "1.1", 200)
    assert "secrettoken" not in caplog.text and "/sign-in" in caplog.text


def test_limits_forget_with_time_and_with_the_day():
    """A client is blocked for the window only, others never, and a new day has a new secret."""
    now = [0.0]
    limiter = Limiter(2, 60, timer=lambda: now[0])
    limiter.failed("192.0.2.1")
    assert not limiter.blocked("192.0.2.1")
    limiter.failed("192.0.2.1")
    assert limiter.blocked("192.0.2.1") and not limiter.blocked("192.0.2.2")
    assert not any(b"192" in key for key in limiter._counts)
    before = limiter._secret
    now[0] = 61.0
    assert not limiter.blocked("192.0.2.1")
    now[0] = 25 * 3600.0
    limiter.failed("192.0.2.1")
    assert limiter._secret != before and len(limiter._counts) == 1


def test_limits_are_bounded(monkeypatch):
    """Whoever asks from however many addresses, memory is bounded."""
    monkeypatch.setattr("engagement.web.limits.MOST_KEYS", 10)
    limiter = Limiter(1, 60)
    for number in range(50):
        limiter.failed(f"192.0.2.{number}")
    assert len(limiter._counts) == 10 and limiter.blocked("192.0.2.49")


def test_clients_are_told_apart_by_network():
    """An IPv6 household counts as one client; what is no address counts as one too."""
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff") != network_of("2001:db8:1::1")
    assert (
        network_of("192.0.2.1") == "192.0.2.1" and network_of(None) == network_of("testclient") == "unknown"
    )
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1" != network_of("::ffff:192.0.2.2")
    assert network_of("192.0.2.1\0") == network_of("192.0.2") == network_of("é") == "unknown"


def test_the_access_log_is_the_servers_own(monkeypatch):
    """Streamlit's second handler on the access log goes, so that `--no-access-log` holds; the server's stays."""
    access, ours = logging.getLogger("uvicorn.access"), logging.StreamHandler()
    theirs = logging.StreamHandler()
    monkeypatch.setattr(access, "handlers", [ours, theirs])
    monkeypatch.setattr(access, "streamlit_console_handler", theirs, raising=False)
    hide_links()
    assert access.handlers == [ours]
