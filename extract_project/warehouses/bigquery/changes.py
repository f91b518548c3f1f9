"""When tables were last changed, from their metadata; asking costs nothing.

The time covers changes of rows and of the table's own description. A view has no time of its own:
it changes with the tables that it reads, which a dry run names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from extract_project.errors import WarehouseError
from extract_project.warehouses.bigquery.client import Client, is_missing
from extract_project.warehouses.bigquery.names import TableName
from extract_project.warehouses.protocol import TableChange

_SECONDS = 30.0
_STORED = ("TABLE", "SNAPSHOT", "CLONE", "MATERIALIZED_VIEW")
_VIEW = "VIEW"
Read = Callable[[str], Iterable[TableName]]
"""The tables that a statement reads."""


def last_changes(
    client: Client, tables: Mapping[str, TableName], reads: Read
) -> dict[str, TableChange]:
    """The last change of each table for which BigQuery has a time, asked one by one.

    Tables not asked within `_SECONDS` are left out. Raises WarehouseError if it could not be asked.
    """
    changes = {}
    end = time.monotonic() + _SECONDS
    for name, table in tables.items():
        if time.monotonic() >= end:
            break
        found = _change(client, table, reads)
        if found is not None:
            changes[name] = found
    return changes


def _change(client: Client, name: TableName, reads: Read) -> TableChange | None:
    table = _table(client, name)
    if table is None:
        return None
    if table.get("type") == _VIEW:
        return _newest([_stored(_table(client, each)) for each in _read_by(name, reads)])
    return _stored(table)


def _read_by(view: TableName, reads: Read) -> Sequence[TableName]:
    try:
        return sorted(each for each in reads(f"select 1 from {view.sql}") if each != view)
    except WarehouseError as error:
        if not is_missing(error):
            raise
        return ()


def _table(client: Client, name: TableName) -> Mapping[str, Any] | None:
    try:
        return client.table(name)
    except WarehouseError as error:
        if not is_missing(error):
            raise
        return None


def _stored(table: Mapping[str, Any] | None) -> TableChange | None:
    """The last change of a stored table, from its metadata; None for any other.

    Rows that are streamed to a table stay in a buffer for a while, which has its own row count.
    """
    if table is None or table.get("type") not in _STORED or not table.get("lastModifiedTime"):
        return None
    changed = int(table["lastModifiedTime"])
    streamed = (table.get("streamingBuffer") or {}).get("estimatedRows")
    token = f"{changed}+{streamed}" if streamed else str(changed)
    return TableChange(token, datetime.fromtimestamp(changed / 1000, UTC))


def _newest(changes: Sequence[TableChange | None]) -> TableChange | None:
    """The last change of a view, from those of its tables; None if one of these is unknown."""
    known = [each for each in changes if each is not None]
    if not changes or len(known) < len(changes):
        return None
    times = [each.at for each in known if each.at]
    return TableChange(" ".join(each.token for each in known), max(times, default=None))
