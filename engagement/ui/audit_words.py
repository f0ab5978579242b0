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
    "action.publish": "Said what was done",
    "action.remove": "Took back what was said to be done",
    "answers.import": "Imported past answers",
    "ask.endorse": "Stood behind an ask, or took that back",
    "ask.hide": "Hid an ask",
    "ask.raise": "Raised an ask",
    "ask.reply": "Answered an ask",
    "ask.show": "Showed a hidden ask again",
    "ask.withdraw": "Took back an ask",
    "assessment": "Assessed the practices",
    "audit.check": "Checked the audit log",
    "audit.export": "Exported the audit log",
    "body.create": "Created the body",
    "comment.approve": "Let a comment be quoted",
    "comment.code": "Set the themes of a comment",
    "comment.edit": "Masked words of a comment",
    "comment.publish": "Published comments",
    "comment.reject": "Kept a comment back",
    "comment.undo": "Took back what was decided of a comment",
    "council.answer": "Answered the council",
    "council.ask": "Put a question or remark as council",
    "council.public": "Changed who may read a question of the council",
    "council.reviewed": "Reviewed results as council",
    "export": "Exported results at the command line",
    "instrument.item": "Added a statement",
    "instrument.items": "Changed the questions",
    "instrument.seed": "Took the questions from the bank",
    "instrument.wording": "Changed a wording",
    "letter.cap": "Changed how many mails are enough for a practice",
    "letter.queue": "Wrote to the practices of a segment",
    "letter.stop": "Stopped a message to practices",
    "letter.text": "Changed the words of a message to practices",
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
    "meeting.add": "Added a meeting",
    "meeting.import": "Imported meetings",
    "meeting.record": "Noted who came to a meeting",
    "meeting.remove": "Removed a meeting",
    "member.add": "Added a member",
    "member.correct": "Corrected a member",
    "member.end": "Ended a member’s role",
    "member.move": "Moved a member",
    "member.reinstate": "Took back the end of a member’s role",
    "outreach.accept": "Accepted a plan of contacts",
    "outreach.accept_undo": "Took back the acceptance of a plan of contacts",
    "outreach.action": "Changed an action of the catalogue",
    "outreach.action_reset": "Took an action of the catalogue back to our words",
    "outreach.add": "Added a contact to the plan",
    "outreach.cancel": "Cancelled a planned contact",
    "outreach.change": "Changed a planned contact",
    "outreach.discard": "Threw away a proposed plan",
    "outreach.evaluation": "Worked out whether visits worked",
    "outreach.exclude": "Noted a practice that is not to be approached",
    "outreach.group_move": "Moved a practice to another peer group",
    "outreach.groups": "Kept peer groups",
    "outreach.include": "Let a practice be approached again",
    "outreach.log": "Logged a contact",
    "outreach.log_correct": "Corrected a logged contact",
    "outreach.log_undo": "Took back a logged contact",
    "outreach.next_step": "Noted whether a next step was done",
    "outreach.order_discard": "Threw away an order of visits unseen",
    "outreach.order_open": "Opened an order of visits",
    "outreach.order_seal": "Drew and sealed an order of visits",
    "outreach.pair_agree": "Noted who agreed to be paired",
    "outreach.pair_end": "Ended a pair of practices",
    "outreach.pair_reopen": "Took up a pair of practices again",
    "outreach.pair_runner_up": "Took the next best pair of practices",
    "outreach.pairs": "Proposed pairs of practices",
    "outreach.person": "Changed who can visit",
    "outreach.propose": "Proposed a plan of contacts",
    "outreach.settings": "Changed the rules of outreach",
    "outreach.undo": "Took back a change of the plan",
    "page.links": "Handed out links to members’ own pages",
    "page.view": "Looked at a page of results",
    "practice.add": "Added a practice",
    "practice.close": "Closed a practice",
    "practice.correct": "Corrected a practice",
    "practice.reopen": "Took back the closing of a practice",
    "programme.approve": "Approved a round of the programme",
    "programme.move": "Moved a date of the programme",
    "programme.pause": "Paused the programme",
    "programme.resume": "Resumed the programme",
    "programme.set": "Changed the programme",
    "programme.skip": "Left out a round of the programme",
    "programme.unmove": "Took back a moved date of the programme",
    "proposal.accept": "Took up a question of the council",
    "proposal.decline": "Declined a question of the council",
    "proposal.endorse": "Endorsed a question for the next round, or took that back",
    "proposal.new": "Proposed a question for the next round",
    "proposal.withdraw": "Took back a proposed question",
    "refused": "Was refused",
    "release": "Released results",
    "release.correct": "Published a correction",
    "release.export": "Exported results",
    "request.given": "Noted which practices gave what was asked",
    "request.log": "Logged a request to practices",
    "request.remove": "Removed a request to practices",
    "restore": "Put a copy back",
    "results.link": "Made a new link for the members’ page",
    "results.page": "Changed who may find the members’ page",
    "retention": "Deleted what was kept long enough",
    "role.standing": "Changed what a role counts as",
    "roster.import.members": "Imported members",
    "roster.import.practices": "Imported practices",
    "round.cancelled": "Cancelled a round",
    "round.close": "Closed a round",
    "round.discard": "Deleted a draft",
    "round.draft": "Drafted a round",
    "round.extended": "Extended a round",
    "round.keys_destroyed": "Destroyed a round’s keys",
    "round.launch": "Launched a round",
    "round.links": "Handed out personal links",
    "round.mix": "Mixed a round’s answers",
    "round.open": "Opened a round",
    "round.paused": "Paused a round",
    "round.resumed": "Resumed a round",
    "second-factor.codes": "Made new recovery codes",
    "second-factor.discard": "Gave up setting up a second factor",
    "second-factor.recovery": "Used a recovery code",
    "second-factor.remove": "Took a second factor away",
    "second-factor.set": "Set up a second factor",
    "session.end": "Signed out",
    "session.revoke": "Ended a session",
    "session.start": "Signed in",
    "subject.erase": "Erased what is held of a person",
    "subject.report": "Made a report of what is held of a person",
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
