"""The one process: the Streamlit application for staff, with the plain pages for members mounted in it.

Start it with `python app.py`, `streamlit run app.py` or `uvicorn app:app`. The port comes from
STREAMLIT_SERVER_PORT. Nothing heavy is imported here: it must answer within a second of its start.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import streamlit as st

from engagement import db, web
from engagement.config import Config
from engagement.protection import safety
from engagement.web.logs import hide_links

ROOT = Path(__file__).resolve().parent

hide_links()
config = Config.load()
safety.refuse(config, listens_on=str(st.get_option("server.address") or ""))


@asynccontextmanager
async def lifespan(_app: st.App):
    """Migrate, run the worker where the settings say so, and stop it at the end."""
    # Again, for Streamlit sets the loggers up anew once it has read its settings.
    hide_links()
    whole = db.get(config, db.WHOLE)
    await anyio.to_thread.run_sync(db.migrate, whole, config.backups)
    # From here on: what pages and routes ask for cannot read answers. The worker asks for the whole by name.
    db.serve_as(db.APP)
    worker = None
    if config.embedded_worker:
        from engagement.worker import Embedded

        worker = Embedded(config)
        worker.start()
    try:
        yield
    finally:
        if worker is not None:
            await anyio.to_thread.run_sync(worker.stop)
        db.get(config).dispose()
        whole.dispose()
        db.serve_as(db.WHOLE)


plain = web.routes(config)
app = st.App(
    ROOT / "engagement" / "ui" / "frame.py",
    routes=plain,
    middleware=web.middleware(config, plain),
    lifespan=lifespan,
)


def settings_of_run() -> dict[str, object]:
    """What `python app.py` takes from the environment: Streamlit reads these for `streamlit run` only."""
    found: dict[str, object] = {"server.headless": True}
    if port := os.environ.get("STREAMLIT_SERVER_PORT"):
        found["server.port"] = int(port)
    if address := os.environ.get("STREAMLIT_SERVER_ADDRESS"):
        found["server.address"] = address
    return found


if __name__ == "__main__":
    app.run(config=settings_of_run())
