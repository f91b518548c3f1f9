"""Values of DuckDB that files cannot hold, found batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extract_project.errors import TypeMappingError
from extract_project.schema.nested import first_index

if TYPE_CHECKING:
    import pyarrow as pa

_INFINITE_DATE, _INFINITE_TIMESTAMP = 2**31 - 1, 2**63 - 1
_HOURS_24 = {"us": 86_400 * 10**6, "ns": 86_400 * 10**9}


def require_real_values(batch: pa.RecordBatch, rows_before: int) -> None:
    """Refuse what only DuckDB understands.

    It writes an infinite date or timestamp as the largest integer, which files would keep as a
    date in the year 294247: no reader would take that for infinity. It has a time 24:00:00, which
    readers take for 00:00:00, or for none. And `round` gives a decimal one digit more than its
    type has.
    """
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        for value, is_there, instead in (
            ("'infinity'", _has_infinity, f"nullif({name}, 'infinity')"),
            ("'24:00:00'", _has_24_hours, f"nullif({name}, '24:00:00')"),
            ("more digits than its type", _has_overflow, f"{name}::varchar"),
        ):
            index = first_index(column, is_there)
            if index is not None:
                raise TypeMappingError(
                    f"column {name!r} holds {value}, first in row {rows_before + index + 1:,}: "
                    f"files have no such value; replace it in the SQL, e.g. {instead}"
                )


def require_distinct_keys(batch: pa.RecordBatch, rows_before: int) -> None:
    """A cast can make two keys of a map equal, and DuckDB keeps both; readers keep one."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        index = first_index(column, _has_equal_keys)
        if index is not None:
            raise TypeMappingError(
                f"column {name!r} holds a map with the same key twice, first in row "
                f"{rows_before + index + 1:,}: readers would keep one of the two; make the keys "
                f"distinct in the SQL"
            )


def _has_equal_keys(values: pa.Array) -> bool:
    import numpy as np
    import pyarrow as pa

    if not pa.types.is_map(values.type):
        return False
    from extract_project.schema.text import plain_text

    offsets = values.offsets.to_numpy()
    keys = plain_text(values.keys.slice(offsets[0], offsets[-1] - offsets[0]))
    maps = pa.array(np.repeat(np.arange(len(values)), np.diff(offsets)))
    pairs = pa.table({"map": maps, "key": keys})
    return bool(pairs.group_by(["map", "key"]).aggregate([]).num_rows < pairs.num_rows)


def _has_overflow(values: pa.Array) -> bool:
    import pyarrow as pa

    if not pa.types.is_decimal(values.type):
        return False
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return True
    return False


def _has_infinity(values: pa.Array) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_date32(values.type) or pa.types.is_timestamp(values.type)):
        return False
    date = pa.types.is_date32(values.type)
    extremes = pc.min_max(values.view(pa.int32() if date else pa.int64()))
    largest = _INFINITE_DATE if date else _INFINITE_TIMESTAMP
    return bool(extremes["max"].as_py() == largest or extremes["min"].as_py() == -largest)


def _has_24_hours(values: pa.Array) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_time64(values.type):
        return False
    highest = pc.max(values.view(pa.int64())).as_py()
    return highest is not None and highest >= _HOURS_24[values.type.unit]
