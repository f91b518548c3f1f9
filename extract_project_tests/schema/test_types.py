"""G5: from warehouse types to file types, without loss."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pytest

from extract_project.errors import TypeMappingError
from extract_project.schema.types import conform, file_schema, file_type, number

SAME = [
    *(pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.float32(), pa.float64()),
    *(pa.string(), pa.binary(), pa.date32(), pa.time64("us"), pa.time64("ns")),
    *(pa.timestamp("us"), pa.timestamp("ns"), pa.timestamp("us", "UTC")),
    *(pa.decimal128(19, 0), pa.decimal128(38, 10), pa.decimal256(76, 3)),
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
    (pa.timestamp("ns", "Etc/UTC"), pa.timestamp("ns", "UTC")),
    (pa.dictionary(pa.int8(), pa.string()), pa.string()),
    (pa.float16(), pa.float32()),
    (pa.null(), pa.string()),
    (pa.json_(), pa.string()),
    (pa.list_(pa.large_string()), pa.list_(pa.field("element", pa.string()))),
    (pa.list_(pa.int32(), 2), pa.list_(pa.field("element", pa.int32()))),
    (pa.struct([("a", pa.date64())]), pa.struct([("a", pa.date32())])),
    (pa.map_(pa.large_string(), pa.date64()), pa.map_(pa.string(), pa.date32())),
]
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
        (19, 0, pa.decimal128(19, 0)),
        (15, 2, pa.decimal128(15, 2)),
        (38, 38, pa.decimal128(38, 38)),
        (39, 0, pa.decimal256(39, 0)),
        (76, 10, pa.decimal256(76, 10)),
    ],
)
def test_numbers(precision: int, scale: int, expected: pa.DataType) -> None:
    assert number(precision, scale) == expected


def test_a_number_beyond_76_digits_is_refused() -> None:
    with pytest.raises(TypeMappingError, match="77 digits"):
        number(77, 0)


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
    with pytest.raises(TypeMappingError, match="column 'at' as timestamp"):
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
