"""Whether the process is up, and whether it can do its work. For probes; says nothing more."""

from __future__ import annotations

import logging
from functools import cache

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from engagement import db
from engagement.config import Config

log = logging.getLogger(__name__)


@cache
def _head() -> str:
    return db.head()


class Health:
    """The routes of one process. `ready` is sync: Starlette runs it in a thread."""

    def __init__(self, config: Config):
        self._config = config

    async def alive(self, request: Request) -> Response:
        """`/healthz`: the process answers."""
        return JSONResponse({"status": "up"})

    def ready(self, request: Request) -> Response:
        """`/readyz`: the database can be reached and is at this version's schema; 503 otherwise."""
        try:
            migrated = db.revision(db.get(self._config)) == _head()
        except (SQLAlchemyError, OSError) as error:
            log.error("Not ready: %s", type(error).__name__)
            return JSONResponse({"status": "database cannot be reached"}, 503)
        if not migrated:
            return JSONResponse({"status": "database is not at this version's schema"}, 503)
        return JSONResponse({"status": "ready"})
