"""Read JSON Lines as `encoder` writes it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa

from extract_project.formats.protocol import FileFormat
from extract_project.schema.from_text import from_json, read_json

_BATCH_ROWS = 65_536


def read_jsonl(file: BinaryIO, file_format: FileFormat, schema: pa.Schema) -> pa.RecordBatchReader:
    text = pa.input_stream(file, compression=file_format.text_codec)
    return pa.RecordBatchReader.from_batches(schema, _batches(text, schema))


def _batches(text: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    lines = io.TextIOWrapper(text, encoding="utf-8", newline="\n")
    rows: list[dict[str, Any]] = []
    for line in lines:
        rows.append(read_json(line))
        if len(rows) == _BATCH_ROWS:
            yield _batch(rows, schema)
            rows = []
    if rows:
        yield _batch(rows, schema)


def _batch(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        pa.array([from_json(row[field.name], field.type) for row in rows], field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
