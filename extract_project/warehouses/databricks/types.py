"""Databricks' types: what a file holds for each, and how it is read from what is sent.

A column's type is the one that the manifest describes, whatever a chunk has. Integers, decimals,
dates, timestamps, text and binary are sent in Arrow's own types. ARRAY, MAP, STRUCT and VARIANT are
JSON text in the file, whether they are sent as text or as Arrow's nested types (`nested`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.errors import TypeMappingError
from extract_project.schema.conform import conform
from extract_project.schema.types import file_schema, schema_of
from extract_project.warehouses.databricks.manifest import Column
from extract_project.warehouses.databricks.nested import as_json, is_list
from extract_project.warehouses.meaning import incomplete
from extract_project.warehouses.protocol import Query

_PLAIN = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "BYTE": pa.int8(),
    "SMALLINT": pa.int16(),
    "SHORT": pa.int16(),
    "INT": pa.int32(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "LONG": pa.int64(),
    "FLOAT": pa.float32(),
    "REAL": pa.float32(),
    "DOUBLE": pa.float64(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "TIMESTAMP_LTZ": pa.timestamp("us", "UTC"),
    "TIMESTAMP_NTZ": pa.timestamp("us"),
    "STRING": pa.string(),
    "CHAR": pa.string(),
    "VARCHAR": pa.string(),
    "BINARY": pa.binary(),
    "VOID": pa.string(),
    "NULL": pa.string(),
}
_JSON = ("ARRAY", "MAP", "STRUCT", "VARIANT")
_REFUSED = {
    "INTERVAL": "INTERVAL has no exact type in files: cast it, cast({name} as string)",
    "GEOGRAPHY": "GEOGRAPHY has no exact type in files: convert it, st_asgeojson({name})",
    "GEOMETRY": "GEOMETRY has no exact type in files: convert it, st_asewkt({name})",
    "OBJECT": "OBJECT has no exact type in files: cast it, to_json({name})",
}
_WORD = re.compile(r"[A-Z_]+")
_DECIMAL = re.compile(
    r"DEC(?:IMAL)?\s*\((\d+)\s*(?:,\s*(\d+))?\)|NUMERIC\s*\((\d+)\s*(?:,\s*(\d+))?\)"
)
_DEFAULT_PRECISION = 10


@dataclass(frozen=True)
class DatabricksColumns:
    """The columns of a result: the file's schema, and how to read what is sent for it."""

    schema: pa.Schema
    wide: pa.Schema
    """The types as described, before the file's choices."""
    described: tuple[Column, ...]
    declared: Collection[str] = ()
    """The columns whose type the author declares."""

    def convert(self, sent: pa.RecordBatch, rows_before: int) -> pa.RecordBatch:
        """Convert a batch to the file's schema; raises TypeMappingError with the column.

        The batch must have the described columns. `rows_before`: the rows before this batch.
        """
        columns = [
            _described(column, field, rows_before)
            for column, field in zip(sent.columns, self.wide, strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=self.wide)
        return conform(batch, self.schema, rows_before, self.declared)

    def require_agreement(self, sent: pa.Schema, chunk: str) -> None:
        """Raises a transient WarehouseError unless a chunk has the columns that were described."""
        if len(sent) != len(self.described):
            names = ", ".join(sent.names) or "none"
            raise _other(
                chunk, f"{len(self.described)} columns were described, {len(sent)} sent: {names}"
            )
        for position, (field, column) in enumerate(zip(sent, self.described, strict=True), 1):
            if field.name != column.name:
                raise _other(
                    chunk, f"column {position} is {column.name!r}, but was sent as {field.name!r}"
                )
            if not _is_form_of(field.type, column, self.wide.field(position - 1).type):
                raise _other(
                    chunk,
                    f"column {column.name!r} was described as {column.type_text}, and sent as "
                    f"{field.type}",
                )


def databricks_columns(described: Sequence[Column], query: Query) -> DatabricksColumns:
    """The columns of a result, from their description and the author's wishes.

    Raises TypeMappingError naming every column that no file keeps exactly.
    """
    wide = schema_of(described, _arrow_type)
    schema = file_schema(wide, query.types, query.declared)
    return DatabricksColumns(schema, wide, tuple(described), query.declared)


def _arrow_type(column: Column) -> pa.DataType:
    text = column.type_text.strip().upper()
    word = _kind(column)
    if word in _PLAIN:
        return _PLAIN[word]
    if word in _JSON:
        return pa.string()
    if word in ("DECIMAL", "DEC", "NUMERIC"):
        found = _DECIMAL.match(text)
        if found is None:
            return pa.decimal128(_DEFAULT_PRECISION, 0)
        precision, scale = (found[1] or found[3]), (found[2] or found[4] or 0)
        return pa.decimal128(int(precision), int(scale))
    if word in _REFUSED:
        raise TypeMappingError(_REFUSED[word].format(name=column.name))
    raise TypeMappingError(
        f"the type {column.type_text} is unknown here: cast it, cast({column.name} as string)"
    )


def _kind(column: Column) -> str:
    found = _WORD.match(column.type_text.strip().upper())
    return found.group() if found else ""


def _is_form_of(sent: pa.DataType, column: Column, wide: pa.DataType) -> bool:
    """Whether Databricks may send this Arrow type for the described column."""
    kind = _kind(column)
    if kind in _JSON:
        nested = {"ARRAY": is_list, "MAP": pa.types.is_map, "STRUCT": pa.types.is_struct}
        return bool(_is_text(sent) or (kind in nested and nested[kind](sent)))
    if kind in ("VOID", "NULL"):
        return bool(pa.types.is_null(sent) or _is_text(sent))
    if pa.types.is_timestamp(wide) and pa.types.is_timestamp(sent):
        return bool(sent.unit == "us" and (sent.tz is None) == (wide.tz is None))
    if wide == pa.string():
        return _is_text(sent)
    if wide == pa.binary():
        return bool(pa.types.is_binary(sent) or pa.types.is_large_binary(sent))
    return bool(sent.equals(wide))


def _is_text(sent: pa.DataType) -> bool:
    return bool(pa.types.is_string(sent) or pa.types.is_large_string(sent))


def _described(column: pa.Array, field: pa.Field, rows_before: int) -> pa.Array:
    """One column of a batch, as described: an instant in UTC whatever zone it is shown in."""
    if pa.types.is_nested(column.type):
        return as_json(column, field.name, rows_before)
    return column if column.type.equals(field.type) else pc.cast(column, field.type)


def _other(chunk: str, difference: str) -> Exception:
    return incomplete(
        f"{chunk} of the result does not have the columns that databricks described: {difference}"
    )
