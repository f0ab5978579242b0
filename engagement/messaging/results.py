"""What a results mail says: the verdict of the release in one sentence, and where to read on."""

from __future__ import annotations

import json
from typing import Any

from sqlmodel import Session, select

from engagement.models import Body, Release


def newest(session: Session, round_id: int) -> dict[str, Any] | None:
    """The content of a round's newest release, None where there is none."""
    content = session.exec(
        select(Release.content).where(Release.round_id == round_id).order_by(Release.revision.desc()).limit(1)
    ).first()
    return None if content is None else json.loads(content)


def verdict(content: dict[str, Any]) -> str:
    """The first headline question's message as a sentence: how far apart, or that it cannot be said."""
    # The one place that turns a release's marks into words; it is pure, and knows no screen.
    from engagement.ui import sentences

    item = sentences.headline_items(content)[0]
    return f"{sentences.standing(content, item)}."


def has_widened(content: dict[str, Any]) -> bool:
    """Whether the gap on a headline question is clearly wider than in the round before."""
    return any(
        item["headline"] and (item.get("change") or {}).get("verdict") == "wider" for item in content["items"]
    )


def members_page(session: Session, body: Body, public_url: str) -> str:
    """The address of the page where members read what was published."""
    # Its keeper lies above this layer and knows the one way to write the address.
    from engagement.council import results

    return f"{public_url}{results.address(session, body.code)}"
