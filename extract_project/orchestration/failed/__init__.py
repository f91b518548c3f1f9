"""Failures: list them, rerun them, and alert people."""
