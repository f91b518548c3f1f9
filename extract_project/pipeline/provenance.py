"""The origin of a result: its run, and the metadata on the published object."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from extract_project.history.receipt import receipt_id, schema_hash
from extract_project.history.release import Release
from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.partitions import Partition
from extract_project.publish.base import Base
from extract_project.store.protocol import Store
from extract_project.warehouses.protocol import Label

_LATER_METADATA = 768
"""Bytes of metadata reserved for later: rows, checksum, and the reason of a rollback."""


@dataclass(frozen=True)
class Provenance:
    """The run that makes a result, with its snapshot and partition."""

    run_id: str
    snapshot: str | None = None
    partition: Partition | None = None
    full_refresh: bool = False
    """Whether an incremental extract should publish everything anew."""
    release: Release | None = None
    """The checks that may fail in this run, and who allowed it."""


@dataclass(frozen=True)
class RunOfExtract:
    """A run of one extract: all that is known before the query is sent."""

    extract: Extract
    provenance: Provenance
    started_at: datetime
    receipt_id: str
    base: Base | None = None
    """The published rows to which an incremental extract adds."""

    @classmethod
    def begin(cls, extract: Extract, provenance: Provenance) -> RunOfExtract:
        """A run that begins now."""
        now = datetime.now(UTC)
        return cls(extract, provenance, now, receipt_id(now))

    @property
    def label(self) -> Label:
        """The label that the warehouse shows with the query."""
        source = self.extract.source
        return Label(
            self.extract.path,
            source.version_id or source.etag,
            self.provenance.run_id,
            self.partition_key,
        )

    @property
    def partition_key(self) -> str | None:
        partition = self.provenance.partition
        return partition.key if partition else None

    def facts(self, query_id: str | None, schema: pa.Schema, store: Store) -> dict[str, str]:
        """The object's metadata about its origin, as far as it is known before the first row.

        `schema` is the file's.
        """
        source = self.extract.source
        options = self.extract.file_format.written_options
        metadata = {
            "run-id": self.provenance.run_id,
            "sql-key": source.key,
            "sql-version": source.version_id,
            "sql-sha256": source.sha256,
            "query-id": query_id,
            "partition": self.partition_key,
            "format": self.extract.file_format.extension.removeprefix("."),
            "format-options": json.dumps(options) if options else None,
            "schema-sha256": schema_hash(schema),
            "started-at": self.started_at.isoformat(),
            "receipt": self.receipt_id,
        }
        known = {key: value for key, value in metadata.items() if value is not None}
        release = self.provenance.release
        told = {**known, **release.metadata} if release else known
        return told if store.facts_room(told) >= _LATER_METADATA else known
