"""Finds a Chromium for the browser tests, and fetches one where it can.

As a script it tries the system's, then Playwright's own, then Debian's package, and says plainly when there is
none; the browser tests then skip, aloud.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NONE = (
    "There is no Chromium: the browser tests cannot run. Install one, or name it with CHROMIUM=/path/to/it."
)


def find() -> str | None:
    """The path of a Chromium on this machine, or None."""
    named = os.environ.get("CHROMIUM")
    if named and os.access(named, os.X_OK):
        return named
    for name in NAMES:
        if path := shutil.which(name):
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.path.exists(path) else None


def fetch() -> None:
    """Try to get a Chromium: Playwright's own, then Debian's."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    own = [sys.executable, "-m", "playwright", "install", "chromium"]
    if subprocess.run(own, timeout=600, **quiet).returncode == 0:
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=environment, **quiet)
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], env=environment, **quiet)


if __name__ == "__main__":
    if find() is None:
        fetch()
    print(f"Browser tests use {path}" if (path := find()) else NONE)
