"""Columns as Arrow has them, and as the API describes them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

NUMERIC, BIGNUMERIC = pa.decimal128(38, 9), pa.decimal256(76, 38)
_KINDS = {
    pa.bool_(): "BOOLEAN",
    pa.int64(): "INTEGER",
    pa.float64(): "FLOAT",
    pa.string(): "STRING",
    pa.binary(): "BYTES",
    pa.date32(): "DATE",
    pa.time64("us"): "TIME",
    pa.timestamp("us"): "DATETIME",
    pa.timestamp("us", "UTC"): "TIMESTAMP",
    pa.month_day_nano_interval(): "INTERVAL",
    NUMERIC: "NUMERIC",
    BIGNUMERIC: "BIGNUMERIC",
}


def sent_as(column: pa.Field) -> pa.Field:
    """A column of DuckDB's as it is sent. Integers of any size there are INT64 here."""
    return pa.field(column.name, _sent_type(column.type))


def _sent_type(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_list(kind):
        return pa.list_(pa.field("item", _sent_type(kind.value_type)))
    if types.is_struct(kind):
        return pa.struct([(each.name, _sent_type(each.type)) for each in kind.fields])
    if types.is_integer(kind):
        return pa.int64()
    if types.is_floating(kind):
        return pa.float64()
    if types.is_decimal(kind):
        return NUMERIC if kind.scale else BIGNUMERIC
    if types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if isinstance(kind, pa.BaseExtensionType) or types.is_null(kind):
        return pa.string()
    return kind


def fields_of(schema: pa.Schema) -> list[dict[str, Any]]:
    """`fields` of a `TableSchema`."""
    return [_field(each.name, each.type) for each in schema]


def _field(name: str, kind: pa.DataType, mode: str = "NULLABLE") -> dict[str, Any]:
    if pa.types.is_list(kind):
        return _field(name, kind.value_type, "REPEATED")
    if pa.types.is_struct(kind):
        fields = [_field(each.name, each.type) for each in kind.fields]
        return {"name": name, "type": "RECORD", "mode": mode, "fields": fields}
    return {"name": name, "type": _KINDS[kind], "mode": mode}
