"""The roster: practices, members, their dated roles, and how each stands at a date.

`standing` answers who is on it at a date. `preview_practices`, `preview_members` and `apply` import files; `people`
and `practices` hold the verbs for one person or practice at a time.
"""

from engagement.roster.bodies import ensure_body
from engagement.roster.imports import Summary, apply
from engagement.roster.members_file import preview_members
from engagement.roster.practices_file import bodies_in, preview_practices
from engagement.roster.preview import Line, Preview
from engagement.roster.standing import Standing
from engagement.roster.table_file import BROWSER, COMMAND_LINE, Limits

__all__ = [
    "BROWSER",
    "COMMAND_LINE",
    "Limits",
    "Line",
    "Preview",
    "Standing",
    "Summary",
    "apply",
    "bodies_in",
    "ensure_body",
    "preview_members",
    "preview_practices",
]
