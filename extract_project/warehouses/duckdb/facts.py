"""What DuckDB's catalogue says of a table."""

from __future__ import annotations

from extract_project.errors import WarehouseError
from extract_project.sql_quoting import literal
from extract_project.warehouses.facts import ColumnFacts, TableFacts, grouped, rows
from extract_project.warehouses.protocol import Session

_COLUMNS = """
select column_name as name, is_nullable, comment, table_oid::varchar as oid
from duckdb_columns()
where lower({table}) in (
    lower(table_name),
    lower(schema_name || '.' || table_name),
    lower(database_name || '.' || schema_name || '.' || table_name)
) and not internal
order by database_name, schema_name, column_index
"""
_KEYS = """
select constraint_index::varchar as key, unnest(constraint_column_names) as name
from duckdb_constraints()
where table_oid::varchar = {oid} and constraint_type in ('PRIMARY KEY', 'UNIQUE')
order by constraint_type, constraint_index
"""


def table_facts(session: Session, table: str) -> TableFacts:
    """Implements `Session.facts`."""
    found = rows(session, _COLUMNS.format(table=literal(table.replace('"', ""))))
    if not found:
        raise WarehouseError(
            f"there is no table {table}: expected the name of a table or view, as in main.orders"
        )
    oid = found[0]["oid"]
    keys = rows(session, _KEYS.format(oid=literal(oid)))
    return TableFacts(
        tuple(
            ColumnFacts(row["name"], row["is_nullable"], row["comment"] or "")
            for row in found
            if row["oid"] == oid
        ),
        grouped((row["key"], row["name"]) for row in keys),
    )
