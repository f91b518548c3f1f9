"""Whether an S3 bucket is set up for what the project needs: versioning, Object Lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extract_project.errors import BucketError
from extract_project.store.protocol import NULL_VERSION
from extract_project.store.s3.errors import DENIED, error_code, translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def require_versioning(s3: S3Client, bucket: str) -> None:
    """Raise BucketError unless the bucket keeps versions: without them there is no history."""
    from botocore.exceptions import ClientError

    with translated():
        try:
            status = s3.get_bucket_versioning(Bucket=bucket).get("Status", "off")
        except ClientError as error:
            if error_code(error) == "NoSuchBucket":
                raise BucketError(
                    f"bucket {bucket!r} does not exist: "
                    f"create it with versioning on, or correct EXTRACT_DATA"
                ) from error
            if error_code(error) not in DENIED:
                raise
            raise BucketError(
                f"bucket {bucket!r} does not let you read its versioning (AccessDenied): "
                f"grant s3:GetBucketVersioning on arn:aws:s3:::{bucket}"
            ) from error
    if status != "Enabled":
        raise BucketError(
            f"bucket {bucket!r} has versioning {status.lower()}: extracts need it to keep history; "
            f"run: {_enable_versioning(bucket)}"
        )


def require_version_id(version_id: str | None, bucket: str, key: str) -> str:
    """The VersionId that a write returned; raises BucketError if there is none.

    S3 calls a version `null` if the next write replaces it.
    """
    if version_id and version_id != NULL_VERSION:
        return version_id
    raise BucketError(
        f"s3://{bucket}/{key} was written, but not as a version: the next write replaces it for "
        f"good; versioning of bucket {bucket!r} was suspended while this ran; "
        f"run: {_enable_versioning(bucket)}, then run this again"
    )


def require_object_lock(s3: S3Client, bucket: str) -> None:
    """Raise BucketError unless versions of the bucket can be held."""
    from botocore.exceptions import ClientError

    with translated():
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


def _enable_versioning(bucket: str) -> str:
    return (
        f"aws s3api put-bucket-versioning --bucket {bucket} "
        f"--versioning-configuration Status=Enabled"
    )
