"""Dates and timestamps outside the years 0001 to 9999.

Arrow and Parquet hold them. ISO 8601 allows them only by agreement, with a sign and more digits,
and few readers of text accept that. So their text is for people and for comparisons only, and text
files never contain it. Python's `datetime` does not support these years, and Arrow's own text is
wrong for distant ones.
"""

from __future__ import annotations

import re
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_FRACTION_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_DAY_SECONDS = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_DAY, _LAST_DAY = date.min.toordinal() - _EPOCH, date.max.toordinal() - _EPOCH
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097
"""The calendar repeats after this many years, or days."""
_EXPANDED = re.compile(r"([+-]\d{4,})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?Z?)?")


def is_beyond(values: pa.Array) -> pa.BooleanArray | None:
    """Whether each value is outside those years; NULL for NULL.

    None if no value is, or if the type has no years.
    """
    kind = values.type
    if pa.types.is_date32(kind):
        numbers, first, last = values.cast(pa.int32()), _FIRST_DAY, _LAST_DAY
    elif pa.types.is_timestamp(kind) and kind.unit != "ns":
        per_day = _DAY_SECONDS * PER_SECOND[kind.unit]
        numbers, first, last = values.cast(pa.int64()), _FIRST_DAY * per_day, _last(per_day)
    else:
        return None
    beyond = pc.or_(pc.less(numbers, first), pc.greater(numbers, last))
    return beyond if pc.any(beyond).as_py() else None


def _last(per_day: int) -> int:
    return (_LAST_DAY + 1) * per_day - 1


def expanded(number: int, kind: pa.DataType) -> str:
    """A date or timestamp outside those years in ISO 8601: `+12022-01-01`, `-0043-03-15T06:00:00`.

    `number` counts the type's unit from 1970. The year 0 is 1 BC.
    """
    if pa.types.is_date32(kind):
        return _expanded_date(number)
    per_second, digits = PER_SECOND[kind.unit], _FRACTION_DIGITS[kind.unit]
    days, rest = divmod(number, _DAY_SECONDS * per_second)
    seconds, fraction = divmod(rest, per_second)
    point = f".{fraction:0{digits}}" if digits else ""
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}"
    return f"{_expanded_date(days)}T{clock}{'Z' if kind.tz else ''}"


def _expanded_date(days: int) -> str:
    cycles, rest = divmod(days, _CYCLE_DAYS)
    day = date.fromordinal(_EPOCH + rest)
    year = day.year + cycles * _CYCLE_YEARS
    sign = "+" if year >= 0 else "-"
    return f"{sign}{abs(year):04}-{day:%m-%d}"


def read_expanded(text: str, kind: pa.DataType) -> int | None:
    """The inverse of `expanded`; None if the text has no sign."""
    found = _EXPANDED.fullmatch(text)
    if found is None:
        return None
    year, month, day, *clock, fraction = found.groups()
    cycles, rest = divmod(int(year) - 1, _CYCLE_YEARS)
    days = date(rest + 1, int(month), int(day)).toordinal() - _EPOCH + cycles * _CYCLE_DAYS
    if pa.types.is_date32(kind):
        return days
    hours, minutes, seconds = (int(each or 0) for each in clock)
    whole = days * _DAY_SECONDS + hours * 3600 + minutes * 60 + seconds
    digits = _FRACTION_DIGITS[kind.unit]
    return whole * PER_SECOND[kind.unit] + int((fraction or "0").ljust(digits, "0")[: digits or 1])
