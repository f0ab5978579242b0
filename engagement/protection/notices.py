"""The privacy notice, the draft of a DPIA and the accessibility statement, written from a body's actual settings.

The words are templates in simple Markdown (headings, paragraphs, lists, tables); `blocks` reads them for plain pages.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlmodel import Session, func, select

from engagement import clock
from engagement.access import Actor, Role
from engagement.access.actor import ROLE_NAMES
from engagement.config import Config
from engagement.errors import NotFound
from engagement.models import AccountRole, Body, MailSettings, Practice, Programme, Round, RoundRoster
from engagement.protection.retention import NOBODY, RULES
from engagement.rounds.promise import KEPT, RETENTION_YEARS
from engagement.words import words_of

HERE = Path(__file__).parent / "templates"
READ_BY = (Role.LEAD, Role.AUDITOR)
SMALL = 5
MAIL_WAYS = {
    "smtp": "Mail goes through the mail server of the organisation that runs this service",
    "notify": "Mail goes through GOV.UK Notify, a service of the government, which acts on our behalf",
    "files": "No mail is sent: this installation writes it to files, for trying things out",
    "off": "This service sends no mail: the organisation that runs it hands out links",
}


@dataclass(frozen=True)
class Block:
    """A piece of a page. `kind`: h1, h2, p, ul, or table, whose first row is its head."""

    kind: str
    text: str = ""
    rows: list[list[str]] = field(default_factory=list)


def privacy(session: Session, config: Config, code: str) -> str:
    """The privacy notice of a body, in Markdown; for everybody. Raises `NotFound`."""
    body = session.exec(select(Body).where(Body.code == code)).first()
    if body is None:
        raise NotFound("There is no such page.")
    return _templates().get_template("privacy.md").render(_facts(session, config, body))


def dpia(session: Session, actor: Actor, config: Config, body_id: int) -> str:
    """The draft of a data protection impact assessment, in Markdown. For the engagement lead and the auditor."""
    actor.require(body_id, *READ_BY)
    body = session.get(Body, body_id)
    facts = _facts(session, config, body) | _risks(session, config, body)
    return _templates().get_template("dpia.md").render(facts)


def accessibility(config: Config) -> str:
    """The accessibility statement, in Markdown; for everybody."""
    return (
        _templates()
        .get_template("accessibility.md")
        .render(url=config.public_url, contact=config.privacy_contact)
    )


def blocks(text: str) -> Iterator[Block]:
    """Read the simple Markdown of the templates: what people typed stands within a line and begins none."""
    for part in text.strip().split("\n\n"):
        lines = [line.strip() for line in part.strip().splitlines() if line.strip()]
        if not lines:
            continue
        if lines[0].startswith("# "):
            yield Block("h1", lines[0][2:])
        elif lines[0].startswith("## "):
            yield Block("h2", lines[0][3:])
        elif lines[0].startswith("- "):
            yield Block("ul", rows=[[line[2:]] for line in lines])
        elif lines[0].startswith("|"):
            cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
            yield Block("table", rows=[cells[0], *cells[2:]])
        else:
            yield Block("p", " ".join(lines))


@cache
def _templates() -> Environment:
    # Markdown, and no HTML: plain pages escape what they make of it.
    return Environment(  # nosec B701
        loader=FileSystemLoader(HERE),
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        undefined=StrictUndefined,
        finalize=_one_line,
    )


def _one_line(value: Any) -> Any:
    """What is put into a template: one line, and no mark that would part a table."""
    return " ".join(value.split()).replace("|", "¦") if isinstance(value, str) else value


def _facts(session: Session, config: Config, body: Body) -> dict[str, Any]:
    """What notices say of a body."""
    newest = session.exec(
        select(Round)
        .where(Round.body_id == body.id, Round.promise.is_not(None))
        .order_by(Round.number.desc())
    ).first()
    programme = session.exec(select(Programme).where(Programme.body_id == body.id)).first()
    mail = session.get(MailSettings, body.id)
    promise = json.loads(newest.promise) if newest else {}
    tier = promise.get("tier") or (programme and programme.tier) or "confidential"
    return {
        "body": body,
        "words": words_of(body.words),
        "today": clock.show_date(clock.today()),
        "contact": config.privacy_contact or (mail and (mail.reply_to or mail.sender_address)) or "",
        "basis": config.lawful_basis,
        "mail": MAIL_WAYS[config.mail.way],
        "provider": config.provider.label if config.provider else "",
        "host": config.public_url,
        "tier": tier,
        "kept": promise.get("kept") or KEPT[tier],
        "threshold": promise.get("threshold") or (programme and programme.threshold) or body.threshold,
        "years": promise.get("retention_years", RETENTION_YEARS),
        "newest": newest,
        "results_open": body.results_open,
        "rules": list(RULES.values()),
        "nobody": NOBODY,
    }


def _risks(session: Session, config: Config, body: Body) -> dict[str, Any]:
    """What a DPIA says beyond that: numbers, and what of this installation is not as it should be."""
    practices = session.exec(
        select(func.count())
        .select_from(Practice)
        .where(Practice.body_id == body.id, Practice.closed.is_(None))
    ).one()
    newest = session.exec(
        select(Round.id)
        .where(Round.body_id == body.id, Round.promise.is_not(None))
        .order_by(Round.number.desc())
    ).first()
    invited = Counter(
        session.exec(
            select(RoundRoster.practice_id).where(
                RoundRoster.round_id == newest, RoundRoster.practice_id.is_not(None)
            )
        ).all()
    )
    held = Counter(session.exec(select(AccountRole.role).where(AccountRole.body_id == body.id)).all())
    return {
        "practices": practices,
        "people": sum(invited.values()),
        "small": sum(count < SMALL for count in invited.values()),
        "alone": sum(count == 1 for count in invited.values()),
        "roles": [(ROLE_NAMES[role], held[role.value]) for role in Role],
        "gaps": _gaps(config, body, held),
        "embedded": config.embedded_worker,
        "postgres": not config.database_url.startswith("sqlite"),
    }


def _gaps(config: Config, body: Body, held: Counter) -> list[str]:
    """What somebody should see to before this goes to real people."""
    found = config.unsafe()
    if config.production == "off":
        found.append("ENGAGEMENT_PRODUCTION is off: set it, so that the service refuses to start unsafely")
    if not held[Role.AUDITOR.value]:
        found.append(
            "Nobody is auditor: panel codes cannot be linked, and nobody is sent the head of the audit log"
        )
    if not held[Role.REVIEWER.value]:
        found.append("Nobody is comment reviewer: no comment can be published")
    if config.embedded_worker:
        found.append(
            "The worker runs inside the app, whose process can so reach the keys of open rounds: run it under a user "
            "of its own (ENGAGEMENT_WORKER=external)"
        )
    if body.is_demo:
        found.append("This is a demo body: its people are invented")
    return found
