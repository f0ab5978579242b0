"""A mail made ready to leave, at the moment it leaves: only here do a person's links exist."""

from __future__ import annotations

import json

from sqlmodel import Session

from engagement import clock
from engagement.config import Config
from engagement.errors import NotFound
from engagement.intake import links
from engagement.messaging import my_page, results, settings, templates
from engagement.messaging.keys import MailKeys, message_id, opt_out_token
from engagement.messaging.recipients import Recipient, tells_of_cancelling
from engagement.messaging.transport import Mail, Sender
from engagement.models import STAFF_KINDS, Body, Member, Message, Round, RoundAmendment
from engagement.words import words_of


def stop_url(public_url: str, token: str) -> str:
    """The page on which a member says that they want fewer mails. Under `/a/`, of which nobody keeps a log."""
    return f"{public_url}/a/stop/{token}"


def shared(body: Body, round_: Round, public_url: str) -> dict[str, str]:
    """What a template may say of the body and the round, whoever gets the mail."""
    return words_of(body.words) | {
        "organisation": body.name,
        "round": round_.title,
        "closes": clock.show_instant(round_.closes_at),
        "practices": f"{public_url}/practices",
    }


def compose(
    session: Session,
    keys: MailKeys,
    config: Config,
    message: Message,
    recipient: Recipient,
    sender: Sender,
) -> Mail:
    """Write a message to its recipient. Raises `NotFound` when a results mail has no release to speak of."""
    if recipient.letter is not None:
        return _letter(session, keys, config, message, recipient, sender)
    body, round_ = recipient.body, recipient.round
    mail_key = keys.mail(body.id)
    values = shared(body, round_, config.public_url) | {"person": recipient.person}
    stop = None
    if recipient.member_id is not None:
        stop = stop_url(config.public_url, opt_out_token(mail_key, recipient.member_id))
        values["stop"] = stop
    if recipient.token is not None:
        values["link"] = links.url(config.public_url, round_.public_id, recipient.token)
    if message.kind == "published":
        values["results"] = results.members_page(session, body, config.public_url)
        member = session.get(Member, recipient.member_id)
        values["page"] = my_page.url(config.public_url, my_page.current(session, keys, member) or "")
    elif message.kind in STAFF_KINDS:
        content = results.newest(session, round_.id)
        if content is None:
            raise NotFound("There is no release to tell of.")
        values |= {"verdict": results.verdict(content), "results": f"{config.public_url}/"}
    chosen = settings.template(session, body.id, message.kind)
    if tells_of_cancelling(session, message):
        amendment = session.get(RoundAmendment, (round_.id, message.number))
        chosen = templates.CANCELLED
        values["reason"] = json.loads(amendment.content)["reason"]
    footer = "staff" if message.kind in STAFF_KINDS else "member"
    person = f"m{recipient.member_id}" if recipient.member_id is not None else f"a{recipient.account_id}"
    return Mail(
        to=recipient.address,
        sender=sender,
        words=templates.write(chosen, values, footer=footer),
        key=message_id(mail_key, round_.public_id, message.kind, message.number, person),
        stop=stop,
        tried_before=message.attempts > 1,
    )


def letter(body: Body, subject: str, text: str, *, person: str, page: str, stop: str) -> templates.Words:
    """A letter in its words, for one person. `page`, `stop`: addresses of their own page and of the one for fewer mails."""
    values = letter_values(body) | {"person": person, "page": page, "stop": stop}
    chosen = templates.Template(subject, text)
    return templates.write(chosen, values, footer="member", links=templates.LETTER_LINKS)


def letter_values(body: Body) -> dict[str, str]:
    """What a letter may say of the body, whoever gets it."""
    return words_of(body.words) | {"organisation": body.name}


def _letter(
    session: Session,
    keys: MailKeys,
    config: Config,
    message: Message,
    recipient: Recipient,
    sender: Sender,
) -> Mail:
    """A letter to one person: beside its words, nothing in it differs from one letter to the next but by chance."""
    body, about = recipient.body, recipient.letter
    mail_key = keys.mail(body.id)
    stop = stop_url(config.public_url, opt_out_token(mail_key, recipient.member_id))
    member = session.get(Member, recipient.member_id)
    page = my_page.url(config.public_url, my_page.current(session, keys, member) or "")
    return Mail(
        to=recipient.address,
        sender=sender,
        words=letter(body, about.subject, about.text, person=recipient.person, page=page, stop=stop),
        key=message_id(mail_key, f"letter-{about.id}", message.kind, message.number, f"m{member.id}"),
        stop=stop,
        tried_before=message.attempts > 1,
    )
