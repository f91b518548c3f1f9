"""What people look at first: how many NULLs, from where to where, and the first ten rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

PREVIEW_ROWS = 10
_SHOWN_CHARACTERS = 60


class ColumnProfile(BaseModel):
    """One column of a result. `lowest` and `highest` are absent for types without an order."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: str
    nulls: int
    lowest: str | None
    highest: str | None


class Figures(BaseModel):
    """What can be compared between versions."""

    model_config = ConfigDict(frozen=True)

    rows: int
    nulls: Mapping[str, int]
    """Of every column."""


class Profile:
    """Collects the profile of a stream of rows."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._nulls = [0] * len(schema)
        self._extremes: list[tuple[Any, Any] | None] = [None] * len(schema)
        self.rows = 0
        self.preview: list[dict[str, str]] = []

    def observe(self, rows: pa.Table) -> None:
        """See the next rows of the result."""
        if len(self.preview) < PREVIEW_ROWS:
            first = rows.slice(0, PREVIEW_ROWS - len(self.preview)).to_pylist()
            self.preview += [{name: shown(value) for name, value in row.items()} for row in first]
        self.rows += rows.num_rows
        for index, column in enumerate(rows.columns):
            self._nulls[index] += column.null_count
            if _ordered(column.type):
                self._extremes[index] = _wider(self._extremes[index], pc.min_max(column))

    def figures(self) -> Figures:
        """Its rows, and each column's NULLs."""
        return Figures(
            rows=self.rows, nulls=dict(zip(self._schema.names, self._nulls, strict=True))
        )

    def columns(self) -> list[ColumnProfile]:
        """One profile per column, in the order of the schema."""
        return [
            ColumnProfile(
                name=field.name,
                type=str(field.type),
                nulls=self._nulls[index],
                lowest=shown(extremes[0]) if (extremes := self._extremes[index]) else None,
                highest=shown(extremes[1]) if extremes else None,
            )
            for index, field in enumerate(self._schema)
        ]


def shown(value: Any) -> str:
    """A value for a table cell: NULL visible, long text cut."""
    text = "NULL" if value is None else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"


def _ordered(kind: pa.DataType) -> bool:
    return not (
        pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_decimal256(kind)
    )


def _wider(known: tuple[Any, Any] | None, extremes: pa.StructScalar) -> tuple[Any, Any] | None:
    low, high = _value(extremes["min"]), _value(extremes["max"])
    if low is None:
        return known
    return (low, high) if known is None else (min(known[0], low), max(known[1], high))


def _value(scalar: pa.Scalar) -> Any:
    """A comparable Python value; nanoseconds, which datetime has not, compare as ISO text."""
    if pa.types.is_timestamp(scalar.type) or pa.types.is_time(scalar.type):
        return scalar.cast(pa.string()).as_py()
    return scalar.as_py()
