"""The CSV format and its options. Arrow is loaded only for writing and reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from extract_project.formats.csv.dialect import RFC_4180, Dialect
from extract_project.formats.protocol import Encoder, FileFormat, Format, Sink

if TYPE_CHECKING:
    import pyarrow as pa


class Csv(Format):
    """Comma-separated values, for programs and people that read nothing else."""

    name = "csv"
    content_type = "text/csv"
    options = Dialect
    codecs = ("gzip", "zstd", "none")
    is_text = True
    by_position = True

    def media_type(self, file_format: FileFormat) -> str:
        dialect = dialect_of(file_format)
        charset = "us-ascii" if dialect.encoding == "ascii" else dialect.encoding
        header = "present" if dialect.header else "absent"
        return f"{self.content_type}; charset={charset}; header={header}"

    def encoder(self, sink: Sink, schema: pa.Schema, file_format: FileFormat) -> Encoder:
        from extract_project.formats.csv.encoder import CsvEncoder

        return CsvEncoder(sink, schema, file_format, dialect_of(file_format))

    def read(
        self, file: BinaryIO, file_format: FileFormat, schema: pa.Schema | None
    ) -> pa.RecordBatchReader:
        from extract_project.formats.csv.reader import read_csv

        assert schema is not None  # text has no types of its own
        return read_csv(file, file_format, schema, dialect_of(file_format))


def dialect_of(file_format: FileFormat) -> Dialect:
    """The dialect of a CSV file."""
    options = file_format.options
    return options if isinstance(options, Dialect) else RFC_4180
