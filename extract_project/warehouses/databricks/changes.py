"""When tables were last changed, from the history of each Delta table, which lists its versions.

A version that only rewrites files, as OPTIMIZE and VACUUM do, changes no row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from extract_project.errors import QueryCancelled, WarehouseError
from extract_project.warehouses.databricks.errors import is_about_table
from extract_project.warehouses.protocol import Query, Result, TableChange

_SECONDS = 30.0
_VERSIONS = 50
"""How many versions are searched for the last one that changed rows."""
_SAME_ROWS = frozenset(
    ("OPTIMIZE", "VACUUM START", "VACUUM END", "COMPUTE STATS", "SET TBLPROPERTIES", "REORG")
)


def last_changes(
    execute: Callable[[Query], Result], tables: Sequence[str]
) -> dict[str, TableChange]:
    """The last change of each table that has a history, asked one by one.

    Tables not asked within `_SECONDS` are left out. Raises WarehouseError if a statement fails for
    another reason than its table.
    """
    changes = {}
    end = time.monotonic() + _SECONDS
    for table in tables:
        if time.monotonic() >= end:
            break
        try:
            rows = list(
                _rows(execute(Query(f"describe history {_quoted(table)} limit {_VERSIONS}")))
            )
        except QueryCancelled:
            raise
        except WarehouseError as error:
            if not is_about_table(error):
                raise
            continue
        if rows:
            changes[table] = _change(rows)
    return changes


def _rows(result: Result) -> Iterator[dict[str, Any]]:
    for batch in result.batches():
        yield from batch.to_pylist()


def _change(rows: Sequence[dict[str, Any]]) -> TableChange:
    """The change by the newest version that changes rows; if none does, by the oldest."""
    found = next((row for row in rows if row.get("operation") not in _SAME_ROWS), rows[-1])
    at = found.get("timestamp")
    return TableChange(str(found["version"]), at if isinstance(at, datetime) else None)


def _quoted(table: str) -> str:
    """Each part of a dotted name in backquotes."""
    return ".".join(f"`{part.strip('`').replace('`', '``')}`" for part in table.split("."))
