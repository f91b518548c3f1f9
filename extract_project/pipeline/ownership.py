"""Whether the object that a run replaces belongs to its extract.

Collisions of `path` are found while the manifest is read, among valid files. A file that becomes
invalid no longer takes part, and another one with the same `path` would replace what readers have
of it.
"""

from __future__ import annotations

from extract_project.errors import ManifestError
from extract_project.history.versions import Version
from extract_project.manifest.extract import Extract
from extract_project.store.folder import Folder


def require_own(manifest: Folder, extract: Extract, current: Version | None, uri: str) -> None:
    """Raise ManifestError if another SQL file published the current version, and still exists.

    A file that was renamed or removed has no claim. The manifest is asked only if the current
    version names another file.
    """
    key = current.provenance.get("sql-key", "") if current else ""
    if key in ("", extract.source.key) or not key.startswith(manifest.key("")):
        return
    if manifest.store.find(key) is not None:
        raise ManifestError(
            f"{manifest.store.uri(key)} published the current version of {uri}, and may do so "
            f"again: expected one SQL file for each object; change the 'path' of one of them, or "
            f"remove {manifest.store.uri(key)}"
        )
