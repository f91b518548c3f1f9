"""What an incremental extract adds to: the published rows, and how far they reach."""

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
    """What is published, to which new rows are added."""

    store: Store
    manifest: PartsManifest
    cursor: Cursor
    watermark: pa.Scalar

    @property
    def bound(self) -> Value:
        return self.cursor.bound(self.watermark)


def find_base(extract: Extract, previous: Version | None) -> Base | None:
    """None where no row has been published yet, so that all are new.

    Raises IncrementError where nothing can be added to what is there: the SQL has changed, or a
    part of it is missing.
    """
    incremental = extract.header.incremental
    if incremental is None or previous is None:
        return None
    manifest = load_manifest(previous)
    if manifest.watermark is None:
        return None
    refresh = f"to publish everything anew: extract run {extract.path} --full-refresh"
    if manifest.code_version != extract.code_version:
        raise IncrementError(
            f"the SQL, or a header key that shapes the data, is another than that of the published "
            f"rows ({manifest.sql_key} version {manifest.sql_version}), and rows of both would be "
            f"mixed: {refresh}; or put the file back as it was: extract push"
        )
    _require_parts(previous, manifest, refresh)
    cursor = Cursor.find(incremental, read_schema(manifest))
    watermark = cursor.read(manifest.watermark.value)
    return Base(previous.store, manifest, cursor, watermark)


def _require_parts(version: Version, manifest: PartsManifest, refresh: str) -> None:
    """Nothing is added to rows of which some are gone."""

    def is_there(part: Part) -> bool:
        found = find_version(version.store, part.key, part.version_id)
        return found is not None and found.size == part.bytes

    with DaemonPool(HEADS_AT_ONCE, "head") as pool:
        there = list(pool.map(is_there, manifest.parts))
    missing = [part for part, found in zip(manifest.parts, there, strict=True) if not found]
    if missing:
        first = missing[0]
        raise IncrementError(
            f"{len(missing)} of {len(there)} published parts are gone or damaged, the first of "
            f"them {version.store.uri(first.key)} version {first.version_id}: {refresh}",
            cause=Cause.S3,
        )
    counted = sum(part.rows for part in manifest.parts)
    if counted != manifest.rows:
        raise IncrementError(
            f"{version.uri} says {manifest.rows:,} rows, and its parts have {counted:,}: {refresh}",
            cause=Cause.S3,
        )
