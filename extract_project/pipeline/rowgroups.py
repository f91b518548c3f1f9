"""Regroup batches of any size into row groups whose borders depend only on the rows.

A warehouse cuts its batches anywhere. Here they are cut again where the rows reach a number or a
size. So equal rows give equal bytes (G12), and memory stays flat however long the values are (G9).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_GROUP_ROWS = 245_760
_GROUP_BYTES = 12 << 20
_COLUMN_BYTES = 16 << 10
"""A row group of a wide table is larger: Parquet keeps 850 bytes in memory for each of its columns,
until the file is closed."""

Sizes = npt.NDArray[np.int64]


def row_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Groups of at most 245,760 rows; a group ends with the row that reaches `group_bytes`.

    A single row of that size is a group by itself, because joining it to others would copy it. The
    first group is an exception, because it decides how Parquet writes its columns: if it had no
    long value, Parquet would write statistics, which copy each long value six times.
    """
    most = group_bytes(schema)
    group: list[pa.RecordBatch] = []
    rows = size = 0
    is_first = True
    for batch in batches:
        ends = _row_ends(batch)
        start = 0
        while start < batch.num_rows:
            reached = int(np.searchsorted(ends, ends[start] + most - size))
            stop = min(reached, start + _GROUP_ROWS - rows, batch.num_rows)
            stays = is_first or rows + stop - start == 1
            ends_here = not stays and ends[stop] - ends[stop - 1] >= most
            if ends_here:  # before a long row
                stop -= 1
            group.append(batch.slice(start, stop - start))
            rows += stop - start
            size += int(ends[stop] - ends[start])
            start = stop
            if ends_here or rows == _GROUP_ROWS or size >= most:
                yield pa.Table.from_batches(group, schema).combine_chunks()
                group, rows, size, is_first = [], 0, 0, False
        del batch  # a long one is freed before the next is fetched
    if group:
        yield pa.Table.from_batches(group, schema).combine_chunks()


def group_bytes(schema: pa.Schema) -> int:
    """The bytes at which a row group ends: 12 MiB, or 16 KiB for each of more than 768 columns."""
    return max(_GROUP_BYTES, len(schema) * _COLUMN_BYTES)


def is_wide(schema: pa.Schema) -> bool:
    """Whether row groups are larger because there are so many columns."""
    return group_bytes(schema) > _GROUP_BYTES


def is_long(rows: pa.Table) -> bool:
    """Whether a row group is larger than others, because a value in it is long."""
    return bool(rows.nbytes >= 2 * group_bytes(rows.schema))


def _row_ends(batch: pa.RecordBatch) -> Sizes:
    """Cumulative bytes at the start of each row, and at the end of the last."""
    ends = np.zeros(batch.num_rows + 1, np.int64)
    for column in batch.columns:
        ends += _ends(column)
    return ends


def _ends(array: pa.Array) -> Sizes:
    kind = array.type
    if pa.types.is_struct(kind):
        ends = np.zeros(len(array) + 1, np.int64)
        for index in range(kind.num_fields):
            ends += _ends(array.field(index))
        return ends
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        borders = _offsets(array)
        inner = array.values if pa.types.is_list(kind) else array.keys
        inner_ends = _ends(inner)
        if pa.types.is_map(kind):
            inner_ends += _ends(array.items)
        ends = inner_ends.take(borders)
        ends -= inner_ends[borders[0]]
        return ends
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        borders = _offsets(array)
        borders -= borders[0]
        return borders
    width = max(1, kind.bit_width // 8)
    return np.arange(0, width * len(array) + 1, width, dtype=np.int64)


def _offsets(array: pa.Array) -> Sizes:
    buffer = array.buffers()[1]
    if buffer is None:  # an empty array need not have any
        return np.zeros(len(array) + 1, np.int64)
    offsets = np.frombuffer(buffer, np.int32)[array.offset : array.offset + len(array) + 1]
    return offsets.astype(np.int64)
