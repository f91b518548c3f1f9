"""The history of S3 keys, in S3's own order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING, Any

from extract_project.store.protocol import ListedVersion
from extract_project.store.s3.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def list_history(s3: S3Client, bucket: str, prefix: str) -> Iterator[ListedVersion]:
    """Versions and delete markers of keys that begin with `prefix`; each key's newest first."""
    before: ListedVersion | None = None
    for page in _pages(s3, bucket, prefix):
        versions: dict[str, list[ListedVersion]] = {}
        markers: dict[str, list[ListedVersion]] = {}
        for kind, found in (("Versions", versions), ("DeleteMarkers", markers)):
            for item in page.get(kind, []):
                found.setdefault(item["Key"], []).append(_listed(item, kind == "DeleteMarkers"))
        for key in sorted({*versions, *markers}):
            listed = merge(
                versions.get(key, []),
                markers.get(key, []),
                key=lambda each: (each.is_latest, each.modified),
                reverse=True,
            )
            for _, same in groupby(listed, key=lambda each: each.modified):
                of_a_second = list(same)
                if len({each.is_deleted for each in of_a_second}) > 1:
                    of_a_second = _listed_after(s3, bucket, key, before, len(of_a_second))
                for each in of_a_second:
                    yield each
                    before = each


def _pages(s3: S3Client, bucket: str, prefix: str) -> Iterator[Any]:
    with translated():
        yield from s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)


def _listed_after(
    s3: S3Client, bucket: str, key: str, before: ListedVersion | None, count: int
) -> list[ListedVersion]:
    """Entries of a key in the bucket's own order, one request each.

    A reply lists versions and delete markers in one order, but the client returns each kind
    separately. Their times are to the second, so they do not order entries of the same second.
    """
    found: list[ListedVersion] = []
    before = before if before and before.key == key else None
    for _ in range(count):
        after: Any = {"KeyMarker": key, "VersionIdMarker": before.version_id} if before else {}
        with translated():
            page = s3.list_object_versions(Bucket=bucket, Prefix=key, MaxKeys=1, **after)
        versions, markers = page.get("Versions", []), page.get("DeleteMarkers", [])
        found += [_listed(item, not versions) for item in (*versions, *markers)]
        before = found[-1] if found else before
    return found


def _listed(item: Any, is_deleted: bool) -> ListedVersion:
    return ListedVersion(
        item["Key"],
        item["VersionId"],
        modified(item),
        item["IsLatest"],
        is_deleted,
        item.get("Size") or 0,
    )


def modified(item: Any) -> datetime:
    """When a listed object was written, to the second: some servers list milliseconds."""
    written: datetime = item["LastModified"]
    return written.replace(microsecond=0)
