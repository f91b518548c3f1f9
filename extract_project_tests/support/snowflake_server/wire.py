"""Rows as Snowflake sends them: Arrow IPC streams of physical types with logical ones beside them.

Taken from the connector's source (5.2.0, `nanoarrow_cpp/ArrowIterator/ArrowTableConverter.cpp` and
`sf_core/src/rest/snowflake/query_response.rs`): which physical type stands for which logical one,
and which metadata the reader looks at.

A logical value is kept as its *wire* value from the start, as an Arrow array: scaled integers for
NUMBER, ticks of 10^-scale seconds for times and short timestamps, seconds and nanoseconds for long
ones. Integers are sent in the narrowest type that holds the range of the chunk at hand, so the
same column changes its type between chunks, as it does at Snowflake.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_NANOS = 10**9
_STRUCT_SCALE = 7
_TZ_MINUTES = 1440
_DIGITS = Context(prec=76)
_DECIMAL = pa.decimal128(38, 0)


@dataclass(frozen=True)
class Column:
    """One entry of `rowtype`, with `precision` and `scale` as Snowflake sends them."""

    name: str
    type: str
    precision: int | None = None
    scale: int | None = None
    length: int | None = None
    extended: str | None = None
    """GEOGRAPHY and GEOMETRY are sent as OBJECT with this beside it."""
    fields: tuple[Column, ...] = ()
    """The element types of a structured ARRAY, OBJECT or MAP."""
    dimension: int | None = None
    """Of a VECTOR."""

    def rowtype(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.type.lower(),
            "precision": self.precision,
            "scale": self.scale,
            "length": self.length,
            "byteLength": self.length,
            "nullable": True,
            "extTypeName": self.extended,
            "vectorDimension": self.dimension,
            "fields": [each.rowtype() for each in self.fields] or None,
        }

    def metadata(self) -> dict[str, str]:
        values = {
            "logicalType": self.type,
            "precision": self.precision or 38,
            "scale": self.scale or 0,
            "charLength": self.length or 0,
            "byteLength": 16 if self.type == "TIMESTAMP_TZ" else self.length or 0,
        }
        return {key: str(value) for key, value in values.items()}


def wire_array(column: Column, values: Sequence[Any]) -> pa.Array:
    """Python values (of SQL's meaning) as the wire values of a column."""
    convert = _FROM_PYTHON.get(column.type)
    given = [None if v is None else convert(v, column) if convert else v for v in values]
    return pa.array(given, _wire_type(column))


def _wire_type(column: Column) -> pa.DataType:
    if column.type == "FIXED":
        return _DECIMAL
    if column.type == "TIME":
        return pa.int64()
    if column.type == "TIMESTAMP_TZ":
        return pa.struct(
            [("epoch", pa.int64()), ("fraction", pa.int32()), ("timezone", pa.int32())]
        )
    if column.type in ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ"):
        if (column.scale or 0) >= _STRUCT_SCALE:
            return pa.struct([("epoch", pa.int64()), ("fraction", pa.int32())])
        return pa.int64()
    return {
        "REAL": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "DATE": pa.date32(),
        "BINARY": pa.binary(),
    }.get(column.type, pa.string())


def _fixed(value: Any, column: Column) -> Decimal:
    return Decimal(value).scaleb(column.scale or 0, _DIGITS)


def _time(value: time | int, column: Column) -> int:
    """An `int` is nanoseconds since midnight, which Python's `time` does not have."""
    nanos = value
    if isinstance(value, time):
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        nanos = seconds * _NANOS + value.microsecond * 1000
    assert isinstance(nanos, int)
    ticks: int = nanos // 10 ** (9 - (column.scale or 0))
    return ticks


def _nanoseconds(value: datetime | int) -> int:
    """An `int` is nanoseconds since 1970, which Python's `datetime` does not have."""
    if isinstance(value, int):
        return value
    utc = value if value.tzinfo else value.replace(tzinfo=UTC)
    return (utc - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _timestamp(value: datetime | int, column: Column) -> Any:
    nanos, scale = _nanoseconds(value), column.scale or 0
    if scale >= _STRUCT_SCALE:
        return {"epoch": nanos // _NANOS, "fraction": nanos % _NANOS}
    return nanos // 10 ** (9 - scale)


def _timestamp_tz(value: datetime | int, column: Column) -> Any:
    offset = value.utcoffset() if isinstance(value, datetime) else None
    minutes = int((offset or timedelta()).total_seconds()) // 60
    nanos = _nanoseconds(value)
    return {
        "epoch": nanos // _NANOS,
        "fraction": nanos % _NANOS,
        "timezone": minutes + _TZ_MINUTES,
    }


def _json(value: Any, column: Column) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


_FROM_PYTHON: dict[str, Any] = {
    "FIXED": _fixed,
    "TIME": _time,
    "TIMESTAMP_NTZ": _timestamp,
    "TIMESTAMP_LTZ": _timestamp,
    "TIMESTAMP_TZ": _timestamp_tz,
    "VARIANT": _json,
    "OBJECT": _json,
    "ARRAY": _json,
}


@dataclass(frozen=True)
class Chunk:
    """Some rows, ready to be sent."""

    rows: int
    stream: bytes
    """An Arrow IPC stream."""

    @property
    def inline(self) -> str:
        """As `rowsetBase64`."""
        return base64.b64encode(self.stream).decode()

    def compressed(self) -> bytes:
        return gzip.compress(self.stream, compresslevel=1, mtime=0)


def chunk(columns: Sequence[Column], batch: pa.RecordBatch) -> Chunk:
    """Make one chunk of wire values, with the integer widths that these rows need."""
    arrays = [
        _narrowed(column, array) for column, array in zip(columns, batch.columns, strict=True)
    ]
    schema = pa.schema(
        [
            pa.field(column.name, array.type, metadata=column.metadata())
            for column, array in zip(columns, arrays, strict=True)
        ]
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return Chunk(batch.num_rows, sink.getvalue().to_pybytes())


def _narrowed(column: Column, array: pa.Array) -> pa.Array:
    if column.type == "TIME":
        return array.cast(pa.int32() if (column.scale or 0) <= 3 else pa.int64())
    if column.type != "FIXED":
        return array
    if pa.types.is_decimal(array.type):
        extremes = pc.min_max(array)
        largest = max(
            (abs(each.as_py()) for each in (extremes["min"], extremes["max"]) if each.is_valid),
            default=Decimal(0),
        )
        if largest >= 2**63:
            decimal = pa.decimal128(38, column.scale or 0)
            return pa.Array.from_buffers(
                decimal, len(array), array.buffers(), array.null_count, array.offset
            )
        array = _low_words(array)
    extremes = pc.min_max(array)
    values = [each.as_py() for each in (extremes["min"], extremes["max"]) if each.is_valid]
    for kind, bits in ((pa.int8(), 7), (pa.int16(), 15), (pa.int32(), 31)):
        if all(-(2**bits) <= value < 2**bits for value in values):
            return array.cast(kind)
    return array


def _low_words(array: pa.Array) -> pa.Array:
    """Decimals that fit into 64 bits, as integers: the low words of their memory."""
    words = np.frombuffer(array.buffers()[1], np.int64).reshape(-1, 2)
    low = np.ascontiguousarray(words[array.offset : array.offset + len(array), 0])
    if not array.null_count:
        return pa.array(low)
    return pa.array(low, mask=np.asarray(array.is_null()))
