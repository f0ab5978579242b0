"""Releases: built by the worker at close, read by everything else."""
