"""The header key `split`: how a result is divided into part objects."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from extract_project.expected import Expected
from extract_project.units import Size

MOST_ROWS = 10**15
_LEAST_BYTES = 8 << 20


class Split(BaseModel):
    """The size of parts: a number of rows, or of bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: Annotated[int | None, Expected("a whole number, as in {rows: 1000000}")] = Field(
        None,
        ge=1,
        le=MOST_ROWS,
        description="Rows of each part; only the last part may have fewer.",
    )
    bytes: Size | None = Field(
        None,
        description="Size of each part: it ends with the row group (at most 12 MiB in memory) at "
        "which its file has reached this size. At least `8MB`.",
    )

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.rows is None) == (self.bytes is None):
            raise ValueError("expected one of 'rows: N' and 'bytes: 256MB'")
        if self.bytes is not None and self.bytes < _LEAST_BYTES:
            raise ValueError("'bytes' is below 8MB, too small to be useful: expected at least 8MB")
        return self
