"""What Snowflake says of a table: one `describe table`, which needs no running warehouse."""

from __future__ import annotations

from extract_project.warehouses.facts import ColumnFacts, TableFacts, rows
from extract_project.warehouses.protocol import Session

_YES = "Y"


def table_facts(session: Session, table: str) -> TableFacts:
    """Implements `Session.facts`.

    Snowflake keeps no order of the columns of a key, and does not enforce keys.
    """
    found = rows(session, f"describe table {table}")
    keys = [
        tuple(row["name"] for row in found if row.get(kind) == _YES)
        for kind in ("primary key", "unique key")
    ]
    return TableFacts(
        tuple(
            ColumnFacts(row["name"], row.get("null?") == _YES, row.get("comment") or "")
            for row in found
        ),
        tuple(key for key in keys if key),
    )
