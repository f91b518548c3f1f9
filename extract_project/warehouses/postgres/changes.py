"""Whether tables have changed: the counters of rows ever written, and the file they are in."""

from __future__ import annotations

import json
from collections.abc import Sequence

from extract_project.warehouses.postgres.connection import Connection, quoted
from extract_project.warehouses.protocol import Change

_SCHEMA_AND_TABLE = 2

# A table is those whose rows it shows: partitions, children, and what views read.
_CHANGES = """
with recursive parts as (
    select ordinality as asked, pg_catalog.to_regclass(name)::oid as oid
    from pg_catalog.json_array_elements_text($1::pg_catalog.json) with ordinality as t (name)
    union
    select parts.asked, below.oid from parts, lateral (
        select i.inhrelid as oid from pg_catalog.pg_inherits i where i.inhparent = parts.oid
        union all
        select d.refobjid
        from pg_catalog.pg_rewrite r join pg_catalog.pg_depend d on d.objid = r.oid
        where r.ev_class = parts.oid and d.classid = 'pg_catalog.pg_rewrite'::regclass
          and d.refclassid = 'pg_catalog.pg_class'::regclass
    ) below
)
select asked, pg_catalog.string_agg(
    pg_catalog.concat_ws(
        ':', c.oid, pg_catalog.pg_relation_filenode(c.oid), s.n_tup_ins, s.n_tup_upd, s.n_tup_del
    ), ' ' order by c.oid
)
from parts
join pg_catalog.pg_class c using (oid)
left join pg_catalog.pg_stat_all_tables s on s.relid = c.oid
where c.relkind in ('r', 'm', 'p')
group by asked
"""


def last_changes(connection: Connection, tables: Sequence[str], database: str) -> dict[str, Change]:
    """Of those tables that exist; a name has at most a database, a schema and a table.

    What the server's statistics lose in a crash shows as a change. They are about a second behind.
    """
    named = [table.split(".") for table in tables]
    names = [
        ".".join(quoted(part) for part in parts[-_SCHEMA_AND_TABLE:])
        if len(parts) <= _SCHEMA_AND_TABLE or parts[:-_SCHEMA_AND_TABLE] == [database]
        else None
        for parts in named
    ]
    asked = [(table, name) for table, name in zip(tables, names, strict=True) if name]
    rows = connection.query(_CHANGES, [json.dumps([name for _, name in asked])])
    return {asked[int(number) - 1][0]: Change(token) for number, token in rows if number and token}
