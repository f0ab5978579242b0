"""Who is asking. Every verb takes an `Actor` first and checks it; nothing else decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from engagement.errors import NotAllowed, NotFound


class Role(StrEnum):
    """What an account may be in a body."""

    LEAD = "engagement_lead"
    GOVERNING = "governing_body"
    COUNCIL = "council"
    REVIEWER = "comment_reviewer"


ROLE_NAMES = {
    Role.LEAD: "Engagement lead",
    Role.GOVERNING: "Governing body",
    Role.COUNCIL: "Council representative",
    Role.REVIEWER: "Comment reviewer",
}
READERS = (Role.LEAD, Role.GOVERNING, Role.COUNCIL)


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
        """Raise `NotFound` to strangers of the body and `NotAllowed` to its people without the role."""
        if self.may(body_id, *roles):
            return
        if not self.may(body_id, *Role):
            raise NotFound("There is no such page or record for your account.")
        names = " or ".join(ROLE_NAMES[role].lower() for role in roles)
        raise NotAllowed(f"Only the {names} can do this.")
