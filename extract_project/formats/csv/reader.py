"""Reading CSV as `encoder` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv

from extract_project.formats.protocol import FileFormat
from extract_project.schema.from_text import from_text

_LONGEST_ROW = 32 << 20
"""In bytes. Arrow reads this much at once, and no row may be longer."""


def read_csv(file: BinaryIO, file_format: FileFormat, schema: pa.Schema) -> pa.RecordBatchReader:
    text = pa.input_stream(file, compression=file_format.text_codec)
    return pa.RecordBatchReader.from_batches(schema, _batches(text, schema))


def _batches(text: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
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
