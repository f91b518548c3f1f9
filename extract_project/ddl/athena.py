"""Athena: an external table over a folder.

Athena reads folders, not objects. An extract in one object shares its folder with others, so its
table reads a list with one line, the object's address, which the catalogue keeps.
"""

from __future__ import annotations

from extract_project.ddl.table import (
    PARTITION,
    Table,
    TableColumn,
    column_lines,
    identifier,
    require_format,
    text,
    unknown,
)
from extract_project.manifest.fields.partitions import Partitions
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
    "timestamp": "timestamp",
    "timestamptz": "timestamp",
}
_WIDEST = 38
_SERDE = {
    "parquet": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
    "csv": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
    "jsonl": "org.openx.data.jsonserde.JsonSerDe",
}
_INPUT = {
    "parquet": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "csv": "org.apache.hadoop.mapred.TextInputFormat",
    "jsonl": "org.apache.hadoop.mapred.TextInputFormat",
}
_LISTED = "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"
_OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
_BACKSLASHES = (
    "-- Athena takes a backslash in a CSV value for an escape, and NULL for the empty string:\n"
    "-- 'format: parquet' has neither fault.\n"
)
_DATES = {
    "hourly": ("yyyy-MM-dd-HH", "HOURS"),
    "daily": ("yyyy-MM-dd", "DAYS"),
    "weekly": ("yyyy-MM-dd", "WEEKS"),
    "monthly": ("yyyy-MM", "MONTHS"),
}


def athena(table: Table) -> str:
    """One `create external table`; partitions are found by their names, without a crawler."""
    require_format(table, "athena", *_SERDE)
    location = table.object_list if table.is_one_object else table.folder
    listed = _LISTED if table.is_one_object else _INPUT[table.format]
    properties = {"skip.header.line.count": "1"} if table.format == "csv" else {}
    partitioned = ""
    if table.partitions:
        partitioned = f"partitioned by ({identifier(PARTITION, '`')} string)\n"
        properties |= _projection(table.partitions, table.folder)
    given = ",\n".join(f"  {text(name)} = {text(value)}" for name, value in properties.items())
    warning = _BACKSLASHES if table.format == "csv" else ""
    return (
        f"{warning}create external table {identifier(table.name, '`')} (\n"
        f"{column_lines(table, lambda column: _column(table, column))}\n)\n"
        f"{partitioned}"
        f"row format serde {text(_SERDE[table.format])}\n"
        f"stored as inputformat {text(listed)}\n"
        f"outputformat {text(_OUTPUT)}\n"
        f"location {text(location + '/')}"
        + (f"\ntblproperties (\n{given}\n);\n" if properties else ";\n")
    )


def _column(table: Table, column: TableColumn) -> str:
    kind = "string" if _is_text(table, column) else hive_type(column.type)
    comment = f" comment {text(column.description)}" if column.description else ""
    return f"{identifier(column.name, '`')} {kind}{comment}"


def _is_text(table: Table, column: TableColumn) -> bool:
    """Whether the reader of a text format gives text, to cast in the query: OpenCSVSerde always
    does, and the one of JSON lines knows no time in ISO 8601.
    """
    is_moment = column.type.name in ("date", "timestamp", "timestamptz")
    return table.format == "csv" or (table.format == "jsonl" and is_moment)


def _projection(partitions: Partitions, folder: str) -> dict[str, str]:
    about = f"projection.{PARTITION}"
    template = f"{folder}/{PARTITION}=${{{PARTITION}}}/"
    found = {"projection.enabled": "true", "storage.location.template": template}
    if partitions.type == "static":
        return found | {f"{about}.type": "enum", f"{about}.values": ",".join(partitions.keys)}
    form, unit = _DATES[partitions.type]
    first = partitions.start.strftime(partitions.key_format)
    last = partitions.end.strftime(partitions.key_format) if partitions.end else "NOW"
    return found | {
        f"{about}.type": "date",
        f"{about}.format": form,
        f"{about}.range": f"{first},{last}",
        f"{about}.interval": "1",
        f"{about}.interval.unit": unit,
    }


def hive_type(kind: ColumnType) -> str:
    """The type of a column as Athena and Glue write it; raises NoSuchTable where there is none."""
    if kind.name == "decimal":
        if kind.arguments[0] > _WIDEST:
            raise unknown("athena", kind)
        return str(kind)
    if kind.name == "list":
        return f"array<{hive_type(kind.inner[0])}>"
    if kind.name == "map":
        return f"map<{hive_type(kind.inner[0])},{hive_type(kind.inner[1])}>"
    if kind.name == "struct":
        fields = zip(kind.fields, kind.inner, strict=True)
        return f"struct<{','.join(f'{name}:{hive_type(each)}' for name, each in fields)}>"
    if kind.name == "time" or kind.arguments:
        raise unknown("athena", kind)
    return _NAMES[kind.name]
