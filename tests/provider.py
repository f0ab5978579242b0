"""A real OpenID provider on loopback, and the walk through it without a browser."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

CLIENT = "engagement"
SECRET = "a secret for tests"


@dataclass
class LocalProvider:
    """A running provider. `names_another`: it issues its tokens to another client than the one that asked."""

    url: str
    names_another: bool = False

    def settings(self) -> dict[str, str]:
        """The environment of an installation that uses it."""
        return {
            "ENGAGEMENT_OIDC_ISSUER": self.url,
            "ENGAGEMENT_OIDC_CLIENT_ID": CLIENT,
            "ENGAGEMENT_OIDC_CLIENT_SECRET": SECRET,
            "ENGAGEMENT_OIDC_LABEL": "NHSmail",
        }

    def sign_in(self, address: str, subject: str | None) -> str:
        """Sign in there as `subject`, or refuse to, and return where it sends the browser."""
        import requests

        data = {"action": "deny"} if subject is None else {"sub": subject}
        reply = requests.post(address, data=data, allow_redirects=False, timeout=10)
        assert reply.status_code == 302, reply.text
        return reply.headers["location"]


@contextmanager
def running() -> Iterator[LocalProvider]:
    """Serve a provider in a thread."""
    # Its own code speaks http on loopback, for which it wants to be told.
    os.environ.setdefault("AUTHLIB_INSECURE_TRANSPORT", "1")
    import oidc_provider_mock
    import werkzeug.serving

    found = LocalProvider("")
    inner = oidc_provider_mock.app(require_nonce=True)

    def app(environ, start_response):
        if found.names_another:
            another = CLIENT + "-of-somebody-else"
            environ["QUERY_STRING"] = environ["QUERY_STRING"].replace(
                f"client_id={CLIENT}&", f"client_id={another}&"
            )
            if environ.get("HTTP_AUTHORIZATION", "").startswith("Basic "):
                import base64

                pair = base64.b64encode(f"{another}:{SECRET}".encode()).decode()
                environ["HTTP_AUTHORIZATION"] = f"Basic {pair}"
        return inner(environ, start_response)

    class Quiet(werkzeug.serving.WSGIRequestHandler):
        def log(self, *_args, **_more):
            """Say nothing: what it would print are addresses with codes."""

    server = werkzeug.serving.make_server("localhost", 0, app, threaded=True, request_handler=Quiet)
    found.url = f"http://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
