"""A published extract as a query engine sees it: columns, and where the files are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from extract_project.errors import ExtractError
from extract_project.manifest.fields.partitions import Partitions
from extract_project.schema.spelling import ColumnType

PARTITION = "partition"
"""The column that a partition's key is in: the folders are named `partition=…`."""


class NoSuchTable(ExtractError):
    """An engine cannot read an extract as it is published."""


@dataclass(frozen=True)
class TableColumn:
    """One column of the files."""

    name: str
    type: ColumnType
    description: str = ""


@dataclass(frozen=True)
class Table:
    """The files of one extract, as a table."""

    name: str
    """A plain SQL name, as in `sales_orders`."""
    columns: tuple[TableColumn, ...]
    format: str
    folder: str
    """URI of the folder that has the object, the parts, or the folders of the partitions."""
    file: str
    """Name of the object; a pattern, as in `part-*.parquet`, where there are parts."""
    object_list: str
    """URI of the folder with a file that lists the one object: engines that read folders cannot
    be pointed at an object that shares its folder with others."""
    partitions: Partitions | None = None
    has_parts: bool = False
    is_unloaded: bool = False
    """Whether the parts lie where the warehouse has written them, below a folder for each run."""
    format_options: dict[str, Any] | None = None
    """Those that are not the format's own."""

    @property
    def uri(self) -> str:
        """The address of the object, or a pattern for all of its objects."""
        between = f"{PARTITION}=*/" if self.partitions else ""
        return f"{self.folder}/{between}{self.file}"

    @property
    def is_one_object(self) -> bool:
        return self.partitions is None and not self.has_parts


def require_format(table: Table, engine: str, *formats: str) -> None:
    """Raise NoSuchTable unless the engine reads the table's format."""
    if table.format not in formats:
        raise NoSuchTable(
            f"{engine} does not read {table.format} files: publish the extract with "
            f"'format: {formats[0]}'"
        )
    if table.format_options:
        keys = ", ".join(table.format_options)
        raise NoSuchTable(
            f"no table for {engine} reads the dialect of these {table.format} files ({keys}): "
            f"publish another extract of the same SQL without {table.format!r} in its header, or "
            "see docs/csv.md for how to load these"
        )


def require_folder(table: Table, engine: str) -> None:
    """Raise NoSuchTable unless the files of the current version, and no others, are in its folder:
    else the table would have no rows, or those of an older version, and nothing would say so.
    """
    if table.is_unloaded:
        raise NoSuchTable(
            f"{engine} would read a folder, and only the manifest says which files the warehouse "
            f"has written for the current version: read it with 'extract get' or "
            f"extract_project.published, or publish it with 'engine: stream'"
        )


def unknown(engine: str, kind: ColumnType) -> NoSuchTable:
    return NoSuchTable(f"{engine} has no type for {kind}: cast the column in the SQL")
