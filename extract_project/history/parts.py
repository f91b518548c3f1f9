"""The manifest object of a split extract: the list of part versions that make up one version.

A rerun writes the same part keys again, as new S3 versions. A manifest names VersionIds, so a
reader of one version of the manifest reads one consistent set, whatever is published meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from extract_project.daemons import DaemonPool
from extract_project.history.receipt import receipt_began_at
from extract_project.history.versions import Version, find_version
from extract_project.layout import PART_NAME, PARTS_MANIFEST, RUN_PARTS
from extract_project.store.protocol import Store

HEADS_AT_ONCE = 16


class Part(BaseModel):
    """One part object: a complete file in the extract's format."""

    model_config = ConfigDict(frozen=True)

    key: str
    version_id: str
    bytes: int
    rows: int
    sha256: str | None = None
    """None if the warehouse wrote it, whose bytes this project has not seen."""
    min: str | None = None
    """The lowest cursor value in it, if the extract is incremental."""
    max: str | None = None


class Watermark(BaseModel):
    """The highest cursor value that was ever published."""

    model_config = ConfigDict(frozen=True)

    column: str
    type: str
    value: str
    """The exact value, in the form of a CSV file."""


class Refresh(BaseModel):
    """A run that replaced everything that was published."""

    model_config = ConfigDict(frozen=True)

    data_sha256: str
    """What it published. Equal refreshes are one, at whatever time."""
    started_at: AwareDatetime


class PartsManifest(BaseModel):
    """The content of `_manifest.json`; its versions are the versions of the extract."""

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
    """The checksum of the parts' checksums, in order, one per line; for parts that the warehouse
    wrote, of its own checksum of the rows."""
    arrow_schema: str
    """The schema, as in the receipt: an Arrow IPC message in base64."""
    format_options: dict[str, Any] | None = None
    """The options of the format, as in the receipt."""
    watermark: Watermark | None = None
    """For an incremental extract. It only ever changes together with this object."""
    refresh: Refresh | None = None
    """The last full refresh that these rows come from."""
    parts: tuple[Part, ...]
    """In the order of the rows; at least one."""

    @property
    def text(self) -> str:
        """As a run publishes it: what is not known is left out."""
        return self.model_dump_json(indent=1, exclude_none=True)


def folder(key: str) -> str:
    """The key up to the name, with the slash."""
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


def unloaded_folder(root: str, manifest_key: str) -> str:
    """The prefix of the parts that a warehouse has written for a manifest, with the slash.

    Below it is a folder for each run, by its receipt. `root` is the prefix of the destination.
    """
    above = f"{root}/" if root else ""
    return f"{above}{RUN_PARTS}/{folder(manifest_key).removeprefix(above)}"


def run_receipt(key: str) -> str | None:
    """The id of the receipt of the run whose warehouse wrote this part; None for other keys."""
    *above, receipt_id, _ = ["", *key.split("/")]
    return receipt_id if RUN_PARTS in above else None


def whole_key(key: str) -> str:
    """The key of the published object: for a part, its manifest; otherwise the key itself."""
    if run_receipt(key) is not None:
        *names, _, _ = key.split("/")
        top = names.index(RUN_PARTS)
        return "/".join((*names[:top], *names[top + 1 :], PARTS_MANIFEST))
    return key if part_number(key) is None else f"{folder(key)}{PARTS_MANIFEST}"


def part_started_at(part: Version) -> datetime | None:
    """When the run of a part object started; None for an object that no run wrote."""
    receipt_id = run_receipt(part.key)
    return part.started_at or (receipt_began_at(receipt_id) if receipt_id else None)


def sha256_of_parts(checksums: Iterable[str]) -> str:
    """One checksum for all parts in their order."""
    return sha256("".join(f"{each}\n" for each in checksums).encode()).hexdigest()


def load_manifest(version: Version) -> PartsManifest:
    """Read a version of a manifest object."""
    fetched = version.store.read(version.key, version.version_id)
    return PartsManifest.model_validate_json(fetched.body)


def list_parts(store: Store, manifest_key: str, root: str) -> Iterator[str]:
    """Keys of the part objects of a manifest, whether it names them or not.

    `root` is the prefix of the destination.
    """
    for prefix in (f"{folder(manifest_key)}part-", unloaded_folder(root, manifest_key)):
        for each in store.list(prefix):
            if whole_key(each.key) == manifest_key:
                yield each.key


def used_numbers(store: Store, manifest_key: str) -> Iterator[int]:
    """All numbers ever used for part objects, including hidden ones."""
    for each in store.history(f"{folder(manifest_key)}part-"):
        number = part_number(each.key)
        if number is not None and whole_key(each.key) == manifest_key:
            yield number


def parts_are_current(store: Store, manifest: PartsManifest) -> bool:
    """Whether the part versions that a manifest names are the current ones of their keys.

    Those that are not may expire.
    """
    found = current_versions(store, (part.key for part in manifest.parts))
    named = [part.version_id for part in manifest.parts]
    return [each and each.version_id for each in found] == named


def current_versions(store: Store, keys: Iterable[str]) -> list[Version | None]:
    """The current version of each key."""
    with DaemonPool(HEADS_AT_ONCE, "head") as pool:
        return list(pool.map(lambda key: find_version(store, key), keys))
