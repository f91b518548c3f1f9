"""Row groups in, bytes out: what every file format looks like to the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from extract_project.formats.options import FileFormat

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK_BYTES = 1 << 20


class Sink(Protocol):
    """Where encoded bytes go, in order: a file object whose `close` does not end the upload."""

    @property
    def closed(self) -> bool: ...

    def write(self, data: bytes | memoryview) -> int: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class Encoder(Protocol):
    """Writes one file. Equal rows in equal groups give equal bytes."""

    def write(self, rows: pa.Table) -> None:
        """Encode one row group in the schema that the encoder was opened with."""

    def close(self) -> None:
        """Write what stands at the end of the file; the sink stays open."""


def buffered(sink: Sink) -> pa.NativeFile:
    """The sink for Arrow's writers, in blocks of 1 MiB; whoever closes the file flushes it.

    They write thousands of small pieces, and each call into Python waits for the interpreter's
    lock while another thread reads: that took longer than the encoding.
    """
    import pyarrow as pa

    return pa.BufferedOutputStream(pa.PythonFile(sink, "w"), _BLOCK_BYTES)


Opener = Callable[[Sink, "pa.Schema", FileFormat], Encoder]


def open_encoder(file_format: FileFormat, sink: Sink, schema: pa.Schema) -> Encoder:
    """Start a file; a file without any group is valid and has the schema."""
    return _openers()[file_format.name](sink, schema, file_format)


def _openers() -> dict[str, Opener]:
    from extract_project.formats.arrow import ArrowEncoder
    from extract_project.formats.csv import CsvEncoder
    from extract_project.formats.jsonl import JsonlEncoder
    from extract_project.formats.parquet import ParquetEncoder

    return {
        "parquet": ParquetEncoder,
        "csv": CsvEncoder,
        "jsonl": JsonlEncoder,
        "arrow": ArrowEncoder,
    }
