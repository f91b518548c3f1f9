"""Read published extracts from a program: the current version, an older one, or the history.

    from extract_project.published import history, open_published

    orders = open_published("s3://acme-data/extracts", "sales/orders")
    for batch in orders: ...                     # pyarrow.RecordBatchReader, in bounded memory
    table = open_published("s3://acme-data/extracts", "sales/orders", as_of="24h").read_all()

Needs read access to the bucket (`s3:GetObject`, `s3:GetObjectVersion`, `s3:ListBucketVersions`),
but neither Dagster nor the settings of a deployment. Types are exact in every format: for text
formats they come from the receipt, which is kept beside the data.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from extract_project.history.history import Entry, read_history
from extract_project.history.history import as_of as current_at
from extract_project.history.versions import published_key, require_version
from extract_project.store.folder import Folder, Location
from extract_project.store.stores import Stores
from extract_project.units import parse_moment

if TYPE_CHECKING:
    import pyarrow as pa
    from mypy_boto3_s3 import S3Client


def open_published(
    data: str,
    extract: str,
    *,
    partition: str | None = None,
    version: str | None = None,
    as_of: str | datetime | None = None,
    state: str | None = None,
    s3: S3Client | None = None,
) -> pa.RecordBatchReader:
    """The rows of an extract (`folder/name`), from its current version or the one asked for.

    `data` is the deployment's EXTRACT_DATA; `state` is its EXTRACT_STATE, if it sets one. `version`
    is a VersionId. `as_of` selects the version that was current at a time (UTC if it has no zone),
    or a duration ago, as in `24h`. All rows are of one version, whatever is published meanwhile.
    Raises NotPublished if there is no such version, ValueError for an invalid location or time.
    """
    from extract_project.history.reading import open_version
    from extract_project.history.receipt import read_schema, receipt_of

    if version and as_of:
        raise ValueError("version and as_of are both given: expected only one of them")
    published, receipts = _folders(data, state, s3)
    key = published_key(published, extract, partition)
    if as_of:
        entry = current_at(published.store, receipts, key, _moment(as_of))
        version = entry.listed.version_id
    found = require_version(published.store, key, version)
    receipt = receipt_of(receipts, found)
    return open_version(found, read_schema(receipt) if receipt else None)


def history(
    data: str,
    extract: str,
    *,
    partition: str | None = None,
    limit: int | None = None,
    state: str | None = None,
    s3: S3Client | None = None,
) -> tuple[Entry, ...]:
    """Every version and every delete marker of an extract, the newest first.

    Each entry has `at` (since when it was current), `version` (VersionId, bytes, provenance),
    `receipt` (rows, SQL, checks, columns), and `change` against the version before it.
    """
    published, receipts = _folders(data, state, s3)
    key = published_key(published, extract, partition)
    return read_history(published.store, receipts, key, limit=limit).entries


def _folders(data: str, state: str | None, s3: S3Client | None) -> tuple[Folder, Folder]:
    stores = Stores(s3) if s3 else Stores.connected()
    published = stores.folder(Location.parse(data))
    return published, stores.folder(Location.parse(state)) if state else published / ".extract"


def _moment(value: str | datetime) -> datetime:
    if isinstance(value, str):
        return parse_moment(value)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
