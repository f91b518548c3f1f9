"""ARRAY, MAP and STRUCT as JSON text: what `to_json` shows of them, but for two things.

NULL in a STRUCT is written, which `to_json` leaves out: a reader finds each field in each row. And
a decimal has all its digits. Times are ISO 8601; binary is Base64; NaN and infinities, which JSON
does not have, are text.
"""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from extract_project.errors import TypeMappingError


def as_json(column: pa.Array, name: str, rows_before: int) -> pa.Array:
    """The column as text, one JSON value a row; raises TypeMappingError with the row."""
    texts: list[str | None] = []
    for index, each in enumerate(column):
        if not each.is_valid:
            texts.append(None)
            continue
        try:
            texts.append(_text(each))
        except (ValueError, OverflowError) as error:
            raise TypeMappingError(
                f"column {name!r} has a value in row {rows_before + index + 1:,} that cannot be "
                f"written as JSON ({error}): convert it in the SQL, to_json({name})"
            ) from error
    return pa.array(texts, pa.string())


def is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _text(scalar: pa.Scalar) -> str:
    """The JSON of an Arrow value; a STRUCT may have two fields of one name, so no dict is made."""
    kind = scalar.type
    if not scalar.is_valid:
        return "null"
    if pa.types.is_struct(kind):
        pairs = [
            f"{_quoted(kind.field(i).name)}:{_text(scalar[i])}" for i in range(kind.num_fields)
        ]
        return "{" + ",".join(pairs) + "}"
    if pa.types.is_map(kind):
        entries = scalar.values
        keys, items = entries.field(0), entries.field(1)
        pairs = [f"{_key(keys[i])}:{_text(items[i])}" for i in range(len(entries))]
        return "{" + ",".join(pairs) + "}"
    if is_list(kind):
        return "[" + ",".join(_text(each) for each in scalar.values) + "]"
    return _plain(scalar.as_py())


def _key(scalar: pa.Scalar) -> str:
    """A key of a MAP: JSON has text alone as keys."""
    text = _text(scalar)
    return text if text.startswith('"') else _quoted(text)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else _quoted(_not_finite(value))
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return _quoted(_moment(value))
    if isinstance(value, date):
        return _quoted(value.isoformat())
    if isinstance(value, bytes):
        return _quoted(base64.b64encode(value).decode())
    return _quoted(str(value))


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
