"""The members' page of results: its address, who may find it, and what stands on it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from sqlmodel import Session, select

from engagement.access import Actor, Role, audit
from engagement.asks import you_said
from engagement.comments import review as comments
from engagement.council import review
from engagement.errors import NotFound
from engagement.models import Body, random_id
from engagement.releases import read

OPEN = "results"
# Asks answered or done that the page shows.
MOST_SAID = 12


@dataclass(frozen=True)
class Page:
    """Where the page is, and whether everybody may find it."""

    address: str
    open: bool


@dataclass(frozen=True)
class Published:
    """All that stands on the page: releases in round order, comments by round, public questions with answers, and asks
    answered or done."""

    body: str
    words: dict[str, Any]
    history: list[dict[str, Any]]
    comments: dict[int, dict[str, Any]]
    questions: list[review.Question]
    led_to: list[you_said.Said] = field(default_factory=list)


def _address(body: Body) -> str:
    return f"/r/{quote(body.code, safe='')}/{OPEN if body.results_open else body.results_token}"


def address(session: Session, body_code: str) -> str | None:
    """The page's path for people who hold a link of a round of the body; None where there is no such body."""
    body = session.exec(select(Body).where(Body.code == body_code)).first()
    return _address(body) if body else None


def page(session: Session, actor: Actor, body_id: int) -> Page:
    """Where the page is, for those who review results."""
    actor.require(body_id, *review.READERS)
    body = session.get(Body, body_id)
    return Page(_address(body), body.results_open)


def set_page(session: Session, actor: Actor, body_id: int, *, open_to_all: bool) -> None:
    """Open the page to everybody, or let only people with its link find it; a page that is closed again gets a new link."""
    actor.require(body_id, Role.LEAD)
    body = session.get(Body, body_id, with_for_update=True)
    if body.results_open == open_to_all:
        return
    body.results_open = open_to_all
    if not open_to_all:
        body.results_token = random_id()
    session.add(body)
    session.flush()
    audit.record(session, actor, "results.page", body_id, open=open_to_all)


def renew_link(session: Session, actor: Actor, body_id: int) -> None:
    """Give the page another link; the old one stops working at once."""
    actor.require(body_id, Role.LEAD)
    body = session.get(Body, body_id, with_for_update=True)
    body.results_token = random_id()
    session.add(body)
    session.flush()
    audit.record(session, actor, "results.link", body_id)


def published(session: Session, code: str, key: str) -> Published:
    """What stands on a body's page. Raises `NotFound` alike for a wrong body and a wrong key: the address is the permission."""
    body = session.exec(select(Body).where(Body.code == code)).first()
    wanted = (OPEN if body.results_open else body.results_token) if body else random_id()
    if not hmac.compare_digest(wanted.encode(), key.encode()) or body is None:
        raise NotFound("There is no such page.")
    return Published(
        body=body.name,
        words=dict(body.words or {}),
        history=read.history(session, Actor("members' page", frozenset({(body.id, Role.COUNCIL)})), body.id),
        comments=comments.published(session, body.id),
        questions=review.questions(session, body.id, public=True),
        led_to=you_said.you_said(session, body.id)[:MOST_SAID],
    )
