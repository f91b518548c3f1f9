"""How a run, or one extract in it, has come out so far: one list of words for all that says so."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How a run, or one extract in it, has come out so far."""

    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    """An audit refused the result."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not tried, because an upstream extract in the same run failed."""
    CANCELLED = "cancelled"
    RUNNING = "running"
    """Starting or running."""
    QUEUED = "queued"
