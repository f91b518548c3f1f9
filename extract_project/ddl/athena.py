"""Athena: an external table over a folder.

Athena reads folders, not objects. An extract in one object shares its folder with others, so its
table reads a list with one line, the object's address, which the catalogue keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from extract_project.ddl.hive import hive_type
from extract_project.ddl.table import (
    PARTITION,
    Table,
    TableColumn,
    require_folder,
    require_format,
)
from extract_project.manifest.fields.partitions import Partitions
from extract_project.sql_quoting import backslashed, identifier, literal

_ENGINE = "athena"
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


@dataclass(frozen=True)
class HiveTable:
    """What a Hive metastore, such as Glue's, says of a table. Athena's DDL says the same."""

    columns: tuple[tuple[str, str, str], ...]
    """Name, type and comment of each."""
    location: str
    input_format: str
    output_format: str
    serde: str
    is_partitioned: bool
    properties: Mapping[str, str]


def hive_table(table: Table) -> HiveTable:
    """Raises NoSuchTable for a format or a type that Athena does not read."""
    require_format(table, _ENGINE, *_SERDE)
    require_folder(table, _ENGINE)
    location = table.object_list if table.is_one_object else table.folder
    properties = {"skip.header.line.count": "1"} if table.format == "csv" else {}
    if table.partitions:
        properties |= _projection(table.partitions, table.folder)
    return HiveTable(
        columns=tuple(
            (
                column.name,
                "string" if _is_text(table, column) else hive_type(column.type, _ENGINE),
                column.description,
            )
            for column in table.columns
        ),
        location=f"{location}/",
        input_format=_LISTED if table.is_one_object else _INPUT[table.format],
        output_format=_OUTPUT,
        serde=_SERDE[table.format],
        is_partitioned=table.partitions is not None,
        properties=properties,
    )


def athena(table: Table) -> str:
    """One `create external table`; partitions are found by their names, without a crawler."""
    found = hive_table(table)
    columns = ",\n".join(f"  {_column(*column)}" for column in found.columns)
    warning = _BACKSLASHES if table.format == "csv" else ""
    partitioned = f"partitioned by ({identifier(PARTITION, '`')} string)\n"
    given = ",\n".join(
        f"  {literal(name)} = {literal(value)}" for name, value in found.properties.items()
    )
    return (
        f"{warning}create external table {identifier(table.name, '`')} (\n{columns}\n)\n"
        f"{partitioned if found.is_partitioned else ''}"
        f"row format serde {literal(found.serde)}\n"
        f"stored as inputformat {literal(found.input_format)}\n"
        f"outputformat {literal(found.output_format)}\n"
        f"location {literal(found.location)}"
        + (f"\ntblproperties (\n{given}\n);\n" if given else ";\n")
    )


def _column(name: str, kind: str, description: str) -> str:
    comment = f" comment {backslashed(description)}" if description else ""
    return f"{identifier(name, '`')} {kind}{comment}"


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
