"""What ClickHouse says of a table: its columns and their comments.

Its primary keys are not unique, so there are no keys.
"""

from __future__ import annotations

from extract_project.errors import WarehouseError
from extract_project.sql_quoting import backslashed
from extract_project.warehouses.facts import ColumnFacts, TableFacts, rows
from extract_project.warehouses.protocol import Session

_COLUMNS = """
select name, type, comment
from system.columns
where database = {database} and table = {table}
order by position
"""


def path_of(table: str) -> tuple[str, str]:
    """The database and the table, as SQL: of a name that has no database, the session's."""
    database, _, name = table.rpartition(".")
    where = backslashed(database.strip('`"')) if database else "currentDatabase()"
    return where, backslashed(name.strip('`"'))


def table_facts(session: Session, table: str) -> TableFacts:
    """Implements `Session.facts`."""
    database, name = path_of(table)
    found = rows(session, _COLUMNS.format(database=database, table=name))
    if not found:
        raise WarehouseError(
            f"there is no table {table}: expected the name of a table or view, as in shop.orders"
        )
    return TableFacts(
        tuple(
            ColumnFacts(row["name"], "Nullable(" in row["type"], row["comment"] or "")
            for row in found
        )
    )
