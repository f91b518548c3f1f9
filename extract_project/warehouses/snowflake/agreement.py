"""Check that a chunk has the columns with which its result was described.

A chunk is read by position, with the description's scales. So each chunk is compared with the
description before any value is read: the number and order of columns, their names, logical types,
precisions and scales, and the physical form. Metadata that Snowflake leaves out of a chunk cannot
be compared; the form can.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from extract_project.errors import TypeMappingError, WarehouseError
from extract_project.warehouses.meaning import incomplete
from extract_project.warehouses.snowflake.types import (
    BINARY,
    BOOLEAN,
    DATE,
    FIXED,
    LTZ,
    NTZ,
    REAL,
    TEXTS,
    TIME,
    TZ,
    Column,
    refusal,
)

_LOGICAL = {
    FIXED: {"FIXED"},
    REAL: {"REAL", "FLOAT", "DOUBLE"},
    2: {"TEXT", "CHAR", "STRING", "UUID"},
    DATE: {"DATE"},
    4: {"TIMESTAMP", "TIMESTAMP_NTZ"},
    5: {"VARIANT"},
    LTZ: {"TIMESTAMP_LTZ"},
    TZ: {"TIMESTAMP_TZ"},
    8: {"TIMESTAMP_NTZ"},
    9: {"OBJECT"},
    10: {"ARRAY"},
    BINARY: {"BINARY"},
    TIME: {"TIME"},
    BOOLEAN: {"BOOLEAN"},
    14: {"GEOGRAPHY", "OBJECT", "TEXT"},
    15: {"GEOMETRY", "OBJECT", "TEXT"},
}
"""Each type code of the description, mapped to its possible names in a chunk."""
_SCALED = {FIXED, TIME, LTZ, TZ, *NTZ}
_PLAIN = {
    REAL: pa.float64(),
    DATE: pa.date32(),
    BINARY: pa.binary(),
    BOOLEAN: pa.bool_(),
    **dict.fromkeys(TEXTS, pa.string()),
}


def require_agreement(sent: pa.Schema, described: Sequence[Column], chunk: str) -> None:
    """Raise a transient WarehouseError with the differences, or TypeMappingError for a type that no
    file can hold and that only the chunk reveals.
    """
    if len(sent) != len(described):
        names = ", ".join(sent.names) or "none"
        raise _other(chunk, f"{len(described)} columns were described, {len(sent)} sent: {names}")
    for position, (field, column) in enumerate(zip(sent, described, strict=True), 1):
        if field.name != column.name:
            raise _other(
                chunk, f"column {position} is {column.name!r}, but was sent as {field.name!r}"
            )
        _require_kept(field, column)
        faults = _differences(field, column)
        if faults:
            raise _other(chunk, f"column {column.name!r}: {', '.join(faults)}")


def _require_kept(field: pa.Field, column: Column) -> None:
    reason = refusal(_metadata(field).get("logicalType", ""), column.name)
    if reason is None and column.type_code in TEXTS and pa.types.is_nested(field.type):
        reason = refusal("STRUCTURED", column.name)
    if reason is not None:
        raise TypeMappingError(f"column {column.name!r}: {reason}")


def _differences(field: pa.Field, column: Column) -> list[str]:
    told = _metadata(field)
    code = column.type_code
    faults = []
    logical = told.get("logicalType")
    if logical is not None and logical not in _LOGICAL.get(code, set()):
        expected = "/".join(sorted(_LOGICAL.get(code, {f"type {code}"})))
        faults.append(f"described as {expected}, sent as {logical}")
    if code in _SCALED and _differs(told.get("scale"), column.scale):
        faults.append(f"described with scale {column.scale}, sent with {told['scale']}")
    if code == FIXED and _differs(told.get("precision"), column.precision):
        faults.append(f"described with {column.precision} digits, sent with {told['precision']}")
    if not faults and not _is_form_of(code, field.type, column.scale or 0):
        faults.append(f"sent as {field.type}")
    return faults


def _differs(told: str | None, described: int | None) -> bool:
    return told is not None and described is not None and told != str(described)


def _is_form_of(code: int, sent: pa.DataType, scale: int) -> bool:
    if code == FIXED:
        decimal = pa.types.is_decimal(sent) and sent.scale == scale
        return bool(pa.types.is_integer(sent) or decimal)
    if code in _SCALED:
        if pa.types.is_integer(sent):
            return code != TZ
        if not pa.types.is_struct(sent) or code == TIME:
            return False
        names = {sent.field(index).name for index in range(sent.num_fields)}
        required = {"epoch", "timezone"} if code == TZ else {"epoch", "fraction"}
        return required <= names <= {"epoch", "fraction", "timezone"}
    return bool(sent.equals(_PLAIN.get(code)))


def _metadata(field: pa.Field) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}


def _other(chunk: str, difference: str) -> WarehouseError:
    return incomplete(
        f"{chunk} of the result does not have the columns that snowflake described: {difference}"
    )
