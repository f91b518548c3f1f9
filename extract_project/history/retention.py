"""Retention: find old versions that may be removed, and remove them.

The rule is that of an S3 lifecycle: a version is removed once enough newer ones have been replaced
too, and it was itself replaced long enough ago. In addition, pinned versions stay; part versions
stay as long as a remaining version of their manifest names them; and a delete marker is removed
once it hides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Literal, get_args

from extract_project.errors import BucketError, Cause, StoreRefused
from extract_project.formats.registry import EXTENSIONS
from extract_project.history.parts import load_manifest, run_receipt, whole_key
from extract_project.history.pins import pinned_ids
from extract_project.history.versions import require_version
from extract_project.layout import PARTS_MANIFEST, RUN_PARTS
from extract_project.manifest.extract import Extract
from extract_project.store.folder import Folder, Location
from extract_project.store.protocol import ListedVersion, Store

_AT_ONCE = 1000

Kind = Literal["version", "part", "delete marker"]


@dataclass(frozen=True)
class Rule:
    """The rule: keep the newest `keep` replaced versions, and all that were replaced since
    `before`."""

    keep: int
    before: datetime


@dataclass(frozen=True)
class Prunable:
    """An object version that may be removed, and when it was replaced."""

    stored: ListedVersion
    kind: Kind
    replaced_at: datetime


def owns(data: Location, path: str, key: str, extract: Extract | None = None) -> bool:
    """Whether a key belongs to the extract: its object, its partitions' objects, or their parts.

    `extract` is the one of that path, if there is a SQL file: its header may have a `path`.
    """
    if run_receipt(key) is not None:
        return owns(data, path, whole_key(key), extract)
    if extract and extract.header.path and _has_path(extract, data.relative(whole_key(key))):
        return True
    name = path.rpartition("/")[2]
    extension = "|".join(re.escape(each) for each in EXTENSIONS)
    beside = rf"{re.escape(PARTS_MANIFEST)}|part-[0-9]{{5,}}({extension})"
    partition = rf"/partition=[^/]+/({re.escape(name)}({extension})|{beside})"
    pattern = rf"{re.escape(data.key(path))}(({extension})|/({beside})|{partition})"
    return re.fullmatch(pattern, key) is not None


def _has_path(extract: Extract, path: str) -> bool:
    naming = extract.naming
    return (
        naming.partition_of(path) is not None if naming.has_partition else naming.at(None) == path
    )


def key_prefixes(data: Location, path: str, extract: Extract | None = None) -> list[str]:
    """Return the prefixes of all keys that may belong to the extract; no prefix begins another."""
    paths = [f"{path}.", f"{path}/", f"{RUN_PARTS}/{path}/"]
    if extract and extract.header.path:
        own = extract.naming.prefix.removesuffix(PARTS_MANIFEST)
        paths += [own, f"{RUN_PARTS}/{own}"]
    shortest = (
        each
        for each in paths
        if not any(each != other and each.startswith(other) for other in paths)
    )
    return [data.key(each) for each in dict.fromkeys(shortest)]


def find_prunable(
    state: Folder, data: Folder, path: str, rule: Rule, extract: Extract | None = None
) -> list[Prunable]:
    """The versions of one extract that the rule does not keep, in the order of removal.

    `extract` is as for `owns`.
    """
    histories = dict(_histories(data, path, extract))
    versions, parts = [], []
    for key in sorted({whole_key(key) for key in histories}):
        going = _going(state, histories.get(key, ()), rule)
        versions += [Prunable(each, "version", at) for each, at in going]
        beside = [
            each
            for other in histories
            if other != key and whole_key(other) == key
            for each in _replaced(histories[other])
            if each[1] < rule.before
        ]
        named = _named(data.store, histories.get(key, ()), [each for each, _ in going], beside)
        parts += [
            Prunable(each, "part", at)
            for each, at in beside
            if (each.key, each.version_id) not in named
        ]
    gone = {(each.stored.key, each.stored.version_id) for each in (*versions, *parts)}
    markers = [each for history in histories.values() for each in _idle(history, gone, rule)]
    # A manifest goes before its parts: one that is left must find all of them.
    return [*versions, *parts, *markers]


def remove(store: Store, prunable: Sequence[Prunable]) -> None:
    """Remove them permanently; raises BucketError if S3 refuses.

    They are removed kind by kind, because a request may succeed partly: if a version cannot be
    removed, its parts stay, and so does the delete marker that hides it.
    """
    for kind in get_args(Kind):
        stored = [each.stored for each in prunable if each.kind == kind]
        for start in range(0, len(stored), _AT_ONCE):
            _delete(store, stored[start : start + _AT_ONCE])


def _delete(store: Store, listed: Sequence[ListedVersion]) -> None:
    try:
        left = list(store.remove((each.key, each.version_id) for each in listed))
    except StoreRefused as error:
        is_denied = error.cause is Cause.PERMISSION
        raise _refused(store.name, error.code, str(error), is_denied=is_denied) from error
    for each in left:
        where = f"{each.key} version {each.version_id}"
        if each.kept_by:
            raise BucketError(
                f"bucket {store.name!r} did not let you remove {where}: {each.kept_by}"
            )
        told = f"{where}: {each.reason}"
        raise _refused(store.name, each.code, told, is_denied=each.is_denied)


def _refused(bucket: str, code: str, told: str, *, is_denied: bool) -> BucketError:
    if not is_denied:
        return BucketError(f"bucket {bucket!r} did not remove everything ({code}): {told}")
    return BucketError(
        f"bucket {bucket!r} did not let you remove versions ({told}): it takes "
        f"s3:DeleteObjectVersion, which the stack gives to nobody and denies to everybody. "
        f"An administrator may take the statement HistoryStays out "
        f"of the bucket's policy for as long as it takes; the lifecycle rule old-versions "
        f"(NoncurrentDays, NoncurrentVersions) goes on by itself, and is enough for most"
    )


def _histories(
    data: Folder, path: str, extract: Extract | None
) -> Iterator[tuple[str, list[ListedVersion]]]:
    """Each key of the extract, with its versions and delete markers, the newest first."""
    histories: dict[str, list[ListedVersion]] = {}
    for prefix in key_prefixes(data, path, extract):
        for each in data.store.history(prefix):
            if owns(data, path, each.key, extract):
                histories.setdefault(each.key, []).append(each)
    yield from sorted(histories.items())


def _replaced(history: Sequence[ListedVersion]) -> list[tuple[ListedVersion, datetime]]:
    """The versions that are no longer current, and when they were replaced."""
    return [(older, newer.modified) for newer, older in pairwise(history) if not older.is_deleted]


def _going(
    state: Folder, history: Sequence[ListedVersion], rule: Rule
) -> list[tuple[ListedVersion, datetime]]:
    going = [each for each in _replaced(history)[rule.keep :] if each[1] < rule.before]
    if not going:
        return []
    pinned = set(pinned_ids(state, going[0][0].key))
    return [each for each in going if each[0].version_id not in pinned]


def _named(
    store: Store,
    history: Sequence[ListedVersion],
    going: Sequence[ListedVersion],
    candidates: Sequence[tuple[ListedVersion, datetime]],
) -> set[tuple[str, str]]:
    """The part versions named by a manifest version that stays."""
    if not candidates:
        return set()
    staying = [each for each in history if not each.is_deleted and each not in going]
    manifests = (
        load_manifest(require_version(store, each.key, each.version_id)) for each in staying
    )
    return {(part.key, part.version_id) for each in manifests for part in each.parts}


def _idle(
    history: Sequence[ListedVersion], gone: set[tuple[str, str]], rule: Rule
) -> Iterator[Prunable]:
    """Delete markers that hide nothing any more."""
    for each in reversed(history):
        if each.is_deleted and each.modified < rule.before:
            yield Prunable(each, "delete marker", each.modified)
        elif each.is_deleted or (each.key, each.version_id) not in gone:
            return
