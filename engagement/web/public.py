"""What everybody may read: a body's privacy notice at `/privacy/{body code}`, and the accessibility statement."""

from __future__ import annotations

import logging

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from engagement import db
from engagement.config import Config
from engagement.errors import NotFound
from engagement.protection import notices
from engagement.web.plain import calm, render

log = logging.getLogger(__name__)
LONGEST = 20


class PublicPages:
    """The pages of one process. Both are sync: Starlette runs them in a thread.

    Parameters
    ----------
    config : the settings.
    """

    def __init__(self, config: Config):
        self._config = config

    def privacy(self, request: Request) -> Response:
        """`/privacy/{code}`."""
        code = request.path_params["code"]
        try:
            if len(code) > LONGEST or not code.isprintable():
                raise NotFound("There is no such page.")
            with db.get(self._config).reading() as session:
                text = notices.privacy(session, self._config, code)
        except NotFound:
            return calm(
                "This page does not exist",
                "The address may be incomplete. Ask the engagement lead of your body for its privacy notice.",
                status=404,
            )
        except SQLAlchemyError as error:
            log.error("A privacy notice could not be read: %s", type(error).__name__)
            return calm("The service is not available just now", "Try again in a few minutes.", status=503)
        return _page(text)

    def accessibility(self, request: Request) -> Response:
        """`/accessibility`."""
        return _page(notices.accessibility(self._config))


def _page(text: str) -> Response:
    title, *rest = notices.blocks(text)
    return render("notice.html", title=title.text, blocks=rest)
