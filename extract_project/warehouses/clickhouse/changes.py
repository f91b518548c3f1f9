"""When tables of the MergeTree family were last changed, from the parts that they consist of.

A part never changes: an insert, an update or a delete makes new parts. So does a merge, although it
may change no row. So a token may change when no row has, but each change of rows changes the token.
Other tables (views, those of other servers, logs) are not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from extract_project.warehouses.clickhouse.facts import path_of
from extract_project.warehouses.protocol import Query, Result, TableChange

_PARTS = """
select toString(any(t.uuid)) as uuid, toString(count(p.name)) as parts,
       hex(groupBitXor(cityHash64(p.name, p.hash_of_all_files))) as content,
       max(p.modification_time) as at
from system.tables t
left join system.parts p on p.database = t.database and p.table = t.name and p.active
where t.database = {database} and t.name = {table} and t.engine like '%MergeTree'
having count() > 0
"""


def last_changes(
    execute: Callable[[Query], Result], tables: Sequence[str]
) -> dict[str, TableChange]:
    """The last change of each table that consists of parts; raises WarehouseError."""
    changes = {}
    for each in tables:
        database, name = path_of(each)
        result = execute(Query(_PARTS.format(database=database, table=name)))
        for batch in result.batches():
            for row in batch.to_pylist():
                token = f"{row['uuid']} {row['parts']} {row['content']}"
                changes[each] = TableChange(token, row["at"])
    return changes
