"""What Postgres' catalogue says of a table."""

from __future__ import annotations

from extract_project.sql_quoting import literal
from extract_project.warehouses.facts import ColumnFacts, TableFacts, grouped, rows
from extract_project.warehouses.protocol import Session

_COLUMNS = """
select a.attname::text as name, not a.attnotnull as is_nullable,
    pg_catalog.col_description(a.attrelid, a.attnum) as comment
from pg_catalog.pg_attribute a
where a.attrelid = {table}::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""
_KEYS = """
select i.indexrelid::text as key, a.attname::text as name
from pg_catalog.pg_index i
cross join lateral pg_catalog.unnest(i.indkey::int2[]) with ordinality as part (number, place)
join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = part.number
where i.indrelid = {table}::pg_catalog.regclass and i.indisunique
    and i.indpred is null and i.indexprs is null and part.place <= i.indnkeyatts
order by i.indisprimary desc, i.indexrelid, part.place
"""


def table_facts(session: Session, table: str) -> TableFacts:
    """Implements `Session.facts`."""
    columns = rows(session, _COLUMNS.format(table=literal(table)))
    keys = rows(session, _KEYS.format(table=literal(table)))
    return TableFacts(
        tuple(
            ColumnFacts(row["name"], row["is_nullable"], row["comment"] or "") for row in columns
        ),
        grouped((row["key"], row["name"]) for row in keys),
    )
