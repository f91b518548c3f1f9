"""Checks of a run's surroundings: the clock, local disk."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from extract_project.doctor.finding import Finding
from extract_project.errors import StoreError
from extract_project.store.protocol import Store
from extract_project.units import format_bytes, format_duration

_MOST_SKEW = timedelta(seconds=30)
"""S3 refuses requests beyond 15 minutes. G4 compares start times, so it needs much less."""
_LEAST_DISK = 2**30


def clock(store: Store) -> Finding:
    """Compare this machine's clock with S3's, which even a refusal tells."""
    try:
        date = store.clock()
    except StoreError as error:
        return Finding("clock", False, f"S3 does not answer: {error}", "see the lines above")
    if date is None:
        return Finding("clock", True, "not compared: S3's answer has no date")
    skew = abs(datetime.now(UTC) - date)
    if skew > _MOST_SKEW:
        detail = f"this machine's clock and S3's differ by {format_duration(skew)}"
        return Finding("clock", False, detail, "synchronise this machine's clock (NTP)")
    return Finding("clock", True, f"within {format_duration(_MOST_SKEW)} of S3's")


def disk() -> Finding:
    """Free space for the temporary files of exact checks and DuckDB."""
    place = Path(tempfile.gettempdir())
    try:
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        return Finding("disk", False, f"{place}: {error}", "mount a writable volume on it")
    detail = f"{format_bytes(free)} free in {place}"
    if free < _LEAST_DISK:
        fix = "free space, set a larger 'disk' in the header, or set TMPDIR to a larger volume"
        return Finding("disk", False, detail, fix)
    return Finding("disk", True, detail)
