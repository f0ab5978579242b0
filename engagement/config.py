"""Settings, all from the environment. `docs/settings.md` documents each; a test holds that to be true."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from engagement.errors import Invalid

SETTINGS = {
    "ENGAGEMENT_DATA": "folder of the SQLite file, the keys and the backups (default: data)",
    "ENGAGEMENT_DATABASE_URL": "a PostgreSQL address to use instead of the SQLite file",
    "ENGAGEMENT_PUBLIC_URL": "the address that members and staff reach (default: http://localhost:8501)",
    "ENGAGEMENT_WORKER": "embedded (default): the app runs the worker in a thread; external: it does not",
}


@dataclass(frozen=True)
class Config:
    """The settings of one process."""

    data: Path
    database_url: str
    public_url: str
    embedded_worker: bool

    @property
    def keys(self) -> Path:
        """Folder of round, link and panel keys; beside the database, never in it, never backed up."""
        return self.data / "keys"

    @property
    def backups(self) -> Path:
        """Folder of copies taken before a migration."""
        return self.data / "backups"

    @property
    def secure(self) -> bool:
        """Whether people reach us over https, so that cookies may be `Secure`."""
        return self.public_url.startswith("https://")

    @classmethod
    def load(cls, env: dict[str, str] | None = None) -> Config:
        """Read the environment; each `NAME` may be given as a file's path in `NAME_FILE` instead.

        Raises `Invalid` for a value that cannot be used.
        """
        env = dict(os.environ if env is None else env)

        def value(name: str, default: str = "") -> str:
            if path := env.get(f"{name}_FILE"):
                return Path(path).read_text(encoding="utf-8").strip()
            return env.get(name, default).strip() or default

        data = Path(value("ENGAGEMENT_DATA", "data")).expanduser().resolve()
        url = value("ENGAGEMENT_DATABASE_URL")
        if url.startswith("postgres"):
            url = "postgresql+psycopg://" + url.split("://", 1)[1]
        elif url and not url.startswith("sqlite:///"):
            raise Invalid("ENGAGEMENT_DATABASE_URL must start with postgresql:// or sqlite:///")
        worker = value("ENGAGEMENT_WORKER", "embedded")
        if worker not in ("embedded", "external"):
            raise Invalid("ENGAGEMENT_WORKER must be embedded or external")
        return cls(
            data=data,
            database_url=url or f"sqlite:///{data / 'engagement.sqlite'}",
            public_url=value("ENGAGEMENT_PUBLIC_URL", "http://localhost:8501").rstrip("/"),
            embedded_worker=worker == "embedded",
        )
