"""Asks whether anything that is locked has a known weakness, where there is somebody to ask; says so where not.

As a script: exit code 1 when there is one, 0 when there is none or nobody could be asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
# Weaknesses that do not touch us, each with the reason. Empty is best.
ACCEPTED: dict[str, str] = {}
PATIENCE = 120


def ask(lock: Path = LOCK) -> dict | None:
    """What pip-audit says of a lock file, None where its database could not be reached."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--format", "json"]
    command += ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--timeout", "15"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        return json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None


def weaknesses(answer: dict) -> list[str]:
    """A line for each weakness that is not accepted, with the version that mends it."""
    return [
        f"{package['name']} {package['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'nothing yet'}"
        for package in answer["dependencies"]
        for found in package.get("vulns", [])
        if found["id"] not in ACCEPTED
    ]


def main() -> int:
    """Ask, and say what was found."""
    answer = ask()
    if answer is None:
        print("Known weaknesses: NOT CHECKED, for the database of pip-audit cannot be reached from here.")
        return 0
    found = weaknesses(answer)
    print("\n".join(found) or f"Known weaknesses: none in {len(answer['dependencies'])} locked packages.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
