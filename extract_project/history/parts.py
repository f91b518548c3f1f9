"""The manifest object of an extract that is published in parts: which part versions make one whole.

A rerun writes the same part keys again, as new S3 versions. A manifest names VersionIds, so whoever
reads through one version of the manifest reads one consistent set, whatever is published meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256

from pydantic import AwareDatetime, BaseModel, ConfigDict

from extract_project.daemons import DaemonPool
from extract_project.history.versions import Version, find_version
from extract_project.layout import PART_NAME, PARTS_MANIFEST
from extract_project.store.protocol import Store

HEADS_AT_ONCE = 16


class Part(BaseModel):
    """One part object: a complete file in the extract's format."""

    model_config = ConfigDict(frozen=True)

    key: str
    version_id: str
    bytes: int
    rows: int
    sha256: str
    min: str | None = None
    """The lowest cursor value in it, where the extract is incremental."""
    max: str | None = None


class Watermark(BaseModel):
    """The highest cursor value that was ever published."""

    model_config = ConfigDict(frozen=True)

    column: str
    type: str
    value: str
    """Exact, as a CSV file has it."""


class PartsManifest(BaseModel):
    """What `_manifest.json` says; its versions are the versions of the extract."""

    model_config = ConfigDict(frozen=True)

    extract: str
    partition: str | None = None
    run_id: str
    receipt: str
    sql_key: str
    sql_version: str | None = None
    query_id: str | None = None
    code_version: str
    started_at: AwareDatetime
    rows: int
    bytes: int
    data_sha256: str
    """Of the checksums of the parts, in order, one a line."""
    arrow_schema: str
    """As in the receipt: an Arrow IPC message in base64."""
    watermark: Watermark | None = None
    """Where the extract is incremental; it moves with this object and never without it."""
    parts: tuple[Part, ...]
    """In the order of the rows; never none."""


def folder(key: str) -> str:
    """What stands before the name, with the slash."""
    return key.removesuffix(key.rpartition("/")[2])


def is_manifest(key: str) -> bool:
    """Whether a published key is that of a manifest object."""
    return key.rpartition("/")[2] == PARTS_MANIFEST


def part_key(manifest_key: str, number: int, extension: str) -> str:
    """Key of the part object with that number, beside its manifest."""
    return f"{folder(manifest_key)}part-{number:05d}{extension}"


def part_number(key: str) -> int | None:
    """The number of a part object; None for any other key."""
    found = PART_NAME.fullmatch(key.rpartition("/")[2])
    return int(found.group(1)) if found else None


def whole_key(key: str) -> str:
    """The key that an object is published under: a part object's manifest, or itself."""
    return key if part_number(key) is None else f"{folder(key)}{PARTS_MANIFEST}"


def sha256_of_parts(checksums: Iterable[str]) -> str:
    """One checksum for all parts in their order."""
    return sha256("".join(f"{each}\n" for each in checksums).encode()).hexdigest()


def load_manifest(version: Version) -> PartsManifest:
    """What a version of a manifest object says."""
    fetched = version.store.read(version.key, version.version_id)
    return PartsManifest.model_validate_json(fetched.body)


def list_parts(store: Store, manifest_key: str) -> Iterator[str]:
    """Keys of the part objects that lie beside a manifest, named by it or not."""
    for each in store.list(f"{folder(manifest_key)}part-"):
        if whole_key(each.key) == manifest_key:
            yield each.key


def used_numbers(store: Store, manifest_key: str) -> Iterator[int]:
    """Numbers of part objects that there are or were, hidden ones too."""
    for each in store.history(f"{folder(manifest_key)}part-"):
        number = part_number(each.key)
        if number is not None and whole_key(each.key) == manifest_key:
            yield number


def current_versions(store: Store, keys: Iterable[str]) -> list[Version | None]:
    """What each key holds now."""
    with DaemonPool(HEADS_AT_ONCE, "head") as pool:
        return list(pool.map(lambda key: find_version(store, key), keys))
