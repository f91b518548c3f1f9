"""Find out whether tables have changed, by the steps of the queries that have written to them.

Source: https://docs.aws.amazon.com/redshift/latest/dg/SYS_QUERY_DETAIL.html. It keeps seven days. A
user sees only its own queries there, unless it has the role `sys:monitor`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.libpq.connection import Connection
from extract_project.warehouses.protocol import TableChange
from extract_project.warehouses.redshift.names import is_clear, place_of, quoted

# https://docs.aws.amazon.com/redshift/latest/dg/r_USER_IS_MEMBER_OF.html
_SEES_ALL = """
select usesuper or user_is_member_of(current_user, 'sys:monitor')
from pg_user where usename = current_user
"""
_TABLES = """
select n.nspname, c.relname, c.oid, pg_table_is_visible(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relname in ({names})
"""
# The catalogue is on the leader node, and must not be joined with what is not.
_CHANGES = """
select table_id, max(query_id), max(end_time)
from sys_query_detail
where table_id in ({tables}) and step_name in ('insert', 'delete')
group by table_id
"""


def last_changes(connection: Connection, tables: Sequence[str]) -> dict[str, TableChange]:
    """The changes of those names that are tables of the database that was signed in to.

    A table to which nothing was written for seven days has a token too: that nothing was. Raises
    WarehouseError if the user would not see what others write.
    """
    if not any(map(is_clear, tables)):
        return {}
    if connection.query(_SEES_ALL) != [("t",)]:
        raise WarehouseError(
            "the user sees only its own queries, and not who writes to tables: run 'grant role "
            "sys:monitor to …' for it, or write a schedule that is a time",
            cause=Cause.PERMISSION,
        )
    places = {table: place_of(table) for table in tables if is_clear(table)}
    names = ", ".join(sorted({quoted(name) for _, name in places.values()}))
    found = {}
    for schema, name, oid, is_visible in connection.query(_TABLES.format(names=names)):
        found[schema, name] = str(oid)
        if is_visible == "t":
            found[None, name] = str(oid)
    if not found:
        return {}
    written = {
        table: (query, at)
        for table, query, at in connection.query(
            _CHANGES.format(tables=", ".join(sorted(set(found.values()))))
        )
    }
    return {
        table: _change(found[place], *written.get(found[place], (None, None)))
        for table, place in places.items()
        if place in found
    }


def _change(oid: str, query: str | None, at: str | None) -> TableChange:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC) if at else None
    return TableChange(f"{oid}:{query or 'not in seven days'}", moment)
