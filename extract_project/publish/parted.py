"""Output into several part objects, and the manifest object that makes them one version.

A full result replaces existing parts under the same keys. An incremental extract adds parts after
them, under new keys.

Each part is a separate upload that stays incomplete until the whole result has been audited (G1).
Then the uploads are completed, and the manifest, which names the resulting versions, is written
with the condition that decides between runs. A part version that no manifest names is meaningless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from extract_project.daemons import DaemonPool
from extract_project.errors import StagingError
from extract_project.formats.protocol import FileFormat
from extract_project.history.cursor import Cursor, Span, ordinal, written
from extract_project.history.parts import (
    Part,
    Refresh,
    Watermark,
    folder,
    load_manifest,
    part_key,
    parts_are_current,
    sha256_of_parts,
    used_numbers,
    whole_key,
)
from extract_project.history.receipt import Receipt
from extract_project.history.versions import Version, list_versions
from extract_project.manifest.fields.incremental import Incremental
from extract_project.publish.base import Base
from extract_project.publish.fan import Health
from extract_project.publish.manifest_object import ManifestObject
from extract_project.publish.orphaned_parts import hide_orphaned_parts
from extract_project.publish.output import Content
from extract_project.publish.target import Target, sweep
from extract_project.store.protocol import Absent, Condition, NotApplied, StagedObject, Written

if TYPE_CHECKING:
    import pyarrow as pa

_AT_A_TIME = 8


@dataclass
class PartRows:
    """The rows of one part, which are the same at all of its destinations."""

    rows: int = 0
    span: Span | None = None


@dataclass(frozen=True)
class _NewPart:
    """A part of this run."""

    content: PartRows
    upload: StagedObject


class PartedOutput:
    """The result in part objects beside the published key, which holds their manifest."""

    def __init__(
        self,
        target: Target,
        file_format: FileFormat,
        health: Health,
        *,
        incremental: Incremental | None = None,
        base: Base | None = None,
        refresh: Refresh | Literal["this"] | None = None,
    ) -> None:
        """`base` is the published rows to which these are added; `refresh` is the full refresh
        that they come from, which may be this run.
        """
        self.target, self.health = target, health
        self._format, self._incremental, self._base = file_format, incremental, base
        self._before = base.manifest.parts if base else ()
        self._refresh = refresh
        self._cursor: Cursor | None = None
        self._metadata: Mapping[str, str] = {}
        self._first: int | None = None
        self._new: list[_NewPart] = []
        self._manifest = ManifestObject(target)

    def sweep(self, older_than: timedelta) -> None:
        store, key = self.target.store, self.target.key
        sweep(store, folder(key), lambda each: whole_key(each) == key, older_than)

    def begin(self, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self._metadata = metadata
        if self._incremental:
            self._cursor = Cursor.find(self._incremental, schema)

    def stage(self, content: PartRows) -> StagedObject:
        """Begin the next part, whose content the caller completes."""
        if self._first is None:
            self._first = self._unused_number() if self._incremental else 0
        key = part_key(self.target.key, self._first + len(self._new), self._format.extension)
        # Hundreds of parts wait for the end of the audit: their bytes must not wait in memory.
        content_type = self._format.content_type
        upload = self.target.store.stage(key, content_type, hold_nothing=True)
        upload.describe(self._metadata)
        self._new.append(_NewPart(content, upload))
        return upload

    def content(self, rows: int) -> Content:
        size = sum(each.upload.size for each in self._new)
        checksums = [
            *(part.sha256 or "" for part in self._before),
            *(each.upload.sha256 for each in self._new),
        ]
        watermark = self._watermark()
        return Content(
            self.target.key,
            sum(part.rows for part in self._before) + rows,
            sum(part.bytes for part in self._before) + size,
            sha256_of_parts(checksums),
            len(checksums),
            added_rows=rows if self._base else None,
            added_bytes=size if self._base else None,
            watermark=watermark.value if watermark else None,
        )

    def is_whole(self, version: Version, receipt: Receipt) -> bool:
        """False if a run died between completing its parts and writing the manifest: the part
        versions that the manifest names are then no longer current, and may expire. (Parts of an
        incremental extract are never replaced, and a run that adds rows has found them all.) Also
        false if the manifest was made by other SQL, or has no watermark: the next run could not add
        to it.
        """
        if self._base:
            return True
        manifest = load_manifest(version)
        known = (manifest.code_version, manifest.watermark)
        if self._incremental and known != (receipt.code_version, self._watermark()):
            return False
        return parts_are_current(version.store, manifest)

    def prepare(self, receipt: Receipt) -> None:
        if self._manifest.is_written:
            return
        parts = (*self._before, *self._completed(receipt))
        refresh = (
            Refresh(data_sha256=receipt.data_sha256, started_at=receipt.started_at)
            if self._refresh == "this"
            else self._refresh
        )
        self._manifest.write(
            receipt, parts, self._metadata, watermark=self._watermark(), refresh=refresh
        )

    def publish(self, condition: Condition) -> Written:
        return self._manifest.publish(condition)

    def tidy(self, version_id: str) -> None:
        hide_orphaned_parts(self.target, version_id)

    def abort(self) -> None:
        self._manifest.abort()
        with DaemonPool(_AT_A_TIME, "abort") as pool:
            list(pool.map(lambda part: part.upload.abort(), self._new))

    def _unused_number(self) -> int:
        """A part number above all that were ever used: an unnamed part may be about to be
        published, and a hidden one may be restored.
        """
        used = used_numbers(self.target.store, self.target.key)
        return max(used, default=-1) + 1

    def _completed(self, receipt: Receipt) -> list[Part]:
        with DaemonPool(_AT_A_TIME, "complete") as pool:
            return list(pool.map(lambda part: self._complete(part, receipt), self._new))

    def _complete(self, part: _NewPart, receipt: Receipt) -> Part:
        upload, span = part.upload, part.content.span
        # A part that stays for months must not be hidden by a later, unnamed part of the same key.
        condition = Absent() if self._incremental else None
        try:
            version_id = upload.publish(condition).version_id
        except NotApplied:
            # The upload is gone, or another run has used the key, or the reply to our request was
            # lost.
            versions = list_versions(self.target.store, upload.key)
            found = (v.version_id for v in versions if v.provenance.get("receipt") == receipt.id)
            own = next(found, None)
            if own is None:
                raise StagingError(
                    f"another run has aborted the upload of "
                    f"{self.target.store.uri(upload.key)}, or has used its key: "
                    f"run the extract again",
                    transient=True,
                ) from None
            version_id = self.target.store.require_version(own, upload.key)
        return Part(
            key=upload.key,
            version_id=version_id,
            bytes=upload.size,
            rows=part.content.rows,
            sha256=upload.sha256,
            min=written(span.lowest) if span else None,
            max=written(span.highest) if span else None,
        )

    def _watermark(self) -> Watermark | None:
        if self._cursor is None:
            return None
        spans = [each.content.span for each in self._new if each.content.span]
        values = [
            *(span.highest for span in spans),
            *([self._base.watermark] if self._base else []),
        ]
        if not values:
            return None
        highest = written(max(values, key=ordinal))
        return Watermark(column=self._cursor.name, type=str(self._cursor.type), value=highest)
