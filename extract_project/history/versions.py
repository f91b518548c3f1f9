"""The published versions of a key: S3's own history, with each version's provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from extract_project.errors import NotPublished
from extract_project.formats.registry import EXTENSIONS, named_format
from extract_project.layout import PARTS_MANIFEST
from extract_project.store.folder import Folder
from extract_project.store.protocol import ListedVersion, ObjectVersion, Store

if TYPE_CHECKING:
    from extract_project.manifest.extract import Extract


@dataclass(frozen=True)
class Version:
    """One version of a published key."""

    store: Store = field(repr=False)
    """The store that has it."""
    object: ObjectVersion

    @property
    def key(self) -> str:
        return self.object.key

    @property
    def version_id(self) -> str:
        return self.object.version_id

    @property
    def size(self) -> int:
        return self.object.size

    @property
    def modified(self) -> datetime:
        return self.object.modified

    @property
    def provenance(self) -> Mapping[str, str]:
        """The object's own metadata about its origin: `run-id`, `sql-key`, `receipt`, …"""
        return self.object.facts

    @property
    def uri(self) -> str:
        return f"{self.store.uri(self.key)}?versionId={self.version_id}"

    @property
    def started_at(self) -> datetime | None:
        """When its run started; None for an object that this project did not write."""
        text = self.provenance.get("started-at")
        return datetime.fromisoformat(text) if text else None

    @property
    def restoration(self) -> Restoration | None:
        """The rollback that made it; None for the result of a run."""
        known = self.provenance
        if "restored-from" not in known:
            return None
        return Restoration(
            restored_from=known["restored-from"],
            replaced=known.get("replaced"),
            by=known["restored-by"],
            reason=known["reason"],
            at=datetime.fromisoformat(known["restored-at"]),
            run_id=known.get("restored-in"),
        )


@dataclass(frozen=True)
class Restoration:
    """A rollback: the older version that was made current again, by whom, and why."""

    restored_from: str
    """VersionId of the version whose bytes these are."""
    replaced: str | None
    """VersionId of the version that was current before; None if there was none."""
    by: str
    reason: str
    at: datetime
    run_id: str | None
    """The Dagster run that did it; None if it was done without Dagster."""


def find_version(store: Store, key: str, version_id: str | None = None) -> Version | None:
    """The given version, or the current one; None if there is none."""
    found = store.find(key, version_id)
    return Version(store, found) if found else None


def require_version(store: Store, key: str, version_id: str | None = None) -> Version:
    """Like `find_version`, but raises NotPublished if there is none."""
    version = find_version(store, key, version_id)
    if version is None:
        which = f"version {version_id}" if version_id else "a current version"
        raise NotPublished(
            f"{store.uri(key)} does not have {which}: materialize the extract first, "
            f"or list what there is with: extract versions"
        )
    return version


def list_history(store: Store, key: str) -> Iterator[ListedVersion]:
    """Every version and delete marker of a key, the newest first, without metadata."""
    for each in store.history(key):
        if each.key == key:
            yield each
        elif each.key > key:
            return  # keys that begin with this one come after it


def list_versions(store: Store, key: str) -> Iterator[Version]:
    """Every version of a key, the newest first, without delete markers."""
    for listed in list_history(store, key):
        version = None if listed.is_deleted else find_version(store, key, listed.version_id)
        if version is not None:
            yield version


def published_key(data: Folder, path: str, partition: str | None = None) -> str:
    """The key of an extract's object, for readers who do not have its SQL file.

    If its format or `split` has changed, there are several keys: this is the one published last, of
    those that still exist. If its header has a `path`, `path` is the whole path of the object, or
    of the folder of parts. Raises NotPublished if there never was one.
    """
    folder, name = data.key(path), path.rpartition("/")[2]
    if partition is None and named_format(path) and next(list_history(data.store, folder), None):
        return folder
    if partition:
        folder = f"{folder}/partition={partition}"
    file = f"{folder}/{name}" if partition else folder
    keys = {f"{file}{extension}" for extension in EXTENSIONS} | {f"{folder}/{PARTS_MANIFEST}"}
    newest: dict[str, tuple[bool, datetime]] = {}
    for prefix in (f"{file}.", f"{folder}/{PARTS_MANIFEST}"):
        for each in data.store.history(prefix):
            if each.key in keys and each.is_latest:
                newest[each.key] = (not each.is_deleted, each.modified)
    if not newest:
        raise NotPublished(
            f"{data.store.uri(folder)} has never been published in any format: "
            f"expected the extract's path, and the partition where it has any"
        )
    return max(newest, key=lambda key: newest[key])


def published_partitions(data: Folder, extract: Extract) -> list[str]:
    """Keys of the partitions that have a current version, in order."""
    naming = extract.naming
    paths = (data.relative(each.key) for each in data.store.list(data.key(naming.prefix)))
    partitions = (naming.partition_of(path) for path in paths)
    return sorted(each for each in partitions if each is not None)
