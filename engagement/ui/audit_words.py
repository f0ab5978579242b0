"""Lines of the audit log in words. Everything in a line may have been typed: show it as text only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engagement.access import ROLE_NAMES
from engagement.access.audit import Entry

WORDS = {
    "account.connect": "Connected an account to a sign-in provider",
    "account.create": "Gave somebody an account or a role",
    "account.disable": "Disabled an account",
    "account.disconnect": "Disconnected an account from a sign-in provider",
    "account.enable": "Enabled an account",
    "account.invite": "Invited somebody to sign in",
    "account.password": "Chose a new password",
    "account.reset": "Reset a password",
    "account.roles": "Changed somebody’s roles",
    "answers.import": "Imported past answers",
    "assessment": "Assessed the practices",
    "audit.check": "Checked the audit log",
    "audit.export": "Exported the audit log",
    "body.create": "Created the body",
    "comment.publish": "Published comments",
    "council.answer": "Answered the council",
    "council.ask": "Put a question or remark as council",
    "council.public": "Changed who may read a question of the council",
    "council.reviewed": "Reviewed results as council",
    "export": "Exported results at the command line",
    "instrument.item": "Added a statement",
    "instrument.items": "Changed the questions",
    "instrument.seed": "Took the questions from the bank",
    "instrument.wording": "Changed a wording",
    "link.approve": "Approved linking a panel code to a person",
    "link.ask": "Asked to link a panel code to a person",
    "link.open": "Opened the panel code of a person",
    "link.refuse": "Refused to link a panel code to a person",
    "mail.bounce": "Noted an address that does not work",
    "mail.deliver_again": "Let mail go to an address again",
    "mail.queue": "Put mail in for everybody whom it concerns",
    "mail.retry": "Tried undelivered mail again",
    "mail.settings": "Changed the settings of mail",
    "mail.template": "Changed the words of a mail",
    "outreach.evaluation": "Worked out whether visits worked",
    "page.view": "Looked at a page of results",
    "proposal.accept": "Took up a question of the council",
    "proposal.decline": "Declined a question of the council",
    "proposal.endorse": "Endorsed a question for the next round, or took that back",
    "proposal.new": "Proposed a question for the next round",
    "proposal.withdraw": "Took back a proposed question",
    "refused": "Was refused",
    "release": "Released results",
    "release.export": "Exported results",
    "results.link": "Made a new link for the members’ page",
    "results.page": "Changed who may find the members’ page",
    "round.close": "Closed a round",
    "round.discard": "Deleted a draft",
    "round.draft": "Drafted a round",
    "round.keys_destroyed": "Destroyed a round’s keys",
    "round.launch": "Launched a round",
    "round.links": "Handed out personal links",
    "round.mix": "Mixed a round’s answers",
    "round.open": "Opened a round",
    "session.end": "Signed out",
    "session.revoke": "Ended a session",
    "session.start": "Signed in",
}
# Shown in their own words, or of use to nobody who reads.
LEFT_OUT = ("account", "role", "roles", "needs")
LONGEST = 80
# A fingerprint is known by its beginning.
_HASH = re.compile(r"[0-9a-f]{64}")


def what(entry: Entry) -> str:
    """What was done: our words for it, or the action's own name where there are none."""
    return WORDS.get(entry.action) or entry.action.replace(".", ": ").replace("_", " ").capitalize()


def details(entry: Entry) -> str:
    """What it was done to, in a few words."""
    found = [entry.about] if entry.about else []
    found += [_roles(entry.detail)] if _roles(entry.detail) else []
    found += [
        f"{name.replace('_', ' ')} {_value(value)}"
        for name, value in sorted(entry.detail.items())
        if name not in LEFT_OUT or (name == "account" and not entry.about)
    ]
    return ", ".join(found)


def _roles(detail: Mapping[str, Any]) -> str:
    found = detail.get("roles", [detail["role"]] if "role" in detail else [])
    known = {role.value: name.lower() for role, name in ROLE_NAMES.items()}
    names = ", ".join(known.get(role, str(role).replace("_", " ")) for role in found)
    needs = " or ".join(known.get(role, str(role)) for role in detail.get("needs", []))
    return f"for the {needs} only" if needs else names


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        text = ", ".join(_value(each) for each in value)
    elif isinstance(value, Mapping):
        text = ", ".join(f"{name} {_value(each)}" for name, each in sorted(value.items()))
    else:
        text = f"{value[:12]}…" if isinstance(value, str) and _HASH.fullmatch(value) else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
