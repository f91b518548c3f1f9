"""Row groups: their borders depend on the rows alone."""

from __future__ import annotations

import pyarrow as pa
import pytest

from extract_project.pipeline.rowgroups import row_groups

MIB = 1 << 20
LONG = "x" * (13 * MIB)
TEXTS = ["a", "b", LONG, "c", LONG, LONG, "d", "e"]
SCHEMA = pa.schema([("text", pa.string())])


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 8])
def test_g9_a_long_row_is_a_group_by_itself(batch_rows: int) -> None:
    """However the warehouse has cut its batches (G12); the first group decides how columns are
    written, and keeps what it has.
    """
    batches = pa.table({"text": TEXTS}, SCHEMA).to_batches(max_chunksize=batch_rows)
    groups = list(row_groups(batches, SCHEMA))
    assert [group.num_rows for group in groups] == [3, 1, 1, 1, 2]
    assert pa.concat_tables(groups)["text"].to_pylist() == TEXTS


def test_g9_a_long_row_is_not_copied() -> None:
    batches = pa.table({"text": TEXTS}, SCHEMA).to_batches(max_chunksize=1)
    groups = row_groups(batches, SCHEMA)
    next(groups)
    before = pa.total_allocated_bytes()
    for group in groups:
        assert pa.total_allocated_bytes() - before < MIB
        del group
