"""Map warehouse columns to file columns. Only this module decides a file's types.

A file knows a closed set of types. `file_schema` maps a warehouse's Arrow schema to it once, before
the first batch. `conform` then casts each batch; a value that does not fit is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

import pyarrow as pa

from extract_project.errors import TypeMappingError
from extract_project.schema.choices import DEFAULTS, TypeChoices
from extract_project.schema.extensions import extension
from extract_project.schema.wanted import WANTED, Wanted

_INT64_DIGITS = 18
_UINT64_DIGITS = 20
_DECIMAL128_DIGITS = 38
_DECIMAL256_DIGITS = 76
DEEPEST = 32
"""Levels of nesting. Readers of Parquet and Arrow fail at about forty."""


def number(precision: int, scale: int, wanted: Wanted = WANTED) -> pa.DataType:
    """The type of NUMBER(precision, scale). It is int64 if the scale is 0 and there are at most 18
    digits, or more if so wanted; otherwise a decimal.
    """
    if scale == 0 and (precision <= _INT64_DIGITS or wanted.has_int64):
        return pa.int64()
    if precision <= _DECIMAL128_DIGITS:
        return pa.decimal128(precision, scale)
    if precision <= _DECIMAL256_DIGITS:
        return pa.decimal256(precision, scale)
    raise TypeMappingError(f"a number of {precision} digits: files hold {_DECIMAL256_DIGITS}")


def file_schema(
    schema: pa.Schema,
    choices: TypeChoices = DEFAULTS,
    declared: Mapping[str, pa.DataType] | None = None,
) -> pa.Schema:
    """The schema of the file for a warehouse's schema.

    `declared` are the types that the author declares, by column; `choices` decide for the others.

    Raises TypeMappingError naming every column at fault: names that are empty or equal but for
    case (readers cannot tell them apart), and types that no file keeps exactly.
    """
    if not len(schema):
        raise TypeMappingError("the result has no columns: select at least one")

    def wanted(column: pa.Field) -> pa.DataType:
        return file_type(column.type, Wanted(choices, (declared or {}).get(column.name)))

    return schema_of(schema, wanted, _name_faults(schema.names))


class Named(Protocol):
    """A column as a warehouse describes it."""

    @property
    def name(self) -> str: ...


C = TypeVar("C", bound=Named)


def schema_of(
    columns: Iterable[C], type_of: Callable[[C], pa.DataType], faults: Iterable[str] = ()
) -> pa.Schema:
    """The schema of described columns.

    Raises TypeMappingError with `faults`, which are known already, and with each column for which
    `type_of` raises it.
    """
    found = list(faults)
    fields = []
    for column in columns:
        try:
            fields.append(pa.field(column.name, type_of(column)))
        except TypeMappingError as error:
            found.append(f"column {column.name!r}: {error}")
    if found:
        raise TypeMappingError("; ".join(found))
    return pa.schema(fields)


def file_type(arrow: pa.DataType, wanted: Wanted = WANTED, depth: int = 0) -> pa.DataType:
    """The file's type for one Arrow type; raises TypeMappingError if there is none.

    `depth` counts the lists, structs and maps around it.
    """
    types = pa.types
    if depth > DEEPEST:
        raise TypeMappingError(
            f"it is nested more than {DEEPEST} levels deep: cast it in the SQL, e.g. to JSON"
        )
    if isinstance(arrow, pa.BaseExtensionType):
        return file_type(extension(arrow).kept_as, wanted, depth)
    if types.is_dictionary(arrow) or types.is_run_end_encoded(arrow):
        return file_type(arrow.value_type, wanted, depth)
    if types.is_decimal(arrow):
        return number(arrow.precision, arrow.scale, wanted)
    if types.is_uint64(arrow):
        return arrow if wanted.is_uint64 else number(_UINT64_DIGITS, 0, wanted)
    if types.is_timestamp(arrow):
        unit = wanted.unit if arrow.unit == "ns" else "us"
        return pa.timestamp(unit, tz="UTC" if arrow.tz else None)
    if types.is_time(arrow):
        return pa.time64(wanted.unit if arrow.unit == "ns" else "us")
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
        element = file_type(arrow.value_type, wanted.element, depth + 1)
        return pa.list_(pa.field("element", element))
    if types.is_struct(arrow):
        return _file_struct(arrow, wanted, depth + 1)
    if types.is_map(arrow):
        return pa.map_(
            file_type(arrow.key_type, wanted.key, depth + 1),
            file_type(arrow.item_type, wanted.item, depth + 1),
        )
    if (
        types.is_boolean(arrow)
        or types.is_integer(arrow)
        or types.is_floating(arrow)
        or types.is_string(arrow)
        or types.is_binary(arrow)
    ):
        return arrow
    raise TypeMappingError(f"{arrow} has no exact type in files: cast it in the SQL, e.g. to text")


def _file_struct(arrow: pa.StructType, wanted: Wanted, depth: int) -> pa.StructType:
    names = [field.name for field in arrow.fields]
    faults = _name_faults(names, "field") if names else ["it has no fields"]
    if faults:
        raise TypeMappingError(f"no reader understands its struct: {'; '.join(faults)}")
    return pa.struct(
        [
            pa.field(each.name, file_type(each.type, wanted.field(each.name), depth))
            for each in arrow.fields
        ]
    )


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
