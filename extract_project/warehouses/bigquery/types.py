"""BigQuery's types: what a file holds for each, and how it is read from what is sent.

A column's type is the one that the job describes. The streams must agree with it, in Arrow's types
(https://cloud.google.com/bigquery/docs/reference/storage#arrow_schema_details). ARRAY, STRUCT and
RANGE are nested types in the file too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from extract_project.errors import TypeMappingError
from extract_project.schema.conform import conform
from extract_project.schema.types import file_schema, number, schema_of
from extract_project.schema.wanted import Wanted
from extract_project.sql.query import Query
from extract_project.warehouses.meaning import incomplete

_PLAIN = {
    "STRING": pa.string(),
    "BYTES": pa.binary(),
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "DATETIME": pa.timestamp("us"),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "JSON": pa.string(),
    "GEOGRAPHY": pa.string(),
}
_OTHER_NAMES = {
    "INT64": "INTEGER",
    "FLOAT64": "FLOAT",
    "BOOL": "BOOLEAN",
    "STRUCT": "RECORD",
    "DECIMAL": "NUMERIC",
    "BIGDECIMAL": "BIGNUMERIC",
}
_NUMERIC, _BIGNUMERIC = pa.decimal128(38, 9), pa.decimal256(76, 38)
_DECIMAL128_DIGITS = 38
_MICROSECONDS = 6


@dataclass(frozen=True)
class Column:
    """A column, or a field of one, as BigQuery describes it."""

    name: str
    kind: str
    """As in `INTEGER` or `RECORD`."""
    repeated: bool = False
    fields: tuple[Column, ...] = ()
    digits: tuple[int, int] | None = None
    """The precision and scale of a NUMERIC or BIGNUMERIC, where it has them."""
    fraction: int = _MICROSECONDS
    """The digits of a TIMESTAMP's seconds."""

    def __str__(self) -> str:
        kind = f"{self.kind}({self.digits[0]},{self.digits[1]})" if self.digits else self.kind
        return f"ARRAY of {kind}" if self.repeated else kind


@dataclass(frozen=True)
class BigQueryColumns:
    """The columns of a result: the file's schema, and how to read what is sent for it."""

    schema: pa.Schema
    described: tuple[Column, ...]
    declared: Collection[str] = ()
    """The columns whose type the author declares."""

    def convert(self, sent: pa.RecordBatch, rows_before: int) -> pa.RecordBatch:
        """Convert a batch to the file's schema; raises TypeMappingError with the column.

        The batch must have the described columns. `rows_before`: the rows before this batch.
        """
        batch = conform(sent, self.schema, rows_before, self.declared)
        for column, field in zip(batch.columns, batch.schema, strict=True):
            if pa.types.is_decimal256(field.type):
                _require_digits(column, field.name)
        return batch

    def require_agreement(self, sent: pa.Schema) -> None:
        """Raises a transient WarehouseError unless rows are sent with the described columns."""
        if len(sent) != len(self.described):
            names = ", ".join(sent.names) or "none"
            raise _other(f"{len(self.described)} columns were described, {len(sent)} sent: {names}")
        for position, (field, column) in enumerate(zip(sent, self.described, strict=True), 1):
            if field.name != column.name:
                raise _other(
                    f"column {position} is {column.name!r}, but was sent as {field.name!r}"
                )
            if not _is_form_of(field.type, column):
                raise _other(
                    f"column {column.name!r} was described as {column}, and sent as {field.type}"
                )


def columns_of(schema: Mapping[str, Any]) -> tuple[Column, ...]:
    """The columns of a `TableSchema` of the API."""
    return tuple(_column(each) for each in schema.get("fields") or ())


def bigquery_columns(described: Sequence[Column], query: Query) -> BigQueryColumns:
    """The columns of a result, from their description and the author's wishes.

    Raises TypeMappingError naming every column that no file keeps exactly.
    """

    def wanted(column: Column) -> pa.DataType:
        return _file_type(column, Wanted(query.types, query.declared.get(column.name)))

    wide = schema_of(described, wanted)
    schema = file_schema(wide, query.types, query.declared)
    return BigQueryColumns(schema, tuple(described), frozenset(query.declared))


def _column(field: Mapping[str, Any]) -> Column:
    kind = str(field.get("type") or "").upper()
    precision = field.get("precision")
    fields = columns_of(field)
    if kind == "RANGE":
        element = str((field.get("rangeElementType") or {}).get("type") or "")
        fields = tuple(_column({"name": name, "type": element}) for name in ("start", "end"))
    return Column(
        str(field.get("name") or ""),
        _OTHER_NAMES.get(kind, kind),
        field.get("mode") == "REPEATED",
        fields,
        None if precision is None else (int(precision), int(field.get("scale") or 0)),
        int(field.get("timestampPrecision") or _MICROSECONDS),
    )


def _file_type(column: Column, wanted: Wanted) -> pa.DataType:
    if column.repeated:
        return pa.list_(pa.field("element", _single_type(column, wanted.element)))
    return _single_type(column, wanted)


def _single_type(column: Column, wanted: Wanted) -> pa.DataType:
    """The type of the value of a column, or of each element of an array."""
    kind = column.kind
    if kind == "TIMESTAMP" and column.fraction != _MICROSECONDS:
        raise _refused(f"TIMESTAMP({column.fraction})", column)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in ("RECORD", "RANGE"):
        return pa.struct(
            [(each.name, _file_type(each, wanted.field(each.name))) for each in column.fields]
        )
    if kind == "NUMERIC":
        return number(*column.digits, wanted) if column.digits else _NUMERIC
    if kind == "BIGNUMERIC":
        if column.digits and column.digits[0] <= _DECIMAL128_DIGITS:
            return number(*column.digits, wanted)
        return wanted.unbounded
    if kind == "INTERVAL":
        raise _refused(kind, column)
    raise TypeMappingError(f"the type {kind} is unknown here: {_as_text(column)}")


def _refused(kind: str, column: Column) -> TypeMappingError:
    return TypeMappingError(f"{kind} has no exact type in files: {_as_text(column)}")


def _as_text(column: Column) -> str:
    """The expression in SQL that makes the column text."""
    if column.repeated:
        return f"cast it, array(select cast(e as string) from unnest({column.name}) as e)"
    return f"cast it, cast({column.name} as string)"


def _is_form_of(sent: pa.DataType, column: Column) -> bool:
    """Whether BigQuery may send this Arrow type for the described column."""
    if column.repeated:
        if not (pa.types.is_list(sent) or pa.types.is_large_list(sent)):
            return False
        sent = sent.value_type
    if column.kind in ("RECORD", "RANGE"):
        return bool(
            pa.types.is_struct(sent)
            and [each.name for each in sent.fields] == [each.name for each in column.fields]
            and all(
                _is_form_of(each.type, field)
                for each, field in zip(sent.fields, column.fields, strict=True)
            )
        )
    if column.kind == "NUMERIC":
        return bool(sent.equals(_NUMERIC)) or _has_digits(sent, column)
    if column.kind == "BIGNUMERIC":
        return bool(sent.equals(_BIGNUMERIC)) or _has_digits(sent, column)
    return bool(sent.equals(_PLAIN[column.kind]))


def _has_digits(sent: pa.DataType, column: Column) -> bool:
    return pa.types.is_decimal(sent) and (sent.precision, sent.scale) == column.digits


def _require_digits(column: pa.Array, name: str) -> None:
    """Raise TypeMappingError for a number of 77 digits, which 256 bits and BIGNUMERIC hold."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        raise TypeMappingError(
            f"column {name!r} has a number of more than {column.type.precision} digits, which no "
            f"decimal has: write 'numeric: text' in the header"
        ) from None


def _other(difference: str) -> Exception:
    return incomplete(f"the rows do not have the columns that bigquery described: {difference}")
