"""Tables to files and back, without S3."""

from __future__ import annotations

import io

import pyarrow as pa

from extract_project.formats.protocol import FileFormat
from extract_project.history.reading import read_rows
from extract_project.pipeline.rowgroups import row_groups


class Memory(io.BytesIO):
    """A sink whose bytes are still there when the writer has closed it."""

    def close(self) -> None:
        """As an upload: the encoder does not end it."""


def write(table: pa.Table, chosen: FileFormat) -> bytes:
    sink = Memory()
    encoder = chosen.encoder(sink, table.schema)
    for group in row_groups(table.to_batches(), table.schema):
        encoder.write(group)
    encoder.close()
    return sink.getvalue()


def read(content: bytes, chosen: FileFormat, schema: pa.Schema) -> pa.Table:
    return read_rows(io.BytesIO(content), chosen, schema).read_all()
