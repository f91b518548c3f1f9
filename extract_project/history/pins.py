"""Pins: protect versions from removal by `extract prune` and by the bucket's lifecycle rules.

A lifecycle rule cannot spare what carries a tag: it only ever picks by one. What S3 itself keeps
whatever rules say is a version under a legal hold. So a pin is a hold on the version, and on each
part version that it names, with a record of who and why under EXTRACT_STATE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict

from extract_project.history.parts import is_manifest, load_manifest
from extract_project.history.records import folders, record_folder
from extract_project.history.versions import Version, require_version
from extract_project.store.folder import Folder

_AT_A_TIME = 8
_SUFFIX = ".json"


class Pin(BaseModel):
    """A pin: who keeps a version, and why."""

    model_config = ConfigDict(frozen=True)

    by: str
    reason: str
    at: AwareDatetime


def pin(state: Folder, version: Version, by: str, reason: str) -> Pin:
    """Keep a version until it is unpinned; raises BucketError if the bucket has no object lock."""
    version.store.require_holds()
    made = Pin(by=by, reason=reason, at=datetime.now(UTC))
    record = _record(record_folder(state, "pins", version.key), version.version_id)
    # First: whoever unpins another version meanwhile has to see that its parts are wanted.
    body = made.model_dump_json(indent=1).encode()
    state.store.put(record.prefix, body, "application/json")
    try:
        _each(version.store.hold, _held(version))
    except BaseException:
        state.store.hide(record.prefix)
        raise
    return made


def unpin(state: Folder, version: Version) -> None:
    """Unpin a version. Parts that another pinned version names stay protected."""
    # First: a record without a hold would promise what nobody keeps.
    for folder in folders(state, "pins", version.key):
        record = _record(folder, version.version_id)
        state.store.hide(record.prefix)
    own = list(_held(version))
    still = _wanted(state, version)
    _each(version.store.release, [each for each in own if each not in still])
    # Somebody may have pinned another version of the same parts in between.
    since = _wanted(state, version) - still
    _each(version.store.hold, [each for each in own if each in since])


def _wanted(state: Folder, version: Version) -> set[tuple[str, str]]:
    """All object versions that the pinned versions of a key consist of."""
    return {
        part
        for version_id in pinned_ids(state, version.key)
        for part in _held(require_version(version.store, version.key, version_id))
    }


def pinned_ids(state: Folder, key: str) -> list[str]:
    """VersionIds of a key that are pinned."""
    return list(_records(state, key))


def read_pins(state: Folder, key: str) -> Mapping[str, Pin]:
    """The pins of a key, by VersionId."""

    records = _records(state, key)
    return {
        version_id: Pin.model_validate_json(state.store.read(record).body)
        for version_id, record in records.items()
    }


def _records(state: Folder, key: str) -> dict[str, str]:
    """Keys of the records of the pins of a key, by VersionId."""
    found: dict[str, str] = {}
    for folder in folders(state, "pins", key):
        for item in state.store.list(folder.key(""), recursive=False):
            version_id = folder.relative(item.key).removesuffix(_SUFFIX)
            found.setdefault(version_id, item.key)
    return found


def _held(version: Version) -> Iterator[tuple[str, str]]:
    """Keys and VersionIds of all objects that make up a version, itself last."""
    if is_manifest(version.key):
        for part in load_manifest(version).parts:
            yield part.key, part.version_id
    yield version.key, version.version_id


def _each(do: Callable[[str, str], None], held: Iterable[tuple[str, str]]) -> None:
    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="hold") as pool:
        list(pool.map(lambda each: do(*each), held))


def _record(folder: Folder, version_id: str) -> Folder:
    return folder / f"{version_id}{_SUFFIX}"
