"""The protocol of a file format: how the pipeline writes it, and how it is read back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from extract_project.formats.compression import SUFFIX

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK_BYTES = 1 << 20


class Sink(Protocol):
    """The destination of encoded bytes: a file object whose `close` does not end the upload."""

    @property
    def closed(self) -> bool: ...

    def write(self, data: bytes | memoryview) -> int: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class Unwritable(Exception):
    """A value that the file cannot hold with the options of its format.

    `index` counts rows within the row group, `value` is the value as text, `reason` says what is
    wrong and what to do.
    """

    def __init__(self, column: str, index: int, value: str, reason: str) -> None:
        super().__init__(f"column {column!r}: {value!r}: {reason}")
        self.column = column
        self.index = index
        self.value = value
        self.reason = reason

    def later(self, rows: int) -> Unwritable:
        """The same error, with `rows` rows before the group."""
        return Unwritable(self.column, self.index + rows, self.value, self.reason)


class Encoder(Protocol):
    """Writes one file. Equal rows in equal groups give equal bytes."""

    def write(self, rows: pa.Table) -> None:
        """Encode one row group in the schema that the encoder was opened with.

        Raises Unwritable, after which the file is of no use.
        """

    def close(self) -> None:
        """Write the end of the file; the sink stays open."""


class FormatOptions(BaseModel):
    """A format's options in the header, under the key with the format's name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Options that contradict others: the key, and the error text."""
        return iter(())


class Format(ABC):
    """One file format: its options, how it is written, and how it is read back.

    Headers are parsed without Arrow: a format imports it where it writes and reads.
    """

    name: ClassVar[str]
    """Its name in the header key `format`; also the file's extension."""
    content_type: ClassVar[str]
    options: ClassVar[type[FormatOptions] | None] = None
    """The model of its options, if it has any; every option has a default."""
    codecs: ClassVar[tuple[str, ...]]
    """The compressions that it supports; the first is the default."""
    is_text: ClassVar[bool] = False
    """Whether it is text, which is compressed as a whole and read with the types of the receipt."""
    by_position: ClassVar[bool] = False
    """Whether readers find columns by their position, so that their order matters."""

    def media_type(self, file_format: FileFormat) -> str:
        """The Content-Type of a file that is not compressed as a whole."""
        return self.content_type

    def copies_of_long(self, rows_before: int) -> int:
        """How often a long value is in memory, at most, while it is encoded and uploaded;
        `rows_before` are in earlier row groups. Measured.
        """
        return 4

    @abstractmethod
    def encoder(self, sink: Sink, schema: pa.Schema, file_format: FileFormat) -> Encoder:
        """Start a file; a file without any group is valid and has the schema."""

    @abstractmethod
    def read(
        self, file: BinaryIO, file_format: FileFormat, schema: pa.Schema | None
    ) -> pa.RecordBatchReader:
        """A stream of the rows of a file, in bounded memory and in the types they were written in.

        `schema` comes from the receipt; for text formats it is never None.
        """


@dataclass(frozen=True)
class FileFormat:
    """The file format of an extract: a format, with the options that its header chooses."""

    format: Format
    codec: str
    level: int | None
    options: FormatOptions | None = None
    """Default: those of the format."""

    @property
    def written_options(self) -> dict[str, Any] | None:
        """The options that differ from the defaults, to be recorded in the receipt; None if
        there are none.
        """
        return (self.options and self.options.model_dump(exclude_defaults=True)) or None

    def with_options(self, written: dict[str, Any] | None) -> FileFormat:
        """The same format, with the options that a receipt has recorded."""
        if written is None or self.format.options is None:
            return self
        return replace(self, options=self.format.options.model_validate(written))

    @property
    def name(self) -> str:
        return self.format.name

    @property
    def extension(self) -> str:
        """`.parquet`, `.csv.gz`: the extension by which readers choose a decoder."""
        return f".{self.name}{SUFFIX[self.codec] if self.is_text else ''}"

    @property
    def text_codec(self) -> str | None:
        """The compression of a whole text file; None if it can be read directly."""
        return self.codec if self.is_text and self.codec != "none" else None

    @property
    def is_text(self) -> bool:
        return self.format.is_text

    @property
    def content_type(self) -> str:
        codec = self.text_codec
        return f"application/{codec}" if codec else self.format.media_type(self)

    def encoder(self, sink: Sink, schema: pa.Schema) -> Encoder:
        """Start a file; a file without any group is valid and has the schema."""
        return self.format.encoder(sink, schema, self)


def buffered(sink: Sink) -> pa.NativeFile:
    """The sink for Arrow's writers, buffered in blocks of 1 MiB; closing the file flushes it.

    Arrow writes thousands of small pieces. Each is a call into Python that waits for the
    interpreter's lock while another thread reads: without the buffer, that took longer than the
    encoding.
    """
    import pyarrow as pa

    return pa.BufferedOutputStream(pa.PythonFile(sink, "w"), _BLOCK_BYTES)
