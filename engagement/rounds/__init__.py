"""Rounds: drafted, checked, launched under a promise, opened by the worker, and closed."""
