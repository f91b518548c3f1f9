"""Write tables to files and read them back, without S3."""

from __future__ import annotations

import io

import pyarrow as pa

from extract_project.formats.protocol import FileFormat
from extract_project.history.reading import read_rows
from extract_project.pipeline.rowgroups import row_groups


class Memory(io.BytesIO):
    """A sink whose bytes can be read after the writer has closed it."""

    def close(self) -> None:
        """Do nothing: like an upload, it is not ended by the encoder."""


def write(table: pa.Table, chosen: FileFormat) -> bytes:
    sink = Memory()
    encoder = chosen.encoder(sink, table.schema)
    for group in row_groups(table.to_batches(), table.schema):
        encoder.write(group)
    encoder.close()
    return sink.getvalue()


def read(content: bytes, chosen: FileFormat, schema: pa.Schema) -> pa.Table:
    return read_rows(io.BytesIO(content), chosen, schema).read_all()
