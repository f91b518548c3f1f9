"""Answer what is loaded (`deployment/loaded.py`), in the code server."""

from __future__ import annotations

from collections.abc import Mapping

from extract_project.deployment.loaded import Loaded, Question
from extract_project.manifest.names import is_meant
from extract_project.manifest.snapshot import Snapshot
from extract_project.orchestration.load.loading import RefusedManifest
from extract_project.store.folder import Location


def answer(
    question: Question,
    manifest: Location,
    snapshot: Snapshot,
    listed: Mapping[str, str],
    refused: RefusedManifest | None,
) -> Loaded:
    """The answer, from the loaded snapshot and the bucket's listing: keys and their ETags."""
    before = snapshot.files

    def wanted(path: str) -> bool:
        return is_meant(path, question.extracts)

    return Loaded(
        versions={e.path: e.source.version_id for e in snapshot.extracts if wanted(e.path)},
        invalid={e.path: tuple(e.reasons) for e in snapshot.invalid if wanted(e.path)},
        newer=tuple(
            manifest.relative(key)
            for key in sorted({*before, *listed})
            if before.get(key) != listed.get(key)
        ),
        refused=refused.reason if refused and refused.files == listed else "",
    )
