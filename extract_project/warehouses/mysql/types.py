"""MySQL's types: what a file holds for each, and how its values are read.

A column's type is the one that the server describes, with its flags, character set and length:
nothing is guessed from values, so it is the same for no rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from extract_project.errors import TypeMappingError
from extract_project.schema.annotations import described
from extract_project.schema.conform import conform
from extract_project.schema.types import file_schema, schema_of
from extract_project.warehouses.mysql.columns import Column
from extract_project.warehouses.mysql.sent import Sent
from extract_project.warehouses.mysql.values import (
    Read,
    Unfit,
    bits,
    days,
    decimals,
    moments,
    nothing,
    numbers,
    octets,
    text,
    times,
)
from extract_project.warehouses.mysql.wire import Block
from extract_project.warehouses.protocol import Query

Kind = tuple[pa.DataType, Read]

# The keys are those of `enum_field_types`, which are part of the protocol.
_INTEGERS: dict[int, tuple[Kind, Kind]] = {
    1: ((pa.int8(), numbers("<i1")), (pa.uint8(), numbers("<u1"))),
    2: ((pa.int16(), numbers("<i2")), (pa.uint16(), numbers("<u2"))),
    3: ((pa.int32(), numbers("<i4")), (pa.uint32(), numbers("<u4"))),
    8: ((pa.int64(), numbers("<i8")), (pa.uint64(), numbers("<u8"))),
}
"""TINYINT, SMALLINT, INT and BIGINT, with and without a sign."""
_INTEGERS[9] = _INTEGERS[3]  # MEDIUMINT, which is sent as INT
_KINDS: dict[int, Kind] = {
    4: (pa.float32(), numbers("<f4")),
    5: (pa.float64(), numbers("<f8")),
    6: (pa.string(), nothing),  # NULL
    7: (pa.timestamp("us", "UTC"), moments),  # TIMESTAMP
    10: (pa.date32(), days),
    11: (pa.time64("us"), times),
    12: (pa.timestamp("us"), moments),  # DATETIME
    13: (pa.int16(), numbers("<i2")),  # YEAR
    245: (pa.string(), text),  # JSON, which is said to be binary
}
_DECIMAL, _BIT = 246, 16
_LONGEST_BIT = 64
_MOST_DIGITS = 38
_TEXT: Kind = (pa.string(), text)
_BYTES: Kind = (pa.binary(), octets)
_TEXTS = (*(15, 253, 254), *(247, 248), *(249, 250, 251, 252))
"""CHAR and VARCHAR; ENUM and SET; TEXT and BLOB of each size."""
_REFUSED = {
    _BIT: "a BIT that is computed is sent in two forms, which look the same: make it a number, "
    "as in {name} + 0, where it is computed",
    242: "VECTOR has no exact type in files: convert it, vector_to_string({name})",
    255: "GEOMETRY has no exact type in files: convert it, st_astext({name})",
}


@dataclass(frozen=True)
class MySQLColumns:
    """The columns of a result: the file's schema, and how to read what is sent for it."""

    sent: tuple[Column, ...]
    schema: pa.Schema
    wide: pa.Schema
    """The types as described, before the file's choices."""
    declared: Collection[str] = ()
    """The columns whose type the author declares."""

    def convert(self, block: Block, rows_before: int) -> pa.RecordBatch:
        """Convert rows as they were sent to the file's schema; raises TypeMappingError and Lost.

        `rows_before`: the number of rows before them.
        """
        sent = Sent(block, len(self.sent))
        arrays = [
            _read(sent, column, field, rows_before)
            for column, field in zip(self.sent, self.wide, strict=True)
        ]
        sent.require_end()
        batch = pa.RecordBatch.from_arrays(arrays, schema=self.wide)
        return conform(batch, self.schema, rows_before, self.declared)


def _read(sent: Sent, column: Column, field: pa.Field, rows_before: int) -> pa.Array:
    sent.next_column()
    _, read = _kind(column)
    try:
        return read(sent, field.type)
    except Unfit as unfit:
        why = unfit.why.format(name=field.name)
        raise TypeMappingError(
            f"column {field.name!r} has {unfit.value} in row {rows_before + unfit.row + 1:,}, {why}"
        ) from None


def mysql_columns(
    columns: Sequence[Column], query: Query, comments: Mapping[str, str] | None = None
) -> MySQLColumns:
    """The columns of a result, from their description, comments and the author's wishes.

    Raises TypeMappingError naming every column that no file keeps exactly.
    """
    wide = schema_of(columns, lambda column: _kind(column, query.declared.get(column.name))[0])
    schema = described(file_schema(wide, query.types, query.declared), comments or {})
    return MySQLColumns(tuple(columns), schema, wide, query.declared)


def _kind(column: Column, declared: pa.DataType | None = None) -> Kind:
    if column.type in _INTEGERS:
        return _INTEGERS[column.type][column.is_unsigned]
    if column.type in _KINDS:
        return _KINDS[column.type]
    if column.type in _TEXTS:
        return _BYTES if column.is_binary else _TEXT
    if column.type == _DECIMAL:
        return _decimal(column, declared), decimals
    if column.type == _BIT and not column.is_computed_bit:
        return _bit(column.length), bits(column.length)
    refusal = _REFUSED.get(column.type, "its type is unknown here: cast it, cast({name} as char)")
    raise TypeMappingError(refusal.format(name=column.name))


def _bit(length: int) -> pa.DataType:
    """BIT(length): the smallest of the larger integers that has room for it."""
    if length == 1:
        return pa.bool_()
    return pa.int64() if length < _LONGEST_BIT else pa.uint64()


def _decimal(column: Column, declared: pa.DataType | None) -> pa.DataType:
    """DECIMAL, whose length counts the point and the sign too.

    `sum` adds 22 digits to those of its column. Few readers take more than 38, so what is computed
    gets no more, unless it is declared; a value beyond is refused.
    """
    scale = column.decimals
    precision = column.length - (scale > 0) - (not column.is_unsigned)
    if precision <= _MOST_DIGITS:
        return pa.decimal128(precision, scale)
    is_wanted = declared is not None and pa.types.is_decimal256(declared)
    if column.table or is_wanted or scale > _MOST_DIGITS // 2:
        return pa.decimal256(precision, scale)
    return pa.decimal128(_MOST_DIGITS, scale)
