"""Buckets: there, versioned, and open to what a deployment does with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from extract_project.doctor.finding import Finding, ask_s3
from extract_project.errors import BucketError
from extract_project.manifest.bucket import ListedFile, fetch_file, list_files
from extract_project.settings import Settings
from extract_project.store.s3 import NULL_VERSION, Location, error_code, require_versioning

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NO_ETAG = '"00000000000000000000000000000000"'
_ABSENT = {"404", "NoSuchKey"}
_NOT_MET = {"412", "PreconditionFailed", *_ABSENT}


def bucket_checks(s3: S3Client, settings: Settings) -> Sequence[Callable[[], Finding]]:
    """What runs need of S3, in the order in which they need it."""
    data, state, key = settings.data, settings.state_location, settings.kms_key_id
    return [
        partial(manifest, s3, settings.manifest),
        partial(versioning, s3, data),
        partial(readable, s3, data),
        partial(conditional_put, s3, data, "data"),
        partial(conditional_put, s3, state, "state"),
        partial(multipart, s3, data, key),
    ]


def manifest(s3: S3Client, location: Location) -> Finding:
    """SQL files can be listed, and one of them read."""

    def ask() -> str:
        first = next(list_files(s3, location), None)
        if first is None:
            return f"{location} can be listed; it has no SQL file yet: extract push"
        fetch_file(s3, location, ListedFile(first.key, first.etag))
        return f"{location} can be listed and read"

    return ask_s3("manifest", ask, "")


def versioning(s3: S3Client, location: Location) -> Finding:
    def ask() -> str:
        require_versioning(s3, location.bucket)
        return f"bucket {location.bucket} keeps versions"

    fix = f"grant s3:GetBucketVersioning on arn:aws:s3:::{location.bucket}"
    return ask_s3("versioning", ask, fix)


def readable(s3: S3Client, location: Location) -> Finding:
    """What is published can be listed and looked at."""

    def ask() -> str:
        s3.list_object_versions(Bucket=location.bucket, Prefix=location.key(""), MaxKeys=1)
        s3.list_objects_v2(Bucket=location.bucket, Prefix=location.key(""), MaxKeys=1)
        try:
            s3.head_object(Bucket=location.bucket, Key=_unused(location))
        except s3.exceptions.ClientError as error:
            if error_code(error) not in _ABSENT:
                raise
        return f"{location} can be listed and read"

    fix = (
        f"grant s3:ListBucket and s3:ListBucketVersions on arn:aws:s3:::{location.bucket}, and "
        f"s3:GetObject and s3:GetObjectVersion on {_objects(location)}"
    )
    return ask_s3("data: read", ask, fix)


def conditional_put(s3: S3Client, location: Location, what: str) -> Finding:
    """A write under a condition that cannot hold: allowed, understood, and without effect."""

    def ask() -> str:
        bucket, key = location.bucket, _unused(location)
        try:
            written = s3.put_object(Bucket=bucket, Key=key, Body=b"", IfMatch=_NO_ETAG)
        except s3.exceptions.ClientError as error:
            if error_code(error) not in _NOT_MET:
                raise
            return f"{location} takes conditional writes"
        made = written.get("VersionId", NULL_VERSION)
        s3.delete_object(Bucket=bucket, Key=key, VersionId=made)
        raise BucketError(
            f"{location} ignores conditions of writes: use an S3 server that knows If-Match, "
            f"without which older data can replace newer"
        )

    fix = f"grant s3:PutObject and s3:GetObject on {_objects(location)}"
    return ask_s3(f"{what}: write", ask, fix)


def multipart(s3: S3Client, location: Location, kms_key_id: str | None) -> Finding:
    """A multipart upload can be begun, found and aborted; its parts are never seen.

    S3 asks KMS for a data key when it begins.
    """

    def ask() -> str:
        _begin_and_abort(s3, location.bucket, _unused(location))
        encrypted = f", encrypted with {kms_key_id}" if kms_key_id else ""
        return f"{location} takes multipart uploads{encrypted}, and aborts them"

    fix = (
        f"grant s3:PutObject and s3:AbortMultipartUpload on {_objects(location)}, and "
        f"s3:ListBucketMultipartUploads on arn:aws:s3:::{location.bucket}"
    )
    if kms_key_id:
        fix += f"; kms:GenerateDataKey and kms:Decrypt on {kms_key_id} (EXTRACT_KMS_KEY_ID)"
    return ask_s3("data: multipart, KMS key" if kms_key_id else "data: multipart", ask, fix)


def _begin_and_abort(s3: S3Client, bucket: str, key: str) -> None:
    begun = s3.create_multipart_upload(Bucket=bucket, Key=key)
    try:
        s3.list_multipart_uploads(Bucket=bucket, Prefix=key)
    finally:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=begun["UploadId"])


def _unused(location: Location) -> str:
    """A key that nobody has."""
    return location.key(f".extract-doctor/{uuid4().hex}")


def _objects(location: Location) -> str:
    return f"arn:aws:s3:::{location.bucket}/{location.key('*')}"
