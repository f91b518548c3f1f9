"""The outputs of a staged result: one object, or parts and a manifest object that lists them.

Either way, one conditional write publishes one key. They differ in what must exist before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from extract_project.errors import TypeMappingError
from extract_project.formats.protocol import Encoder, FileFormat, Unwritable
from extract_project.history.receipt import Receipt
from extract_project.history.versions import Version
from extract_project.publish.clock import Clock, TimedSink
from extract_project.publish.target import Target, sweep
from extract_project.schema.display import shown
from extract_project.store.protocol import Condition, StagedObject, Written

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Content:
    """The content of a sealed output."""

    key: str
    """The published key."""
    rows: int
    bytes: int
    sha256: str
    parts: int | None = None
    """The number of part objects; None for a single object."""
    added_rows: int | None = None
    """For an incremental extract, how many of the rows are new."""
    added_bytes: int | None = None
    watermark: str | None = None
    """The highest cursor value of an incremental extract."""


class Output(Protocol):
    """A result being written, invisible to readers. `publish` makes it visible; `abort` discards
    it. After `publish`, `abort` does nothing.
    """

    @property
    def target(self) -> Target:
        """The key whose versions are the versions of the extract."""

    def sweep(self, older_than: timedelta) -> None:
        """Abort uploads that killed runs of this key have left behind."""

    def begin(self, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        """Set what is known before the first row: the schema, and the object's metadata."""

    def write(self, rows: pa.Table) -> None:
        """Encode the next row group; raises StagingError."""

    def seal(self) -> Content:
        """Finish writing, and wait until everything is in S3; raises StagingError."""

    def is_whole(self, version: Version, receipt: Receipt) -> bool:
        """Whether the current version, equal by checksum, still has all its parts and a usable
        watermark, so that publishing can be skipped.
        """

    def prepare(self, receipt: Receipt) -> None:
        """Do everything that `publish` needs and readers cannot see. Safe to call again."""

    def publish(self, condition: Condition) -> Written:
        """Make it the current version if `condition` holds; else raise NotApplied, and the caller
        may try again with another condition. This is one request.
        """

    def tidy(self, version_id: str) -> None:
        """Hide parts that the published version does not need, while it is current."""

    def abort(self) -> None:
        """Discard everything. Safe to call at any time, any number of times."""


class File:
    """Encodes row groups into one file, and uploads it."""

    def __init__(
        self,
        upload: StagedObject,
        schema: pa.Schema,
        file_format: FileFormat,
        clock: Clock,
        rows_before: int = 0,
    ) -> None:
        self.upload = upload
        self.rows = 0
        self._rows_before = rows_before
        self._clock = clock
        with clock.stage("encode"):
            sink = TimedSink(upload, clock)
            self._encoder: Encoder | None = file_format.encoder(sink, schema)

    def write(self, rows: pa.Table) -> None:
        assert self._encoder is not None
        with self._clock.stage("encode"):
            try:
                self._encoder.write(rows)
            except Unwritable as error:
                raise self._refused(error) from None
        self.rows += rows.num_rows

    def seal(self) -> None:
        """Finish the file, and wait until S3 has it."""
        assert self._encoder is not None
        with self._clock.stage("encode"):
            self._encoder.close()
        self._encoder = None  # frees its buffers: hundreds of sealed files may wait for the audit
        with self._clock.stage("upload"):
            self.upload.seal()

    def _refused(self, error: Unwritable) -> TypeMappingError:
        number = self._rows_before + self.rows + error.index + 1
        return TypeMappingError(
            f"column {error.column!r} has {shown(error.value)!r} in row {number:,}: {error.reason}"
        )


class OneObject:
    """The whole result in one file under the published key."""

    def __init__(self, target: Target, file_format: FileFormat, clock: Clock) -> None:
        self._format, self._clock = file_format, clock
        self._upload = target.store.stage(target.key, file_format.content_type)
        self._file: File | None = None
        self.target = target

    def sweep(self, older_than: timedelta) -> None:
        key = self.target.key
        sweep(self.target.store, key, key.__eq__, older_than)

    def begin(self, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self._upload.describe(metadata)
        self._file = File(self._upload, schema, self._format, self._clock)

    def write(self, rows: pa.Table) -> None:
        assert self._file is not None
        self._file.write(rows)

    def seal(self) -> Content:
        assert self._file is not None
        self._file.seal()
        return Content(self.target.key, self._file.rows, self._upload.size, self._upload.sha256)

    def is_whole(self, version: Version, receipt: Receipt) -> bool:
        return version.size == self._upload.size

    def prepare(self, receipt: Receipt) -> None:
        if self._upload.takes_facts:
            self._upload.describe({"rows": str(receipt.rows), "data-sha256": receipt.data_sha256})

    def publish(self, condition: Condition) -> Written:
        return self._upload.publish(condition)

    def tidy(self, version_id: str) -> None:
        """Do nothing: there is only the one object."""

    def abort(self) -> None:
        self._upload.abort()
