"""Production refuses to start, with one list, while anything is unsafe."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from engagement import clock
from engagement.config import Config
from engagement.errors import Invalid
from engagement.models import Body
from engagement.protection import safety
from tests.protection.test_app_role import apply_roles, as_user

ROOT = Path(__file__).resolve().parents[2]
SAFE = {
    "ENGAGEMENT_PRODUCTION": "on",
    "ENGAGEMENT_PUBLIC_URL": "https://survey.example.org",
    "ENGAGEMENT_PRIVACY_CONTACT": "dpo@example.org",
    "ENGAGEMENT_WORKER": "external",
}


def test_settings_are_safe_or_named():
    """Safe settings have no fault; each unsafe one is named, with all of them in one list."""
    assert Config.load(SAFE).unsafe() == []
    bad = Config.load(
        {
            "ENGAGEMENT_PRODUCTION": "on",
            "ENGAGEMENT_DATABASE_URL": "postgresql://engagement:changeme1@localhost/engagement",
            "ENGAGEMENT_OIDC_ISSUER": "https://id.example.org",
            "ENGAGEMENT_OIDC_CLIENT_ID": "x",
            "ENGAGEMENT_OIDC_CLIENT_SECRET": "secret",
            "ENGAGEMENT_SMTP_PASSWORD": "Password1!",
        }
    )
    text = "\n".join(bad.unsafe("0.0.0.0"))
    for word in (
        "https://",
        "names localhost",
        "SERVER_ADDRESS",
        "PRIVACY_CONTACT",
        "DATABASE_URL",
        "embedded",
    ):
        assert word in text
    assert "OIDC_CLIENT_SECRET" in text and "SMTP_PASSWORD" in text and len(bad.unsafe("0.0.0.0")) == 8
    assert "changeme1" not in repr(bad)
    for host in ("https://10.0.0.1", "https://survey", "https://[::1]:8501"):
        assert any("names" in line for line in Config.load(SAFE | {"ENGAGEMENT_PUBLIC_URL": host}).unsafe())
    assert Config.load(SAFE | {"ENGAGEMENT_PRODUCTION": "container"}).unsafe("0.0.0.0") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"ENGAGEMENT_PRODUCTION": "yes"},
        {"ENGAGEMENT_LAWFUL_BASIS": "consent"},
        {"ENGAGEMENT_SMTP_PASSWORD_FILE": "/nowhere"},
    ],
)
def test_values_that_cannot_be_used_are_refused(wrong):
    """A value that is not known, and a secret's file that cannot be read, stop the start with words."""
    with pytest.raises(Invalid):
        Config.load(wrong)


def test_what_is_in_the_installation_is_looked_at(config, database):
    """A demo body, a folder that others may read, and on PostgreSQL a user who may read answers are named; the app's role is not."""
    safe = dataclasses.replace(
        config, public_url=SAFE["ENGAGEMENT_PUBLIC_URL"], privacy_contact="x", production="on"
    )
    config.data.chmod(0o700)

    def found(of=database) -> list[str]:
        return [
            line for line in safety.faults(safe, of) if "root" not in line and "password" not in line.split()
        ]

    if not database.is_sqlite:
        assert any("superuser" in line for line in found()) and any(
            "can read answers" in line for line in found()
        )
        apply_roles(database)
        app = as_user(database, config, "engagement_app")
        worker = as_user(database, config, "engagement_worker")
        assert found(app) == []
        assert [line for line in safety.faults(safe, worker, app=False) if "answers" in line] == []
        app.dispose()
        worker.dispose()
    else:
        assert found() == []
    with database.session() as session:
        session.add(Body(code="DEMO", name="Demo", is_demo=True, created_at=clock.now()))
    config.data.chmod(0o755)
    text = "\n".join(safety.faults(safe, database))
    assert "DEMO" in text and "chmod 700" in text


def test_the_app_does_not_start_unsafely(tmp_path):
    """Importing the app in production with unsafe settings ends the process with the list, before anything is served."""
    env = {"ENGAGEMENT_PRODUCTION": "on", "ENGAGEMENT_DATA": str(tmp_path / "data"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", "import app"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Not started" in done.stderr and "https://" in done.stderr and "Traceback" not in done.stderr
