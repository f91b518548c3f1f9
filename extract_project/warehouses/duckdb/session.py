"""One connection to DuckDB: runs, describes and cancels a statement."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extract_project.errors import TypeMappingError, WarehouseError
from extract_project.values import Value
from extract_project.warehouses.duckdb.errors import explained
from extract_project.warehouses.duckdb.facts import table_facts
from extract_project.warehouses.duckdb.result import DuckDBResult
from extract_project.warehouses.facts import TableFacts
from extract_project.warehouses.protocol import Query, Rendered, TableChange

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_VECTOR_ROWS = 2_048
_BATCH_VECTORS = 4  # no more: values may be long
_BATCH_COLUMNS = 512
"""Columns of a batch of that many vectors. DuckDB holds several batches."""
_NO_ARROW_TYPE = re.compile(r"Unsupported Arrow type (\w+)")


class DuckDBSession:
    """One locked-down connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._opened: list[Any] = []

    def close(self) -> None:
        """Close what reads: as long as a reader is open, so is the database, in this process."""
        for reader in self._opened:
            reader.close()

    def execute(self, query: Query) -> DuckDBResult:
        rendered = query.render(_numbered(query))
        return DuckDBResult(self._reader(rendered, query), rendered, query)

    def describe(self, query: Query) -> pa.Schema:
        import pyarrow as pa

        from extract_project.schema.types import file_schema

        rendered = query.statement(_numbered(query))
        schema = self._reader(rendered, query, "from (", "\n) limit 0").schema
        names = self._names(rendered.text, query) or schema.names
        named = pa.schema([f.with_name(n) for f, n in zip(schema, names, strict=True)])
        return file_schema(named, query.types, query.declared)

    def _names(self, text: str, query: Query) -> list[str]:
        """The columns' own names: within another query, the second of two equal ones is renamed.

        Nothing for a statement that cannot be described, such as `show tables`.
        """
        import duckdb

        try:
            described = self._connection.execute(f"describe {text}", _values(query)).fetchall()
        except duckdb.Error:
            return []
        return [name for name, *_ in described]

    def facts(self, table: str) -> TableFacts:
        return table_facts(self, table)

    def last_changes(self, tables: Sequence[str]) -> dict[str, TableChange]:
        """The time of the whole database file: DuckDB keeps none for each table."""
        files = [Path(self._path), Path(f"{self._path}.wal")]
        stats = [file.stat() for file in files if file.exists()]
        if not stats:
            return {}
        token = ":".join(f"{each.st_mtime_ns}-{each.st_size}" for each in stats)
        latest = datetime.fromtimestamp(max(each.st_mtime for each in stats), UTC)
        return dict.fromkeys(tables, TableChange(token, latest))

    def cancel(self) -> None:
        self._connection.interrupt()

    def _reader(self, rendered: Rendered, query: Query, before: str = "", after: str = "") -> Any:
        """`before` and `after` stand around the author's text."""
        import duckdb
        import pyarrow as pa

        text = f"{before}{rendered.text}{after}"
        try:
            self._require_one_select(text)
            self._connection.execute(text, _values(query))
            columns = len(self._connection.description or ())
            vectors = max(
                1, min(_BATCH_VECTORS, _BATCH_VECTORS * _BATCH_COLUMNS // max(1, columns))
            )
            reader = self._connection.to_arrow_reader(vectors * _VECTOR_ROWS)
        except duckdb.Error as error:
            raise explained(error, rendered, len(before)) from error
        except (OSError, pa.ArrowException) as error:
            raise self._unsupported(error) from error
        self._opened.append(reader)
        return reader

    def _unsupported(self, error: Exception) -> TypeMappingError:
        """The error for a type that Arrow does not support. DuckDB does not say which column has
        it.
        """
        from extract_project.schema.types import DEEPEST

        found = _NO_ARROW_TYPE.search(str(error))
        faults = [
            f"column {name!r}: {described} has no exact type in files: cast it in the SQL, "
            f"e.g. to JSON"
            for name, described in self._described()
            if found and found.group(1) in described
        ] or [
            f"column {name!r}: it is nested more than {DEEPEST} levels deep: cast it in the SQL, "
            f"e.g. to JSON"
            for name, described in self._described()
            if sum(described.count(opening) for opening in "[(") > DEEPEST
        ]
        return TypeMappingError("; ".join(faults) or str(error))

    def _described(self) -> list[tuple[str, str]]:
        """The columns of the statement that was executed, and their types in DuckDB's words."""
        return [(name, str(kind)) for name, kind, *_ in self._connection.description or ()]

    def _require_one_select(self, text: str) -> None:
        """DuckDB's own parser has the last word on what is one read-only statement (G7)."""
        import duckdb

        statements = self._connection.extract_statements(text)
        types = [statement.type for statement in statements]
        if types != [duckdb.StatementType.SELECT]:
            found = ", ".join(each.name.lower() for each in types) or "nothing"
            raise WarehouseError(f"duckdb reads this as {found}: expected one read-only statement")


def _numbered(query: Query) -> Callable[[str], str]:
    """`$1` for a `:name`: DuckDB takes names that differ in case for one parameter."""
    ordinals = query.ordinals
    return lambda name: f"${ordinals[name]}"


def _values(query: Query) -> list[Value]:
    """In the order of those numbers."""
    return [query.values[name] for name in query.ordinals]
