"""Column types as Hive writes them, and with it Athena, Glue and Spark."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from extract_project.ddl.table import unknown
from extract_project.schema.spelling import ColumnType

NAMES: Mapping[str, str] = {
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


def hive_type(
    kind: ColumnType,
    engine: str,
    names: Mapping[str, str] = NAMES,
    field: Callable[[str], str] = str,
) -> str:
    """The type at every depth; raises NoSuchTable for one that `engine` does not have.

    `field` writes the name of a field of a struct.
    """

    def written(each: ColumnType) -> str:
        return hive_type(each, engine, names, field)

    if kind.name == "decimal" and kind.arguments[0] <= _WIDEST:
        return str(kind)
    if kind.name == "list":
        return f"array<{written(kind.inner[0])}>"
    if kind.name == "map":
        return f"map<{written(kind.inner[0])},{written(kind.inner[1])}>"
    if kind.name == "struct":
        fields = zip(kind.fields, kind.inner, strict=True)
        return f"struct<{','.join(f'{field(name)}:{written(each)}' for name, each in fields)}>"
    if kind.arguments or kind.name not in names:
        raise unknown(engine, kind)
    return names[kind.name]
