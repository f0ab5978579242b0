"""What the plain pages share: templates, the files beside them, and posted forms read within a limit."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope

HERE = Path(__file__).parent
CSS = "text/css; charset=utf-8"
TYPES = {"style.css": CSS, "results.css": CSS, "keep.js": "text/javascript; charset=utf-8"}
LARGEST_BODY = 64 * 1024
MOST_FIELDS = 200


class TooLarge(Exception):
    """A posted body above the limit; nothing of it was parsed."""


@cache
def file_of(name: str) -> tuple[bytes, str]:
    """A file beside the pages, with the start of its SHA-256."""
    content = (HERE / "static" / name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:12]


def asset(name: str) -> str:
    """The address of a file, which changes with its content, so that browsers may keep it for ever."""
    return f"/plain/{name}?v={file_of(name)[1]}"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        undefined=StrictUndefined,
    )
    environment.globals["asset"] = asset
    return environment


def render(template: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """A page from a template; everything in it is escaped."""
    return HTMLResponse(_templates().get_template(template).render(**values), status)


def calm(
    title: str,
    *paragraphs: str,
    status: int = 200,
    top: str = "",
    link: tuple[str, str] | None = None,
    forget: str = "",
) -> HTMLResponse:
    """A page that says one thing, without alarm."""
    return render("page.html", status, title=title, paragraphs=paragraphs, top=top, link=link, forget=forget)


def ask_address(
    title: str,
    about: str,
    button: str,
    link: tuple[str, str] | None = None,
    *,
    typed: str = "",
    problem: str = "",
    status: int = 200,
) -> HTMLResponse:
    """A page that asks for the e-mail address to which a link is to be sent."""
    return render(
        "again.html",
        status,
        title=title,
        about=about,
        button=button,
        link=link,
        typed=typed,
        problem=problem,
    )


async def serve_file(request: Request) -> Response:
    """`/plain/style.css`, `/plain/results.css` and `/plain/keep.js`."""
    name = request.path_params["name"]
    if name not in TYPES:
        return Response("Not found", 404, media_type="text/plain")
    content, version = file_of(name)
    forever = request.query_params.get("v") == version
    kept = "public, max-age=31536000, immutable" if forever else "no-cache"
    return Response(content, media_type=TYPES[name], headers={"cache-control": kept})


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a posted form; of a field given twice, the last.

    Raises `TooLarge` before anything is parsed. Bytes that are not UTF-8 become the replacement character.
    """
    return await read_posted(request.scope, request.receive)


async def read_posted(scope: Scope, receive: Receive) -> dict[str, str]:
    """What `read_form` reads, without a request made of it first."""
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    if declared.isdigit() and int(declared) > LARGEST_BODY:
        raise TooLarge
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return {}
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST_BODY:
            raise TooLarge
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"),
            keep_blank_values=True,
            errors="replace",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise TooLarge from None
    return dict(pairs)


def too_large() -> HTMLResponse:
    """The page for a body above the limit."""
    return calm(
        "This is too much to send",
        "What you sent is larger than this page can take. Nothing was recorded.",
        "Go back in your browser, shorten your comment and send again.",
        status=413,
    )
