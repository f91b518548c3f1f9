"""What Unity Catalog says of a table: its columns, their comments, and its keys.

Databricks does not enforce keys.
"""

from __future__ import annotations

from extract_project.errors import WarehouseError
from extract_project.sql_quoting import literal
from extract_project.warehouses.facts import ColumnFacts, TableFacts, grouped, rows
from extract_project.warehouses.protocol import Session

_COLUMNS = """
select table_schema as schema, column_name as name, is_nullable, comment
from {catalog}information_schema.columns
where {table}
order by table_schema, ordinal_position
"""
_KEYS = """
select c.constraint_name as key, k.column_name as name
from {catalog}information_schema.table_constraints c
join {catalog}information_schema.key_column_usage k
  on k.constraint_name = c.constraint_name and k.table_schema = c.table_schema
where c.{table} and c.table_schema = {schema} and c.constraint_type in ('PRIMARY KEY', 'UNIQUE')
order by c.constraint_type, c.constraint_name, k.ordinal_position
"""


def table_facts(session: Session, table: str, catalog: str | None) -> TableFacts:
    """Implements `Session.facts`; `catalog` is for names without a catalog."""
    *path, name = (part.strip("`") for part in table.split("."))
    wanted = [f"table_name = {literal(name.lower())}"]
    if path:
        wanted.append(f"table_schema = {literal(path[-1].lower())}")
    in_catalog = path[0] if len(path) > 1 else catalog
    where = f"`{in_catalog}`." if in_catalog else ""
    found = rows(session, _COLUMNS.format(catalog=where, table=" and ".join(wanted)))
    if not found:
        raise WarehouseError(
            f"there is no table {table}: expected the name of a table or view of Unity Catalog, as "
            f"in main.shop.orders"
        )
    schema = found[0]["schema"]
    keys = rows(session, _KEYS.format(catalog=where, table=wanted[0], schema=literal(str(schema))))
    return TableFacts(
        tuple(
            ColumnFacts(row["name"], row["is_nullable"] == "YES", row["comment"] or "")
            for row in found
            if row["schema"] == schema
        ),
        grouped((row["key"], row["name"]) for row in keys),
    )
