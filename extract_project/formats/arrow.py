"""Arrow IPC files: what Arrow readers map into memory as it stands."""

from __future__ import annotations

import pyarrow as pa

from extract_project.formats.encoder import Sink, buffered
from extract_project.formats.options import FileFormat


class ArrowEncoder:
    """One record batch per row group."""

    def __init__(self, sink: Sink, schema: pa.Schema, file_format: FileFormat) -> None:
        codec = None
        if file_format.codec != "none":
            codec = pa.Codec(file_format.codec, compression_level=file_format.level)
        self._sink = buffered(sink)
        self._writer = pa.ipc.new_file(
            self._sink, schema, options=pa.ipc.IpcWriteOptions(compression=codec)
        )

    def write(self, rows: pa.Table) -> None:
        for batch in rows.combine_chunks().to_batches():
            self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()
        self._sink.flush()
