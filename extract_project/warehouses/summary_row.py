"""Read the one row with which a warehouse says what a result is like."""

from __future__ import annotations

import pyarrow as pa

from extract_project.errors import TypeMappingError
from extract_project.warehouses.unloading import ColumnSummary, Summary


def summary_of(row: pa.Table, first: pa.Table, schema: pa.Schema, hashed_by: str) -> Summary:
    """The summary of a result with this schema.

    `row` has the number of rows, their digest, and for each column its NULLs, its lowest and its
    highest value, and a value that its type in the file does not hold. `hashed_by` says what made
    the digest: digests of different functions are never equal.

    Raises TypeMappingError that names every misfit.
    """
    rows, digest = row.column(0)[0].as_py(), row.column(1)[0].as_py()
    columns, misfits = [], []
    for index, field in enumerate(schema):
        nulls, lowest, highest, misfit = (row.column(2 + 4 * index + n) for n in range(4))
        extremes = None
        if lowest[0].is_valid:
            extremes = pa.concat_arrays([lowest.chunk(0), highest.chunk(0)]).cast(field.type)
        columns.append(ColumnSummary(int(nulls[0].as_py()), extremes))
        if misfit[0].is_valid:
            misfits.append(f"column {field.name!r} has {misfit[0].as_py()}, {_way_out(field)}")
    if misfits:
        raise TypeMappingError("\n".join(misfits))
    return Summary(int(rows), f"{hashed_by} {digest}", columns, first)


def _way_out(field: pa.Field) -> str:
    if pa.types.is_int64(field.type):
        return "beyond int64: to keep it, write 'integers: decimal' in the header"
    return "with digits beyond a microsecond: round it in the SQL, or write 'engine: stream'"
