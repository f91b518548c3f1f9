"""Batches of any size into row groups whose borders depend on the rows alone.

A warehouse cuts its batches as it likes; cutting them again, at fixed numbers of rows, is what
makes equal rows give equal bytes (G12).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

_ATOM_ROWS = 8_192
_GROUP_ROWS = 245_760
_GROUP_BYTES = 32 << 20


def row_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Groups of at most 245,760 rows and about 32 MiB of Arrow memory, whichever comes first.

    The size is looked at every 8,192 rows, counted from the start of the result.
    """
    group: list[pa.RecordBatch] = []
    size = rows = 0
    for atom in _atoms(batches, schema):
        group.append(atom)
        size += atom.nbytes
        rows += atom.num_rows
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.Table.from_batches(group, schema)
            group, size, rows = [], 0, 0
    if group:
        yield pa.Table.from_batches(group, schema)


def _atoms(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of exactly 8,192 rows, but for the last."""
    pending: list[pa.RecordBatch] = []
    missing = _ATOM_ROWS
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, missing)
            start += piece.num_rows
            missing -= piece.num_rows
            pending.append(piece)
            if not missing:
                yield _joined(pending, schema)
                pending, missing = [], _ATOM_ROWS
    if pending:
        yield _joined(pending, schema)


def _joined(pieces: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    if len(pieces) == 1:
        return pieces[0]
    return pa.Table.from_batches(pieces, schema).combine_chunks().to_batches()[0]
