"""Cut a result into part files, at a number of rows or of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from extract_project.errors import Cause, StagingError
from extract_project.formats.protocol import FileFormat
from extract_project.history.cursor import Cursor, Span
from extract_project.manifest.fields.incremental import Incremental
from extract_project.manifest.fields.split import Split
from extract_project.memory import give_back_freed
from extract_project.publish.clock import Clock
from extract_project.publish.fan import Fan
from extract_project.publish.parted import PartedOutput, PartRows
from extract_project.publish.writer import File

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_PARTS = 10_000


class PartFiles:
    """The result in part files; all rows of a run are in one of them unless it is split."""

    def __init__(
        self,
        outputs: Sequence[PartedOutput],
        file_format: FileFormat,
        clock: Clock,
        *,
        split: Split | None,
        incremental: Incremental | None,
        adds: bool,
    ) -> None:
        """`adds`: whether these rows are added to published ones."""
        self._outputs, self._format, self._clock = outputs, file_format, clock
        self._part_rows = split.rows if split else None
        self._part_bytes = split.bytes if split else None
        self._incremental, self._adds = incremental, adds
        self._cursor: Cursor | None = None
        self._schema: pa.Schema | None = None
        self._parts: list[PartRows] = []
        self._open: File | None = None

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self._parts)

    def begin(self, schema: pa.Schema) -> None:
        self._schema = schema
        if self._incremental:
            self._cursor = Cursor.find(self._incremental, schema)

    def write(self, rows: pa.Table) -> None:
        self._require_room(rows.num_rows)
        start = 0
        while start < rows.num_rows:
            file = self._open = self._open or self._next()
            part = self._parts[-1]
            room = self._part_rows - file.rows if self._part_rows else None
            piece = rows.slice(start, room)
            file.write(piece)
            part.rows = file.rows
            if self._cursor and (span := Span.of(piece.column(self._cursor.name))):
                part.span = span.joined(part.span)
            start += piece.num_rows
            if self._is_full(file):
                file.seal()
                self._open = None
                give_back_freed()

    def seal(self) -> None:
        if not self._parts and not self._adds:  # a file with the full schema and no rows
            self._open = self._next()
        if self._open is not None:
            self._open.seal()
            self._open = None

    def _next(self) -> File:
        if len(self._parts) == _MOST_PARTS:
            raise StagingError(
                f"'split' makes more than {_MOST_PARTS:,} parts of this result, which is "
                f"the limit: write a larger size in the header",
                cause=Cause.SQL,
            )
        part, rows_before = PartRows(), self.rows
        assert self._schema is not None
        file = File(self._staged(part), self._schema, self._format, self._clock, rows_before)
        self._parts.append(part)
        return file

    def _staged(self, part: PartRows) -> Fan:
        """The next part at each destination that is left."""
        uploads = []
        for output in self._outputs:
            if output.health.error is None:
                with output.health.noting():
                    uploads.append((output.health, output.stage(part)))
        return Fan(uploads)

    def _require_room(self, coming: int) -> None:
        """Raise StagingError as soon as the rows so far, plus `coming`, need too many parts."""
        size, rows = self._part_rows, coming + self.rows
        if size and rows > size * _MOST_PARTS:
            raise StagingError(
                f"'split: {{rows: {size}}}' makes more than {_MOST_PARTS:,} parts of this result, "
                f"which is the limit: they hold {size * _MOST_PARTS:,} rows, and there are "
                f"{rows:,} so far; write 'split: {{bytes: 256MB}}', or rows: "
                f"{ceil(rows / _MOST_PARTS)} or more",
                cause=Cause.SQL,
            )

    def _is_full(self, file: File) -> bool:
        if self._part_rows:
            return file.rows == self._part_rows
        return self._part_bytes is not None and file.size >= self._part_bytes
