"""Output that the warehouse has written: parts below a folder of this run, and their manifest.

The parts are complete objects from the start, under keys that no other run uses. Nobody reads them
before a manifest names their versions, and no manifest does before they are reconciled and audited.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from extract_project.daemons import DaemonPool
from extract_project.errors import BucketError, StoreError
from extract_project.history.parts import Part, load_manifest, parts_are_current, unloaded_folder
from extract_project.history.receipt import Receipt
from extract_project.history.versions import Version, find_version
from extract_project.publish.fan import Health
from extract_project.publish.manifest_object import ManifestObject
from extract_project.publish.orphaned_parts import hide_orphaned_parts
from extract_project.publish.output import Content
from extract_project.publish.target import Target, sweep
from extract_project.store.protocol import Condition, NotApplied, Store, Written

if TYPE_CHECKING:
    import pyarrow as pa

_AT_A_TIME = 8


class UnloadedOutput:
    """The parts that the warehouse writes for one run, at one destination."""

    def __init__(self, target: Target, health: Health, receipt_id: str) -> None:
        self.target, self.health = target, health
        self._receipt_id = receipt_id
        self.folder = f"{unloaded_folder(target.root, target.key)}{receipt_id}/"
        """The prefix that the warehouse writes below."""
        self._metadata: Mapping[str, str] = {}
        self._parts: Sequence[Part] = ()
        self._digest = ""
        self._manifest = ManifestObject(target)
        self._is_sent, self._is_refused = False, False

    def take(self, parts: Sequence[Part], digest: str) -> None:
        """The parts are reconciled: these, and no others, are the result.

        `digest` is equal for equal rows, whatever their order is.
        """
        self._parts, self._digest = parts, digest

    def sweep(self, older_than: timedelta) -> None:
        key = self.target.key
        sweep(self.target.store, key, key.__eq__, older_than)

    def begin(self, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self._metadata = metadata

    def content(self, rows: int) -> Content:
        size = sum(part.bytes for part in self._parts)
        digest = sha256(f"{self._digest} {rows}".encode()).hexdigest()
        return Content(self.target.key, rows, size, digest, len(self._parts))

    def is_whole(self, version: Version, receipt: Receipt) -> bool:
        return parts_are_current(version.store, load_manifest(version))

    def prepare(self, receipt: Receipt) -> None:
        if not self._manifest.is_written:
            self._manifest.write(receipt, self._parts, self._metadata)

    def publish(self, condition: Condition) -> Written:
        self._is_sent, self._is_refused = True, False
        try:
            return self._manifest.publish(condition)
        except NotApplied:
            self._is_refused = True
            raise

    def tidy(self, version_id: str) -> None:
        hide_orphaned_parts(self.target, version_id)

    def abort(self) -> None:
        """Hide what the warehouse has written, unless a manifest may name it: without an answer to
        the publishing request, the next run finds out and tidies up.
        """
        self._manifest.abort()
        if not self._may_be_named():
            hide_below(self.target.store, self.folder)

    def _may_be_named(self) -> bool:
        """Whether a manifest may name the parts. A refusal does not say that none does: a client
        that repeats a request whose reply was lost is refused because of its own write.
        """
        if not self._is_refused:
            return self._is_sent
        try:
            current = find_version(self.target.store, self.target.key)
        except (BucketError, StoreError):
            return True
        return current is not None and current.provenance.get("receipt") == self._receipt_id


def hide_below(store: Store, folder: str) -> None:
    """Hide all objects of a folder. What cannot be hidden now, the next run hides."""
    hide_all(store, (each.key for each in store.list(folder)))


def hide_all(store: Store, keys: Iterable[str]) -> None:
    """Hide objects. What cannot be hidden now, the next run hides."""
    try:
        with DaemonPool(_AT_A_TIME, "hide") as pool:
            list(pool.map(store.hide, keys))
    except (BucketError, StoreError) as error:
        logging.getLogger(__name__).warning(
            "what a warehouse has written could not be hidden: %s: the next run does it", error
        )


class WrittenElsewhere:
    """The `Writer` of rows that are in their files already."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def begin(self, schema: pa.Schema) -> None:
        """Do nothing: the files are there."""

    def write(self, rows: pa.Table) -> None:
        """Do nothing: the rows are in the files."""

    def seal(self) -> None:
        """Do nothing: the files are complete."""
