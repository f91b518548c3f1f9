"""The CSV format and its options. Arrow is loaded only for writing and reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from extract_project.formats.protocol import Encoder, FileFormat, Format, Sink

if TYPE_CHECKING:
    import pyarrow as pa


class Csv(Format):
    """Comma-separated values, for programs and people that read nothing else."""

    name = "csv"
    content_type = "text/csv; charset=utf-8; header=present"
    codecs = ("gzip", "zstd", "none")
    is_text = True
    by_position = True

    def encoder(self, sink: Sink, schema: pa.Schema, file_format: FileFormat) -> Encoder:
        from extract_project.formats.csv.encoder import CsvEncoder

        return CsvEncoder(sink, schema, file_format)

    def read(
        self, file: BinaryIO, file_format: FileFormat, schema: pa.Schema | None
    ) -> pa.RecordBatchReader:
        from extract_project.formats.csv.reader import read_csv

        assert schema is not None  # text has no types of its own
        return read_csv(file, file_format, schema)
