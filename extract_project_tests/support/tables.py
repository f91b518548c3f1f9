"""Tables of every type that a file can have, drawn by hypothesis."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    largest = 10**precision - 1
    return st.integers(-largest, largest).map(
        lambda n: Decimal((int(n < 0), tuple(map(int, str(abs(n)))), -scale))
    )


TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(
        ["", " ", '"', ",", "\r\n", "\n", "\\N", "\\.", "NULL", "a,b", 'say "hi"', " x ", "\x00"]
    ),
)
MICROSECONDS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))
# Arrow cannot parse the text of the very first second that it can hold.
NANOSECONDS = st.integers(-(2**63) + 10**9, 2**63 - 1)
LEAVES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.bool_(), st.booleans()),
    *(
        (getattr(pa, f"int{n}")(), st.integers(-(2 ** (n - 1)), 2 ** (n - 1) - 1))
        for n in (8, 16, 32, 64)
    ),
    *((getattr(pa, f"uint{n}")(), st.integers(0, 2**n - 1)) for n in (8, 16, 32, 64)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.floats()),
    (pa.decimal128(9, 2), decimals(9, 2)),
    (pa.decimal128(38, 0), decimals(38, 0)),
    (pa.decimal128(38, 38), decimals(38, 38)),
    (pa.decimal256(76, 20), decimals(76, 20)),
    (pa.date32(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    (pa.time64("us"), st.times()),
    (pa.time64("ns"), st.integers(0, 86_399_999_999_999)),
    (pa.timestamp("us"), MICROSECONDS),
    (pa.timestamp("us", "UTC"), MICROSECONDS.map(lambda at: at.replace(tzinfo=UTC))),
    (pa.timestamp("ns"), NANOSECONDS),
    (pa.timestamp("ns", "UTC"), NANOSECONDS),
    (pa.string(), TEXT),
    (pa.binary(), st.binary(max_size=20)),
]
NESTED: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (
        pa.list_(pa.field("element", pa.int64())),
        st.lists(st.none() | st.integers(0, 9), max_size=3),
    ),
    (
        pa.struct([("a", pa.decimal128(9, 2)), ("b", pa.string())]),
        st.fixed_dictionaries({"a": st.none() | decimals(9, 2), "b": st.none() | TEXT}),
    ),
    (
        pa.map_(pa.string(), pa.date32()),
        st.dictionaries(TEXT, st.none() | st.dates(), max_size=3).map(lambda d: list(d.items())),
    ),
    (
        pa.list_(pa.field("element", pa.struct([("at", pa.timestamp("us"))]))),
        st.lists(st.fixed_dictionaries({"at": st.none() | MICROSECONDS}), max_size=2),
    ),
]


@st.composite
def tables(draw: st.DrawFn, *, nested: bool = True) -> pa.Table:
    kinds = LEAVES + (NESTED if nested else [])
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=5))
    rows = draw(st.integers(0, 12))
    names = draw(
        st.lists(
            TEXT.filter(str.strip),
            min_size=len(chosen),
            max_size=len(chosen),
            unique_by=str.casefold,
        )
    )
    columns = [
        pa.array(draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), kind)
        for kind, values in chosen
    ]
    schema = pa.schema(list(zip(names, (kind for kind, _ in chosen), strict=True)))
    return pa.Table.from_arrays(columns, schema=schema)


def exact(table: pa.Table) -> list[list[Any]]:
    """Comparable values: NaN equals NaN, and -0.0 is not 0.0."""
    return [[comparable(value) for value in column] for column in table.columns]


def comparable(value: pa.Scalar) -> Any:
    if pa.types.is_floating(value.type):
        number = value.as_py()
        if number is None or math.isnan(number):
            return str(number)
        return (number, math.copysign(1, number))
    if pa.types.is_temporal(value.type):
        return value.value
    return value.as_py()
