"""A published extract as a table of a query engine, from its entry in the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from extract_project.catalog.model import Catalog, CatalogEntry
from extract_project.ddl.table import Table, TableColumn
from extract_project.errors import NotPublished
from extract_project.schema.spelling import parse_type
from extract_project.store.folder import Folder
from extract_project.store.protocol import Absent, NotApplied

TABLES = "catalog/tables"
"""Below the data folder: for each object a folder whose one file lists it."""
_WRITERS = 16


def table_of(entry: CatalogEntry, data: str, name: str | None = None) -> Table:
    """`data` is the URI of the data folder; the table is named after the path unless `name` says.

    Raises NotPublished for an extract whose columns are not known yet.
    """
    if entry.published is None or not entry.published.columns:
        raise NotPublished(
            f"{entry.path} has no version yet, so its columns are not known: materialize it with: "
            f"extract run {entry.path}"
        )
    newest = entry.published.versions[0]
    folder, _, file = entry.uri.rpartition("/")
    if entry.partitions:
        folder = folder.rpartition("/")[0]
    if entry.parts:
        file = f"part-*{entry.extension}"
    return Table(
        name=name or re.sub(r"\W", "_", entry.path, flags=re.ASCII),
        columns=tuple(
            TableColumn(column.name, parse_type(column.type)) for column in entry.published.columns
        ),
        format=entry.format,
        folder=folder,
        file=file,
        object_list=f"{data}/{object_list(newest.key, data)}".rpartition("/")[0],
        partitions=entry.partitions,
        has_parts=entry.parts,
    )


def keep_object_lists(data: Folder, catalog: Catalog, known: Catalog | None) -> None:
    """Write the list of each object that the catalogue shows, and `known` did not show."""
    before = set(_objects(known)) if known else set[str]()

    def write(key: str) -> None:
        place = data.key(object_list(key, data.uri))
        with suppress(NotApplied):  # it is there: what it says never changes
            data.store.put(place, data.store.uri(key).encode(), "text/plain", condition=Absent())

    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(write, (key for key in _objects(catalog) if key not in before)))


def _objects(catalog: Catalog) -> Iterator[str]:
    """The keys of the extracts that are one object."""
    for entry in catalog.extracts:
        if entry.published and not entry.parts and entry.partitions is None:
            yield entry.published.versions[0].key


def object_list(key: str, data: str) -> str:
    """Path below the data folder of the file that lists one object."""
    prefix = data.partition("://")[2].partition("/")[2]
    path = key[len(prefix) + 1 :] if prefix else key
    return f"{TABLES}/{path}/objects.txt"
