"""G5: a value that does not fit the file's type is named with its column, its row and a way out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract_project.errors import TypeMappingError
from extract_project.schema.choices import DEFAULTS, TypeChoices
from extract_project.schema.conform import conform
from extract_project.schema.exact import Misfit, int64_of
from extract_project.schema.types import file_schema

NUMBER = pa.decimal128(38, 0)
NS, US = pa.timestamp("ns"), pa.timestamp("us")
TIME = pa.time64("ns")
LARGEST = 2**63 - 1
NOON = 1_774_785_600_123_456_000


def conformed(column: pa.Array, rows_before: int = 0, declared: pa.DataType | None = None) -> Any:
    batch = pa.RecordBatch.from_arrays([column], ["c"])
    types = {"c": declared} if declared is not None else {}
    schema = file_schema(batch.schema, DEFAULTS, types)
    return conform(batch, schema, rows_before, types).column(0)


BEYOND = [
    (NUMBER, Decimal(LARGEST + 1), "beyond int64: to keep it, write 'integers: decimal' in"),
    (NUMBER, Decimal(-LARGEST - 2), "beyond int64"),
    (pa.decimal256(50, 0), Decimal(10**49), "beyond int64 and every decimal of 38 digits"),
    (NS, NOON + 789, "digits beyond a microsecond: to keep them, write 'timestamps: ns' in"),
    (NS, -1, "or cut them in the SQL, date_trunc('microsecond', "),
    (pa.timestamp("ns", "UTC"), NOON + 1, "digits beyond a microsecond"),
    (TIME, 1, "digits beyond a microsecond: to keep them, write 'timestamps: ns' in"),
]
SHOWN = {
    NOON + 789: "2026-03-29T12:00:00.123456789",
    NOON + 1: "2026-03-29T12:00:00.123456001Z",
    -1: "1969-12-31T23:59:59.999999999",
    1: "00:00:00.000000001",
}
AROUND: list[Callable[[pa.Array], pa.Array]] = [
    lambda values: values,
    lambda values: pa.ListArray.from_arrays(
        np.arange(0, 2 * len(values) + 1, 2, dtype=np.int32),
        values.take(np.repeat(np.arange(len(values)), 2)),
    ),
    lambda values: pa.StructArray.from_arrays([values], ["a"]),
    lambda values: pa.MapArray.from_arrays(
        np.arange(len(values) + 1, dtype=np.int32),
        pa.array(["k"] * len(values)),
        pa.StructArray.from_arrays([values], ["a"]),
    ),
]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(("kind", "value", "message"), BEYOND, ids=str)
def test_g5_a_value_beyond_is_named_with_its_row(
    kind: pa.DataType, value: Any, message: str, around: Callable[[pa.Array], pa.Array]
) -> None:
    """In the middle of a slice, between NULLs, and as the first of two."""
    column = pa.array([value, 0, None, *([0] * 700), value, 0, value], kind)
    column = around(column).slice(1)
    with pytest.raises(TypeMappingError) as raised:
        conformed(column, rows_before=1000)
    shown = SHOWN.get(value, value)
    assert f"column 'c' has {shown} in row 1,703, " in str(raised.value)
    assert message in str(raised.value)


@pytest.mark.parametrize("around", AROUND)
def test_g5_a_value_that_fits_is_kept_at_every_depth(
    around: Callable[[pa.Array], pa.Array],
) -> None:
    numbers = [LARGEST, None, -LARGEST - 1, 0, 7]
    for wide, usable in (
        (pa.array(numbers, NUMBER), pa.array(numbers, pa.int64())),
        (pa.array([NOON, None, -1000, 0], NS), pa.array([NOON // 1000, None, -1, 0], US)),
        (pa.array([1000, None, 0], TIME), pa.array([1, None, 0], pa.time64("us"))),
        (pa.array([], NUMBER), pa.array([], pa.int64())),
        (pa.array([None, None], NUMBER), pa.array([None, None], pa.int64())),
    ):
        for start in (0, 1, 2):
            found = conformed(around(wide).slice(start))
            assert found.to_pylist() == around(usable).slice(start).to_pylist()
            found.validate(full=True)


@pytest.mark.parametrize(
    ("kind", "value", "declared", "message"),
    [
        (NUMBER, Decimal(LARGEST + 1), pa.int64(), "to keep it, declare it decimal(38,0)"),
        (NS, 1, US, "to keep them, declare it timestamp(9), or"),
        (pa.timestamp("ns", "UTC"), 1, pa.timestamp("us", "UTC"), "declare it timestamptz(9)"),
        (TIME, 1, pa.time64("us"), "declare it time(9)"),
    ],
    ids=str,
)
def test_where_columns_declares_the_type_the_way_out_is_there(
    kind: pa.DataType, value: Any, declared: pa.DataType, message: str
) -> None:
    with pytest.raises(TypeMappingError) as raised:
        conformed(pa.array([value], kind), declared=declared)
    assert message in str(raised.value)
    assert "header" not in str(raised.value)


def test_a_null_struct_hides_what_it_holds() -> None:
    """Arrow leaves what is in a NULL struct undefined."""
    beyond = pa.array([Decimal(10**30), Decimal(1)], NUMBER)
    struct = pa.StructArray.from_arrays([beyond], ["a"], mask=pa.array([True, False]))
    assert conformed(struct).to_pylist() == [None, {"a": 1}]


def test_dictionaries_and_other_lists() -> None:
    numbers = pa.array([1, None, 1], NUMBER)
    assert conformed(numbers.dictionary_encode()).equals(pa.array([1, None, 1], pa.int64()))
    for kind in (pa.large_list(NUMBER), pa.list_(NUMBER, 1), pa.list_view(NUMBER)):
        column = pa.array([[Decimal(1)], None, [None]], kind)
        assert conformed(column).to_pylist() == [[1], None, [None]]
        assert conformed(column).type == pa.list_(pa.field("element", pa.int64()))


@given(
    st.lists(st.none() | st.integers(-(2**127), 2**127 - 1) | st.integers(-(2**64), 2**64)),
    st.integers(0, 3),
)
def test_int64_of_is_the_same_integer_or_the_first_that_is_beyond(
    values: list[int | None], start: int
) -> None:
    held = [None if v is None else v.to_bytes(16, "little", signed=True) for v in values]
    wide = pa.array(held, pa.binary(16)).slice(start)
    kept = values[start:]
    bad = [i for i, v in enumerate(kept) if v is not None and not -(2**63) <= v < 2**63]
    if bad:
        with pytest.raises(Misfit) as raised:
            int64_of(wide)
        assert (raised.value.index, raised.value.value) == (bad[0], kept[bad[0]])
    else:
        assert int64_of(wide).to_pylist() == kept


@given(st.lists(st.none() | st.integers(0, 2**128 - 1) | st.integers(0, 2**64)))
def test_int64_of_unsigned_integers(values: list[int | None]) -> None:
    held = [None if v is None else v.to_bytes(16, "little") for v in values]
    bad = [i for i, v in enumerate(values) if v is not None and v >= 2**63]
    if bad:
        with pytest.raises(Misfit) as raised:
            int64_of(pa.array(held, pa.binary(16)), unsigned=True)
        assert (raised.value.index, raised.value.value) == (bad[0], values[bad[0]])
    else:
        assert int64_of(pa.array(held, pa.binary(16)), unsigned=True).to_pylist() == values


def test_moments_of_a_choice_are_read_as_they_were() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([NOON + 789], NS)], ["c"])
    schema = file_schema(batch.schema, TypeChoices(timestamps="ns"))
    assert conform(batch, schema).column(0).cast(pa.int64()).to_pylist() == [NOON + 789]
    assert conformed(pa.array([NOON], NS)).to_pylist() == [datetime(2026, 3, 29, 12, 0, 0, 123456)]
