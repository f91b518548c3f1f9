"""Rollback of a split extract: restore its parts, and publish a manifest that names them.

An older manifest names part versions that have since been replaced. Publishing that manifest
unchanged would work until those part versions expire.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from extract_project.daemons import DaemonPool
from extract_project.errors import NotPublished
from extract_project.history.parts import Part, current_versions, load_manifest
from extract_project.history.versions import Version, find_version
from extract_project.publish.orphaned_parts import hide_orphaned_parts
from extract_project.publish.target import Target
from extract_project.store.protocol import Condition

_AT_A_TIME = 8


def restore_parts(
    target: Target, old: Version, provenance: Mapping[str, str], condition: Condition
) -> str:
    """Copy the parts that are no longer current, and publish a manifest that names the copies.

    Raises NotApplied if the condition does not hold, NotPublished if a part is gone.
    """
    manifest = load_manifest(old)
    current = current_versions(target.store, (part.key for part in manifest.parts))

    def restored(part: Part, now: Version | None) -> Part:
        if now and now.version_id == part.version_id:
            return part
        version = _require(old, part)
        written = target.store.copy(version.object, provenance, None)
        return part.model_copy(update={"version_id": written.version_id})

    with DaemonPool(_AT_A_TIME, "restore") as pool:
        parts = tuple(pool.map(restored, manifest.parts, current))
    started_at = datetime.fromisoformat(provenance["started-at"])
    body = manifest.model_copy(update={"parts": parts, "started_at": started_at})
    written = target.store.put(
        target.key,
        body.model_dump_json(indent=1).encode(),
        old.object.content_type,
        facts=provenance,
        condition=condition,
    )
    version_id = target.store.require_version(written.version_id, target.key)
    hide_orphaned_parts(target, version_id)
    return version_id


def _require(old: Version, part: Part) -> Version:
    version = find_version(old.store, part.key, part.version_id)
    if version is None or version.size != part.bytes:
        state = "is gone" if version is None else f"has {version.size:,} bytes, not {part.bytes:,}"
        raise NotPublished(
            f"part {old.store.uri(part.key)} version {part.version_id} of {old.uri} {state}: "
            f"choose another version"
        )
    return version
