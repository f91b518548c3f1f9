"""Checks of buckets: they exist, keep versions, and grant what a deployment needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from uuid import uuid4

from extract_project.doctor.finding import Finding, ask_s3
from extract_project.errors import BucketError, StoreError
from extract_project.manifest.bucket import fetch_file, list_files
from extract_project.manifest.others import read_others
from extract_project.store.destination import DATA, Destination
from extract_project.store.folder import Folder
from extract_project.store.protocol import Holds, NotApplied
from extract_project.store.stores import Folders

_NO_TOKEN = '"00000000000000000000000000000000"'
_TYPE = "application/octet-stream"


def bucket_checks(folders: Folders, kms_key_id: str | None) -> Sequence[Callable[[], Finding]]:
    """The checks of what runs need from S3, in the order in which they need it."""
    data = folders.destination()
    return [
        partial(manifest, folders.manifest),
        *destination_checks(data, kms_key_id),
        partial(conditional_put, folders.state, "state"),
    ]


def destination_checks(
    destination: Destination, kms_key_id: str | None
) -> Sequence[Callable[[], Finding]]:
    """The checks of what runs need where they publish."""
    folder, name = destination.data, destination.name
    return [
        partial(versioning, folder, "versioning" if name == DATA else f"{name}: versioning"),
        partial(readable, folder, name),
        partial(conditional_put, folder, name),
        partial(multipart, folder, name, kms_key_id),
    ]


def manifest(location: Folder) -> Finding:
    """SQL files can be listed, and one of them can be read."""

    def ask() -> str:
        first = next(list_files(location), None)
        if first is None:
            return f"{location} can be listed; it has no SQL file yet: extract push"
        fetch_file(location, first.key)
        return f"{location} can be listed and read"

    return ask_s3("manifest", ask, "")


def upstream_manifests(folders: Folders) -> Sequence[Finding]:
    """Each other manifest on whose extracts those of this one may depend is known here."""
    try:
        others = read_others(folders)
    except StoreError as error:
        return [Finding("upstream manifests", False, str(error), "see the lines above")]
    fix = "set EXTRACT_UPSTREAM_MANIFESTS and EXTRACT_STATE as for that code location, and load it"
    return [
        Finding("upstream manifest", False, f"{each.uri}: {each.unknown}", fix)
        if each.unknown
        else Finding("upstream manifest", True, f"{each.uri}: {len(each.paths):,} extracts")
        for each in others
    ]


def versioning(location: Folder, subject: str) -> Finding:
    def ask() -> str:
        location.store.require_versioning()
        return f"bucket {location.bucket} keeps versions"

    fix = f"grant s3:GetBucketVersioning on arn:aws:s3:::{location.bucket}"
    return ask_s3(subject, ask, fix)


def readable(location: Folder, what: str) -> Finding:
    """Published objects and versions can be listed and read."""

    def ask() -> str:
        next(location.store.history(location.key("")), None)
        next(location.store.list(location.key("")), None)
        location.store.find(_unused(location))
        return f"{location} can be listed and read"

    fix = (
        f"grant s3:ListBucket and s3:ListBucketVersions on arn:aws:s3:::{location.bucket}, and "
        f"s3:GetObject and s3:GetObjectVersion on {_objects(location)}"
    )
    return ask_s3(f"{what}: read", ask, fix)


def conditional_put(location: Folder, what: str) -> Finding:
    """Conditional writes are allowed and evaluated, tried with a condition that is never true."""

    def ask() -> str:
        key = _unused(location)
        try:
            written = location.store.put(key, b"", _TYPE, condition=Holds(_NO_TOKEN))
        except NotApplied:
            return f"{location} supports conditional writes"
        list(location.store.remove([(key, written.version_id)]))
        raise BucketError(
            f"{location} ignores conditions of writes: use an S3 server that supports If-Match, "
            f"without which older data can replace newer"
        )

    fix = f"grant s3:PutObject and s3:GetObject on {_objects(location)}"
    return ask_s3(f"{what}: write", ask, fix)


def multipart(location: Folder, what: str, kms_key_id: str | None) -> Finding:
    """A multipart upload can be started, listed and aborted. Nothing of it is ever visible.

    It also tests the KMS key: S3 asks KMS for a data key when an upload starts.
    """

    def ask() -> str:
        location.store.try_staging(_unused(location))
        encrypted = f", encrypted with {kms_key_id}" if kms_key_id else ""
        return f"{location} accepts multipart uploads{encrypted}, and aborts them"

    fix = (
        f"grant s3:PutObject and s3:AbortMultipartUpload on {_objects(location)}, and "
        f"s3:ListBucketMultipartUploads on arn:aws:s3:::{location.bucket}"
    )
    if kms_key_id:
        fix += f"; kms:GenerateDataKey and kms:Decrypt on {kms_key_id}"
    return ask_s3(f"{what}: multipart, KMS key" if kms_key_id else f"{what}: multipart", ask, fix)


def _unused(location: Folder) -> str:
    """A key that does not exist."""
    return location.key(f".extract-doctor/{uuid4().hex}")


def _objects(location: Folder) -> str:
    return f"arn:aws:s3:::{location.bucket}/{location.key('*')}"
