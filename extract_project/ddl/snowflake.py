"""Snowflake: an external table over a stage."""

from __future__ import annotations

import re

from extract_project.ddl.table import (
    PARTITION,
    Table,
    TableColumn,
    require_folder,
    require_format,
    unknown,
)
from extract_project.schema.spelling import ColumnType
from extract_project.sql_quoting import backslashed, identifier, literal

_NAMES = {
    **dict.fromkeys(("int8", "int16", "int32", "int64"), "number(19,0)"),
    **dict.fromkeys(("uint8", "uint16", "uint32", "uint64"), "number(20,0)"),
    "float32": "float",
    "float64": "float",
    "bool": "boolean",
    "text": "varchar",
    "json": "varchar",
    "binary": "binary",
    "date": "date",
    "time": "time(9)",
    "timestamp": "timestamp_ntz(9)",
    "timestamptz": "timestamp_tz(9)",
    "list": "array",
    "struct": "object",
    "map": "object",
}
_WIDEST = 38
_FILES = {
    "parquet": "type = parquet use_logical_type = true",
    "csv": "type = csv skip_header = 1 field_optionally_enclosed_by = '\"' "
    "null_if = () empty_field_as_null = true",
    "jsonl": "type = json",
}


def snowflake(table: Table) -> str:
    """A stage, an external table, and the statement that has it look for what is new."""
    require_format(table, "snowflake", *_FILES)
    require_folder(table, "snowflake")
    stage = identifier(f"{table.name}_files")
    columns = ",\n".join(
        f"  {_column(table, place, column)}" for place, column in enumerate(table.columns, start=1)
    )
    partitioned = ""
    if table.partitions:
        columns += (
            f",\n  {identifier(PARTITION)} varchar as "
            f"(regexp_substr(metadata$filename, 'partition=([^/]+)/', 1, 1, 'e'))"
        )
        partitioned = f"partition by ({identifier(PARTITION)})\n"
    return (
        "-- An administrator makes the storage integration: it may read the bucket.\n"
        f"create stage if not exists {stage}\n"
        f"  url = {literal(table.folder + '/')}\n"
        f"  storage_integration = extracts;\n\n"
        f"create or replace external table {identifier(table.name)} (\n{columns}\n)\n"
        f"{partitioned}"
        f"location = @{stage}\n"
        f"pattern = {literal(_pattern(table))}\n"
        f"file_format = ({_FILES[table.format]})\n"
        f"auto_refresh = false;\n\n"
        f"-- After a publish:\n"
        f"alter external table {identifier(table.name)} refresh;\n"
    )


def _column(table: Table, place: int, column: TableColumn) -> str:
    kind = _type(column.type)
    source = f"c{place}" if table.format == "csv" else identifier(column.name)
    comment = f" comment {backslashed(column.description)}" if column.description else ""
    return f"{identifier(column.name)} {kind} as (value:{source}::{kind}){comment}"


def _pattern(table: Table) -> str:
    file = re.escape(table.file).replace(r"\*", "[0-9]+").replace("\\", "")
    file = file.replace(".", "[.]")
    return f".*/partition=[^/]+/{file}" if table.partitions else f"(.*/)?{file}"


def _type(kind: ColumnType) -> str:
    if kind.name == "decimal":
        if kind.arguments[0] > _WIDEST:
            raise unknown("snowflake", kind)
        return f"number({kind.arguments[0]},{kind.arguments[1]})"
    return _NAMES[kind.name]
