"""Rollback of an extract in parts: its parts become current again, and a manifest that names them.

An older manifest names part versions that have been written over since. To make that manifest
current as it stands would do for now, but old versions expire.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from extract_project.errors import NotPublished
from extract_project.history.parts import Part, current_versions, load_manifest
from extract_project.history.versions import Version, find_version
from extract_project.publish.copying import copy_version
from extract_project.publish.unnamed import hide_unnamed
from extract_project.publish.upload import Target
from extract_project.store.s3 import METADATA, require_version_id

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_AT_A_TIME = 8


def restored_parts(
    s3: S3Client,
    target: Target,
    old: Version,
    metadata: Mapping[str, str],
    condition: Mapping[str, str],
) -> str:
    """Copy what is no longer current, and publish a manifest that names the copies.

    As `copy_version`; raises NotPublished when a part is gone.
    """
    manifest = load_manifest(s3, old)
    current = current_versions(s3, target.bucket, (part.key for part in manifest.parts))

    def restored(part: Part, now: Version | None) -> Part:
        if now and now.version_id == part.version_id:
            return part
        version = _require(s3, old, part)
        beside = replace(target, key=part.key)
        return part.model_copy(
            update={"version_id": copy_version(s3, beside, version, metadata, {})}
        )

    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="restore") as pool:
        parts = tuple(pool.map(restored, manifest.parts, current))
    started_at = datetime.fromisoformat(metadata[METADATA.format("started-at")])
    body = manifest.model_copy(update={"parts": parts, "started_at": started_at})
    reply = s3.put_object(
        Bucket=target.bucket,
        Key=target.key,
        Body=body.model_dump_json(indent=1).encode(),
        ContentType=old.content_type,
        Metadata=metadata,
        **condition,  # type: ignore[arg-type]
    )
    version_id = require_version_id(reply.get("VersionId"), target.bucket, target.key)
    hide_unnamed(s3, target, version_id)
    return version_id


def _require(s3: S3Client, old: Version, part: Part) -> Version:
    version = find_version(s3, old.bucket, part.key, part.version_id)
    if version is None or version.size != part.bytes:
        state = "is gone" if version is None else f"has {version.size:,} bytes, not {part.bytes:,}"
        raise NotPublished(
            f"part s3://{old.bucket}/{part.key} version {part.version_id} of {old.uri} {state}: "
            f"choose another version"
        )
    return version
