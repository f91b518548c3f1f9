"""Arrow IPC files, which Arrow readers map into memory directly."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from extract_project.formats.protocol import FileFormat, Format, Sink, buffered

if TYPE_CHECKING:
    import pyarrow as pa


class Arrow(Format):
    """Arrow's own file, for programs that map it into memory."""

    name = "arrow"
    content_type = "application/vnd.apache.arrow.file"
    codecs = ("zstd", "lz4", "none")

    def encoder(self, sink: Sink, schema: pa.Schema, file_format: FileFormat) -> ArrowEncoder:
        return ArrowEncoder(sink, schema, file_format)

    def read(
        self, file: BinaryIO, file_format: FileFormat, schema: pa.Schema | None
    ) -> pa.RecordBatchReader:
        import pyarrow as pa

        reader = pa.ipc.open_file(pa.PythonFile(file, "r"))
        groups = (reader.get_batch(i) for i in range(reader.num_record_batches))
        return pa.RecordBatchReader.from_batches(reader.schema, groups)


class ArrowEncoder:
    """One record batch per row group."""

    def __init__(self, sink: Sink, schema: pa.Schema, file_format: FileFormat) -> None:
        import pyarrow as pa

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
