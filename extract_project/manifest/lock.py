"""The lock file of a folder: the versions in the bucket that it was last pulled or pushed as.

`.extract-lock.json` lies in the folder that is the manifest's root. It belongs to one working copy,
so it is not committed. A version that is not in it was written by somebody else since.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from extract_project.errors import ManifestError

NAME = ".extract-lock.json"


class Seen(BaseModel):
    """The version of a file that this folder has seen in the bucket."""

    model_config = ConfigDict(frozen=True)

    version_id: str | None
    token: str
    sha256: str


class Lock(BaseModel):
    """The versions that a folder has seen, by the manifest's URI and the file's name."""

    manifests: dict[str, dict[str, Seen]] = {}

    def of(self, manifest: str) -> Mapping[str, Seen]:
        """The versions that the folder has seen in one manifest."""
        return self.manifests.get(manifest, {})

    def updated(self, manifest: str, seen: Mapping[str, Seen | None]) -> Lock:
        """With newer versions of files; None for one that is gone."""
        merged: dict[str, Seen | None] = {**self.of(manifest), **seen}
        known = {name: merged[name] for name in sorted(merged)}
        kept = {name: each for name, each in known.items() if each is not None}
        return Lock(manifests={**self.manifests, manifest: kept})


def read_lock(root: Path) -> Lock:
    """The lock of a folder; empty if there is none. Raises ManifestError if it cannot be read."""
    file = root / NAME
    try:
        return Lock.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return Lock()
    except ValidationError:
        raise ManifestError(
            f"{file} is not a lock file of this release: remove it, then compare with the bucket: "
            f"extract plan --diff"
        ) from None


def write_lock(root: Path, lock: Lock) -> None:
    """Replace the lock of a folder."""
    file, draft = root / NAME, root / f"{NAME}.{os.getpid()}"
    draft.write_text(lock.model_dump_json(indent=1) + "\n")
    draft.replace(file)
