"""Find array types and their element types in the database's catalogue."""

from __future__ import annotations

import json
from collections.abc import Collection

from extract_project.warehouses.libpq.connection import Connection

# A domain counts as its base type, also as the element of an array.
_ELEMENTS = """
with recursive elements as (
    select t.oid as type, t.typelem as element
    from pg_catalog.json_array_elements_text($1::pg_catalog.json) asked
    join pg_catalog.pg_type t on t.oid = asked::pg_catalog.oid
    where t.typelem <> 0 and t.typlen = -1 and t.typcategory = 'A'
    union all
    select type, t.typbasetype
    from elements join pg_catalog.pg_type t on t.oid = element
    where t.typbasetype <> 0
)
select type, element
from elements join pg_catalog.pg_type t on t.oid = element
where t.typbasetype = 0
"""


def array_elements(connection: Connection, types: Collection[int]) -> dict[int, int]:
    """The element type of each type that is an array."""
    if not types:
        return {}
    rows = connection.query(_ELEMENTS, [json.dumps(sorted(types))])
    return {int(kind): int(element) for kind, element in rows if kind and element}
