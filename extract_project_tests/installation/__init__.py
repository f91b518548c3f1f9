"""Dagster's own processes, started once: the tests in here share one installation."""
