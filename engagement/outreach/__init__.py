"""Outreach: the catalogue of actions, the plan of contacts, the log, buddies and peer groups."""
