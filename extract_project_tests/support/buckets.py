"""Buckets that tests use one after the other.

The first object of a new bucket takes SeaweedFS a third of a second and more CPU than most tests
need. An emptied bucket costs a sixth of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from extract_project.embedded.s3_server import S3Server
from extract_project.store.s3.errors import error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_numbers = count(1)


class Buckets:
    """Versioned, empty buckets of one server, which are emptied and lent again."""

    def __init__(self, server: S3Server) -> None:
        self._server = server
        self._free: dict[str, list[str]] = {}

    @contextmanager
    def lent(self, s3: S3Client, purpose: str) -> Iterator[str]:
        """Lend a bucket, whose name begins with `purpose`, while in the block."""
        free = self._free.setdefault(purpose, [])
        if free:
            bucket = free.pop()
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        else:
            bucket = f"{purpose}-{next(_numbers)}"
            self._server.make_bucket(bucket)
        yield bucket
        if _was_locked(s3, bucket):
            remove_bucket(s3, bucket)
        else:
            empty_bucket(s3, bucket)
            free.append(bucket)


def empty_bucket(s3: S3Client, bucket: str) -> None:
    """Delete all versions, and all uploads that are not complete."""
    for found in _versions(s3, bucket):
        deleted: Any = {"Objects": found, "Quiet": True}
        s3.delete_objects(Bucket=bucket, Delete=deleted)
    for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def remove_bucket(s3: S3Client, bucket: str) -> None:
    """SeaweedFS deletes a bucket with all that is in it, unlike the others."""
    try:
        s3.delete_bucket(Bucket=bucket)
    except s3.exceptions.ClientError as error:
        if error_code(error) != "BucketNotEmpty":
            raise
        for found in _versions(s3, bucket):
            for each in found:
                with suppress(s3.exceptions.ClientError):  # it is under a legal hold
                    s3.delete_object(Bucket=bucket, **each)


def _versions(s3: S3Client, bucket: str) -> Iterator[list[Any]]:
    """Key and VersionId of all versions and delete markers, as many at a time as S3 lists."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        listed = (*page.get("Versions", []), *page.get("DeleteMarkers", []))
        if listed:
            yield [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in listed]


def _was_locked(s3: S3Client, bucket: str) -> bool:
    """Whether objects may be under a legal hold, which a test of `extract pin` sees to."""
    try:
        s3.get_object_lock_configuration(Bucket=bucket)
    except s3.exceptions.ClientError as error:
        if error_code(error) != "ObjectLockConfigurationNotFoundError":
            raise
        return False
    return True
