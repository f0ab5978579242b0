"""Releases as files, for people who are signed in and read for that body."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engagement import db
from engagement.access import audit, sessions
from engagement.config import Config
from engagement.errors import EngagementError, NotAllowed, NotFound
from engagement.models import Release
from engagement.web.plain import calm


class Exports:
    """The routes of one process. Its methods are sync: Starlette runs them in a thread."""

    def __init__(self, config: Config):
        self._config = config

    def release_json(self, request: Request) -> Response:
        """`/export/release/{id}.json`."""
        return self._release(request, "json")

    def release_csv(self, request: Request) -> Response:
        """`/export/release/{id}.csv`."""
        return self._release(request, "csv")

    def _release(self, request: Request, kind: str) -> Response:
        from engagement.releases.read import content

        release_id, secure = request.path_params["release_id"], self._config.secure
        database = db.get(self._config)
        with database.reading() as session:
            actor = sessions.who(session, request.cookies, secure=secure)
            if actor is None:
                return calm(
                    "Sign in first",
                    "This file is for people who read the results of this body.",
                    status=401,
                    link=("/sign-in", "Sign in"),
                )
            if sessions.must_change_password(session, actor):
                return RedirectResponse("/password", 303)
            try:
                found = content(session, actor, release_id)
            except (NotAllowed, NotFound):
                # One page for another body's release and for none: ids are not to be tried out.
                return calm(
                    "You do not have access to this file",
                    "It is for people who read the results of its body. Ask your engagement lead for a role there.",
                    status=403,
                    link=("/", "Back to the results"),
                )
            except EngagementError as error:
                return calm("This file cannot be shown", str(error), status=409, link=("/", "Back"))
            body_id = session.get(Release, release_id).body_id
        if request.method == "GET":
            with database.session() as session:
                audit.record(session, actor, "release.export", body_id, release=release_id, kind=kind)
        name = f"release-{release_id}.{kind}"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        if kind == "json":
            # As it was hashed, so that whoever holds the file can check it against the audit log.
            return Response(audit.canonical(found), media_type="application/json", headers=headers)
        from engagement.exchange.release_csv import release_csv

        # Without the mark at its start, spreadsheets take UTF-8 for something else.
        text = release_csv(found).encode("utf-8-sig")
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)
