"""A first SQL file over a table of the warehouse, for its author to go on from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import yaml

from extract_project.sql.dialect import Dialect
from extract_project.sql_quoting import identifier

_CURSORS = re.compile(r"(updat|modif|chang|load|ingest|insert|creat)|_at$|_ts$", re.IGNORECASE)
"""Names of columns that say when a row was written."""
_BEST = re.compile(r"updat|modif|chang|load|ingest", re.IGNORECASE)
_PLAIN = {"snowflake": re.compile(r"[A-Z_][A-Z0-9_]*"), "": re.compile(r"[a-z_][a-z0-9_]*")}
_MOMENTS = ("timestamp", "timestamptz")
_TODO = "What one row is, and who reads it."


@dataclass(frozen=True)
class DraftColumn:
    """A column of the table."""

    name: str
    type: str
    """The type, as a header spells it."""
    is_nullable: bool
    comment: str = ""


def draft(
    table: str, columns: Sequence[DraftColumn], keys: Sequence[Sequence[str]], dialect: Dialect
) -> str:
    """The text of the file.

    It selects every column by name, with the table's comments behind them, checks what the table
    itself promises, and proposes in comments what only its author can know.
    """
    reserved = _reserved()
    names = {each.name: _written(each.name, dialect, reserved) for each in columns}
    header = _header(columns, keys)
    return f"/*---\n{header}---*/\n{_select(table, columns, names)}"


def _header(columns: Sequence[DraftColumn], keys: Sequence[Sequence[str]]) -> str:
    lines = [f"description: {_TODO}", "# owners: team:…", "# schedule: daily at 06:00"]
    cursor = _cursor(columns)
    if cursor:
        lines += [
            "# freshness: 26h",
            f"# incremental: {{cursor: {_flow(cursor)}, lag: 1h}}   # only new rows; the SQL then "
            f"needs: where {cursor} > :watermark",
        ]
    checks = ["min_rows: 1"]
    checks += [f"unique: {_flow(key[0] if len(key) == 1 else list(key))}" for key in keys]
    required = [each.name for each in columns if not each.is_nullable]
    if required:
        checks.append(f"not_null: {_flow(required)}")
    lines += ["checks:", *(f"  - {check}" for check in checks)]
    return "".join(f"{line.replace('*/', '* /')}\n" for line in lines)


def _select(table: str, columns: Sequence[DraftColumn], names: Mapping[str, str]) -> str:
    lines = []
    for place, column in enumerate(columns, start=1):
        comma = "," if place < len(columns) else ""
        said = " ".join(column.comment.split())
        lines.append(f"  {names[column.name]}{comma}" + (f" -- {said}" if said else ""))
    selected = "\n".join(lines)
    return f"select\n{selected}\nfrom {table}\n"


def _cursor(columns: Sequence[DraftColumn]) -> str | None:
    """The column that says best when a row was written."""
    found = [each.name for each in columns if each.type in _MOMENTS and _CURSORS.search(each.name)]
    return next((name for name in found if _BEST.search(name)), found[0] if found else None)


def _written(name: str, dialect: Dialect, reserved: Collection[str]) -> str:
    """A column's name in SQL, in quotes where it would be something else without them."""
    plain = _PLAIN.get(dialect.name, _PLAIN[""])
    if plain.fullmatch(name) and name.lower() not in reserved:
        return name.lower()
    return identifier(name, dialect.lexicon.name_quote)


def _reserved() -> frozenset[str]:
    """Words that are no names. Those of DuckDB are Postgres', and some more of newer dialects."""
    import duckdb

    listed = "select keyword_name from duckdb_keywords() where keyword_category != 'unreserved'"
    with duckdb.connect() as connection:
        return frozenset(name for (name,) in connection.sql(listed).fetchall())


def _flow(value: str | list[str]) -> str:
    """YAML on one line."""
    return (
        yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()
    )
