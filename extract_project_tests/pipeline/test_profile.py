"""The profile of a result that people look at."""

from __future__ import annotations

import pyarrow as pa
import pytest

from extract_project.pipeline.profile import Profile


@pytest.mark.parametrize("length", [5, 50_000])
def test_extremes_are_those_of_all_rows_however_long_values_are(length: int) -> None:
    texts = ["m" * length, "ü" * length, "a" * length + "z", "a" * length, None]
    profile = Profile(pa.schema({"text": pa.string()}))
    for text in texts:
        profile.observe(pa.table({"text": pa.array([text], pa.string())}))
    (column,) = profile.columns()
    assert column.nulls == 1
    assert (column.lowest or "").startswith("aaaaa")
    assert (column.highest or "").startswith("üüüüü")
    assert len(column.lowest or "") <= 60
