"""Refuse a result that would take more memory than the task has, before the kernel kills it (G9).

The factors are measured, and stated in docs/guarantees.md.
"""

from __future__ import annotations

import pyarrow as pa

from extract_project.formats.protocol import FileFormat
from extract_project.memory import require_room
from extract_project.pipeline.rowgroups import is_long, is_wide

_COLUMN_BYTES = 200 << 10
"""Bytes for each column of a wide table: in four row groups, and in the warehouse's own batches."""
_MIB = 1 << 20


def require_room_for_columns(schema: pa.Schema) -> None:
    """Raise OutOfMemory if there is not enough memory for so many columns."""
    if is_wide(schema):
        require_room(
            len(schema) * _COLUMN_BYTES,
            f"a result of {len(schema):,} columns",
            "select fewer columns",
        )


def require_room_for_rows(rows: pa.Table, rows_before: int, file_format: FileFormat) -> None:
    """Raise OutOfMemory if there is not enough memory to encode a row group with a long value."""
    if not is_long(rows):
        return
    sizes = [column.nbytes for column in rows.columns]
    longest = max(range(len(sizes)), key=sizes.__getitem__)
    name, last = rows.schema.names[longest], rows_before + rows.num_rows
    place = f"row {last:,}" if rows.num_rows == 1 else f"rows {rows_before + 1:,} to {last:,}"
    require_room(
        sum(sizes) * file_format.format.copies_of_long(rows_before),
        f"column {name!r} has {sizes[longest] / _MIB:,.0f} MiB in {place}: writing such a value",
        "select less of it",
    )
