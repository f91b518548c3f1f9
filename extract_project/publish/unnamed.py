"""Part objects that no published manifest names: what a run left that did not publish."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from extract_project.errors import StoreError
from extract_project.history.parts import current_versions, list_parts, load_manifest
from extract_project.history.versions import Version, find_version
from extract_project.publish.target import Target
from extract_project.store.protocol import Holds


def hide_unnamed(target: Target, version_id: str) -> None:
    """Delete markers for part keys that a published manifest does not name, while it is current.

    Only for what was written by runs that started before the one that made the manifest: those
    cannot be published any more (G4), whereas a later one may have completed its parts and be
    about to. What fails here is found again by the next run.
    """
    try:
        for orphan in _orphans(target, version_id):
            orphan.store.hide(orphan.key, Holds(orphan.object.token))
    except StoreError as error:
        logging.getLogger(__name__).warning(
            "parts beside %s that it does not name were left there: %s", target.uri, error
        )


def _orphans(target: Target, version_id: str) -> Iterator[Version]:
    """Current part versions that the manifest does not name and never will; none when it is no
    longer the current one.
    """
    lying = set(list_parts(target.store, target.key))
    current = find_version(target.store, target.key)
    if current is None or current.version_id != version_id:
        return
    manifest = load_manifest(current)
    unnamed = sorted(lying - {part.key for part in manifest.parts})
    for found in current_versions(target.store, unnamed):
        if found and found.started_at and found.started_at < manifest.started_at:
            yield found
