"""G5: from warehouse types to file types, without loss."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pyarrow as pa
import pytest

from extract_project.errors import TypeMappingError
from extract_project.schema.choices import DEFAULTS, WIDEST, TypeChoices
from extract_project.schema.conform import conform
from extract_project.schema.types import file_schema, file_type, number
from extract_project.schema.wanted import Wanted

SAME = [
    *(pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.float32(), pa.float64()),
    *(pa.string(), pa.binary(), pa.date32(), pa.time64("us")),
    *(pa.timestamp("us"), pa.timestamp("us", "UTC")),
    *(pa.decimal128(38, 10), pa.decimal256(76, 3)),
]
MAPPED = [
    (pa.decimal128(18, 0), pa.int64()),
    (pa.large_string(), pa.string()),
    (pa.string_view(), pa.string()),
    (pa.large_binary(), pa.binary()),
    (pa.binary(4), pa.binary()),
    (pa.date64(), pa.date32()),
    (pa.time32("s"), pa.time64("us")),
    (pa.timestamp("s"), pa.timestamp("us")),
    (pa.timestamp("ms", "Europe/Berlin"), pa.timestamp("us", "UTC")),
    (pa.dictionary(pa.int8(), pa.string()), pa.string()),
    (pa.float16(), pa.float32()),
    (pa.null(), pa.string()),
    (pa.json_(), pa.string()),
    (pa.list_(pa.large_string()), pa.list_(pa.field("element", pa.string()))),
    (pa.list_(pa.int32(), 2), pa.list_(pa.field("element", pa.int32()))),
    (pa.struct([("a", pa.date64())]), pa.struct([("a", pa.date32())])),
    (pa.map_(pa.large_string(), pa.date64()), pa.map_(pa.string(), pa.date32())),
]
CHOSEN = [
    (pa.decimal128(19, 0), pa.int64(), pa.decimal128(19, 0)),
    (pa.decimal256(50, 0), pa.int64(), pa.decimal256(50, 0)),
    (pa.uint64(), pa.int64(), pa.decimal128(20, 0)),
    (pa.opaque(pa.binary(16), "hugeint", "DuckDB"), pa.int64(), pa.decimal128(38, 0)),
    (pa.timestamp("ns", "Etc/UTC"), pa.timestamp("us", "UTC"), pa.timestamp("ns", "UTC")),
    (pa.time64("ns"), pa.time64("us"), pa.time64("ns")),
]
"""A warehouse's type, the file's by default, and the one that keeps every value."""
REFUSED = [
    pa.month_day_nano_interval(),
    pa.duration("us"),
    pa.opaque(pa.binary(), "bignum", "DuckDB"),
    pa.sparse_union([pa.field("a", pa.int32())]),
]


@pytest.mark.parametrize("kind", SAME, ids=str)
def test_kept_as_it_is(kind: pa.DataType) -> None:
    assert file_type(kind) == kind


@pytest.mark.parametrize(("kind", "expected"), MAPPED, ids=str)
def test_mapped_without_loss(kind: pa.DataType, expected: pa.DataType) -> None:
    assert file_type(kind) == expected


AROUND: list[Callable[[pa.DataType], pa.DataType]] = [
    lambda kind: kind,
    lambda kind: pa.list_(pa.field("element", kind)),
    lambda kind: pa.struct([("a", pa.map_(pa.string(), kind))]),
    lambda kind: pa.map_(kind, pa.list_(pa.field("element", pa.struct([("b", kind)])))),
]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(("kind", "usable", "widest"), CHOSEN, ids=str)
def test_wide_types_become_what_is_chosen_at_every_depth(
    kind: pa.DataType,
    usable: pa.DataType,
    widest: pa.DataType,
    around: Callable[[pa.DataType], pa.DataType],
) -> None:
    assert file_type(around(kind)) == around(usable)
    assert file_type(around(kind), Wanted(WIDEST)) == around(widest)
    for choices, declared in ((DEFAULTS, widest), (WIDEST, usable)):
        assert file_type(around(kind), Wanted(choices, around(declared))) == around(declared)
    elsewhere = Wanted(WIDEST, pa.struct([("other", pa.int64())]))
    assert file_type(around(kind), elsewhere) == around(widest)


@pytest.mark.parametrize(
    ("declared", "usable"),
    [
        (pa.int32(), True),
        (pa.uint32(), True),
        (pa.uint64(), False),
        (pa.decimal128(9, 2), False),
        (pa.string(), True),
    ],
    ids=str,
)
def test_a_declared_type_has_its_values_sent_in_a_type_that_holds_them(
    declared: pa.DataType, usable: bool
) -> None:
    """What is declared is cast afterwards: from int64 where that is enough."""
    found = file_type(pa.decimal128(38, 0), Wanted(DEFAULTS, declared))
    assert found == (pa.int64() if usable else pa.decimal128(38, 0))


@pytest.mark.parametrize("kind", REFUSED, ids=str)
def test_refused_with_the_column(kind: pa.DataType) -> None:
    schema = pa.schema([("fine", pa.int64()), ("odd", kind)])
    with pytest.raises(TypeMappingError, match=r"column 'odd': .* cast it in the SQL"):
        file_schema(schema)


@pytest.mark.parametrize(
    ("precision", "scale", "expected"),
    [
        (1, 0, pa.int64()),
        (18, 0, pa.int64()),
        (19, 0, pa.int64()),
        (1000, 0, pa.int64()),
        (15, 2, pa.decimal128(15, 2)),
        (38, 38, pa.decimal128(38, 38)),
        (39, 1, pa.decimal256(39, 1)),
        (76, 10, pa.decimal256(76, 10)),
    ],
)
def test_numbers(precision: int, scale: int, expected: pa.DataType) -> None:
    assert number(precision, scale) == expected


def test_a_number_beyond_76_digits_is_refused() -> None:
    with pytest.raises(TypeMappingError, match="77 digits"):
        number(77, 1)
    with pytest.raises(TypeMappingError, match="77 digits"):
        number(77, 0, Wanted(WIDEST))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "a"], "columns 'a' and 'a' have the same name"),
        (["id", "Id"], "columns 'id' and 'Id' have the same name"),
        (["a", " "], "column 2 has no name"),
    ],
)
def test_names_that_readers_cannot_tell_apart(names: list[str], message: str) -> None:
    with pytest.raises(TypeMappingError, match=message):
        file_schema(pa.schema([pa.field(name, pa.int64()) for name in names]))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (pa.struct([]), "it has no fields"),
        (pa.struct([("", pa.int8())]), "field 1 has no name"),
        (pa.struct([pa.field("a", pa.int8()), pa.field("A", pa.int8())]), "'a' and 'A'"),
        (pa.list_(pa.struct([("x", pa.list_(pa.struct([])))])), "it has no fields"),
        (pa.map_(pa.string(), pa.struct([("", pa.int8())])), "field 1 has no name"),
    ],
    ids=str,
)
def test_nested_names_that_readers_cannot_tell_apart(kind: pa.DataType, message: str) -> None:
    with pytest.raises(TypeMappingError, match=f"column 'odd': .*{message}"):
        file_schema(pa.schema([("fine", pa.int64()), ("odd", kind)]))


def test_a_result_without_columns_is_refused() -> None:
    with pytest.raises(TypeMappingError, match="the result has no columns"):
        file_schema(pa.schema([]))


def test_a_value_that_does_not_fit_is_an_error_never_a_wrap_around() -> None:
    far = 2**62  # seconds; 146 thousand million years
    batch = pa.RecordBatch.from_arrays([pa.array([far], pa.timestamp("s"))], ["at"])
    with pytest.raises(
        TypeMappingError, match=r"'at' has \+\d+-.* in row 1, outside the range of time"
    ):
        conform(batch, file_schema(batch.schema))


def test_conform_keeps_values() -> None:
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array([datetime(2026, 1, 1), None], pa.timestamp("s")),
            pa.array(["a", None]).dictionary_encode(),
            pa.array(['{"a": 1}', None], pa.json_()),
        ],
        ["at", "word", "document"],
    )
    schema = file_schema(batch.schema)
    assert conform(batch, schema).to_pydict() == {
        "at": [datetime(2026, 1, 1), None],
        "word": ["a", None],
        "document": ['{"a": 1}', None],
    }


@pytest.mark.parametrize(
    "declared", [pa.uint64(), pa.int64(), pa.decimal128(20, 0), pa.uint32()], ids=str
)
@pytest.mark.parametrize("choices", [DEFAULTS, WIDEST], ids=["default", "widest"])
def test_an_unsigned_integer_of_64_bits_is_what_is_declared(
    choices: TypeChoices, declared: pa.DataType
) -> None:
    """One of 32 bits is cast from int64 afterwards."""
    expected = pa.int64() if declared == pa.uint32() else declared
    assert file_type(pa.uint64(), Wanted(choices, declared)) == expected


def test_an_unsigned_integer_beyond_int64_is_refused_or_kept() -> None:
    values = pa.record_batch({"n": pa.array([None, 1, 2**64 - 1], pa.uint64())})
    said = "column 'n' has 18446744073709551615 in row 13, beyond int64: .*'integers: decimal'"
    with pytest.raises(TypeMappingError, match=said):
        conform(values, file_schema(values.schema), 10)
    kept = conform(values, file_schema(values.schema, WIDEST))
    assert kept.to_pylist() == values.to_pylist()
    assert conform(values[:2], file_schema(values.schema)).to_pylist() == values[:2].to_pylist()
