"""Snowflake's types as files keep them, from what it sends.

The connector's own conversion is lossy: decimals become doubles, TIME(9) is cut to microseconds,
and the unit of a timestamp changes with the values of a batch (connector 5.2.0,
`nanoarrow_cpp/ArrowIterator/ArrowTableConverter.cpp`). So batches are taken as they were sent,
which is the integers below, and each column becomes the type that its metadata announced:

| logical type | sent as |
|---|---|
| FIXED (NUMBER) | an integer of any width, or decimal128: the value times 10^scale |
| TIME | ticks of 10^-scale seconds since midnight |
| TIMESTAMP_NTZ, _LTZ | ticks since 1970, or {epoch: seconds, fraction: nanoseconds} |
| TIMESTAMP_TZ | {epoch, fraction, timezone}, or {epoch: ticks, timezone}; an instant either way |
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from extract_project.errors import TypeMappingError
from extract_project.schema.exact import Misfit, exact_cast
from extract_project.schema.refusal import refused
from extract_project.schema.text import text_of
from extract_project.schema.types import file_schema, schema_of
from extract_project.sql.query import Query
from extract_project.warehouses.meaning import incomplete

if TYPE_CHECKING:
    from snowflake.connector.cursor import SnowflakeCursor

# Type codes of a cursor's description (connector, `_internal/type_codes.py`).
FIXED, REAL, DATE, BINARY, TIME, BOOLEAN = 0, 1, 3, 11, 12, 13
NTZ, LTZ, TZ = (4, 8), 6, 7
TEXTS = {2, 5, 9, 10, 14, 15}
"""Text, variant, object, array, geography, geometry; types that the connector does not know are
text to it.
"""
_OBJECT, _ARRAY = 9, 10
_REFUSED_CODES = {
    16: "VECTOR",
    17: "MAP",
    18: "FILE",
    19: "INTERVAL_YEAR_MONTH",
    20: "INTERVAL_DAY_TIME",
}
_REFUSED = {
    "VECTOR": "VECTOR has no exact type in files: cast it, {name}::array",
    "MAP": "MAP has no exact type in files: cast it, {name}::variant",
    "FILE": "FILE has no exact type in files: take its path, fl_get_relative_path({name})",
    "INTERVAL_YEAR_MONTH": "INTERVAL has no exact type in files: cast it, {name}::varchar",
    "INTERVAL_DAY_TIME": "INTERVAL has no exact type in files: cast it, {name}::varchar",
    "DECFLOAT": "DECFLOAT has no exact type in files: cast it, e.g. {name}::number(38, 9)",
    "STRUCTURED": "a structured type has no exact type in files: cast it, {name}::variant",
    "STRUCTURED ARRAY": "a structured ARRAY has no exact type in files: cast it, {name}::array",
    "STRUCTURED OBJECT": "a structured OBJECT has no exact type in files: cast it, {name}::object",
}
_MICROS, _NANOS = 6, 9
_INT64_DIGITS = 18
_WIDEST = 38
_PLAIN = {REAL: pa.float64(), DATE: pa.date32(), BINARY: pa.binary(), BOOLEAN: pa.bool_()}

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Column:
    """A column as Snowflake describes it, before any row."""

    name: str
    type_code: int
    precision: int | None
    scale: int | None
    structured: bool
    """Whether it is an ARRAY, OBJECT or MAP whose elements have types of their own."""


def described(cursor: SnowflakeCursor) -> tuple[Column, ...]:
    """The columns of what a cursor has run or described.

    From the connector's inner metadata: the public one says of no column that it is structured.

    Raises a transient WarehouseError where there is none.
    """
    metadata = cursor._query_result.description_v2
    if not metadata:
        raise incomplete("snowflake said that the query had succeeded, and sent no result")
    return tuple(
        Column(each.name or "", each.type_code, each.precision, each.scale, bool(each.fields))
        for each in metadata
    )


@dataclass(frozen=True)
class SnowflakeColumns:
    """The columns of a result: the file's schema, and how to read what is sent for it."""

    schema: pa.Schema
    described: tuple[Column, ...]
    declared: Collection[str] = ()
    """The columns whose type the author declares."""

    def convert(self, sent: pa.RecordBatch, rows_before: int) -> pa.RecordBatch:
        """A batch as it was sent, in the file's schema; raises TypeMappingError with the column.

        Its columns must agree with the description (`agreement`). `rows_before` came before it.
        """
        columns = []
        for column, field, known in zip(sent.columns, self.schema, self.described, strict=True):
            try:
                columns.append(_converted(column, field.type, known.scale or 0))
            except Misfit as misfit:
                declared = field.name in self.declared
                raise refused(field.name, rows_before, misfit, declared) from None
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                message = f"column {field.name!r} as {field.type}: {error}"
                raise TypeMappingError(message) from error
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def snowflake_columns(description: Sequence[Column], query: Query) -> SnowflakeColumns:
    """The columns of a result, from their metadata and the author's wishes. They do not depend on
    rows.

    Raises TypeMappingError naming every column that no file keeps exactly.
    """
    wide = schema_of(description, _arrow_type)
    schema = file_schema(wide, query.types, query.declared)
    return SnowflakeColumns(schema, tuple(description), query.declared)


def refusal(kind: str, name: str) -> str | None:
    """Why files cannot hold a column of this type, and what to write instead; None if they can."""
    reason = _REFUSED.get(kind)
    return reason.format(name=name) if reason else None


def _arrow_type(column: Column) -> pa.DataType:
    """The Arrow type for the declared type; `file_type` derives the file's type from it."""
    code = column.type_code
    reason = refusal(_kind(column), column.name)
    if reason is not None:
        raise TypeMappingError(reason)
    if code == FIXED:
        return pa.decimal128(column.precision or _WIDEST, column.scale or 0)
    if code in _PLAIN:
        return _PLAIN[code]
    unit = "us" if (column.scale or 0) <= _MICROS else "ns"
    if code == TIME:
        return pa.time64(unit)
    if code in NTZ:
        return pa.timestamp(unit)
    if code in (LTZ, TZ):
        return pa.timestamp(unit, "UTC")
    if code in TEXTS:
        return pa.string()
    raise TypeMappingError(f"the type with code {code} is unknown here: cast it to varchar")


def _kind(column: Column) -> str:
    """Its name in `_REFUSED`, as far as the description tells; empty if files can hold it."""
    code = column.type_code
    if code == FIXED and (column.scale is None or column.precision is None):
        return "DECFLOAT"
    if column.structured and code in (_OBJECT, _ARRAY):
        return "STRUCTURED OBJECT" if code == _OBJECT else "STRUCTURED ARRAY"
    return _REFUSED_CODES.get(code, "")


def _converted(sent: pa.Array, target: pa.DataType, scale: int) -> pa.Array:
    if pa.types.is_decimal(target):
        return _decimals(sent, target)
    if pa.types.is_timestamp(target) or pa.types.is_time(target):
        return _moments(sent, target, scale)
    return _same(sent, target)


def _same(sent: pa.Array, target: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(sent.type):
        return exact_cast(sent, target)
    if sent.type.equals(target):
        return sent
    if pa.types.is_integer(sent.type) and pa.types.is_integer(target):
        return pc.cast(sent, target)
    raise pa.ArrowInvalid(f"it was sent as {sent.type}")


def _decimals(sent: pa.Array, target: pa.DataType) -> pa.Array:
    """Scaled integers as decimals: their 64 bits are the low words, their signs the high ones."""
    if pa.types.is_decimal(sent.type):
        # By way of the widest: a cast to its own type looks at no value.
        return pc.cast(pc.cast(sent, pa.decimal128(_WIDEST, target.scale)), target)
    values = _integers(sent)
    if target.precision <= _INT64_DIGITS:
        _require_within(values, 10**target.precision - 1, f"{target.precision} digits")
    words = np.empty((len(values), 2), np.int64)
    words[:, 0] = values
    words[:, 1] = values >> 63
    return pa.Array.from_buffers(target, len(sent), [_validity(sent), pa.py_buffer(words)])


def _moments(sent: pa.Array, target: pa.DataType, scale: int) -> pa.Array:
    """Times and timestamps as ticks of the file's unit; an instant needs no offset.

    Raises Misfit.
    """
    digits = _MICROS if target.unit == "us" else _NANOS
    parts = _parts(sent)
    counts = [(_integers(parts["epoch"]), 0 if "fraction" in parts else scale)]
    if "fraction" in parts:
        counts.append((_integers(parts["fraction"]), _NANOS))
    found = [_ticks(values, of_scale, digits) for values, of_scale in counts]
    lost = [each for _, each in found if each is not None]
    if lost:
        index = int(np.logical_or.reduce(lost).argmax())
        raise Misfit(index, _moment([(int(v[index]), of) for v, of in counts], target), target)
    ticks = found[0][0] if len(found) == 1 else found[0][0] + found[1][0]
    return pa.Array.from_buffers(target, len(sent), [_validity(sent), pa.py_buffer(ticks)])


def _parts(sent: pa.Array) -> dict[str, pa.Array]:
    if not pa.types.is_struct(sent.type):
        return {"epoch": sent}
    names = [sent.type.field(index).name for index in range(sent.type.num_fields)]
    return dict(zip(names, sent.flatten(), strict=True))


def _ticks(
    values: Integers, scale: int, digits: int
) -> tuple[Integers, npt.NDArray[np.bool_] | None]:
    """Convert units of 10^-scale seconds to units of 10^-digits.

    The second result marks the values that are not exact; None if all are.
    """
    if scale > digits:
        step = 10 ** (scale - digits)
        coarse: Integers = values // step
        lost = coarse * step != values
        return coarse, lost if lost.any() else None
    factor = 10 ** (digits - scale)
    # A second less than what 64 bits hold, so that a fraction can be added.
    limit = (2**63 - 10**digits) // factor
    ticks: Integers = np.multiply(values, factor, dtype=np.int64)
    if not len(values) or (int(values.max()) <= limit and int(values.min()) >= -limit):
        return ticks, None
    return ticks, (values > limit) | (values < -limit)


def _moment(counts: Sequence[tuple[int, int]], kind: pa.DataType) -> str:
    """A time or timestamp, as counts of 10^-scale seconds, with all nine digits."""
    nanos = sum(value * 10 ** (_NANOS - scale) for value, scale in counts)
    seconds, fraction = divmod(nanos, 10**_NANOS)
    whole = pa.time32("s") if pa.types.is_time(kind) else pa.timestamp("s")
    text = text_of(pa.scalar(seconds, whole))
    zone = "Z" if pa.types.is_timestamp(kind) and kind.tz else ""
    return f"{text}.{fraction:09}{zone}"


def _require_within(values: Integers, limit: int, what: str) -> None:
    if len(values) and (int(values.max()) > limit or int(values.min()) < -limit):
        raise pa.ArrowInvalid(f"a value needs more than {what}")


def _integers(sent: pa.Array) -> Integers:
    """Integers of any width as 64 bits, with 0 for NULL.

    By way of the buffers: pyarrow's own ways to and from numpy import pandas, which no run needs.
    """
    wide = pc.cast(sent, pa.int64())
    values = np.frombuffer(wide.buffers()[1], np.int64)[wide.offset : wide.offset + len(wide)]
    if not wide.null_count:
        return values
    bits = np.frombuffer(wide.buffers()[0], np.uint8)
    valid = np.unpackbits(bits, bitorder="little")[wide.offset : wide.offset + len(wide)]
    return np.multiply(values, valid, dtype=np.int64)


def _validity(sent: pa.Array) -> pa.Buffer | None:
    """The bitmap of a new array with the same NULLs."""
    return pc.is_valid(sent).buffers()[1] if sent.null_count else None
