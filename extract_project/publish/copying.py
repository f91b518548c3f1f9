"""Copying one object version within S3, as a new version of its key.

Part by part, so that any size is one path (a plain copy ends at 5 GB), and the last request
publishes it only if its condition holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import TYPE_CHECKING, Any

from extract_project.history.versions import Version
from extract_project.publish.upload import Target, abort_or_leave
from extract_project.store.s3 import require_version_id

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PART = 256 << 20
_MOST_PARTS = 10_000
_COPIES = 8


def copy_version(
    s3: S3Client,
    target: Target,
    old: Version,
    metadata: Mapping[str, str],
    condition: Mapping[str, str],
) -> str:
    """Copy a version onto its own key; returns the VersionId of this very write.

    `metadata` are the object's, as headers. Raises the client's error, and leaves nothing behind,
    when `condition` (`IfMatch` / `IfNoneMatch`) does not hold; BucketError when S3 keeps no version
    of the copy.
    """
    upload_id = s3.create_multipart_upload(
        Bucket=target.bucket,
        Key=target.key,
        ContentType=old.content_type,
        Metadata=metadata,
        ChecksumAlgorithm="CRC32",
    )["UploadId"]
    upload: Any = {"Bucket": target.bucket, "Key": target.key, "UploadId": upload_id}
    try:
        parts: Any = {"Parts": _copy_parts(s3, upload, old)}
        done: Any = s3.complete_multipart_upload(
            **upload,
            MultipartUpload=parts,
            **condition,  # type: ignore[arg-type]
        )
    except BaseException:
        abort_or_leave(s3, target.bucket, target.key, upload_id)
        raise
    return require_version_id(done.get("VersionId"), target.bucket, target.key)


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
