"""DuckDB: a view over the files."""

from __future__ import annotations

from dataclasses import replace

from extract_project.ddl.table import Table, require_folder, require_format
from extract_project.layout import PARTS_MANIFEST
from extract_project.schema.spelling import ColumnType
from extract_project.sql_quoting import identifier, literal
from extract_project.store.folder import Location

_NAMES = {
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "uint8": "utinyint",
    "uint16": "usmallint",
    "uint32": "uinteger",
    "uint64": "ubigint",
    "float32": "float",
    "float64": "double",
    "bool": "boolean",
    "text": "varchar",
    "json": "varchar",
    "binary": "blob",
    "date": "date",
    "time": "time",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
}


def duckdb(table: Table) -> str:
    """A secret, and a view that reads the current version each time."""
    require_format(table, "duckdb", "parquet", "csv", "jsonl")
    files = literal(table.uri)
    if table.partitions:
        require_folder(table, "duckdb")
    before = ""
    if table.has_parts and table.partitions is None:
        bucket = replace(Location.parse(table.folder), prefix="").uri
        manifest = f"{table.folder}/{PARTS_MANIFEST}"
        before = (
            f"-- The parts of the result that is current now: set it again before you read.\n"
            f"set variable parts = (\n"
            f"  select list({literal(bucket + '/')} || part.key)\n"
            f"  from (select unnest(parts) as part from read_json({literal(manifest)}))\n"
            f");\n\n"
        )
        files = "getvariable('parts')"
    return (
        "create secret if not exists (type s3, provider credential_chain);\n\n"
        f"{before}create or replace view {identifier(table.name)} as\n"
        f"select * from {_reader(table, files)};\n"
    )


def _reader(table: Table, files: str) -> str:
    function = {"parquet": "read_parquet", "csv": "read_csv", "jsonl": "read_json"}[table.format]
    options = [files]
    if table.format != "parquet":
        columns = ", ".join(
            f"{literal(column.name)}: {literal(_type(column.type))}" for column in table.columns
        )
        options.append(f"columns = {{{columns}}}")
    if table.format == "csv":
        options += ["header = true", "nullstr = ''", "allow_quoted_nulls = false"]
    if table.partitions:
        options += ["hive_partitioning = true", "hive_types_autocast = false"]
    inner = ",\n  ".join(options)
    return f"{function}(\n  {inner}\n)"


def _type(kind: ColumnType) -> str:
    if kind.name == "decimal":
        return str(kind)
    if kind.name == "list":
        return f"{_type(kind.inner[0])}[]"
    if kind.name == "map":
        return f"map({_type(kind.inner[0])}, {_type(kind.inner[1])})"
    if kind.name == "struct":
        fields = zip(kind.fields, kind.inner, strict=True)
        return f"struct({', '.join(f'{identifier(name)} {_type(each)}' for name, each in fields)})"
    if kind.name == "timestamp" and kind.arguments:
        return "timestamp_ns"
    return _NAMES[kind.name]
