"""Errors that say what to do. Everything a person may be shown derives from `EngagementError`."""


class EngagementError(Exception):
    """Base of all expected errors; its text is fit to be shown to the person who caused it.

    `refusal` says who was refused where it is about a role (see `engagement.access.actor.Refusal`).
    """

    refusal = None


class NotAllowed(EngagementError):
    """The actor's role does not permit the verb. The text names the role that does."""


class NotFound(EngagementError):
    """No such thing, or none that this actor may know of."""


class Invalid(EngagementError):
    """Input that cannot be taken. `problems` holds one clear line for each fault, remedy included."""

    def __init__(self, message: str, problems: list[str] | None = None):
        super().__init__(message)
        self.problems = problems or []


class Conflict(EngagementError):
    """The thing changed since it was read, or is in a state that does not allow the verb."""


class Unsafe(EngagementError):
    """A step that would break a promise of confidentiality or lose answers; nothing was changed."""
