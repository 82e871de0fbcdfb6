"""Trainings to a target accuracy."""
