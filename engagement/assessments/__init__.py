"""Assessments of practices: built once a round from what was known at its close, read by everything else."""
