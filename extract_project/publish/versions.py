"""The published versions of a key: S3's own history, with each version's provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from extract_project.errors import NotPublished
from extract_project.manifest.extract import Extract
from extract_project.s3 import Location, error_code, from_header

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PREFIX = "extract-"


@dataclass(frozen=True)
class Version:
    """One S3 object version of a published key."""

    bucket: str
    key: str
    version_id: str
    etag: str
    size: int
    modified: datetime
    provenance: Mapping[str, str]
    """`x-amz-meta-extract-…` without the prefix: `run-id`, `sql-key`, `receipt`, …"""

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}?versionId={self.version_id}"

    @property
    def started_at(self) -> datetime | None:
        """When the run that made it started; None for an object that is not ours."""
        text = self.provenance.get("started-at")
        return datetime.fromisoformat(text) if text else None


def find_version(
    s3: S3Client, bucket: str, key: str, version_id: str | None = None
) -> Version | None:
    """The given version, or the current one; None when there is none."""
    chosen = {"VersionId": version_id} if version_id else {}
    try:
        head = s3.head_object(Bucket=bucket, Key=key, **chosen)  # type: ignore[arg-type]
    except s3.exceptions.ClientError as error:
        if error_code(error) in ("404", "NoSuchKey", "NoSuchVersion", "400", "405"):
            return None
        raise
    return Version(
        bucket=bucket,
        key=key,
        version_id=head.get("VersionId", "null"),
        etag=head["ETag"].strip('"'),
        size=head["ContentLength"],
        modified=head["LastModified"],
        provenance={
            name.removeprefix(_PREFIX): from_header(value)
            for name, value in head["Metadata"].items()
            if name.startswith(_PREFIX)
        },
    )


def require_version(s3: S3Client, bucket: str, key: str, version_id: str | None = None) -> Version:
    """As `find_version`; raises NotPublished when there is none."""
    version = find_version(s3, bucket, key, version_id)
    if version is None:
        which = f"version {version_id}" if version_id else "a current version"
        raise NotPublished(
            f"s3://{bucket}/{key} does not have {which}: materialize the extract first, "
            f"or list what there is with: extract versions"
        )
    return version


def list_versions(s3: S3Client, bucket: str, key: str) -> Iterator[Version]:
    """Every version of a key, the newest first; delete markers are not among them."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
    for page in pages:
        for item in page.get("Versions", []):
            if item["Key"] == key:
                version = find_version(s3, bucket, key, item["VersionId"])
                if version is not None:
                    yield version


def published_partitions(s3: S3Client, data: Location, extract: Extract) -> list[str]:
    """Keys of the partitions that have a current version, in order."""
    before = data.key(f"{extract.path}/partition=")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=data.bucket, Prefix=before)
    keys = {item["Key"] for page in pages for item in page.get("Contents", [])}
    partitions = {key.removeprefix(before).partition("/")[0] for key in keys}
    return sorted(each for each in partitions if data.key(extract.published_path(each)) in keys)
