"""Times for people: `3 h ago`, `in 35 min`, `06:00`, in the time zone of the terminal."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_COARSE = 2
"""Below so many of a unit, the next smaller unit is shown: `90 min`, not `1 h`."""
_KEPT = 1_000


def span(value: timedelta | float) -> str:
    """`90 s`, `35 min`, `5 h`, `3 d`: one unit, rounded down; never negative."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    for size, unit in _STEPS:
        if seconds >= _COARSE * size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(seconds, 0):.0f} s"


def is_slow(seconds: float, usual: float) -> bool:
    """Whether something takes more than twice as long as usual, and by more than a second."""
    return seconds > 2 * usual and seconds - usual > 1


def ago(moment: datetime, now: datetime) -> str:
    """`5 h ago`."""
    return f"{span(now - moment)} ago"


@lru_cache(_KEPT)
def clock(
    moment: datetime, now: datetime, zone: tzinfo | None = None, *, seconds: bool = False
) -> str:
    """`06:00` today, else `Mon 06:00` within a week, else `2026-01-31 06:00`.

    Without a zone, in the local time of this machine. Many extracts start at the same tick.
    """
    there, today = moment.astimezone(zone), now.astimezone(zone)
    time = f"{there:%H:%M:%S}" if seconds else f"{there:%H:%M}"
    if there.date() == today.date():
        return time
    within_a_week = abs(there.date() - today.date()) < timedelta(days=7)
    return f"{there:%a} {time}" if within_a_week else f"{there:%Y-%m-%d} {time}"


def at(moment: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """`06:00 (35 min ago)`, or `06:00 (in 35 min)`."""
    distance = ago(moment, now) if moment <= now else f"in {span(moment - now)}"
    return f"{clock(moment, now, zone)} ({distance})"
