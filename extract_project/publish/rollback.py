"""Rollback: make an older version current again, without a rerun.

The bytes are copied within S3, and the last request publishes them only if the key has not changed
meanwhile. The new version carries the provenance of the old one, and records who restored it and
why. It counts as started at the time of the rollback: a run that was already under way cannot
replace it, the next one can (G4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from extract_project.errors import NotPublished, StagingError
from extract_project.history.parts import is_manifest
from extract_project.history.receipt import Receipt, receipt_of
from extract_project.history.versions import Version, find_version, list_history, require_version
from extract_project.publish.rollback_parts import restore_parts
from extract_project.publish.target import Target
from extract_project.store.folder import Folder
from extract_project.store.protocol import (
    NULL_VERSION,
    Absent,
    Holds,
    NotApplied,
    Store,
)


@dataclass(frozen=True)
class Order:
    """The version to restore, and what is recorded with it."""

    version_id: str
    reason: str
    by: str
    run_id: str | None = None
    """The Dagster run that restores it."""


@dataclass(frozen=True)
class Restored:
    """The outcome of a rollback."""

    version: Version
    """The new version."""
    receipt: Receipt
    """The receipt of the older version, whose bytes these are."""
    replaced: Version | None
    """The version that was current before; None if there was none."""


def restore(state: Folder, target: Target, order: Order) -> Restored:
    """Make a version current again.

    Raises NotPublished if it cannot be restored, StagingError if the key has changed meanwhile;
    both leave the current version untouched.
    """
    target.store.require_versioning()
    replaced = find_version(target.store, target.key)
    old = _restorable(target, order.version_id)
    receipt = _whole(receipt_of(state, old), old)
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
    version_id = _publish(target, old, provenance, replaced)
    return Restored(require_version(target.store, target.key, version_id), receipt, replaced)


_RESTORATION = {"restored-at", "restored-from", "restored-by", "reason", "restored-in", "replaced"}


def _restorable(target: Target, version_id: str) -> Version:
    old = find_version(target.store, target.key, version_id)
    if old:
        return old
    listed = list_history(target.store, target.key)
    if any(each.version_id == version_id and each.is_deleted for each in listed):
        raise NotPublished(
            f"{version_id} is a delete marker, which has no content to restore: "
            f"choose the version before it"
        )
    raise NotPublished(
        f"{target.uri} has no version {version_id}: it belongs to another key, or has been "
        f"removed; list versions with: extract versions"
    )


def _whole(receipt: Receipt | None, old: Version) -> Receipt:
    if receipt is None:
        raise NotPublished(
            f"{old.uri} has no receipt: its bytes cannot be compared with what was audited"
        )
    if receipt.parts is None and receipt.bytes != old.size:
        raise NotPublished(
            f"{old.uri} has {old.size:,} bytes, but its receipt says {receipt.bytes:,}: "
            f"it was replaced or damaged, choose another version"
        )
    return receipt


def _require_room(store: Store, provenance: Mapping[str, str]) -> None:
    missing = -store.facts_room(provenance)
    if missing > 0:
        raise StagingError(
            f"the reason is {missing} bytes too long: with it, the object's metadata exceeds the "
            f"store's limit"
        )


def _publish(
    target: Target, old: Version, provenance: Mapping[str, str], replaced: Version | None
) -> str:
    """Copy the old version to the key; returns the id of the new version."""
    _require_room(target.store, provenance)
    condition = Holds(replaced.object.token) if replaced else Absent()
    try:
        if is_manifest(target.key):
            return restore_parts(target, old, provenance, condition)
        return target.store.copy(old.object, provenance, condition).version_id
    except NotApplied as error:
        current = find_version(target.store, target.key)
        if current and current.provenance.get("restored-at") == provenance["restored-at"]:
            # The write succeeded; only the reply was lost.
            return target.store.require_version(current.version_id, target.key)
        raise StagingError(
            f"{target.uri} changed while version {old.version_id} was being restored: nothing "
            f"was restored; see extract versions, and repeat the command if it still applies"
        ) from error
