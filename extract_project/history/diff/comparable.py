"""Bring columns of two versions into one form in which exactly equal values are equal.

DuckDB cuts instants to microseconds, knows decimals of 38 digits, takes the last dates for
infinity, and `A` and `a` for one name. So what is compared is exact in both: times as counts of
their unit, long decimals as text, columns under a number. Where a column's type has changed,
numbers are compared as numbers, times as times, and everything else as the text that a CSV file
would have.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.schema.text import plain_text
from extract_project.schema.years import PER_SECOND

_INTEGER_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}
_DECIMAL128, _DECIMAL256 = 38, 76


@dataclass(frozen=True)
class Comparable:
    """A column of both versions, and the form in which it is compared."""

    name: str
    old: pa.DataType
    new: pa.DataType
    form: Literal["as it is", "number", "ticks", "nanoseconds", "text"]
    stored: pa.DataType

    def encode(self, values: pa.Array) -> pa.Array:
        """The values of one version in the common form."""
        if self.form == "text":
            return plain_text(values)
        if self.form == "number":
            exact = values.cast(_common_decimal(self.old, self.new))
            return exact if exact.type == self.stored else plain_text(exact)
        if self.form == "nanoseconds":
            ticks = values.cast(pa.int64()).cast(pa.decimal128(19, 0))
            factor = pa.scalar(Decimal(_nanoseconds(values.type)), pa.decimal128(10, 0))
            return pc.multiply(ticks, factor).cast(self.stored)
        if pa.types.is_date32(values.type) and self.form == "ticks":
            values = values.cast(pa.int32())
        return values.cast(self.stored)

    def decode(self, value: Any, kind: pa.DataType) -> Any:
        """A stored value as JSON has it, else as exact text; `kind` is `old` or `new`."""
        if value is None or isinstance(value, bool | str):
            return value
        if self.form in ("ticks", "nanoseconds"):
            ticks = int(value)
            if self.form == "nanoseconds":
                ticks //= _nanoseconds(kind)
            counted = pa.int32() if pa.types.is_date32(kind) else pa.int64()
            return plain_text(pa.array([ticks], counted).cast(kind))[0].as_py()
        if isinstance(value, int) or (isinstance(value, float) and value - value == 0):
            return value
        if self.form == "number":
            return f"{value:.{_scale(kind)}f}"
        return plain_text(pa.array([value], self.stored))[0].as_py()


def comparable(name: str, old: pa.DataType, new: pa.DataType) -> Comparable:
    """The form in which a column of these two types is compared."""
    types: Any = pa.types
    kinds = (old, new)
    if old == new and _is_exact_in_duckdb(old):
        return Comparable(name, old, new, "as it is", old)
    if all(map(types.is_floating, kinds)):
        return Comparable(name, old, new, "as it is", pa.float64())
    if all(types.is_integer(kind) or types.is_decimal(kind) for kind in kinds):
        common = _common_decimal(old, new)
        if common is not None:
            short = common.precision <= _DECIMAL128
            return Comparable(name, old, new, "number", common if short else pa.string())
    if _are_times_of_one_kind(old, new):
        if old == new or old.unit == new.unit:
            return Comparable(name, old, new, "ticks", pa.int64())
        return Comparable(name, old, new, "nanoseconds", pa.decimal128(_DECIMAL128, 0))
    return Comparable(name, old, new, "text", pa.string())


def is_number(kind: pa.DataType) -> bool:
    types: Any = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _is_exact_in_duckdb(kind: pa.DataType) -> bool:
    types: Any = pa.types
    exact = (types.is_boolean, types.is_integer, types.is_float32, types.is_float64)
    plain = (types.is_decimal128, types.is_string, types.is_binary)
    return any(bool(of(kind)) for of in (*exact, *plain))


def _are_times_of_one_kind(old: pa.DataType, new: pa.DataType) -> bool:
    types: Any = pa.types
    if types.is_timestamp(old) and types.is_timestamp(new):
        return bool(old.tz) == bool(new.tz)
    if types.is_date32(old) and types.is_date32(new):
        return True
    return bool(types.is_time(old) and types.is_time(new))


def _common_decimal(old: pa.DataType, new: pa.DataType) -> pa.DataType | None:
    """A decimal type that holds every value of both; None if none is wide enough."""
    digits = [(_digits(kind), _scale(kind)) for kind in (old, new)]
    scale = max(scale for _, scale in digits)
    precision = max(digits - scale for digits, scale in digits) + scale
    if precision > _DECIMAL256:
        return None
    wide = precision > _DECIMAL128
    return pa.decimal256(precision, scale) if wide else pa.decimal128(precision, scale)


def _nanoseconds(kind: pa.DataType) -> int:
    """The length of one tick."""
    return PER_SECOND["ns"] // PER_SECOND[kind.unit]


def _digits(kind: pa.DataType) -> int:
    return int(kind.precision) if pa.types.is_decimal(kind) else _INTEGER_DIGITS[kind.bit_width]


def _scale(kind: pa.DataType) -> int:
    return int(kind.scale) if pa.types.is_decimal(kind) else 0
