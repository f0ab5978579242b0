"""Who may do what: actors, accounts, sessions and the audit log."""

from engagement.access.actor import READERS, ROLE_NAMES, Actor, Role

__all__ = ["READERS", "ROLE_NAMES", "Actor", "Role"]
