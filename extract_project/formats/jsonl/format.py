"""The JSON Lines format and its options. Arrow is loaded only for writing and reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from extract_project.formats.protocol import Encoder, FileFormat, Format, Sink

if TYPE_CHECKING:
    import pyarrow as pa


class Jsonl(Format):
    """JSON Lines: one object per row."""

    name = "jsonl"
    content_type = "application/jsonl; charset=utf-8"
    codecs = ("gzip", "zstd", "none")
    is_text = True

    def encoder(self, sink: Sink, schema: pa.Schema, file_format: FileFormat) -> Encoder:
        from extract_project.formats.jsonl.encoder import JsonlEncoder

        return JsonlEncoder(sink, schema, file_format)

    def read(
        self, file: BinaryIO, file_format: FileFormat, schema: pa.Schema | None
    ) -> pa.RecordBatchReader:
        from extract_project.formats.jsonl.reader import read_jsonl

        assert schema is not None  # text has no types of its own
        return read_jsonl(file, file_format, schema)
