"""What the server says of a table, and of the columns that a statement passes through."""

from __future__ import annotations

from collections.abc import Sequence

from extract_project.errors import WarehouseError
from extract_project.sql_quoting import backslashed
from extract_project.warehouses.facts import ColumnFacts, TableFacts, grouped
from extract_project.warehouses.mysql.columns import Column
from extract_project.warehouses.mysql.connection import Connection
from extract_project.warehouses.mysql.names import place_of

_COLUMNS = """
select column_name, is_nullable = 'YES', column_comment
from information_schema.columns where table_schema = {database} and table_name = {table}
order by ordinal_position
"""
# A key of parts or of expressions says nothing about whole columns.
_KEYS = """
select index_name, column_name
from information_schema.statistics where table_schema = {database} and table_name = {table}
    and not non_unique and index_name not in (
        select index_name from information_schema.statistics
        where table_schema = {database} and table_name = {table}
            and (column_name is null or sub_part is not null)
    )
order by index_name <> 'PRIMARY', index_name, seq_in_index
"""


def table_facts(connection: Connection, table: str) -> TableFacts:
    """Implements `Session.facts`."""
    database, name = place_of(table)
    columns = connection.query(_COLUMNS.format(database=database, table=name))
    if not columns:
        raise WarehouseError(f"there is no table {table!r}, or the user has no right to see it")
    keys = connection.query(_KEYS.format(database=database, table=name))
    return TableFacts(
        tuple(ColumnFacts(str(each), null == "1", said or "") for each, null, said in columns),
        grouped((str(key), str(column)) for key, column in keys),
    )


def comments(connection: Connection, columns: Sequence[Column]) -> dict[str, str]:
    """The comment of each column that is one of a table or view, by its name in the result."""
    tables = dict.fromkeys(each.table[:2] for each in columns if each.table)
    said = {
        (database, table, column): " ".join(comment.split())
        for database, table in tables
        for column, _, comment in connection.query(
            _COLUMNS.format(database=backslashed(database), table=backslashed(table))
        )
        if comment
    }
    return {each.name: said[each.table] for each in columns if each.table in said}
