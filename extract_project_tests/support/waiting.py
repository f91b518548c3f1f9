"""Waiting for an event with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")


def await_value(what: str, probe: Callable[[], T | None], seconds: float = 60) -> T:
    """The first value of `probe` that is not None or False; fails saying what was awaited."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = probe()
        if value is not None and value is not False:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds:.0f} s for {what}")


def await_next_second() -> datetime:
    """S3 dates to the second: a moment in the next one is after everything so far."""
    now = datetime.now(UTC)
    later = now.replace(microsecond=0) + timedelta(seconds=1)
    await_value("the next second", lambda: datetime.now(UTC) >= later)
    return now
