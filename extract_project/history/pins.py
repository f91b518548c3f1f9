"""Pins: versions that nothing removes, neither `extract prune` nor a lifecycle rule of the bucket.

A lifecycle rule cannot spare what carries a tag: it only ever picks by one. What S3 itself keeps
whatever rules say is a version under a legal hold. So a pin is a hold on the version, and on each
part version that it names, with a record of who and why under EXTRACT_STATE.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError
from pydantic import AwareDatetime, BaseModel, ConfigDict

from extract_project.errors import BucketError
from extract_project.history.parts import is_manifest, load_manifest
from extract_project.history.records import folders, record_folder
from extract_project.history.versions import Version, require_version
from extract_project.store.s3 import Location, error_code, read_object

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_AT_A_TIME = 8
_SUFFIX = ".json"


class Pin(BaseModel):
    """Who keeps a version, and why."""

    model_config = ConfigDict(frozen=True)

    by: str
    reason: str
    at: AwareDatetime


def pin(s3: S3Client, state: Location, version: Version, by: str, reason: str) -> Pin:
    """Keep a version until it is unpinned; raises BucketError where the bucket cannot."""
    _require_object_lock(s3, version.bucket)
    made = Pin(by=by, reason=reason, at=datetime.now(UTC))
    record = _record(record_folder(state, "pins", version.key), version.version_id)
    # First: whoever unpins another version meanwhile has to see that its parts are wanted.
    s3.put_object(
        Bucket=record.bucket,
        Key=record.prefix,
        Body=made.model_dump_json(indent=1).encode(),
        ContentType="application/json",
    )
    try:
        _hold(s3, version.bucket, _held(s3, version), "ON")
    except BaseException:
        s3.delete_object(Bucket=record.bucket, Key=record.prefix)
        raise
    return made


def unpin(s3: S3Client, state: Location, version: Version) -> None:
    """Let a version go the way of all others; parts that another pinned version names stay."""
    # First: a record without a hold would promise what nobody keeps.
    for folder in folders(state, "pins", version.key):
        record = _record(folder, version.version_id)
        s3.delete_object(Bucket=record.bucket, Key=record.prefix)
    own = list(_held(s3, version))
    still = _wanted(s3, state, version)
    _hold(s3, version.bucket, [each for each in own if each not in still], "OFF")
    # Somebody may have pinned another version of the same parts in between.
    since = _wanted(s3, state, version) - still
    _hold(s3, version.bucket, [each for each in own if each in since], "ON")


def _wanted(s3: S3Client, state: Location, version: Version) -> set[tuple[str, str]]:
    """All that the pinned versions of the same key consist of."""
    return {
        part
        for version_id in pinned_ids(s3, state, version.key)
        for part in _held(s3, require_version(s3, version.bucket, version.key, version_id))
    }


def pinned_ids(s3: S3Client, state: Location, key: str) -> list[str]:
    """VersionIds of a key that are pinned."""
    return list(_records(s3, state, key))


def read_pins(s3: S3Client, state: Location, key: str) -> Mapping[str, Pin]:
    """The pins of a key, by VersionId."""

    def read(record: Location) -> Pin:
        content = read_object(s3, {"Bucket": record.bucket, "Key": record.prefix})
        return Pin.model_validate_json(content)

    records = _records(s3, state, key)
    return {version_id: read(record) for version_id, record in records.items()}


def _records(s3: S3Client, state: Location, key: str) -> dict[str, Location]:
    """Where the pins of a key are recorded, by VersionId."""
    found: dict[str, Location] = {}
    for folder in folders(state, "pins", key):
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=folder.bucket, Prefix=folder.key(""), Delimiter="/"
        )
        for item in (item for page in pages for item in page.get("Contents", [])):
            version_id = folder.relative(item["Key"]).removesuffix(_SUFFIX)
            found.setdefault(version_id, Location(folder.bucket, item["Key"]))
    return found


def _held(s3: S3Client, version: Version) -> Iterator[tuple[str, str]]:
    """Keys and VersionIds of all that a version consists of, itself last."""
    if is_manifest(version.key):
        for part in load_manifest(s3, version).parts:
            yield part.key, part.version_id
    yield version.key, version.version_id


def _hold(
    s3: S3Client,
    bucket: str,
    held: Iterator[tuple[str, str]] | list[Any],
    status: Literal["ON", "OFF"],
) -> None:
    def put(each: tuple[str, str]) -> None:
        key, version_id = each
        s3.put_object_legal_hold(
            Bucket=bucket, Key=key, VersionId=version_id, LegalHold={"Status": status}
        )

    try:
        with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="hold") as pool:
            list(pool.map(put, held))
    except ClientError as error:
        if error_code(error) not in ("AccessDenied", "403"):
            raise
        raise BucketError(
            f"bucket {bucket!r} does not let you hold versions: it takes s3:PutObjectLegalHold, "
            f"which no role of the stack has; ask an administrator"
        ) from error


def _require_object_lock(s3: S3Client, bucket: str) -> None:
    try:
        s3.get_object_lock_configuration(Bucket=bucket)
    except ClientError as error:
        if error_code(error) != "ObjectLockConfigurationNotFoundError":
            raise
        raise BucketError(
            f"bucket {bucket!r} cannot hold versions, so a pin would protect nothing: an "
            f"administrator may switch Object Lock on, which cannot be undone: "
            f"aws s3api put-object-lock-configuration --bucket {bucket} "
            f"--object-lock-configuration ObjectLockEnabled=Enabled"
        ) from error


def _record(folder: Location, version_id: str) -> Location:
    return folder / f"{version_id}{_SUFFIX}"
