"""Spark: a temporary view over the files."""

from __future__ import annotations

from extract_project.ddl.hive import NAMES, hive_type
from extract_project.ddl.table import (
    Table,
    TableColumn,
    require_folder,
    require_format,
)
from extract_project.sql_quoting import backslashed, identifier

_ENGINE = "spark"
_NAMES = {**NAMES, "timestamp": "timestamp_ntz"}
_FORMATS = {"parquet": "parquet", "csv": "csv", "jsonl": "json"}
_EMPTY = "-- Spark gives the empty string of a CSV file as NULL; 'format: parquet' has both.\n"


def spark(table: Table) -> str:
    """A view for the session; it reads the current version each time."""
    require_format(table, _ENGINE, *_FORMATS)
    require_folder(table, _ENGINE)
    path = table.folder if table.partitions else table.uri
    options = {"path": path.replace("s3://", "s3a://", 1)}
    if table.partitions:
        options["pathGlobFilter"] = table.file
    if table.format == "csv":
        options |= {"header": "true", "quote": '"', "escape": '"', "multiLine": "true"}
        options |= {"nullValue": ""}
    given = ",\n".join(f"  {name} {backslashed(value)}" for name, value in options.items())
    columns = ",\n".join(f"  {_column(column)}" for column in table.columns)
    if table.partitions:
        columns += ",\n  `partition` string"
    warning = _EMPTY if table.format == "csv" else ""
    return (
        f"{warning}create or replace temporary view {_name(table.name)} (\n{columns}\n)\n"
        f"using {_FORMATS[table.format]}\noptions (\n{given}\n);\n"
    )


def _column(column: TableColumn) -> str:
    comment = f" comment {backslashed(column.description)}" if column.description else ""
    kind = hive_type(column.type, _ENGINE, _NAMES, _name)
    return f"{_name(column.name)} {kind}{comment}"


def _name(name: str) -> str:
    return identifier(name, "`")
