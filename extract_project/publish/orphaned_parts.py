"""Hide part objects that no published manifest names, left by runs that did not publish."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

from extract_project.daemons import DaemonPool
from extract_project.errors import BucketError, StoreError
from extract_project.history.parts import (
    current_versions,
    list_parts,
    load_manifest,
    part_started_at,
)
from extract_project.history.versions import Version, find_version
from extract_project.publish.target import ABANDONED_AFTER, Target
from extract_project.store.protocol import Holds

_AT_A_TIME = 8


def hide_orphaned_parts(target: Target, version_id: str) -> None:
    """Set delete markers on part keys that the published manifest does not name, while it is
    current.

    Only parts of runs that cannot publish any more are hidden: they started before the manifest's
    run (G4), or so long ago that none of them is left, although the result has been the same ever
    since. A later run may be about to publish. The next run retries what fails here.
    """
    try:
        # A version that a warehouse has written may have hundreds of parts.
        with DaemonPool(_AT_A_TIME, "hide") as pool:
            list(pool.map(_hide, _orphans(target, version_id)))
    except (BucketError, StoreError) as error:
        logging.getLogger(__name__).warning(
            "parts that %s does not name could not be hidden: %s", target.uri, error
        )


def _hide(orphan: Version) -> None:
    orphan.store.hide(orphan.key, Holds(orphan.object.token))


def _orphans(target: Target, version_id: str) -> Iterator[Version]:
    """Current part versions that the manifest does not name; none if it is no longer current."""
    lying = set(list_parts(target.store, target.key, target.root))
    current = find_version(target.store, target.key)
    if current is None or current.version_id != version_id:
        return
    manifest = load_manifest(current)
    dead = max(manifest.started_at, datetime.now(UTC) - ABANDONED_AFTER)
    unnamed = sorted(lying - {part.key for part in manifest.parts})
    for found in current_versions(target.store, unnamed):
        started_at = part_started_at(found) if found else None
        if found and started_at and started_at < dead:
            yield found
