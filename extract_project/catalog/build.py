"""Building the catalogue, and keeping it in the data bucket.

What has not changed since it was last built is taken from there. So a catalogue of 5,000 extracts
of which a few were published anew costs a listing and a few small requests.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from extract_project.catalog.entries import defaults_of, described
from extract_project.catalog.model import Catalog, CatalogEntry, CatalogManifest, Published
from extract_project.catalog.page import page
from extract_project.catalog.published import (
    Listing,
    is_unchanged,
    is_where_expected,
    read_published,
)
from extract_project.catalog.tables import keep_object_lists
from extract_project.errors import BucketError, StoreError
from extract_project.layout import CATALOG_JSON, CATALOG_PAGE
from extract_project.manifest.extract import Extract
from extract_project.manifest.snapshot import Snapshot
from extract_project.store.destination import DATA, Destination
from extract_project.store.folder import Folder
from extract_project.store.shared import SharedDocument
from extract_project.store.stores import Folders


def keep_catalog(
    folders: Folders, snapshot: Snapshot, published: Collection[str] | None = None
) -> Catalog:
    """Bring a manifest's part of the catalogue in the data bucket up to date, and return that part.

    The parts of other manifests that publish there stay as they are. `published` are the paths of
    the extracts that were published since the part was last built; without it the data folder is
    listed to find them. Where two processes build at once, the second one takes what the first one
    wrote and builds on that. Raises StoreError.
    """

    def changed(kept: Catalog | None) -> Catalog:
        known = kept.only(folders.manifest.uri) if kept else None
        part = build_catalog(folders, snapshot, known, published)
        keep_object_lists(folders, part, known)
        return kept.with_part(part) if kept else part

    return _DOCUMENT.replace(folders.data, changed).only(folders.manifest.uri)


def forget_manifest(data: Folder, manifest: str) -> None:
    """Remove the part of a manifest whose extracts are published no more. Raises StoreError, and
    NotPublished for one that is not there.
    """
    _DOCUMENT.forget(data, manifest)


def as_json(catalog: Catalog) -> bytes:
    """`catalog.json`."""
    return catalog.model_dump_json(exclude_defaults=True).encode()


_DOCUMENT = SharedDocument(
    CATALOG_JSON,
    "application/json",
    CATALOG_PAGE,
    "in the catalogue",
    Catalog.model_validate_json,
    as_json,
    page,
)


def build_catalog(
    folders: Folders,
    snapshot: Snapshot,
    known: Catalog | None = None,
    published: Collection[str] | None = None,
) -> Catalog:
    """One manifest's part; `known` is an earlier one, and the rest as `keep_catalog`."""
    now = {each.path: each.destination for each in snapshot.extracts}
    before = {
        each.path: each.published
        for each in (known.extracts if known else ())
        if now.get(each.path, each.destination) == each.destination
    }
    kept: dict[str, Published | None] = {}
    for name in sorted({each.destination for each in snapshot.extracts}):
        extracts = [each for each in snapshot.extracts if each.destination == name]
        lists = known is not None and published is None
        try:
            kept |= _published(folders.destination(name), extracts, before, published, lists=lists)
        except (StoreError, BucketError) as error:
            if name == DATA:
                raise
            # A bucket of others that does not answer costs its own extracts their news alone.
            logging.getLogger(__name__).warning("destination %s is not looked at: %s", name, error)
            kept |= {each.path: before.get(each.path) for each in extracts}
    kept |= {each.path: before.get(each.path) for each in snapshot.invalid}
    entries = described(snapshot, folders)
    manifest = folders.manifest
    return Catalog(
        data=folders.data.uri,
        manifests=(CatalogManifest(uri=manifest.uri, built_at=datetime.now(UTC)),),
        defaults=tuple(defaults_of(snapshot, manifest)),
        extracts=tuple(
            each.model_copy(update={"published": kept.get(each.path)}) for each in entries
        ),
    )


def _published(
    place: Destination,
    extracts: Sequence[Extract],
    before: Mapping[str, Published | None],
    published: Collection[str] | None,
    *,
    lists: bool,
) -> dict[str, Published | None]:
    """Return the current version of each extract at one destination; list its bucket if `lists`."""
    listing = Listing.of(place.data, extracts) if lists else None
    kept: dict[str, Published | None] = {}
    unknown = []
    for extract in extracts:
        found = before.get(extract.path)
        if listing is not None:
            same = is_unchanged(place.data, extract, found, listing)
        else:
            same = extract.path in before and extract.path not in (published or ())
        if same and is_where_expected(place.data, extract, found):
            kept[extract.path] = found
        else:
            unknown.append(extract)
    return kept | read_published(place.data, place.state, unknown)


def entry_of(folders: Folders, extract: Extract) -> CatalogEntry:
    """The catalogue's entry of one extract, without its downstream extracts."""
    alone = Snapshot(manifest=folders.manifest.uri, extracts=(extract,), invalid=())
    (entry,) = build_catalog(folders, alone).extracts
    return entry
