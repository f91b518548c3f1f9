"""Waiting for an event with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from extract_project.warehouses.conformance.waiting import await_value

__all__ = ["await_next_second", "await_value"]


def await_next_second() -> datetime:
    """S3 dates to the second: a moment in the next one is after everything so far."""
    now = datetime.now(UTC)
    later = now.replace(microsecond=0) + timedelta(seconds=1)
    await_value("the next second", lambda: datetime.now(UTC) >= later)
    return now
