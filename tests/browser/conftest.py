"""A real server on one of the two databases, and a real browser before it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Site:
    """A running installation: where it is, and its command line."""

    url: str
    environment: dict[str, str]
    folder: Path

    def cli(self, *arguments: str, json_out: bool = False):
        """Run a command as the operator would, and return what it printed."""
        command = [sys.executable, "-m", "engagement", *arguments, *(["--json"] if json_out else [])]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout) if json_out else done.stdout


def start(environment: dict[str, str], folder: Path):
    """Start `python app.py` on a free port, wait until it is ready, and return the site and a stopper."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://localhost:{port}"
    environment = (
        os.environ
        | environment
        | {
            "STREAMLIT_SERVER_PORT": str(port),
            "ENGAGEMENT_PUBLIC_URL": url,
            "ENGAGEMENT_WORKER": "embedded",
            "PYTHONPATH": str(ROOT),
        }
    )
    log = (folder / "server.log").open("w")
    server = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    break
        except OSError:
            pass
        assert server.poll() is None and time.monotonic() < deadline, (folder / "server.log").read_text()
        time.sleep(0.2)

    def stop():
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()

    return Site(url, environment, folder), stop


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request, tmp_path):
    """A fresh installation, served, on each database in turn."""
    environment = {"ENGAGEMENT_DATA": str(tmp_path / "data")}
    if request.param == "postgresql":
        environment["ENGAGEMENT_DATABASE_URL"] = request.getfixturevalue("postgres")(empty=True)
    else:
        environment["ENGAGEMENT_DATABASE_URL"] = ""
    found, stop = start(environment, tmp_path)
    yield found
    stop()


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory) -> Path:
    """The data folder of a demo body on SQLite, to copy: made once for all processes, for it takes half a minute."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (base / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = base / "demo-data"
        if not folder.exists():
            making = base / "demo-data-in-the-making"
            environment = {"ENGAGEMENT_DATA": str(making), "ENGAGEMENT_DATABASE_URL": ""}
            subprocess.run(
                [sys.executable, "-m", "engagement", "demo"],
                cwd=ROOT,
                env=os.environ | environment,
                check=True,
                timeout=240,
            )
            making.rename(folder)
    return folder


@pytest.fixture(scope="module")
def demo_copy(demo_data, tmp_path_factory) -> Path:
    """A folder of a module's own, with the demo body's data in `data`."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(demo_data, folder / "data")
    return folder


@pytest.fixture(scope="module")
def demo(demo_copy):
    """The demo body, served from SQLite."""
    environment = {"ENGAGEMENT_DATA": str(demo_copy / "data"), "ENGAGEMENT_DATABASE_URL": ""}
    found, stop = start(environment, demo_copy)
    yield found
    stop()
