"""Write JSON Lines: one object per row, every column present, NULL as null.

Numbers are written exactly, with all their digits. NaN and Infinity, which JSON does not have as
numbers, are strings.
"""

from __future__ import annotations

import pyarrow as pa

from extract_project.formats.protocol import FileFormat, Sink
from extract_project.formats.stream import TextStream
from extract_project.schema.text import json_rows


class JsonlEncoder:
    """Writes JSON Lines. Rows are built column by column, without a Python object per value."""

    def __init__(self, sink: Sink, schema: pa.Schema, file_format: FileFormat) -> None:
        self._stream = TextStream(sink, file_format)

    def write(self, rows: pa.Table) -> None:
        for batch in rows.to_batches():
            self._stream.write(json_rows(batch, end="\n"))

    def close(self) -> None:
        self._stream.close()
