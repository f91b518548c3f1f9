"""Column types as Hive writes them, and with it Athena, Glue and Spark."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

from extract_project.ddl.table import NoSuchTable, unknown
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
    field: Callable[[str], str] | None = None,
) -> str:
    """The type at every depth; raises NoSuchTable for one that `engine` does not have.

    `field` quotes the name of a field of a struct. Hive itself has no quotes for it.
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
        quoted = field or partial(_plain_name, engine)
        fields = zip(kind.fields, kind.inner, strict=True)
        return f"struct<{','.join(f'{quoted(name)}:{written(each)}' for name, each in fields)}>"
    if kind.arguments or kind.name not in names:
        raise unknown(engine, kind)
    return names[kind.name]


def _plain_name(engine: str, name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise NoSuchTable(
            f"{engine} has no field named {name!r} in a struct: name it with letters, digits and "
            f"underscores in the SQL"
        )
    return name
