"""Joules over commits: points of many runs, the series they make, and where those step. Pure."""
