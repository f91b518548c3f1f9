"""The cursor column of an incremental extract, and its watermark: exact, as text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.errors import IncrementError
from extract_project.manifest.fields.incremental import Incremental
from extract_project.problem import suggestion
from extract_project.schema.from_text import from_text
from extract_project.schema.text import text_of
from extract_project.schema.years import PER_SECOND, is_beyond
from extract_project.values import Value

_MICROSECONDS = 10**6
_EPOCH = datetime(1970, 1, 1)
_DIGITS = 80
"""A precision above that of any cursor."""


@dataclass(frozen=True)
class Span:
    """The lowest and the highest cursor value of some rows."""

    lowest: pa.Scalar
    highest: pa.Scalar

    @classmethod
    def of(cls, values: pa.ChunkedArray | pa.Array) -> Span | None:
        """The span of the values; None if there are none."""
        found = pc.min_max(values)
        return cls(found["min"], found["max"]) if found["min"].is_valid else None

    def joined(self, other: Span | None) -> Span:
        if other is None:
            return self
        return Span(
            min(self.lowest, other.lowest, key=ordinal),
            max(self.highest, other.highest, key=ordinal),
        )


@dataclass(frozen=True)
class Cursor:
    """A column of the result, in the result's own spelling."""

    name: str
    type: pa.DataType
    lag: timedelta | int

    @classmethod
    def find(cls, incremental: Incremental, schema: pa.Schema) -> Cursor:
        """Raises IncrementError for a column that does not exist or cannot be a cursor."""
        wanted = incremental.cursor
        alike = [name for name in schema.names if name.casefold() == wanted.casefold()]
        if wanted not in schema.names and len(alike) != 1:
            raise IncrementError(
                f"the result has no column {wanted!r}, which 'incremental' names as its cursor: "
                f"{suggestion(wanted, schema.names)}"
            )
        name = wanted if wanted in schema.names else alike[0]
        kind = schema.field(name).type
        number = pa.types.is_integer(kind) or pa.types.is_decimal128(kind)
        moment = pa.types.is_timestamp(kind) or pa.types.is_date32(kind)
        if not (number or moment):
            raise IncrementError(
                f"the cursor {name!r} is of type {kind}: expected a timestamp, a date, an integer "
                f"or a decimal, whose order is the same in every warehouse"
            )
        if incremental.lag and number == isinstance(incremental.lag, timedelta):
            expected = "a number, as the cursor is" if number else "a duration, as in 1h"
            raise IncrementError(f"'lag' of the cursor {name!r}, of type {kind}, is {expected}")
        return cls(name, kind, incremental.lag or (0 if number else timedelta()))

    def read(self, text: str) -> pa.Scalar:
        """The inverse of `written`."""
        return from_text(pa.array([text], pa.string()), self.type)[0]

    def misfit(self, values: pa.Array) -> tuple[int, str, str] | None:
        """The first value that cannot be a watermark: its index, the value, and the reason.

        None if there is no such value.
        """
        if values.null_count:
            return (
                pc.index(values.is_null(), True).as_py(),
                "NULL",
                "such a row would be lost or come twice; leave it out with 'where … is not null', "
                "or give it a value in the SQL",
            )
        beyond = is_beyond(values)
        if beyond is None:
            return None
        index = pc.index(beyond, True).as_py()
        return (
            index,
            str(text_of(values[index])),
            "no ':watermark' can be bound outside the years 0001 to 9999; leave such rows out, or "
            "replace the value in the SQL",
        )

    def bound(self, watermark: pa.Scalar) -> Value:
        """The value of `:watermark`: the highest value so far, minus the lag.

        It is rounded down to microseconds, and for dates to the day; querying more rows is
        harmless.
        """
        if pa.types.is_date32(self.type):
            return _earlier(datetime.combine(watermark.as_py(), time()), self.lag).date()
        if not pa.types.is_timestamp(self.type):
            assert isinstance(self.lag, int)
            value: int | Decimal = watermark.as_py()
            if isinstance(value, int):
                return value - self.lag
            # The context by default rounds to 28 digits, perhaps to above the watermark.
            return Context(prec=_DIGITS).subtract(value, Decimal(self.lag))
        micros = watermark.value * _MICROSECONDS // PER_SECOND[self.type.unit]
        moment = _earlier(_EPOCH + timedelta(microseconds=micros), self.lag)
        return moment.replace(tzinfo=UTC) if self.type.tz else moment


def written(value: pa.Scalar) -> str:
    """A cursor value as text, without any loss."""
    return str(text_of(value))


def ordinal(value: pa.Scalar) -> int | Decimal:
    """A number that orders like the value."""
    temporal = pa.types.is_temporal(value.type)
    found: int | Decimal = value.value if temporal else value.as_py()
    return found


def _earlier(moment: datetime, lag: timedelta | int) -> datetime:
    try:
        return moment - lag if isinstance(lag, timedelta) else moment
    except OverflowError:
        return datetime.min
