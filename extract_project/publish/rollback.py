"""Rollback: making an older version current again, without a rerun.

The bytes are copied within S3, and the last request publishes them only if the key still holds
what was seen. The new version carries the provenance of the old one, and says that it was restored,
by whom and why. It counts as started at the moment of the rollback: a run that was under way then
cannot replace it, the next one can (G4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from extract_project.errors import NotPublished, StagingError
from extract_project.history.parts import is_manifest
from extract_project.history.receipt import Receipt, receipt_of
from extract_project.history.versions import Version, find_version, list_history, require_version
from extract_project.publish.copying import copy_version
from extract_project.publish.rollback_parts import restored_parts
from extract_project.publish.upload import NOT_APPLIED, Target
from extract_project.store.s3 import (
    METADATA,
    MOST_METADATA,
    NULL_VERSION,
    Location,
    error_code,
    header_safe,
    metadata_size,
    require_version_id,
    require_versioning,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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
    require_versioning(s3, target.bucket)
    replaced = find_version(s3, target.bucket, target.key)
    old = _restorable(s3, target, order.version_id)
    receipt = _whole(receipt_of(s3, state, old), old)
    is_kept = replaced is not None and replaced.version_id != NULL_VERSION
    if replaced and is_kept and replaced.provenance.get("receipt") == receipt.id:
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
    version_id = _publish(s3, target, old, _metadata(provenance), replaced)
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
    if receipt.parts is None and receipt.bytes != old.size:
        raise NotPublished(
            f"{old.uri} has {old.size:,} bytes and its receipt says {receipt.bytes:,}: "
            f"it was replaced or damaged, choose another version"
        )
    return receipt


def _metadata(provenance: Mapping[str, str]) -> dict[str, str]:
    excess = metadata_size(provenance) - MOST_METADATA
    if excess > 0:
        raise StagingError(
            f"the reason is too long by {excess} bytes: S3 keeps {MOST_METADATA} bytes of metadata"
        )
    return {METADATA.format(name): header_safe(value) for name, value in provenance.items()}


def _publish(
    s3: S3Client,
    target: Target,
    old: Version,
    metadata: Mapping[str, str],
    replaced: Version | None,
) -> str:
    """Make the old version the new one; returns the VersionId of this very write."""
    condition = {"IfMatch": f'"{replaced.etag}"'} if replaced else {"IfNoneMatch": "*"}
    restored = restored_parts if is_manifest(target.key) else copy_version
    try:
        return restored(s3, target, old, metadata, condition)
    except s3.exceptions.ClientError as error:
        if error_code(error) not in NOT_APPLIED:
            raise
        current = find_version(s3, target.bucket, target.key)
        at = METADATA.format("restored-at")
        if current and current.provenance.get("restored-at") == metadata[at]:
            # It went through, and only the reply was lost.
            return require_version_id(current.version_id, target.bucket, target.key)
        raise StagingError(
            f"{target.uri} changed while version {old.version_id} was being restored: nothing "
            f"was restored; look at extract versions, and say it again if it still applies"
        ) from error
