"""What a code location's definitions follow from, and how that has changed since they were made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from extract_project.manifest.elsewhere import Elsewhere
from extract_project.manifest.header.model import Header
from extract_project.manifest.others import OtherManifest, found_elsewhere, read_others
from extract_project.manifest.snapshot import Snapshot
from extract_project.store.stores import Folders
from extract_project.wording import some

_SHOWN = 10

Files = Mapping[str, str]
"""Key and ETag of every file of a manifest."""


@dataclass(frozen=True)
class Loadable:
    """A manifest, and what it depends on in others."""

    files: Files
    elsewhere: tuple[Elsewhere, ...]

    def changes(self, after: Loadable) -> str:
        """`1 added (sales/new.sql), s3://acme-sql/hr changed (hr/people)`."""
        found = [_difference(self.files, after.files), *_changes(self.elsewhere, after.elsewhere)]
        return ", ".join(filter(None, found))


class Others:
    """What a snapshot's extracts depend on in other manifests, as it is at each look."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._read: tuple[OtherManifest, ...] = ()
        self._found: tuple[Elsewhere, ...] = ()

    def look(self, folders: Folders) -> tuple[Elsewhere, ...]:
        """Ask for the newest snapshot of each manifest; only another one is read."""
        read = read_others(folders, self._read)
        if read != self._read:
            own = self._snapshot.manifest
            self._read, self._found = read, found_elsewhere(self._snapshot.upstream, read, own)
        return self._found


def _difference(before: Files, after: Files) -> str:
    """`1 added (sales/new.sql), 2 removed (…)`, for the sensor's ticks."""
    kinds = {
        "added": [key for key in after if key not in before],
        "changed": [key for key in after if key in before and after[key] != before[key]],
        "removed": [key for key in before if key not in after],
    }
    return ", ".join(
        f"{len(keys)} {kind} ({', '.join(keys[:_SHOWN])}{', …' if len(keys) > _SHOWN else ''})"
        for kind, keys in kinds.items()
        if keys
    )


def _changes(before: Sequence[Elsewhere], after: Sequence[Elsewhere]) -> Iterator[str]:
    """How what is depended on in other manifests has changed."""
    old, new = ({each.manifest: _by_path(each) for each in both} for both in (before, after))
    for manifest in sorted(old.keys() | new.keys()):
        then, now = old.get(manifest, {}), new.get(manifest, {})
        paths = {
            path
            for path in then.keys() | now
            if (path in then, then.get(path)) != (path in now, now.get(path))
        }
        if paths:
            yield f"{manifest} changed ({some(sorted(paths), _SHOWN)})"


def _by_path(elsewhere: Elsewhere) -> dict[str, Header | None]:
    """The header of each extract; None if its file is invalid."""
    invalid = dict[str, Header | None].fromkeys(elsewhere.invalid)
    return invalid | {each.path: each.header for each in elsewhere.extracts}
