"""Receipts: the record of one published result, beside the object itself (G10).

S3 fixes an object's metadata when an upload begins, before the number of rows is known. So each
result has a receipt: an immutable JSON object under EXTRACT_STATE, written *before* the result
becomes visible, and named in the object's metadata. A visible object always has its receipt; a
receipt without an object (of a run killed in between) is meaningless.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict

from extract_project.errors import NoSuchObject
from extract_project.history.records import folders, record_folder
from extract_project.history.release import Release
from extract_project.history.versions import Version
from extract_project.metrics import Metrics, Usage
from extract_project.source import DefaultsFile
from extract_project.store.folder import Folder

if TYPE_CHECKING:
    import pyarrow as pa


class Stages(BaseModel):
    """Seconds of each stage. Stages overlap, so they do not add up to the total."""

    model_config = ConfigDict(frozen=True)

    connect: float = 0.0
    """Looking at the current version, importing the warehouse's driver and signing in."""
    query: float
    """Seconds from sending the statement until its columns are known."""
    fetch: float
    """Waiting for rows."""
    audit: float
    encode: float
    upload: float
    """Waiting for S3."""
    total: float


class ColumnProfile(BaseModel):
    """One column of a result. `lowest` and `highest` are absent for types without an order."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: str
    nulls: int
    lowest: str | None
    highest: str | None
    description: str = ""
    """What it means, where the SQL file or the warehouse says so."""


class CheckRecord(BaseModel):
    """The outcome of one check."""

    model_config = ConfigDict(frozen=True)

    name: str
    rule: str
    severity: str
    passed: bool
    summary: str


class Receipt(BaseModel):
    """The full record of a published version: its origin, its content, and its checks."""

    model_config = ConfigDict(frozen=True)

    id: str
    extract: str
    """Path of the SQL file without `.sql`."""
    key: str
    """The published object's key; for a split extract, the key of the manifest object."""
    run_id: str
    snapshot: str | None
    """Id of the snapshot that the run was launched with, if it was launched with one."""
    partition: str | None = None
    """Key of the partition, if the extract has partitions."""
    sql_key: str
    sql_version: str | None
    sql_sha256: str
    sql: str
    defaults: tuple[DefaultsFile, ...] = ()
    """The defaults that reached it, from the root of the manifest down."""
    code_version: str
    warehouse: str
    query_id: str | None
    query_url: str | None = None
    """The page about the query, if the warehouse has such a page."""
    started_at: AwareDatetime
    rows: int
    bytes: int
    data_sha256: str
    """The checksum of the object's bytes, as `sha256sum` prints it for the downloaded file. For
    parts, the checksum of their checksums, in order, one per line."""
    parts: int | None = None
    """The number of part objects, if the extract is split or incremental."""
    rows_added: int | None = None
    """For an incremental extract, the number of rows that this run added; `columns` and `checks`
    are then about these rows."""
    bytes_added: int | None = None
    watermark: str | None = None
    """The highest cursor value published, if the extract is incremental."""
    schema_sha256: str
    arrow_schema: str
    """The schema as an Arrow IPC message in base64: text formats are read back with it."""
    format_options: dict[str, Any] | None = None
    """The format's options in the header, such as `csv`, if they are not the defaults."""
    columns: tuple[ColumnProfile, ...]
    recent: tuple[Metrics, ...] = ()
    """The baseline of the next result of the same SQL: the metrics of a few versions (or of time
    windows, for such partitions), this one last."""
    checks: tuple[CheckRecord, ...]
    release: Release | None = None
    """The release with which it was published, although checks failed."""
    stages: Stages
    usage: Usage | None = None
    """The query's time and cost in its warehouse, if the warehouse reports them."""
    peak_memory: int
    """The peak resident memory of the process that made it, in bytes."""

    @property
    def finished_at(self) -> datetime:
        """When the result was complete, just before it was published."""
        return self.started_at + timedelta(seconds=self.stages.total)

    @property
    def rows_staged(self) -> int:
        """The number of rows that this run has written and audited."""
        return self.rows if self.rows_added is None else self.rows_added

    @property
    def metrics(self) -> Metrics:
        """The metrics of this result."""
        if self.recent:
            return self.recent[-1]
        nulls = {each.name: each.nulls for each in self.columns}
        return Metrics(rows=self.rows_staged, nulls=nulls)


def receipt_id(began_at: datetime) -> str:
    """A new id for the receipt of a run that began then; ids sort by time."""
    return f"{began_at:%Y%m%dT%H%M%S.%fZ}-{uuid4().hex[:8]}"


def receipt_began_at(receipt_id: str) -> datetime | None:
    """When the run of a receipt began, from its id; None for anything else."""
    with suppress(ValueError):
        began_at = datetime.strptime(receipt_id.partition("-")[0], "%Y%m%dT%H%M%S.%fZ")
        return began_at.replace(tzinfo=UTC)
    return None


def write_schema(schema: pa.Schema) -> str:
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


class HasSchema(Protocol):
    """A record with a schema: a receipt, or the manifest of a split extract."""

    @property
    def arrow_schema(self) -> str: ...


def read_schema(written: HasSchema) -> pa.Schema:
    """The exact schema with which the result was written."""
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(written.arrow_schema)))


def schema_hash(schema: pa.Schema) -> str:
    """A checksum of the column names and types, in order, and of which are never NULL."""
    described = "\n".join(
        f"{field.name}\t{field.type}{'' if field.nullable else ' not null'}" for field in schema
    )
    return sha256(described.encode()).hexdigest()


def save_receipt(state: Folder, receipt: Receipt) -> None:
    location = record_folder(state, "receipts", receipt.key) / f"{receipt.id}.json"
    body = receipt.model_dump_json(indent=1).encode()
    state.store.put(location.prefix, body, "application/json")


def load_receipt(state: Folder, key: str, receipt_id: str) -> Receipt | None:
    """The receipt of a published object, or None if it has been removed."""
    for folder in folders(state, "receipts", key):
        location = folder / f"{receipt_id}.json"
        with suppress(NoSuchObject):
            return Receipt.model_validate_json(state.store.read(location.prefix).body)
    return None


def receipt_of(state: Folder, version: Version) -> Receipt | None:
    """The receipt of a version, or None if it has none or it has been removed."""
    receipt_id = version.provenance.get("receipt")
    return load_receipt(state, version.key, receipt_id) if receipt_id else None
