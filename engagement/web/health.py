"""Whether the process is up, and whether it can do its work. For probes: no word of any body, round or person."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engagement import db, vitals
from engagement.config import Config

log = logging.getLogger(__name__)


class Health:
    """The routes of one process. `ready` is sync: Starlette runs it in a thread."""

    def __init__(self, config: Config):
        self._config = config

    async def alive(self, request: Request) -> Response:
        """`/healthz`: the process answers."""
        return JSONResponse({"status": "up"})

    def ready(self, request: Request) -> Response:
        """`/readyz`: the database can be reached and is at this version's schema, 503 otherwise; and how all else is.

        A worker that is silent, mail that waits, a disk that fills and an old backup are told under `not_well` and
        leave the status at 200: members can answer all the same, and taking the process away would stop them.
        """
        try:
            found = vitals.take(db.get(self._config), self._config)
        except (SQLAlchemyError, OSError) as error:
            log.error("Not ready: %s", type(error).__name__)
            return JSONResponse({"status": "database cannot be reached"}, 503)
        if not found.schema_is_newest:
            return JSONResponse({"status": "database is not at this version's schema"}, 503)
        return JSONResponse({"status": "ready"} | _told(found))


def _told(found: vitals.Vitals) -> dict:
    """What is told of the vitals: lengths of time and not instants, in steps too coarse to say what anybody did."""

    def minutes_since(at: datetime | None) -> int | None:
        return None if at is None else max(0, int((found.now - at).total_seconds() // 60))

    judged = {
        "worker": found.worker_is_well,
        "mail": found.mail_is_well,
        "disk": found.disk_is_well,
        "backup": found.backup_is_well,
    }
    return {
        "not_well": [name for name, well in judged.items() if not well],
        "schema": found.schema,
        "worker_seen_minutes_ago": minutes_since(found.worker),
        "post_seen_minutes_ago": minutes_since(found.post),
        "oldest_unsent_mail_minutes": minutes_since(found.oldest_mail),
        "disk_free_gb": round(found.bytes_free / 1e9, 1),
        "last_backup_minutes_ago": minutes_since(found.last_backup),
    }
