"""Rollback: making an older version current again, without a rerun.

The bytes are copied within S3, part by part, so that any size is one path (a plain copy ends at
5 GB), and the last request publishes them only if the key still holds what was seen. The new
version carries the provenance of the old one, and says that it was restored, by whom and why. It
counts as started at the moment of the rollback: a run that was under way then cannot replace it,
the next one can (G4).
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Any

from extract_project.errors import NotPublished, StagingError
from extract_project.publish.receipt import Receipt, receipt_of
from extract_project.publish.upload import Target
from extract_project.publish.versions import Version, find_version, list_history, require_version
from extract_project.s3 import Location, error_code, header_safe

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PART = 256 << 20
_MOST_PARTS = 10_000
_COPIES = 8
_MOST_METADATA = 2048
"""Bytes of names and values that S3 takes as an object's metadata."""
_NAME = "extract-{}"
_CHANGED = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchUpload")


@dataclass(frozen=True)
class Order:
    """Which version is wanted back, and what is recorded with it."""

    version_id: str
    reason: str
    by: str
    run_id: str | None = None
    """The Dagster run that does it."""


@dataclass(frozen=True)
class Restored:
    """An older version that is current again."""

    version: Version
    """The new one."""
    receipt: Receipt
    """Of the older version, whose bytes these are."""
    replaced: Version | None
    """What was current before; None where nothing was."""


def restore(s3: S3Client, state: Location, target: Target, order: Order) -> Restored:
    """Make a version current again.

    Raises NotPublished when it cannot be restored, StagingError when the key changed meanwhile;
    both leave what is current untouched.
    """
    replaced = find_version(s3, target.bucket, target.key)
    old = _restorable(s3, target, order.version_id)
    receipt = _whole(receipt_of(s3, state, old), old)
    if replaced and replaced.provenance.get("receipt") == receipt.id:
        raise NotPublished(
            f"version {old.version_id} is current already"
            + (f", as {replaced.version_id}" if replaced.version_id != old.version_id else "")
        )
    now = datetime.now(UTC).isoformat()
    provenance = {
        **{name: old.provenance[name] for name in old.provenance if name not in _RESTORATION},
        "started-at": now,
        "restored-at": now,
        "restored-from": old.version_id,
        "restored-by": order.by,
        "reason": order.reason,
        **({"restored-in": order.run_id} if order.run_id else {}),
        **({"replaced": replaced.version_id} if replaced else {}),
    }
    version_id = _copy(s3, target, old, _metadata(provenance), replaced)
    return Restored(require_version(s3, target.bucket, target.key, version_id), receipt, replaced)


_RESTORATION = {"restored-at", "restored-from", "restored-by", "reason", "restored-in", "replaced"}


def _restorable(s3: S3Client, target: Target, version_id: str) -> Version:
    old = find_version(s3, target.bucket, target.key, version_id)
    if old:
        return old
    listed = list_history(s3, target.bucket, target.key)
    if any(each.version_id == version_id and each.is_deleted for each in listed):
        raise NotPublished(
            f"{version_id} is a delete marker, and holds nothing to go back to: "
            f"choose the version before it"
        )
    raise NotPublished(
        f"{target.uri} has no version {version_id}: it is another key's, or has been removed; "
        f"list what there is with: extract versions"
    )


def _whole(receipt: Receipt | None, old: Version) -> Receipt:
    if receipt is None:
        raise NotPublished(
            f"{old.uri} has no receipt: nobody can tell whether its bytes are what was audited"
        )
    if receipt.bytes != old.size:
        raise NotPublished(
            f"{old.uri} has {old.size:,} bytes and its receipt says {receipt.bytes:,}: "
            f"it was replaced or damaged, choose another version"
        )
    return receipt


def _metadata(provenance: Mapping[str, str]) -> dict[str, str]:
    metadata = {_NAME.format(name): header_safe(value) for name, value in provenance.items()}
    excess = sum(len(name) + len(value) for name, value in metadata.items()) - _MOST_METADATA
    if excess > 0:
        raise StagingError(
            f"the reason is too long by {excess} bytes: S3 keeps {_MOST_METADATA} bytes of metadata"
        )
    return metadata


def _copy(
    s3: S3Client,
    target: Target,
    old: Version,
    metadata: Mapping[str, str],
    replaced: Version | None,
) -> str:
    """Copy a version onto its own key; returns the VersionId of this very write."""
    upload_id = s3.create_multipart_upload(
        Bucket=target.bucket,
        Key=target.key,
        ContentType=old.content_type,
        Metadata=metadata,
        ChecksumAlgorithm="CRC32",
        **target.encryption,
    )["UploadId"]
    upload: Any = {"Bucket": target.bucket, "Key": target.key, "UploadId": upload_id}
    condition: Any = {"IfMatch": f'"{replaced.etag}"'} if replaced else {"IfNoneMatch": "*"}
    try:
        parts: Any = {"Parts": _copy_parts(s3, upload, old)}
        done = s3.complete_multipart_upload(**upload, MultipartUpload=parts, **condition)
    except BaseException as error:
        code = error_code(error) if isinstance(error, Exception) else ""
        if code in _CHANGED:
            current = find_version(s3, target.bucket, target.key)
            at = _NAME.format("restored-at")
            if current and current.provenance.get("restored-at") == metadata[at]:
                return current.version_id  # it went through, and only the reply was lost
        _abort(s3, upload)
        if code in _CHANGED:
            raise StagingError(
                f"{target.uri} changed while version {old.version_id} was being restored: nothing "
                f"was restored; look at extract versions, and say it again if it still applies"
            ) from error
        raise
    return done["VersionId"]


def _copy_parts(s3: S3Client, upload: Any, old: Version) -> list[dict[str, Any]]:
    if not old.size:  # of nothing there is no range to copy
        empty = s3.upload_part(**upload, PartNumber=1, Body=b"", ChecksumAlgorithm="CRC32")
        return [_part(1, empty)]
    size = max(_PART, ceil(old.size / _MOST_PARTS))

    def copy(number: int) -> dict[str, Any]:
        first = (number - 1) * size
        last = min(first + size, old.size) - 1
        reply = s3.upload_part_copy(
            **upload,
            PartNumber=number,
            CopySource={"Bucket": old.bucket, "Key": old.key, "VersionId": old.version_id},
            CopySourceRange=f"bytes={first}-{last}",
        )
        return _part(number, reply["CopyPartResult"])

    with ThreadPoolExecutor(_COPIES) as pool:
        return list(pool.map(copy, range(1, ceil(old.size / size) + 1)))


def _part(number: int, reply: Mapping[str, Any]) -> dict[str, Any]:
    part = {"PartNumber": number, "ETag": reply["ETag"]}
    if "ChecksumCRC32" in reply:
        part["ChecksumCRC32"] = reply["ChecksumCRC32"]
    return part


def _abort(s3: S3Client, upload: Any) -> None:
    try:
        s3.abort_multipart_upload(**upload)
    except s3.exceptions.ClientError as error:
        if error_code(error) != "NoSuchUpload":
            raise
