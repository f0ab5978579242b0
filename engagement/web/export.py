"""Releases as files, for people who are signed in and read for that body."""

from __future__ import annotations

import logging

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engagement import db
from engagement.access import Actor, audit, sessions
from engagement.config import Config
from engagement.db import Database
from engagement.errors import EngagementError, NotAllowed, NotFound
from engagement.models import Release
from engagement.web.plain import calm

log = logging.getLogger(__name__)

TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "zip": "application/zip",
    "svg": "image/svg+xml",
    "png": "image/png",
}
# Without the mark at its start, spreadsheets take UTF-8 for something else.
SPREADSHEET = "utf-8-sig"


class Exports:
    """The routes of one process. Its methods are sync: Starlette runs them in a thread."""

    def __init__(self, config: Config):
        self._config = config

    def release_json(self, request: Request) -> Response:
        """`/export/release/{id}.json`: as it was hashed, so that whoever holds it can check it against the audit log."""
        return self._release(request, "json", "")

    def release_csv(self, request: Request) -> Response:
        """`/export/release/{id}.csv`."""
        return self._release(request, "csv", "")

    def codebook(self, request: Request) -> Response:
        """`/export/release/{id}/codebook.csv`."""
        return self._release(request, "csv", "codebook")

    def release_zip(self, request: Request) -> Response:
        """`/export/release/{id}.zip`: figures, codebook, the release, and every chart."""
        return self._release(request, "zip", "")

    def chart(self, request: Request) -> Response:
        """`/export/release/{id}/charts/{item}-{kind}.svg` and `.png`."""
        name, _, kind = request.path_params["name"].rpartition(".")
        return self._release(request, kind, name) if kind in ("svg", "png") else _no_access()

    def _release(self, request: Request, kind: str, part: str) -> Response:
        from engagement.releases.read import content

        release_id, secure = request.path_params["release_id"], self._config.secure
        database = db.get(self._config)
        with database.reading() as session:
            actor = sessions.who(session, request.cookies, secure=secure)
            if actor is None:
                return _sign_in_first()
            if sessions.must_change_password(session, actor):
                return RedirectResponse("/password", 303)
            try:
                found = content(session, actor, release_id)
                body = file_of(session, actor, release_id, found, kind, part)
            except (NotAllowed, NotFound) as error:
                note_refusal(database, error, f"release {release_id}")
                return _no_access()
            except EngagementError as error:
                return calm("This file cannot be shown", str(error), status=409, link=("/", "Back"))
            body_id = session.get(Release, release_id).body_id
        if request.method == "GET":
            detail = {"release": release_id, "kind": kind} | ({"part": part} if part else {})
            with database.session() as session:
                audit.record(session, actor, "release.export", body_id, **detail)
        name = f"release-{release_id}{f'-{part}' if part else ''}.{kind}"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(body, media_type=TYPES[kind], headers=headers)

    def audit_log(self, request: Request) -> Response:
        """`/export/audit/{body id}.jsonl`: the audit log of a body, for its auditor and engagement lead."""
        body_id, secure = request.path_params["body_id"], self._config.secure
        database = db.get(self._config)
        with database.reading() as session:
            actor = sessions.who(session, request.cookies, secure=secure)
            if actor is None:
                return _sign_in_first()
            if sessions.must_change_password(session, actor):
                return RedirectResponse("/password", 303)
            try:
                lines = audit.export(session, actor, body_id)
            except (NotAllowed, NotFound) as error:
                note_refusal(database, error, "audit log")
                return _no_access()
        if request.method == "GET":
            with database.session() as session:
                audit.record(session, actor, "audit.export", body_id)
        headers = {"content-disposition": 'attachment; filename="audit-log.jsonl"'}
        return Response(lines, media_type="application/jsonl", headers=headers)


def note_refusal(database: Database, error: EngagementError, where: str) -> None:
    """Record that somebody was refused a file. What they see does not depend on it."""
    try:
        with database.session() as session:
            audit.refused(session, error, where)
    except SQLAlchemyError as fault:
        log.error("a refusal could not be recorded: %s", type(fault).__name__)


def file_of(session: Session, actor: Actor, release_id: int, found: dict, kind: str, part: str) -> bytes:
    """A release's file of a kind. Raises `NotFound` for a chart that there is not."""
    from engagement.exchange import bundle, drawing
    from engagement.exchange.codebook import codebook_csv
    from engagement.exchange.release_csv import release_csv

    if kind == "json":
        return audit.canonical(found).encode()
    if kind == "csv":
        return (codebook_csv(found) if part else release_csv(found)).encode(SPREADSHEET)
    history = up_to(session, actor, release_id, found)
    if kind == "zip":
        from engagement.comments.review import published

        body_id = session.get(Release, release_id).body_id
        comments = published(session, body_id).get(found["round"]["number"])
        return bundle.release_zip(history, audit.canonical(found), comments)
    item, _, which = part.rpartition("-")
    chart = bundle.chart(history, which, item)
    if chart is None:
        raise NotFound("There is no such chart.")
    return drawing.to_svg(chart).encode() if kind == "svg" else drawing.to_png(chart)


def up_to(session: Session, actor: Actor, release_id: int, found: dict) -> list[dict]:
    """The newest releases of the rounds before a release's own, and itself last."""
    from engagement.releases.read import history

    number = found["round"]["number"]
    body_id = session.get(Release, release_id).body_id
    return [
        *(other for other in history(session, actor, body_id) if other["round"]["number"] < number),
        found,
    ]


def _sign_in_first() -> Response:
    return calm(
        "Sign in first",
        "This file is for people who read the results of this body.",
        status=401,
        link=("/sign-in", "Sign in"),
    )


def _no_access() -> Response:
    """One page for another body's release and for none: ids are not to be tried out."""
    return calm(
        "You do not have access to this file",
        "It is for people who read the results of its body. Ask your engagement lead for a role there.",
        status=403,
        link=("/", "Back to the results"),
    )
