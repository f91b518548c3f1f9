"""What a file format is, to the pipeline that writes it and to those that read it back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Protocol

from extract_project.formats.compression import SUFFIX

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


class Format(ABC):
    """One file format: what can be chosen of it, how it is written and how it is read back.

    Headers are parsed without Arrow: a format imports it where it writes and reads.
    """

    name: ClassVar[str]
    """What the header's `format` calls it; also the file's extension."""
    content_type: ClassVar[str]
    codecs: ClassVar[tuple[str, ...]]
    """The compressions that it has, of those in `compression`; the first is the default."""
    is_text: ClassVar[bool] = False
    """Whether it is text: compressed as a whole, and read back with the types of the receipt."""
    by_position: ClassVar[bool] = False
    """Whether readers tell columns by their position, so that their order matters."""

    @abstractmethod
    def encoder(self, sink: Sink, schema: pa.Schema, file_format: FileFormat) -> Encoder:
        """Start a file; a file without any group is valid and has the schema."""

    @abstractmethod
    def read(
        self, file: BinaryIO, file_format: FileFormat, schema: pa.Schema | None
    ) -> pa.RecordBatchReader:
        """A stream of the rows of a file, in bounded memory and in the types they were written in.

        `schema` is what the receipt says; of text it is never None.
        """


@dataclass(frozen=True)
class FileFormat:
    """How the bytes of an extract are written: a format, and what its header chooses of it."""

    format: Format
    codec: str
    level: int | None

    @property
    def name(self) -> str:
        return self.format.name

    @property
    def extension(self) -> str:
        """`.parquet`, `.csv.gz`: what readers choose a decoder by."""
        return f".{self.name}{SUFFIX[self.codec] if self.is_text else ''}"

    @property
    def text_codec(self) -> str | None:
        """What a text file is compressed with as a whole; None where it can be read as it is."""
        return self.codec if self.is_text and self.codec != "none" else None

    @property
    def is_text(self) -> bool:
        return self.format.is_text

    @property
    def content_type(self) -> str:
        return f"application/{self.text_codec}" if self.text_codec else self.format.content_type

    def encoder(self, sink: Sink, schema: pa.Schema) -> Encoder:
        """Start a file; a file without any group is valid and has the schema."""
        return self.format.encoder(sink, schema, self)


def buffered(sink: Sink) -> pa.NativeFile:
    """The sink for Arrow's writers, in blocks of 1 MiB; whoever closes the file flushes it.

    They write thousands of small pieces, and each call into Python waits for the interpreter's
    lock while another thread reads: that took longer than the encoding.
    """
    import pyarrow as pa

    return pa.BufferedOutputStream(pa.PythonFile(sink, "w"), _BLOCK_BYTES)
