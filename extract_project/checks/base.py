"""What a check is: a line of the header that can become an auditor of one result."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from extract_project.errors import AuditError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


SAMPLES = 5
_NAME_LENGTH = 80


def as_list(value: Any) -> Any:
    """One column name, or several: `order_id` is `[order_id]`."""
    return [value] if isinstance(value, str) else value


one_or_more = BeforeValidator(as_list, json_schema_input_type=str | list[str])


@dataclass(frozen=True)
class Verdict:
    """What an auditor found. `metrics` are for machines and the UI, `summary` is for people."""

    passed: bool
    summary: str
    metrics: Mapping[str, int | float | str] = field(default_factory=dict)
    samples: tuple[dict[str, str], ...] = ()
    """Up to SAMPLES violating rows: the offending values, with what identifies the row."""


class Metrics(BaseModel):
    """What can be compared between versions."""

    model_config = ConfigDict(frozen=True)

    rows: int
    nulls: Mapping[str, int]
    """Of every column."""


class Baseline(Protocol):
    """What a result is compared with: versions published before it.

    Read from S3 when an auditor first asks. The pipeline implements it (`pipeline/baseline.py`).
    """

    @property
    def rows(self) -> int | None:
        """Of the current version of the same key; None where there is none."""

    @property
    def comparable(self) -> Sequence[Metrics]:
        """Of the versions that the result should resemble, the newest last."""

    @property
    def kind(self) -> str:
        """What those are: `versions`, or `partitions`."""


@dataclass(frozen=True)
class Subject:
    """What a result is judged by, besides its rows."""

    schema: pa.Schema
    began_at: datetime
    """When its run began."""
    baseline: Baseline
    keys: Sequence[str] = ()
    """Columns that identify a row, for samples; they may be none."""
    rows_before: int = 0
    """How many rows are published that this result is added to."""


class Auditor(ABC):
    """Watches one result pass by and then says what it thinks of it.

    `observe` sees every batch once, in order; `conclude` is called once, at the end, with a
    read-only DuckDB connection in which the rows stand as table `result` when `spools` names
    any columns.
    """

    spools: Sequence[str] | Literal["*"] = ()

    def observe(self, batch: pa.RecordBatch, first_row: int) -> None:  # noqa: B027
        """Look at the next rows; `first_row` counts from 1."""

    @abstractmethod
    def conclude(self, result: duckdb.DuckDBPyConnection | None) -> Verdict: ...


class CheckSpec(BaseModel, ABC):
    """One entry of `checks` in a header."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Literal["error", "warn"] = Field(
        "error", description="`error` refuses the result; `warn` publishes it with a warning."
    )

    @property
    @abstractmethod
    def name(self) -> str:
        """Unique within a header, letters, digits and underscores: its name in the UI."""

    @property
    @abstractmethod
    def rule(self) -> str:
        """The rule in words: `order_id is unique`."""

    @property
    def named_columns(self) -> Sequence[str]:
        """The columns of the result that it cannot do without."""
        return ()

    @abstractmethod
    def auditor(self, subject: Subject) -> Auditor:
        """An auditor for one result.

        Raises AuditError when the check names a column that the result does not have.
        """


def check_name(*parts: object) -> str:
    """Words to a name that Dagster takes; what it would cut or bend alike ends in a hash."""
    words = "_".join(str(part) for part in parts)
    name = re.sub(r"\W+", "_", words, flags=re.ASCII)
    if name == words and len(name) <= _NAME_LENGTH:
        return name
    return f"{name[:_NAME_LENGTH]}_{sha256(words.encode()).hexdigest()[:8]}"


def resolve(column: str, schema: pa.Schema, check: str) -> str:
    """The result's own spelling of a column; case counts only where the result needs it."""
    if column in schema.names:
        return column
    alike = [name for name in schema.names if name.casefold() == column.casefold()]
    if len(alike) == 1:
        return str(alike[0])
    from extract_project.problem import suggestion

    raise AuditError(
        f"check {check!r} names column {column!r}, which the result does not have: "
        f"{suggestion(column, schema.names)}"
    )


class Samples:
    """The first few violating rows of a stream, each with its number and its keys."""

    def __init__(self, column: str, keys: Sequence[str]) -> None:
        self._columns = list(dict.fromkeys([*keys, column]))
        self.rows: list[dict[str, str]] = []

    def take(self, batch: pa.RecordBatch, violates: pa.BooleanArray, first_row: int) -> None:
        """Remember rows of `batch` where `violates` is true, until there are enough."""
        if len(self.rows) >= SAMPLES:
            return
        import pyarrow.compute as pc

        from extract_project.schema.display import display

        found = pc.indices_nonzero(violates)[: SAMPLES - len(self.rows)]
        rows = batch.select(self._columns).take(found)
        shown = {name: display(rows.column(name)) for name in self._columns}
        self.rows += [
            {"row": str(first_row + index)} | {name: shown[name][i] for name in self._columns}
            for i, index in enumerate(found.to_pylist())
        ]
