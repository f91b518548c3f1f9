"""Casts that a contract may ask for: every value as it is, or the first one that is not, by row."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract_project.schema.exact import Misfit, exact_cast, exact_number, is_exact

D = Decimal
NUMBER = pa.decimal128(38, 0)
KEPT: list[tuple[pa.DataType, Any, pa.DataType]] = [
    (NUMBER, D(2**63 - 1), pa.int64()),
    (NUMBER, D(-128), pa.int8()),
    (pa.int64(), -7, pa.decimal128(10, 2)),
    (pa.int64(), -(2**63), pa.decimal128(38, 9)),
    (pa.uint64(), 2**64 - 1, pa.decimal128(20, 0)),
    (pa.int64(), 127, pa.int8()),
    (pa.int32(), 7, pa.int64()),
    (pa.float32(), 0.5, pa.float64()),
    (pa.decimal128(38, 2), D("9.99"), pa.decimal128(5, 3)),
    (pa.decimal256(60, 1), D("1.5"), pa.decimal128(38, 1)),
    (pa.timestamp("ns"), 1_000, pa.timestamp("us")),
    (pa.timestamp("us", "UTC"), 1, pa.timestamp("ns", "UTC")),
    (pa.time64("ns"), 1_000, pa.time64("us")),
]
MISFITS: list[tuple[pa.DataType, Any, pa.DataType]] = [
    (NUMBER, D(2**63), pa.int64()),
    (NUMBER, D(-1), pa.uint8()),
    (pa.int64(), 2**31, pa.int32()),
    (pa.int64(), 100, pa.decimal128(4, 2)),
    (pa.decimal128(38, 2), D("100.00"), pa.decimal128(5, 3)),
    (pa.decimal128(38, 0), D(10**9), pa.decimal128(38, 30)),
    (pa.timestamp("ns"), 1_001, pa.timestamp("us")),
    (pa.timestamp("us"), 10**18, pa.timestamp("ns")),
    (pa.time64("ns"), 1_001, pa.time64("us")),
]
NEVER = [
    (pa.decimal128(9, 2), pa.int64()),
    (pa.decimal128(9, 2), pa.decimal128(9, 1)),
    (pa.int64(), pa.float64()),
    (pa.float64(), pa.float32()),
    (pa.float64(), pa.decimal128(38, 9)),
    (pa.string(), pa.int64()),
    (pa.int64(), pa.string()),
    (pa.date32(), pa.timestamp("us")),
    (pa.timestamp("us"), pa.timestamp("us", "UTC")),
    (pa.bool_(), pa.int8()),
]


@pytest.mark.parametrize(("source", "value", "target"), KEPT, ids=str)
def test_g5_what_fits_is_the_same_value(
    source: pa.DataType, value: Any, target: pa.DataType
) -> None:
    assert is_exact(source, target)
    column = pa.array([None, value], source)
    cast = exact_cast(column, target)
    assert cast.type == target
    assert cast.null_count == 1
    assert exact_cast(cast, source).equals(column) if is_exact(target, source) else True
    assert str(cast[1].as_py()).rstrip("0").rstrip(".") == str(column[1].as_py()).rstrip(
        "0"
    ).rstrip(".")


@pytest.mark.parametrize(("source", "value", "target"), MISFITS, ids=str)
def test_g5_what_does_not_fit_is_named_with_its_row(
    source: pa.DataType, value: Any, target: pa.DataType
) -> None:
    assert is_exact(source, target)
    column = pa.array([0, None, *([0] * 70), value, 0, value], source)
    with pytest.raises(Misfit) as raised:
        exact_cast(column, target)
    assert raised.value.index == 72


@pytest.mark.parametrize(("source", "target"), NEVER, ids=str)
def test_g5_what_could_bend_values_is_not_allowed(source: pa.DataType, target: pa.DataType) -> None:
    assert not is_exact(source, target)


@given(st.lists(st.none() | st.decimals(-(10**9), 10**9, places=4), max_size=8))
def test_numbers_as_text_are_exact_or_an_error(numbers: list[Decimal | None]) -> None:
    text = pa.array([None if n is None else f"{n:f}" for n in numbers], pa.string())
    target = pa.decimal128(9, 2)
    bad = [i for i, n in enumerate(numbers) if n is not None and (abs(n) >= 10**7 or n * 100 % 1)]
    if bad:
        with pytest.raises(Misfit) as raised:
            exact_number(text, target)
        assert raised.value.index == bad[0]
    else:
        assert exact_number(text, target).to_pylist() == numbers


_WIDE = [pa.decimal128(38, scale) for scale in (0, 2, 9, 37)] + [pa.decimal256(76, 9)]


@pytest.mark.parametrize("target", _WIDE, ids=str)
def test_g5_more_digits_than_a_decimal_has_do_not_wrap_around(target: pa.DataType) -> None:
    """Arrow makes another number of some of them: the text, or another decimal."""
    chosen = Random(7)
    for _ in range(1_000):
        digits = chosen.randrange(10 ** chosen.randrange(85))
        fraction = chosen.choice(("", ".5", f".{chosen.randrange(10**9)}"))
        number = D(f"{chosen.choice(('', '-'))}{digits}{fraction}")
        columns: list[tuple[Callable[..., pa.Array], pa.Array]] = [
            (exact_number, pa.array([f"{number:f}"]))
        ]
        if len(number.as_tuple().digits) <= 76:
            source = pa.decimal256(76, len(fraction[1:]))
            columns.append((exact_cast, pa.array([number], source)))
        for cast, column in columns:
            try:
                found = cast(column, target)[0].as_py()
            except Misfit:
                fits = len(fraction[1:].rstrip("0")) <= target.scale
                assert not fits or digits >= 10 ** (target.precision - target.scale)
            else:
                assert found == number


@pytest.mark.parametrize("target", _WIDE, ids=str)
def test_the_largest_decimal_fits(target: pa.DataType) -> None:
    number = D("9" * target.precision).scaleb(-target.scale, Context(prec=100))
    assert exact_number(pa.array([f"{number:f}"]), target)[0].as_py() == number
    wider = pa.decimal256(76, target.scale)
    assert exact_cast(pa.array([number], wider), target)[0].as_py() == number
