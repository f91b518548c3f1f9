"""Write compressed text into a file; shared by csv and jsonl."""

from __future__ import annotations

import zlib

import pyarrow as pa

from extract_project.formats.protocol import FileFormat, Sink
from extract_project.schema.text import bytes_of

_PIECE = 32 << 20


class TextStream:
    """Compresses text into the sink. Equal text gives equal bytes: no file name or time is
    written.
    """

    def __init__(self, sink: Sink, file_format: FileFormat) -> None:
        self._sink = sink
        self._gzip = None
        self._zstd = None
        if file_format.codec == "gzip":
            gzip_container = 31
            self._gzip = zlib.compressobj(file_format.level or 1, wbits=gzip_container)
        elif file_format.codec == "zstd":
            self._zstd = pa.CompressedOutputStream(pa.PythonFile(sink, "w"), "zstd")

    def write(self, text: pa.StringArray) -> None:
        """Write the values of a string array without NULLs, one after the other."""
        self.write_bytes(bytes_of(text))

    def write_bytes(self, data: bytes | memoryview) -> None:
        """Write bytes that are already encoded."""
        if self._gzip:
            rest = memoryview(data)
            while rest:  # what a long value becomes is passed on piece by piece
                self._sink.write(self._gzip.compress(rest[:_PIECE]))
                rest = rest[_PIECE:]
        elif self._zstd:
            self._zstd.write(data)
        else:
            self._sink.write(data)

    def close(self) -> None:
        if self._gzip:
            self._sink.write(self._gzip.flush())
        elif self._zstd:
            self._zstd.close()
