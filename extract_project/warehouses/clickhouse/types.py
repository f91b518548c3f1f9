"""ClickHouse's types: what a file holds for each, and how it is read from what is sent.

A column's type is the one that `describe` names: ClickHouse's Arrow output sends a DateTime as a
number of seconds, an Enum as its number, and wide integers and addresses as bytes. `_FORMS` has the
Arrow types that it may send for each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.errors import TypeMappingError
from extract_project.schema.conform import conform
from extract_project.schema.types import file_schema, schema_of
from extract_project.warehouses.clickhouse.kinds import Kind, kind_of
from extract_project.warehouses.clickhouse.nested import as_json, ipv6_text
from extract_project.warehouses.meaning import incomplete
from extract_project.warehouses.protocol import Query

_PLAIN = {
    "Bool": pa.bool_(),
    "Int8": pa.int8(),
    "Int16": pa.int16(),
    "Int32": pa.int32(),
    "Int64": pa.int64(),
    "UInt8": pa.uint8(),
    "UInt16": pa.uint16(),
    "UInt32": pa.uint32(),
    "UInt64": pa.uint64(),
    "Float32": pa.float32(),
    "Float64": pa.float64(),
    "Date32": pa.date32(),
}
"""Types whose values are sent unchanged."""
_INT128 = pa.opaque(pa.binary(16), "hugeint", "ClickHouse")
_UINT128 = pa.opaque(pa.binary(16), "uhugeint", "ClickHouse")
_DIGITS = pa.decimal128(38, 0)
_WIDE: Mapping[str, pa.DataType] = {
    **_PLAIN,
    "Int128": _INT128,
    "UInt128": _UINT128,
    "Int256": _DIGITS,
    "UInt256": _DIGITS,
    "String": pa.string(),
    "FixedString": pa.binary(),
    "UUID": pa.uuid(),
    "Date": pa.date32(),
    "DateTime": pa.timestamp("us", "UTC"),
    "Enum8": pa.string(),
    "Enum16": pa.string(),
    "IPv4": pa.string(),
    "IPv6": pa.string(),
    "Nothing": pa.string(),
    "JSON": pa.string(),
    "Dynamic": pa.string(),
    "Array": pa.string(),
    "Tuple": pa.string(),
    "Map": pa.string(),
}
_NESTED = ("Array", "Tuple", "Map")
_WAYS_OUT = {
    "BFloat16": "toFloat32({name})",
    "AggregateFunction": "finalizeAggregation({name})",
    "Variant": "toString({name})",
    "Object": "toString({name})",
    "Time": "toString({name})",
    "Time64": "toString({name})",
    "QBit": "toString({name})",
}
_MICROSECONDS = 6


@dataclass(frozen=True)
class Column:
    """A column as ClickHouse describes it, before any row."""

    name: str
    type_text: str

    @property
    def kind(self) -> Kind:
        """Raises TypeMappingError for a type that cannot be read."""
        try:
            return kind_of(self.type_text)
        except ValueError:
            raise TypeMappingError(
                f"the type {self.type_text} is unknown here: cast it, toString({self.name})"
            ) from None


@dataclass(frozen=True)
class ClickHouseColumns:
    """The columns of a result: the file's schema, and how to read what is sent for it."""

    schema: pa.Schema
    wide: pa.Schema
    """The types as described, before the file's choices."""
    described: tuple[Column, ...]
    kinds: tuple[Kind, ...]
    declared: Collection[str] = ()
    """The columns whose type the author declares."""

    def convert(self, sent: pa.RecordBatch, rows_before: int) -> pa.RecordBatch:
        """Convert a batch to the file's schema; raises TypeMappingError with the column."""
        columns = [
            _described(column, kind, field, rows_before)
            for column, kind, field in zip(sent.columns, self.kinds, self.wide, strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=self.wide)
        return conform(batch, self.schema, rows_before, self.declared)

    def require_agreement(self, sent: pa.Schema) -> None:
        """Raises a transient WarehouseError unless the answer has the columns that were
        described: a table may have been altered in between."""
        names = [each.name for each in self.described]
        if sent.names != names:
            raise incomplete(f"clickhouse described the columns {names}, and sent {sent.names}")
        for field, column, kind in zip(sent, self.described, self.kinds, strict=True):
            if not _is_form_of(field.type, kind):
                raise incomplete(
                    f"clickhouse described column {column.name!r} as {column.type_text}, and sent "
                    f"{field.type}"
                )


def clickhouse_columns(described: Sequence[Column], query: Query) -> ClickHouseColumns:
    """The columns of a result, from their description and the author's wishes.

    Raises TypeMappingError naming every column that no file keeps exactly.
    """
    wide = schema_of(described, lambda column: _arrow_type(column.kind, column.name))
    schema = file_schema(wide, query.types, query.declared)
    kinds = tuple(column.kind for column in described)
    return ClickHouseColumns(schema, wide, tuple(described), kinds, query.declared)


def _arrow_type(kind: Kind, name: str) -> pa.DataType:
    if kind.name in _NESTED:
        for part in kind.parts:
            _arrow_type(part, name)
    if kind.name in _WIDE:
        return _WIDE[kind.name]
    if kind.name == "Decimal":
        precision, scale = kind.numbers
        return _decimal(precision, scale)
    if kind.name == "DateTime64":
        return pa.timestamp("us" if kind.numbers[0] <= _MICROSECONDS else "ns", "UTC")
    if kind.name.startswith("Interval"):
        way_out = "toInt64({name})"
    else:
        way_out = _WAYS_OUT.get(kind.name, "toString({name})")
    raise TypeMappingError(
        f"{kind.text} has no exact type in files: convert it, {way_out.format(name=name)}"
    )


def _decimal(precision: int, scale: int) -> pa.DataType:
    return (pa.decimal128 if precision <= _DIGITS.precision else pa.decimal256)(precision, scale)


def _is_form_of(sent: pa.DataType, kind: Kind) -> bool:
    """Whether ClickHouse may send this Arrow type for the described column."""
    types = pa.types
    if isinstance(sent, pa.BaseExtensionType):
        return bool(
            (kind.name == "UUID" and sent.extension_name == "arrow.uuid")
            or (kind.name in ("JSON", "Dynamic") and sent.extension_name == "arrow.json")
        )
    if kind.name in _PLAIN:
        return bool(sent.equals(_PLAIN[kind.name]))
    if kind.name == "Array":
        return bool(types.is_list(sent) and _is_form_of(sent.value_type, kind.parts[0]))
    if kind.name == "Map":
        return bool(
            types.is_map(sent)
            and _is_form_of(sent.key_type, kind.parts[0])
            and _is_form_of(sent.item_type, kind.parts[1])
        )
    if kind.name == "Tuple":
        return bool(
            types.is_struct(sent)
            and sent.num_fields == len(kind.parts)
            and all(_is_form_of(sent.field(i).type, part) for i, part in enumerate(kind.parts))
        )
    if kind.name == "Decimal":
        precision, scale = kind.numbers
        return bool(types.is_decimal(sent) and (sent.precision, sent.scale) == (precision, scale))
    if kind.name == "DateTime64":
        return bool(types.is_timestamp(sent) and sent.tz is not None)
    return sent in _forms(kind)


def _forms(kind: Kind) -> tuple[pa.DataType, ...]:
    forms: Mapping[str, tuple[pa.DataType, ...]] = {
        "Int128": (pa.binary(16),),
        "UInt128": (pa.binary(16),),
        "Int256": (pa.binary(32),),
        "UInt256": (pa.binary(32),),
        "String": (pa.binary(), pa.large_binary()),
        "FixedString": (pa.binary(kind.numbers[0]),) if kind.numbers else (),
        "UUID": (pa.binary(16),),
        "Date": (pa.date32(), pa.uint16()),
        "DateTime": (pa.uint32(),),
        "Enum8": (pa.int8(),),
        "Enum16": (pa.int16(),),
        "IPv4": (pa.uint32(),),
        "IPv6": (pa.binary(16),),
        "Nothing": (pa.null(),),
        "JSON": (pa.binary(), pa.string()),
        "Dynamic": (pa.binary(), pa.string()),
    }
    return forms.get(kind.name, ())


def _described(column: pa.Array, kind: Kind, field: pa.Field, rows_before: int) -> pa.Array:
    """One column of a batch, as described."""
    if column.type.equals(field.type):
        return column
    if kind.name in _NESTED:
        return as_json(column, kind, field.name, rows_before)
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if kind.name in ("String", "JSON", "Dynamic"):
        return _utf8(column, field.name, rows_before)
    if kind.name in ("Int256", "UInt256"):
        return _wide_integers(column, kind.name == "Int256", field.name, rows_before)
    if kind.name in ("Enum8", "Enum16"):
        numbers = pa.array(list(kind.values), column.type)
        names = pa.array(list(kind.values.values()), pa.string())
        found = names.take(pc.index_in(column, numbers))
        if found.null_count != column.null_count:
            raise incomplete(
                f"clickhouse sent a value of column {field.name!r} that its description does not "
                f"have: the type was changed meanwhile"
            )
        return found
    if kind.name == "IPv4":
        return _each(column, lambda value: str(IPv4Address(value)))
    if kind.name == "IPv6":
        return _each(column, ipv6_text)
    if isinstance(field.type, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(field.type, column)
    if kind.name == "DateTime":
        column = column.cast(pa.int64()).cast(pa.timestamp("s", "UTC"))
    if kind.name == "Date":
        column = column.cast(pa.int32())
    return pc.cast(column, field.type)


def _each(column: pa.Array, text: Callable[[Any], str]) -> pa.Array:
    values = [None if value is None else text(value) for value in column.to_pylist()]
    return pa.array(values, pa.string())


def _utf8(column: pa.Array, name: str, rows_before: int) -> pa.Array:
    """Bytes as text; raises TypeMappingError with the row of what is not UTF-8."""
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowInvalid:
        for index, value in enumerate(column.to_pylist()):
            try:
                _ = value is None or value.decode()
            except UnicodeDecodeError:
                raise TypeMappingError(
                    f"column {name!r} has bytes in row {rows_before + index + 1:,} that are no "
                    f"UTF-8 text: convert it in the SQL, hex({name}) or toValidUTF8({name})"
                ) from None
        raise


def _wide_integers(column: pa.Array, signed: bool, name: str, rows_before: int) -> pa.Array:
    """Integers of 256 bits, as long as they have 38 digits."""
    values: list[str | None] = []
    for index, each in enumerate(column.to_pylist()):
        number = None if each is None else int.from_bytes(each, "little", signed=signed)
        if number is not None and abs(number) >= 10**38:
            raise TypeMappingError(
                f"column {name!r} has {number} in row {rows_before + index + 1:,}, which has more "
                f"than 38 digits: cast it in the SQL, toString({name})"
            )
        values.append(None if number is None else str(number))
    return pa.array(values, pa.string()).cast(_DIGITS)
