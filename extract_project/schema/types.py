"""From warehouse columns to file columns, without loss.

A file knows a closed set of types. `file_schema` maps a warehouse's Arrow schema onto it once,
before the first batch; `conform` then casts each batch, and a value that does not fit is an error
with its column, never a wrap-around.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.errors import TypeMappingError
from extract_project.schema.extensions import extension

_INT64_DIGITS = 18
_DECIMAL128_DIGITS = 38
_DECIMAL256_DIGITS = 76
DEEPEST = 32
"""Levels of nesting; readers of Parquet and Arrow give up at some forty."""


def number(precision: int, scale: int) -> pa.DataType:
    """NUMBER(p, s): int64 while 18 digits suffice and there is no scale, else an exact decimal."""
    if scale == 0 and precision <= _INT64_DIGITS:
        return pa.int64()
    if precision <= _DECIMAL128_DIGITS:
        return pa.decimal128(precision, scale)
    if precision <= _DECIMAL256_DIGITS:
        return pa.decimal256(precision, scale)
    raise TypeMappingError(f"a number of {precision} digits: files hold {_DECIMAL256_DIGITS}")


def file_schema(schema: pa.Schema) -> pa.Schema:
    """The schema of the file for a warehouse's schema.

    Raises TypeMappingError naming every column at fault: names that are empty or equal but for
    case (readers cannot tell them apart), and types that no file keeps exactly.
    """
    if not len(schema):
        raise TypeMappingError("the result has no columns: select at least one")
    faults = _name_faults(schema.names)
    fields = []
    for column in schema:
        try:
            fields.append(pa.field(column.name, file_type(column.type), nullable=True))
        except TypeMappingError as error:
            faults.append(f"column {column.name!r}: {error}")
    if faults:
        raise TypeMappingError("; ".join(faults))
    return pa.schema(fields)


def file_type(arrow: pa.DataType, depth: int = 0) -> pa.DataType:
    """The file's type for one Arrow type; raises TypeMappingError where there is none.

    `depth` counts the lists, structs and maps around it.
    """
    types = pa.types
    if depth > DEEPEST:
        raise TypeMappingError(
            f"it is nested more than {DEEPEST} levels deep: cast it in the SQL, e.g. to JSON"
        )
    if isinstance(arrow, pa.BaseExtensionType):
        return extension(arrow).file_type
    if types.is_dictionary(arrow) or types.is_run_end_encoded(arrow):
        return file_type(arrow.value_type, depth)
    if types.is_decimal(arrow):
        return number(arrow.precision, arrow.scale)
    if types.is_timestamp(arrow):
        unit = "ns" if arrow.unit == "ns" else "us"
        return pa.timestamp(unit, tz="UTC" if arrow.tz else None)
    if types.is_time(arrow):
        return pa.time64("ns" if arrow.unit == "ns" else "us")
    if types.is_date(arrow):
        return pa.date32()
    if types.is_large_string(arrow) or types.is_string_view(arrow) or types.is_null(arrow):
        return pa.string()
    if types.is_large_binary(arrow) or types.is_binary_view(arrow):
        return pa.binary()
    if types.is_fixed_size_binary(arrow):
        return pa.binary()
    if types.is_float16(arrow):
        return pa.float32()
    if _is_list(arrow):
        return pa.list_(pa.field("element", file_type(arrow.value_type, depth + 1)))
    if types.is_struct(arrow):
        return _file_struct(arrow, depth + 1)
    if types.is_map(arrow):
        return pa.map_(file_type(arrow.key_type, depth + 1), file_type(arrow.item_type, depth + 1))
    if (
        types.is_boolean(arrow)
        or types.is_integer(arrow)
        or types.is_floating(arrow)
        or types.is_string(arrow)
        or types.is_binary(arrow)
    ):
        return arrow
    raise TypeMappingError(f"{arrow} has no exact type in files: cast it in the SQL, e.g. to text")


def _file_struct(arrow: pa.StructType, depth: int) -> pa.StructType:
    names = [field.name for field in arrow.fields]
    faults = _name_faults(names, "field") if names else ["it has no fields"]
    if faults:
        raise TypeMappingError(f"no reader understands its struct: {'; '.join(faults)}")
    return pa.struct([pa.field(each.name, file_type(each.type, depth)) for each in arrow.fields])


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The same rows in the file's schema; raises TypeMappingError with the column at fault."""
    if batch.schema.equals(schema):
        return batch
    columns = []
    for column, target in zip(batch.columns, schema, strict=True):
        try:
            columns.append(_cast(column, target.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise TypeMappingError(f"column {target.name!r} as {target.type}: {error}") from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: pa.Array, target: pa.DataType) -> pa.Array:
    if column.type.equals(target):
        return column
    if isinstance(column, pa.ExtensionArray):
        return _cast(extension(column.type).convert(column.storage), target)
    if _has_extension(column.type):
        return _rebuilt(column, target)
    return pc.cast(column, target, safe=True)


def _has_extension(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return True
    if not pa.types.is_nested(kind):
        return False
    return any(_has_extension(kind.field(index).type) for index in range(kind.num_fields))


def _rebuilt(column: pa.Array, target: pa.DataType) -> pa.Array:
    """A nested array with its children cast one by one: Arrow casts no extension inside."""
    nulls = column.is_null()
    if pa.types.is_struct(target):
        children = [_cast(column.field(i), target.field(i).type) for i in range(target.num_fields)]
        return pa.StructArray.from_arrays(children, fields=list(target.fields), mask=nulls)
    if pa.types.is_map(target):
        keys = _cast(column.keys, target.key_type)
        items = _cast(column.items, target.item_type)
        return pa.MapArray.from_arrays(column.offsets, keys, items, type=target, mask=nulls)
    if pa.types.is_fixed_size_list(column.type):
        column = column.cast(pa.list_(column.type.value_type))
    elements = _cast(column.values, target.value_type)
    return pa.ListArray.from_arrays(column.offsets, elements, type=target, mask=nulls)


def _is_list(arrow: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_list(arrow)
        or types.is_large_list(arrow)
        or types.is_fixed_size_list(arrow)
        or types.is_list_view(arrow)
        or types.is_large_list_view(arrow)
    )


_NAMING = {
    "column": "with 'as'",
    "field": "in the SQL, as in {'id': 1, 'name': 'a'}",
}


def _name_faults(names: list[str], what: str = "column") -> list[str]:
    faults = []
    seen: dict[str, str] = {}
    for position, name in enumerate(names, 1):
        if not name.strip():
            faults.append(f"{what} {position} has no name: give it one {_NAMING[what]}")
        elif name.casefold() in seen:
            faults.append(
                f"{what}s {seen[name.casefold()]!r} and {name!r} have the same name: "
                f"rename one {_NAMING[what]}"
            )
        seen[name.casefold()] = name
    return faults
