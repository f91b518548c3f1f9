"""Read values from their text, in exactly the types they had: the inverse of `text`."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.schema.years import read_expanded


def from_text(text: pa.Array, kind: pa.DataType) -> pa.Array:
    """The inverse of `text.plain_text`."""
    if pa.types.is_binary(kind):
        decoded = [None if v is None else base64.b64decode(v) for v in text.to_pylist()]
        return pa.array(decoded, kind)
    if pa.types.is_nested(kind):
        values = [None if v is None else from_json(read_json(v), kind) for v in text.to_pylist()]
        return pa.array(values, kind)
    if pa.types.is_date32(kind) or pa.types.is_timestamp(kind):
        return _times(text, kind)
    if pa.types.is_time(kind):
        any_day = pc.binary_join_element_wise("1970-01-01", text, " ")
        return any_day.cast(pa.timestamp(kind.unit)).cast(kind)
    return text.cast(kind)


def _times(text: pa.Array, kind: pa.DataType) -> pa.Array:
    if pc.any(pc.match_substring_regex(text, "^[+-]")).as_py():  # years that Arrow cannot read
        numbers = [None if v is None else _time_number(v, kind) for v in text.to_pylist()]
        counted = pa.int32() if pa.types.is_date32(kind) else pa.int64()
        return pa.array(numbers, counted).cast(kind)
    if pa.types.is_timestamp(kind) and kind.tz:
        naive = pc.utf8_rtrim(text, "Z").cast(pa.timestamp(kind.unit))
        return pc.assume_timezone(naive, "UTC")
    return text.cast(kind)


def _time_number(text: str, kind: pa.DataType) -> int:
    found = read_expanded(text, kind)
    if found is None:
        found = from_text(pa.array([text], pa.string()), kind)[0].value
    return found


def read_json(text: str) -> Any:
    """Parse JSON without rounding numbers."""
    return json.loads(text, parse_float=Decimal)


def from_json(value: Any, kind: pa.DataType) -> Any:
    """Convert a value from `read_json` to type `kind`. Types that JSON lacks are text in it."""
    if value is None:
        return None
    if pa.types.is_list(kind):
        return [from_json(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind):
        return {field.name: from_json(value[field.name], field.type) for field in kind.fields}
    if pa.types.is_map(kind):
        texts = pa.array(list(value), pa.string())
        keys = [_scalar_value(key) for key in from_text(texts, kind.key_type)]
        items = (from_json(item, kind.item_type) for item in value.values())
        return list(zip(keys, items, strict=True))
    if pa.types.is_floating(kind):
        return float(value)
    if pa.types.is_decimal(kind):
        return Decimal(value)
    if isinstance(value, str) and not pa.types.is_string(kind):
        return _scalar_value(from_text(pa.array([value]), kind)[0])
    return value


def _scalar_value(scalar: pa.Scalar) -> Any:
    """The Python value that an array of the same type can be built from. Times are counts of their
    unit, since Python's types cannot hold all of them.
    """
    return scalar.value if pa.types.is_temporal(scalar.type) else scalar.as_py()
