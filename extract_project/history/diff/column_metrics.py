"""Collect NULLs, sum and extremes of each column of a version, while its rows stream."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.history.diff.comparable import is_number

_SUM = Context(prec=100)
_WIDE = pa.decimal256(76, 0)


@dataclass(frozen=True)
class ColumnMetrics:
    """A column of one version. All but `nulls` are set for numeric columns only; decimals are
    text."""

    nulls: int
    total: int | float | str | None = None
    lowest: int | float | str | None = None
    highest: int | float | str | None = None


class Tally:
    """NULLs, sum and extremes of one column, exact for integers and decimals of any size."""

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind
        self._nulls = 0
        self._total: Any = None
        self._extremes: tuple[Any, Any] | None = None

    def observe(self, values: pa.Array) -> None:
        self._nulls += values.null_count
        if not is_number(self._kind) or values.null_count == len(values):
            return
        total = pc.sum(values.cast(self._summed())).as_py()
        if isinstance(total, Decimal):
            self._total = _SUM.add(self._total or Decimal(), total)
        else:
            self._total = (self._total or 0.0) + total
        found = pc.min_max(values)
        low, high = found["min"].as_py(), found["max"].as_py()
        if self._extremes is None or math.isnan(self._extremes[0]):
            self._extremes = (low, high)
        elif not math.isnan(low):
            self._extremes = (min(self._extremes[0], low), max(self._extremes[1], high))

    def metrics(self) -> ColumnMetrics:
        low, high = self._extremes or (None, None)
        return ColumnMetrics(
            self._nulls, self._plain(self._total), self._plain(low), self._plain(high)
        )

    def _summed(self) -> pa.DataType:
        """A type in which the sum of a batch cannot overflow."""
        if pa.types.is_floating(self._kind):
            return pa.float64()
        if pa.types.is_decimal(self._kind):
            return pa.decimal256(_WIDE.precision, self._kind.scale)
        return pa.decimal128(38, 0)

    def _plain(self, value: Any) -> int | float | str | None:
        if value is None:
            return None
        if pa.types.is_integer(self._kind):
            return int(value)
        if isinstance(value, Decimal):
            return format(value, "f")
        return float(value) if math.isfinite(value) else str(value)
