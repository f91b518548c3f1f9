"""Reading a published version back, in the types it was written with."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from extract_project.errors import NotPublished
from extract_project.formats.options import FileFormat, named_format
from extract_project.history.parts import Part, is_manifest, load_manifest
from extract_project.history.receipt import read_schema
from extract_project.history.versions import Version
from extract_project.schema.years import read_expanded
from extract_project.store.protocol import Store

_BUFFER = 4 << 20
_BATCH_ROWS = 65_536
_LONGEST_ROW = 32 << 20
"""Of CSV, in bytes: arrow reads so much at once, and no row may be longer."""


class ObjectFile(io.RawIOBase):
    """One object version as a seekable file; every read is a range request of that version."""

    def __init__(self, store: Store, key: str, version_id: str, size: int) -> None:
        self._store, self._key, self._version_id, self._size = store, key, version_id, size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        self._position = start[whence] + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._size)
        if end <= self._position:
            return 0
        data = self._store.read_range(self._key, self._version_id, self._position, end)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def open_version(version: Version, schema: pa.Schema | None = None) -> pa.RecordBatchReader:
    """A stream of the rows of one published version, of all its parts in order where it has any;
    see `read_rows`.
    """
    if not is_manifest(version.key):
        file = ObjectFile(version.store, version.key, version.version_id, version.size)
        return _open(file, version_format(version), schema)
    manifest = load_manifest(version)
    exact = read_schema(manifest)
    parts = (open_part(version.store, part, exact) for part in manifest.parts)
    first = next(parts)
    batches = (batch for part in chain([first], parts) for batch in part)
    return pa.RecordBatchReader.from_batches(first.schema, batches)


def version_format(version: Version) -> FileFormat:
    """What a version of one object says of its format, else what its name says.

    Raises NotPublished for an object that no extract writes.
    """
    told = version.provenance.get("format")
    return key_format(f".{told}" if told else version.key)


def key_format(key: str) -> FileFormat:
    """What the end of a key says; raises NotPublished for one that no extract has."""
    found = named_format(key)
    if found is None:
        name = key.rpartition("/")[2]
        raise NotPublished(f"{name} is no extract: expected parquet, arrow, csv or jsonl")
    return found


def open_part(store: Store, part: Part, schema: pa.Schema) -> pa.RecordBatchReader:
    """A stream of the rows of one part, by the version that its manifest names."""
    file = ObjectFile(store, part.key, part.version_id, part.bytes)
    return _open(file, key_format(part.key), schema)


def _open(
    file: ObjectFile, file_format: FileFormat, schema: pa.Schema | None
) -> pa.RecordBatchReader:
    return read_rows(io.BufferedReader(file, _BUFFER), file_format, schema)


def read_rows(
    file: BinaryIO, file_format: FileFormat, schema: pa.Schema | None = None
) -> pa.RecordBatchReader:
    """A stream of the rows of a file, in bounded memory.

    `schema` is what the receipt says: text formats need it to give back exact types. Raises
    NotPublished where it is needed and not given.
    """
    if file_format.name == "parquet":
        # Arrow keeps what it has buffered ahead until the end: the whole file, in the end.
        parquet = pq.ParquetFile(file, pre_buffer=False)
        batches = parquet.iter_batches(_BATCH_ROWS)
        return pa.RecordBatchReader.from_batches(parquet.schema_arrow, batches)
    if file_format.name == "arrow":
        reader = pa.ipc.open_file(pa.PythonFile(file, "r"))
        groups = (reader.get_batch(i) for i in range(reader.num_record_batches))
        return pa.RecordBatchReader.from_batches(reader.schema, groups)
    if schema is None:
        raise NotPublished(
            f"this {file_format.name} file has no receipt, so the types of its text are unknown"
        )
    text = pa.input_stream(file, compression=file_format.text_codec)
    batches = _csv_batches if file_format.name == "csv" else _jsonl_batches
    return pa.RecordBatchReader.from_batches(schema, batches(text, schema))


def _csv_batches(text: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    reader = pa.csv.open_csv(
        text,
        read_options=pa.csv.ReadOptions(block_size=_LONGEST_ROW, use_threads=False),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.string() for name in schema.names},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    for batch in reader:
        columns = [from_text(c, f.type) for c, f in zip(batch.columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def from_text(text: pa.Array, kind: pa.DataType) -> pa.Array:
    """The inverse of `text.plain_text`."""
    if pa.types.is_binary(kind):
        decoded = [None if v is None else base64.b64decode(v) for v in text.to_pylist()]
        return pa.array(decoded, kind)
    if pa.types.is_nested(kind):
        values = [None if v is None else _typed(_loads(v), kind) for v in text.to_pylist()]
        return pa.array(values, kind)
    if pa.types.is_date32(kind) or pa.types.is_timestamp(kind):
        return _times(text, kind)
    if pa.types.is_time(kind):
        any_day = pc.binary_join_element_wise("1970-01-01", text, " ")
        return any_day.cast(pa.timestamp(kind.unit)).cast(kind)
    return text.cast(kind)


def _times(text: pa.Array, kind: pa.DataType) -> pa.Array:
    if pc.any(pc.match_substring_regex(text, "^[+-]")).as_py():  # years that Arrow cannot read
        numbers = [None if v is None else _time_number(v, kind) for v in text.to_pylist()]
        counted = pa.int32() if pa.types.is_date32(kind) else pa.int64()
        return pa.array(numbers, counted).cast(kind)
    if pa.types.is_timestamp(kind) and kind.tz:
        naive = pc.utf8_rtrim(text, "Z").cast(pa.timestamp(kind.unit))
        return pc.assume_timezone(naive, "UTC")
    return text.cast(kind)


def _time_number(text: str, kind: pa.DataType) -> int:
    found = read_expanded(text, kind)
    if found is None:
        found = from_text(pa.array([text], pa.string()), kind)[0].value
    return found


def _jsonl_batches(text: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    lines = io.TextIOWrapper(text, encoding="utf-8", newline="\n")
    rows: list[dict[str, Any]] = []
    for line in lines:
        rows.append(_loads(line))
        if len(rows) == _BATCH_ROWS:
            yield _batch(rows, schema)
            rows = []
    if rows:
        yield _batch(rows, schema)


def _batch(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        pa.array([_typed(row[field.name], field.type) for row in rows], field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _loads(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _typed(value: Any, kind: pa.DataType) -> Any:
    """What JSON has no type for, from its text."""
    if value is None:
        return None
    if pa.types.is_list(kind):
        return [_typed(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind):
        return {field.name: _typed(value[field.name], field.type) for field in kind.fields}
    if pa.types.is_map(kind):
        texts = pa.array(list(value), pa.string())
        keys = [_scalar_value(key) for key in from_text(texts, kind.key_type)]
        items = (_typed(item, kind.item_type) for item in value.values())
        return list(zip(keys, items, strict=True))
    if pa.types.is_floating(kind):
        return float(value)
    if pa.types.is_decimal(kind):
        return Decimal(value)
    if isinstance(value, str) and not pa.types.is_string(kind):
        return _scalar_value(from_text(pa.array([value]), kind)[0])
    return value


def _scalar_value(scalar: pa.Scalar) -> Any:
    """What an array of the same type is built from; times as counts, for Python lacks some."""
    return scalar.value if pa.types.is_temporal(scalar.type) else scalar.as_py()
