"""Access logs must never hold a link: whoever reads a log could answer with it, or see when somebody did."""

from __future__ import annotations

import logging

LINKS = ("/a/", "/m/", "/r/", "/sign-in/link/", "/sign-in/invitation/", "/sign-in/oidc")
LOGGERS = ("uvicorn.access", "uvicorn.error", "uvicorn.asgi", "uvicorn")


class NoLinks(logging.Filter):
    """Drops every line that mentions a path with a link in it, address and time included.

    Those are the answer form, a member's own page, the members' results, and links and codes to sign in with.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a line to be dropped."""
        message = record.getMessage()
        return not any(link in message for link in LINKS)


def hide_links() -> None:
    """Put the filter on the server's loggers, once, however the process was started.

    uvicorn sets its handlers before it imports the application and leaves filters alone. Streamlit hangs a handler
    of its own on the access log, which writes it even where the operator chose `--no-access-log`, and twice
    where not: that one goes.
    """
    access = logging.getLogger("uvicorn.access")
    access.removeHandler(getattr(access, "streamlit_console_handler", None))
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(found, NoLinks) for found in logger.filters):
            logger.addFilter(NoLinks())
