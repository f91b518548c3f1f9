"""Spark: a temporary view over the files."""

from __future__ import annotations

from extract_project.ddl.table import (
    Table,
    TableColumn,
    column_lines,
    identifier,
    require_format,
    text,
    unknown,
)
from extract_project.schema.spelling import ColumnType

_NAMES = {
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "uint8": "smallint",
    "uint16": "int",
    "uint32": "bigint",
    "uint64": "decimal(20,0)",
    "float32": "float",
    "float64": "double",
    "bool": "boolean",
    "text": "string",
    "json": "string",
    "binary": "binary",
    "date": "date",
    "timestamp": "timestamp_ntz",
    "timestamptz": "timestamp",
}
_FORMATS = {"parquet": "parquet", "csv": "csv", "jsonl": "json"}
_WIDEST = 38
_EMPTY = "-- Spark gives the empty string of a CSV file as NULL; 'format: parquet' has both.\n"


def spark(table: Table) -> str:
    """A view for the session; it reads the current version each time."""
    require_format(table, "spark", *_FORMATS)
    path = table.folder if table.partitions else table.uri
    options = {"path": path.replace("s3://", "s3a://", 1)}
    if table.partitions:
        options["pathGlobFilter"] = table.file
    if table.format == "csv":
        options |= {"header": "true", "quote": '"', "escape": '"', "multiLine": "true"}
        options |= {"nullValue": ""}
    given = ",\n".join(f"  {name} {_text(value)}" for name, value in options.items())
    columns = column_lines(table, _column)
    if table.partitions:
        columns += ",\n  `partition` string"
    warning = _EMPTY if table.format == "csv" else ""
    return (
        f"{warning}create or replace temporary view {identifier(table.name, '`')} (\n{columns}\n)\n"
        f"using {_FORMATS[table.format]}\noptions (\n{given}\n);\n"
    )


def _column(column: TableColumn) -> str:
    comment = f" comment {_text(column.description)}" if column.description else ""
    return f"{identifier(column.name, '`')} {_type(column.type)}{comment}"


def _text(value: str) -> str:
    """A string literal, in which Spark takes a backslash for an escape."""
    return text(value.replace("\\", "\\\\"))


def _type(kind: ColumnType) -> str:
    if kind.name == "decimal":
        if kind.arguments[0] > _WIDEST:
            raise unknown("spark", kind)
        return str(kind)
    if kind.name == "list":
        return f"array<{_type(kind.inner[0])}>"
    if kind.name == "map":
        return f"map<{_type(kind.inner[0])}, {_type(kind.inner[1])}>"
    if kind.name == "struct":
        fields = zip(kind.fields, kind.inner, strict=True)
        inner = ", ".join(f"{identifier(name, '`')}: {_type(each)}" for name, each in fields)
        return f"struct<{inner}>"
    if kind.name == "time" or kind.arguments:
        raise unknown("spark", kind)
    return _NAMES[kind.name]
