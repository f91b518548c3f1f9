"""Times as people on call write them: `5:00`, `6h`, `2026-01-31T05:00Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from extract_project.units import parse_moment

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def parse_clock(text: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """The last `5:00` before now, in the local time of this machine or in a zone; else what
    `parse_moment` reads. Raises ValueError that shows the forms.
    """
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        try:
            return parse_moment(text, now)
        except ValueError as error:
            raise ValueError(f"{error}, or 5:00, the last one in local time") from None
    there = now.astimezone(zone)
    clock = there.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
    if clock > there:
        clock = (clock - timedelta(days=1)).replace(hour=clock.hour, minute=clock.minute)
    return clock.astimezone(UTC)
