"""Extracts that only ask for new rows: the cursor they grow by, and the SQL that has to use it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from extract_project.problem import position, refuse
from extract_project.units import format_duration, parse_duration

if TYPE_CHECKING:
    from extract_project.manifest.frontmatter import FrontMatter
    from extract_project.manifest.header import Header
    from extract_project.sql.guard import Statement

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
    """The column by which an extract tells new rows from those it has published."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cursor: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="A column of the result, never NULL: a timestamp, date, integer or decimal."
    )
    lag: Lag = Field(
        0,
        description="How far below the watermark rows are queried again, because sources are "
        "late: a duration, or a number for a cursor of numbers.",
    )


def require_fitting_sql(
    header: Header, statement: Statement, text: str, front_matter: FrontMatter
) -> None:
    """Raise Refused where the SQL of an incremental extract would not fit what it is."""
    if header.incremental is None:
        return
    if header.partitions is not None:
        raise refuse(
            *front_matter.place(("incremental",)),
            "'incremental' does not go with 'partitions': a partition is published whole, its "
            "window is what is new; keep one of them",
        )
    if WATERMARK not in {each.name for each in statement.placeholders}:
        raise refuse(
            *front_matter.place(("incremental",)),
            f"the SQL does not use the watermark, so that every run would read everything: add "
            f"'where :{WATERMARK} is null or {header.incremental.cursor} >= :{WATERMARK}'",
        )
    for comparison in statement.strictly_after:
        if comparison.placeholder.name == WATERMARK:
            raise refuse(
                *position(text, comparison.placeholder.start),
                f"rows with exactly the watermark's value that appear later would be lost: "
                f"write '{comparison.operator}=', what comes twice is dropped",
            )
