"""The author's choice of file types for types that are wider than most readers support.

The choices are header keys, and settings of a warehouse. Reading them imports no Arrow.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Integers = Annotated[
    Literal["int64", "decimal"],
    Field(
        description="Integers of more than 18 digits, such as Snowflake's `INTEGER`, which is "
        "`NUMBER(38,0)`: `int64` refuses a value that is beyond it; `decimal` keeps every value, "
        "in a type that fewer readers read as a number."
    ),
]
Timestamps = Annotated[
    Literal["us", "ns"],
    Field(
        description="Timestamps and times with nanoseconds, such as Snowflake's `TIMESTAMP_NTZ`: "
        "`us`, microseconds, refuses a value with digits beyond; `ns` keeps them, and refuses "
        "years outside 1677 to 2262."
    ),
]
Numeric = Annotated[
    Literal["decimal(38,9)", "text"],
    Field(
        description="Postgres' numeric without a precision, such as `sum(x)` and `avg(x)`, and "
        "BigQuery's BIGNUMERIC: `decimal(38,9)` refuses a value that does not fit; `text` keeps "
        "every digit."
    ),
]


class TypeChoices(BaseModel):
    """The author's choices, one for each of these types."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    integers: Integers = "int64"
    timestamps: Timestamps = "us"
    numeric: Numeric = "decimal(38,9)"

    def overridden(
        self,
        integers: Integers | None = None,
        timestamps: Timestamps | None = None,
        numeric: Numeric | None = None,
    ) -> TypeChoices:
        """These choices, replaced by those that are given."""
        return TypeChoices(
            integers=integers or self.integers,
            timestamps=timestamps or self.timestamps,
            numeric=numeric or self.numeric,
        )

    def limited_to(self, names: frozenset[str]) -> TypeChoices:
        """These choices where they are among the given ones, else the defaults."""
        return TypeChoices(**self.model_dump(include=set(names)))


DEFAULTS = TypeChoices()
WIDEST = TypeChoices(integers="decimal", timestamps="ns", numeric="text")
"""The choices that keep every value, except timestamps outside 1677 to 2262."""
