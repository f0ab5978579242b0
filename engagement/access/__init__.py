"""Who may do what: actors, accounts, sessions and the audit log."""

from engagement.access.actor import KEEPERS, READERS, ROLE_NAMES, Actor, Role

__all__ = ["KEEPERS", "READERS", "ROLE_NAMES", "Actor", "Role"]
