"""What BigQuery says of a table: its columns, their descriptions, and its keys.

BigQuery does not enforce keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from extract_project.warehouses.facts import ColumnFacts, TableFacts


def table_facts(table: Mapping[str, Any]) -> TableFacts:
    """The facts in a table's metadata."""
    fields = (table.get("schema") or {}).get("fields") or ()
    key = ((table.get("tableConstraints") or {}).get("primaryKey") or {}).get("columns") or ()
    return TableFacts(
        tuple(
            ColumnFacts(
                str(field["name"]), field.get("mode") != "REQUIRED", field.get("description") or ""
            )
            for field in fields
        ),
        (tuple(map(str, key)),) if key else (),
    )
