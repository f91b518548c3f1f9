"""What the database says of the columns that a statement passes through: `comment on column`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from extract_project.warehouses.libpq.connection import Column, Connection

_COMMENTS = """
select asked.name, pg_catalog.col_description(asked.relation, asked.number)
from pg_catalog.json_to_recordset($1::pg_catalog.json)
  as asked (name pg_catalog.text, relation pg_catalog.oid, number pg_catalog.int4)
"""


def comments(connection: Connection, columns: Sequence[Column]) -> dict[str, str]:
    """The comment of each column that is one of a table or view, by its name in the result."""
    asked = [
        {"name": column.name, "relation": column.table, "number": column.number}
        for column in columns
        if column.table
    ]
    if not asked:
        return {}
    rows = connection.query(_COMMENTS, [json.dumps(asked)])
    return {name: " ".join(said.split()) for name, said in rows if name and said}
