"""Retention: which versions have served their time, and removing them.

The rule is that of an S3 lifecycle: a version goes when so many newer ones have been replaced too,
and it has itself been replaced for so long. Beyond that: what is pinned stays; part versions stay
as long as any version of their manifest that stays names them; and a delete marker goes when it
hides nothing any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, get_args

from botocore.exceptions import ClientError

from extract_project.errors import BucketError
from extract_project.formats.options import EXTENSIONS
from extract_project.history.parts import load_manifest, whole_key
from extract_project.history.pins import pinned_ids
from extract_project.history.versions import require_version
from extract_project.manifest.extract import PARTS_MANIFEST
from extract_project.store.s3 import Location, error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_AT_ONCE = 1000
_DENIED = ("AccessDenied", "403")

Kind = Literal["version", "part", "delete marker"]


@dataclass(frozen=True)
class Rule:
    """What stays: the newest `keep` of those replaced, and whatever was replaced since `before`."""

    keep: int
    before: datetime


@dataclass(frozen=True)
class Stored:
    """A version or a delete marker, as the bucket lists it."""

    key: str
    version_id: str
    modified: datetime
    is_latest: bool
    is_marker: bool
    bytes: int


@dataclass(frozen=True)
class Prunable:
    """What may go, and since when something else has been in its place."""

    stored: Stored
    kind: Kind
    replaced_at: datetime


def owns(data: Location, path: str, key: str) -> bool:
    """Whether a key is the extract's: its object, those of its partitions, and their parts."""
    name = path.rpartition("/")[2]
    extension = "|".join(re.escape(each) for each in EXTENSIONS)
    beside = rf"{re.escape(PARTS_MANIFEST)}|part-[0-9]{{5,}}({extension})"
    partition = rf"/partition=[^/]+/({re.escape(name)}({extension})|{beside})"
    pattern = rf"{re.escape(data.key(path))}(({extension})|/({beside})|{partition})"
    return re.fullmatch(pattern, key) is not None


def find_prunable(
    s3: S3Client, state: Location, data: Location, path: str, rule: Rule
) -> list[Prunable]:
    """What the rule lets go of one extract, in the order in which it may be removed."""
    histories = dict(_histories(s3, data, path))
    versions, parts = [], []
    for key in sorted({whole_key(key) for key in histories}):
        going = _going(s3, state, histories.get(key, ()), rule)
        versions += [Prunable(each, "version", at) for each, at in going]
        beside = [
            each
            for other in histories
            if other != key and whole_key(other) == key
            for each in _replaced(histories[other])
            if each[1] < rule.before
        ]
        named = _named(s3, data.bucket, histories.get(key, ()), [each for each, _ in going], beside)
        parts += [
            Prunable(each, "part", at)
            for each, at in beside
            if (each.key, each.version_id) not in named
        ]
    gone = {(each.stored.key, each.stored.version_id) for each in (*versions, *parts)}
    markers = [each for history in histories.values() for each in _idle(history, gone, rule)]
    # A manifest goes before its parts: one that is left must find all of them.
    return [*versions, *parts, *markers]


def remove(s3: S3Client, bucket: str, prunable: Sequence[Prunable]) -> None:
    """Remove them for good; raises BucketError where S3 refuses.

    One kind after the other, because one request may do a part of what it says: the parts of a
    version that could not be removed stay, and so does the delete marker that hides one.
    """
    for kind in get_args(Kind):
        stored = [each.stored for each in prunable if each.kind == kind]
        for start in range(0, len(stored), _AT_ONCE):
            _delete(s3, bucket, stored[start : start + _AT_ONCE])


def _delete(s3: S3Client, bucket: str, stored: Sequence[Stored]) -> None:
    objects: Any = [{"Key": each.key, "VersionId": each.version_id} for each in stored]
    try:
        reply = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    except ClientError as error:
        raise _refused(bucket, error_code(error), str(error)) from error
    for each in reply.get("Errors", []):
        where = f"{each.get('Key')} version {each.get('VersionId')}"
        code, told = each.get("Code", ""), f"{where}: {each.get('Message')}"
        if code in _DENIED and (locked := _locked(s3, bucket, each)):
            raise BucketError(f"bucket {bucket!r} did not let you remove {where}: {locked}")
        raise _refused(bucket, code, told)


def _locked(s3: S3Client, bucket: str, refused: Any) -> str | None:
    """What Object Lock keeps a version by; None where it does not, or does not say."""
    chosen: Any = {"Bucket": bucket, "Key": refused["Key"], "VersionId": refused["VersionId"]}
    try:
        head = s3.head_object(**chosen)
    except ClientError:
        return None
    until = head.get("ObjectLockRetainUntilDate")
    if until and until > datetime.now(UTC):
        return (
            f"Object Lock retains it until {until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC "
            f"({head.get('ObjectLockMode')} mode), which is usually the default retention of the "
            f"bucket (aws s3api get-object-lock-configuration --bucket {bucket}): prune again "
            f"then, or with an --older-than that is longer than the retention"
        )
    if head.get("ObjectLockLegalHoldStatus") == "ON":
        return "it is under a legal hold that is no pin: whoever set it has to lift it"
    return None


def _refused(bucket: str, code: str, told: str) -> BucketError:
    if code not in _DENIED:
        return BucketError(f"bucket {bucket!r} did not remove everything ({code}): {told}")
    return BucketError(
        f"bucket {bucket!r} did not let you remove versions ({told}): it takes "
        f"s3:DeleteObjectVersion, which the stack gives to nobody and denies to everybody. "
        f"An administrator may take the statement HistoryStays out "
        f"of the bucket's policy for as long as it takes; the lifecycle rule old-versions "
        f"(NoncurrentDays, NoncurrentVersions) goes on by itself, and is enough for most"
    )


def _histories(s3: S3Client, data: Location, path: str) -> Iterator[tuple[str, list[Stored]]]:
    """Each key of the extract, with all that it holds, the newest first."""
    versions: dict[str, list[Stored]] = {}
    markers: dict[str, list[Stored]] = {}
    for prefix in (f"{data.key(path)}.", f"{data.key(path)}/"):
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=data.bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Versions", []):
                if owns(data, path, item["Key"]):
                    versions.setdefault(item["Key"], []).append(_stored(item, item["Size"]))
            for marker in page.get("DeleteMarkers", []):
                if owns(data, path, marker["Key"]):
                    markers.setdefault(marker["Key"], []).append(_stored(marker, None))
    for key in sorted({*versions, *markers}):
        # The order of the versions is S3's own; delete markers go between them.
        both = merge(
            versions.get(key, []),
            markers.get(key, []),
            key=lambda each: (each.is_latest, each.modified),
            reverse=True,
        )
        yield key, list(both)


def _stored(item: Any, size: int | None) -> Stored:
    return Stored(
        item["Key"],
        item["VersionId"],
        item["LastModified"],
        item["IsLatest"],
        size is None,
        size or 0,
    )


def _replaced(history: Sequence[Stored]) -> list[tuple[Stored, datetime]]:
    """The versions that are no longer current, and when something took their place."""
    return [(older, newer.modified) for newer, older in pairwise(history) if not older.is_marker]


def _going(
    s3: S3Client, state: Location, history: Sequence[Stored], rule: Rule
) -> list[tuple[Stored, datetime]]:
    going = [each for each in _replaced(history)[rule.keep :] if each[1] < rule.before]
    if not going:
        return []
    pinned = set(pinned_ids(s3, state, going[0][0].key))
    return [each for each in going if each[0].version_id not in pinned]


def _named(
    s3: S3Client,
    bucket: str,
    history: Sequence[Stored],
    going: Sequence[Stored],
    candidates: Sequence[tuple[Stored, datetime]],
) -> set[tuple[str, str]]:
    """The part versions that some manifest version names which stays."""
    if not candidates:
        return set()
    staying = [each for each in history if not each.is_marker and each not in going]
    manifests = (
        load_manifest(s3, require_version(s3, bucket, each.key, each.version_id))
        for each in staying
    )
    return {(part.key, part.version_id) for each in manifests for part in each.parts}


def _idle(history: Sequence[Stored], gone: set[tuple[str, str]], rule: Rule) -> Iterator[Prunable]:
    """Delete markers below which nothing is left."""
    for each in reversed(history):
        if each.is_marker and each.modified < rule.before:
            yield Prunable(each, "delete marker", each.modified)
        elif each.is_marker or (each.key, each.version_id) not in gone:
            return
