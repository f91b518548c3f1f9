"""Where a staged result is written: an object, or parts and a manifest object that lists them.

Either way one key is published, by one conditional write; what differs is what has to be there
before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from extract_project.formats.protocol import Encoder, FileFormat
from extract_project.history.receipt import Receipt
from extract_project.history.versions import Version
from extract_project.publish.clock import Clock, TimedSink
from extract_project.publish.target import Target, sweep
from extract_project.store.protocol import Condition, StagedObject, Written

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Content:
    """All that an output holds once it is sealed."""

    key: str
    """The published key."""
    rows: int
    bytes: int
    sha256: str
    parts: int | None = None
    """How many part objects, where there are any."""
    added_rows: int | None = None
    """Of the rows, those that were not published before, where rows are added."""
    added_bytes: int | None = None
    watermark: str | None = None
    """The highest cursor value, where the extract is incremental."""


class Output(Protocol):
    """A result being written that nobody can see; `publish` makes it visible, `abort` makes it
    never have been. `abort` after `publish` does nothing.
    """

    @property
    def target(self) -> Target:
        """The key whose versions are those of the extract."""

    def sweep(self, older_than: timedelta) -> None:
        """Abort what a killed run of this key has left behind."""

    def begin(self, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        """What is known before the first row."""

    def write(self, rows: pa.Table) -> None:
        """Encode the next row group; raises StagingError."""

    def seal(self) -> Content:
        """Wait until everything is in S3; raises StagingError."""

    def is_whole(self, version: Version, receipt: Receipt) -> bool:
        """Whether all that a version with the same checksum is about to be left as is in its place:
        its parts, and what the next run has to know.
        """

    def prepare(self, receipt: Receipt) -> None:
        """Do all that `publish` needs and that no reader sees. Safe to call again."""

    def publish(self, condition: Condition) -> Written:
        """Make it the current version if `condition` holds, else raise NotApplied: to be tried
        again with another condition. This is one request.
        """

    def tidy(self, version_id: str) -> None:
        """Hide what the published version no longer needs, as long as it is the current one."""

    def abort(self) -> None:
        """Forget everything. Safe to call at any time, any number of times."""


class File:
    """One file: row groups in, an upload out."""

    def __init__(
        self, upload: StagedObject, schema: pa.Schema, file_format: FileFormat, clock: Clock
    ) -> None:
        self.upload = upload
        self.rows = 0
        self._clock = clock
        with clock.stage("encode"):
            sink = TimedSink(upload, clock)
            self._encoder: Encoder | None = file_format.encoder(sink, schema)

    def write(self, rows: pa.Table) -> None:
        assert self._encoder is not None
        with self._clock.stage("encode"):
            self._encoder.write(rows)
        self.rows += rows.num_rows

    def seal(self) -> None:
        """End the file, and wait until S3 has it."""
        assert self._encoder is not None
        with self._clock.stage("encode"):
            self._encoder.close()
        self._encoder = None  # with its buffers: hundreds of sealed files may wait for the audit
        with self._clock.stage("upload"):
            self.upload.seal()


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
        """There is nothing beside the object."""

    def abort(self) -> None:
        self._upload.abort()
