"""Constants of a header (`params`, the values of checks), exact through YAML and through JSON.

JSON has no dates and no exact decimals, so such constants are written with their type:
`{"decimal": "1.50"}`, `{"date": "2026-01-01"}`, `{"timestamp": "2026-01-01T06:00:00"}`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

Value = bool | int | Decimal | str | date | datetime | None
"""A constant that can be bound to a `:name`, or compared with a column."""

_READERS = {"decimal": Decimal, "date": date.fromisoformat, "timestamp": datetime.fromisoformat}


def _read(value: Any) -> Value:
    if isinstance(value, dict) and len(value) == 1:
        ((kind, text),) = value.items()
        if kind in _READERS:
            value = _READERS[kind](str(text))  # type: ignore[operator]
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, datetime):
        _require_instant(value)
    if value is None or isinstance(value, bool | int | Decimal | str | date):
        return value
    raise ValueError("expected text, a number, true, false, a date, a timestamp or null")


def _require_instant(value: datetime) -> None:
    """Raise ValueError for a time that is in UTC, as warehouses take it, before year 1 or after
    9999."""
    if value.tzinfo is None:
        return
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise ValueError(
            f"{value} is, in UTC, outside of the years 1 to 9999: expected a time within them"
        ) from None


def _write(value: Value) -> Any:
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, datetime):
        return {"timestamp": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    return value


Constant = Annotated[
    Any,
    BeforeValidator(_read),
    PlainSerializer(_write),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]
