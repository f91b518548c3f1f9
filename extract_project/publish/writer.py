"""Encode rows into files, once for all destinations that take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from extract_project.errors import TypeMappingError
from extract_project.formats.protocol import Encoder, FileFormat, Unwritable
from extract_project.publish.clock import Clock, TimedSink
from extract_project.publish.fan import Fan
from extract_project.publish.output import OneObject
from extract_project.schema.display import shown

if TYPE_CHECKING:
    import pyarrow as pa


class Writer(Protocol):
    """Encodes a result into the outputs of its destinations."""

    @property
    def rows(self) -> int:
        """The number of rows written so far."""

    def begin(self, schema: pa.Schema) -> None:
        """Set the schema, before the first row."""

    def write(self, rows: pa.Table) -> None:
        """Encode the next row group; raises TypeMappingError or StagingError."""

    def seal(self) -> None:
        """Finish writing, and wait until every destination has everything."""


class File:
    """Encodes row groups into one file."""

    def __init__(
        self,
        sink: Fan,
        schema: pa.Schema,
        file_format: FileFormat,
        clock: Clock,
        rows_before: int = 0,
    ) -> None:
        self.rows = 0
        self._sink = sink
        self._rows_before = rows_before
        self._clock = clock
        with clock.stage("encode"):
            self._encoder: Encoder = file_format.encoder(TimedSink(sink, clock), schema)

    @property
    def size(self) -> int:
        """The number of bytes written so far."""
        return self._sink.size

    def write(self, rows: pa.Table) -> None:
        with self._clock.stage("encode"):
            try:
                self._encoder.write(rows)
            except Unwritable as error:
                raise self._refused(error) from None
        self.rows += rows.num_rows

    def seal(self) -> None:
        """Finish the file, and wait until every destination has it."""
        with self._clock.stage("encode"):
            self._encoder.close()
        with self._clock.stage("upload"):
            self._sink.seal()

    def _refused(self, error: Unwritable) -> TypeMappingError:
        number = self._rows_before + self.rows + error.index + 1
        return TypeMappingError(
            f"column {error.column!r} has {shown(error.value)!r} in row {number:,}: {error.reason}"
        )


class OneFile:
    """The whole result in one file."""

    def __init__(self, outputs: Sequence[OneObject], file_format: FileFormat, clock: Clock) -> None:
        self._outputs, self._format, self._clock = outputs, file_format, clock
        self._file: File | None = None

    @property
    def rows(self) -> int:
        return self._file.rows if self._file else 0

    def begin(self, schema: pa.Schema) -> None:
        sink = Fan([(each.health, each.upload) for each in self._outputs])
        self._file = File(sink, schema, self._format, self._clock)

    def write(self, rows: pa.Table) -> None:
        assert self._file is not None
        self._file.write(rows)

    def seal(self) -> None:
        assert self._file is not None
        self._file.seal()
