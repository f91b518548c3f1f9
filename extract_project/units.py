"""Durations, times and sizes as people write them: `90s`, `1h30m`, `2 days`, `256MB`, `4GiB`."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_KIB = 1024
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(
    r"\s*(\d{1,9})\s*(s|m|h|d|sec|min|hours?|days?|minutes?|seconds?)(?![a-z])", re.ASCII
)
_LONGEST = timedelta(days=36_500)
_MIB = 1 << 20
_BILLIONTH = Decimal("1e-9")
_MIB_OF = {"m": 1, "g": 1024, "t": 1024**2}
_SIZE = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*(M|G|T)i?B\s*", re.IGNORECASE | re.ASCII)
SIZE_PATTERN = r"^\s*\d{1,9}(\.\d{1,9})?\s*[MmGgTt][iI]?[bB]\s*$"
_PATTERN = r"^\s*(\d{1,9}\s*(s|m|h|d|sec|min|hours?|days?|minutes?|seconds?)\s*)+$"


def parse_duration(value: Any) -> Any:
    """`1h30m` as a timedelta; raises ValueError that shows the form."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) and re.match(_PATTERN, value.lower()):
        parts = _PART.findall(value.lower())
        seconds = sum(int(n) * _SECONDS[unit[0]] for n, unit in parts)
        if seconds > _LONGEST.total_seconds():
            raise ValueError(f"{value!r} is longer than {_LONGEST.days}d")
        return timedelta(seconds=seconds)
    raise ValueError(
        f"{value!r} is not a duration: expected a number and a unit, as in 90s, 30m, 1h"
    )


def parse_moment(text: str, now: datetime | None = None) -> datetime:
    """A time such as `2026-01-31T06:00:00Z` (UTC without a zone), or a duration ago, as in `24h`.

    Raises ValueError that shows both forms.
    """
    try:
        return (now or datetime.now(UTC)) - parse_duration(text)  # type: ignore[no-any-return]
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a time: expected 2026-01-31T06:00:00 (UTC, or with an offset), "
            f"or how long ago, as in 24h"
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def moment_of(timestamp: float | None) -> datetime | None:
    """The time of a timestamp in seconds since 1970, in UTC; None for None."""
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)


def format_duration(value: timedelta) -> str:
    """The shortest form that `parse_duration` reads back: `1h30m`."""
    seconds = int(value.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "pattern": _PATTERN, "examples": ["90s", "30m", "1h"]}),
]


def parse_size(value: Any, example: str = "256MB, 2GB") -> int:
    """`256MB` or `1.5GB` as a number of bytes, rounded up; a MB has 1,048,576.

    Raises ValueError that shows the form.
    """
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None or not Decimal(found[1]):
        raise ValueError(f"{value!r} is not a size: expected a number and a unit, as in {example}")
    return math.ceil(Decimal(found[1]) * _MIB_OF[found[2].lower()] * _MIB)


def _read_size(value: Any) -> int:
    return parse_size(value)


def format_size(value: int) -> str:
    """Format bytes so that `parse_size` reads them back: `256MB`, `1.5MB`."""
    count = (Decimal(value) / _MIB).quantize(_BILLIONTH, ROUND_DOWN)
    return f"{count.normalize():f}MB"


Size = Annotated[
    int,
    BeforeValidator(_read_size),
    PlainSerializer(format_size, when_used="unless-none"),
    WithJsonSchema({"type": "string", "pattern": SIZE_PATTERN, "examples": ["256MB", "2GB"]}),
]


def format_bytes(count: float) -> str:
    """`1536` as `1.5 KiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < _KIB:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _KIB
    return f"{count:.1f} TiB"
