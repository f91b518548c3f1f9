"""Numbers about a result that its receipt keeps, besides those of the file itself."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class Metrics(BaseModel):
    """Metrics of a version that later results are compared with."""

    model_config = ConfigDict(frozen=True)

    rows: int
    nulls: Mapping[str, int]
    """The number of NULLs in each column."""
    seconds: float | None = None
    """How long it took to make, where that is known."""


class Usage(BaseModel):
    """A query's use of a warehouse that is billed by time, or by what it reads."""

    model_config = ConfigDict(frozen=True)

    seconds: float
    credits: float | None = None
    """An estimate, where the warehouse's rate is known."""
    bytes_billed: int | None = None
    basis: str
    """How the numbers were computed, for people."""
