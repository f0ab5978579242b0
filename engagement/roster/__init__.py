"""The roster: practices, members, their dated roles, and how each stands at a date."""
