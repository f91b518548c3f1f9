"""The catalogue's facts from the bucket: the newest versions, and their receipts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from extract_project.catalog.model import CatalogColumn, CatalogVersion, Published
from extract_project.history.history import Entry, read_history
from extract_project.history.receipt import Receipt
from extract_project.history.versions import published_partitions
from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.path import ANY
from extract_project.store.folder import Folder
from extract_project.store.protocol import ListedObject

_VERSIONS = 5
_PARTITIONS = 5
_READERS = 16


@dataclass(frozen=True)
class Listing:
    """The current objects of the data folder, by key."""

    objects: Sequence[ListedObject]

    @classmethod
    def of(cls, data: Folder, extracts: Iterable[Extract]) -> Listing:
        """List the folders that these extracts are published in, and no others."""
        tops = sorted({top for each in extracts if (top := _top(each)) is not None})
        found = {each.key: each for each in data.store.list(data.key(""), recursive=False)}
        for top in tops:
            found |= {each.key: each for each in data.store.list(data.key(top))}
        return cls(sorted(found.values(), key=_key))

    def find(self, prefix: str) -> list[ListedObject]:
        """The objects whose keys begin so, in order."""
        found = []
        for index in range(bisect_left(self.objects, prefix, key=_key), len(self.objects)):
            listed = self.objects[index]
            if not listed.key.startswith(prefix):
                break
            found.append(listed)
        return found


def is_unchanged(data: Folder, extract: Extract, known: Published | None, listing: Listing) -> bool:
    """Whether the bucket has not changed since the catalogue's entry for an extract was made."""
    versions = known.versions if known else ()
    if extract.header.partitions is None:
        key = data.key(extract.published_path())
        return _same(versions[:1], [each for each in listing.find(key) if each.key == key])
    naming = extract.naming
    by_partition = {
        naming.partition_of(data.relative(each.key)): each
        for each in listing.find(data.key(naming.prefix))
    }
    by_partition.pop(None, None)
    partitions = [by_partition[key] for key in sorted(filter(None, by_partition))]
    count = known.partitions if known else 0
    return count == len(partitions) and _same(versions, partitions[: -_PARTITIONS - 1 : -1])


def is_where_expected(data: Folder, extract: Extract, known: Published | None) -> bool:
    """Whether what is known is of the key that the extract has now: it may have another format."""
    if known is None:
        return True
    newest = known.versions[0]
    return newest.key == data.key(extract.published_path(newest.partition))


def read_published(
    data: Folder, state: Folder, extracts: Collection[Extract]
) -> dict[str, Published]:
    """The published objects of the given extracts, by path; extracts without any are missing."""
    with ThreadPoolExecutor(_READERS) as pool:
        found = pool.map(lambda each: _published(data, state, each), extracts)
        pairs = zip(extracts, found, strict=True)
        return {extract.path: published for extract, published in pairs if published}


def _key(listed: ListedObject) -> str:
    return listed.key


def _top(extract: Extract) -> str | None:
    """The beginning of what has to be listed for an extract; None for one beside the folders."""
    naming = extract.naming
    first, slash, _ = naming.prefix.partition("/")
    if slash:
        return f"{first}/"
    return first if "/" in naming.at(ANY) else None


def _same(versions: Sequence[CatalogVersion], listed: Sequence[ListedObject]) -> bool:
    known = [(each.key, each.token, each.modified) for each in versions]
    return known == [(each.key, each.token, each.modified) for each in listed]


def _published(data: Folder, state: Folder, extract: Extract) -> Published | None:
    partitions: list[str] | None = None
    versions: list[tuple[str | None, Entry]] = []
    if extract.header.partitions is None:
        key = data.key(extract.published_path())
        entries = read_history(data.store, state, key, limit=_VERSIONS).entries
        if not entries or not entries[0].is_current:
            return None
        versions += [(None, entry) for entry in entries if entry.version]
    else:
        partitions = published_partitions(data, extract)
        for partition in partitions[: -_PARTITIONS - 1 : -1]:
            key = data.key(extract.published_path(partition))
            entries = read_history(data.store, state, key, limit=1).entries
            versions += [(partition, entry) for entry in entries if entry.is_current]
    if not versions:
        return None
    receipt = versions[0][1].receipt
    return Published(
        versions=tuple(_version(partition, entry) for partition, entry in versions),
        columns=_columns(receipt) if receipt else (),
        partitions=None if partitions is None else len(partitions),
        code_version=receipt.code_version if receipt else None,
        format_options=receipt.format_options if receipt else None,
    )


def _version(partition: str | None, entry: Entry) -> CatalogVersion:
    version, receipt = entry.version, entry.receipt
    assert version is not None  # the caller leaves out delete markers
    return CatalogVersion(
        key=version.key,
        version_id=version.version_id,
        partition=partition,
        published_at=entry.at,
        token=version.object.token,
        modified=version.modified,
        bytes=entry.bytes,
        rows=receipt.rows if receipt else None,
        rows_change=entry.change.rows,
        sql_changed=entry.change.sql,
        schema_changed=entry.change.schema,
        restored=version.restoration is not None,
        run_id=version.provenance.get("run-id"),
    )


def _columns(receipt: Receipt) -> tuple[CatalogColumn, ...]:
    rows = receipt.rows_staged
    return tuple(
        CatalogColumn(
            name=each.name,
            type=each.type,
            nulls=each.nulls,
            null_share=each.nulls / rows if rows else 0.0,
            lowest=each.lowest,
            highest=each.highest,
            description=each.description,
        )
        for each in receipt.columns
    )
