"""Find out whether tables have changed, by their counters of written rows, and their file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from extract_project.warehouses.libpq.connection import Connection
from extract_project.warehouses.protocol import TableChange

# A table includes those whose rows it shows: partitions, children, and tables of views. A name is
# looked up in the catalogue, because to_regclass fails for a schema without access: one such name
# would hide the changes of all other tables.
_CHANGES = """
with recursive parts as (
    select asked.number, c.oid
    from pg_catalog.json_to_recordset($1::pg_catalog.json)
        as asked (number integer, schema varchar, name varchar)
    join pg_catalog.pg_class c on c.relname = asked.name::pg_catalog.name
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where case when asked.schema is null then pg_catalog.pg_table_is_visible(c.oid)
        else n.nspname = asked.schema::pg_catalog.name end
    union
    select parts.number, below.oid from parts, lateral (
        select i.inhrelid as oid from pg_catalog.pg_inherits i where i.inhparent = parts.oid
        union all
        select d.refobjid
        from pg_catalog.pg_class v
        join pg_catalog.pg_rewrite r on r.ev_class = v.oid
        join pg_catalog.pg_depend d on d.objid = r.oid
        where v.oid = parts.oid and v.relkind = 'v'
          and d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
          and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    ) below
)
select number, pg_catalog.string_agg(
    pg_catalog.concat_ws(
        ':', c.oid, pg_catalog.pg_relation_filenode(c.oid), s.n_tup_ins, s.n_tup_upd, s.n_tup_del
    ), ' ' order by c.oid
)
from parts
join pg_catalog.pg_class c using (oid)
left join pg_catalog.pg_stat_all_tables s on s.relid = c.oid
where c.relkind in ('r', 'm', 'p')
group by number
order by number
"""


def last_changes(
    connection: Connection, tables: Sequence[str], database: str
) -> dict[str, TableChange]:
    """The changes of those tables that exist, in one query.

    Statistics that the server loses in a crash appear as a change. They are about a second behind.
    """
    asked = [(table, *place) for table in tables for place in _places(table, database)]
    names = [
        {"number": number, "schema": schema, "name": name}
        for number, (_, schema, name) in enumerate(asked)
    ]
    changes: dict[str, TableChange] = {}
    for number, token in connection.query(_CHANGES, [json.dumps(names)]):
        if number and token:
            changes.setdefault(asked[int(number)][0], TableChange(token))
    return changes


def _places(table: str, database: str) -> Iterator[tuple[str | None, str]]:
    """The schemas and names that a dotted name may mean, the likely first: names may have dots."""
    parts = table.split(".")
    for at in (1, 0, *range(2, len(parts))):
        if at < len(parts):
            yield ".".join(parts[:at]) or None, ".".join(parts[at:])
    if parts[0] == database and len(parts) > 1:
        yield from _places(".".join(parts[1:]), "")
