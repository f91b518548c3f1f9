"""The published versions of a key: S3's own history, with each version's provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING, Any

from extract_project.errors import NotPublished
from extract_project.formats.options import EXTENSIONS
from extract_project.manifest.extract import PARTS_MANIFEST, Extract
from extract_project.store.s3 import NULL_VERSION, Location, error_code, from_header

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

_PREFIX = "extract-"
_ABSENT = ("404", "NoSuchKey", "NoSuchVersion", "405", "InvalidArgument")
"""405 is a delete marker; an argument that S3 finds invalid is a VersionId that is none."""


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
    content_type: str = "application/octet-stream"

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}?versionId={self.version_id}"

    @property
    def started_at(self) -> datetime | None:
        """When the run that made it started; None for an object that is not ours."""
        text = self.provenance.get("started-at")
        return datetime.fromisoformat(text) if text else None

    @property
    def restoration(self) -> Restoration | None:
        """How it became current without a run of its own; None for the result of a run."""
        known = self.provenance
        if "restored-from" not in known:
            return None
        return Restoration(
            restored_from=known["restored-from"],
            replaced=known.get("replaced"),
            by=known["restored-by"],
            reason=known["reason"],
            at=datetime.fromisoformat(known["restored-at"]),
            run_id=known.get("restored-in"),
        )


@dataclass(frozen=True)
class Restoration:
    """A rollback: which older version was made current again, by whom, and why."""

    restored_from: str
    """VersionId of the version whose bytes these are."""
    replaced: str | None
    """VersionId of what was current before; None where nothing was."""
    by: str
    reason: str
    at: datetime
    run_id: str | None
    """The Dagster run that did it; None where somebody did it without Dagster."""


@dataclass(frozen=True)
class Listed:
    """A version or a delete marker, as the bucket lists it."""

    version_id: str
    modified: datetime
    """To the second. S3 dates an object of several parts to when its upload began."""
    is_latest: bool
    is_deleted: bool
    """A delete marker: from then on nothing was current."""


def find_version(
    s3: S3Client, bucket: str, key: str, version_id: str | None = None
) -> Version | None:
    """The given version, or the current one; None when there is none."""
    chosen = {"VersionId": version_id} if version_id else {}
    try:
        head = _head(s3, {"Bucket": bucket, "Key": key, **chosen})
    except s3.exceptions.ClientError as error:
        if error_code(error) in _ABSENT:
            return None
        raise
    return Version(
        bucket=bucket,
        key=key,
        version_id=head.get("VersionId", NULL_VERSION),
        etag=head["ETag"].strip('"'),
        size=head["ContentLength"],
        modified=head["LastModified"],
        provenance={
            name.removeprefix(_PREFIX): from_header(value)
            for name, value in head["Metadata"].items()
            if name.startswith(_PREFIX)
        },
        content_type=head["ContentType"],
    )


def _head(s3: S3Client, chosen: Any) -> HeadObjectOutputTypeDef:
    try:
        return s3.head_object(**chosen)
    except s3.exceptions.ClientError as error:
        if error_code(error) != "400":
            raise
    # The reply to HEAD has no body that would say why: what was given is no VersionId, or the
    # credentials have expired, which must not look as if nothing were published.
    s3.get_object(**chosen)["Body"].close()
    return s3.head_object(**chosen)


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


def list_history(s3: S3Client, bucket: str, key: str) -> Iterator[Listed]:
    """Every version and delete marker of a key, the newest first, without what each one carries."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
    before: Listed | None = None
    for page in pages:
        versions, markers = page.get("Versions", []), page.get("DeleteMarkers", [])
        listed = merge(
            [_listed(item, False) for item in versions if item["Key"] == key],
            [_listed(item, True) for item in markers if item["Key"] == key],
            key=lambda each: (each.is_latest, each.modified),
            reverse=True,
        )
        for _, same in groupby(listed, key=lambda each: each.modified):
            of_a_second = list(same)
            if len({each.is_deleted for each in of_a_second}) > 1:
                of_a_second = _listed_after(s3, bucket, key, before, len(of_a_second))
            for before in of_a_second:
                yield before
        if any(item["Key"] != key for item in (*versions, *markers)):
            return  # keys that begin with this one come after it


def _listed_after(
    s3: S3Client, bucket: str, key: str, before: Listed | None, count: int
) -> list[Listed]:
    """Entries in the bucket's own order, one request each.

    A reply lists versions and delete markers in one order, but the client gives each kind by
    itself; times, which are to the second, do not tell which of a second came first.
    """
    found: list[Listed] = []
    for _ in range(count):
        after: Any = {"KeyMarker": key, "VersionIdMarker": before.version_id} if before else {}
        page = s3.list_object_versions(Bucket=bucket, Prefix=key, MaxKeys=1, **after)
        versions, markers = page.get("Versions", []), page.get("DeleteMarkers", [])
        found += [_listed(item, not versions) for item in (*versions, *markers)]
        before = found[-1] if found else before
    return found


def list_versions(s3: S3Client, bucket: str, key: str) -> Iterator[Version]:
    """Every version of a key, the newest first; delete markers are not among them."""
    for listed in list_history(s3, bucket, key):
        version = None if listed.is_deleted else find_version(s3, bucket, key, listed.version_id)
        if version is not None:
            yield version


def _listed(item: Any, is_deleted: bool) -> Listed:
    modified = item["LastModified"].replace(microsecond=0)  # some servers list milliseconds
    return Listed(item["VersionId"], modified, item["IsLatest"], is_deleted)


def published_key(s3: S3Client, data: Location, path: str, partition: str | None = None) -> str:
    """The key of an extract's object, for readers who do not have its SQL file.

    Where its format has changed, or its `split`, there are several: it is the one that was
    published last, of those that are still there. Raises NotPublished when there never was any.
    """
    folder, name = data.key(path), path.rpartition("/")[2]
    if partition:
        folder = f"{folder}/partition={partition}"
    file = f"{folder}/{name}" if partition else folder
    keys = {f"{file}{extension}" for extension in EXTENSIONS} | {f"{folder}/{PARTS_MANIFEST}"}
    newest: dict[str, tuple[bool, datetime]] = {}
    for prefix in (f"{file}.", f"{folder}/{PARTS_MANIFEST}"):
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=data.bucket, Prefix=prefix)
        for page in pages:
            listed = [
                *((item, True) for item in page.get("Versions", [])),
                *((item, False) for item in page.get("DeleteMarkers", [])),
            ]
            for item, is_there in listed:
                if item["Key"] in keys and item["IsLatest"]:
                    newest[item["Key"]] = (is_there, item["LastModified"])
    if not newest:
        raise NotPublished(
            f"s3://{data.bucket}/{folder} has never been published in any format: "
            f"expected the extract's path, and the partition where it has any"
        )
    return max(newest, key=lambda key: newest[key])


def published_partitions(s3: S3Client, data: Location, extract: Extract) -> list[str]:
    """Keys of the partitions that have a current version, in order."""
    before = data.key(f"{extract.path}/partition=")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=data.bucket, Prefix=before)
    keys = {item["Key"] for page in pages for item in page.get("Contents", [])}
    partitions = {key.removeprefix(before).partition("/")[0] for key in keys}
    return sorted(each for each in partitions if data.key(extract.published_path(each)) in keys)
