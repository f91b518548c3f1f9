"""The history of a key: its versions and delete markers, with their receipts.

S3 dates a multipart object to the start of its upload, which may be an hour before it became
visible. So a version counts from the time at which its receipt says that it was complete, rounded
to the second like S3's own times.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from heapq import merge

from extract_project.errors import NotPublished
from extract_project.history.receipt import Receipt, receipt_of
from extract_project.history.versions import Version, find_version, list_history
from extract_project.store.folder import Folder
from extract_project.store.protocol import ListedVersion, Store
from extract_project.units import parse_moment

_READERS = 16
_NEWEST = 20
_S3_BEGAN = datetime(2006, 3, 14, tzinfo=UTC)
_CURRENT, _PREVIOUS = "current", "previous"


@dataclass(frozen=True)
class Change:
    """The differences between a version and the one before it; None if unknown."""

    rows: int | None = None
    sql: bool | None = None
    """Whether its SQL is different, ignoring comments and layout."""
    schema: bool | None = None


@dataclass(frozen=True)
class Entry:
    """A version, or a delete marker, which has neither version nor receipt."""

    listed: ListedVersion
    version: Version | None
    receipt: Receipt | None
    change: Change = Change()

    @property
    def at(self) -> datetime:
        """Since when it was current (for a delete marker: since when nothing was); UTC, to the
        second."""
        moments = [self.listed.modified]
        if self.version and self.version.restoration:
            moments.append(self.version.restoration.at)
        elif self.receipt:
            moments.append(self.receipt.finished_at)
        return max(moments).astimezone(UTC).replace(microsecond=0)

    @property
    def bytes(self) -> int:
        """The size of the object, or of all its parts; 0 for a delete marker."""
        if self.receipt:
            return self.receipt.bytes
        return self.version.size if self.version else 0

    @property
    def is_current(self) -> bool:
        return self.listed.is_latest and self.version is not None


@dataclass(frozen=True)
class History:
    """The newest entries of a key, the newest first."""

    entries: tuple[Entry, ...]
    older: int
    """The number of older entries."""

    @property
    def versions(self) -> list[Version]:
        """The entries without delete markers."""
        return [entry.version for entry in self.entries if entry.version]


def read_history(
    store: Store,
    state: Folder,
    key: str,
    *,
    limit: int | None = None,
    until: datetime | None = None,
) -> History:
    """The newest entries of a key, or the newest that S3 dates to `until` or before.

    Hundreds take a second or two: each needs two small requests, and sixteen are read at a time.
    """
    everything = list(list_history(store, key))
    listed = [each for each in everything if until is None or each.modified <= until]
    shown = len(listed) if limit is None else limit
    before_them = [each for each in listed[shown:] if not each.is_deleted]
    wanted = [*listed[:shown], *before_them[:1]]  # one more, to compare the last one with

    def read(each: ListedVersion) -> Entry | None:
        if each.is_deleted:
            return Entry(each, None, None)
        version = find_version(store, key, each.version_id)
        return Entry(each, version, receipt_of(state, version)) if version else None

    with ThreadPoolExecutor(_READERS) as pool:
        found = [entry for entry in pool.map(read, wanted) if entry]
    # The order of the versions is S3's own, whatever clocks say; delete markers go between them.
    place = {each.version_id: -number for number, each in enumerate(everything)}
    in_order = merge(
        [entry for entry in found if entry.version],
        [entry for entry in found if not entry.version],
        key=lambda each: (each.listed.is_latest, each.at, place[each.listed.version_id]),
        reverse=True,
    )
    entries = _compared(list(in_order))[:shown]
    return History(tuple(entries), len(listed) - len(entries))


def change(newer: Receipt | None, older: Receipt | None) -> Change:
    """The differences between two versions, by their receipts."""
    if newer is None or older is None:
        return Change()
    return Change(
        rows=newer.rows - older.rows,
        sql=newer.code_version != older.code_version,
        schema=newer.schema_sha256 != older.schema_sha256,
    )


def as_of(store: Store, state: Folder, key: str, moment: datetime) -> Entry:
    """The version that was current at a time, to the second; raises NotPublished if none was.

    Of several events within that second, the last counts: so the time shown for a version selects
    that version, or a later one of the same second.
    """
    for limit in (_NEWEST, None):
        history = read_history(store, state, key, limit=limit, until=moment)
        # What S3 dates to a moment before may have been published after it.
        found = next((entry for entry in history.entries if entry.at <= moment), None)
        if found or not history.older:
            break
    place, shown = store.uri(key), f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    if found is None:
        raise NotPublished(f"{place} had no version yet at {shown}: see extract versions")
    if found.version is None:
        raise NotPublished(
            f"nothing was current at {shown}: {place} was deleted at "
            f"{found.at:%Y-%m-%d %H:%M:%S} UTC; see extract versions"
        )
    return found


def chosen(store: Store, state: Folder, key: str, word: str) -> Entry:
    """The version that a word names: a VersionId, `current`, `previous`, or a time.

    The beginning of a VersionId is enough if it is unique. `previous` is the version before the
    current one, or before the deletion. Raises NotPublished if there is none.
    """
    if word in (_CURRENT, _PREVIOUS):
        history = read_history(store, state, key, limit=_NEWEST)
        if history.older and len(history.versions) <= 1:
            history = read_history(store, state, key)
        return _current_or_previous(history.entries, word, store.uri(key))
    moment = named_moment(word)
    if moment is None:
        return _named(store, state, key, word)
    return as_of(store, state, key, moment)


def named_moment(word: str) -> datetime | None:
    """The time that a word means, unless it is a VersionId.

    67143d and 67141123 can be read as times, but S3 had no version then: they begin VersionIds.
    """
    try:
        moment = parse_moment(word)
    except ValueError:
        return None
    return moment if _S3_BEGAN <= moment <= datetime.now(UTC) + timedelta(days=1) else None


def _compared(entries: Sequence[Entry]) -> list[Entry]:
    """Each version, with its differences from the version before it."""
    compared: list[Entry] = []
    older: Receipt | None = None
    for entry in reversed(entries):
        if entry.version is None:
            compared.append(entry)
            continue
        compared.append(replace(entry, change=change(entry.receipt, older)))
        older = entry.receipt
    return compared[::-1]


def _current_or_previous(entries: Sequence[Entry], word: str, place: str) -> Entry:
    versions = [entry for entry in entries if entry.version]
    deleted = bool(entries) and entries[0].version is None
    wanted = versions[int(word == _PREVIOUS and not deleted) :]
    if not wanted:
        which = "only one version, and none before it" if versions else "no version"
        raise NotPublished(f"{place} has {which}: see extract versions")
    found = wanted[0]
    if word == _CURRENT and not found.is_current:
        raise NotPublished(f"{place} has no current version, it was deleted: see extract versions")
    return found


def _named(store: Store, state: Folder, key: str, word: str) -> Entry:
    """The entry of a VersionId, or of a unique beginning of one."""
    beginning, place = word.removesuffix("…"), store.uri(key)
    listed = list(list_history(store, key))
    found = [each for each in listed if each.version_id == word] or [
        each for each in listed if beginning and each.version_id.startswith(beginning)
    ]
    if not found:
        raise NotPublished(
            f"{place} has no version {word!r}: expected a VersionId of this key or its beginning, "
            f"'current', 'previous', or a time; list what there is with: extract versions"
        )
    if len(found) > 1:
        some = ", ".join(each.version_id for each in found[:3])
        raise NotPublished(
            f"{len(found)} versions of {place} begin with {word!r}: {some}; say more"
        )
    (only,) = found
    if only.is_deleted:
        raise NotPublished(f"{only.version_id} is a delete marker of {place}, no data")
    version = find_version(store, key, only.version_id)
    return Entry(only, version, receipt_of(state, version) if version else None)
