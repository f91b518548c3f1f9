"""Write compressed text into a file; shared by csv and jsonl."""

from __future__ import annotations

import zlib

import pyarrow as pa

from extract_project.formats.protocol import FileFormat, Sink


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
            self._sink.write(self._gzip.compress(data))
        elif self._zstd:
            self._zstd.write(data)
        else:
            self._sink.write(data)

    def close(self) -> None:
        if self._gzip:
            self._sink.write(self._gzip.flush())
        elif self._zstd:
            self._zstd.close()


def bytes_of(text: pa.StringArray) -> memoryview:
    """The characters of a string array as one contiguous buffer."""
    _, offsets, data = text.buffers()
    if data is None or not len(text):
        return memoryview(b"")
    ends = pa.Array.from_buffers(pa.int32(), len(text) + 1, [None, offsets], offset=text.offset)
    return memoryview(data)[ends[0].as_py() : ends[len(text)].as_py()]
