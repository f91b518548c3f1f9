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

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from extract_project.errors import NotPublished
from extract_project.store.folder import Folder, Location

# Everything else is imported where it is used: importing this module takes a tenth of a second.

if TYPE_CHECKING:
    import pyarrow as pa
    from mypy_boto3_s3 import S3Client

    from extract_project.history.history import Entry


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
    from extract_project.history.history import as_of as current_at
    from extract_project.history.reading import open_version
    from extract_project.history.receipt import read_schema, receipt_of
    from extract_project.history.versions import published_key, require_version

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
    from extract_project.history.history import read_history
    from extract_project.history.versions import published_key

    published, receipts = _folders(data, state, s3)
    key = published_key(published, extract, partition)
    return read_history(published.store, receipts, key, limit=limit).entries


def wait_for(
    data: str,
    extract: str,
    *,
    newer_than: str | datetime | None = None,
    partition: str | None = None,
    timeout: str = "1h",
    every: str = "5s",
    state: str | None = None,
    s3: S3Client | None = None,
) -> Entry:
    """Wait until an extract has a newer version, and return it.

    `newer_than` is the VersionId that its reader has already, or a time (as in `as_of`); without
    it any version will do. The bucket is asked `every` so often, in requests that read no data.
    Pass `entry.version.version_id` to `open_published`. Raises TimeoutError.
    """
    from extract_project.units import parse_duration

    published, receipts = _folders(data, state, s3)
    pause, waiting = parse_duration(every).total_seconds(), parse_duration(timeout).total_seconds()
    deadline = time.monotonic() + waiting
    known: str | None = None
    while True:
        entry = _current(published, receipts, extract, partition, known)
        if entry is not None:
            if _is_newer(entry, newer_than):
                return entry
            known = entry.listed.version_id
        left = deadline - time.monotonic()
        if left <= 0:
            wanted = f"newer than {newer_than}" if newer_than else "at all"
            raise TimeoutError(
                f"{extract} in {published} had no version {wanted} within {timeout}: see its runs "
                f"with 'extract failed', or wait longer"
            )
        time.sleep(min(pause, left))


def _current(
    published: Folder, receipts: Folder, extract: str, partition: str | None, known: str | None
) -> Entry | None:
    """The current version, unless there is none, or it is the one that is known."""
    from extract_project.history.history import read_history
    from extract_project.history.versions import find_version, published_key

    try:
        key = published_key(published, extract, partition)
    except NotPublished:
        return None
    version = find_version(published.store, key)
    if version is None or version.version_id == known:
        return None
    newest = read_history(published.store, receipts, key, limit=1).entries
    return newest[0] if newest and newest[0].is_current else None


def _is_newer(entry: Entry, than: str | datetime | None) -> bool:
    """Whether a version is another than the given one, or was published after the given time."""
    from extract_project.history.history import named_moment

    moment = named_moment(than) if isinstance(than, str) else than
    if moment is None:
        return entry.listed.version_id != than
    return entry.at > _moment(moment)


def _folders(data: str, state: str | None, s3: S3Client | None) -> tuple[Folder, Folder]:
    from extract_project.store.s3.buckets import S3Buckets
    from extract_project.store.stores import Stores

    stores = Stores({"s3": S3Buckets(s3)} if s3 else {})
    published = stores.folder(Location.parse(data))
    return published, stores.folder(Location.parse(state)) if state else published / ".extract"


def _moment(value: str | datetime) -> datetime:
    from extract_project.units import parse_moment

    if isinstance(value, str):
        return parse_moment(value)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
