"""Redshift's types as files keep them, and how their text is read.

Object identifiers are those of `core/Oid.java` in
https://github.com/aws/amazon-redshift-jdbc-driver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.errors import TypeMappingError
from extract_project.schema.exact import Misfit, exact_cast, exact_number
from extract_project.schema.refusal import refused
from extract_project.schema.types import file_schema, number, schema_of
from extract_project.schema.wanted import Wanted
from extract_project.visible import one_line
from extract_project.warehouses.libpq.connection import Column
from extract_project.warehouses.protocol import Query
from extract_project.warehouses.redshift.streaming import Cells

_NUMERIC, _VARBYTE, _REAL = 1700, 6551, 700
_TYPES: Mapping[int, pa.DataType] = {
    16: pa.bool_(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    26: pa.uint32(),
    701: pa.float64(),
    1082: pa.date32(),
    1083: pa.time64("us"),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", "UTC"),
    _VARBYTE: pa.binary(),
}
_SUPER = 4000
_TEXTS = frozenset((18, 19, 25, 705, 1042, 1043, _SUPER))
_AS_TEXT = "{} has no exact type in files: cast it, cast({} as varchar)"
_AS_SHAPE = "{} has no exact type in files: convert it, st_asewkt({})"
_REFUSED = {
    # At most eight digits are sent of one, and some need nine.
    _REAL: "{} is not sent exactly by redshift: cast it, cast({} as double precision)",
    702: _AS_TEXT,
    1186: _AS_TEXT,
    1188: _AS_TEXT,
    1190: _AS_TEXT,
    1266: _AS_TEXT,
    2935: "{} has no exact type in files: convert it, hll_cardinality({})",
    3000: _AS_SHAPE,
    3001: _AS_SHAPE,
    3999: _AS_SHAPE,
}
_NAMES = {
    _REAL: "real",
    702: "abstime",
    1186: "interval",
    1188: "interval year to month",
    1190: "interval day to second",
    1266: "timetz",
    2935: "hllsketch",
    3000: "geometry",
    3001: "geography",
    3999: "geometry",
}


@dataclass(frozen=True)
class RedshiftColumns:
    """The columns of a result: the file's schema, and how to read what is sent for it."""

    described: tuple[Column, ...]
    schema: pa.Schema
    declared: frozenset[str] = frozenset()
    """The columns whose type the author declares."""

    def are(self, sent: Sequence[Column]) -> bool:
        """Whether the columns that were sent are those that were described."""
        return [(each.name, each.type) for each in sent] == [
            (each.name, each.type) for each in self.described
        ]

    def batch(self, cells: Cells, rows_before: int) -> pa.RecordBatch:
        """Some rows; raises TypeMappingError with the column, the row and the value at fault."""
        columns = []
        for field, values in zip(self.schema, cells, strict=True):
            try:
                columns.append(_parsed(_text(values), field.type))
            except Misfit as misfit:
                raise self._refused(field, rows_before, misfit) from None
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _refused(self, field: pa.Field, rows_before: int, misfit: Misfit) -> TypeMappingError:
        if any(is_kind(field.type) for is_kind in _NUMBERS):
            return refused(field.name, rows_before, misfit, field.name in self.declared)
        return TypeMappingError(
            f"column {field.name!r} has {one_line(str(misfit.value))} in row "
            f"{rows_before + misfit.index + 1:,}; files have no such value: replace it in the SQL, "
            f"or cast the column to varchar"
        )


_NUMBERS: Sequence[Callable[[pa.DataType], bool]] = (pa.types.is_integer, pa.types.is_decimal)


def redshift_columns(described: Sequence[Column], query: Query) -> RedshiftColumns:
    """The columns of a result, from their description and the author's wishes.

    Raises TypeMappingError naming every column that no file keeps exactly.
    """

    def wanted(column: Column) -> pa.DataType:
        return _file_type(column, Wanted(query.types, query.declared.get(column.name)))

    schema = file_schema(schema_of(described, wanted), query.types, query.declared)
    return RedshiftColumns(tuple(described), schema, frozenset(query.declared))


def digits(column: Column) -> tuple[int, int] | None:
    """The precision and scale of a numeric; None if it has none."""
    if column.type != _NUMERIC or column.modifier < 0:
        return None
    return ((column.modifier - 4) >> 16) & 0xFFFF, (column.modifier - 4) & 0xFFFF


def _file_type(column: Column, wanted: Wanted) -> pa.DataType:
    if column.type in _REFUSED:
        said = _REFUSED[column.type].format(_NAMES[column.type], column.name)
        raise TypeMappingError(said)
    if column.type == _NUMERIC:
        known = digits(column)
        return wanted.unbounded if known is None else number(*known, wanted)
    if column.type in _TEXTS:
        return pa.string()
    if column.type not in _TYPES:
        raise TypeMappingError(
            f"its type (number {column.type}) is unknown here: cast it, "
            f"cast({column.name} as varchar)"
        )
    return _TYPES[column.type]


def _text(values: list[bytes | None]) -> pa.StringArray:
    """Values as text; raises Misfit for one that is not UTF-8."""
    return exact_cast(pa.array(values, pa.binary()), pa.string())


def _parsed(text: pa.StringArray, kind: pa.DataType) -> pa.Array:
    """Values of a file's type from Redshift's text; raises Misfit."""
    if pa.types.is_string(kind):
        return text
    if pa.types.is_decimal(kind) or pa.types.is_integer(kind):
        return exact_number(text, kind)
    if pa.types.is_boolean(kind):
        true = pc.replace_substring_regex(text, "^t$", "true")
        return exact_cast(pc.replace_substring_regex(true, "^f$", "false"), kind)
    if pa.types.is_time(kind):
        return _times(text, kind)
    if pa.types.is_binary(kind):
        return _bytes(text)
    return exact_cast(text, kind)


def _times(text: pa.StringArray, kind: pa.DataType) -> pa.Array:
    """Times of day, which Arrow reads only behind a date."""
    try:
        moments = exact_cast(
            pc.binary_join_element_wise("1970-01-01", text, " "), pa.timestamp(kind.unit)
        )
    except Misfit as misfit:
        raise Misfit(misfit.index, text[misfit.index], kind) from None
    return pc.cast(moments, kind)


def _bytes(text: pa.StringArray) -> pa.BinaryArray:
    found: list[bytes | None] = []
    for index, value in enumerate(text.to_pylist()):
        try:
            found.append(None if value is None else bytes.fromhex(value))
        except ValueError:
            raise Misfit(index, value, pa.binary()) from None
    return pa.array(found, pa.binary())
