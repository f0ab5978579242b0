"""Who is asking. Every verb takes an `Actor` first and checks it; nothing else decides."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum

from engagement.errors import Invalid, NotAllowed, NotFound


class Role(StrEnum):
    """What an account may be in a body."""

    LEAD = "engagement_lead"
    GOVERNING = "governing_body"
    COUNCIL = "council"
    REVIEWER = "comment_reviewer"
    RETURNING = "returning_officer"
    AUDITOR = "auditor"
    OPERATOR = "operator"


ROLE_NAMES = {
    Role.LEAD: "Engagement lead",
    Role.GOVERNING: "Governing body",
    Role.COUNCIL: "Council representative",
    Role.REVIEWER: "Comment reviewer",
    Role.RETURNING: "Returning officer",
    Role.AUDITOR: "Auditor",
    Role.OPERATOR: "Operator",
}
# Who reads results.
READERS = (Role.LEAD, Role.GOVERNING, Role.COUNCIL)
# Who gives and takes roles.
KEEPERS = (Role.LEAD, Role.OPERATOR)
# Who watches over the others holds no part of what they do.
ALONE = (Role.RETURNING, Role.AUDITOR, Role.OPERATOR)
# Comments are read by somebody who neither leads the body nor runs its survey.
APART = (
    (Role.REVIEWER, Role.LEAD),
    (Role.REVIEWER, Role.GOVERNING),
)


def check_together(roles: Collection[Role]) -> None:
    """Raise `Invalid` when one person may not hold these roles in one body."""
    for role in ALONE:
        if role in roles and len(set(roles)) > 1:
            raise Invalid(
                f"The {ROLE_NAMES[role].lower()} can have no other role here, so that nobody watches over their own "
                "work. Give the other role to somebody else."
            )
    for one, other in APART:
        if one in roles and other in roles:
            raise Invalid(
                f"One person cannot be {ROLE_NAMES[one].lower()} and {ROLE_NAMES[other].lower()}: comments are "
                "reviewed by somebody who neither leads the body nor runs its survey."
            )


@dataclass(frozen=True)
class Refusal:
    """Who was refused, in which body, and which roles would have done."""

    actor: Actor
    body_id: int
    roles: tuple[Role, ...]


@dataclass(frozen=True)
class Actor:
    """Somebody (or the worker, or an operator at the command line) on whose behalf a verb runs.

    `roles` holds (body id, role) pairs, read from the database when the actor was made: make a new one for
    each rerun and request, so that a role taken away is gone at once.
    """

    name: str
    roles: frozenset[tuple[int, Role]] = frozenset()
    account_id: int | None = None
    everything: bool = False
    bodies: tuple[int, ...] = field(default=())
    # Somebody who signed in is looked up again inside every verb: the same person now, None when signed out.
    again: Callable[[], Actor | None] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def operator(cls, name: str = "command line") -> Actor:
        """The person with a shell on the server."""
        return cls(name=name, everything=True)

    @classmethod
    def worker(cls) -> Actor:
        """The worker, which closes, mixes and releases."""
        return cls(name="worker", everything=True)

    def may(self, body_id: int, *roles: Role) -> bool:
        """Whether the actor holds one of `roles` in the body."""
        return self.everything or any((body_id, role) in self.roles for role in roles)

    def require(self, body_id: int, *roles: Role) -> None:
        """Raise `NotFound` to strangers of the body and `NotAllowed` to its people without the role.

        Somebody who signed in is asked for again first: a session that has ended since opens nothing. The error
        carries the `Refusal`, so that whoever shows it can have it recorded.
        """
        now = self.again() if self.again else self
        if now is None:
            raise NotAllowed("You have been signed out, and nothing was changed. Sign in again.")
        if now.may(body_id, *roles):
            return
        if not now.may(body_id, *Role):
            error = NotFound("There is no such page or record for your account.")
        else:
            names = " or ".join(ROLE_NAMES[role].lower() for role in roles)
            error = NotAllowed(f"Only the {names} can do this.")
        error.refusal = Refusal(self, body_id, roles)
        raise error
