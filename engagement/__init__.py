"""Member-engagement and governance surveys for membership bodies."""

__version__ = "0.1.0"
