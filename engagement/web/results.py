"""The members' page of results at `/r/{body code}/{key}`: plain HTML that needs no script and reads no cookie.

Everything on it is in a release, in the comments published beside it, or was said by the council and its governing
body in public. An unlisted page has a key that nobody can guess; a wrong body and a wrong key look alike.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from engagement import db
from engagement.asks.you_said import WE
from engagement.clock import show_date
from engagement.config import Config
from engagement.errors import EngagementError, NotFound
from engagement.instrument.bank import short_name
from engagement.ui import sentences
from engagement.web.limits import Limiter, network_of
from engagement.web.plain import calm, render
from engagement.words import words_of

log = logging.getLogger(__name__)

# As wide as a phone draws without shrinking its letters much.
CHART_WIDTH = 420
LONGEST = 100
GUESSES, WINDOW = 60, 600.0
MOST_ROUNDS = 12


class ResultsPages:
    """The pages of one process. `show` is sync: Starlette runs it in a thread.

    Parameters
    ----------
    config : the settings.
    """

    def __init__(self, config: Config):
        self._config = config
        self._unknown = Limiter(GUESSES, WINDOW)

    def show(self, request: Request) -> Response:
        """`/r/{code}/{key}`."""
        from engagement.council import results

        code, key = request.path_params["code"], request.path_params["key"]
        client = network_of(request.client.host if request.client else None)
        if self._unknown.blocked(client):
            return calm(
                "Please wait ten minutes",
                "Many pages that do not exist were tried from your network.",
                status=429,
            )
        try:
            if max(len(code), len(key)) > LONGEST or not (code + key).isprintable():
                raise NotFound("There is no such page.")
            with db.get(self._config).reading() as session:
                found = results.published(session, code, key)
        except NotFound:
            self._unknown.failed(client)
            return unknown()
        except EngagementError as error:
            return calm("These results cannot be shown", str(error), status=409)
        except SQLAlchemyError as error:
            log.error("The results could not be read: %s", type(error).__name__)
            return calm("The service is not available just now", "Try again in a few minutes.", status=503)
        return page(found)


async def no_such_page(request: Request) -> Response:
    """Everything else under `/r/`."""
    return unknown()


def unknown() -> Response:
    """The one page for every address that is none."""
    return calm(
        "This page does not exist",
        "The address may be incomplete, or the page may have moved. Open it again from the link that you were given, "
        "or ask the engagement lead of your body.",
        status=404,
    )


def page(found) -> Response:
    """The page of what `engagement.council.results.published` found."""
    words = words_of(found.words)
    if not found.history:
        return calm(
            "No results yet",
            "The first results stand here once a round has closed and been checked, so that no figure can point at a "
            "person.",
            top=found.body,
        )
    content = found.history[-1]
    number = content["round"]["number"]
    return render(
        "results.html",
        body=found.body,
        words=words,
        round=sentences.round_name(content),
        number=number,
        closed=sentences.closed_on(content),
        took_part=sentences.participation_sentence(content),
        threshold=content["round"]["threshold"],
        headlines=[headline(found.history, item) for item in sentences.headline_items(content)],
        questions=questions(content),
        names=[sentences.group_label(content, arm) for arm in ("leader", "grassroots")],
        hidden=hidden(content),
        comments=comments(found.comments),
        we_did=[(each, WE[each.kind]) for each in found.led_to],
        asked=[told(question) for question in reversed(found.questions)],
        rounds=len(found.history),
        promise=(content["round"].get("promise_hash") or "")[:16],
    )


def headline(history: Sequence[Mapping[str, Any]], item: Mapping[str, Any]) -> dict[str, Any]:
    """A headline question: its message, its chart and the same figures as a table, newest round first."""
    from engagement.exchange import charts, drawing

    key, recent = item["item"], history[-MOST_ROUNDS:]
    content = history[-1]
    drawn = charts.shares_by_round(recent, key, CHART_WIDTH)
    rows = []
    for past in reversed(recent):
        asked = sentences.item_of(past, key)
        groups = asked["groups"] if asked else {}
        rows.append(
            [
                str(past["round"]["number"]),
                sentences.closed_month(past),
                *(sentences.share(groups.get(arm)) for arm in ("leader", "grassroots")),
                sentences.gap_points(asked["gap"] if asked else None),
            ]
        )
    return {
        "key": key,
        "name": short_name(key),
        "message": sentences.standing(content, item),
        "text": item["text"],
        "did": sentences.favourable(item),
        "said": sentences.gap_sentence(content, item),
        "change": sentences.change_sentence(item),
        "chart": drawing.to_svg(drawn, f"c-{key}"),
        "rows": rows,
    }


def questions(content: Mapping[str, Any]) -> list[list[str]]:
    """Every question of a round: its name, both shares and the gap, in words."""
    return [
        [
            short_name(item["item"]),
            *(sentences.share(item["groups"].get(arm)) for arm in ("leader", "grassroots")),
            sentences.gap_points(item["gap"]),
        ]
        for item in content["items"]
    ]


def hidden(content: Mapping[str, Any]) -> list[str]:
    """What the round does not print, as many lines as there are reasons."""
    by_reason: dict[str, dict[str, None]] = {}
    for row in content.get("suppressed", []):
        name = short_name(row["item"]) if row.get("item") else str(row.get("what", "")).replace("_", " ")
        by_reason.setdefault(row["why"], {})[name] = None
    return [f"{', '.join(names)}: {why}" for why, names in by_reason.items()]


def comments(by_round: Mapping[int, Mapping[str, Any]]) -> dict[str, Any] | None:
    """The newest round's published comments, those of an item with too few writers left out; None without any."""
    for number in sorted(by_round, reverse=True):
        items = [item for item in by_round[number]["items"] if item["mark"] == "shown"]
        if items:
            return {"number": number, "items": items}
    return None


def told(question) -> dict[str, Any]:
    """A public question of the council with its answers, as the page shows it."""
    return {
        "kind": question.kind,
        "text": question.text,
        "round": question.round,
        "on": show_date(question.at),
        "answers": [(answer.text, show_date(answer.at)) for answer in question.answers],
    }
