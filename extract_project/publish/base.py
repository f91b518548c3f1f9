"""The base of an incremental extract: the published rows to which it adds, and their watermark."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from extract_project.daemons import DaemonPool
from extract_project.errors import Cause, IncrementError
from extract_project.history.cursor import Cursor
from extract_project.history.parts import HEADS_AT_ONCE, Part, PartsManifest, load_manifest
from extract_project.history.receipt import read_schema
from extract_project.history.versions import Version, find_version
from extract_project.manifest.extract import Extract
from extract_project.store.protocol import Store
from extract_project.values import Value


@dataclass(frozen=True)
class Base:
    """The published rows to which new rows are added."""

    store: Store
    manifest: PartsManifest
    cursor: Cursor
    watermark: pa.Scalar

    @property
    def bound(self) -> Value:
        return self.cursor.bound(self.watermark)

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for bases with the same rows, parts and columns, at whichever destinations."""
        known = self.manifest
        return known.data_sha256, known.rows, known.watermark, known.arrow_schema


def find_base(extract: Extract, previous: Version | None) -> Base | None:
    """The base, or None if no row has been published yet.

    Raises IncrementError if rows cannot be added: the SQL has changed, or a part is missing.
    """
    incremental = extract.header.incremental
    if incremental is None or previous is None:
        return None
    manifest = load_manifest(previous)
    if manifest.watermark is None:
        return None
    refresh = f"to publish everything anew, run: extract run {extract.path} --full-refresh"
    if manifest.code_version != extract.code_version:
        raise IncrementError(
            f"the SQL or a data-shaping header key has changed since the published rows were "
            f"written ({manifest.sql_key} version {manifest.sql_version}), and rows of both would "
            f"be mixed; {refresh}; or restore the file as it was, then run: extract push"
        )
    _require_parts(previous, manifest, refresh)
    cursor = Cursor.find(incremental, read_schema(manifest))
    watermark = cursor.read(manifest.watermark.value)
    return Base(previous.store, manifest, cursor, watermark)


def _require_parts(version: Version, manifest: PartsManifest, refresh: str) -> None:
    """Raise IncrementError if published parts are missing or damaged."""

    def is_there(part: Part) -> bool:
        found = find_version(version.store, part.key, part.version_id)
        return found is not None and found.size == part.bytes

    with DaemonPool(HEADS_AT_ONCE, "head") as pool:
        there = list(pool.map(is_there, manifest.parts))
    missing = [part for part, found in zip(manifest.parts, there, strict=True) if not found]
    if missing:
        first = missing[0]
        raise IncrementError(
            f"{len(missing)} of {len(there)} published parts are missing or damaged, the first is "
            f"{version.store.uri(first.key)} version {first.version_id}; {refresh}",
            cause=Cause.S3,
        )
    counted = sum(part.rows for part in manifest.parts)
    if counted != manifest.rows:
        raise IncrementError(
            f"{version.uri} records {manifest.rows:,} rows, but its parts have {counted:,}; "
            f"{refresh}",
            cause=Cause.S3,
        )
