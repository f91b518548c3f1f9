"""Values as a prepared statement takes them: beside the text, each with its type.

`COM_STMT_EXECUTE` has them as bytes whose types are those of columns, in the "Binary Protocol
Value" form. A datetime with a zone becomes the same instant in UTC, the zone of the session.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from struct import pack

from extract_project.values import Value
from extract_project.warehouses.mysql.fields import length_encoded

_LONG, _NULL, _LONGLONG, _DATE, _DATETIME, _DECIMAL, _TEXT = 3, 6, 8, 10, 12, 246, 253
_UNSIGNED = 0x80
_SIGNED, _LARGEST_UNSIGNED = range(-(2**63), 2**63), 2**64 - 1


def bound(values: Sequence[Value]) -> bytes:
    """The parameters of an execution: which are NULL, the types, the values."""
    if not values:
        return b""
    nulls = bytearray((len(values) + 7) // 8)
    types, data = b"", b""
    for index, value in enumerate(values):
        if value is None:
            nulls[index // 8] |= 1 << index % 8
        kind, sign, text = _bound(value)
        types += bytes((kind, sign))
        data += text
    return bytes(nulls) + b"\1" + types + data


def stand_in(value: Value) -> str:
    """A constant that has the type of a value, and none of its data.

    A statement is described before it gets its values, and until then MariaDB takes each parameter
    for NULL. This constant stands in for the value.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true"
    if isinstance(value, int) and value in _SIGNED:
        return str(_SIGNED[-1])
    if isinstance(value, int) and 0 < value <= _LARGEST_UNSIGNED:
        return str(_LARGEST_UNSIGNED)
    if isinstance(value, int | Decimal):
        # A point at the end makes a decimal of digits that could be an integer.
        digits = re.sub(r"\d", "9", f"{Decimal(value):f}".lstrip("-"))
        return digits if "." in digits else f"{digits}."
    if isinstance(value, datetime):
        return "timestamp'2000-01-01 00:00:00.000001'"
    if isinstance(value, date):
        return "date'2000-01-01'"
    return "'text'"


def _bound(value: Value) -> tuple[int, int, bytes]:
    """The type of a value, whether it is unsigned, and its bytes."""
    if value is None:
        return _NULL, 0, b""
    if isinstance(value, bool):
        return _LONG, 0, pack("<i", value)
    if isinstance(value, int):
        if value in _SIGNED:
            return _LONGLONG, 0, pack("<q", value)
        if 0 < value <= _LARGEST_UNSIGNED:
            return _LONGLONG, _UNSIGNED, pack("<Q", value)
        value = Decimal(value)
    if isinstance(value, Decimal):
        return _DECIMAL, 0, length_encoded(f"{value:f}".encode())
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        clock = (moment.hour, moment.minute, moment.second, moment.microsecond)
        return _DATETIME, 0, pack("<BHBBBBBI", 11, *_day(moment), *clock)
    if isinstance(value, date):
        return _DATE, 0, pack("<BHBB", 4, *_day(value))
    return _TEXT, 0, length_encoded(value.encode())


def _day(value: date) -> tuple[int, int, int]:
    return value.year, value.month, value.day
