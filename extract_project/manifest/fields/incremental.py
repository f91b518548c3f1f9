"""The header key `incremental`: extracts that query only new rows, by a cursor column."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from extract_project.units import format_duration, parse_duration

WATERMARK = "watermark"


def _read_lag(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    try:
        return parse_duration(value)
    except ValueError:
        raise ValueError(
            f"{value!r} is not a valid lag: expected a duration (1h, 2 days), or for a cursor of "
            f"numbers a whole number that is not negative"
        ) from None


def _write_lag(value: timedelta | int) -> str | int:
    return format_duration(value) if isinstance(value, timedelta) else value


Lag = Annotated[
    timedelta | int,
    BeforeValidator(_read_lag),
    PlainSerializer(_write_lag),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["1h", "2 days", 1000]}),
]


class Incremental(BaseModel):
    """The column that distinguishes new rows from published ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cursor: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="A column of the result, never NULL: a timestamp, date, integer or decimal."
    )
    lag: Lag = Field(
        0,
        description="How far below the watermark rows are queried again, to include late "
        "rows: a duration, or a number for a cursor of numbers.",
    )
