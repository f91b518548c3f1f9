"""The values of `:name`s, which ClickHouse binds as `{name:Type}`.

The type is that of the value, and the text is in the form of the URL parameters `param_name`:
https://clickhouse.com/docs/interfaces/http#cli-queries-with-parameters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from extract_project.warehouses.protocol import Label, Query

_INT64, _INT128 = 2**63, 2**127
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


def comment_of(label: Label) -> str:
    """What the query log has in `log_comment`."""
    fields = {
        "extract": label.extract,
        "sql_version": label.sql_version,
        "run_id": label.run_id,
        "partition": label.partition,
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def markers(query: Query) -> Callable[[str], str]:
    """`:name` as ClickHouse writes it. It tells names apart by case."""
    return lambda name: f"{{{name}:{_typed(query.values[name])[0]}}}"


def bound(query: Query) -> Mapping[str, str]:
    """The values, as parameters of the URL."""
    return {f"param_{name}": _typed(value)[1] for name, value in query.bound.items()}


def _typed(value: Any) -> tuple[str, str]:
    if value is None:
        return "Nullable(Nothing)", "\\N"
    if isinstance(value, bool):
        return "Bool", "true" if value else "false"
    if isinstance(value, int):
        if -_INT64 <= value < _INT64:
            return "Int64", str(value)
        return ("Int128" if -_INT128 <= value < _INT128 else "Int256"), str(value)
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return "DateTime64(6, 'UTC')", moment.isoformat(" ", "microseconds")
    if isinstance(value, date):
        return "Date32", value.isoformat()
    return "String", str(value).translate(_ESCAPES)


def _decimal(value: Decimal) -> tuple[str, str]:
    text = format(value, "f")
    whole, _, fraction = text.lstrip("-").partition(".")
    digits = max(1, len(whole.lstrip("0")) + len(fraction))
    return f"Decimal({max(digits, len(fraction))}, {len(fraction)})", text
