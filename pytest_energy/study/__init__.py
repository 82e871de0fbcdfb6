"""Runs of several machines and commits in one table, with what they have in common."""
