"""The output of a staged result at one destination: one object, or parts and a manifest object.

Either way, one conditional write publishes one key. They differ in what must exist before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from extract_project.history.receipt import Receipt
from extract_project.history.versions import Version
from extract_project.publish.fan import Health
from extract_project.publish.target import Target, sweep
from extract_project.store.protocol import Condition, Written

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
    """A result on its way to one destination, invisible to readers. `publish` makes it visible;
    `abort` discards it. After `publish`, `abort` does nothing.

    What is written to it comes from a `Writer`, which several outputs share.
    """

    @property
    def target(self) -> Target:
        """The key whose versions are the versions of the extract."""

    @property
    def health(self) -> Health:
        """Whether the destination has taken everything so far."""

    def sweep(self, older_than: timedelta) -> None:
        """Abort uploads that killed runs of this key have left behind."""

    def begin(self, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        """Set what is known before the first row: the schema, and the object's metadata."""

    def content(self, rows: int) -> Content:
        """The content, once everything is written; `rows` is the number of rows of this run."""

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


class OneObject:
    """The whole result in one file under the published key."""

    def __init__(self, target: Target, content_type: str, health: Health) -> None:
        self.target, self.health = target, health
        self.upload = target.store.stage(target.key, content_type)

    def sweep(self, older_than: timedelta) -> None:
        key = self.target.key
        sweep(self.target.store, key, key.__eq__, older_than)

    def begin(self, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self.upload.describe(metadata)

    def content(self, rows: int) -> Content:
        return Content(self.target.key, rows, self.upload.size, self.upload.sha256)

    def is_whole(self, version: Version, receipt: Receipt) -> bool:
        return version.size == self.upload.size

    def prepare(self, receipt: Receipt) -> None:
        if self.upload.takes_facts:
            self.upload.describe({"rows": str(receipt.rows), "data-sha256": receipt.data_sha256})

    def publish(self, condition: Condition) -> Written:
        return self.upload.publish(condition)

    def tidy(self, version_id: str) -> None:
        """Do nothing: there is only the one object."""

    def abort(self) -> None:
        self.upload.abort()
