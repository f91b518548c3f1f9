"""What Redshift's catalogue says of a table."""

from __future__ import annotations

from extract_project.errors import WarehouseError
from extract_project.warehouses.facts import ColumnFacts, TableFacts, rows
from extract_project.warehouses.protocol import Session
from extract_project.warehouses.redshift.names import place_of, quoted

# https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMNS.html: local and external tables,
# views and late-binding views. Keys are left out: Redshift does not enforce them.
_COLUMNS = """
select column_name, is_nullable, remarks
from svv_columns where table_name = {name} and {schema}
order by ordinal_position
"""
_OF_SESSION = "table_schema = current_schema()"


def table_facts(session: Session, table: str) -> TableFacts:
    """Implements `Session.facts`."""
    schema, name = place_of(table)
    found = rows(
        session,
        _COLUMNS.format(
            name=quoted(name),
            schema=f"table_schema = {quoted(schema)}" if schema else _OF_SESSION,
        ),
    )
    if not found:
        raise WarehouseError(f"there is no table {table!r}, or the user has no right to see it")
    return TableFacts(
        tuple(
            ColumnFacts(str(row["column_name"]), row["is_nullable"] == "YES", row["remarks"] or "")
            for row in found
        )
    )
