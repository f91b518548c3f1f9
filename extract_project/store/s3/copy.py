"""Copying one object version within S3, as a new version of its key.

Objects of any size are copied part by part (CopyObject is limited to 5 GB). The last request
publishes the copy only if its condition holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING, Any

from extract_project.daemons import DaemonPool
from extract_project.store.protocol import Condition, ObjectVersion, Written
from extract_project.store.s3.metadata import to_metadata
from extract_project.store.s3.upload import (
    abort_or_leave,
    carry_out,
    create_upload,
    headers,
    part_reference,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PART = 256 << 20
_MOST_PARTS = 10_000
_COPIES = 8


def copy_version(
    s3: S3Client,
    bucket: str,
    old: ObjectVersion,
    facts: Mapping[str, str],
    condition: Condition | None,
) -> Written:
    """Copy a version to its own key; leaves nothing behind if that fails."""
    item: Any = {"Bucket": bucket, "Key": old.key}
    upload_id = create_upload(s3, item, old.content_type, to_metadata(facts))

    def copy() -> Any:
        parts: Any = {"Parts": _copy_parts(s3, {**item, "UploadId": upload_id}, old)}
        return s3.complete_multipart_upload(
            **item, UploadId=upload_id, MultipartUpload=parts, **headers(condition)
        )

    try:
        return carry_out(copy, item)
    except BaseException:
        abort_or_leave(s3, item, upload_id)
        raise


def _copy_parts(s3: S3Client, upload: Any, old: ObjectVersion) -> list[dict[str, Any]]:
    if not old.size:  # an empty object has no range to copy
        empty = s3.upload_part(**upload, PartNumber=1, Body=b"", ChecksumAlgorithm="CRC32")
        return [part_reference(1, empty)]
    size = max(_PART, ceil(old.size / _MOST_PARTS))

    def copy(number: int) -> dict[str, Any]:
        first = (number - 1) * size
        last = min(first + size, old.size) - 1
        reply = s3.upload_part_copy(
            **upload,
            PartNumber=number,
            CopySource={"Bucket": upload["Bucket"], "Key": old.key, "VersionId": old.version_id},
            CopySourceRange=f"bytes={first}-{last}",
        )
        return part_reference(number, reply["CopyPartResult"])

    with DaemonPool(_COPIES, "copy") as pool:
        return list(pool.map(copy, range(1, ceil(old.size / size) + 1)))
