"""The application, or a Streamlit script, in a server process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engagement.bench.ground import environment
from engagement.errors import EngagementError, Invalid

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def _server(command: list[str], port: int, healthy: str, data: Path, env: dict[str, str]) -> Iterator[int]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ENGAGEMENT_")}
    # A file and not a pipe: a pipe that nobody reads stops the server.
    with (data / f"server-{port}.log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 - our own server
            command, cwd=ROOT, env=kept | env, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(server, f"http://127.0.0.1:{port}{healthy}", data / f"server-{port}.log")
            yield port
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait(server: subprocess.Popen, url: str, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise EngagementError(f"The server did not start: {log.read_text(errors='replace')[-2000:]}")


@contextmanager
def application(data: Path) -> Iterator[int]:
    """The application over an installation, started as an operator starts it; yields its port."""
    if not (ROOT / "app.py").is_file():
        raise Invalid("app.py is not beside the engagement package: run this from the repository.")
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "app:app", "--no-access-log", "--host", "127.0.0.1"]
    with _server([*command, "--port", str(port)], port, "/healthz", data, environment(data)) as found:
        yield found


@contextmanager
def streamlit_script(script: Path, data: Path, argument: str) -> Iterator[int]:
    """A Streamlit script in a server of its own; yields its port."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless=true"]
    command += [f"--server.port={port}", "--server.address=127.0.0.1", "--browser.gatherUsageStats=false"]
    command += ["--", argument]
    with _server(command, port, "/_stcore/health", data, {}) as found:
        yield found
