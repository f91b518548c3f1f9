"""Find out whether tables and views have changed, by SYSTEM$LAST_CHANGE_COMMIT_TIME, which answers
from metadata without a running warehouse.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from extract_project.errors import Cause
from extract_project.warehouses.protocol import TableChange
from extract_project.warehouses.snowflake.errors import explained

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_AT_ONCE = 200
_SECONDS = 30.0
_NANOS = 10**9
_FIRST_SQL_CODE = 1000
"""Lower codes are those of the connection, of the service and of cancelled queries."""


def last_changes(connection: SnowflakeConnection, tables: Sequence[str]) -> dict[str, TableChange]:
    """The changes of those tables that the role can see.

    One query asks for many tables. It fails as a whole if one is unknown; then each half is asked
    separately. Tables not asked within `_SECONDS` are left out. Raises WarehouseError if the query
    fails for another reason than the tables.
    """
    from snowflake.connector import Error

    changes: dict[str, TableChange] = {}
    asked = deque(tables[start : start + _AT_ONCE] for start in range(0, len(tables), _AT_ONCE))
    end = time.monotonic() + _SECONDS
    while asked and time.monotonic() < end:
        some = asked.popleft()
        try:
            changes |= _changes(connection, some)
        except Error as error:
            if not _is_about_tables(error):
                raise explained(error, "snowflake, asked when tables changed last") from None
            middle = len(some) // 2
            if middle:
                asked += [some[:middle], some[middle:]]
    return changes


def _changes(connection: SnowflakeConnection, tables: Sequence[str]) -> dict[str, TableChange]:
    """The changes, with tokens that are roughly the time in nanoseconds."""
    names = [table.replace("\\", "\\\\").replace("'", "''") for table in tables]
    calls = ", ".join(f"system$last_change_commit_time('{name}')" for name in names)
    cursor = connection.cursor()
    cursor.execute(f"select {calls}")
    row: Any = cursor.fetchone() or ()
    return {
        table: TableChange(str(token), datetime.fromtimestamp(int(token) / _NANOS, UTC))
        for table, token in zip(tables, row, strict=True)
        if token is not None
    }


def _is_about_tables(error: Exception) -> bool:
    """Whether the query was at fault, not the connection or the service."""
    known = explained(error, "")
    code = getattr(error, "errno", None) or 0
    at_fault = known.cause in (Cause.SQL, Cause.PERMISSION) and not known.transient
    return at_fault and code >= _FIRST_SQL_CODE
