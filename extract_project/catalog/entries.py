"""The catalogue's facts from an extract's SQL file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from extract_project.catalog.model import (
    CatalogCheck,
    CatalogDefaults,
    CatalogEntry,
    DeclaredColumn,
)
from extract_project.manifest.extract import Extract, InvalidExtract
from extract_project.manifest.fields.path import ANY
from extract_project.manifest.snapshot import Snapshot
from extract_project.store.destination import DATA
from extract_project.store.folder import Folder
from extract_project.store.stores import Folders


def described(snapshot: Snapshot, folders: Folders) -> list[CatalogEntry]:
    """An entry for each SQL file, by path, without what is published."""
    downstream: dict[str, list[str]] = defaultdict(list)
    for extract in snapshot.extracts:
        for path in extract.header.depends_on:
            downstream[path].append(extract.path)
    entries = [_entry(each, folders, downstream) for each in snapshot.extracts]
    entries += [_invalid(each, folders.manifest, downstream) for each in snapshot.invalid]
    return sorted(entries, key=lambda entry: entry.path)


def _entry(extract: Extract, folders: Folders, downstream: Mapping[str, list[str]]) -> CatalogEntry:
    header, destination = extract.header, folders.destination(extract.destination)
    data, manifest = destination.data, folders.manifest
    path = extract.published_path(ANY if header.partitions else None)
    return CatalogEntry(
        path=extract.path,
        manifest=manifest.uri,
        description=header.description,
        owners=tuple(header.owners),
        consumers=tuple(header.consumers),
        tags=dict(header.tags),
        warehouse=extract.warehouse,
        warehouse_type=extract.kind,
        enabled=header.enabled,
        schedule=header.schedule,
        timezone=header.timezone,
        freshness_seconds=int(header.freshness.total_seconds()) if header.freshness else None,
        partitions=header.partitions,
        format=header.format,
        extension=extract.file_format.extension,
        destination=destination.name,
        folder="" if destination.name == DATA else data.uri,
        uri=(data / path).uri,
        also={name: (folders.destination(name).data / path).uri for name in header.to[1:]},
        parts=header.has_parts,
        unloaded=header.may_unload,
        named=header.path is not None,
        columns=_columns(extract),
        checks=tuple(
            CatalogCheck(rule=check.rule, blocks=check.severity == "error")
            for check in header.audits
        ),
        reads=extract.tables,
        upstream=tuple(header.depends_on),
        downstream=tuple(downstream.get(extract.path, ())),
        sql=extract.text,
        sql_uri=manifest.store.uri(extract.source.key),
        sql_version=extract.source.version_id,
        defaults=_defaults(extract, manifest),
        code_version=extract.code_version,
    )


def defaults_of(snapshot: Snapshot, manifest: Folder) -> list[CatalogDefaults]:
    """The defaults of folders that apply to any extract."""
    files: list[Extract | InvalidExtract] = [*snapshot.extracts, *snapshot.invalid]
    found = {each.source.key: each for file in files for each in file.defaults}
    return [
        CatalogDefaults(uri=manifest.store.uri(key), version=each.source.version_id, text=each.text)
        for key, each in sorted(found.items())
    ]


def _defaults(file: Extract | InvalidExtract, manifest: Folder) -> tuple[str, ...]:
    return tuple(manifest.store.uri(each.source.key) for each in file.defaults)


def _columns(extract: Extract) -> tuple[DeclaredColumn, ...]:
    """The columns of the contract; without one, those that are described."""
    said = extract.descriptions
    declared = extract.header.columns
    if declared is None:
        return tuple(DeclaredColumn(name=name, description=text) for name, text in said.items())
    return tuple(
        DeclaredColumn(
            name=name,
            type=column.type,
            nullable=column.nullable,
            description=said.get(name, ""),
        )
        for name, column in declared.items()
    )


def _invalid(
    extract: InvalidExtract, manifest: Folder, downstream: Mapping[str, list[str]]
) -> CatalogEntry:
    return CatalogEntry(
        path=extract.path,
        manifest=manifest.uri,
        downstream=tuple(downstream.get(extract.path, ())),
        sql=extract.text,
        sql_uri=manifest.store.uri(extract.source.key),
        sql_version=extract.source.version_id,
        defaults=_defaults(extract, manifest),
        problems=tuple(extract.reasons),
    )
