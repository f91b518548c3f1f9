"""A published extract as a table of a query engine, from its entry in the catalogue."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from extract_project.catalog.model import Catalog, CatalogEntry
from extract_project.ddl.table import NoSuchTable, Table, TableColumn
from extract_project.errors import BucketError, NotPublished, StoreError
from extract_project.schema.spelling import parse_type
from extract_project.store.destination import DATA
from extract_project.store.folder import Location
from extract_project.store.protocol import Absent, NotApplied
from extract_project.store.stores import Folders

TABLES = "catalog/tables"
"""Below a destination: for each object a folder whose one file lists it."""
_WRITERS = 16


def table_of(entry: CatalogEntry, data: str, name: str | None = None) -> Table:
    """`data` is the URI of EXTRACT_DATA; the table is named after the path unless `name` says.

    Raises NotPublished for an extract whose columns are not known yet.
    """
    if entry.published is None or not entry.published.columns:
        raise NotPublished(
            f"{entry.path} has no version yet, so its columns are not known: materialize it with: "
            f"extract run {entry.path}"
        )
    if entry.named and entry.partitions:
        raise NoSuchTable(
            f"the partitions of {entry.path} are named by its 'path', and not partition=…, which "
            f"tables need: leave 'path' out"
        )
    newest = entry.published.versions[0]
    root = entry.folder or data
    folder, _, file = entry.uri.rpartition("/")
    if entry.partitions:
        folder = folder.rpartition("/")[0]
    if entry.parts:
        file = f"part-*{entry.extension}"
    return Table(
        name=name or re.sub(r"\W", "_", entry.path, flags=re.ASCII),
        columns=tuple(
            TableColumn(column.name, parse_type(column.type), column.description)
            for column in entry.published_columns
        ),
        format=entry.format,
        folder=folder,
        file=file,
        object_list=f"{root}/{object_list(newest.key, root)}".rpartition("/")[0],
        partitions=entry.partitions,
        has_parts=entry.parts,
        is_unloaded=entry.unloaded,
        format_options=entry.published.format_options,
    )


def keep_object_lists(folders: Folders, catalog: Catalog, known: Catalog | None) -> None:
    """Write the list of each object that the catalogue shows, and `known` did not show: in its own
    destination, so that its readers need rights to nothing else.
    """
    before = set(_objects(known)) if known else set[tuple[str, str]]()

    def write(named: tuple[str, str]) -> None:
        name, key = named
        data = folders.destination(name).data
        place = data.key(object_list(key, data.uri))
        try:
            data.store.put(place, data.store.uri(key).encode(), "text/plain", condition=Absent())
        except NotApplied:
            pass  # it is there: what it says never changes
        except (StoreError, BucketError) as error:
            if name == DATA:
                raise
            logging.getLogger(__name__).warning("no list of %s was written: %s", key, error)

    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(write, (each for each in _objects(catalog) if each not in before)))


def _objects(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Destinations and keys of the extracts that are one object."""
    for entry in catalog.extracts:
        if entry.published and not entry.parts and entry.partitions is None:
            yield entry.destination, entry.published.versions[0].key


def object_list(key: str, data: str) -> str:
    """Path below a destination of the file that lists one object."""
    return f"{TABLES}/{Location.parse(data).relative(key)}/objects.txt"
